/** `ProxyManager`, `SOCKSProxyManager` and `proxyFromEnv`: managers whose requests go through proxies. */

import { HTTPConnectionPool } from "../client/connection-pool.ts";
import type { PoolManagerOptions, ProxyOptions } from "../client/options.ts";
import {
  type ProxyConfig,
  type ProxyUrl,
  parseHttpProxyUrl,
  parseProxyUrl,
  type SocksOptions,
  socksOptions,
} from "../client/proxy.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { HTTPHeaderDict } from "../core/headers.ts";
import { checkOptionsObject } from "../core/options.ts";
import { show } from "../core/shown.ts";
import { closest, plain } from "../core/spelling.ts";
import { bracketHost, Url } from "../core/url.ts";
import { PoolManager } from "./pool-manager.ts";
import { type Environment, proxyRules } from "./proxy-env.ts";

/** Options of a `ProxyManager`. */
export interface ProxyManagerOptions
  extends Omit<PoolManagerOptions, "proxy" | "proxyConfig" | "socksOptions"> {}

/** Options of a `SOCKSProxyManager`. */
export interface SOCKSProxyManagerOptions
  extends Omit<
    PoolManagerOptions,
    "proxy" | "proxyHeaders" | "proxyConfig" | "socksOptions" | keyof ProxyOptions
  > {
  /** Default: that of the proxy's URL. The user id of SOCKS4. */
  username?: string | null | undefined;
  /** Default: that of the proxy's URL. */
  password?: string | null | undefined;
}

/**
 * Sends all requests through one HTTP proxy (urllib3's `ProxyManager`): those for http origins are forwarded, over one
 * pool of connections to the proxy; those for https origins go through tunnels (CONNECT), one pool for each origin.
 *
 * Credentials in the proxy's URL and `proxyHeaders` go to the proxy only: with forwarded requests and with CONNECT.
 */
export class ProxyManager extends PoolManager {
  /** @internal Minifiers change the names of classes. */
  static override readonly name: string = "ProxyManager";
  /** The proxy's URL, without credentials. */
  readonly proxy: Url;
  // Behind accessors, so that neither `JSON.stringify` nor `util.inspect` shows credentials and key passwords.
  readonly #proxyHeaders: HTTPHeaderDict;
  readonly #proxyConfig: ProxyConfig;

  /**
   * `proxyUrl` may also be a pool: then its scheme, host and port are meant. Throws `ProxySchemeUnknown` unless it
   * begins with http:// or https://, `LocationValueError` without a host, `InvalidArgumentError` for bad options.
   */
  constructor(proxyUrl: ProxyUrl | HTTPConnectionPool, options: ProxyManagerOptions = {}) {
    checkOptionsObject(options, "a ProxyManager");
    const proxy = proxyUrl instanceof HTTPConnectionPool ? urlOf(proxyUrl) : parseHttpProxyUrl(proxyUrl);
    super({ ...options, proxy });
    this.proxy = new Url({ ...proxy, auth: null });
    this.#proxyHeaders = new HTTPHeaderDict(options.proxyHeaders);
    this.#proxyConfig = this.connectionPoolKw.proxyConfig ?? {};
  }

  /** The fields that go to the proxy only. */
  get proxyHeaders(): HTTPHeaderDict {
    return this.#proxyHeaders;
  }

  /** How the proxy is dealt with. */
  get proxyConfig(): ProxyConfig {
    return this.#proxyConfig;
  }
}

/**
 * Sends all requests through one SOCKS proxy (urllib3's `SOCKSProxyManager`): `socks5://`, `socks4://`, and `socks5h://`
 * and `socks4a://` where the proxy looks names up. Needs the package `socks`; without it requests reject with
 * `MissingDependencyError`. The origin's view is that of a direct connection; failures at the proxy are
 * `NewConnectionError`s.
 */
export class SOCKSProxyManager extends PoolManager {
  /** @internal Minifiers change the names of classes. */
  static override readonly name: string = "SOCKSProxyManager";
  /** Throws `ProxySchemeUnknown` for another scheme, `LocationValueError` without a host. */
  constructor(proxyUrl: ProxyUrl, options: SOCKSProxyManagerOptions = {}) {
    checkOptionsObject(options, "a SOCKSProxyManager");
    const { username, password, ...rest } = options;
    refuseOtherLogin(rest);
    const socks: SocksOptions = socksOptions(parseProxyUrl(proxyUrl), username, password);
    super({ ...rest, socksOptions: socks });
  }
}

/** What others call `username` and `password`; the names of options of one's own are legal. */
const OTHER_LOGIN: ReadonlyMap<string, string> = new Map([
  ["user", "username"],
  ["userid", "username"],
  ["login", "username"],
  ["pass", "password"],
  ["passwd", "password"],
]);

function refuseOtherLogin(options: object): void {
  for (const name of Object.keys(options)) {
    const meant = OTHER_LOGIN.get(plain(name)) ?? closest(name, ["username", "password"]);
    if (meant === undefined) continue;
    throw new InvalidArgumentError(
      `Unknown SOCKSProxyManager option ${show(name)}: did you mean ${show(meant)}?`,
    );
  }
}

/** The same as `new ProxyManager(proxyUrl, options)` (urllib3's `proxy_from_url`). */
export function proxyFromUrl(proxyUrl: ProxyUrl, options?: ProxyManagerOptions): ProxyManager {
  return new ProxyManager(proxyUrl, options);
}

/**
 * A manager that follows `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` (and their lower-case names) as they are
 * in `env` now; default `process.env`. A variable that cannot be used fails the requests that it applies to.
 */
export function proxyFromEnv(
  env: Environment = process.env,
  options: Omit<PoolManagerOptions, "proxy" | "socksOptions"> = {},
): PoolManager {
  return new PoolManager({ ...options, proxy: proxyRules({ ...env }) });
}

function urlOf({ scheme, host, port }: HTTPConnectionPool): Url {
  return new Url({ scheme, host: bracketHost(host), port });
}
