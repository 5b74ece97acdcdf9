/**
 * Bytes -> one HTTP/1 response after another, without I/O. Incremental: any split of the bytes has the same outcome.
 * Strict: see the rules in response-head.ts, framing.ts and chunked.ts. Bounded: all 1xx heads and the final one share
 * the budget of `maxHeaderSize` bytes. Nothing is copied: the sink sees `(bytes, start, end)`.
 *
 * After `start()` feed bytes to `execute()` until `done`; what `execute()` did not use came after the message.
 */

import { IncompleteRead, ProtocolError } from "../../core/errors.ts";
import { FieldLines, type ResponseHead } from "../response-head.ts";
import { ChunkedReader } from "./chunked.ts";
import { type Framing, hasBody, isPersistent, parseContentLength, parseTransferEncoding } from "./framing.ts";
import { checkStart, HeadReader, INCOMPLETE } from "./head-reader.ts";
import { refuseSize, SectionBuffer } from "./section-buffer.ts";

/** What a parser reports. */
export interface ResponseSink {
  /** A 1xx response other than 101. */
  onInformational(head: ResponseHead): void;
  /** The final head; the parser's framing properties are set. */
  onHead(head: ResponseHead): void;
  /** A run of the body, transfer codings other than `chunked` still on it. */
  onBody(bytes: Buffer, start: number, end: number): void;
}

const HEAD = 0;
const BODY = 1;
const DONE = 2;

/** Parses the responses of one connection, one at a time. */
export class ResponseParser {
  framing: Framing = "none";
  /** Declared length of the body, `null` where it is unknown. */
  contentLength: number | null = null;
  /** Transfer codings to be undone besides `chunked`, in the order they were applied. */
  transferCodings: readonly string[] = NONE;
  /** Whether the sender keeps the connection open after this response. */
  persistent: boolean = false;
  /** The value of its Keep-Alive field; `null` where there is none. */
  keepAlive: string | null = null;
  /** Whether a byte of the current response has been seen. */
  started: boolean = false;
  /** Body bytes read off the wire so far, chunk framing not counted. */
  received: number = 0;

  readonly #sink: ResponseSink;
  readonly #limit: number;
  readonly #reader: HeadReader;
  readonly #partial: SectionBuffer;
  #state = DONE;
  #bodiless = false;
  #connect = false;
  #headBytes = 0;
  #remaining = 0;
  #chunked: ChunkedReader | null = null;

  /** `maxHeaderSize` in bytes. `reader` may serve other parsers too. */
  constructor(sink: ResponseSink, maxHeaderSize: number, reader: HeadReader = new HeadReader()) {
    this.#sink = sink;
    this.#limit = maxHeaderSize;
    this.#reader = reader;
    this.#partial = new SectionBuffer(maxHeaderSize, "head");
  }

  /** Whether the response is complete. */
  get done(): boolean {
    return this.#state === DONE;
  }

  /** Whether the final head has been read. */
  get inBody(): boolean {
    return this.#state === BODY;
  }

  /** Bytes still to come of a body, or a chunk, of known length; else 0. They may be read elsewhere: see `skip`. */
  get remaining(): number {
    return this.#state === BODY ? this.#remaining : 0;
  }

  /** Whether the last run of the body completed a chunk of the chunked coding. */
  get chunkEnded(): boolean {
    return this.#chunked !== null && this.#chunked.remaining === 0;
  }

  /** The trailer section; `null` where there is none. */
  get trailers(): FieldLines | null {
    const text = this.#chunked?.trailers ?? "";
    return text === "" ? null : new FieldLines(text);
  }

  /** Makes ready for the next response. `bodiless`: it answers HEAD; `connect`: it answers CONNECT. */
  start(bodiless: boolean, connect: boolean = false): void {
    this.#state = HEAD;
    this.#bodiless = bodiless;
    this.#connect = connect;
    this.#headBytes = 0;
    this.#chunked = null;
    this.started = false;
    this.received = 0;
  }

  /** Reads on. Returns the index behind the last byte used. Throws `ProtocolError`. */
  execute(bytes: Buffer, start: number, end: number): number {
    if (start < end) this.started = true;
    let at = start;
    while (at < end && this.#state !== DONE) {
      at = this.#state === HEAD ? this.#readHead(bytes, at, end) : this.#readBody(bytes, at, end);
    }
    return at;
  }

  /** Counts `length` body bytes that were read in place, not more than `remaining`. */
  skip(length: number): void {
    this.#remaining -= length;
    this.received += length;
    if (this.#remaining === 0) this.#state = DONE;
  }

  /** The peer has ended the stream. Throws `ProtocolError` unless the response ends with the connection. */
  finish(): void {
    this.persistent = false;
    const whole = this.framing === "close" || this.#chunked?.complete === true;
    if (this.#state === BODY && whole) this.#state = DONE;
    if (this.#state === DONE) return;
    if (this.#state === BODY) {
      const expected = this.framing === "length" ? this.#remaining : undefined;
      throw new IncompleteRead(this.received, expected);
    }
    const what = this.started
      ? "Remote end closed connection in the middle of the response head"
      : "Remote end closed connection without response";
    throw new ProtocolError(`Connection aborted. ${what}`, { phase: "head" });
  }

  #readHead(bytes: Buffer, start: number, end: number): number {
    const partial = this.#partial;
    if (partial.length > 0) return this.#readSplitHead(bytes, start, end);
    const next = this.#reader.readNext(bytes, start, end);
    if (next === INCOMPLETE) {
      partial.append(bytes, start, end);
      return end;
    }
    this.#countHead(next - start);
    this.#onHead();
    return next;
  }

  /** The head came in parts: they are joined, then read by the same code. */
  #readSplitHead(bytes: Buffer, start: number, end: number): number {
    const partial = this.#partial;
    const next = partial.append(bytes, start, end);
    checkStart(partial.bytes, 0, partial.length);
    if (next === INCOMPLETE) return end;
    this.#reader.forget();
    this.#reader.read(partial.bytes, 0, partial.length);
    this.#countHead(partial.length);
    partial.clear();
    this.#onHead();
    return next;
  }

  #countHead(length: number): void {
    this.#headBytes += length;
    if (this.#headBytes > this.#limit) refuseSize("head", this.#limit);
  }

  #onHead(): void {
    const reader = this.#reader;
    if (reader.status < 200 && reader.status !== 101) {
      this.#sink.onInformational(reader.head);
      return;
    }
    this.#chooseFraming(reader);
    this.#state = this.framing === "none" ? DONE : BODY;
    this.#sink.onHead(reader.head);
  }

  /** RFC 9112 §6.3. */
  #chooseFraming(head: HeadReader): void {
    this.persistent = head.status !== 101 && isPersistent(head);
    this.keepAlive = head.keepAlive;
    this.transferCodings = NONE;
    this.#remaining = 0;
    if (this.#connect && head.status >= 200 && head.status < 300) {
      // What follows is the tunnel, whatever the fields say (RFC 9110 §9.3.6).
      this.framing = "none";
      this.contentLength = null;
      return;
    }
    if (head.plainLength !== -1) this.contentLength = head.plainLength;
    else this.contentLength = head.contentLength === null ? null : parseContentLength(head.contentLength);
    if (head.transferEncoding !== null) this.#chooseCoded(head, head.transferEncoding);
    else if (!hasBody(head.status, this.#bodiless) || this.contentLength === 0) this.framing = "none";
    else if (this.contentLength !== null) {
      this.framing = "length";
      this.#remaining = this.contentLength;
    } else this.framing = "close";
    if (this.framing === "close") this.persistent = false;
  }

  #chooseCoded(head: HeadReader, transferEncoding: string): void {
    const { chunked, codings } = parseTransferEncoding(transferEncoding);
    if (this.contentLength !== null) {
      throw new ProtocolError("Invalid response framing: Content-Length beside Transfer-Encoding", {
        phase: "head",
      });
    }
    // Transfer-Encoding means nothing in HTTP/1.0, so the framing cannot be trusted further (RFC 9112 §6.1).
    if (head.version === 10) this.persistent = false;
    this.transferCodings = codings;
    if (!hasBody(head.status, this.#bodiless)) this.framing = "none";
    else if (!chunked) this.framing = "close";
    else {
      this.framing = "chunked";
      this.#chunked = new ChunkedReader(this.#limit, (bytes, start, end) =>
        this.#onContent(bytes, start, end),
      );
    }
  }

  #onContent(bytes: Buffer, start: number, end: number): void {
    this.received += end - start;
    this.#sink.onBody(bytes, start, end);
  }

  #readBody(bytes: Buffer, start: number, end: number): number {
    if (this.#chunked !== null) {
      const next = this.#chunked.execute(bytes, start, end);
      if (this.#chunked.done) this.#state = DONE;
      return next;
    }
    const stop = this.framing === "length" ? Math.min(end, start + this.#remaining) : end;
    if (this.framing === "length") {
      this.#remaining -= stop - start;
      if (this.#remaining === 0) this.#state = DONE;
    }
    this.#onContent(bytes, start, stop);
    return stop;
  }
}

const NONE: readonly string[] = [];
