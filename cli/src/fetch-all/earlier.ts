/** What earlier runs left: which URLs have a result, which of them failed, which files are there. */

import { createReadStream } from "node:fs";
import { mkdir, open, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { EXIT, Failure, UsageError } from "../failure.ts";
import { IdSet } from "./id-set.ts";
import type { Result } from "./result.ts";

/** Which URLs of the list a run takes. */
export interface Selection {
  /** `--resume`: those without a result. */
  readonly resume: boolean;
  /** `--only-failed`: those whose result is a failure. */
  readonly onlyFailed: boolean;
}

/** The results of earlier runs, made ready to go on with. */
export interface Earlier {
  /** Whether the run takes the URL with this key. */
  wants(key: string): boolean;
  /** The run came to its end: what an interrupted one would need is removed. */
  finish(): Promise<void>;
  /** Lets another process write the results. */
  unlock(): Promise<void>;
}

/**
 * Makes the results at `path` ready: a last line that was cut off goes; with `onlyFailed` so do the failures, which are to
 * get another result. `onFile` hears of the files that are there.
 * @throws {UsageError} if there are results that `selection` does not go on with, or another process writes them.
 */
export async function openEarlier(
  path: string,
  selection: Selection,
  onFile: (file: string) => void,
): Promise<Earlier> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await takeLock(path);
    try {
      return await new EarlierResults(path).prepare(selection, onFile);
    } catch (error) {
      await rm(lockOf(path), { force: true });
      throw error;
    }
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw new Failure(`cannot use ${path}: ${(cause as Error).message}`, EXIT.write, { cause });
  }
}

class EarlierResults implements Earlier {
  readonly #path: string;
  readonly #good = new IdSet();
  readonly #failed = new IdSet();
  /** Failures that were taken out of the results to be tried again. */
  readonly #again = new IdSet();
  #selection!: Selection;

  constructor(path: string) {
    this.#path = path;
  }

  async prepare(selection: Selection, onFile: (file: string) => void): Promise<this> {
    this.#selection = selection;
    const { resume, onlyFailed } = selection;
    const size = await this.#read(onFile);
    if (size > 0 && !resume && !onlyFailed) {
      throw new UsageError(`${this.#path} has results: go on with --resume or --only-failed, or remove it`);
    }
    if (onlyFailed) await this.#takeFailuresOut();
    return this;
  }

  wants(key: string): boolean {
    const { resume, onlyFailed } = this.#selection;
    if (this.#good.has(key)) return false;
    if (onlyFailed) return resume || this.#again.has(key);
    return !this.#failed.has(key);
  }

  async finish(): Promise<void> {
    if (this.#selection.onlyFailed) await rm(againOf(this.#path), { force: true });
  }

  async unlock(): Promise<void> {
    await rm(lockOf(this.#path), { force: true });
  }

  /** Gives the size of the whole lines. */
  async #read(onFile: (file: string) => void): Promise<number> {
    let size = 0;
    for await (const line of wholeLines(this.#path)) {
      const { key, ok, file } = parsed(line, this.#path);
      size += line.length + 1;
      (ok ? this.#good : this.#failed).add(key);
      if (file !== null) onFile(file);
    }
    await truncate(this.#path, size).catch(unlessMissing);
    return size;
  }

  /**
   * First their keys are put aside: killed before it comes to them, the next run with `--only-failed` finds them there.
   */
  async #takeFailuresOut(): Promise<void> {
    const left = await readFile(againOf(this.#path), "utf8").catch(() => "");
    for (const key of left.split("\n"))
      if (/^[\da-f]{16}$/.test(key) && !this.#good.has(key)) this.#again.add(key);
    for (const key of this.#failed) this.#again.add(key);
    await replaceFile(againOf(this.#path), keyLines(this.#again));
    await replaceFile(this.#path, this.#goodLines());
  }

  async *#goodLines(): AsyncGenerator<string> {
    for await (const line of wholeLines(this.#path))
      if (parsed(line, this.#path).ok) yield `${line.toString()}\n`;
  }
}

function parsed(line: Buffer, path: string): Result {
  try {
    const result = JSON.parse(line.toString()) as Result;
    if (/^[\da-f]{16}$/.test(result.key)) return result;
  } catch {
    // Said below.
  }
  throw new UsageError(`${path} has a line that is no result: ${line.toString().slice(0, 80)}`);
}

function* keyLines(keys: Iterable<string>): Generator<string> {
  for (const key of keys) yield `${key}\n`;
}

function lockOf(path: string): string {
  return `${path}.lock`;
}

function againOf(path: string): string {
  return `${path}.again`;
}

function unlessMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT") throw error;
}

/** One process at a time; what a dead one left is taken over. */
async function takeLock(path: string): Promise<void> {
  const lock = lockOf(path);
  const own = `${process.pid}\n`;
  try {
    await writeFile(lock, own, { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const owner = Number(await readFile(lock, "utf8").catch(() => "0"));
    if (owner > 0 && owner !== process.pid && isAlive(owner)) {
      throw new UsageError(`process ${owner} is writing ${path}`);
    }
    await writeFile(lock, own);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A new file in the place of the old one, whole at every moment. */
async function replaceFile(path: string, pieces: AsyncIterable<string> | Iterable<string>): Promise<void> {
  const file = await open(`${path}.new`, "w");
  for await (const piece of pieces) await file.appendFile(piece);
  await file.sync();
  await file.close();
  await rename(`${path}.new`, path);
}

/** The lines of a file that have their ends, without them; none if the file is missing. */
async function* wholeLines(path: string): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const piece of createReadStream(path)) {
      const bytes = rest.length === 0 ? (piece as Buffer) : Buffer.concat([rest, piece as Buffer]);
      let from = 0;
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
        yield bytes.subarray(from, end);
        from = end + 1;
      }
      rest = bytes.subarray(from);
    }
  } catch (error) {
    unlessMissing(error as NodeJS.ErrnoException);
  }
}
