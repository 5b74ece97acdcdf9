/** The options of managers, pools and requests, and what a call makes of them. */

import type { FileHandle } from "node:fs/promises";
import type { LookupFunction } from "node:net";
import type { ReadableStream } from "node:stream/web";
import type { BodyPart } from "../body/request/encode.ts";
import type { Fields } from "../body/request/multipart.ts";
import type { OnProgress } from "../body/request/progress.ts";
import type { QuerySource } from "../body/request/urlencode.ts";
import type { BufferTarget } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import type { HeaderSource } from "../core/headers.ts";
import type { AddressFilter } from "../dial/address-filter.ts";
import type { ConnectFunction } from "../dial/custom-dial.ts";
import type { SourceAddress } from "../dial/race.ts";
import type { DnsCache } from "../dial/resolve.ts";
import type { TlsOptions } from "../dial/tls/settings.ts";
import type { RetryLike } from "../policy/retry.ts";
import type { TimeoutLike } from "../policy/timeout.ts";
import type { CookieJarLike } from "./cookies.ts";
import type { OnRequest, OnResponse } from "./hooks.ts";
import type { ProxyConfig, ProxyFunction, ProxyUrl, SocksOptions } from "./proxy.ts";
import type { Informational } from "./response/response.ts";

/** Options of every socket. */
export interface SocketOptions {
  /** Send small packets at once. Default true. */
  noDelay?: boolean | undefined;
  /** TCP keep-alive probes. Default false. */
  keepAlive?: boolean | undefined;
  /** Idle time before the first probe, in ms. */
  keepAliveInitialDelay?: number | undefined;
}

/**
 * Options of a pool: given to a manager they hold for all its pools; most can be given per request too.
 * A field of one's own is declared by augmenting this interface.
 */
export interface PoolOptions extends TlsOptions {
  /** Connections a pool keeps; with `block` also the most it opens. Default 64. */
  maxsize?: number | undefined;
  /** Whether requests past `maxsize` wait their turn, or open connections that are dropped after use. Default true. */
  block?: boolean | undefined;
  /** Longest wait for a connection in ms, 0 for none at all; then `EmptyPoolError`. Default: no limit. */
  poolTimeout?: number | null | undefined;
  /** Connections open at once over all pools of a manager. Default 1024. */
  maxConnections?: number | undefined;
  /**
   * An idle connection is closed after this many ms; a server's `Keep-Alive: timeout=` shortens it. 0 keeps none.
   * Default 30_000.
   */
  keepAliveTimeout?: number | undefined;
  /** A connection older than this many ms is not used again. Default: no limit. */
  connectionMaxAge?: number | null | undefined;
  /**
   * ms for each of connect and read, a `Timeout`, or the options of one. Default: connect 10_000, read 300_000, no total.
   */
  timeout?: TimeoutLike;
  /** A total, `false` for none at all, a `Retry`, or the options of one. Default `Retry.DEFAULT` (3). */
  retries?: RetryLike;
  /** Header fields of requests that bring none of their own. */
  headers?: HeaderSource | null | undefined;
  /** Local address to connect from. */
  sourceAddress?: SourceAddress | null | undefined;
  socketOptions?: SocketOptions | null | undefined;
  /** Path of a Unix-domain socket to connect to, whatever the host. */
  socketPath?: string | null | undefined;
  /** Resolves host names, as for `net.connect`. Default `dns.lookup`. */
  lookup?: LookupFunction | null | undefined;
  /**
   * Opens the way to the origin, or to the proxy on the way, in place of look-up and dial: gives a Duplex, on which TLS and
   * the proxy's handshake follow as on a socket, or a `Connection`, which is used as it is. For tests and tunnels of one's
   * own. `addressFilter`, `lookup`, `sourceAddress` and `socketOptions` are not asked then.
   */
  connect?: ConnectFunction | null | undefined;
  /**
   * HTTP/2: `true` where TLS agrees on it, else HTTP/1.1; `"prior-knowledge"` always, over plain http too. Default false.
   */
  http2?: boolean | "prior-knowledge" | undefined;
  /** Requests at once on one HTTP/2 connection; the server's own limit holds beside it. Default 1000. */
  h2MaxStreams?: number | undefined;
  /**
   * An HTTP/2 connection with requests under way is asked for a sign of life after this many ms of silence, and given up
   * a second later. Default 0: never, but after a read timeout.
   */
  pingInterval?: number | undefined;
  /** Remembers what names resolve to. Default: nothing is remembered. */
  dnsCache?: DnsCache | null | undefined;
  /** Asked for every address about to be dialled, after resolution; `false` refuses it. */
  addressFilter?: AddressFilter | null | undefined;
  /** For tests: the time that all limits, waits and dates go by, such as `fakeClock()`. Default: the platform's. */
  clock?: Clock | null | undefined;
  /** Whether bodies are decoded as their Content-Encoding says. Default true. */
  decodeContent?: boolean | undefined;
  /** Whether bodies are read before the response is given out. Default true. */
  preloadContent?: boolean | undefined;
  /** Whether a body shorter than its declared length is an error. Default true. */
  enforceContentLength?: boolean | undefined;
  /** Most bytes of status line and headers of one response. Default 65_536. */
  maxHeaderSize?: number | undefined;
  /** Most bytes a decoded body may grow to. Default: no limit. */
  maxDecodedSize?: number | null | undefined;
  /** Whether redirects are followed. Default true. */
  redirect?: boolean | undefined;
  /** Longest time of a request in ms over all attempts, back-offs and waits. Default: no limit. */
  deadline?: number | null | undefined;
  /** Aborts every request that brings no signal of its own; they reject with the signal's reason. */
  signal?: AbortSignal | null | undefined;
  /** Whether a request's headers are laid over the default ones, or replace them as in urllib3. Default false. */
  mergeHeaders?: boolean | undefined;
  /** Accept options that nothing here knows: for pool classes of your own that read them. Default false. */
  allowUnknownOptions?: boolean | undefined;
  /** Sees each try of a request before it is sent, and may set header fields, such as `traceparent`. */
  onRequest?: OnRequest | null | undefined;
  /** Sees the head of the answer to each try. */
  onResponse?: OnResponse | null | undefined;
  /** Keeps the cookies of answers and gives them to requests, such as tough-cookie's `CookieJar`; `null` for none. */
  cookieJar?: CookieJarLike | null | undefined;
  /**
   * URL of an HTTP or SOCKS proxy, with its credentials; for a manager also a function that is asked for every request
   * and every redirect. Default: none.
   */
  proxy?: ProxyUrl | ProxyFunction | null | undefined;
  /** Fields that go to an HTTP proxy, and to nobody else. */
  proxyHeaders?: HeaderSource | null | undefined;
  /** How to deal with an HTTP proxy; managers have options of their own for each of it. */
  proxyConfig?: ProxyConfig | null | undefined;
  /** A SOCKS proxy in parts, as an alternative to its URL. */
  socksOptions?: SocksOptions | null | undefined;
}

/** What a manager knows of its proxies besides their URLs. */
export interface ProxyOptions {
  /** TLS with an https proxy. Default: the authorities of the manager, and nothing else of its TLS options. */
  proxyTls?: TlsOptions | null | undefined;
  /** Send requests for https origins to an https proxy in the clear, instead of through a tunnel. Default false. */
  useForwardingForHttps?: boolean | undefined;
  /** Send requests for http origins through a tunnel too: the proxy sees no more than the origin's name. Default false. */
  useTunnelForHttp?: boolean | undefined;
  /** The name the proxy's certificate must be for; `false` for any. Default: the proxy's host. */
  proxyAssertHostname?: string | false | null | undefined;
  /** SHA-256 or SHA-1 of the proxy's certificate in hex: then only this counts. */
  proxyAssertFingerprint?: string | null | undefined;
}

/** Options of a `PoolManager`. */
export interface PoolManagerOptions extends PoolOptions, ProxyOptions {
  /** Pools kept; the least recently used one is dropped first. Default 10. */
  numPools?: number | undefined;
}

/** A body that can be sent as it stands. */
export type BodySourceLike =
  | string
  | ArrayBufferView
  | ArrayBuffer
  | Blob
  | URLSearchParams
  | FormData
  | FileHandle
  | ReadableStream
  | Iterable<BodyPart>
  | AsyncIterable<BodyPart>;

/** What may be sent as a body; a function is called anew for each attempt. */
export type RequestBody = BodySourceLike | (() => BodySourceLike | Promise<BodySourceLike>);

/** Options of `urlopen`: one request without field encoding. */
export interface UrlopenOptions {
  body?: RequestBody | null | undefined;
  /** Replace the default headers of manager or pool, or are laid over them with `mergeHeaders`. */
  headers?: HeaderSource | null | undefined;
  /** Whether `headers` are laid over the default ones. Default: that of manager or pool, false. */
  mergeHeaders?: boolean | undefined;
  timeout?: TimeoutLike;
  retries?: RetryLike;
  /** Whether redirects are followed. Default true. */
  redirect?: boolean | undefined;
  /** Whether a pool refuses URLs of other hosts. Default true for pools. */
  assertSameHost?: boolean | undefined;
  poolTimeout?: number | null | undefined;
  /**
   * `false`: also the connection of a preloaded response stays with it until `releaseConn()`; `true`: that of a streamed
   * one is free when its body has come, though it was not read. Default: when the body was read.
   */
  releaseConn?: boolean | null | undefined;
  /** Send the body in chunks. Default: only if its length is unknown. */
  chunked?: boolean | undefined;
  preloadContent?: boolean | undefined;
  decodeContent?: boolean | undefined;
  enforceContentLength?: boolean | undefined;
  /** Accept compressed bodies that end early. Default false. */
  allowTruncated?: boolean | undefined;
  maxDecodedSize?: number | null | undefined;
  /** Longest time in ms over all attempts, back-offs and waits. Default: no limit. */
  deadline?: number | null | undefined;
  /** Aborts the request at any stage; it rejects with the signal's reason. */
  signal?: AbortSignal | null | undefined;
  /** Accept options that nothing here knows: for pool classes of your own that read them. Default false. */
  allowUnknownOptions?: boolean | undefined;
  /** Sees each try of a request before it is sent, and may set header fields, such as `traceparent`. */
  onRequest?: OnRequest | null | undefined;
  /** Sees the head of the answer to each try. */
  onResponse?: OnResponse | null | undefined;
  /** Keeps the cookies of answers and gives them to requests, such as tough-cookie's `CookieJar`; `null` for none. */
  cookieJar?: CookieJarLike | null | undefined;
  /**
   * Memory that the body of the answer is read into, in place where it can be: `data` is the part that was filled. One that
   * does not fit is a `BufferTooSmallError`. Each attempt begins at its start; what is behind `data` means nothing. Until
   * the request has settled the memory is the request's: it must not be transferred. Not with `preloadContent: false`.
   */
  into?: BufferTarget | null | undefined;
  /** Whether a body that does not fit into `into` gets memory of its own. Default false. */
  intoGrows?: boolean | null | undefined;
  /** Where in a file the body starts, in bytes. Default 0. */
  bodyPos?: number | null | undefined;
  /** Told at most 20 times a second, and at the end. */
  onUploadProgress?: OnProgress | undefined;
  /** Told at most 20 times a second, and at the end; counts what comes over the wire. */
  onDownloadProgress?: OnProgress | undefined;
  /** Sees each 1xx response. */
  onInformational?: ((response: Informational) => void) | undefined;
}

/** Options of `request`. */
export interface RequestOptions extends UrlopenOptions {
  /** Into the query for GET, HEAD, DELETE and OPTIONS, else into the body. */
  fields?: Fields | QuerySource | null | undefined;
  /** Sent as JSON, with `Content-Type: application/json` unless there is one. */
  json?: unknown;
  /** Whether fields in a body are multipart/form-data or urlencoded. Default true. */
  encodeMultipart?: boolean | null | undefined;
  multipartBoundary?: string | null | undefined;
}
