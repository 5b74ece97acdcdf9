/** Frames that wait to be written, in one buffer that grows; and how each kind of frame is written (RFC 9113 §4 and §6). */

import { copyBytes, writeLatin1 } from "./bytes.ts";
import * as frames from "./frames.ts";

const FIRST_SIZE = 4096;

/** Larger buffers are not kept for the next turn. */
const LARGEST_KEPT = 262_144;

/** The bytes of one turn. */
export class Output {
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_SIZE);
  length: number = 0;
  #spare: Buffer | null = null;
  /** The buffers behind what was taken and not given back, in order. */
  readonly #lent: Buffer[] = [];

  /** Makes room for `length` more bytes. */
  reserve(length: number): void {
    if (this.length + length <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.bytes.length, this.length + length));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }

  /** All that waits, which is then the caller's until `giveBack`; `null` if nothing does. */
  take(): Buffer | null {
    if (this.length === 0) return null;
    const taken = this.bytes.subarray(0, this.length);
    this.#lent.push(this.bytes);
    this.bytes = this.#spare ?? Buffer.allocUnsafeSlow(this.bytes.length);
    this.#spare = null;
    this.length = 0;
    return taken;
  }

  /** The bytes that were taken first were written: their memory can be used again, unless somebody else `keeps` it. */
  giveBack(keeps: boolean): void {
    const bytes = this.#lent.shift();
    if (!keeps && bytes !== undefined && bytes.length <= LARGEST_KEPT) this.#spare = bytes;
  }

  octet(value: number): void {
    this.bytes[this.length++] = value;
  }

  uint32(value: number): void {
    const { bytes, length } = this;
    bytes[length] = value >>> 24;
    bytes[length + 1] = value >>> 16;
    bytes[length + 2] = value >>> 8;
    bytes[length + 3] = value;
    this.length = length + 4;
  }

  latin1(text: string): void {
    this.reserve(text.length);
    this.length = writeLatin1(text, this.bytes, this.length);
  }

  copy(source: Buffer, start: number, end: number): void {
    this.reserve(end - start);
    copyBytes(source, start, end, this.bytes, this.length);
    this.length += end - start;
  }

  /** The head of a frame (§4.1), and room for its payload. */
  head(length: number, type: number, flags: number, id: number): void {
    this.reserve(frames.HEAD_SIZE + length);
    const { bytes } = this;
    const at = this.length;
    bytes[at] = length >>> 16;
    bytes[at + 1] = length >>> 8;
    bytes[at + 2] = length;
    bytes[at + 3] = type;
    bytes[at + 4] = flags;
    this.length = at + 5;
    this.uint32(id);
  }
}

/** A setting's id and value. */
export type Setting = readonly [id: number, value: number];

/** SETTINGS (§6.5). */
export function writeSettings(out: Output, settings: readonly Setting[]): void {
  out.head(6 * settings.length, frames.SETTINGS, 0, 0);
  for (const [id, value] of settings) {
    out.octet(id >>> 8);
    out.octet(id);
    out.uint32(value);
  }
}

/** The acknowledgement of SETTINGS (§6.5.3). */
export function writeSettingsAck(out: Output): void {
  out.head(0, frames.SETTINGS, frames.ACK, 0);
}

/** PING with the eight octets from `at` on (§6.7). */
export function writePing(out: Output, ack: boolean, octets: Buffer, at: number): void {
  out.head(8, frames.PING, ack ? frames.ACK : 0, 0);
  out.copy(octets, at, at + 8);
}

/** RST_STREAM (§6.4). */
export function writeReset(out: Output, id: number, code: number): void {
  out.head(4, frames.RST_STREAM, 0, id);
  out.uint32(code);
}

/** WINDOW_UPDATE (§6.9); `increment` is at least 1. */
export function writeWindowUpdate(out: Output, id: number, increment: number): void {
  out.head(4, frames.WINDOW_UPDATE, 0, id);
  out.uint32(increment);
}

/** GOAWAY (§6.8) of a client that no stream was pushed to. `text` is ASCII, for the peer's log. */
export function writeGoAway(out: Output, code: number, text: string): void {
  out.head(8 + text.length, frames.GOAWAY, 0, 0);
  out.uint32(0);
  out.uint32(code);
  out.latin1(text);
}

/** DATA (§6.1) without padding. */
export function writeData(
  out: Output,
  id: number,
  bytes: Buffer,
  start: number,
  end: number,
  endStream: boolean,
): void {
  out.head(end - start, frames.DATA, endStream ? frames.END_STREAM : 0, id);
  out.copy(bytes, start, end);
}

/** Leaves room for the head of HEADERS; its field block follows. Returns where the frame begins, for `endHeaders`. */
export function beginHeaders(out: Output): number {
  const start = out.length;
  out.head(0, frames.HEADERS, 0, 0);
  return start;
}

/** Completes HEADERS; a block above the peer's frame size goes on in CONTINUATION frames directly behind (§6.10). */
export function endHeaders(
  out: Output,
  start: number,
  id: number,
  endStream: boolean,
  frameSize: number,
): void {
  const from = start + frames.HEAD_SIZE;
  const flags = endStream ? frames.END_STREAM : 0;
  const length = out.length - from;
  if (length <= frameSize) {
    const end = out.length;
    out.length = start;
    out.head(length, frames.HEADERS, flags | frames.END_HEADERS, id);
    out.length = end;
    return;
  }
  const block = Buffer.from(out.bytes.subarray(from, out.length));
  out.length = start;
  for (let at = 0; at < length; at += frameSize) {
    const end = Math.min(length, at + frameSize);
    const last = end === length ? frames.END_HEADERS : 0;
    out.head(end - at, at === 0 ? frames.HEADERS : frames.CONTINUATION, at === 0 ? flags | last : last, id);
    out.copy(block, at, end);
  }
}
