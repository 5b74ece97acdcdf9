/**
 * Which proxy, if any, the environment asks for: `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`.
 *
 * There is no standard for these variables; where clients differ, this follows curl, and is lenient where curl is
 * not (blanks as separators, ports, `*.`). Pure functions: nothing here reads `process.env`.
 */

import { isIPv6 } from "node:net";
import { domainToASCII } from "node:url";
import { hasUnencodedUserinfo, parseProxyUrl, plainHost, UNENCODED_USERINFO } from "../client/proxy.ts";
import { InvalidArgumentError, LocationParseError } from "../core/errors.ts";
import { packIP } from "../core/ip-address.ts";
import { DEFAULT_PORTS, parseUrl } from "../core/url.ts";

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
  const proxies = new Map([
    ["http", readHttpProxy(env) ?? all],
    ["https", readVariable(env, "https_proxy") ?? all],
  ]);
  const bypassed = parseNoProxy(readVariable(env, "no_proxy")?.value ?? "");
  const checked = new Map<Variable, string>();
  return (url) => {
    const { scheme, host, port } = originOf(url);
    const variable = proxies.get(scheme);
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
  const parsed = typeof url === "string" ? parseUrl(url) : url;
  if (typeof url === "string" && !isAbsolute(parsed)) throw new LocationParseError(url);
  const scheme = (parsed.scheme ?? "http").toLowerCase();
  return { scheme, host: parsed.host ?? "", port: parsed.port ?? DEFAULT_PORTS[scheme] };
}

function isAbsolute({ scheme, host }: ProxyTarget): boolean {
  if (scheme === "http" || scheme === "https") return Boolean(host);
  return scheme !== null;
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
  if (hasUnencodedUserinfo(url)) return UNENCODED_USERINFO;
  return isProxyUrl(url) ? undefined : "it has no valid host and port";
}

function isProxyUrl(url: string): boolean {
  try {
    return parseProxyUrl(url).host !== null;
  } catch {
    return false;
  }
}

/** Ports an entry is for; `null` is all of them. */
type Ports = Set<number> | null;

/** An address as its 4 or 16 bytes. */
type Address = Uint8Array;

interface Network {
  readonly address: Address;
  /** How many bits at its beginning count. */
  readonly length: number;
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
  const bare = plainHost(host);
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
  const [, host = "", digits = ""] = /^([^/]+)\/(\d{1,3})$/.exec(entry) ?? [];
  const bare = plainHost(host);
  const address = parseAddress(bare);
  if (address === undefined) return undefined;
  const mapped = isIPv6(bare) && address.length === 4;
  const length = Number(digits) - (mapped ? 96 : 0);
  return length >= 0 && length <= address.length * 8 ? { address, length } : undefined;
}

function contains({ address: network, length }: Network, address: Address): boolean {
  if (network.length !== address.length) return false;
  const whole = length >> 3;
  const mask = 0xff00 >> (length & 7);
  for (let i = 0; i < whole; i++) if (network[i] !== address[i]) return false;
  return (length & 7) === 0 || ((network[whole]! ^ address[whole]!) & mask & 0xff) === 0;
}

/** The address that `text` spells, an IPv4-mapped one as IPv4 (RFC 4291 §2.5.5.2); else `undefined`. */
function parseAddress(text: string): Address | undefined {
  const bytes = packIP(text);
  if (bytes === null) return undefined;
  const mapped = bytes.length === 16 && Buffer.from(bytes).toString("hex", 0, 12) === MAPPED_PREFIX;
  return mapped ? bytes.subarray(12) : bytes;
}

const MAPPED_PREFIX = "00000000000000000000ffff";

/** A key that no name can be. */
function addressKey(address: Address): string {
  return `address/${Buffer.from(address).toString("hex")}`;
}
