/** `PoolManager`: finds or makes the pool for each URL, keeps the most recently used ones, counts over all. */

import { type InspectOptions, inspect } from "node:util";
import { makeManagersBy, PoolAgent } from "../adapters/agent/pool-agent.ts";
import { type Fetch, fetchOver } from "../adapters/fetch/create-fetch.ts";
import { HTTPConnectionPool, HTTPSConnectionPool, type PoolOwner } from "../client/connection-pool.ts";
import type { PoolManagerOptions, UrlopenOptions } from "../client/options.ts";
import { checkOption, numberOption, OPTION_RULES, ruleOf } from "../client/options-table.ts";
import type { ProxyUrl } from "../client/proxy.ts";
import { type Destination, type PendingDestination, prepareCall } from "../client/request.ts";
import { NO_OPTIONS, RequestMethods, refuse } from "../client/request-methods.ts";
import { type Router, runRequest } from "../client/request-run.ts";
import type { HTTPResponse } from "../client/response/response.ts";
import { type CallSettings, poolSettings } from "../client/settings.ts";
import { SharedResources } from "../client/shared-resources.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { ClosedPoolError, URLSchemeUnknown } from "../core/errors.ts";
import type { HeaderSource } from "../core/headers.ts";
import { ignore } from "../core/ignore.ts";
import { logIfAsked, trace } from "../core/trace.ts";
import { parseUrl, type Url, type UrlLike, urlText } from "../core/url.ts";
import { type DownloadOptions, type DownloadResult, downloadTo } from "../download/download.ts";
import { Retry } from "../policy/retry.ts";
import { Timeout } from "../policy/timeout.ts";
import { absoluteUrl, destinationTo, pendingDestination, plainDestination } from "./destinations.ts";
import { isUnder, type KnownOrigin, KnownOrigins } from "./known-origins.ts";
import {
  BasePoolKey,
  hashKey,
  keyFnByScheme,
  type PoolContext,
  type PoolKeyClass,
  type PoolKeyFunction,
  type PoolKeyLike,
} from "./pool-key.ts";
import {
  frozenValues,
  isStable,
  managerOptions,
  type PoolKwargs,
  type PoolOverrides,
  watchWrites,
} from "./pool-kwargs.ts";
import { isThenable, withProxyConfig } from "./proxy-context.ts";
import { RecentlyUsedContainer } from "./recently-used.ts";
import { requestContext } from "./request-context.ts";
import { RetiredPools } from "./retired-pools.ts";
import { hostMissing, own, type PoolClass, warnSchemeless } from "./schemes.ts";
import { inspectManager, type ManagerStats } from "./stats.ts";

/** The ways from a URL to its pool. */
const LOOK_UPS = ["connectionFromHost", "connectionFromContext", "connectionFromPoolKey"] as const;

/** Makes requests to any host over pools of live connections (urllib3's `PoolManager`). */
export class PoolManager extends RequestMethods {
  /** @internal Minifiers change the names of classes. */
  static override readonly name: string = "PoolManager";
  /** Pools by key, least recently used first out. */
  readonly pools: RecentlyUsedContainer<PoolKeyLike, HTTPConnectionPool>;
  /** Default header fields of every request that brings none of its own. */
  override headers: HeaderSource | null | undefined;
  #connectionPoolKw: PoolKwargs;
  #keyFnByScheme: Record<string, PoolKeyFunction>;
  #poolClassesByScheme: Record<string, PoolClass>;
  #shared!: SharedResources;
  #router!: Router;
  #owner!: PoolOwner;
  /** Fields of keys that are no options of ours: requests may have them. */
  readonly #ownOptions = new Set<string>();
  readonly #keys = new WeakMap<HTTPConnectionPool, PoolKeyLike>();
  readonly #origins = new KnownOrigins();
  #lastText = "";
  #lastHop: Destination | null = null;
  /** Of requests whose pool is not known before their proxy is. */
  #settings: CallSettings | null = null;
  #evicted = 0;
  /** Whether a pool that is dropped now is dropped to make room. */
  #evicting = false;
  readonly #retired = new RetiredPools();
  #agent: PoolAgent | null = null;
  #fetch: Fetch | null = null;

  /** `numPools` defaults to 10; it may stand among the options. Throws `InvalidArgumentError`. */
  constructor(numPools?: number, options?: PoolManagerOptions);
  constructor(options?: PoolManagerOptions);
  constructor(first?: number | PoolManagerOptions, second?: PoolManagerOptions) {
    super();
    logIfAsked();
    const options = managerOptions(first, second);
    const { numPools, headers, maxConnections: _limit, clock, ...rest } = options;
    const poolOptions = withProxyConfig(rest);
    this.headers = headers ?? {};
    this.pools = new RecentlyUsedContainer({
      maxsize: numberOption(options, "numPools"),
      disposeFunc: (pool) => this.#drop(pool),
      hash: hashKey,
    });
    this.#connectionPoolKw = this.#observe(frozenValues(poolOptions as PoolKwargs));
    // Redirects are the manager's: a number must not be turned into a Retry that refuses them.
    const { retries, timeout } = poolOptions;
    if (retries !== undefined) this.#connectionPoolKw.retries = Retry.from(retries);
    if (typeof timeout === "object") this.#connectionPoolKw.timeout = Timeout.from(timeout, Timeout.DEFAULT);
    this.#keyFnByScheme = this.#observe({ ...keyFnByScheme });
    this.#poolClassesByScheme = this.#observe({ http: HTTPConnectionPool, https: HTTPSConnectionPool });
    this.attach(new SharedResources(numberOption(options, "maxConnections"), clock ?? systemClock));
  }

  /** @internal Gives it the clock and the limits of `shared`; before its first request. */
  attach(shared: SharedResources): void {
    this.#shared = shared;
    this.#router = { hop: (url) => this.#hop(url), waitsOnRedirect: false, shared: shared };
    const headers = (): PoolOwner["headers"] => this.headers;
    this.#owner = {
      shared,
      router: this.#router,
      ownOptions: this.#ownOptions,
      get headers() {
        return headers();
      },
      closed: (pool) => this.#dropClosed(pool),
    };
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
  urlopen(method: string, url: UrlLike, given?: UrlopenOptions | null): Promise<HTTPResponse> {
    const options = given ?? NO_OPTIONS;
    try {
      const text = urlText(url);
      const pool = this.#poolOf(text === this.#lastText ? this.#origins.last : this.#origins.find(text));
      if (pool !== null) {
        let hop = this.#lastHop;
        if (text !== this.#lastText || hop === null || hop.pool !== pool.inner) {
          hop = this.#lastHop = plainDestination(pool, text, this.#origins.last!.prefix);
          this.#lastText = text;
        }
        return this.#send(pool, method, hop, options);
      }
      const parsed = parseUrl(text);
      const found = this.#poolFor(parsed);
      if (found instanceof Promise) return this.#sendLater(found, parsed, method, options);
      this.#learn(text, parsed);
      return this.#send(found, method, destinationTo(found, parsed), options);
    } catch (error) {
      return refuse(error, method, url, options);
    }
  }

  /** The time that everything here goes by: the option `clock`. */
  get clock(): Clock {
    return this.#shared.clock;
  }

  /** `fetch` over this manager, as `createFetch` makes it; always the same function, which may be passed around. */
  get fetch(): Fetch {
    this.#fetch ??= fetchOver(this);
    return this.#fetch;
  }

  /**
   * An `http.Agent` over this manager's pools, for node:http, node:https and clients that take an agent; one object for
   * both schemes, always the same.
   */
  get agent(): PoolAgent {
    this.#agent ??= new PoolAgent(this);
    return this.#agent;
  }

  /** Downloads `url` into the file `path`, going on where an earlier try broke off: see the function `downloadTo`. */
  downloadTo(url: UrlLike, path: string, options?: DownloadOptions | null): Promise<DownloadResult> {
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
    if (!host) throw hostMissing(scheme, this.#keyFnByScheme);
    return this.connectionFromContext(
      requestContext(this.#connectionPoolKw, host, port, scheme || "http", poolKwargs),
    );
  }

  /** The pool for the origin of `url`; `poolKwargs` as in `connectionFromHost`. */
  connectionFromUrl(url: UrlLike, poolKwargs?: PoolOverrides | null): HTTPConnectionPool {
    const { host, port, scheme } = parseUrl(url);
    return this.connectionFromHost(host, port, scheme ?? "http", poolKwargs);
  }

  /** @internal As `connectionFromUrl`, for an origin such as `http://a.test:81`; its key is made once. */
  connectionFromOrigin(origin: string): HTTPConnectionPool {
    const text = `${origin}/`;
    // The last text goes with the last origin.
    this.#lastText = "";
    const known = this.#poolOf(this.#origins.find(text));
    if (known !== null) return known;
    const parsed = parseUrl(text);
    this.#learn(text, parsed);
    return this.connectionFromHost(parsed.host, parsed.port, parsed.scheme);
  }

  /** The pool for a request context: scheme, host, port and pool options. */
  connectionFromContext(context: PoolContext): HTTPConnectionPool {
    return this.connectionFromPoolKey(this.#key(context), context);
  }

  /** The pool under `poolKey`, made from `context` if there is none. */
  connectionFromPoolKey(poolKey: PoolKeyLike, context: PoolContext): HTTPConnectionPool {
    const known = this.pools.get(poolKey);
    if (known !== undefined) return known;
    const busy = this.#retired.take(hashKey(poolKey));
    busy?.revive();
    const pool = busy ?? this.newPool(context);
    this.#keys.set(pool, poolKey);
    this.#store(poolKey, pool);
    if (trace.poolOpen.hasSubscribers) trace.poolOpen.publish({ origin: pool.origin });
    return pool;
  }

  #store(key: PoolKeyLike, pool: HTTPConnectionPool): void {
    this.#evicting = true;
    try {
      this.pools.set(key, pool);
    } finally {
      this.#evicting = false;
    }
  }

  #drop(pool: HTTPConnectionPool): void {
    const key = this.#keys.get(pool);
    if (this.#evicting) this.#evicted++;
    if (this.#evicting && key !== undefined) this.#retired.add(hashKey(key), pool);
    else pool.dismiss();
    if (trace.poolClose.hasSubscribers) trace.poolClose.publish({ origin: pool.origin });
  }

  /** Drops every pool. Idle connections are closed; requests under way finish undisturbed. */
  clear(): void {
    this.#retired.clear();
    this.pools.clear();
  }

  /**
   * As `clear`; resolves when all requests under way have ended. Those that are still under way after `timeout` ms
   * (default: no limit) are ended as `destroy` does. Throws `InvalidArgumentError`.
   */
  async close({ timeout = null }: { timeout?: number | null } = {}): Promise<void> {
    if (timeout !== null) checkOption("timeout", OPTION_RULES.poolTimeout, timeout);
    this.clear();
    const quiet = this.#shared.quiet();
    if (timeout === null || timeout === Number.POSITIVE_INFINITY) return quiet;
    const timer = this.#shared.clock.setTimer(() => void this.destroy(), timeout, true);
    await quiet;
    timer.cancel();
  }

  /**
   * Ends everything now: drops every pool, and every request under way, its body included, fails with `reason`
   * (default: a `ClosedPoolError`). Resolves when all have ended. The manager can be used again.
   */
  async destroy(reason?: unknown): Promise<void> {
    this.clear();
    const text = "The manager was destroyed while the request was under way";
    this.#shared.stopAll(() => reason ?? new ClosedPoolError(text));
    await this.#shared.quiet();
  }

  [Symbol.dispose](): void {
    this.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A plain snapshot, which does not count as use of any pool. */
  stats(): ManagerStats {
    const pools = this.pools.keys().map((key) => this.pools.peek(key)!.stats());
    const { budget, totals, resent } = this.#shared;
    const waiting = pools.reduce((sum, { queued }) => sum + queued, 0);
    return { pools, openConnections: budget.open, waiting, ...totals, resent, evicted: this.#evicted };
  }

  /** As `stats`: headers and options may hold credentials. */
  toJSON(): ManagerStats {
    return this.stats();
  }

  /** Makes the pool of a context; to be overridden for pools of one's own making. */
  protected newPool(context: PoolContext): HTTPConnectionPool {
    const { scheme, host, port, ...options } = context;
    const PoolOfScheme = own(this.#poolClassesByScheme, scheme.toLowerCase());
    if (PoolOfScheme === undefined) throw new URLSchemeUnknown(scheme);
    const pool = new PoolOfScheme(host, port, options);
    pool.attach?.(this.#owner);
    return pool;
  }

  /** A pool that was closed is not served again. */
  #dropClosed(pool: HTTPConnectionPool): void {
    const key = this.#keys.get(pool);
    if (key !== undefined && this.pools.peek(key) === pool) this.pools.delete(key);
  }

  #send(
    pool: HTTPConnectionPool,
    method: string,
    hop: Destination,
    options: UrlopenOptions,
  ): Promise<HTTPResponse> {
    if (pool.urlopen === HTTPConnectionPool.prototype.urlopen) {
      return runRequest(pool.prepare(method, options, this.headers), hop, this.#router);
    }
    // A pool class of somebody's own wants to see its requests.
    const headers = options.headers ?? this.headers;
    return pool.urlopen(method, hop.url, { ...options, headers, assertSameHost: false });
  }

  #sendLater(
    found: Promise<HTTPConnectionPool>,
    url: Url,
    method: string,
    options: UrlopenOptions,
  ): Promise<HTTPResponse> {
    this.#settings ??= poolSettings(this.#connectionPoolKw);
    return runRequest(
      prepareCall(this.#settings, method, options, this.headers),
      pendingDestination(found, url),
      this.#router,
    );
  }

  #hop(url: Url): Destination | PendingDestination {
    const found = this.#poolFor(url);
    return found instanceof Promise ? pendingDestination(found, url) : destinationTo(found, url);
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
    if (!isThenable(chosen)) return find(chosen || null);
    const found = Promise.resolve(chosen).then((answer) => find(answer || null));
    // It may fail before anybody waits for it, or where the request was refused meanwhile.
    found.catch(ignore);
    return found;
  }

  #key(context: PoolContext): PoolKeyLike {
    const scheme = `${context.scheme}`.toLowerCase();
    const keyFunction = own(this.#keyFnByScheme, scheme);
    if (keyFunction === undefined) throw new URLSchemeUnknown(context.scheme);
    const key = keyFunction(context);
    if (keyFunction !== keyFnByScheme[scheme] && key instanceof BasePoolKey) this.#declare(key);
    return key;
  }

  /** What a key class names is an option, of requests too. */
  #declare(key: BasePoolKey): void {
    for (const field of (key.constructor as PoolKeyClass).fields) {
      if (ruleOf(field) === undefined) this.#ownOptions.add(field);
    }
  }

  #poolOf(origin: KnownOrigin | null): HTTPConnectionPool | null {
    if (origin === null) return null;
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
    // A proxy function chooses for each request.
    if (typeof this.#connectionPoolKw.proxy === "function") return;
    const context = requestContext(this.#connectionPoolKw, host, port, scheme, null);
    this.#origins.add({ prefix, context, key: this.#key({ ...context }) });
  }

  #forget(): void {
    this.#origins.clear();
    this.#lastText = "";
    this.#lastHop = null;
    this.#settings = null;
  }

  #observe<T extends object>(target: T): T {
    return watchWrites(target, () => this.#forget());
  }
}

// Not a method: the compiler cannot declare one whose name comes from another module.
Object.defineProperty(PoolManager.prototype, inspect.custom, {
  value(this: PoolManager, _depth: number, options: InspectOptions): string {
    return inspectManager(this.constructor.name, this.stats(), options);
  },
});

makeManagersBy((options) => new PoolManager(options));
