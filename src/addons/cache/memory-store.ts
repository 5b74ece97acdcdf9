/** Responses in memory. */

import type { CacheEntry, CacheMeta, CacheStore } from "./meta.ts";
import { variantKey } from "./meta.ts";

/** Options of a {@link MemoryStore}. */
export interface MemoryStoreOptions {
  /** Most bytes of all bodies and fields together. Default 64 MiB. */
  maxSize?: number | undefined;
}

interface Kept {
  meta: CacheMeta;
  readonly body: Buffer;
  size: number;
}

/** What an entry takes besides its texts, about. */
const ENTRY_COST = 512;

/** Keeps responses in memory; the URL that was not asked for the longest goes first. */
export class MemoryStore implements CacheStore {
  readonly #maxSize: number;
  readonly #urls = new Map<string, Map<string, Kept>>();
  #size = 0;

  constructor({ maxSize = 67_108_864 }: MemoryStoreOptions = {}) {
    this.#maxSize = maxSize;
  }

  /** Bytes that are in use. */
  get size(): number {
    return this.#size;
  }

  find(url: string): Promise<CacheEntry[]> {
    const variants = this.#urls.get(url);
    if (variants === undefined) return Promise.resolve([]);
    this.#urls.delete(url);
    this.#urls.set(url, variants);
    return Promise.resolve(
      [...variants.values()].map(({ meta, body }) => ({ meta, body: () => Promise.resolve(body) })),
    );
  }

  put(meta: CacheMeta, body: Uint8Array): Promise<void> {
    const key = variantKey(meta);
    this.#drop(meta.url, key);
    const size = sizeOf(meta) + body.length;
    if (size > this.#maxSize) return Promise.resolve();
    const variants = this.#urls.get(meta.url) ?? new Map<string, Kept>();
    // Last in line, as if it had just been asked for.
    this.#urls.delete(meta.url);
    this.#urls.set(meta.url, variants.set(key, { meta, body: Buffer.from(body), size }));
    this.#size += size;
    this.#evict();
    return Promise.resolve();
  }

  update(meta: CacheMeta): Promise<void> {
    const kept = this.#urls.get(meta.url)?.get(variantKey(meta));
    if (kept !== undefined) {
      const size = sizeOf(meta) + kept.body.length;
      this.#size += size - kept.size;
      kept.size = size;
      kept.meta = meta;
      this.#evict();
    }
    return Promise.resolve();
  }

  delete(url: string): Promise<void> {
    for (const key of [...(this.#urls.get(url)?.keys() ?? [])]) this.#drop(url, key);
    return Promise.resolve();
  }

  clear(): Promise<void> {
    this.#urls.clear();
    this.#size = 0;
    return Promise.resolve();
  }

  #drop(url: string, key: string): void {
    const variants = this.#urls.get(url);
    const kept = variants?.get(key);
    if (variants === undefined || kept === undefined) return;
    this.#size -= kept.size;
    variants.delete(key);
    if (variants.size === 0) this.#urls.delete(url);
  }

  #evict(): void {
    for (const [url, variants] of this.#urls) {
      if (this.#size <= this.#maxSize) return;
      for (const key of [...variants.keys()]) this.#drop(url, key);
    }
  }
}

function sizeOf(meta: CacheMeta): number {
  const fields = meta.headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  return ENTRY_COST + meta.url.length + fields;
}
