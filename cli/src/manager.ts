/** Options of the shell to a manager. */

import { type LookupAddress, lookup as systemLookup } from "node:dns";
import { accessSync, constants } from "node:fs";
import { isIP, type LookupFunction } from "node:net";
import { disableWarnings, type PoolManager, type PoolManagerOptions, proxyFromEnv, Timeout } from "urlpool";
import { EXIT, Failure, UsageError } from "./failure.ts";
import type { Values } from "./options/spec.ts";

const CONNECT_TIMEOUT = 10_000;
const READ_TIMEOUT = 300_000;

/** A manager with the connection options of `values`, and `more`. */
export function makeManager(
  values: Values,
  more: PoolManagerOptions = {},
  env: NodeJS.ProcessEnv = process.env,
): PoolManager {
  if (values.insecure) disableWarnings();
  checkProxy(values.proxy);
  return proxyFromEnv(proxyEnvironment(values, env), { ...connectionOptions(values), ...more });
}

function connectionOptions(values: Values): PoolManagerOptions {
  const [certFile, keyPassword] = splitCertificate(values.cert);
  for (const path of [values.cacert, certFile, values.key]) if (path !== undefined) checkReadable(path);
  return {
    timeout: new Timeout({ connect: values["connect-timeout"] ?? CONNECT_TIMEOUT, read: READ_TIMEOUT }),
    certReqs: values.insecure ? "CERT_NONE" : "CERT_REQUIRED",
    caCerts: values.cacert,
    certFile,
    keyFile: values.key ?? certFile,
    keyPassword,
    socketPath: values["unix-socket"],
    lookup: lookupFor(values),
    http2: values.http2,
  };
}

/** Before anything is sent, and as what it is: no failure of TLS. */
function checkReadable(path: string): void {
  try {
    accessSync(path, constants.R_OK);
  } catch (cause) {
    throw new Failure(`cannot read ${path}: ${(cause as Error).message}`, EXIT.read, { cause });
  }
}

/** `FILE[:PASSWORD]`; a colon in a file's name is written `\:`. */
function splitCertificate(text: string | undefined): [string | undefined, string | undefined] {
  if (text === undefined) return [undefined, undefined];
  // A drive letter is no file of one letter.
  const match = /^((?:[A-Za-z]:[\\/])?(?:\\:|[^:])*)(?::(.*))?$/s.exec(text);
  return [match?.[1]?.replaceAll("\\:", ":") ?? text, match?.[2]];
}

/** The variables that choose the proxy, as if `-x` and `--noproxy` were among them. */
function proxyEnvironment(values: Values, env: NodeJS.ProcessEnv): Record<string, string | undefined> {
  if (values["unix-socket"] !== undefined) return {};
  const { proxy, noproxy } = values;
  const exceptions = noproxy ?? env.no_proxy ?? env.NO_PROXY;
  const own = { NO_PROXY: exceptions, no_proxy: exceptions };
  if (proxy === undefined) return { ...env, ...own };
  if (proxy === "") return {};
  return { ALL_PROXY: proxyUrl(proxy), ...own };
}

function proxyUrl(text: string): string {
  return text.includes("://") ? text : `http://${text}`;
}

/** The library would speak of an environment variable. The text may hold a password: it is not shown. */
function checkProxy(text: string | undefined): void {
  if (text === undefined || text === "") return;
  const url = proxyUrl(text);
  if (URL.canParse(url) && /^(?:https?|socks(?:4a?|5h?)?):$/.test(new URL(url).protocol)) return;
  throw new UsageError(
    "--proxy must be like http://HOST:PORT, https://, socks4://, socks4a://, socks5:// or socks5h://",
  );
}

/** `--resolve`, `-4` and `-6`; `undefined` without them. */
function lookupFor(values: Values): LookupFunction | undefined {
  const { ipv4, ipv6 } = values;
  if (ipv4 && ipv6) throw new UsageError("--ipv4 and --ipv6 exclude each other");
  const known = knownAddresses(values.resolve);
  const family = ipv4 ? 4 : ipv6 ? 6 : 0;
  if (known.size === 0 && family === 0) return undefined;
  return (host, options, callback) => {
    const found = known.get(host.toLowerCase()) ?? known.get("*");
    const asked = { ...options, ...(family === 0 ? {} : { family }) };
    if (found === undefined) systemLookup(host, asked, callback as never);
    else answer(host, found, asked, callback);
  };
}

function answer(
  host: string,
  addresses: readonly LookupAddress[],
  options: { all?: boolean | undefined; family?: number | string | undefined },
  callback: Parameters<LookupFunction>[2],
): void {
  const wanted = Number(String(options.family ?? 0).replace("IPv", ""));
  const found = addresses.filter(({ family }) => wanted === 0 || family === wanted);
  const first = found[0];
  // A look-up never answers before it returns.
  process.nextTick(() => {
    if (first === undefined) {
      const error = Object.assign(new Error(`--resolve has no IPv${wanted} address for ${host}`), {
        code: "ENOTFOUND",
      });
      callback(error, "", 0);
    } else if (options.all) callback(null, found);
    else callback(null, first.address, first.family);
  });
}

/** The texts of `--resolve` by host. A name is looked up without its port, so that one host has one set of addresses. */
function knownAddresses(texts: readonly string[]): Map<string, LookupAddress[]> {
  const known = new Map<string, LookupAddress[]>();
  for (const text of texts) {
    const match = /^(\*|\[[^\]]+\]|[^:]+):(\*|\d+):(.+)$/.exec(text);
    const addresses = (match?.[3] ?? "").split(",").map((address) => address.replace(/^\[(.*)\]$/, "$1"));
    if (match === null || !addresses.every((address) => isIP(address) !== 0)) {
      throw new UsageError(`--resolve must be like example.com:443:127.0.0.1, not '${text}'`);
    }
    const host = (match[1] as string).toLowerCase();
    const list = addresses.map((address) => ({ address, family: isIP(address) }));
    if (known.has(host) && JSON.stringify(known.get(host)) !== JSON.stringify(list)) {
      throw new UsageError(`--resolve gives ${host} different addresses; it can have one list for all ports`);
    }
    known.set(host, list);
  }
  return known;
}
