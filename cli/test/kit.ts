/** Runs the built command, as its users do. */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository, from the compiled test. */
export const ROOT: string = fileURLToPath(new URL("../../../", import.meta.url));
/** The built command. */
export const BINARY: string = join(ROOT, "cli/dist/urlpool.js");

/** How a command ended. */
export interface Ended {
  /** `null` if a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  /** As bytes: it may be a body. */
  out: Buffer;
  text: string;
  err: string;
}

/** How to run it. */
export interface RunOptions {
  input?: string | Uint8Array;
  env?: Record<string, string>;
  cwd?: string;
  /** Another one than that of this repository. */
  binary?: string;
  /** A word of the shell that is said before it, such as `ulimit`. */
  limit?: string;
}

/** The environment of a test: without proxies and colours of the machine's own. */
function environment(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const clean = Object.entries(process.env).filter(([name]) => !/_proxy$|^NODE_|COLOR$/i.test(name));
  return { ...Object.fromEntries(clean), ...more };
}

const running = new Set<ChildProcessWithoutNullStreams>();

/** No command outlives its test, not even one that took too long. */
function endAll(): void {
  for (const child of running) child.kill("SIGKILL");
}
process.on("exit", endAll);
process.on("SIGTERM", () => {
  endAll();
  process.exit(143);
});

/** Starts the command. */
export function start(args: readonly string[], options: RunOptions = {}): ChildProcessWithoutNullStreams {
  const { env, cwd, binary = BINARY, limit } = options;
  const command = [process.execPath, binary, ...args];
  const [program, ...words] =
    limit === undefined ? command : ["sh", "-c", `${limit}; exec "$0" "$@"`, ...command];
  const child = spawn(program as string, words, { env: environment(env), cwd: cwd ?? ROOT });
  running.add(child);
  child.on("exit", () => running.delete(child));
  return child;
}

/** Runs the command to its end. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = start(args, options);
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  return await ended(child);
}

/** Waits until a started command has ended. */
export async function ended(child: ChildProcessWithoutNullStreams): Promise<Ended> {
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (piece: Buffer) => out.push(piece));
  child.stderr.on("data", (piece: Buffer) => err.push(piece));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (...result) => resolve(result));
  });
  const bytes = Buffer.concat(out);
  return { code, signal, out: bytes, text: bytes.toString(), err: Buffer.concat(err).toString() };
}

/** Runs the command on a terminal of its own; what it writes to both streams is in `text`. */
export async function runOnTerminal(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const quoted = [process.execPath, BINARY, ...args]
    .map((word) => `'${word.replaceAll("'", "'\\''")}'`)
    .join(" ");
  const env = { ...environment(options.env), TERM: "xterm" };
  const child = spawn("script", ["-qec", quoted, "/dev/null"], { env, cwd: options.cwd ?? ROOT });
  child.stdin.end();
  return await ended(child);
}

/** A folder that is gone when its test ends. */
export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "urlpool-cli-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
