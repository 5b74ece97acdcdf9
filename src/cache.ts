/** The entry `urlpool/cache`. */

export { Cached, cached, cacheStatus } from "./addons/cache/cached.ts";
export { FileStore, type FileStoreOptions } from "./addons/cache/file-store.ts";
export { MemoryStore, type MemoryStoreOptions } from "./addons/cache/memory-store.ts";
export type { CacheEntry, CacheMeta, CacheStore, FieldPairs } from "./addons/cache/meta.ts";
export type {
  CacheBase,
  CacheCallOptions,
  CachedRequestOptions,
  CachedUrlopenOptions,
  CacheMode,
  CacheOptions,
  CacheStatus,
} from "./addons/cache/options.ts";
