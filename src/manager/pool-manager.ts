/** `PoolManager`: finds or makes the pool for each URL, keeps the most recently used ones, counts over all. */

import { Commons } from "../client/commons.ts";
import {
  COMMONS,
  HTTPConnectionPool,
  HTTPSConnectionPool,
  maxConnections,
  type RoutedOptions,
  type SharedOptions,
  WAY,
} from "../client/connection-pool.ts";
import { exchange, type Router } from "../client/exchange.ts";
import { type Hop, type PendingHop, prepareCall } from "../client/message.ts";
import type { PoolManagerOptions, PoolOptions, UrlopenOptions } from "../client/options.ts";
import {
  isSocks,
  type ProxyFunction,
  type ProxyUrl,
  parseHttpProxyUrl,
  parseProxyUrl,
  plainHost,
  portOf,
  socksOptions,
} from "../client/proxy.ts";
import { NO_OPTIONS, RequestMethods, refuse } from "../client/request-methods.ts";
import type { HTTPResponse } from "../client/response.ts";
import { type CallSettings, poolSettings } from "../client/settings.ts";
import { InvalidArgumentError, LocationValueError, URLSchemeUnknown } from "../core/errors.ts";
import type { HeaderSource } from "../core/headers.ts";
import { logIfAsked, trace } from "../core/trace.ts";
import {
  bracketHost,
  DEFAULT_PORTS,
  normalizeHost,
  parseUrl,
  Url,
  type UrlLike,
  urlText,
} from "../core/url.ts";
import { Retry } from "../policy/retry.ts";
import { type DownloadOptions, type DownloadResult, downloadTo } from "./download.ts";
import { watchWrites } from "./observed.ts";
import { isPlainTarget, originEnd } from "./plain-url.ts";
import { keyFnByScheme, type PoolContext, type PoolKeyFunction, type PoolKeyLike } from "./pool-key.ts";
import { RecentlyUsedContainer } from "./recently-used.ts";

/** A class of pools, as `poolClassesByScheme` holds them. */
export type PoolClass = new (host: string, port?: number | null, options?: PoolOptions) => HTTPConnectionPool;

/** One pool in a snapshot. */
export interface PoolStats {
  /** Of a pool whose requests a proxy forwards: the proxy's. */
  origin: string;
  /** The proxy on the way, without credentials; `null` without one. */
  proxy: string | null;
  idle: number;
  busy: number;
  queued: number;
  numConnections: number;
  numRequests: number;
}

/** What `PoolManager.stats` gives. */
export interface ManagerStats {
  /** Least recently used first. */
  pools: PoolStats[];
  /** Connections open now, those being made included. */
  openConnections: number;
  /** Requests that wait for a connection now. */
  waiting: number;
  /** Connections made, by pools dropped since too; so are the next ones. */
  created: number;
  /** Requests that got a connection which had served another. */
  reused: number;
  /** Connections closed because they were not to be kept. */
  discarded: number;
  /** Requests that waited for longer than their `poolTimeout`. */
  timedOut: number;
  /** Requests sent again silently, because their reused connection had died. */
  resent: number;
  /** Pools dropped to make room for others. */
  evicted: number;
}

/** Pool options as the manager keeps them: any name may be among them. */
export type PoolKwargs = PoolOptions & Record<string, unknown>;

/** Options that go over a manager's; `null` removes one. */
export type PoolOverrides = { [Name in keyof PoolOptions]: PoolOptions[Name] | null };

/** An origin seen in plain form, and the key of its pool. */
interface KnownOrigin {
  readonly prefix: string;
  readonly key: PoolKeyLike;
  readonly context: PoolContext;
}

/** The ways from a URL to its pool. */
const LOOK_UPS = ["connectionFromHost", "connectionFromContext", "connectionFromPoolKey"] as const;

/** Known origins are forgotten all at once: they are cheap to find again. */
const MAX_KNOWN_ORIGINS = 4096;

/** Makes requests to any host over pools of live connections (urllib3's `PoolManager`). */
export class PoolManager extends RequestMethods {
  /** Pools by key, least recently used first out. */
  readonly pools: RecentlyUsedContainer<PoolKeyLike, HTTPConnectionPool>;
  /** Default header fields of every request that brings none of its own. */
  override headers: HeaderSource | null | undefined;
  #connectionPoolKw: PoolKwargs;
  #keyFnByScheme: Record<string, PoolKeyFunction>;
  #poolClassesByScheme: Record<string, PoolClass>;
  readonly #commons: Commons;
  readonly #router: Router;
  readonly #known = new Map<string, KnownOrigin>();
  #last: KnownOrigin | null = null;
  /** Of requests whose pool is not known before their proxy is. */
  #settings: CallSettings | null = null;
  #evicted = 0;

  /** `numPools` defaults to 10; it may stand among the options. Throws `InvalidArgumentError`. */
  constructor(numPools?: number, options?: PoolManagerOptions);
  constructor(options?: PoolManagerOptions);
  constructor(first?: number | PoolManagerOptions, second?: PoolManagerOptions) {
    super();
    logIfAsked();
    const options = (typeof first === "object" && first !== null ? first : second) ?? {};
    const { numPools, headers, maxConnections: _limit, ...rest } = options;
    const poolOptions = withProxyConfig(rest);
    const maxsize = typeof first === "object" || first === undefined ? numPools : first;
    this.headers = headers ?? {};
    this.pools = new RecentlyUsedContainer({ maxsize: maxsize ?? 10, disposeFunc: dropPool });
    this.#commons = (options as SharedOptions)[COMMONS] ?? new Commons(maxConnections(options));
    this.#connectionPoolKw = this.#observe(frozenValues(poolOptions as PoolKwargs));
    // Redirects are the manager's: a number must not be turned into a Retry that refuses them.
    if (poolOptions.retries !== undefined)
      this.#connectionPoolKw.retries = Retry.fromInt(poolOptions.retries);
    this.#keyFnByScheme = this.#observe({ ...keyFnByScheme });
    this.#poolClassesByScheme = this.#observe({ http: HTTPConnectionPool, https: HTTPSConnectionPool });
    this.#router = { hop: (url) => this.#hop(url), waitsOnRedirect: false, commons: this.#commons };
  }

  /** The options each new pool gets. Changes count from the next look-up on. */
  get connectionPoolKw(): PoolKwargs {
    return this.#connectionPoolKw;
  }

  set connectionPoolKw(kw: PoolKwargs) {
    this.#connectionPoolKw = this.#observe(frozenValues(kw));
    this.#forget();
  }

  /** Request context -> pool key, by scheme; a copy of the manager's own. */
  get keyFnByScheme(): Record<string, PoolKeyFunction> {
    return this.#keyFnByScheme;
  }

  set keyFnByScheme(functions: Record<string, PoolKeyFunction>) {
    this.#keyFnByScheme = this.#observe({ ...functions });
    this.#forget();
  }

  /** Pool class by scheme; a copy of the manager's own. */
  get poolClassesByScheme(): Record<string, PoolClass> {
    return this.#poolClassesByScheme;
  }

  set poolClassesByScheme(classes: Record<string, PoolClass>) {
    this.#poolClassesByScheme = this.#observe({ ...classes });
    this.#forget();
  }

  /** A request without field encoding, to an absolute URL; redirects lead from pool to pool. */
  urlopen(method: string, url: UrlLike, options: UrlopenOptions = NO_OPTIONS): Promise<HTTPResponse> {
    try {
      const text = urlText(url);
      const pool = this.#plainPool(text);
      if (pool !== null) return this.#send(pool, method, plainHop(pool, text, this.#last!.prefix), options);
      const parsed = parseUrl(text);
      const found = this.#poolFor(parsed);
      if (found instanceof Promise) return this.#sendLater(found, parsed, method, options);
      this.#learn(text, parsed);
      return this.#send(found, method, hopTo(found, parsed), options);
    } catch (error) {
      return refuse(error, method, url);
    }
  }

  /** Downloads `url` into the file `path`, going on where an earlier try broke off: see the function `downloadTo`. */
  downloadTo(url: string, path: string, options?: DownloadOptions): Promise<DownloadResult> {
    return downloadTo(this, url, path, options);
  }

  /**
   * The pool for `host`. `port` defaults to the scheme's; `poolKwargs` go over `connectionPoolKw`, and a value of
   * `undefined` or `null` among them removes the default. Throws `LocationValueError`, `URLSchemeUnknown`.
   */
  connectionFromHost(
    host: string | null | undefined,
    port?: number | null,
    scheme: string | null = "http",
    poolKwargs?: PoolOverrides | null,
  ): HTTPConnectionPool {
    if (!host) throw new LocationValueError("No host specified.");
    return this.connectionFromContext(this.#context(host, port, scheme || "http", poolKwargs));
  }

  /** The pool for the origin of `url`; `poolKwargs` as in `connectionFromHost`. */
  connectionFromUrl(url: UrlLike, poolKwargs?: PoolOverrides | null): HTTPConnectionPool {
    const { host, port, scheme } = parseUrl(url);
    return this.connectionFromHost(host, port, scheme ?? "http", poolKwargs);
  }

  /** The pool for a request context: scheme, host, port and pool options. */
  connectionFromContext(context: PoolContext): HTTPConnectionPool {
    return this.connectionFromPoolKey(this.#key(context), context);
  }

  /** The pool under `poolKey`, made from `context` if there is none. */
  connectionFromPoolKey(poolKey: PoolKeyLike, context: PoolContext): HTTPConnectionPool {
    const known = this.pools.get(poolKey);
    if (known !== undefined) return known;
    const pool = this.newPool(context);
    const { size } = this.pools;
    this.pools.set(poolKey, pool);
    if (this.pools.size === size) this.#evicted++;
    if (trace.poolOpen.hasSubscribers) trace.poolOpen.publish({ origin: originOf(pool) });
    return pool;
  }

  /** Drops every pool. Idle connections are closed; requests under way finish undisturbed. */
  clear(): void {
    this.pools.clear();
  }

  /** As `clear`; resolves when all requests under way have ended. */
  async close(): Promise<void> {
    this.clear();
    await this.#commons.quiet();
  }

  [Symbol.dispose](): void {
    this.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A plain snapshot, which does not count as use of any pool. */
  stats(): ManagerStats {
    const pools = this.pools.keys().map((key) => poolStats(this.pools.peek(key)!));
    const { budget, totals, resent } = this.#commons;
    const waiting = pools.reduce((sum, { queued }) => sum + queued, 0);
    return { pools, openConnections: budget.open, waiting, ...totals, resent, evicted: this.#evicted };
  }

  /** Makes the pool of a context; to be overridden for pools of one's own making. */
  protected newPool(context: PoolContext): HTTPConnectionPool {
    const { scheme, host, port, ...options } = context;
    const PoolOfScheme = this.#poolClassesByScheme[scheme.toLowerCase()];
    if (PoolOfScheme === undefined) throw new URLSchemeUnknown(scheme);
    return new PoolOfScheme(host, port, { ...options, [COMMONS]: this.#commons } as SharedOptions);
  }

  #send(pool: HTTPConnectionPool, method: string, hop: Hop, options: UrlopenOptions): Promise<HTTPResponse> {
    const router = this.#router;
    if (pool.urlopen === HTTPConnectionPool.prototype.urlopen) {
      return exchange(pool.prepare(method, options, this.headers), hop, router);
    }
    // A pool class of somebody's own wants to see its requests.
    const headers = options.headers ?? this.headers;
    return pool.urlopen(method, hop.url, { ...options, headers, [WAY]: { hop, router } } as RoutedOptions);
  }

  #sendLater(
    found: Promise<HTTPConnectionPool>,
    url: Url,
    method: string,
    options: UrlopenOptions,
  ): Promise<HTTPResponse> {
    this.#settings ??= poolSettings(this.#connectionPoolKw);
    return exchange(
      prepareCall(this.#settings, method, options, this.headers),
      pendingHop(found, url),
      this.#router,
    );
  }

  #hop(url: Url): Hop | PendingHop {
    const found = this.#poolFor(url);
    return found instanceof Promise ? pendingHop(found, url) : hopTo(found, url);
  }

  /** The pool of a request to `url`; promised where its proxy is still to be chosen. */
  #poolFor(url: Url): HTTPConnectionPool | Promise<HTTPConnectionPool> {
    if (url.scheme === null) warnSchemeless();
    const find = (proxy?: ProxyUrl | null): HTTPConnectionPool =>
      this.connectionFromHost(
        url.host,
        url.port,
        url.scheme ?? "http",
        proxy === undefined ? null : { proxy },
      );
    const { proxy } = this.#connectionPoolKw;
    if (typeof proxy !== "function") return find();
    const chosen = proxy(absoluteUrl(url));
    if (!isThenable(chosen)) return find(chosen ?? null);
    return Promise.resolve(chosen).then((answer) => find(answer ?? null));
  }

  #context(
    host: string,
    port: number | null | undefined,
    scheme: string,
    poolKwargs: PoolOverrides | null | undefined,
  ): PoolContext {
    const lowered = scheme.toLowerCase();
    const context = {
      ...mergePoolKwargs(this.#connectionPoolKw, poolKwargs),
      scheme: lowered,
      host: normalizeHost(plainHost(host), lowered),
      port: port ?? DEFAULT_PORTS[lowered] ?? 80,
    };
    return throughProxy(context);
  }

  #key(context: PoolContext): PoolKeyLike {
    const keyFunction = this.#keyFnByScheme[`${context.scheme}`.toLowerCase()];
    if (keyFunction === undefined) throw new URLSchemeUnknown(context.scheme);
    return keyFunction(context);
  }

  /** The pool of a URL whose origin is known and whose target needs no parsing; else `null`. */
  #plainPool(url: string): HTTPConnectionPool | null {
    let origin = this.#last;
    if (origin === null || !isUnder(url, origin.prefix)) {
      origin = this.#known.get(url.slice(0, originEnd(url))) ?? null;
      if (origin === null) return null;
      this.#last = origin;
    }
    if (!isPlainTarget(url, origin.prefix.length)) return null;
    return this.pools.get(origin.key) ?? this.connectionFromPoolKey(origin.key, { ...origin.context });
  }

  /** Remembers the origin of `url` if it stands there as it would be normalised, and its key cannot change unseen. */
  #learn(url: string, parsed: Url): void {
    const { scheme, host, port, auth } = parsed;
    const prefix = `${scheme}://${parsed.netloc}`;
    if (auth !== null || host === null || scheme === null || !isUnder(url, prefix)) return;
    // A subclass that looks up in its own way must be asked every time.
    if (LOOK_UPS.some((name) => this[name] !== PoolManager.prototype[name])) return;
    if (this.#keyFnByScheme[scheme] !== keyFnByScheme[scheme]) return;
    if (!Object.values(this.#connectionPoolKw).every(isStable)) return;
    // Who chooses anew for every request must be asked.
    if (typeof this.#connectionPoolKw.proxy === "function") return;
    if (this.#known.size >= MAX_KNOWN_ORIGINS) this.#forget();
    const context = this.#context(host, port, scheme, null);
    this.#known.set(prefix, { prefix, context, key: this.#key({ ...context }) });
  }

  #forget(): void {
    this.#known.clear();
    this.#last = null;
    this.#settings = null;
  }

  #observe<T extends object>(target: T): T {
    return watchWrites(target, () => this.#forget());
  }
}

/** `override` over `base`; a value of `undefined` or `null` removes the default. */
function mergePoolKwargs(base: PoolKwargs, override: PoolOverrides | null | undefined): PoolKwargs {
  const merged: PoolKwargs = { ...base };
  for (const [name, value] of Object.entries(override ?? {})) {
    if (value === undefined || value === null) delete merged[name];
    else merged[name] = value;
  }
  return merged;
}

/** `context` with its route: http goes over the pool of an HTTP proxy, which all its hosts share. */
function throughProxy(context: PoolContext): PoolContext {
  const { proxy, ...rest } = context;
  if (proxy === undefined || proxy === null) return context;
  const url = chosenProxy(proxy as ProxyUrl | ProxyFunction, context);
  if (url === null) return rest;
  if (isSocks(url)) return { ...rest, socksOptions: socksOptions(url) };
  const proxied = { ...context, proxy: parseHttpProxyUrl(url) };
  if (context.scheme !== "http") return proxied;
  return { ...proxied, scheme: url.scheme!, host: plainHost(url.host!), port: portOf(url) };
}

/** A look-up cannot wait: functions that promise a proxy are for requests. */
function chosenProxy(proxy: ProxyUrl | ProxyFunction, { scheme, host, port }: PoolContext): Url | null {
  if (typeof proxy !== "function") return parseProxyUrl(proxy);
  const chosen = proxy(absoluteUrl(new Url({ scheme, host: bracketHost(host), port: port ?? null })));
  if (isThenable(chosen)) {
    const text = "The proxy is promised only: look the pool up with { proxy: url } in poolKwargs";
    throw new InvalidArgumentError(text);
  }
  return chosen ? parseProxyUrl(chosen) : null;
}

/** The options for proxies in the form in which they are part of a key. */
function withProxyConfig({
  proxyTls,
  useForwardingForHttps,
  proxyAssertHostname,
  proxyAssertFingerprint,
  ...options
}: PoolManagerOptions): PoolOptions {
  if (options.proxy === undefined || options.proxy === null) return options;
  const proxy = typeof options.proxy === "function" ? options.proxy : parseProxyUrl(options.proxy);
  const proxyConfig = options.proxyConfig ?? {
    tls: proxyTls,
    useForwardingForHttps,
    assertHostname: proxyAssertHostname,
    assertFingerprint: proxyAssertFingerprint,
  };
  return { ...options, proxy, proxyConfig };
}

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && "then" in value;
}

function hopTo(pool: HTTPConnectionPool, url: Url): Hop {
  return pool.hop(url.requestUri, absoluteUrl(url), pool.forwards ? url.netloc! : undefined);
}

function pendingHop(found: Promise<HTTPConnectionPool>, url: Url): PendingHop {
  return { url: absoluteUrl(url), chosen: found.then((pool) => hopTo(pool, url)) };
}

/** Without userinfo and fragment: what is sent, and shown. */
function absoluteUrl(url: Url): string {
  return `${url.scheme ?? "http"}://${url.netloc}${url.requestUri}`;
}

/** Whether `url` is `prefix` itself, or goes on with a path. */
function isUnder(url: string, prefix: string): boolean {
  if (!url.startsWith(prefix)) return false;
  return url.length === prefix.length || url.charCodeAt(prefix.length) === 47;
}

/** The target is what follows the origin, as it stands. */
function plainHop(pool: HTTPConnectionPool, url: string, origin: string): Hop {
  const host = pool.forwards ? origin.slice(origin.indexOf("://") + 3) : undefined;
  return url.length === origin.length
    ? pool.hop("/", `${url}/`, host)
    : pool.hop(url.slice(origin.length), url, host);
}

/** A copy of `kw` whose plain objects and arrays are frozen copies too: they cannot change unseen. */
function frozenValues(kw: PoolKwargs): PoolKwargs {
  const copy: PoolKwargs = { ...kw };
  for (const [name, value] of Object.entries(copy)) {
    if (Array.isArray(value)) copy[name] = Object.freeze([...value]);
    else if (isPlainObject(value)) copy[name] = Object.freeze({ ...value });
  }
  return copy;
}

/** Whether a value says the same in a key as long as it is the same one; what is no collection counts by identity. */
function isStable(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return true;
  return !(Array.isArray(value) || isPlainObject(value) || Symbol.iterator in value || value instanceof Date);
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function poolStats(pool: HTTPConnectionPool): PoolStats {
  return {
    origin: originOf(pool),
    proxy: pool.proxy,
    idle: pool.numIdle,
    busy: pool.numBusy,
    queued: pool.numQueued,
    numConnections: pool.numConnections,
    numRequests: pool.numRequests,
  };
}

function originOf(pool: HTTPConnectionPool): string {
  return `${pool.scheme}://${bracketHost(pool.host)}:${pool.port}`;
}

function dropPool(pool: HTTPConnectionPool): void {
  pool.retire();
  if (trace.poolClose.hasSubscribers) trace.poolClose.publish({ origin: originOf(pool) });
}

let warned = false;

function warnSchemeless(): void {
  if (warned) return;
  warned = true;
  process.emitWarning(
    "URLs without a scheme (as in 'example.com/x') are deprecated: write http:// in front",
    {
      type: "DeprecationWarning",
      code: "URLPOOL_SCHEMELESS_URL",
    },
  );
}
