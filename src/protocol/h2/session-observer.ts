/** The two sides of a session that its owner brings: who hears what happens, and the limits. */

import type { FieldBlock } from "./field-block.ts";
import type { H2Stream } from "./stream.ts";
import type { Violation } from "./violation.ts";

/** Who is told what happens. A stream that has ended, whichever way, is told nothing more. */
export interface SessionObserver {
  /** A 1xx response. */
  onInformational(stream: H2Stream, head: FieldBlock): void;
  /** The final head. `stream.expected` is the length of the body. */
  onHead(stream: H2Stream, head: FieldBlock): void;
  /** A run of the body, to be consumed sooner or later. The bytes are only valid during the call. */
  onData(stream: H2Stream, bytes: Buffer, start: number, end: number): void;
  /** The whole answer has come. */
  onEnd(stream: H2Stream, trailers: FieldBlock | null): void;
  /** The body is shorter than its content-length. */
  onTruncated(stream: H2Stream): void;
  /** The server broke a rule on this stream, which is reset. */
  onViolation(stream: H2Stream, violation: Violation): void;
  /** The server has reset the stream. */
  onReset(stream: H2Stream, code: number): void;
  /** GOAWAY: no new streams. Before the streams hear of it. */
  onGoAway(code: number, text: string): void;
  /** The server has not processed the stream and will not: GOAWAY says so. The last stream comes first. */
  onUnprocessed(stream: H2Stream): void;
  /** A part of the request's body was written. */
  onSent(stream: H2Stream, length: number, last: boolean): void;
  /** The server has told its settings. */
  onSettings(): void;
  /** The answer to `ping`. */
  onPong(): void;
}

/** Bounds that users set. */
export interface SessionLimits {
  /** Size of a response's head, in bytes; also of all its 1xx heads together. */
  readonly maxHeaderSize: number;
  /** Streams open at once. */
  readonly maxStreams: number;
  /** Streams that may begin before the server's settings have come. Default and most: 100. */
  readonly firstStreams?: number;
}
