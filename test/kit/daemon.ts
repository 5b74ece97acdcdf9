/**
 * Programs of the system as test servers: each on free loopback ports, with everything it reads and writes in a
 * temporary folder, and never outliving the test process.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const ATTEMPTS = 3;
const READY_POLLS = 1000;
const READY_INTERVAL = 10;
const LOG_POLLS = 200;
const LOG_INTERVAL = 25;

/** How to start a program. */
export interface DaemonPlan {
  /** For messages and the folder's name. */
  name: string;
  /** How many free ports it gets. */
  ports: number;
  /** Writes its files into the folder and gives the command line; it runs there, in the foreground. */
  prepare: (folder: string, ports: readonly number[]) => Promise<readonly string[]> | readonly string[];
  /** How many of its ports it listens on. Default: all. */
  listening?: number;
  /** Added to the environment. */
  env?: Readonly<Record<string, string>>;
  /** What makes it stop. Default `TERM`. */
  signal?: "TERM" | "KILL";
  /** Removes what it leaves outside its folder. */
  tidy?: (ports: readonly number[]) => Promise<void>;
  /** Which of its files tells why it did not start. Default `error.log`, which has its standard error. */
  errorLog?: string;
}

/** A running program. */
export interface Daemon extends AsyncDisposable {
  readonly folder: string;
  readonly ports: readonly number[];
  /** Text of one of its files; empty if there is none. */
  read(name: string): Promise<string>;
  /** The wanted lines of one of its files; with `count`, waits (up to 5 s) until there are that many. */
  lines(name: string, count?: number, wanted?: (line: string) => boolean): Promise<string[]>;
  /** Sends it a signal. */
  signal(signal: NodeJS.Signals): void;
  /** Has it end by `signal`, then starts it again on the same ports; waits until it listens. */
  restart(signal: NodeJS.Signals): Promise<void>;
  /** Stops it and removes its folder. */
  stop(): Promise<void>;
}

/** Daemons are in /usr/sbin, which is not on every user's PATH. */
const FOLDERS = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"];

/** Where a program is, or `undefined` if it is not installed. */
export function findCommand(name: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, name)).find(isExecutable);
}

/** As {@link findCommand}; throws where it is missing. */
export function commandOf(name: string): string {
  const command = findCommand(name);
  if (command === undefined)
    throw new Error(`${name} is not installed: bash scripts/system-packages.sh ${name}`);
  return command;
}

/**
 * The value of a test's `skip`: a reason when one of the programs is missing. With CI=true never, so that CI cannot
 * pass without them.
 */
export function skipWithout(...names: readonly string[]): string | false {
  if (process.env.CI === "true") return false;
  const missing = names.filter((name) => findCommand(name) === undefined);
  return missing.length === 0 ? false : `not installed: ${missing.join(", ")}`;
}

/**
 * Runs the command given as arguments (after a signal's name) until standard input ends: when a test process is
 * killed, its pipe closes, and so no daemon outlives it. What it says before it knows its log goes to `error.log`.
 */
const WHILE_INPUT_IS_OPEN =
  'signal=$1; shift; exec 3<&0; "$@" 3<&- >>output.log 2>>error.log & pid=$!; echo "$pid" >program.pid; { cat <&3 >/dev/null; kill -s "$signal" "$pid" 2>/dev/null; } & wait "$pid"';

/** Starts a program and waits until it listens: `await using daemon = await startDaemon(...)`. */
export async function startDaemon(plan: DaemonPlan): Promise<Daemon> {
  // Between finding a free port and the program taking it, another process may: then once more.
  for (let attempt = 1; ; attempt += 1) {
    const folder = await mkdtemp(join(tmpdir(), `urlpool-${plan.name}-`));
    const ports = await freePorts(plan.ports);
    const command = await plan.prepare(folder, ports);
    const start = (): ChildProcess =>
      spawn("sh", ["-c", WHILE_INPUT_IS_OPEN, "sh", plan.signal ?? "TERM", ...command], {
        cwd: folder,
        stdio: ["pipe", "ignore", "ignore"],
        env: { ...process.env, ...plan.env },
      });
    const daemon = new RunningDaemon(folder, ports, start, plan.tidy);
    if (await daemon.ready(ports.slice(0, plan.listening))) return daemon;
    const log = `${await daemon.read("error.log")}${plan.errorLog === undefined ? "" : await daemon.read(plan.errorLog)}`;
    await daemon.stop();
    if (attempt === ATTEMPTS) throw new Error(`${plan.name} did not start:\n${log}`);
  }
}

class RunningDaemon implements Daemon {
  readonly folder: string;
  readonly ports: readonly number[];
  #child: ChildProcess;
  #exited: Promise<unknown>;
  readonly #start: () => ChildProcess;
  readonly #tidy: DaemonPlan["tidy"];

  constructor(folder: string, ports: readonly number[], start: () => ChildProcess, tidy: DaemonPlan["tidy"]) {
    this.folder = folder;
    this.ports = ports;
    this.#start = start;
    this.#tidy = tidy;
    this.#child = start();
    this.#exited = once(this.#child, "exit");
  }

  /** True once it accepts connections on all of its ports, false if it ended instead. */
  async ready(ports: readonly number[]): Promise<boolean> {
    for (let attempt = 0; attempt < READY_POLLS && this.#child.exitCode === null; attempt += 1) {
      const open = await Promise.all(ports.map(accepts));
      if (open.every(Boolean)) return this.#child.exitCode === null;
      await sleep(READY_INTERVAL);
    }
    return false;
  }

  async read(name: string): Promise<string> {
    const path = join(this.folder, name);
    return existsSync(path) ? await readFile(path, "utf8") : "";
  }

  async lines(name: string, count = 0, wanted?: (line: string) => boolean): Promise<string[]> {
    for (let attempt = 0; ; attempt += 1) {
      // A line without its end is still being written.
      const all = (await this.read(name)).split("\n").slice(0, -1);
      const lines = all.filter((line) => line !== "" && (wanted === undefined || wanted(line)));
      if (lines.length >= count || attempt === LOG_POLLS) return lines;
      await sleep(LOG_INTERVAL);
    }
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(Number(readFileSync(join(this.folder, "program.pid"), "utf8")), signal);
  }

  async restart(signal: NodeJS.Signals): Promise<void> {
    this.signal(signal);
    await this.#exited;
    this.#child.stdin?.destroy();
    this.#child = this.#start();
    this.#exited = once(this.#child, "exit");
    if (!(await this.ready(this.ports))) throw new Error(`no restart: ${await this.read("error.log")}`);
  }

  async stop(): Promise<void> {
    this.#child.stdin?.end();
    await this.#exited;
    await this.#tidy?.(this.ports);
    await rm(this.folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** A program that serves HTTP on its first port and, with TLS, HTTPS on its second. */
export class WebDaemon implements AsyncDisposable {
  readonly port: number;
  /** 0 without TLS. */
  readonly httpsPort: number;
  protected readonly daemon: Daemon;
  readonly #tlsHost: string;

  constructor(daemon: Daemon, tls: boolean, tlsHost: string) {
    const [port = 0, httpsPort = 0] = daemon.ports;
    this.daemon = daemon;
    this.port = port;
    this.httpsPort = tls ? httpsPort : 0;
    this.#tlsHost = tlsHost;
  }

  /** `http://127.0.0.1:port`, without a slash at its end. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** As `url`, for HTTPS; empty without TLS. */
  get httpsUrl(): string {
    return this.httpsPort === 0 ? "" : `https://${this.#tlsHost}:${this.httpsPort}`;
  }

  /** Stops it and removes its folder. */
  stop(): Promise<void> {
    return this.daemon.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
