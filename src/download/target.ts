/**
 * Where a download goes. One target is written by one download at a time, however its path is spelled, over links, and by
 * other processes too.
 */

import { constants } from "node:fs";
import { type FileHandle, lstat, open, readlink, realpath, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { systemClock } from "../core/clock.ts";
import { InvalidArgumentError } from "../core/errors.ts";

/** As `open(2)`; what a platform does not have counts as 0. */
const { O_CREAT, O_EXCL, O_WRONLY, O_RDONLY } = constants;
const O_NOFOLLOW: number = constants.O_NOFOLLOW ?? 0;
const O_NONBLOCK: number = constants.O_NONBLOCK ?? 0;

/** Never through a link, and never waiting for the other end of a pipe. */
export const NO_DETOUR: number = O_NOFOLLOW | O_NONBLOCK;

/** For a file that nobody has made before. */
export const NEW_FILE: number = O_CREAT | O_EXCL | O_NOFOLLOW;

/** As many links after each other as Linux follows. */
const MOST_LINKS = 40;

/** How long making a lock may take, in ms. */
const MAKING = 10_000;

/** Targets that this process writes now. */
const underWay = new Set<string>();

/** Who writes a target, as its lock file says. */
interface Holder {
  readonly pid: number;
  readonly host: string;
}

/** One target, while a download writes it. */
export class Target {
  /** Absolute, without links. */
  readonly path: string;
  /** Permissions of the file that will be replaced; `null` if there is none. */
  readonly mode: number | null;
  readonly #lock: string;

  private constructor(path: string, mode: number | null) {
    this.path = path;
    this.mode = mode;
    this.#lock = lockOf(path);
  }

  /**
   * Takes `path` for one download. Rejects with `InvalidArgumentError` if it is no place for a file, or is being written, and
   * with the file system's errors.
   */
  static async take(path: string): Promise<Target> {
    // Of the path as it stands: what leads to a pipe, such as /dev/stdout, need not name a file.
    const found = await stat(resolve(path)).catch(() => null);
    if (found?.isDirectory()) throw new InvalidArgumentError(`${path} is a folder`);
    if (found !== null && !found.isFile()) {
      const advice = "read the response instead, and write its stream there";
      throw new InvalidArgumentError(
        `${path} is a device or pipe, which a download would replace: ${advice}`,
      );
    }
    const real = await realTarget(resolve(path));
    if (underWay.has(real)) throw new InvalidArgumentError(`${path} is being downloaded already`);
    underWay.add(real);
    try {
      await lock(real);
    } catch (error) {
      underWay.delete(real);
      throw error;
    }
    return new Target(real, found === null ? null : found.mode & 0o7777);
  }

  /** The download is over. */
  async release(): Promise<void> {
    underWay.delete(this.path);
    await rm(this.#lock, { force: true }).catch(() => {});
  }
}

/** `path` without links, also where its file, or that which a link leads to, does not exist yet. */
async function realTarget(path: string, links: number = 0): Promise<string> {
  const folder = await realpath(dirname(path));
  const real = join(folder, basename(path));
  const found = await lstat(real).catch(() => null);
  if (found?.isSymbolicLink() !== true) return real;
  if (links === MOST_LINKS) throw new InvalidArgumentError(`${path} is a link that leads to itself`);
  return realTarget(resolve(folder, await readlink(real)), links + 1);
}

function lockOf(path: string): string {
  return `${path}.part.lock`;
}

/** Makes the lock file of `path`. One whose process has ended is taken over. */
async function lock(path: string): Promise<void> {
  const file = lockOf(path);
  if (await makeLock(file)) return;
  const holder = await holderOf(file);
  if (holder === null ? !(await isBeingMade(file)) : !isAlive(holder)) {
    await rm(file, { force: true });
    if (await makeLock(file)) return;
  }
  const who = holder === null ? "another process" : `process ${holder.pid} on ${holder.host}`;
  throw new InvalidArgumentError(
    `${path} is being downloaded already, by ${who}; if that is not so any more, delete ${file}`,
  );
}

/** False if there is one. */
async function makeLock(file: string): Promise<boolean> {
  let handle: FileHandle;
  try {
    handle = await open(file, O_WRONLY | NEW_FILE, 0o644);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  try {
    const holder: Holder = { pid: process.pid, host: hostname() };
    await handle.writeFile(JSON.stringify(holder));
  } finally {
    await handle.close();
  }
  return true;
}

/** `null` for what is no lock of ours. */
async function holderOf(file: string): Promise<Holder | null> {
  try {
    const handle = await open(file, O_RDONLY | NO_DETOUR);
    try {
      const { pid, host } = JSON.parse(await handle.readFile("utf8")) as Holder;
      return Number.isSafeInteger(pid) && typeof host === "string" ? { pid, host } : null;
    } finally {
      await handle.close();
    }
  } catch {
    return null;
  }
}

/** A lock that its process has made a moment ago is empty. */
async function isBeingMade(file: string): Promise<boolean> {
  const found = await lstat(file).catch(() => null);
  return (
    found?.isFile() === true && found.size === 0 && Math.abs(systemClock.wallNow() - found.mtimeMs) < MAKING
  );
}

/** Of other machines nothing is known: their processes count as alive. */
function isAlive({ pid, host }: Holder): boolean {
  if (host !== hostname()) return true;
  // This process would have it in `underWay`.
  if (pid === process.pid || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
