/**
 * A real nginx on free loopback ports, with everything it writes in a temporary folder.
 *
 * - `/` (and any other path): a small text of known length
 * - `/echo...`: the request's method and URI, as text
 * - `/gzip`: 20,000 bytes of text, compressed for clients that accept it
 * - `/chunked`: the small text without a length
 * - `/big`: a file of the given size
 * - `/redirect`: 302 to `/`
 * - `/status/NNN`: a bare answer with that status (204, 304, 404, 500, 503)
 * - `/close`: the small text, then the connection is closed
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Content of `/`. */
export const SMALL_TEXT = "Hello from nginx\n";

/** Content of `/gzip`. */
export const GZIP_TEXT: string = "All work and no play makes\n".repeat(800).slice(0, 20_000);

/** How to start. */
export interface NginxOptions {
  /** PEM texts: with them there is an HTTPS port too. */
  tls?: { cert: string; key: string };
  /** Size in bytes of `/big`. Default 1 MiB. */
  bigSize?: number;
  /** Requests that one connection may carry. Default 1,000,000. */
  keepAliveRequests?: number;
  /** Milliseconds, in whole seconds, for which an idle connection is kept. Default 75,000. */
  keepAliveTimeout?: number;
  /** Lines put into each `server` block, such as further locations. */
  extraServerConfig?: string;
}

/** One line of the access log; nginx writes it when the answer has been sent. */
export interface NginxLogEntry {
  /** Number of the connection, unique in this nginx. */
  connection: number;
  /** Which request of its connection this was, from 1. */
  connectionRequests: number;
  scheme: string;
  method: string;
  uri: string;
  protocol: string;
  status: number;
  /** Body bytes sent. */
  bytes: number;
  userAgent: string;
}

/** A running nginx. */
export interface Nginx extends AsyncDisposable {
  readonly port: number;
  /** 0 without `tls`. */
  readonly httpsPort: number;
  /** `http://127.0.0.1:port`, without a slash at its end. */
  readonly url: string;
  /** `https://127.0.0.1:port`; empty without `tls`. */
  readonly httpsUrl: string;
  /** The log so far; with `count`, waits (up to 2 s) until it has that many lines. */
  accessLog(count?: number): Promise<NginxLogEntry[]>;
  /** Text of the error log. */
  errorLog(): Promise<string>;
  /** Stops it and removes its folder. */
  stop(): Promise<void>;
}

const COMMAND: string | undefined = ["nginx", "/usr/sbin/nginx"].find(
  (command) => spawnSync(command, ["-v"]).error === undefined,
);

/** Whether nginx is installed. */
export function hasNginx(): boolean {
  return COMMAND !== undefined;
}

/** The value of a test's `skip`: a reason when nginx is missing. With CI=true never, so that CI cannot pass without it. */
export function skipWithoutNginx(): string | false {
  return hasNginx() || process.env.CI === "true" ? false : "nginx is not installed";
}

/**
 * Runs the command given as arguments until standard input ends: when a test process is killed, its pipe closes, and so
 * no nginx outlives it. Complaints about the configuration come before nginx knows its log, on standard error.
 */
const WHILE_INPUT_IS_OPEN =
  'exec 3<&0; "$@" 3<&- 2>>error.log & pid=$!; { cat <&3 >/dev/null; kill "$pid" 2>/dev/null; } & wait "$pid"';

/** Starts nginx: `await using nginx = await startNginx()`. */
export async function startNginx(options: NginxOptions = {}): Promise<Nginx> {
  if (COMMAND === undefined) throw new Error("nginx is not installed: bash scripts/system-packages.sh nginx");
  // Between finding a free port and nginx taking it, another process may: then once more.
  for (let attempt = 1; ; attempt += 1) {
    const folder = await mkdtemp(join(tmpdir(), "urlpool-nginx-"));
    const ports = await freePorts(2);
    await writeFiles(folder, ports, options);
    const command = [COMMAND, "-p", folder, "-c", join(folder, "nginx.conf")];
    const child = spawn("sh", ["-c", WHILE_INPUT_IS_OPEN, "sh", ...command], {
      cwd: folder,
      stdio: ["pipe", "ignore", "ignore"],
    });
    const nginx = new RunningNginx(folder, child, ports[0], options.tls === undefined ? 0 : ports[1]);
    if (await nginx.ready()) return nginx;
    const log = await nginx.errorLog();
    await nginx.stop();
    if (attempt === 3) throw new Error(`nginx did not start:\n${log}`);
  }
}

class RunningNginx implements Nginx {
  readonly port: number;
  readonly httpsPort: number;
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(folder: string, child: ChildProcess, port: number, httpsPort: number) {
    this.#folder = folder;
    this.#child = child;
    this.#exited = once(child, "exit");
    this.port = port;
    this.httpsPort = httpsPort;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get httpsUrl(): string {
    return this.httpsPort === 0 ? "" : `https://127.0.0.1:${this.httpsPort}`;
  }

  /** True once it accepts connections, false if it ended instead. */
  async ready(): Promise<boolean> {
    for (let attempt = 0; attempt < 500 && this.#child.exitCode === null; attempt += 1) {
      if (await accepts(this.port)) return this.#child.exitCode === null;
      await sleep(10);
    }
    return false;
  }

  async accessLog(count = 0): Promise<NginxLogEntry[]> {
    for (let attempt = 0; ; attempt += 1) {
      const lines = (await this.#read("access.log")).split("\n").filter((line) => line !== "");
      if (lines.length >= count || attempt === 80)
        return lines.map((line) => JSON.parse(line) as NginxLogEntry);
      await sleep(25);
    }
  }

  errorLog(): Promise<string> {
    return this.#read("error.log");
  }

  async stop(): Promise<void> {
    this.#child.stdin?.end();
    await this.#exited;
    await rm(this.#folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #read(name: string): Promise<string> {
    const path = join(this.#folder, name);
    return existsSync(path) ? await readFile(path, "utf8") : "";
  }
}

async function writeFiles(folder: string, ports: [number, number], options: NginxOptions): Promise<void> {
  const site = join(folder, "site");
  await mkdir(site);
  await writeFile(join(site, "small.txt"), SMALL_TEXT);
  await writeFile(join(site, "gzip.txt"), GZIP_TEXT);
  await writeFile(join(site, "big.bin"), Buffer.alloc(options.bigSize ?? 1_048_576, "0123456789abcdef"));
  if (options.tls !== undefined) {
    await writeFile(join(folder, "cert.pem"), options.tls.cert);
    await writeFile(join(folder, "key.pem"), options.tls.key, { mode: 0o600 });
  }
  await writeFile(join(folder, "nginx.conf"), configuration(folder, ports, options));
}

function configuration(folder: string, [port, httpsPort]: [number, number], options: NginxOptions): string {
  const { keepAliveRequests = 1_000_000, keepAliveTimeout = 75_000, tls, extraServerConfig = "" } = options;
  const locations = `${serverConfig(folder)}\n${extraServerConfig}`;
  const https = `server {
    listen 127.0.0.1:${httpsPort} ssl;
    ssl_certificate ${folder}/cert.pem;
    ssl_certificate_key ${folder}/key.pem;
    ${locations}
  }`;
  return `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log info;
${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 1024; }
http {
  ${tempPaths(folder)}
  log_format entries escape=json '${logFormat()}';
  access_log ${folder}/access.log entries;
  default_type text/plain;
  keepalive_requests ${keepAliveRequests};
  keepalive_timeout ${Math.round(keepAliveTimeout / 1000)}s;
  client_max_body_size 0;
  lingering_close off;
  server {
    listen 127.0.0.1:${port};
    ${locations}
  }
  ${tls === undefined ? "" : https}
}
`;
}

function serverConfig(folder: string): string {
  return `root ${folder}/site;
    location / { try_files /small.txt =404; }
    location /echo { return 200 "$request_method $request_uri"; }
    location = /gzip { gzip on; gzip_types *; try_files /gzip.txt =404; }
    location = /chunked { ssi on; ssi_types *; try_files /small.txt =404; }
    location = /big { try_files /big.bin =404; }
    location = /redirect { return 302 /; }
    location = /close { keepalive_timeout 0; try_files /small.txt =404; }
    ${[204, 304, 404, 500, 503].map((status) => `location = /status/${status} { return ${status}; }`).join("\n    ")}`;
}

function tempPaths(folder: string): string {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return kinds.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join("\n  ");
}

function logFormat(): string {
  const numbers = { connection: "connection", connectionRequests: "connection_requests", status: "status" };
  const texts = {
    scheme: "scheme",
    method: "request_method",
    uri: "request_uri",
    protocol: "server_protocol",
  };
  const fields = [
    ...Object.entries({ ...numbers, bytes: "body_bytes_sent" }).map(([key, name]) => `"${key}":$${name}`),
    ...Object.entries({ ...texts, userAgent: "http_user_agent" }).map(([key, name]) => `"${key}":"$${name}"`),
  ];
  return `{${fields.join(",")}}`;
}

async function freePorts(count: number): Promise<[number, number]> {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports as [number, number];
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
