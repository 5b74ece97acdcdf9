/**
 * The chunked transfer coding (RFC 9112 §7.1), incrementally and strictly: sizes are bare hexadecimal, every line
 * ends in CRLF, extensions are read past, trailers are kept; lines and trailers are bounded.
 */

import { latin1 } from "../../core/bytes.ts";
import { InvalidChunkLength, ProtocolError } from "../../core/errors.ts";
import { FIELD, HEX } from "../grammar.ts";
import { HeadReader, INCOMPLETE } from "./head-reader.ts";
import { SectionBuffer } from "./section-buffer.ts";

/** Longest chunk-size line with its extensions, in bytes. */
export const MAX_CHUNK_LINE: number = 16_384;

const CR = 13;
const LF = 10;
const SEMICOLON = 59;

type State =
  | "size"
  | "blank"
  | "extension"
  | "size-lf"
  | "data"
  | "data-cr"
  | "data-lf"
  | "trailers"
  | "done";

/** Takes the framing off a chunked body; `onData` sees each run of content. */
export class ChunkedReader {
  #state: State = "size";
  #size = 0;
  #digits = 0;
  #lineLength = 0;
  readonly #section: SectionBuffer;
  #trailers = "";
  #received = 0;
  readonly #onData: (bytes: Buffer, start: number, end: number) => void;

  constructor(maxTrailerSize: number, onData: (bytes: Buffer, start: number, end: number) => void) {
    this.#section = new SectionBuffer(maxTrailerSize, "body");
    this.#onData = onData;
  }

  get done(): boolean {
    return this.#state === "done";
  }

  /** Latin-1 text of the trailer section; empty where there is none. */
  get trailers(): string {
    return this.#trailers;
  }

  /** Whether the last chunk has come, and nothing behind it: all of the content is there (RFC 9112 §8). */
  get complete(): boolean {
    return this.done || (this.#state === "trailers" && this.#section.length === 0);
  }

  /** Bytes of the current chunk still to come; `0` between chunks. */
  get remaining(): number {
    return this.#state === "data" ? this.#size : 0;
  }

  /** Reads on; returns the index behind the last byte used, `end` unless the body is complete. */
  execute(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && this.#state !== "done") {
      if (this.#state === "data") at = this.#data(bytes, at, end);
      else if (this.#state === "trailers") at = this.#readTrailers(bytes, at, end);
      else this.#line(bytes[at++]!);
    }
    return at;
  }

  #data(bytes: Buffer, at: number, end: number): number {
    const stop = Math.min(end, at + this.#size);
    this.#size -= stop - at;
    this.#received += stop - at;
    if (this.#size === 0) this.#state = "data-cr";
    this.#onData(bytes, at, stop);
    return stop;
  }

  #readTrailers(bytes: Buffer, at: number, end: number): number {
    const next = this.#section.append(bytes, at, end);
    if (next === INCOMPLETE) return end;
    const section = this.#section;
    new HeadReader().readFields(section.bytes, 0, section.length);
    this.#trailers = latin1(section.bytes, 0, section.length);
    this.#state = "done";
    return next;
  }

  /** One byte of the framing around the data. */
  #line(code: number): void {
    switch (this.#state) {
      case "size":
        this.#sizeByte(code);
        break;
      case "blank":
        if (code === SEMICOLON) this.#state = "extension";
        else if (code !== 32 && code !== 9) this.#refuseSize(code);
        this.#countLine();
        break;
      case "extension":
        this.#extensionByte(code);
        break;
      case "size-lf":
        if (code !== LF) fault("bare CR in a chunk-size line");
        this.#startChunk();
        break;
      case "data-cr":
        if (code !== CR) fault("chunk data is not followed by CRLF");
        this.#state = "data-lf";
        break;
      default:
        if (code !== LF) fault("chunk data is not followed by CRLF");
        this.#state = "size";
    }
  }

  #sizeByte(code: number): void {
    const digit = HEX[code]!;
    if (digit !== 255) {
      this.#size = this.#size * 16 + digit;
      this.#digits++;
      this.#countLine();
      if (this.#size > Number.MAX_SAFE_INTEGER) this.#refuseSize(code);
      return;
    }
    if (this.#digits === 0) this.#refuseSize(code);
    if (code === CR) this.#state = "size-lf";
    else if (code === SEMICOLON) this.#state = "extension";
    // Blanks are only allowed before an extension (BWS, RFC 9112 §7.1.1).
    else if (code === 32 || code === 9) this.#state = "blank";
    else this.#refuseSize(code);
  }

  #extensionByte(code: number): void {
    if (code === CR) this.#state = "size-lf";
    else if (code === LF) fault("chunk-size line ends in a bare LF");
    else if (FIELD[code] === 0) fault("control character in a chunk extension");
    this.#countLine();
  }

  #countLine(): void {
    if (++this.#lineLength > MAX_CHUNK_LINE) fault(`chunk-size line is longer than ${MAX_CHUNK_LINE} bytes`);
  }

  #startChunk(): void {
    this.#state = this.#size === 0 ? "trailers" : "data";
    this.#digits = 0;
    this.#lineLength = 0;
  }

  #refuseSize(code: number): never {
    if (code === LF) fault("chunk-size line ends in a bare LF");
    const digits = this.#digits === 0 ? "" : this.#size.toString(16).padStart(this.#digits, "0");
    throw new InvalidChunkLength(digits + String.fromCharCode(code), this.#received);
  }
}

function fault(what: string): never {
  throw new ProtocolError(`Invalid chunked body: ${what}`, { phase: "body" });
}
