/**
 * Debian's Chromium without a window, spoken to over two pipes (the DevTools protocol, one JSON text to each NUL), with a
 * page of its developer tools in which scripts run.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { commandOf } from "./daemon.ts";

interface Reply {
  id?: number;
  result?: Record<string, unknown> & {
    targetId?: string;
    sessionId?: string;
    result?: { value?: unknown };
    exceptionDetails?: { exception?: { description?: string } };
  };
  error?: { message: string };
}

/** The tools as they are when no page is inspected. */
const TOOLS = "devtools://devtools/bundled/devtools_app.html";

/** A running Chromium: `await using chromium = await Chromium.start()`. */
export class Chromium implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #asked = 0;
  #rest = "";

  static async start(): Promise<Chromium> {
    const folder = await mkdtemp(join(tmpdir(), "urlpool-chromium-"));
    return new Chromium(folder);
  }

  constructor(folder: string) {
    this.#folder = folder;
    const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
    const args = [...flags, `--user-data-dir=${folder}`, "--remote-debugging-pipe", "about:blank"];
    this.#child = spawn(commandOf("chromium"), args, {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    (this.#child.stdio[4] as Readable).setEncoding("utf8").on("data", (text: string) => this.#take(text));
  }

  /** Opens the developer tools; gives a function that runs a script there, and its value as JSON has it. */
  async tools(): Promise<(script: string) => Promise<unknown>> {
    const { targetId } = await this.#ask("Target.createTarget", { url: TOOLS });
    const { sessionId } = await this.#ask("Target.attachToTarget", { targetId, flatten: true });
    const run = async (expression: string): Promise<unknown> => {
      const options = { expression, awaitPromise: true, returnByValue: true };
      const { result, exceptionDetails } = await this.#ask("Runtime.evaluate", options, sessionId);
      if (exceptionDetails === undefined) return result?.value;
      throw new Error(exceptionDetails.exception?.description ?? "the script failed");
    };
    const ready = `location.href === "${TOOLS}" && document.readyState === "complete"`;
    while ((await run(ready)) !== true) await new Promise((resolve) => setTimeout(resolve, 20));
    return run;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = once(this.#child, "exit");
    await this.#ask("Browser.close");
    await gone;
    // Helpers of its own may still write.
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  #ask(method: string, params: object = {}, sessionId?: string): Promise<NonNullable<Reply["result"]>> {
    const id = ++this.#asked;
    (this.#child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) =>
        error === undefined ? resolve(result ?? {}) : reject(new Error(`${method}: ${error.message}`)),
      );
    });
  }

  #take(text: string): void {
    const messages = (this.#rest + text).split("\0");
    this.#rest = messages.pop()!;
    for (const message of messages) {
      const reply = JSON.parse(message) as Reply;
      if (reply.id === undefined) continue;
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    }
  }
}
