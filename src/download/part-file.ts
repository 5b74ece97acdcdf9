/**
 * A download that is not complete: the bytes so far in `<target>.part`, and where they came from in
 * `<target>.part.json`, both beside the target so that a rename completes it.
 */

import { type Hash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { NEW_FILE, NO_DETOUR } from "./target.ts";

/** Where the bytes of a part came from. */
export interface PartOrigin {
  readonly url: string;
  /** A strong one (RFC 9110 §8.8.1), else `null`. */
  readonly etag: string | null;
  /** One that is as good as a strong validator, else `null`. */
  readonly lastModified: string | null;
  /** Of the whole in bytes; `null` where unknown. */
  readonly length: number | null;
}

const READ_SIZE = 262_144;

/** The part of one target, open for writing. */
export class PartFile {
  readonly #target: string;
  readonly #file: FileHandle;
  #size: number;
  #origin: PartOrigin | null;

  private constructor(target: string, file: FileHandle, size: number, origin: PartOrigin | null) {
    this.#target = target;
    this.#file = file;
    this.#size = size;
    this.#origin = origin;
  }

  /**
   * Opens the part that is there if it is one of `url` that can be resumed, else an empty one. `url: null` never
   * resumes. Rejects with the file system's errors.
   */
  static async open(target: string, url: string | null, mode: number): Promise<PartFile> {
    const origin = url === null ? null : await readOrigin(sidecarOf(target), url);
    const file = origin === null ? null : await openExisting(partOf(target));
    if (file === null) return new PartFile(target, await openNew(partOf(target), mode), 0, null);
    return new PartFile(target, file, (await file.stat()).size, origin);
  }

  /** Bytes that are there. */
  get size(): number {
    return this.#size;
  }

  /** `null` if the part cannot be resumed. */
  get origin(): PartOrigin | null {
    return this.#origin;
  }

  /** Empties it, for bytes from `origin`; `null`: they cannot be resumed later. */
  async restart(origin: PartOrigin | null): Promise<void> {
    // The old bytes go before the new origin comes: they must never be taken for its bytes.
    await this.truncate(0);
    this.#origin = origin;
    if (origin === null) await rm(sidecarOf(this.#target), { force: true });
    else await writeSidecar(sidecarOf(this.#target), JSON.stringify(origin));
  }

  /** Keeps the first `size` bytes. */
  async truncate(size: number): Promise<void> {
    if (size < this.#size || size === 0) await this.#file.truncate(size);
    this.#size = size;
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, at, bytes.length - at, this.#size);
      at += bytesWritten;
      this.#size += bytesWritten;
    }
  }

  /** Feeds all that is there into `hash`. */
  async hashInto(hash: Hash): Promise<void> {
    const buffer = Buffer.allocUnsafe(Math.min(READ_SIZE, this.#size));
    for (let at = 0; at < this.#size; ) {
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) throw new Error(`${partOf(this.#target)} was changed by somebody else`);
      hash.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
  }

  /**
   * It is complete: gives it the target's name, once its bytes are on the disk. `mode`: the permissions of the file that it
   * replaces.
   */
  async publish(mode: number | null): Promise<void> {
    if (mode !== null) await this.#file.chmod(mode);
    await this.#file.sync();
    await this.#file.close();
    await rename(partOf(this.#target), this.#target);
    await rm(sidecarOf(this.#target), { force: true });
    await syncFolder(dirname(this.#target));
  }

  /** Leaves it for another try if it can be resumed, else removes it. */
  async leave(): Promise<void> {
    if (this.#origin === null || this.#size === 0) await this.discard();
    else await this.#file.close();
  }

  /** Removes it. */
  async discard(): Promise<void> {
    await this.#file.close();
    await rm(sidecarOf(this.#target), { force: true });
    await rm(partOf(this.#target), { force: true });
  }
}

function partOf(target: string): string {
  return `${target}.part`;
}

function sidecarOf(target: string): string {
  return `${target}.part.json`;
}

/** The origin, if it is `url` and can be told from later versions of it. Anything else that stands there counts as none. */
async function readOrigin(path: string, url: string): Promise<PartOrigin | null> {
  try {
    const file = await open(path, constants.O_RDONLY | NO_DETOUR);
    const origin: unknown = JSON.parse(await file.readFile("utf8").finally(() => file.close()));
    return isOrigin(origin) && origin.url === url ? origin : null;
  } catch {
    return null;
  }
}

/** A rename replaces whatever stands there, a link too, instead of writing through it. */
async function writeSidecar(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  const file = await open(draft, constants.O_WRONLY | NEW_FILE, 0o666);
  try {
    await file.writeFile(text).finally(() => file.close());
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

function isOrigin(value: unknown): value is PartOrigin {
  if (typeof value !== "object" || value === null) return false;
  const { etag, lastModified, length } = value as PartOrigin;
  if (length !== null && !(Number.isSafeInteger(length) && length >= 0)) return false;
  return isStrongTag(etag) || (etag === null && typeof lastModified === "string");
}

/** Whether an entity tag is a strong one (RFC 9110 §8.8.3). */
export function isStrongTag(tag: unknown): tag is string {
  return typeof tag === "string" && /^"[!\x23-\x7e\x80-\xff]*"$/.test(tag);
}

/** `null` unless it is a file with one name only: what a link leads to is somebody else's. */
async function openExisting(path: string): Promise<FileHandle | null> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDWR | NO_DETOUR);
  } catch (error) {
    if (["ENOENT", "ELOOP", "EMLINK", "ENXIO"].includes((error as NodeJS.ErrnoException).code ?? ""))
      return null;
    throw error;
  }
  const stats = await file.stat();
  if (stats.isFile() && stats.nlink === 1) return file;
  await file.close();
  return null;
}

/** An empty file in place of whatever stands there: a link is removed, not followed. */
async function openNew(path: string, mode: number): Promise<FileHandle> {
  await rm(path, { force: true });
  return open(path, constants.O_RDWR | NEW_FILE, mode);
}

/** So that the new name outlives a power cut; not every system lets folders be opened. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, "r");
    await folder.sync().finally(() => folder.close());
  } catch {
    // The file itself is safe.
  }
}
