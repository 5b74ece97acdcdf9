/** A program of `examples/` in a process of its own, as its users start it. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

/** How it ended, and what it wrote. */
export interface ProgramEnd {
  /** `null` if a signal ended it. */
  readonly code: number | null;
  /** Lines of stdout. */
  readonly lines: string[];
  readonly stderr: string;
}

/** A program that runs. Leaving its scope kills it. */
export class Program implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #out = "";
  #err = "";

  constructor(
    name: string,
    args: readonly string[],
    options: { cwd?: string; env?: Record<string, string> },
  ) {
    const {
      NODE_TEST_CONTEXT: _test,
      NODE_DEBUG: _debug,
      NODE_OPTIONS: _options,
      ...inherited
    } = process.env;
    const script = fileURLToPath(new URL(`../../examples/${name}.js`, import.meta.url));
    const env = { ...inherited, NO_COLOR: "1", ...options.env };
    this.#child = spawn(process.execPath, [script, ...args], { cwd: options.cwd, env, timeout: 40_000 });
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.#out += text;
    });
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#err += text;
    });
    this.#closed = once(this.#child, "close");
  }

  /** Waits until stdout matches; rejects if the program ends without. */
  line(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#wait(pattern, this.#child.stdout!, () => this.#out);
  }

  /** The same for stderr. */
  errorLine(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#wait(pattern, this.#child.stderr!, () => this.#err);
  }

  async #wait(pattern: RegExp, stream: Readable, text: () => string): Promise<RegExpExecArray> {
    let over = false;
    void this.#closed.then(() => {
      over = true;
    });
    for (;;) {
      const match = pattern.exec(text());
      if (match !== null) return match;
      if (over) throw new Error(`it ended without ${pattern}:\n${this.#out}\n${this.#err}`);
      await Promise.race([once(stream, "data"), this.#closed]);
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async end(): Promise<ProgramEnd> {
    await this.#closed;
    const lines = this.#out.split("\n").filter((line) => line !== "");
    return { code: this.#child.exitCode, lines, stderr: this.#err };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed;
  }
}

/** Starts `examples/NAME.ts`. */
export function startProgram(
  name: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Program {
  return new Program(name, args, options);
}

/** Runs it to its end. */
export async function runProgram(...given: Parameters<typeof startProgram>): Promise<ProgramEnd> {
  await using program = startProgram(...given);
  return await program.end();
}
