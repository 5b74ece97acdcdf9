/**
 * Bytes -> frames (RFC 9113 §4 and §6), whatever the pieces they come in. A frame is read where it lies; only one that is
 * cut is put together, and DATA not even then: its parts go on as they come.
 *
 * Checked here is what a frame tells by itself: lengths, padding, stream 0, the order of field blocks, and that the first
 * frame is SETTINGS. A field block comes as one, however many frames it had. Every breach is a connection error: a peer
 * that cannot count its octets is not to be trusted with the next ones (§5.4.1 allows it).
 */

import { latin1 } from "../../core/bytes.ts";
import * as frames from "./frames.ts";
import { FRAME_SIZE, LONGEST_BLOCK_FRAMES } from "./limits.ts";
import { refuseConnection } from "./violation.ts";

/** What a reader reports. Bytes are only valid during the call. */
export interface FrameSink {
  /** DATA begins; `length` is what flow control counts, padding included. */
  onDataHead(id: number, length: number): void;
  /** A run of its content. */
  onDataBytes(bytes: Buffer, start: number, end: number): void;
  onDataEnd(endStream: boolean): void;
  /** A whole field block. */
  onHeaders(id: number, endStream: boolean, bytes: Buffer, start: number, end: number): void;
  onReset(id: number, code: number): void;
  onSettings(bytes: Buffer, start: number, end: number): void;
  onSettingsAck(): void;
  /** Eight octets from `at` on. */
  onPing(ack: boolean, bytes: Buffer, at: number): void;
  /** The debug data is `bytes[start, end)`. */
  onGoAway(lastId: number, code: number, bytes: Buffer, start: number, end: number): void;
  onWindowUpdate(id: number, increment: number): void;
  /** A frame of an unknown type, or one that means nothing here. */
  onIgnored(): void;
}

/** The pad length of a DATA frame has yet to come. */
const UNKNOWN = -1;

const HTTP_1 = "HTTP/";

/** Characters of an answer in HTTP/1.1 that an error shows. */
const SHOWN_LINE = 80;

/** Reads the frames of one connection. */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #blockLimit: number;
  /** A frame that is cut: octets so far, and how many make it whole, or its head. */
  #carry: Buffer | null = null;
  #carried = 0;
  #needed: number = frames.HEAD_SIZE;
  /** DATA under way: payload octets to come, those of them that are padding, and its last flag. */
  #inData = false;
  #left = 0;
  #padding = 0;
  #endStream = false;
  /** A field block under way. */
  #blockId = 0;
  #blockEndsStream = false;
  #blockFrames = 0;
  #block: Buffer | null = null;
  #blockLength = 0;
  #first = true;

  /** `blockLimit`: octets of a field block of more than one frame. */
  constructor(sink: FrameSink, blockLimit: number) {
    this.#sink = sink;
    this.#blockLimit = blockLimit;
  }

  /** Reads on. Throws a `Violation` of the connection; then nothing may follow. */
  execute(bytes: Buffer, length: number): void {
    let at = 0;
    while (at < length) {
      if (this.#inData) at = this.#data(bytes, at, length);
      else if (this.#carried > 0) at = this.#fill(bytes, at, length);
      else at = this.#next(bytes, at, length);
    }
  }

  /** A frame begins at `at`: it is read if it is whole. */
  #next(bytes: Buffer, at: number, length: number): number {
    const from = at + frames.HEAD_SIZE;
    if (from > length) return this.#keep(bytes, at, length, frames.HEAD_SIZE);
    const payload = this.#checkHead(bytes, at, length);
    if (bytes[at + 3] === frames.DATA) {
      this.#beginData(bytes, at, payload);
      return from;
    }
    const end = from + payload;
    if (end > length) return this.#keep(bytes, at, length, frames.HEAD_SIZE + payload);
    this.#frame(bytes, at, end);
    return end;
  }

  #keep(bytes: Buffer, at: number, length: number, needed: number): number {
    this.#carry ??= Buffer.allocUnsafeSlow(frames.HEAD_SIZE + FRAME_SIZE);
    bytes.copy(this.#carry, 0, at, length);
    this.#carried = length - at;
    this.#needed = needed;
    return length;
  }

  /** Goes on with a frame that was cut. */
  #fill(bytes: Buffer, at: number, length: number): number {
    const carry = this.#carry!;
    const end = Math.min(length, at + this.#needed - this.#carried);
    bytes.copy(carry, this.#carried, at, end);
    this.#carried += end - at;
    if (this.#carried < this.#needed) return end;
    if (this.#needed === frames.HEAD_SIZE) {
      const payload = this.#checkHead(carry, 0, this.#carried);
      if (carry[3] === frames.DATA) {
        this.#carried = 0;
        this.#beginData(carry, 0, payload);
        return end;
      }
      this.#needed += payload;
      if (payload > 0) return end;
    }
    this.#carried = 0;
    this.#frame(carry, 0, this.#needed);
    return end;
  }

  /** Length of the payload of the frame whose head is at `at`. */
  #checkHead(bytes: Buffer, at: number, length: number): number {
    const payload = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    const type = bytes[at + 3]!;
    if (this.#first) this.#checkFirst(bytes, at, length);
    if (payload > FRAME_SIZE) refuseConnection(frames.FRAME_SIZE_ERROR, "a frame larger than we allow");
    if (this.#blockId !== 0 && type !== frames.CONTINUATION)
      refuseConnection(frames.PROTOCOL_ERROR, "a frame within a field block");
    return payload;
  }

  /** §3.4. */
  #checkFirst(bytes: Buffer, at: number, length: number): void {
    this.#first = false;
    if (latin1(bytes, at, at + HTTP_1.length) === HTTP_1) {
      const line = bytes.subarray(at, length).indexOf(10);
      const said = frames.printable(bytes, at, line === -1 ? length : at + line, SHOWN_LINE);
      refuseConnection(
        frames.PROTOCOL_ERROR,
        `the server answered in HTTP/1.1 although h2 was agreed: ${said}`,
      );
    }
    if (bytes[at + 3] !== frames.SETTINGS || (bytes[at + 4]! & frames.ACK) !== 0)
      refuseConnection(frames.PROTOCOL_ERROR, "the first frame is not SETTINGS");
  }

  #beginData(bytes: Buffer, at: number, payload: number): void {
    const flags = bytes[at + 4]!;
    const id = frames.readUint31(bytes, at + 5);
    if (id === 0) refuseConnection(frames.PROTOCOL_ERROR, "DATA on stream 0");
    const padded = (flags & frames.PADDED) !== 0;
    if (padded && payload === 0)
      refuseConnection(frames.FRAME_SIZE_ERROR, "padded DATA without a pad length");
    this.#inData = true;
    this.#left = payload;
    this.#padding = padded ? UNKNOWN : 0;
    this.#endStream = (flags & frames.END_STREAM) !== 0;
    this.#sink.onDataHead(id, payload);
    if (payload === 0) this.#endData();
  }

  #data(bytes: Buffer, start: number, length: number): number {
    let at = start;
    if (this.#padding === UNKNOWN) {
      this.#padding = bytes[at++]!;
      if (this.#padding > --this.#left) refuseConnection(frames.PROTOCOL_ERROR, "more padding than payload");
    }
    const content = Math.min(this.#left - this.#padding, length - at);
    if (content > 0) {
      this.#left -= content;
      this.#sink.onDataBytes(bytes, at, at + content);
      at += content;
    }
    if (this.#left <= this.#padding) {
      const skipped = Math.min(this.#left, length - at);
      this.#left -= skipped;
      this.#padding -= skipped;
      at += skipped;
    }
    if (this.#left === 0) this.#endData();
    return at;
  }

  #endData(): void {
    this.#inData = false;
    this.#sink.onDataEnd(this.#endStream);
  }

  /** A whole frame other than DATA. */
  #frame(bytes: Buffer, at: number, end: number): void {
    const from = at + frames.HEAD_SIZE;
    const flags = bytes[at + 4]!;
    const id = frames.readUint31(bytes, at + 5);
    switch (bytes[at + 3]) {
      case frames.HEADERS:
        this.#headers(flags, id, bytes, from, end);
        return;
      case frames.CONTINUATION:
        this.#continuation(flags, id, bytes, from, end);
        return;
      case frames.WINDOW_UPDATE:
        checkLength("WINDOW_UPDATE", end - from, 4);
        this.#sink.onWindowUpdate(id, frames.readUint31(bytes, from));
        return;
      case frames.RST_STREAM:
        onStream("RST_STREAM", id);
        checkLength("RST_STREAM", end - from, 4);
        this.#sink.onReset(id, frames.readUint32(bytes, from));
        return;
      case frames.SETTINGS:
        onConnection("SETTINGS", id);
        this.#settings(flags, bytes, from, end);
        return;
      case frames.PING:
        onConnection("PING", id);
        checkLength("PING", end - from, 8);
        this.#sink.onPing((flags & frames.ACK) !== 0, bytes, from);
        return;
      case frames.GOAWAY:
        onConnection("GOAWAY", id);
        if (end - from < 8) refuseConnection(frames.FRAME_SIZE_ERROR, "GOAWAY of a wrong length");
        this.#goAway(bytes, from, end);
        return;
      case frames.PUSH_PROMISE:
        refuseConnection(frames.PROTOCOL_ERROR, "PUSH_PROMISE, which we do not allow");
        return;
      case frames.PRIORITY:
        onStream("PRIORITY", id);
        checkLength("PRIORITY", end - from, 5);
        this.#sink.onIgnored();
        return;
      default:
        this.#sink.onIgnored();
    }
  }

  #settings(flags: number, bytes: Buffer, from: number, end: number): void {
    if ((flags & frames.ACK) !== 0) {
      checkLength("an acknowledgement of SETTINGS", end - from, 0);
      this.#sink.onSettingsAck();
      return;
    }
    if ((end - from) % 6 !== 0) refuseConnection(frames.FRAME_SIZE_ERROR, "SETTINGS of a wrong length");
    this.#sink.onSettings(bytes, from, end);
  }

  #goAway(bytes: Buffer, from: number, end: number): void {
    const lastId = frames.readUint31(bytes, from);
    this.#sink.onGoAway(lastId, frames.readUint32(bytes, from + 4), bytes, from + 8, end);
  }

  /** Padding and the old priority fields are taken off (§6.2). */
  #headers(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    onStream("HEADERS", id);
    let start = from;
    let end = to;
    const padded = (flags & frames.PADDED) !== 0;
    const extra = (padded ? 1 : 0) + ((flags & frames.PRIORITY_FLAG) !== 0 ? 5 : 0);
    if (extra > end - start) refuseConnection(frames.FRAME_SIZE_ERROR, "HEADERS too short for its fields");
    if (padded) end -= bytes[start]!;
    start += extra;
    if (start > end) refuseConnection(frames.PROTOCOL_ERROR, "more padding than payload");
    const endStream = (flags & frames.END_STREAM) !== 0;
    if ((flags & frames.END_HEADERS) !== 0) {
      this.#sink.onHeaders(id, endStream, bytes, start, end);
      return;
    }
    this.#blockId = id;
    this.#blockEndsStream = endStream;
    this.#blockLength = this.#blockFrames = 0;
    this.#append(bytes, start, end);
  }

  #continuation(flags: number, id: number, bytes: Buffer, from: number, end: number): void {
    if (this.#blockId === 0 || id !== this.#blockId)
      refuseConnection(frames.PROTOCOL_ERROR, "CONTINUATION without its HEADERS");
    this.#append(bytes, from, end);
    if ((flags & frames.END_HEADERS) === 0) return;
    this.#blockId = 0;
    const block = this.#block!;
    this.#block = null;
    this.#sink.onHeaders(id, this.#blockEndsStream, block, 0, this.#blockLength);
  }

  /** Frames count even if they are empty. */
  #append(bytes: Buffer, start: number, end: number): void {
    const length = this.#blockLength + end - start;
    if (length > this.#blockLimit || ++this.#blockFrames > LONGEST_BLOCK_FRAMES)
      refuseConnection(frames.ENHANCE_YOUR_CALM, "a field block too long (maxHeaderSize)");
    if (this.#block === null || this.#block.length < length) {
      const larger = Buffer.allocUnsafeSlow(2 * length);
      this.#block?.copy(larger, 0, 0, this.#blockLength);
      this.#block = larger;
    }
    bytes.copy(this.#block, this.#blockLength, start, end);
    this.#blockLength = length;
  }
}

function checkLength(what: string, length: number, wanted: number): void {
  if (length !== wanted) refuseConnection(frames.FRAME_SIZE_ERROR, `${what} of a wrong length`);
}

function onStream(what: string, id: number): void {
  if (id === 0) refuseConnection(frames.PROTOCOL_ERROR, `${what} on stream 0`);
}

function onConnection(what: string, id: number): void {
  if (id !== 0) refuseConnection(frames.PROTOCOL_ERROR, `${what} on a stream`);
}
