/**
 * Request bodies on their way into DATA frames: round robin, a frame a stream a round, as far as the windows of the stream
 * and of the connection go (RFC 9113 §6.9). A stream without window leaves the line until it gets some.
 */

import { copyBytes } from "./bytes.ts";
import * as frames from "./frames.ts";
import { FRAME_SIZE } from "./limits.ts";
import type { Output } from "./output.ts";
import { CLOSED, type H2Stream } from "./stream.ts";

/** Who is told what was sent. */
export interface SendObserver {
  /** `length` octets of the body went out; `last`: nothing follows. The source may give more. */
  onSent(stream: H2Stream, length: number, last: boolean): void;
}

/** The uploads of one connection. */
export class SendQueue {
  /** What the peer lets us send on all streams, in bytes. */
  connectionWindow: number = frames.DEFAULT_WINDOW;
  /** The peer's INITIAL_WINDOW_SIZE. A change holds for every open stream at once: their windows count from it. */
  initialWindow: number = frames.DEFAULT_WINDOW;
  /** DATA frames ever sent: what excuses the peer's WINDOW_UPDATEs. */
  framesSent: number = 0;
  readonly #observer: SendObserver;
  #first: H2Stream | null = null;
  #last: H2Stream | null = null;
  /** No stream's `sendDelta` is above it. */
  #largestDelta = 0;

  constructor(observer: SendObserver) {
    this.#observer = observer;
  }

  /** Whether there is something that may be sent now. */
  get hasWork(): boolean {
    return this.#first !== null && (this.connectionWindow > 0 || this.#first.queued === 0);
  }

  /** The send window of a stream, which may be below zero (§6.9.2). */
  windowOf(stream: H2Stream): number {
    return this.initialWindow + stream.sendDelta;
  }

  /** Adds a part of a body, which must stay as it is until it is sent. */
  add(stream: H2Stream, part: Buffer | null, last: boolean): void {
    if (part !== null && part.length > 0) {
      stream.parts ??= [];
      stream.parts.push(part);
      stream.queued += part.length;
    }
    stream.lastQueued = last;
    this.#join(stream);
  }

  /** Nothing more of this stream. */
  drop(stream: H2Stream): void {
    stream.sending = false;
    stream.parts = null;
    stream.queued = 0;
  }

  /** A WINDOW_UPDATE for a stream; false if its window became too large. */
  enlarge(stream: H2Stream, increment: number): boolean {
    stream.sendDelta += increment;
    if (this.windowOf(stream) > frames.LARGEST_WINDOW) return false;
    this.#largestDelta = Math.max(this.#largestDelta, stream.sendDelta);
    this.#join(stream);
    return true;
  }

  /** A WINDOW_UPDATE for the connection; false if the window became too large. */
  enlargeConnection(increment: number): boolean {
    this.connectionWindow += increment;
    return this.connectionWindow <= frames.LARGEST_WINDOW;
  }

  /** Another INITIAL_WINDOW_SIZE; false if it makes a window too large. Only then, or to wake them, streams are looked at. */
  setInitialWindow(size: number, open: () => readonly H2Stream[]): boolean {
    const larger = size > this.initialWindow;
    this.initialWindow = size;
    if (!larger) return true;
    const suspect = size + this.#largestDelta > frames.LARGEST_WINDOW;
    for (const stream of open()) {
      if (suspect && this.windowOf(stream) > frames.LARGEST_WINDOW) return false;
      this.#join(stream);
    }
    return true;
  }

  /** Writes frames until `out` has `limit` bytes, or nothing may be sent any more. */
  pump(out: Output, frameSize: number, limit: number): void {
    const largest = Math.min(frameSize, FRAME_SIZE);
    while (this.#first !== null && out.length < limit) {
      const stream = this.#first;
      const window = Math.min(this.windowOf(stream), this.connectionWindow);
      const length = Math.min(stream.queued, largest, Math.max(0, window));
      if (length === 0 && stream.queued > 0 && this.connectionWindow <= 0) return;
      this.#leave(stream);
      if (!isWaiting(stream) || (length === 0 && stream.queued > 0)) continue;
      this.#send(out, stream, length);
      this.#join(stream);
    }
  }

  #send(out: Output, stream: H2Stream, length: number): void {
    const last = stream.lastQueued && length === stream.queued;
    out.head(length, frames.DATA, last ? frames.END_STREAM : 0, stream.id);
    takeParts(stream, out, length);
    stream.sendDelta -= length;
    this.connectionWindow -= length;
    this.framesSent++;
    if (last) stream.sending = false;
    this.#observer.onSent(stream, length, last);
  }

  #join(stream: H2Stream): void {
    if (stream.inLine || !isWaiting(stream)) return;
    stream.inLine = true;
    if (this.#last === null || stream.queued === 0) {
      // Only END_STREAM is left, which needs no window: it goes first.
      stream.nextInLine = this.#first;
      this.#first = stream;
      this.#last ??= stream;
      return;
    }
    stream.nextInLine = null;
    this.#last.nextInLine = stream;
    this.#last = stream;
  }

  /** Takes the first of the line out of it. */
  #leave(stream: H2Stream): void {
    stream.inLine = false;
    this.#first = stream.nextInLine;
    if (this.#first === null) this.#last = null;
    stream.nextInLine = null;
  }
}

function isWaiting(stream: H2Stream): boolean {
  return stream.sending && stream.state !== CLOSED && (stream.queued > 0 || stream.lastQueued);
}

/** Moves the first `length` octets of the queue to `out`, which has room for them. */
function takeParts(stream: H2Stream, out: Output, length: number): void {
  stream.queued -= length;
  for (let left = length; left > 0; ) {
    const part = stream.parts![0]!;
    const taken = Math.min(left, part.length - stream.partOffset);
    copyBytes(part, stream.partOffset, stream.partOffset + taken, out.bytes, out.length);
    out.length += taken;
    left -= taken;
    stream.partOffset += taken;
    if (stream.partOffset < part.length) continue;
    stream.parts!.shift();
    stream.partOffset = 0;
  }
}
