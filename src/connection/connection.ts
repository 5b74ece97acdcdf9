/**
 * What the floors above see of one wire. A connection never sees its pool: it reports through the owner given at birth.
 *
 * Life: born ready -> `send` -> the exchange ends -> `owner.idle` (may be used again) or `owner.dead` -> ... -> dead.
 * `owner.dead` is called exactly once, whenever it happens; `owner.idle` once for each exchange that leaves the
 * connection reusable, always before the exchange's own `onEnd`.
 */

import type { HTTPError } from "../core/errors.ts";
import type { BodyStream } from "./http1/upload.ts";

/** What is read of a response head before anybody asks for its fields. */
export interface Head {
  readonly status: number;
  /** 10, 11 or 20. */
  readonly version: number;
  readonly reason: string;
  /** Latin-1 text of the head; its field lines start at `fieldsStart`. */
  readonly text: string;
  readonly fieldsStart: number;
  /** Whether it has a Content-Encoding field. */
  readonly encoded: boolean;
}

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
  /** Request head, every character one byte. */
  readonly head: string;
  readonly body: Uint8Array | BodyStream | null;
  /** Send the body only once the server says 100 (Continue), or has said nothing for a second (RFC 9110 §10.1.1). */
  readonly expectContinue: boolean;
  /** The answer has no body whatever its head says: the request is HEAD. */
  readonly bodiless: boolean;
  /** The request does not ask for the connection to be closed. */
  readonly persistent: boolean;
  /** Asked after `onHead`: collect the body and give it to `onEnd` in one piece, instead of `onBody`. */
  readonly collect: boolean;
  /** Asked at the end of the answer: whether the connection stays bound, until `Connection.release`. */
  readonly holds: boolean;
  /** Longest wait for the head, and between two parts of the body, in ms; `Infinity` for none. */
  readonly readTimeout: number;
  /** `sent` bytes of the request body have been given to the socket; `done`: all of it. */
  onSent(sent: number, done: boolean): void;
  /** `received` bytes of the response body have come. */
  onReceived(received: number): void;
  /** A 1xx response other than 101. `head` is only valid during the call. */
  onInformational(head: Head): void;
  /** The final head. `head` and `facts` are only valid during the call. */
  onHead(head: Head, facts: BodyFacts): void;
  /**
   * A part of the body, the receiver's to keep. `endsChunk`: it completes a chunk of the chunked coding.
   * `false` stops reading until `Connection.resume`.
   */
  onBody(bytes: Buffer, endsChunk: boolean): boolean;
  /** The whole answer has come; `body` is set if `collect`. `atOnce`: it came in one piece with its head. */
  onEnd(body: Buffer | null, trailers: string, atOnce: boolean): void;
  /** The exchange failed, and the connection with it. */
  onError(error: HTTPError): void;
}

/** Who is told when a connection becomes free or dies. */
export interface ConnectionOwner {
  idle(): void;
  dead(): void;
}

/** How long the parts of making a connection took, in ms. */
export interface ConnectionSetup {
  readonly dns: number;
  readonly connect: number;
  /** `null` without TLS. */
  readonly tls: number | null;
}

/** One wire that can carry one exchange at a time. */
export interface Connection {
  /** Counts the connections of the process. */
  readonly id: number;
  readonly setup: ConnectionSetup;
  /** `clock.now()` of its birth. */
  readonly bornAt: number;
  /** Exchanges begun on it. */
  readonly exchanges: number;
  /** First hop, such as `127.0.0.1:80`. */
  readonly route: string;
  /** False from the moment it must not be used any more. */
  readonly alive: boolean;
  /** The server's `Keep-Alive: timeout=` in ms; `null` where it gave none. */
  readonly keepAliveHint: number | null;
  /** `now`: the clock's. */
  send(exchange: Exchange, now?: number): void;
  /**
   * Whether all that was sent has left the process. A connection reports idle before that (TLS tells a turn late), and
   * dies if it takes too long.
   */
  isFlushed(): boolean;
  /** Goes on reading after `onBody` returned false. */
  resume(): void;
  /** Stops reading until `resume`. */
  pause(): void;
  /** Nobody wants it to be held any more (`Exchange.holds`). */
  release(): void;
  /** Destroys it at once; an exchange under way fails with `error`, or silently without. */
  close(error?: HTTPError): void;
  /** Whether it keeps the process alive: in use yes, idle no. */
  ref(): void;
  unref(): void;
}
