/** Which pool serves a request that goes through a proxy. */

import type { PoolManagerOptions, PoolOptions } from "../client/options.ts";
import {
  isSocks,
  type ProxyConfig,
  type ProxyFunction,
  type ProxyUrl,
  parseHttpProxyUrl,
  parseProxyUrl,
  plainHost,
  portOf,
  socksOptions,
} from "../client/proxy.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { bracketHost, Url } from "../core/url.ts";
import { absoluteUrl } from "./destinations.ts";
import type { PoolContext } from "./pool-key.ts";

/** `context` with its route: http goes over the pool of an HTTP proxy, which all its hosts share. */
export function throughProxy(context: PoolContext): PoolContext {
  const { proxy, ...rest } = context;
  if (proxy === undefined || proxy === null) return context;
  const url = chosenProxy(proxy as ProxyUrl | ProxyFunction, context);
  if (url === null) return rest;
  if (isSocks(url)) return { ...rest, socksOptions: socksOptions(url) };
  const proxied = { ...context, proxy: parseHttpProxyUrl(url) };
  if (context.scheme !== "http" || tunnelsHttp(context)) return proxied;
  return { ...proxied, scheme: url.scheme!, host: plainHost(url.host!), port: portOf(url) };
}

function tunnelsHttp({ proxyConfig }: PoolContext): boolean {
  return (proxyConfig as ProxyConfig | null | undefined)?.useTunnelForHttp === true;
}

/** A look-up cannot wait: functions that promise a proxy are for requests. */
function chosenProxy(proxy: ProxyUrl | ProxyFunction, { scheme, host, port }: PoolContext): Url | null {
  if (typeof proxy !== "function") return parseProxyUrl(proxy);
  const chosen = proxy(absoluteUrl(new Url({ scheme, host: bracketHost(host), port: port ?? null })));
  if (isThenable(chosen)) {
    // Nobody waits for it: its rejection must not end the process.
    Promise.resolve(chosen).catch(() => {});
    const text = "The proxy is promised only: look the pool up with { proxy: url } in poolKwargs";
    throw new InvalidArgumentError(text);
  }
  return chosen ? parseProxyUrl(chosen) : null;
}

/** The options for proxies in the form in which they are part of a key. */
export function withProxyConfig({
  proxyTls,
  useForwardingForHttps,
  useTunnelForHttp,
  proxyAssertHostname,
  proxyAssertFingerprint,
  ...options
}: PoolManagerOptions): PoolOptions {
  if (options.proxy === undefined || options.proxy === null) return options;
  const proxy = typeof options.proxy === "function" ? options.proxy : checkedUrl(options.proxy);
  const proxyConfig = options.proxyConfig ?? {
    tls: proxyTls,
    useForwardingForHttps,
    useTunnelForHttp,
    assertHostname: proxyAssertHostname,
    assertFingerprint: proxyAssertFingerprint,
  };
  return { ...options, proxy, proxyConfig };
}

function checkedUrl(proxy: ProxyUrl): Url {
  const url = parseProxyUrl(proxy);
  return isSocks(url) ? url : parseHttpProxyUrl(url);
}

/** Whether it is a promise of another value. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && "then" in value;
}
