/** What a node:http request asks of an agent, in the library's terms. */

import { lookup as lookupAddress } from "node:dns";
import type { ClientRequest } from "node:http";
import type { LookupFunction } from "node:net";
import { checkServerIdentity } from "node:tls";
import type { HTTPConnectionPool } from "../../client/connection-pool.ts";
import type { ProxyConfig } from "../../client/proxy.ts";
import { InvalidArgumentError } from "../../core/errors.ts";
import { HTTPHeaderDict } from "../../core/headers.ts";
import type { PoolKwargs, PoolOverrides } from "../../index.ts";
import type { TlsContexts } from "./tls-context.ts";

type Options = Readonly<Record<string, unknown>>;

/** What an agent takes its sockets from: a manager. */
export interface AgentBase {
  readonly connectionPoolKw: PoolKwargs;
  /** As `connectionFromHost`, for an origin such as `http://a.test:81`. */
  connectionFromOrigin(origin: string): HTTPConnectionPool;
  connectionFromHost(
    host: string,
    port?: number | null,
    scheme?: string | null,
    poolKwargs?: PoolOverrides | null,
  ): HTTPConnectionPool;
}

/** Options that change what goes over the wire, and that a pool has nothing for. */
const UNKNOWN = [
  "checkServerIdentity",
  "pskCallback",
  "requestOCSP",
  "enableTrace",
  "session",
  "hints",
  "allowPartialTrustChain",
];

/** Whether the request came through `https.request`: only node:https gives its own agent along. */
export function isHttps({ _defaultAgent, protocol }: Options): boolean {
  return (_defaultAgent as { protocol?: string } | undefined)?.protocol === "https:" || protocol === "https:";
}

/** As URLs have them. */
const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** The last origin that was made, and of what: mostly it is the same one again. */
let last: { https: boolean; host: unknown; port: unknown; origin: string } | null = null;

/** The origin of a request. */
export function originOf(options: Options): string {
  const https = isHttps(options);
  const host = options.hostname ?? options.host;
  const { port, href } = options;
  if (last !== null && last.host === host && last.port === port && last.https === https) return last.origin;
  const origin = makeOrigin(https ? "https" : "http", String(host ?? "localhost"), port, href);
  // Where the URL has been looked at, another one may give another port.
  last = https && Number(port) === 80 ? null : { https, host, port, origin };
  return origin;
}

/** node:http takes 80 for the default port, since the agent has none of its own. */
function makeOrigin(scheme: string, host: string, given: unknown, href: unknown): string {
  const origin = `${scheme}://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}`;
  let port = Number(given ?? 0);
  if (scheme === "https" && port === 80) port = portOf(href, host);
  return port === 0 || port === DEFAULT_PORTS[scheme] ? origin : `${origin}:${port}`;
}

/** The port that a URL says; 0 if it says none. */
function portOf(href: unknown, host: string): number {
  const given = typeof href === "string" && URL.canParse(href) ? new URL(href) : null;
  return given?.hostname === host ? Number(given.port) : 0;
}

/** The options of the pool for the request, `null` for none; its Host field is mended too. */
export function poolOptions(
  request: ClientRequest,
  options: Options,
  origin: string,
  contexts: TlsContexts,
): PoolOverrides | null {
  mendHost(request, origin);
  return socketOptions(options, contexts, isHttps(options) ? servername(request, options) : null);
}

/** Those of a socket to be opened; `null` for none. */
export function socketOptions(
  options: Options,
  contexts: TlsContexts,
  serverHostname: string | null = typeof options.servername === "string" ? options.servername || null : null,
): PoolOverrides | null {
  if (hasUnknown(options)) refuseUnknown(options);
  const found: Record<string, unknown> = {};
  const { socketPath, localAddress, localPort, lookup, family } = options;
  if (typeof socketPath === "string") found.socketPath = socketPath;
  if (localAddress)
    found.sourceAddress = localPort ? { address: localAddress, port: localPort } : localAddress;
  if (typeof lookup === "function") found.lookup = lookup;
  else if (family === 4 || family === 6) found.lookup = FAMILIES[family];
  if (isHttps(options)) Object.assign(found, contexts.poolOptions(options, serverHostname));
  for (const _name in found) return found as PoolOverrides;
  return null;
}

/** Whether one of them may be given. By their names: a loop over these took longer than all the rest. */
function hasUnknown(options: Options): boolean {
  const { checkServerIdentity: check, pskCallback, requestOCSP, enableTrace } = options;
  const { session, hints, allowPartialTrustChain } = options;
  const given =
    check ?? pskCallback ?? requestOCSP ?? enableTrace ?? session ?? hints ?? allowPartialTrustChain;
  return given !== undefined && given !== null;
}

function refuseUnknown(options: Options): void {
  for (const name of UNKNOWN) {
    const value = options[name];
    if (value === undefined || value === null || value === checkServerIdentity) continue;
    throw new InvalidArgumentError(`PoolAgent does not know the option '${name}'`);
  }
}

/** One for each, so that they compare by identity. */
const FAMILIES: Readonly<Record<4 | 6, LookupFunction>> = { 4: lookupOf(4), 6: lookupOf(6) };

function lookupOf(family: 4 | 6): LookupFunction {
  return (host, options, callback) => lookupAddress(host, { ...options, family }, callback as never);
}

/** The last Host field that was mended, and what it came to: it is mostly the same one again. */
let mended = { host: "", origin: "", bare: "" };

/** node:http has written the port 80 or 443, which it took for another than the default. */
function mendHost(request: ClientRequest, origin: string): void {
  const host = request.getHeader("host");
  if (typeof host !== "string" || request.headersSent) return;
  if (mended.host !== host || mended.origin !== origin)
    mended = { host, origin, bare: bareHost(host, origin) };
  if (mended.bare !== host) request.setHeader("Host", mended.bare);
}

function bareHost(host: string, origin: string): string {
  if (/:\d+$/.test(origin)) return host;
  return host.replace(origin.startsWith("https") ? /:(?:80|443)$/ : /:80$/, "");
}

/** As node:https has it: the option, or the name in the Host field. */
function servername(request: ClientRequest, options: Options): string | null {
  if (typeof options.servername === "string" && options.servername !== "") return options.servername;
  const field = request.getHeader("host");
  if (typeof field !== "string") return null;
  const name = field.startsWith("[") ? field.slice(1, field.indexOf("]")) : field.replace(/:\d*$/, "");
  return name === String(options.hostname ?? options.host) ? null : name;
}

/**
 * Whether a proxy can forward the request. A head that is written already (headers given as an array, Expect, a proxy that
 * was promised) cannot be given an absolute URL, and another protocol is spoken from end to end.
 */
export function mayBeForwarded(request: ClientRequest): boolean {
  return !request.headersSent && request.method !== "CONNECT" && !request.hasHeader("upgrade");
}

/** The options by which a proxy that would forward makes a tunnel. */
export function tunnelOnly({ connectionPoolKw: { proxyConfig } }: AgentBase): PoolOverrides {
  const given = proxyConfig as ProxyConfig | null | undefined;
  return { proxyConfig: { ...given, useForwardingForHttps: false, useTunnelForHttp: true } };
}

/** Gives the request an absolute URL, and the fields of its proxy. */
export function toAbsoluteForm(request: ClientRequest, pool: HTTPConnectionPool, origin: string): void {
  const url = origin + request.path;
  const { proxy } = pool.hop(url, url);
  // What is there stays; Accept is the caller's affair.
  const fields = proxy?.fields(new HTTPHeaderDict([["Accept", ""]]), request.method, url);
  for (const [name, value] of fields ?? []) if (name !== "Accept") request.setHeader(name, value);
  request.path = url;
}
