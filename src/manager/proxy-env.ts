/**
 * Which proxy, if any, the environment asks for: `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`.
 *
 * There is no standard for these variables; where clients differ, this follows curl, and is lenient where curl is
 * not (blanks as separators, ports, `*.`). Pure functions: nothing here reads `process.env`.
 */

import { isIPv4, isIPv6 } from "node:net";
import { domainToASCII } from "node:url";
import { InvalidArgumentError, LocationParseError } from "../core/errors.ts";

/** Environment variables, such as `process.env` or a copy of it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The parts of a request's URL that choose its proxy; without a `port` it is the scheme's own. */
export interface ProxyTarget {
  scheme: string | null;
  host: string | null;
  port?: number | null | undefined;
}

/** The proxy URL for a request's URL, or `null` for a direct connection. */
export type ProxyRule = (url: string | ProxyTarget) => string | null;

/** Whether requests to `host` (and `port`, if the list asks for one) go without a proxy. */
export type NoProxy = (host: string, port?: number | null) => boolean;

interface Variable {
  readonly name: string;
  readonly value: string;
}

interface Origin {
  readonly scheme: string;
  readonly host: string;
  readonly port: number | undefined;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };
const PROXY_SCHEMES: ReadonlySet<string> = new Set([
  "http",
  "https",
  "socks4",
  "socks4a",
  "socks5",
  "socks5h",
]);

/**
 * The proxy of `url` by the variables in `env`, or `null`: {@link proxyRules} for one URL.
 * @throws {InvalidArgumentError} if the value of the variable that applies cannot be used.
 * @throws {LocationParseError} if `url` is a text that is not an absolute URL.
 */
export function proxyForUrl(url: string | ProxyTarget, env: Environment): string | null {
  return proxyRules(env)(url);
}

/**
 * Reads the variables once, for many URLs:
 *
 * 1. `http_proxy` is for http URLs, `https_proxy` for https URLs, `all_proxy` for either if its own is not set;
 *    other schemes have no proxy. A value without a scheme means `http://`.
 * 2. The lower-case name comes before the upper-case one. Empty is the same as unset.
 * 3. `HTTP_PROXY` is ignored where `REQUEST_METHOD` is set: in a CGI program it is the client's `Proxy` header.
 * 4. What `no_proxy` lists has no proxy: see {@link parseNoProxy}.
 *
 * The rule throws an `InvalidArgumentError`, which names the variable and not its value, if the value that applies
 * is not the URL of an http, https or SOCKS proxy: an ill-formed value must not mean a direct connection.
 */
export function proxyRules(env: Environment): ProxyRule {
  const all = readVariable(env, "all_proxy");
  const proxies: Readonly<Record<string, Variable | undefined>> = {
    "http:": readHttpProxy(env) ?? all,
    "https:": readVariable(env, "https_proxy") ?? all,
  };
  const bypassed = parseNoProxy(readVariable(env, "no_proxy")?.value ?? "");
  const checked = new Map<Variable, string>();
  return (url) => {
    const { scheme, host, port } = originOf(url);
    const variable = proxies[scheme];
    if (variable === undefined || bypassed(host, port)) return null;
    const proxy = checked.get(variable) ?? proxyUrl(variable);
    checked.set(variable, proxy);
    return proxy;
  };
}

function readVariable(env: Environment, lower: string): Variable | undefined {
  for (const name of [lower, lower.toUpperCase()]) {
    const value = env[name]?.trim();
    if (value) return { name, value };
  }
  return undefined;
}

function readHttpProxy(env: Environment): Variable | undefined {
  if (env.REQUEST_METHOD === undefined) return readVariable(env, "http_proxy");
  // Windows finds HTTP_PROXY under the lower-case name too; its list of names has the real spelling.
  const own = Object.keys(env).includes("http_proxy") ? env.http_proxy : undefined;
  return readVariable({ http_proxy: own }, "http_proxy");
}

function originOf(url: string | ProxyTarget): Origin {
  if (typeof url !== "string") {
    const scheme = `${(url.scheme ?? "http").toLowerCase()}:`;
    return { scheme, host: url.host ?? "", port: url.port ?? DEFAULT_PORTS[scheme] };
  }
  if (!URL.canParse(url)) throw new LocationParseError(url);
  const { protocol, hostname, port } = new URL(url);
  return { scheme: protocol, host: hostname, port: port === "" ? DEFAULT_PORTS[protocol] : Number(port) };
}

function proxyUrl({ name, value }: Variable): string {
  const url = value.includes("://") ? value : `http://${value}`;
  const fault = proxyFault(url, value);
  if (fault === undefined) return url;
  throw new InvalidArgumentError(`The environment variable ${name} is not the URL of a proxy: ${fault}`);
}

/** What is wrong with a proxy's URL, in words that tell nothing of a password. */
function proxyFault(url: string, value: string): string | undefined {
  if (/[\s\x00-\x1f\x7f]/.test(url)) return "it has a blank or a control character in it";
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) return "it does not begin with a scheme or a host";
  if (!PROXY_SCHEMES.has(scheme)) {
    return `its scheme is ${scheme}, and can be ${[...PROXY_SCHEMES].join(", ")}`;
  }
  // "http:/proxy" and "http:proxy" would read as a host named http.
  if (url !== value && /^(https?|socks[45][ah]?):\D/i.test(value))
    return 'it lacks the "//" after its scheme';
  if (!/^[^:]+:\/\/[^/\\?#]/.test(url)) return "it has no host";
  if (!URL.canParse(url) || new URL(url).hostname === "") return "it has no valid host and port";
  return undefined;
}

/** Ports an entry is for; `null` is all of them. */
type Ports = Set<number> | null;

interface Address {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

interface Network extends Address {
  /** How many low bits are free. */
  readonly free: bigint;
}

interface NoProxyList {
  any: Ports | undefined;
  /** By name, or by {@link addressKey}. */
  readonly hosts: Map<string, Ports>;
  /** Length of the longest key of `hosts`. */
  longest: number;
  readonly networks: Network[];
}

/**
 * Compiles the value of `no_proxy`: entries separated by commas or blanks, each one of
 *
 * - `*`, anywhere in the list: every host;
 * - a name: itself and its subdomains; `.name` and `*.name` mean the same;
 * - an IPv4 or IPv6 address, the latter with or without brackets;
 * - a network such as `10.0.0.0/8` or `fd00::/8`: the addresses in it (names are not resolved).
 *
 * All but a network can end in `:port` (an IPv6 address then needs its brackets) and hold for that port only.
 * Case, trailing dots and IPv6 zones do not matter, names compare as IDNA A-labels, an IPv4-mapped IPv6 address is
 * its IPv4 address, and loopback is not special. An entry that is none of these matches nothing.
 */
export function parseNoProxy(text: string): NoProxy {
  const list: NoProxyList = { any: undefined, hosts: new Map(), longest: 0, networks: [] };
  for (const entry of text.split(/[\s,]+/)) if (entry !== "") addEntry(list, entry);
  return (host, port) => matches(list, host, port ?? undefined);
}

function addEntry(list: NoProxyList, entry: string): void {
  if (entry.includes("/")) {
    const network = parseNetwork(entry);
    if (network !== undefined) list.networks.push(network);
    return;
  }
  const { host, port } = splitPort(entry);
  if (host === "*") {
    list.any = withPort(list.any, port);
    return;
  }
  const name = host.replace(/^(\*?\.)+/, "");
  const key = hostKey(name);
  if (key === "") return;
  list.hosts.set(key, withPort(list.hosts.get(key), port));
  list.longest = Math.max(list.longest, key.length);
}

function withPort(ports: Ports | undefined, port: number | undefined): Ports {
  if (port === undefined || ports === null) return null;
  return new Set(ports).add(port);
}

/** Where something else stands in its place, `port` is NaN: that is no request's port. */
function splitPort(entry: string): { host: string; port: number | undefined } {
  const colon = entry.lastIndexOf(":");
  if (colon < 0 || entry.endsWith("]") || isIPv6(entry)) return { host: entry, port: undefined };
  const digits = entry.slice(colon + 1);
  return { host: entry.slice(0, colon), port: /^\d+$/.test(digits) ? Number(digits) : Number.NaN };
}

function matches(list: NoProxyList, host: string, port: number | undefined): boolean {
  if (hasPort(list.any, port)) return true;
  if (list.hosts.size === 0 && list.networks.length === 0) return false;
  const name = hostName(host);
  const address = parseAddress(name);
  if (address === undefined) return matchesName(list, name, port);
  if (hasPort(list.hosts.get(addressKey(address)), port)) return true;
  return list.networks.some((network) => contains(network, address));
}

function matchesName(list: NoProxyList, name: string, port: number | undefined): boolean {
  // A name from a redirect can have thousands of labels: look up only what can be listed.
  for (let at = 0; ; ) {
    if (name.length - at <= list.longest && hasPort(list.hosts.get(name.slice(at)), port)) return true;
    at = name.indexOf(".", at) + 1;
    if (at === 0) return false;
  }
}

function hasPort(ports: Ports | undefined, port: number | undefined): boolean {
  if (ports === undefined) return false;
  return ports === null || (port !== undefined && ports.has(port));
}

function hostKey(host: string): string {
  const name = hostName(host);
  const address = parseAddress(name);
  return address === undefined ? name : addressKey(address);
}

/** `host` in the one spelling that is compared: without brackets, zone and trailing dots, in lower-case A-labels. */
function hostName(host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  if (isIPv6(bare)) return bare.replace(/%.*$/, "");
  // The platform reads 0x7f.1 as an address too: a host whose last label is a number.
  const special = /[^\x00-\x7f]|(^|\.)(\d+|0x[0-9a-f]*)\.?$/i.test(bare);
  const name = (special && domainToASCII(bare)) || bare;
  return withoutTrailingDots(name).toLowerCase();
}

function withoutTrailingDots(name: string): string {
  let end = name.length;
  while (end > 0 && name[end - 1] === ".") end -= 1;
  return name.slice(0, end);
}

function parseNetwork(entry: string): Network | undefined {
  const [, host = "", length = ""] = /^([^/]+)\/(\d{1,3})$/.exec(entry) ?? [];
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  const mapped = isIPv6(bare) && parseAddress(bare)?.family === 4;
  const address = parseAddress(bare);
  const width = address?.family === 4 ? 32 : 128;
  const prefix = Number(length) - (mapped ? 96 : 0);
  if (address === undefined || prefix < 0 || prefix > width) return undefined;
  return { ...address, free: BigInt(width - prefix) };
}

function contains(network: Network, address: Address): boolean {
  if (network.family !== address.family) return false;
  return network.bits >> network.free === address.bits >> network.free;
}

/** The address that `text` spells, an IPv4-mapped one as IPv4 (RFC 4291 section 2.5.5.2); else `undefined`. */
function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, bits: ipv4Bits(text) };
  if (!isIPv6(text)) return undefined;
  const bits = ipv6Bits(text.replace(/%.*$/, ""));
  return bits >> 32n === 0xffffn ? { family: 4, bits: bits & 0xffff_ffffn } : { family: 6, bits };
}

/** A key that no name can be. */
function addressKey(address: Address): string {
  return `IPv${address.family}/${address.bits.toString(16)}`;
}

function ipv4Bits(text: string): bigint {
  return text.split(".").reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);
}

function ipv6Bits(text: string): bigint {
  const [head = "", tail] = text.split("::");
  const left = ipv6Groups(head);
  const right = ipv6Groups(tail ?? "");
  const zeros = new Array<bigint>(8 - left.length - right.length).fill(0n);
  return [...left, ...zeros, ...right].reduce((bits, group) => (bits << 16n) | group, 0n);
}

function ipv6Groups(text: string): bigint[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!group.includes(".")) return [BigInt(`0x${group}`)];
    const bits = ipv4Bits(group);
    return [bits >> 16n, bits & 0xffffn];
  });
}
