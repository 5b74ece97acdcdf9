/** A store whose failures cost a warning, and the response that it was asked about: never the request. */

import type { CacheEntry, CacheMeta, CacheStore } from "./meta.ts";

/** `inner` for a cache that has to go on without it. */
export class TolerantStore implements CacheStore {
  readonly #inner: CacheStore;

  constructor(inner: CacheStore) {
    this.#inner = inner;
  }

  async find(url: string): Promise<CacheEntry[]> {
    const found = await tried(url, "read", () => this.#inner.find(url));
    return (found ?? []).map((entry) => ({
      meta: entry.meta,
      body: async () => (await tried(url, "read", () => entry.body())) ?? null,
    }));
  }

  async put(meta: CacheMeta, body: Uint8Array): Promise<void> {
    await tried(meta.url, "stored", () => this.#inner.put(meta, body));
  }

  async update(meta: CacheMeta): Promise<void> {
    await tried(meta.url, "stored", () => this.#inner.update(meta));
  }

  async delete(url: string): Promise<void> {
    await tried(url, "deleted", () => this.#inner.delete(url));
  }

  async clear(): Promise<void> {
    await this.#inner.clear();
  }
}

/** What comes of `work`; `undefined` if it fails, which is told once it has. */
async function tried<T>(url: string, what: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (cause) {
    // A query may hold what is nobody's business.
    const text = `The response of ${url.replace(/\?.*/s, "")} could not be ${what}: ${String(cause)}`;
    process.emitWarning(text, { type: "CacheWarning", code: "URLPOOL_CACHE_STORE" });
    return undefined;
  }
}
