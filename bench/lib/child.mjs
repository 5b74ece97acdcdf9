/** Child processes: pinned to a core, asked over IPC, and ended with the harness however that ends. */

import { spawn, spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

const CLIENT = fileURLToPath(new URL("client.mjs", import.meta.url));
const ANSWER_MS = 60_000;

/** The clients' core and the origin's. */
export const CLIENT_CORE = 0;
export const ORIGIN_CORE = 1;

const running = new Set();

/** Whether `taskset` can pin here, and there is a core for each side. */
export const pinned = availableParallelism() > 1 && works("taskset", ["-c", String(ORIGIN_CORE), "true"]);
// Ends the child with its parent even when that is killed.
const tied = works("setpriv", ["--pdeathsig", "TERM", "true"]);

function works(command, args) {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/** `spawn` on one core; the child is ended by `endAll` at the latest. */
export function spawnOn(core, command, args, options) {
  const words = [
    ...(tied ? ["setpriv", "--pdeathsig", "TERM"] : []),
    ...(pinned ? ["taskset", "-c", String(core)] : []),
    command,
    ...args,
  ];
  const child = spawn(words[0], words.slice(1), options);
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** Ends all children at once. */
export function endAll() {
  for (const child of running) child.kill("SIGKILL");
}

/** No proxies, no NODE_OPTIONS: a client measures with its defaults. */
function cleanEnvironment() {
  const entries = Object.entries(process.env);
  return Object.fromEntries(entries.filter(([name]) => !/_proxy$|^NODE_/i.test(name)));
}

/** A measured process; see client.mjs for its spec and commands. */
export class Client {
  #process;

  constructor(node, spec, flags = []) {
    this.#process = spawnOn(CLIENT_CORE, node, [...flags, CLIENT, JSON.stringify(spec)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: cleanEnvironment(),
    });
  }

  /** The answer to a command; rejects when that fails, takes a minute, or the process dies. */
  async ask(command, options = {}) {
    const client = this.#process;
    const cleanUp = new AbortController();
    try {
      return await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no answer in ${ANSWER_MS} ms`)), ANSWER_MS);
        const onExit = (code, signal) => reject(new Error(`the client ended (${signal ?? code})`));
        const onMessage = ({ result, error }) => (error ? reject(new Error(error)) : resolve(result));
        client.once("message", onMessage);
        client.once("exit", onExit);
        client.once("error", reject);
        cleanUp.signal.addEventListener("abort", () => {
          clearTimeout(timer);
          client.off("message", onMessage).off("exit", onExit).off("error", reject);
        });
        client.send({ command, ...options });
      });
    } finally {
      cleanUp.abort();
    }
  }

  kill() {
    this.#process.kill("SIGKILL");
  }
}
