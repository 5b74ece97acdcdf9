/**
 * What the floors above see of a wire: a connection carries streams, one at a time in HTTP/1.1, many in HTTP/2.
 *
 * A connection never sees its pool. It reports through the owner given at birth:
 *  1. `capacityChanged`: `free` or `open` is another than before; always before the exchange's own `onEnd`;
 *  2. `unsent`: an exchange is proven not to have been processed; it may start again on any connection;
 *  3. `dead`: once, before anything else is told of that death.
 */

import type { HTTPError } from "../core/errors.ts";
import type { RequestHead } from "../protocol/request-head.ts";
import type { FieldLines, ResponseHead } from "../protocol/response-head.ts";
import type { BodyStream } from "./upload-source.ts";

/** The protocols that a connection can speak, by their ALPN names. */
export type Protocol = "http/1.1" | "h2";

/** How the response body is framed. */
export interface BodyFacts {
  /** Bytes that follow the head; `null` where unknown. */
  readonly bodyLength: number | null;
  readonly chunked: boolean;
  /** Transfer codings to be undone besides `chunked`, in the order they were applied. */
  readonly transferCodings: readonly string[];
}

/** One request with its answer, as a connection sees it. */
export interface Exchange {
  readonly head: RequestHead;
  readonly body: Uint8Array | BodyStream | null;
  /** Send the body only once the server says 100 (Continue), or has said nothing for a second (RFC 9110 §10.1.1). */
  readonly expectContinue: boolean;
  /** The request does not ask for the connection to be closed. */
  readonly persistent: boolean;
  /** Asked after `onHead`: collect the body and give it to `onEnd` in one piece, instead of `onBody`. */
  readonly collect: boolean;
  /** Asked with `collect`: memory to collect the body in as far as it fits; `null` for memory of its own. */
  readonly into: Buffer | null;
  /** Asked at the end of the answer: whether the connection stays bound, until `Stream.release`. */
  readonly parks: boolean;
  /** Longest silence of the server in ms; `Infinity` for no limit. */
  readonly readTimeout: number;
  /**
   * The request goes on the wire now; `stream` is what `start` gives: the answer may come before that returns. Returns the
   * clock's time: one look at it is enough.
   */
  onStart(stream: Stream): number;
  /** `sent` bytes of the request body have been given to the socket; `done`: all of it. */
  onSent(sent: number, done: boolean): void;
  /** `received` bytes of the response body have come. */
  onReceived(received: number): void;
  /** A 1xx response other than 101. */
  onInformational(head: ResponseHead): void;
  /** The final head. `facts` are only valid during the call. */
  onHead(head: ResponseHead, facts: BodyFacts): void;
  /**
   * A part of the body, the receiver's to keep. `endsChunk`: it completes a chunk of the chunked coding.
   * `false` stops reading until `Stream.resume`.
   */
  onBody(bytes: Buffer, endsChunk: boolean): boolean;
  /** The whole answer has come; `body` is set if `collect`. `atOnce`: it came in one piece with its head. */
  onEnd(body: Buffer | null, trailers: FieldLines | null, atOnce: boolean): void;
  /** The exchange failed. */
  onError(error: HTTPError): void;
}

/** What one exchange holds of a connection; worth nothing once the exchange has ended. */
export interface Stream {
  /** Stops reading until `resume`. */
  pause(): void;
  /** Goes on reading, after `pause` or after `onBody` returned false. */
  resume(): void;
  /** Nobody wants the connection to stay bound any more (`Exchange.parks`). */
  release(): void;
  /** Ends the exchange, which fails with `error`, or silently without. HTTP/1 closes the connection for it. */
  cancel(error?: HTTPError): void;
}

/** Who is told how a connection fares. */
export interface ConnectionOwner {
  capacityChanged(): void;
  unsent(exchange: Exchange): void;
  dead(): void;
}

/** How long the parts of making a connection took, in ms. */
export interface ConnectionSetup {
  readonly dns: number;
  readonly connect: number;
  /** `null` without TLS. */
  readonly tls: number | null;
}

/** Facts about a connection, for its users; they outlive it. */
export interface ConnectionInfo {
  /** Counts the connections of the process. */
  readonly id: number;
  readonly protocol: Protocol;
  /** First hop, such as `127.0.0.1:80`. */
  readonly route: string;
  /** Address of the first hop, such as `127.0.0.1`; `null` where it has none. */
  readonly address: string | null;
}

/** One wire. */
export interface Connection {
  readonly info: ConnectionInfo;
  readonly protocol: Protocol;
  readonly setup: ConnectionSetup;
  /** `clock.now()` of its birth. */
  readonly bornAt: number;
  /** Exchanges begun on it. */
  readonly exchanges: number;
  /** Exchanges that it can take now. */
  readonly free: number;
  /** Exchanges under way, and answers that still hold it. 0 with `free` 0: it will be free in a moment, or dies. */
  readonly open: number;
  /** The server's `Keep-Alive: timeout=` in ms; `null` where it gave none. */
  readonly keepAliveHint: number | null;
  /** Begins an exchange; only while `free` is above 0. */
  start(exchange: Exchange): Stream;
  /** Takes no new exchanges; closes when the last answer has come whole, also while somebody still holds that answer. */
  retire(): void;
  /** Closes it at once; exchanges under way fail with `error`, or silently without. */
  close(error?: HTTPError): void;
  /** Whether it keeps the process alive: in use yes, idle no. */
  ref(): void;
  unref(): void;
}
