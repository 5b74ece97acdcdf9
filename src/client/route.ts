/**
 * The way of a pool's connections:
 *
 *  1. to the origin;
 *  2. to a proxy that forwards: for http, for an https proxy that is trusted with https requests, and for the pool of
 *     the proxy itself, which many http origins share;
 *  3. through a tunnel that an HTTP proxy opens (CONNECT), for https, and for http where that is asked for;
 *  4. through a SOCKS proxy.
 */

import type { Clock } from "../core/clock.ts";
import { InvalidArgumentError, LocationParseError } from "../core/errors.ts";
import { HTTPHeaderDict } from "../core/headers.ts";
import { bracketHost, type Url, withoutZone } from "../core/url.ts";
import type { ProxyTunnel, Route } from "../dial/connector.ts";
import type { Http2Route } from "../dial/protocols.ts";
import { ProxyAuth } from "../dial/proxy/auth.ts";
import { SocksTunnel } from "../dial/proxy/socks.ts";
import { ConnectTunnel, proxyFailure } from "../dial/proxy/tunnel.ts";
import { buildTlsSettings, type TlsOptions, type TlsSettings } from "../dial/tls/settings.ts";
import type { DefaultFields } from "../protocol/request-head.ts";
import type { PoolOptions } from "./options.ts";
import { numberOption } from "./options-table.ts";
import {
  credentialsOf,
  isSocks,
  parseHttpProxyUrl,
  parseProxyUrl,
  plainHost,
  portOf,
  proxyName,
  type SocksOptions,
  socksLogin,
  socksOptions,
} from "./proxy.ts";
import { ForwardedFields, type ProxyFields, TunnelledFields } from "./proxy-fields.ts";

/** What a route is planned for. */
export interface Origin {
  readonly scheme: string;
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  /** TLS with the origin; `null` for http. */
  readonly tls: (() => TlsSettings) | null;
  readonly defaults: DefaultFields;
}

/** How the requests of a pool travel. */
export interface Plan {
  readonly route: Route;
  /** What a proxy does to the fields of requests; `null` without one. */
  readonly proxy: ProxyFields | null;
  /** The proxy without credentials, for messages; `null` without one. */
  readonly proxyName: string | null;
}

/** Plans the route of a pool. Throws `InvalidArgumentError` and `ProxySchemeUnknown`. */
export function planRoute(origin: Origin, options: PoolOptions, clock: Clock): Plan {
  const proxy = proxyOf(options);
  if (proxy !== null) return planHttpProxy(origin, options, proxy);
  const socks = socksOf(options);
  if (socks !== null) return planSocks(origin, options, socks, clock);
  const route = { ...common(origin, origin.host, origin.port, options), tls: origin.tls };
  const http2 = http2Of(origin, options);
  return { route: { ...route, describeFailure: null, tunnel: null, http2 }, proxy: null, proxyName: null };
}

function proxyOf({ proxy }: PoolOptions): Url | null {
  if (proxy === undefined || proxy === null) return null;
  if (typeof proxy === "function") {
    throw new InvalidArgumentError("A pool has one route: only a manager can have a function as its proxy");
  }
  const url = parseProxyUrl(proxy);
  return isSocks(url) ? null : parseHttpProxyUrl(url);
}

function socksOf({ proxy, socksOptions: given }: PoolOptions): SocksOptions | null {
  if (given) return given;
  return proxy && typeof proxy !== "function" ? socksOptions(parseProxyUrl(proxy)) : null;
}

function common(
  { scheme, host: originHost, port: originPort }: Origin,
  host: string,
  port: number,
  options: PoolOptions,
): Pick<Route, "target" | "name" | "origin" | "connect" | "dial" | "maxHeaderSize"> {
  const { socketPath, socketOptions, sourceAddress, lookup, dnsCache, addressFilter, connect } = options;
  return {
    target: socketPath ? { socketPath } : { host, port },
    origin: { scheme, host: originHost, port: originPort },
    connect: connect ?? null,
    name: socketPath ?? `${bracketHost(host)}:${port}`,
    dial: { ...socketOptions, sourceAddress, lookup, dnsCache, addressFilter },
    maxHeaderSize: numberOption(options, "maxHeaderSize"),
  };
}

/** HTTP/2 is agreed on in TLS; over plain TCP it must be known before (RFC 9113 §3). */
function http2Of({ tls }: Origin, options: PoolOptions): Http2Route | null {
  const { http2 = false } = options;
  const priorKnowledge = http2 === "prior-knowledge";
  if (http2 === false || (tls === null && !priorKnowledge)) return null;
  return {
    priorKnowledge,
    maxStreams: numberOption(options, "h2MaxStreams"),
    pingInterval: numberOption(options, "pingInterval"),
  };
}

function planHttpProxy(origin: Origin, options: PoolOptions, proxy: Url): Plan {
  const host = plainHost(proxy.host!);
  const headers = options.proxyHeaders ? new HTTPHeaderDict(options.proxyHeaders) : null;
  const credentials = credentialsOf(proxy) ?? basicCredentials(headers);
  const auth = credentials === null ? null : new ProxyAuth(credentials);
  const route = {
    ...common(origin, host, portOf(proxy), options),
    tls: proxy.scheme === "https" ? () => buildTlsSettings(proxyTls(options), host) : null,
    describeFailure: proxyFailure(proxy),
  };
  if (isForwarded(origin, options, proxy)) {
    if (options.http2 === "prior-knowledge") {
      throw new InvalidArgumentError(
        'A proxy that forwards speaks HTTP/1.1: http2 cannot be "prior-knowledge"',
      );
    }
    const fields = new ForwardedFields(headers, auth);
    return { route: { ...route, tunnel: null, http2: null }, proxy: fields, proxyName: proxyName(proxy) };
  }
  const { defaults } = origin;
  const { maxHeaderSize } = route;
  const authority = `${bracketHost(origin.host)}:${origin.port}`;
  const settings = { authority, proxyHost: host, headers, auth, defaults, maxHeaderSize };
  const tunnel: ProxyTunnel = { tls: origin.tls, begin: () => new ConnectTunnel(settings) };
  const http2 = http2Of(origin, options);
  return { route: { ...route, tunnel, http2 }, proxy: new TunnelledFields(), proxyName: proxyName(proxy) };
}

function planSocks(origin: Origin, options: PoolOptions, socks: SocksOptions, clock: Clock): Plan {
  const { proxyHost, proxyPort, rdns } = socks;
  const { lookup, dnsCache, addressFilter } = options;
  const settings = {
    ...socksLogin(socks),
    host: socksHost(origin.host),
    port: origin.port,
    resolution: rdns ? null : { clock, lookup, dnsCache },
    addressFilter,
  };
  const tunnel: ProxyTunnel = { tls: origin.tls, begin: () => new SocksTunnel(settings) };
  const route = {
    ...common(origin, proxyHost, proxyPort, options),
    tls: null,
    describeFailure: null,
    tunnel,
    http2: http2Of(origin, options),
  };
  const scheme = `socks${socks.socksVersion}${socks.rdns ? (socks.socksVersion === 4 ? "a" : "h") : ""}`;
  return { route, proxy: null, proxyName: `${scheme}://${bracketHost(proxyHost)}:${proxyPort}` };
}

function isForwarded({ scheme, host, port }: Origin, { proxyConfig }: PoolOptions, proxy: Url): boolean {
  if (scheme === "http") return !proxyConfig?.useTunnelForHttp;
  if (proxy.scheme !== "https") return false;
  if (proxyConfig?.useForwardingForHttps) return true;
  return host === plainHost(proxy.host!) && port === portOf(proxy);
}

/** Most bytes of a name that the handshake has room for. */
const LONGEST_SOCKS_NAME = 255;

/** A host as a SOCKS proxy is asked for it. */
function socksHost(host: string): string {
  const name = withoutZone(host).replace(/\.$/, "");
  if (Buffer.byteLength(name) <= LONGEST_SOCKS_NAME) return name;
  throw new LocationParseError(`'${name}', a name longer than ${LONGEST_SOCKS_NAME} bytes`);
}

/** What governs TLS with the proxy: its own options, and the authorities where those name none. */
function proxyTls(options: PoolOptions): TlsOptions {
  const { caCerts, caCertDir, caCertData, sslContext, proxyConfig } = options;
  const own = proxyConfig?.tls ?? {};
  const { assertHostname = own.assertHostname, assertFingerprint = own.assertFingerprint } =
    proxyConfig ?? {};
  const trusts = own.sslContext ?? own.caCerts ?? own.caCertDir ?? own.caCertData;
  // A context for origins serves the proxy only where no origin is ever seen (as in urllib3).
  const shared =
    sslContext && proxyConfig?.useForwardingForHttps ? { sslContext } : { caCerts, caCertDir, caCertData };
  return { ...(trusts ? {} : shared), ...own, assertHostname, assertFingerprint };
}

/** Name and password of a Basic Proxy-Authorization, for a proxy that then asks for Digest. */
function basicCredentials(headers: HTTPHeaderDict | null): { username: string; password: string } | null {
  const value = headers?.get("proxy-authorization") ?? "";
  const [, encoded] = /^basic +([a-z0-9+/]+=*)$/i.exec(value) ?? [];
  if (encoded === undefined) return null;
  const [username = "", ...password] = Buffer.from(encoded, "base64").toString().split(":");
  return { username, password: password.join(":") };
}
