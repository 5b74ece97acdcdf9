/** `HTTPConnectionPool` and `HTTPSConnectionPool`: one scheme, host and port, usable alone or through a manager. */

import { type InspectOptions, inspect } from "node:util";
import { defaultAcceptEncoding } from "../body/make-headers.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { USER_AGENT } from "../core/defaults.ts";
import {
  ClosedPoolError,
  HostChangedError,
  InvalidArgumentError,
  LocationValueError,
} from "../core/errors.ts";
import type { HeaderSource } from "../core/headers.ts";
import { logIfAsked } from "../core/trace.ts";
import {
  bracketHost,
  DEFAULT_PORTS,
  encodeTarget,
  normalizeHost,
  parseUrl,
  shownUrl,
  type Url,
  type UrlLike,
  urlText,
  withoutZone,
} from "../core/url.ts";
import { type Connecting, Connector, type ConnectRequest, type Route } from "../dial/connector.ts";
import { buildTlsSettings, type TlsSettings } from "../dial/tls/settings.ts";
import { openWire } from "../dial/wire.ts";
import { Pool } from "../pool/pool.ts";
import type { DefaultFields, PlainFields } from "../protocol/request-head.ts";
import type { PoolOptions, UrlopenOptions } from "./options.ts";
import { numberOption } from "./options-table.ts";
import { agentStats, openStreams, type PoolStats } from "./pool-stats.ts";
import { type Destination, isEmpty, prepareCall, type RequestSpec } from "./request.ts";
import { NO_OPTIONS, RequestMethods, refuse } from "./request-methods.ts";
import { type Router, runRequest } from "./request-run.ts";
import type { HTTPResponse } from "./response/response.ts";
import { type Plan, planRoute } from "./route.ts";
import { type CallSettings, checkPoolOptions, poolSettings } from "./settings.ts";
import { SharedResources } from "./shared-resources.ts";

/** What a pool gets from the manager that made it. */
export interface PoolOwner {
  readonly shared: SharedResources;
  /** Finds the pools of redirects. */
  readonly router?: Router | undefined;
  /** Header fields of requests that bring none of their own. */
  readonly headers?: HeaderSource | null | undefined;
  /** Options of the user's own that requests may have. */
  readonly ownOptions?: ReadonlySet<string> | undefined;
  /** The pool takes no requests any more. */
  closed?(pool: HTTPConnectionPool): void;
}

/** Connections to one host and port over HTTP (urllib3's `HTTPConnectionPool`). */
export class HTTPConnectionPool extends RequestMethods {
  /** @internal Minifiers change the names of classes. */
  static override readonly name: string = "HTTPConnectionPool";
  /** Host without brackets, normalised. */
  readonly host: string;
  readonly port: number;
  #headers: HeaderSource | null | undefined;
  #numRequests = 0;
  #closed = false;
  readonly #options: PoolOptions;
  #owner!: PoolOwner;
  #shared!: SharedResources;
  #pool!: Pool;
  #wires: Pool | null = null;
  #plan!: Plan;
  #settings!: CallSettings;
  readonly #hostField: string;
  readonly #plain: PlainFields;
  #plainGet: RequestSpec | null = null;
  readonly #defaults: DefaultFields;

  /**
   * `port` defaults to the scheme's. Throws `LocationValueError` without a host, `LocationParseError` for one that
   * cannot be, `InvalidArgumentError` for bad options.
   */
  constructor(host: string, port?: number | null, given: PoolOptions | null = {}) {
    super();
    const options = given ?? {};
    logIfAsked();
    checkPoolOptions(options);
    if (typeof host !== "string" || host === "") throw new LocationValueError("No host specified.");
    this.host = normalizeHost(host.replace(/^\[(.*)\]$/, "$1"), this.scheme);
    this.port = checkPort(port ?? DEFAULT_PORTS[this.scheme] ?? 80);
    this.#headers = options.headers ?? undefined;
    this.#options = options;
    this.#hostField = hostField(this.host, this.port, this.scheme);
    this.#defaults = { acceptEncoding: defaultAcceptEncoding(), userAgent: USER_AGENT };
    this.#plain = { defaults: this.#defaults, text: null };
    const shared = new SharedResources(numberOption(options, "maxConnections"), options.clock ?? systemClock);
    this.attach({ shared });
  }

  /** @internal Makes it one of the pools of `owner`; before its first request. */
  attach(owner: PoolOwner): void {
    this.#owner = owner;
    this.#shared = owner.shared;
    this.#settings = poolSettings(this.#options, owner.ownOptions);
    this.#plainGet = null;
    const tls = this.tls(this.#options);
    const origin = { scheme: this.scheme, host: this.host, port: this.port, tls, defaults: this.#defaults };
    this.#plan = planRoute(origin, this.#options, owner.shared.clock);
    this.#pool = this.#createPool();
  }

  /** Fields of requests that bring none of their own. Default: those of the manager that made the pool. */
  override get headers(): HeaderSource | null | undefined {
    if (this.#headers === undefined && this.#owner.router === undefined) this.#headers = {};
    return this.#headers === undefined ? this.#owner.headers : this.#headers;
  }

  override set headers(headers: HeaderSource | null | undefined) {
    this.#headers = headers;
  }

  get scheme(): string {
    return "http";
  }

  /** The time that everything here goes by: the option `clock` of the pool, or of the manager that made it. */
  get clock(): Clock {
    return this.#shared.clock;
  }

  /** Connections opened so far. */
  get numConnections(): number {
    return this.#pool.counters.created;
  }

  /** Requests begun so far; retries and redirects count. */
  get numRequests(): number {
    return this.#numRequests;
  }

  /** Connections open and not in use. */
  get numIdle(): number {
    return this.#pool.idle;
  }

  /** Connections in use. */
  get numBusy(): number {
    return this.#pool.busy;
  }

  /** Requests that wait for a connection. */
  get numQueued(): number {
    return this.#pool.queued;
  }

  /**
   * Makes a request for a path, or for a URL of this pool's own host.
   * Rejects with `HostChangedError` for another host, `ClosedPoolError` after `close`.
   */
  urlopen(method: string, url: UrlLike, options?: UrlopenOptions | null): Promise<HTTPResponse> {
    const given = options ?? NO_OPTIONS;
    try {
      const text = urlText(url);
      if (this.#closed) throw new ClosedPoolError(`${this}: Pool is closed.`, { phase: "pool" });
      const call = this.prepare(method, given, this.headers);
      return runRequest(call, this.#firstHop(text, call.settings), this.#router(call.settings));
    } catch (error) {
      return refuse(error, method, isPath(url) ? `${this.scheme}://${this.#hostField}${url}` : url, given);
    }
  }

  /** Whether `close` was called. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Whether `url` is a path, or has this pool's scheme, host and port. */
  isSameHost(url: UrlLike): boolean {
    return isPath(url) || this.#owns(parseUrl(url));
  }

  /** Closes idle connections now, and those in use when their requests have ended. New requests are refused. */
  close(): void {
    this.#closed = true;
    this.dismiss();
    this.#owner.closed?.(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** As `close`, then waits for the requests under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.#shared.quiet();
  }

  /** `scheme://host:port` */
  get origin(): string {
    return `${this.scheme}://${bracketHost(this.host)}:${this.port}`;
  }

  /** A plain snapshot of what it does. */
  stats(): PoolStats {
    const streams = openStreams(this.#pool);
    return {
      origin: this.origin,
      proxy: this.proxy,
      idle: this.numIdle,
      busy: this.numBusy,
      queued: this.numQueued,
      numConnections: this.numConnections,
      numRequests: this.numRequests,
      ...(streams.length === 0 ? {} : { streams }),
      ...(this.#wires === null ? {} : { agent: agentStats(this.#wires) }),
    };
  }

  /** As `stats`: headers and options may hold credentials. */
  toJSON(): PoolStats {
    return this.stats();
  }

  override toString(): string {
    return `${this.constructor.name}(host='${this.host}', port=${this.port})`;
  }

  /** @internal The manager has dropped it: it still serves requests, but keeps no connection. */
  retire(): void {
    this.#pool.retire();
    this.#wires?.retire();
    this.#shared.sweep();
  }

  /** @internal As `retire`, for good: each connection closes with the last answer that it brings. */
  dismiss(): void {
    this.#pool.dismiss();
    this.#wires?.dismiss();
    this.#shared.sweep();
  }

  /** @internal Keeps connections again: the manager has taken it back. */
  revive(): void {
    this.#pool.revive();
    this.#wires?.revive();
  }

  get inner(): Pool {
    return this.#pool;
  }

  /** @internal A second pool of the same way, of bare sockets: for protocols that others speak. */
  get wires(): Pool {
    this.#wires ??= this.#createPool(openWire);
    return this.#wires;
  }

  /** @internal How long requests wait for a place and for a connection, in ms. */
  get limits(): Pick<CallSettings, "poolTimeout" | "connectTimeout"> {
    return this.#settings;
  }

  /** @internal A checked call. */
  prepare(method: string, options: UrlopenOptions, defaults: HeaderSource | null | undefined): RequestSpec {
    // Most requests: all that is asked for is the same.
    if (method === "GET" && options === NO_OPTIONS && isEmpty(defaults)) {
      this.#plainGet ??= prepareCall(this.#settings, method, options, null);
      return this.#plainGet;
    }
    return prepareCall(this.#settings, method, options, defaults);
  }

  /** The proxy on the way, without credentials, such as `http://proxy.test:3128`; `null` without one. */
  get proxy(): string | null {
    return this.#plan.proxyName;
  }

  /** @internal Whether requests are sent to a proxy to be forwarded. */
  get forwards(): boolean {
    return this.#plan.proxy?.forwards ?? false;
  }

  /** @internal A hop to `target`, which is that of the absolute `url`, on this pool. */
  hop(target: string, url: string, host: string = this.#hostField): Destination {
    const { proxy } = this.#plan;
    const forwarded = proxy?.forwards ?? false;
    return {
      pool: this.#pool,
      target: forwarded ? withoutZone(url) : target,
      scheme: this.scheme,
      host: host === this.#hostField ? host : withoutZone(host),
      url,
      plain: host === this.#hostField && !forwarded ? this.#plain : null,
      defaults: this.#defaults,
      proxy,
      count: this.#count,
      plainGet: null,
    };
  }

  /** TLS of this pool's connections; `null` for none. */
  protected tls(_options: PoolOptions): (() => TlsSettings) | null {
    return null;
  }

  readonly #count = (): void => {
    this.#numRequests++;
  };

  #createPool(open: (connector: Connector, request: ConnectRequest) => Connecting = connect): Pool {
    const { clock, timers, budget, totals, protocols } = this.#shared;
    const options = this.#options;
    const { route } = this.#plan;
    const connector = new Connector(route, clock, timers);
    const origin = `${this.scheme}://${this.#hostField} ${route.name}`;
    const mayShare = open === connect && route.http2 !== null;
    return new Pool({
      maxsize: numberOption(options, "maxsize"),
      block: options.block ?? true,
      keepAliveTimeout: numberOption(options, "keepAliveTimeout"),
      connectionMaxAge: numberOption(options, "connectionMaxAge"),
      clock,
      timers,
      budget,
      totals,
      name: `${this}`,
      expected: mayShare ? protocols.recall(origin) : 1,
      ...(mayShare ? { learned: (capacity) => protocols.remember(origin, capacity) } : {}),
      dialPace: hasTls(route) ? HANDSHAKE_PACE : 0,
      dial: (request) => open(connector, request),
      asksCaller: [options.lookup, options.addressFilter, options.connect].some((own) => own != null),
    });
  }

  #firstHop(url: string, settings: CallSettings): Destination {
    if (isPath(url)) {
      const target = encodeTarget(url);
      return this.hop(target, `${this.scheme}://${this.#hostField}${target}`);
    }
    return this.#urlHop(parseUrl(url), url, settings);
  }

  #urlHop(url: Url, text: string, settings: CallSettings): Destination {
    if (this.#owns(url))
      return this.hop(url.requestUri, `${this.scheme}://${this.#hostField}${url.requestUri}`);
    if (!settings.assertSameHost) return this.#foreignHop(url, text);
    throw new HostChangedError(`${this}: Tried to open a foreign host with url: ${shownUrl(url)}`, {
      phase: "request",
    });
  }

  /** The caller says that this pool's host knows what to do with the URL, as a proxy would. */
  #foreignHop(url: Url, text: string): Destination {
    const origin = `${this.scheme}://${this.#hostField}`;
    if (text === "*") return this.hop("*", origin);
    if (url.host === null) return this.hop(url.requestUri, origin + url.requestUri);
    const target = `${url.scheme ?? "http"}://${url.netloc}${url.requestUri}`;
    return this.hop(withoutZone(target), target, url.netloc!);
  }

  /** Where redirects lead: elsewhere only if the caller says so, and by the manager if there is one. */
  #router(settings: CallSettings): Router {
    const { router } = this.#owner;
    if (router !== undefined && !settings.assertSameHost) return router;
    return {
      hop: (url) => this.#urlHop(url, url.toString(), settings),
      waitsOnRedirect: true,
      shared: this.#shared,
    };
  }

  #owns(url: Url): boolean {
    const scheme = url.scheme ?? "http";
    if (scheme !== this.scheme || url.host === null) return false;
    return (
      url.host.replace(/^\[(.*)\]$/, "$1") === this.host && (url.port ?? DEFAULT_PORTS[scheme]) === this.port
    );
  }
}

// Not a method: the compiler cannot declare one whose name comes from another module.
Object.defineProperty(HTTPConnectionPool.prototype, inspect.custom, {
  value(this: HTTPConnectionPool, _depth: number, options: InspectOptions): string {
    const { origin: _origin, ...stats } = this.stats();
    return `${this} ${inspect(stats, options)}`;
  },
});

/** Connections to one host and port over HTTPS (urllib3's `HTTPSConnectionPool`). */
export class HTTPSConnectionPool extends HTTPConnectionPool {
  /** @internal Minifiers change the names of classes. */
  static override readonly name: string = "HTTPSConnectionPool";
  override get scheme(): string {
    return "https";
  }

  protected override tls(options: PoolOptions): () => TlsSettings {
    return () => buildTlsSettings(options, this.host);
  }
}

/** A pool for the scheme, host and port of `url` (urllib3's `connection_from_url`). */
export function connectionFromUrl(url: UrlLike, options: PoolOptions = {}): HTTPConnectionPool {
  const { scheme, host, port } = parseUrl(url);
  const PoolClass = scheme === "https" ? HTTPSConnectionPool : HTTPConnectionPool;
  return new PoolClass(host ?? "", port, options);
}

function connect(connector: Connector, request: ConnectRequest): Connecting {
  return connector.connect(request);
}

/** About what a handshake takes with a server that is near, in ms. */
const HANDSHAKE_PACE = 5;

function hasTls({ tls, tunnel }: Route): boolean {
  return tls !== null || (tunnel !== null && tunnel.tls !== null);
}

function hostField(host: string, port: number, scheme: string): string {
  const name = bracketHost(host.replace(/\.+$/, ""));
  return port === DEFAULT_PORTS[scheme] ? name : `${name}:${port}`;
}

function isPath(url: UrlLike): boolean {
  return typeof url === "string" && url.startsWith("/");
}

function checkPort(port: number): number {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new InvalidArgumentError(`port must be a whole number from 0 to 65535, not ${port}`);
}
