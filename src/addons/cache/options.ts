/** The options of a cache and of requests through it. */

import type { HeaderSource, HTTPResponse, PoolManager, RequestOptions, UrlopenOptions } from "../../index.ts";
import type { CacheStore } from "./meta.ts";

/** What became of a request (the words of RFC 9211 where it has them). */
export type CacheStatus = "hit" | "stale" | "revalidated" | "miss" | "bypass";

/** As the `cache` member of fetch's init. */
export type CacheMode = "default" | "no-store" | "reload" | "no-cache" | "force-cache" | "only-if-cached";

/** Options of {@link cached}. */
export interface CacheOptions {
  /** Where responses are kept. Default: a `MemoryStore` of its own. */
  store?: CacheStore | undefined;
  /** The part of its age at birth for which a response without times of its own is fresh; 0 for never. Default 0.1. */
  heuristic?: number | undefined;
  /** Bytes; larger bodies are not kept. Default 8 MiB. */
  maxEntrySize?: number | undefined;
  /** Time of day; for tests. Default: that of what is cached, as of a manager with the option `clock`. */
  clock?: { wallNow(): number } | undefined;
}

/** What each request may say besides. */
export interface CacheCallOptions {
  /** How the cache is used. Default `"default"`: by the rules of HTTP. */
  cache?: CacheMode | undefined;
  /** Seconds for which a stored response, or the one that comes, counts as fresh, whatever it says of itself. */
  cacheFor?: number | undefined;
}

/** Options of `urlopen` through a cache. */
export type CachedUrlopenOptions = UrlopenOptions & CacheCallOptions;
/** Options of `request` through a cache. */
export type CachedRequestOptions = RequestOptions & CacheCallOptions;

/** What a cache is put in front of: a manager, a pool, or what stands in for one. */
export interface CacheBase {
  headers?: HeaderSource | null | undefined;
  readonly connectionPoolKw?: PoolManager["connectionPoolKw"] | undefined;
  /** Tells the age of responses. Default: the platform's. */
  readonly clock?: { wallNow(): number } | undefined;
  /** Of a pool, which takes paths for URLs. */
  readonly origin?: string | undefined;
  urlopen(method: string, url: string, options?: CachedUrlopenOptions): Promise<HTTPResponse>;
}
