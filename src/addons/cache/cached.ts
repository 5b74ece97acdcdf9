/**
 * A private cache in front of a manager or a pool (RFC 9111).
 *
 *  1. A GET or HEAD that no rule keeps away is looked up: URL first, then Vary.
 *  2. A fresh response is the answer. One within stale-while-revalidate is too, and is asked about behind it.
 *  3. A stale one with a validator is asked about: 304 makes it fresh. Without one, or without any, the origin is asked.
 *  4. Requests for what is just being fetched wait for it, unless it turns out not to be theirs.
 *  5. What fails may be covered by a stale response that allows it (stale-if-error).
 *  6. Unsafe methods delete what they may have changed.
 */

import {
  type HeaderSource,
  HTTPHeaderDict,
  HTTPResponse,
  type PoolManager,
  RequestMethods,
  systemClock,
  type UrlLike,
} from "../../index.ts";
import { RecordedResponse } from "../recorded-response.ts";
import { MemoryStore } from "./memory-store.ts";
import type { CacheEntry, CacheMeta, CacheStore } from "./meta.ts";
import type {
  CacheBase,
  CachedRequestOptions,
  CachedUrlopenOptions,
  CacheMode,
  CacheOptions,
  CacheStatus,
} from "./options.ts";
import * as policy from "./policy.ts";
import { followed } from "./redirects.ts";
import { TolerantStore } from "./tolerant-store.ts";

/** One request through the cache. */
interface Lookup {
  readonly method: "GET" | "HEAD";
  readonly url: string;
  /** The URL as all its spellings have it. */
  readonly key: string;
  readonly headers: HTTPHeaderDict;
  readonly request: policy.RequestPolicy;
  /** For the base: without the cache's own. */
  readonly options: CachedUrlopenOptions;
  readonly mode: CacheMode;
  readonly cacheFor: number | undefined;
}

const SAFE = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/** Fields of a caller with a cache of its own, or who wants a part: not for this one. */
const OWN_CONDITIONS = ["if-modified-since", "if-unmodified-since", "if-match", "if-range", "range"];

/** A streamed body no larger than this is read for the store before it is given out. */
const READ_AHEAD = 262_144;

const statuses = new WeakMap<HTTPResponse, CacheStatus>();

/** What the cache did for a response; `null` if it did not come through one. */
export function cacheStatus(response: HTTPResponse): CacheStatus | null {
  return statuses.get(response) ?? null;
}

/** A cache in front of `base`. */
export function cached(base: CacheBase, options: CacheOptions = {}): Cached {
  return new Cached(base, options);
}

/** Makes requests as its base does, and answers from its store what it can. */
export class Cached extends RequestMethods {
  readonly store: CacheStore;
  /** Tells `createFetch` that the `cache` member of an init is understood. */
  readonly takesCacheMode: boolean = true;
  /** The store, as the cache uses it. */
  readonly #kept: CacheStore;
  readonly #base: CacheBase;
  readonly #heuristic: number;
  readonly #limit: number;
  readonly #clock: { wallNow(): number };
  readonly #flights = new Map<string, Promise<void>>();
  readonly #behind = new Set<Promise<void>>();

  constructor(base: CacheBase, options: CacheOptions = {}) {
    super();
    this.#base = base;
    this.store = options.store ?? new MemoryStore();
    this.#kept = new TolerantStore(this.store);
    this.#heuristic = options.heuristic ?? 0.1;
    this.#limit = options.maxEntrySize ?? 8_388_608;
    this.#clock = options.clock ?? base.clock ?? systemClock;
  }

  override get headers(): HeaderSource | null | undefined {
    return this.#base.headers;
  }

  override set headers(headers: HeaderSource | null | undefined) {
    this.#base.headers = headers;
  }

  /** The options of the manager behind the cache. */
  get connectionPoolKw(): PoolManager["connectionPoolKw"] | undefined {
    return this.#base.connectionPoolKw;
  }

  override request(
    method: string,
    url: UrlLike,
    options?: CachedRequestOptions | null,
  ): Promise<HTTPResponse> {
    return super.request(method, url, options);
  }

  /** As the base's, through the cache. */
  override urlopen(method: string, url: UrlLike, options: CachedUrlopenOptions = {}): Promise<HTTPResponse> {
    return followed(this.#absolute(String(url)), method, options, this.#base, (verb, target, rest) =>
      this.#open(verb, target, rest),
    );
  }

  #absolute(url: string): string {
    if (url.startsWith("/") && this.#base.origin !== undefined) return this.#base.origin + url;
    return URL.canParse(url) || !URL.canParse(`http://${url}`) ? url : `http://${url}`;
  }

  /** Resolves when the questions asked behind answers are settled. */
  async settled(): Promise<void> {
    await Promise.all(this.#behind);
  }

  async #open(method: string, target: string, options: CachedUrlopenOptions): Promise<HTTPResponse> {
    const { cache: mode = "default", cacheFor, ...rest } = options;
    const url = target.replace(/#.*$/s, "");
    const headers = new HTTPHeaderDict(options.headers ?? this.#base.headers);
    if (!SAFE.has(method)) return this.#changed(url, await this.#base.urlopen(method, url, rest));
    const request = policy.requestPolicy(headers);
    if (!this.#cares(method, headers, request, options))
      return bypass(await this.#base.urlopen(method, url, rest));
    const lookup = {
      method: method as "GET",
      url,
      key: keyOf(url),
      headers,
      request,
      options: rest,
      mode,
      cacheFor,
    };
    return mode === "reload" ? this.#fetch(lookup, null) : this.#answer(lookup);
  }

  #cares(
    method: string,
    headers: HTTPHeaderDict,
    request: policy.RequestPolicy,
    options: CachedUrlopenOptions,
  ): boolean {
    if (method !== "GET" && method !== "HEAD") return false;
    if (options.cache === "no-store" || options.decodeContent === false) return false;
    // A body in memory that its owner fills again is not for keeping.
    if ((options.into ?? null) !== null) return false;
    if ((options.body ?? null) !== null || OWN_CONDITIONS.some((name) => headers.has(name))) return false;
    return !request.directives.has("no-store");
  }

  async #answer(lookup: Lookup): Promise<HTTPResponse> {
    for (;;) {
      let entry = await this.#find(lookup);
      const verdict = entry === null ? "must-validate" : this.#judge(entry.meta, lookup);
      if (entry !== null && (verdict === "fresh" || verdict === "stale-while-revalidate")) {
        const answer = await this.#fromStore(entry, lookup, verdict === "fresh" ? "hit" : "stale");
        if (answer !== null && verdict !== "fresh") this.#askBehind(lookup, entry);
        if (answer !== null) return answer;
        // Its body is gone, or damaged.
        entry = null;
      }
      if (lookup.mode === "only-if-cached" || lookup.request.directives.has("only-if-cached"))
        return notCached(lookup);
      const flight = lookup.method === "GET" ? this.#flights.get(lookup.key) : undefined;
      if (flight === undefined) return this.#lead(lookup, entry);
      await sooner(flight, lookup.options.signal ?? null);
      // Theirs may be for another variant, or may not be kept: then it is this one's turn, without waiting again.
      const found = await this.#find(lookup);
      if (found === null || this.#judge(found.meta, lookup) !== "fresh") return this.#fetch(lookup, found);
    }
  }

  /** Fetches while others wait. */
  async #lead(lookup: Lookup, entry: CacheEntry | null): Promise<HTTPResponse> {
    if (lookup.method !== "GET") return this.#fetch(lookup, entry);
    let land: () => void = () => {};
    const flight = new Promise<void>((resolve) => {
      land = resolve;
    });
    this.#flights.set(lookup.key, flight);
    try {
      return await this.#fetch(lookup, entry);
    } finally {
      this.#flights.delete(lookup.key);
      land();
    }
  }

  async #find({ key, headers }: Lookup): Promise<CacheEntry | null> {
    const matching = (await this.#kept.find(key)).filter(({ meta }) => policy.matchesVary(meta, headers));
    return matching.reduce<CacheEntry | null>(
      (best, entry) => (best === null || entry.meta.responseTime > best.meta.responseTime ? entry : best),
      null,
    );
  }

  #judge(meta: CacheMeta, { request, mode, cacheFor }: Lookup): policy.Verdict {
    if (mode === "force-cache" || mode === "only-if-cached") return "fresh";
    if (mode === "no-cache") return "must-validate";
    const now = this.#clock.wallNow();
    if (cacheFor !== undefined) return now - meta.responseTime < cacheFor * 1000 ? "fresh" : "must-validate";
    return policy.judge(meta, request, this.#heuristic, now);
  }

  async #fromStore(entry: CacheEntry, lookup: Lookup, status: CacheStatus): Promise<HTTPResponse | null> {
    const body = await entry.body();
    if (body === null) return null;
    const { meta } = entry;
    const headers = new HTTPHeaderDict(meta.headers.map(([name, value]): [string, string] => [name, value]));
    headers.set("Age", Math.floor(policy.currentAge(meta, this.#clock.wallNow())));
    const condition = lookup.headers.get("if-none-match");
    const unchanged = condition !== null && policy.matchesEtag(condition, meta);
    const response = new HTTPResponse({
      ...(unchanged ? { status: 304, reason: "Not Modified" } : { status: meta.status, reason: meta.reason }),
      version: meta.version,
      headers,
      method: lookup.method,
      url: lookup.url,
      body: lookup.method === "HEAD" || unchanged ? null : body,
    });
    statuses.set(response, status);
    return response;
  }

  #askBehind(lookup: Lookup, entry: CacheEntry): void {
    if (this.#flights.has(lookup.key)) return;
    const { signal: _signal, ...options } = lookup.options;
    const asking = this.#lead({ ...lookup, options: { ...options, preloadContent: true } }, entry)
      .then(
        () => {},
        () => {},
      )
      .finally(() => this.#behind.delete(asking));
    this.#behind.add(asking);
  }

  /** Asks the origin; about `entry`, if there is one with a validator. */
  async #fetch(lookup: Lookup, entry: CacheEntry | null): Promise<HTTPResponse> {
    const asked =
      entry === null || lookup.headers.has("if-none-match") ? null : policy.validators(entry.meta);
    const headers = asked === null ? lookup.headers : lookup.headers.merge(asked);
    const requestTime = this.#clock.wallNow();
    let response: HTTPResponse;
    try {
      response = await this.#base.urlopen(lookup.method, lookup.url, { ...lookup.options, headers });
    } catch (error) {
      if (lookup.options.signal?.aborted) throw error;
      const covered = await this.#covered(entry, lookup);
      if (covered !== null) return covered;
      throw error;
    }
    if (response.status === 304 && entry !== null && asked !== null) {
      return this.#stillHolds(response, lookup, entry, requestTime);
    }
    const covered = policy.isDown(response.status) ? await this.#covered(entry, lookup) : null;
    if (covered === null) return this.#keep(response, lookup, requestTime);
    response.releaseConn();
    return covered;
  }

  /** A stale response in the place of a failure, if it allows that. */
  async #covered(entry: CacheEntry | null, lookup: Lookup): Promise<HTTPResponse | null> {
    if (entry === null) return null;
    const allowed = policy.mayServeOnError(
      entry.meta,
      lookup.request,
      this.#heuristic,
      this.#clock.wallNow(),
    );
    return allowed ? this.#fromStore(entry, lookup, "stale") : null;
  }

  async #stillHolds(
    response: HTTPResponse,
    lookup: Lookup,
    entry: CacheEntry,
    requestTime: number,
  ): Promise<HTTPResponse> {
    response.releaseConn();
    const meta = await this.#refresh(entry.meta, response.headers, requestTime);
    const answer = await this.#fromStore({ meta, body: () => entry.body() }, lookup, "revalidated");
    // Deleted between the question and its answer: ask for all of it.
    return answer ?? this.#fetch(lookup, null);
  }

  /** What an answer to HEAD says of what a GET has stored: that it still holds, or that it is not there any more. */
  async #learn(headers: HTTPHeaderDict, lookup: Lookup, requestTime: number): Promise<void> {
    const entry = await this.#find(lookup);
    if (entry === null) return;
    const holds =
      policy.describes(headers, entry.meta) && policy.mayStore(200, headers, this.#clock.wallNow());
    if (holds) await this.#refresh(entry.meta, headers, requestTime);
    else await this.#kept.delete(lookup.key);
  }

  /** Stores `stored` with the newer fields of the same response. */
  async #refresh(stored: CacheMeta, fields: HTTPHeaderDict, requestTime: number): Promise<CacheMeta> {
    const headers = policy.updatedFields(stored.headers, fields);
    const meta = { ...stored, headers, requestTime, responseTime: this.#clock.wallNow() };
    await this.#kept.update(meta);
    return meta;
  }

  async #keep(response: HTTPResponse, lookup: Lookup, requestTime: number): Promise<HTTPResponse> {
    statuses.set(response, "miss");
    const { headers, status } = response;
    const now = this.#clock.wallNow();
    if (lookup.method === "HEAD") {
      if (status === 200) await this.#learn(headers, lookup, requestTime);
      return response;
    }
    const stores = lookup.cacheFor === undefined ? policy.mayStore(status, headers, now) : status === 200;
    if (!stores) {
      // What is there is not what the origin says any more. A 304 is about what the caller has.
      if (status < 500 && status !== 304) await this.#kept.delete(lookup.key);
      return response;
    }
    const names = policy.varyNames(headers.get("vary")) ?? [];
    // What a jar has sent is not seen here.
    if (names.includes("cookie") && this.#usesJar(lookup)) return response;
    const meta: CacheMeta = {
      url: lookup.key,
      status,
      reason: response.reason,
      version: response.version,
      headers: policy.storableFields(headers),
      vary: policy.varyValues(names, lookup.headers),
      requestTime,
      responseTime: now,
    };
    return this.#record(response, lookup, meta);
  }

  #usesJar({ options }: Lookup): boolean {
    const jar = options.cookieJar === undefined ? this.#base.connectionPoolKw?.cookieJar : options.cookieJar;
    return (jar ?? null) !== null;
  }

  async #record(response: HTTPResponse, lookup: Lookup, meta: CacheMeta): Promise<HTTPResponse> {
    const length = Number(response.headers.get("content-length") ?? Number.NaN);
    if (length > this.#limit) return response;
    if (response.isClosed || lookup.options.preloadContent !== false) {
      if (response.data.length <= this.#limit) await this.#kept.put(meta, response.data);
      return response;
    }
    if (length <= READ_AHEAD) {
      const body = await response.read();
      await this.#kept.put(meta, body);
      return statused(whole(response, body), "miss");
    }
    const recorded = (body: Buffer | null): void => {
      if (body !== null) void this.#kept.put(meta, body);
    };
    return statused(new RecordedResponse(response, this.#limit, recorded), "miss");
  }

  /** Deletes what a request that succeeded may have changed (RFC 9111 §4.4). */
  async #changed(url: string, response: HTTPResponse): Promise<HTTPResponse> {
    statuses.set(response, "bypass");
    if (response.status >= 400) return response;
    await this.#kept.delete(keyOf(url));
    for (const name of ["location", "content-location"]) {
      const field = response.headers.get(name);
      if (field === null || !URL.canParse(field, url)) continue;
      const other = new URL(field, url);
      if (other.origin === new URL(url).origin) await this.#kept.delete(keyOf(other.href));
    }
    return response;
  }
}

/** Without fragment, default port and the like. */
function keyOf(url: string): string {
  if (!URL.canParse(url)) return url;
  const parsed = new URL(url);
  parsed.hash = "";
  return parsed.href;
}

function statused(response: HTTPResponse, status: CacheStatus): HTTPResponse {
  statuses.set(response, status);
  return response;
}

function bypass(response: HTTPResponse): HTTPResponse {
  return statused(response, "bypass");
}

/** `response` with its body read. */
function whole(
  { status, reason, version, method, url, retries, headers }: HTTPResponse,
  body: Buffer,
): HTTPResponse {
  return new HTTPResponse({ status, reason, version, method, url, retries, headers, body });
}

function notCached({ method, url }: Lookup): HTTPResponse {
  return statused(
    new HTTPResponse({ status: 504, reason: "Gateway Timeout", method, url, headers: {} }),
    "miss",
  );
}

/** Resolves with `flight`; rejects with the signal's reason if that comes first. */
function sooner(flight: Promise<void>, signal: AbortSignal | null): Promise<void> {
  if (signal === null) return flight;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    flight.then(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, reject);
  });
}
