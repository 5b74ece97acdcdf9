/**
 * The results on disk, which are also the memory of a run: a line for each URL, appended when the URL is done and its file
 * has its name. Killed at any moment, a run goes on from them, and no URL is there twice.
 */

import { type FileHandle, open } from "node:fs/promises";
import { EXIT, Failure } from "../failure.ts";
import type { Result } from "./result.ts";

const SYNC_INTERVAL = 1000;

/** Where results go. */
export interface ResultSink {
  append(result: Result): void;
  /** Settles when what was appended has left the process: a kill cannot undo it. Rejects if it could not be written. */
  written(): Promise<void>;
  /** Writes the rest. */
  close(): Promise<void>;
}

/** Results on standard output. */
export class PrintedResults implements ResultSink {
  append(result: Result): void {
    process.stdout.write(`${JSON.stringify(result)}\n`);
  }

  async written(): Promise<void> {
    if (process.stdout.writableNeedDrain)
      await new Promise<void>((resolve) => process.stdout.once("drain", resolve));
  }

  async close(): Promise<void> {
    await this.written();
  }
}

/** Results in a file. */
export class Journal implements ResultSink {
  readonly #path: string;
  readonly #file: FileHandle;
  #pending: string[] = [];
  #writing: Promise<void> | null = null;
  #syncedAt: number = performance.now();
  #problem: Failure | null = null;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** Goes on with a file. */
  static async open(path: string): Promise<Journal> {
    try {
      return new Journal(path, await open(path, "a"));
    } catch (cause) {
      throw new Failure(`cannot write ${path}: ${(cause as Error).message}`, EXIT.write, { cause });
    }
  }

  append(result: Result): void {
    this.#pending.push(`${JSON.stringify(result)}\n`);
    this.#writing ??= this.#write();
  }

  async written(): Promise<void> {
    if (this.#writing !== null) await this.#writing;
    if (this.#problem !== null) throw this.#problem;
  }

  async close(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    await this.#file.sync().catch(() => {});
    await this.#file.close();
    if (this.#problem !== null) throw this.#problem;
  }

  /** Writes what has come meanwhile in one go, and again until nothing comes. */
  async #write(): Promise<void> {
    // What comes in this turn is written together.
    await null;
    try {
      while (this.#pending.length > 0) {
        const text = this.#pending.join("");
        this.#pending = [];
        await this.#file.appendFile(text);
        if (performance.now() - this.#syncedAt < SYNC_INTERVAL) continue;
        this.#syncedAt = performance.now();
        await this.#file.sync();
      }
    } catch (cause) {
      this.#problem ??= new Failure(`cannot write ${this.#path}: ${(cause as Error).message}`, EXIT.write, {
        cause,
      });
    } finally {
      this.#writing = null;
    }
  }
}
