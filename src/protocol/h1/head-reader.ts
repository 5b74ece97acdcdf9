/**
 * The head of one HTTP/1 response: found, validated and read for framing in a single pass over its bytes.
 *
 * What is refused, each with a `ProtocolError`:
 *  1. a start that is not `HTTP/1.x SP 3DIGIT`, so HTTP/0.9 and ICY too (RFC 9112 §4);
 *  2. a line that ends in a bare LF, or holds a bare CR or NUL (RFC 9112 §2.2; a LF that others pass on as part of a
 *     value must not start a new field here);
 *  3. other control characters but HTAB in values and reason (RFC 9110 §5.5);
 *  4. a field line without a colon, with an empty name, or with white space before the colon (RFC 9112 §5.1);
 *  5. white space before the first field line (RFC 9112 §2.2).
 * Accepted: an absent reason, obs-text, and obs-fold, which reads as one space (RFC 9112 §5.2).
 */

import { latin1 } from "../../core/bytes.ts";
import { ProtocolError } from "../../core/errors.ts";
import { FIELD, TOKEN } from "../grammar.ts";
import { ReceivedHead } from "../response-head.ts";

const CR = 13;
const LF = 10;
const SP = 32;
const HTAB = 9;
const COLON = 58;
const ZERO = 48;

const NO_BYTES = Buffer.alloc(0);
/** Longer heads are not kept, in bytes. */
const LONGEST_KEPT = 1024;
/** Heads in a row that were not the same as the one before, after which they are no longer kept, but for one in a while. */
const MOST_MISSES = 8;
const MISSES_UNTIL_NEXT_TRY = 256;

/** Index returned while the head is not complete. */
export const INCOMPLETE: number = -1;

/**
 * Reads heads, one after another, and keeps what framing and reuse need of the last one. The connections of a pool share
 * one, since the heads of their server are alike: whoever reads takes what is needed before the next one does.
 */
export class HeadReader {
  status: number = 0;
  /** 10 or 11. */
  version: number = 11;
  /** Values of the fields that decide framing and reuse; `null` where absent, joined by ", " where repeated. */
  contentLength: string | null = null;
  /** The value of a single Content-Length of plain digits, read at once; -1: see `contentLength`. */
  plainLength: number = -1;
  transferEncoding: string | null = null;
  connection: string | null = null;
  keepAlive: string | null = null;
  /** Whether there is a Content-Encoding field. */
  encoded: boolean = false;

  /** What the reader's user gets of the head that was read last. */
  #head: ReceivedHead | null = null;
  /** The bytes that were read last, and what they said is still here; empty if they were not kept. */
  #last: Buffer = NO_BYTES;
  #lastLength = 0;
  /** How often in a row a head was not the same as the one before. */
  #misses = 0;

  /**
   * Reads a head of which all that was given may be the same as last time: then nothing is left to do. Servers repeat
   * themselves: within a second even the Date is the same.
   */
  readNext(bytes: Buffer, start: number, end: number): number {
    const length = this.#lastLength;
    if (length !== 0) {
      if (length <= end - start && sameBytes(bytes, start, this.#last, length)) {
        this.#misses = 0;
        return start + length;
      }
    }
    this.#misses++;
    this.#lastLength = 0;
    const next = this.read(bytes, start, end);
    if (next !== INCOMPLETE) this.#keep(bytes, start, next);
    return next;
  }

  /** What was read last is forgotten: another reader may have changed it. */
  forget(): void {
    this.#lastLength = 0;
  }

  /** A copy for the next time, unless the server seldom says the same again. */
  #keep(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length > LONGEST_KEPT) return;
    if (this.#misses > MOST_MISSES && this.#misses % MISSES_UNTIL_NEXT_TRY !== 0) return;
    if (this.#last.length < length) this.#last = Buffer.allocUnsafeSlow(Math.min(LONGEST_KEPT, length + 64));
    bytes.copy(this.#last, 0, start, end);
    this.#lastLength = length;
  }

  /** The head that was read last. */
  get head(): ReceivedHead {
    return this.#head!;
  }

  /**
   * Reads the head that starts at `start`. Returns the index behind its empty line, or {@link INCOMPLETE}.
   * Throws `ProtocolError` for what the rules above refuse.
   */
  read(bytes: Buffer, start: number, end: number): number {
    const fields = this.#readStatusLine(bytes, start, end);
    if (fields === INCOMPLETE) return INCOMPLETE;
    const next = this.readFields(bytes, fields, end);
    if (next === INCOMPLETE) return INCOMPLETE;
    const text = latin1(bytes, start, next);
    this.#head = new ReceivedHead(this.status, this.version, this.encoded, text, fields - start);
    return next;
  }

  /** Reads field lines up to and with the empty line that ends them: a header or a trailer section. */
  readFields(bytes: Buffer, start: number, end: number): number {
    this.contentLength = this.transferEncoding = this.connection = this.keepAlive = null;
    this.encoded = false;
    this.plainLength = -1;
    let at = start;
    while (at < end) {
      if (FIELD[bytes[at]!] === 0) {
        const line = endOfLine(bytes, at, end);
        return line === INCOMPLETE ? INCOMPLETE : line + 2;
      }
      at = this.#readField(bytes, at, end);
      if (at === INCOMPLETE) return INCOMPLETE;
    }
    return INCOMPLETE;
  }

  /** `HTTP/1.1 200 OK CRLF`: the index of the next line. */
  #readStatusLine(bytes: Buffer, start: number, end: number): number {
    checkStart(bytes, start, end);
    if (end - start < 13) return INCOMPLETE;
    const minor = bytes[start + 7]! - ZERO;
    this.version = minor === 0 ? 10 : 11;
    this.status =
      (bytes[start + 9]! - ZERO) * 100 + (bytes[start + 10]! - ZERO) * 10 + (bytes[start + 11]! - ZERO);
    const lineEnd = endOfLine(bytes, start + 12, end);
    if (lineEnd === INCOMPLETE) return INCOMPLETE;
    if (lineEnd > start + 12 && bytes[start + 12] !== SP) refuse("status line is malformed");
    return lineEnd + 2;
  }

  /** One field line with its folded continuations: the index of the next line. */
  #readField(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && TOKEN[bytes[at]!] === 1) at++;
    if (at === end) return INCOMPLETE;
    if (bytes[at] !== COLON || at === start) refuseName(bytes[at]!, at === start);
    const nameEnd = at++;
    const valueStart = at;
    let lineEnd = endOfLine(bytes, at, end);
    // A line that starts with white space continues this one; that needs the byte behind the line's end.
    for (;;) {
      if (lineEnd === INCOMPLETE || lineEnd + 2 >= end) return INCOMPLETE;
      const next = bytes[lineEnd + 2];
      if (next !== SP && next !== HTAB) break;
      lineEnd = endOfLine(bytes, lineEnd + 3, end);
    }
    this.#note(bytes, start, nameEnd, valueStart, lineEnd);
    return lineEnd + 2;
  }

  /** Most lengths are read without a text of them. */
  #noteLength(bytes: Buffer, valueStart: number, valueEnd: number): void {
    if (this.contentLength === null && this.plainLength === -1) {
      this.plainLength = digits(bytes, valueStart, valueEnd);
      if (this.plainLength !== -1) return;
    } else if (this.plainLength !== -1) {
      this.contentLength = String(this.plainLength);
      this.plainLength = -1;
    }
    this.contentLength = join(this.contentLength, bytes, valueStart, valueEnd);
  }

  /** Keeps the value if the name is one of the few that decide framing or reuse; told apart by length first. */
  #note(bytes: Buffer, start: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    switch (nameEnd - start) {
      case 14:
        if (sameName(bytes, start, "content-length")) this.#noteLength(bytes, valueStart, valueEnd);
        break;
      case 10:
        if (sameName(bytes, start, "connection"))
          this.connection = isKeepAlive(bytes, valueStart, valueEnd, this.connection)
            ? KEEP_ALIVE
            : join(this.connection, bytes, valueStart, valueEnd);
        else if (sameName(bytes, start, "keep-alive"))
          this.keepAlive = join(null, bytes, valueStart, valueEnd);
        break;
      case 17:
        if (sameName(bytes, start, "transfer-encoding"))
          this.transferEncoding = joinCodings(this.transferEncoding, bytes, valueStart, valueEnd);
        break;
      case 16:
        if (sameName(bytes, start, "content-encoding")) this.encoded = true;
        break;
    }
  }
}

function sameBytes(bytes: Buffer, start: number, last: Buffer, length: number): boolean {
  // The end first: it is there that heads of one server differ in length.
  if (bytes[start + length - 1] !== LF) return false;
  return bytes.compare(last, 0, length, start, start + length) === 0;
}

const START = "HTTP/1.";

/** Refuses as early as possible what can never become a status line; says the same however the bytes are split. */
export function checkStart(bytes: Buffer, start: number, end: number): void {
  const length = Math.min(end - start, 12);
  for (let i = 0; i < length; i++) {
    if (!fitsStart(i, bytes[start + i]!)) refuse(notHttp1(bytes[start]!));
  }
}

/** What the first byte tells of a server that speaks something else. */
function notHttp1(first: number): string {
  const text = "response does not start with an HTTP/1 status line";
  if (first === HTTP2_FRAME)
    return `${text} but like an HTTP/2 frame: the server seems to speak only HTTP/2 here`;
  if (first !== TLS_ALERT && first !== TLS_HANDSHAKE) return text;
  return `${text} but like a TLS record: perhaps the URL should begin with https://`;
}

/** A server's first frame is SETTINGS, whose length of three bytes begins with 0 (RFC 9113 §4.1). */
const HTTP2_FRAME = 0x00;
/** Content types of TLS records (RFC 8446 §5.1). */
const TLS_ALERT = 0x15;
const TLS_HANDSHAKE = 0x16;

/** `HTTP/1.` digit SP 3DIGIT, the status from 100. */
function fitsStart(index: number, code: number): boolean {
  if (index < START.length) return code === START.charCodeAt(index);
  if (index === 8) return code === SP;
  return code <= 57 && code >= (index === 9 ? ZERO + 1 : ZERO);
}

/** The index of the CR that ends the line, or {@link INCOMPLETE}. */
function endOfLine(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && FIELD[bytes[at]!] === 1) at++;
  if (at === end) return INCOMPLETE;
  if (bytes[at] !== CR) refuseLineEnd(bytes[at]!);
  if (at + 1 === end) return INCOMPLETE;
  if (bytes[at + 1] !== LF) refuseLineEnd(CR);
  return at;
}

function sameName(bytes: Buffer, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) if ((bytes[start + i]! | 0x20) !== name.charCodeAt(i)) return false;
  return true;
}

/** The value between `start` and `end` without the white space around it, behind an earlier one of the same name. */
function join(earlier: string | null, bytes: Buffer, start: number, end: number): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(bytes[from]!)) from++;
  while (to > from && isBlank(bytes[to - 1]!)) to--;
  let value = latin1(bytes, from, to);
  if (value.includes("\r")) value = value.replace(/\r\n[\t ]+/g, " ").trim();
  return earlier === null ? value : `${earlier}, ${value}`;
}

/** As {@link join}; of equal lines `chunked` one counts. */
function joinCodings(earlier: string | null, bytes: Buffer, start: number, end: number): string {
  const value = join(null, bytes, start, end);
  if (earlier === null) return value;
  const repeated = value.toLowerCase() === "chunked" && earlier.toLowerCase() === "chunked";
  return repeated ? earlier : `${earlier}, ${value}`;
}

const KEEP_ALIVE = "keep-alive";

/** Whether the only value so far is ` keep-alive`, as most servers write it. */
function isKeepAlive(bytes: Buffer, start: number, end: number, earlier: string | null): boolean {
  if (earlier !== null || end - start !== 11 || bytes[start] !== SP) return false;
  return sameName(bytes, start + 1, KEEP_ALIVE);
}

/** A number of up to 15 digits behind one space; -1 for anything else. */
function digits(bytes: Buffer, start: number, end: number): number {
  const length = end - start;
  if (length < 2 || length > 16 || bytes[start] !== SP || (bytes[start + 1] === ZERO && length > 2))
    return -1;
  let value = 0;
  for (let at = start + 1; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function isBlank(code: number): boolean {
  return code === SP || code === HTAB;
}

function refuseName(code: number, empty: boolean): never {
  if (empty && (code === SP || code === HTAB)) refuse("white space before the first field line");
  if (code === SP || code === HTAB) refuse("white space between a field name and its colon");
  if (code === COLON) refuse("empty field name");
  if (code === CR || code === LF) refuse("field line without a colon");
  refuse("invalid character in a field name");
}

function refuseLineEnd(code: number): never {
  if (code === LF) refuse("line ends in a bare LF");
  if (code === CR) refuse("bare CR");
  refuse(code === 0 ? "NUL in a line" : "control character in a line");
}

function refuse(what: string): never {
  throw new ProtocolError(`Invalid response head: ${what}`, { phase: "head" });
}
