/** Proxies as callers name them: URLs, and what goes with them. */

import {
  InvalidArgumentError,
  LocationParseError,
  LocationValueError,
  ProxySchemeUnknown,
} from "../core/errors.ts";
import { percentDecode } from "../core/percent.ts";
import { kindOf, show } from "../core/shown.ts";
import { DEFAULT_PORTS, normalizeHost, parseUrl, Url } from "../core/url.ts";
import type { SocksSettings } from "../dial/proxy/socks.ts";
import type { TlsOptions } from "../dial/tls/settings.ts";

/** The URL of a proxy; credentials in it are for the proxy. */
export type ProxyUrl = string | URL | Url;

/** Chooses the proxy of a request, by its absolute URL; `null` for none. */
export type ProxyFunction = (
  url: string,
) => ProxyUrl | null | undefined | Promise<ProxyUrl | null | undefined>;

/** How a pool deals with its HTTP proxy (urllib3's `ProxyConfig`). */
export interface ProxyConfig {
  /** TLS with an https proxy. Authorities not given here are those for origins; nothing else is shared with them. */
  tls?: TlsOptions | null | undefined;
  /** Send requests for https origins to an https proxy in the clear, instead of through a tunnel. Default false. */
  useForwardingForHttps?: boolean | undefined;
  /** Send requests for http origins through a tunnel too: the proxy sees no more than the origin's name. Default false. */
  useTunnelForHttp?: boolean | undefined;
  /** The name the proxy's certificate must be for; `false` for any. */
  assertHostname?: string | false | null | undefined;
  /** The fingerprint the proxy's certificate must have. */
  assertFingerprint?: string | null | undefined;
}

/** A SOCKS proxy (urllib3's `_socks_options`). */
export interface SocksOptions {
  socksVersion: 4 | 5;
  proxyHost: string;
  proxyPort: number;
  /** The user id of SOCKS4. */
  username?: string | null | undefined;
  password?: string | null | undefined;
  /** Whether the proxy looks names up. */
  rdns: boolean;
}

/** Name and password in a URL, percent-decoded; `null` where there are none. */
export function credentialsOf({ auth }: Url): { username: string; password: string } | null {
  if (auth === null || auth === "") return null;
  const colon = auth.indexOf(":");
  if (colon === -1) return { username: percentDecode(auth), password: "" };
  return {
    username: percentDecode(auth.slice(0, colon)),
    password: percentDecode(auth.slice(colon + 1)),
  };
}

/** What to do about {@link hasUnencodedUserinfo}, in words that tell nothing of a password. */
export const UNENCODED_USERINFO: string =
  'it has an "@" behind its host: a "/", "?", "#" or "\\" in the user name or password must be written %2F, %3F, %23 or %5C';

/** Whether a user name or password seems to end the authority of the URL too early. */
export function hasUnencodedUserinfo(url: string): boolean {
  const start = url.indexOf("://") + 3;
  const length = url.slice(start).search(/[/?#\\]/);
  return length !== -1 && url.includes("@", start + length);
}

/** Reads a proxy's URL. Throws `ProxySchemeUnknown` if it has no scheme, `LocationValueError` if no host. */
export function parseProxyUrl(proxy: ProxyUrl): Url {
  if (proxy instanceof Url) return proxy;
  const text = proxy instanceof URL ? proxy.href : proxy;
  if (typeof text !== "string") {
    throw new InvalidArgumentError(
      `The URL of a proxy must be a string or a URL, such as "http://proxy.test:3128", not ${kindOf(text)}`,
    );
  }
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    const shown = text.includes("@") ? "" : `, not ${show(text)}`;
    const message = `Proxy URL had no scheme, should start with http:// or https://${shown}`;
    throw new ProxySchemeUnknown("", { message });
  }
  if (typeof proxy === "string" && hasUnencodedUserinfo(text)) {
    throw new LocationParseError(`the URL of the proxy: ${UNENCODED_USERINFO}`);
  }
  const url = parseUrl(text);
  if (url.host) return url;
  throw new LocationValueError("Proxy URL has no host");
}

/** As {@link parseProxyUrl}; throws `ProxySchemeUnknown` unless it is the URL of an HTTP proxy. */
export function parseHttpProxyUrl(proxy: ProxyUrl): Url {
  const url = parseProxyUrl(proxy);
  if (url.scheme === "http" || url.scheme === "https") return url;
  const hint = isSocks(url) ? ", or SOCKSProxyManager" : "";
  const message = `Proxy URL had unsupported scheme ${url.scheme}, should use http:// or https://${hint}`;
  throw new ProxySchemeUnknown(url.scheme ?? "", { message });
}

/** Port of a proxy, its scheme's where the URL names none. */
export function portOf(url: Url): number {
  return url.port ?? DEFAULT_PORTS[url.scheme ?? "http"] ?? SOCKS_PORT;
}

const SOCKS_PORT = 1080;

/** Scheme -> version, and whether the proxy looks names up. */
const SOCKS_SCHEMES: ReadonlyMap<string, readonly [4 | 5, boolean]> = new Map([
  ["socks4", [4, false]],
  ["socks4a", [4, true]],
  ["socks5", [5, false]],
  ["socks5h", [5, true]],
]);

/** Whether it is the URL of a SOCKS proxy. */
export function isSocks(url: Url): boolean {
  return SOCKS_SCHEMES.has(url.scheme ?? "");
}

/** The options of a SOCKS proxy; credentials in the URL count if none are given. Throws `ProxySchemeUnknown`. */
export function socksOptions(
  url: Url,
  username: string | null | undefined = null,
  password: string | null | undefined = null,
): SocksOptions {
  const kind = SOCKS_SCHEMES.get(url.scheme ?? "");
  if (kind === undefined) {
    const message = `Unable to determine SOCKS version from the scheme ${url.scheme}, should be one of ${[...SOCKS_SCHEMES.keys()].join(", ")}`;
    throw new ProxySchemeUnknown(url.scheme ?? "", { message });
  }
  const given = username === null && password === null ? credentialsOf(url) : { username, password };
  const [socksVersion, rdns] = kind;
  // Hosts of URLs with other schemes than http and https are taken as they stand.
  const proxyHost = normalizeHost(plainHost(url.host!), "http");
  const options = { socksVersion, rdns, proxyHost, proxyPort: portOf(url), ...given };
  checkSocksLogin(options);
  return options;
}

/** RFC 1929 has one byte for the length of a user name and of a password. */
const LONGEST_SOCKS5_LOGIN = 255;

/** Throws `InvalidArgumentError` for what the protocol cannot carry. */
function checkSocksLogin({ socksVersion, username, password }: SocksOptions): void {
  for (const [what, value] of [
    ["user name", username],
    ["password", password],
  ] as const) {
    if (value === undefined || value === null) continue;
    if (typeof value !== "string") {
      throw new InvalidArgumentError(`The ${what} for a SOCKS proxy must be a string, not ${kindOf(value)}`);
    }
    const bytes = Buffer.byteLength(value);
    if (socksVersion === 5 && bytes > LONGEST_SOCKS5_LOGIN) {
      const limit = `at most ${LONGEST_SOCKS5_LOGIN} bytes`;
      throw new InvalidArgumentError(`The ${what} for a SOCKS5 proxy must have ${limit}, not ${bytes}`);
    }
    // It ends the user id of SOCKS4: what follows would be read as the host. Many servers end any text there.
    if (value.includes("\0"))
      throw new InvalidArgumentError(`The ${what} for a SOCKS proxy must not have a NUL in it`);
  }
}

/** What of {@link SocksOptions} the handshake needs. Throws `InvalidArgumentError` for what the protocol cannot carry. */
export function socksLogin(options: SocksOptions): Pick<SocksSettings, "version" | "username" | "password"> {
  checkSocksLogin(options);
  const { socksVersion: version, username = null, password = null } = options;
  return { version, username, password };
}

/** An IPv6 address without its brackets. */
export function plainHost(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

/** Scheme, host and port of a proxy, for messages. */
export function proxyName(url: Url): string {
  return `${url.scheme}://${url.host}:${portOf(url)}`;
}
