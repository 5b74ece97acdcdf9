/**
 * Responses in files, which several processes may share. A variant is a body and a description that names it; both are
 * written beside their place and renamed, the body first, so that whoever finds a description finds a whole response.
 */

import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { CacheEntry, CacheMeta, CacheStore } from "./meta.ts";
import { variantKey } from "./meta.ts";

/** Options of a {@link FileStore}. */
export interface FileStoreOptions {
  /** Most bytes of all files together, about. Default 1 GiB. */
  maxSize?: number | undefined;
}

/** As a description is written. */
interface Description {
  readonly meta: CacheMeta;
  /** Name of the file with the body. */
  readonly body: string;
  readonly size: number;
}

interface FoundFile {
  readonly path: string;
  readonly size: number;
  readonly modified: number;
}

const TRIES = 3;
/** A private cache holds what is its user's own. */
const OWNERS = { mode: 0o600 } as const;
const REMOVE = { recursive: true, force: true, maxRetries: 5 } as const;

/** Part of `maxSize` that is written before the folder is looked through again. */
const SWEEP_EVERY = 16;
/** What was not finished after so many ms never will be. */
const LEFT_OVER = 3_600_000;

/** Keeps responses in a folder; those written longest ago go first. */
export class FileStore implements CacheStore {
  readonly #folder: string;
  readonly #maxSize: number;
  #written = 0;
  #sweeping: Promise<void> | null = null;

  /** `folder` is made when something is stored. */
  constructor(folder: string, { maxSize = 1_073_741_824 }: FileStoreOptions = {}) {
    this.#folder = folder;
    this.#maxSize = maxSize;
  }

  async find(url: string): Promise<CacheEntry[]> {
    const folder = this.#folderOf(url);
    const names = (await listed(folder)).filter((name) => name.endsWith(".json"));
    const found = await Promise.all(names.map((name) => description(join(folder, name))));
    return found
      .filter((one) => one !== null && one.meta.url === url)
      .map((one) => ({ meta: one!.meta, body: () => bodyOf(join(folder, one!.body), one!.size) }));
  }

  async put(meta: CacheMeta, body: Uint8Array): Promise<void> {
    // Others may delete the folder while it is written to.
    for (let tries = 1; (await gone(this.#write(meta, body))) === null && tries < TRIES; tries++);
    this.#written += body.length;
    if (this.#written > this.#maxSize / SWEEP_EVERY) await this.sweep();
  }

  async #write(meta: CacheMeta, body: Uint8Array): Promise<true> {
    const folder = this.#folderOf(meta.url);
    const name = `${randomUUID()}.body`;
    const path = join(folder, nameOf(meta));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const before = await description(path);
    const written = join(folder, name);
    await orNothing(written, async () => {
      await writeFile(written, body, OWNERS);
      await writeWhole(path, { meta, body: name, size: body.length });
    });
    // Readers who have found it already read on, or ask the origin.
    if (before !== null) await gone(unlink(join(folder, before.body)));
    return true;
  }

  async update(meta: CacheMeta): Promise<void> {
    const path = join(this.#folderOf(meta.url), nameOf(meta));
    const before = await description(path);
    if (before !== null) await gone(writeWhole(path, { ...before, meta }));
  }

  async delete(url: string): Promise<void> {
    await rm(this.#folderOf(url), REMOVE);
  }

  async clear(): Promise<void> {
    await rm(this.#folder, REMOVE);
  }

  /** Deletes what is oldest until all is within `maxSize`, and what was left unfinished. Runs by itself now and then. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = null;
    });
    return this.#sweeping;
  }

  async #sweep(): Promise<void> {
    this.#written = 0;
    const files = await this.#files();
    const newest = files.reduce((latest, { modified }) => Math.max(latest, modified), 0);
    const descriptions = files
      .filter(({ path }) => path.endsWith(".json"))
      .sort((a, b) => a.modified - b.modified);
    const sizes = new Map(files.map(({ path, size }) => [path, size]));
    const used = new Set<string>();
    let total = files.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size } of descriptions) {
      const found = await description(path);
      const body = found === null ? null : join(dirname(path), found.body);
      if (total > this.#maxSize || body === null) {
        await gone(unlink(path));
        if (body !== null) await gone(unlink(body));
        total -= size + (sizes.get(body ?? "") ?? 0);
      } else used.add(body);
    }
    for (const { path, modified } of files) {
      if (path.endsWith(".json") || used.has(path) || newest - modified < LEFT_OVER) continue;
      await gone(unlink(path));
    }
  }

  async #files(): Promise<FoundFile[]> {
    const entries = await readdir(this.#folder, { recursive: true, withFileTypes: true }).catch(() => []);
    const files: FoundFile[] = [];
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath ?? entry.path, entry.name);
      const found = await gone(stat(path));
      if (found !== null) files.push({ path, size: found.size, modified: found.mtimeMs });
    }
    return files;
  }

  #folderOf(url: string): string {
    const hash = digest(url);
    return join(this.#folder, hash.slice(0, 2), hash.slice(2));
  }
}

function nameOf(meta: CacheMeta): string {
  return `${digest(variantKey(meta)).slice(0, 32)}.json`;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

async function writeWhole(path: string, value: Description): Promise<void> {
  const beside = `${path}.${randomUUID()}.part`;
  await orNothing(beside, async () => {
    await writeFile(beside, JSON.stringify(value), OWNERS);
    await rename(beside, path);
  });
}

/** Does `work`, which makes `path`; if it fails, as where the disk is full, nothing of it stays. */
async function orNothing(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await unlink(path).catch(() => {});
    throw error;
  }
}

/** `null` if there is none, or none that can be read: a cache may forget. */
async function description(path: string): Promise<Description | null> {
  const text = await gone(readFile(path, "utf8"));
  if (text === null) return null;
  try {
    const found = JSON.parse(text) as Description;
    return Array.isArray(found.meta.headers) && /^[\w-]+\.body$/.test(found.body) ? found : null;
  } catch {
    return null;
  }
}

async function bodyOf(path: string, size: number): Promise<Buffer | null> {
  const bytes = await gone(readFile(path));
  return bytes?.length === size ? bytes : null;
}

async function listed(folder: string): Promise<string[]> {
  return (await gone(readdir(folder))) ?? [];
}

/** What comes of work on a file that another process may delete at any time; then `null`. */
async function gone<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
