/**
 * A response body on its way: the parts that have come and were not read yet, and the stream they come over.
 *
 *  flowing    parts come
 *  paused     enough has come that was not read: the stream is not read any further
 *  draining   nobody reads the rest, but it shall come, so that the connection can be used again
 *  complete   all has come; some of it may still be unread
 *  failed     it broke off, by the server, a signal, a deadline or an error of its reader
 *  dropped    nobody reads the rest, and no more comes
 */

import type { Stream } from "../../connection/connection.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import { BodyUsedError } from "../../core/errors.ts";
import type { FieldLines } from "../../protocol/response-head.ts";

/** Bytes kept for a reader that is slower than the server; then the socket is not read any further. */
const HIGH_WATER = 262_144;

/** What a part takes besides its bytes, about: many small ones must not be cheaper than they are. */
const PIECE_COST = 128;

/** What an abandoned body may still have to come for its connection to be worth keeping, in bytes and ms. */
const DRAIN_BYTES = 262_144;
const DRAIN_TIME = 50;

/** A part of a body. */
export interface Piece {
  readonly bytes: Buffer;
  /** Whether it ends a chunk of the chunked coding. */
  readonly endsChunk: boolean;
}

/** What a body is doing. */
export type BodyState = "flowing" | "paused" | "draining" | "complete" | "failed" | "dropped";

/** One body, fed by an attempt and read by a response. */
export class BodySource {
  /** Bytes that came over the wire, chunk framing not counted. */
  wireBytes: number = 0;
  /** The trailer section, once the body has ended; `null` where there is none. */
  trailers: FieldLines | null = null;
  readonly #length: number | null;
  readonly #clock: Clock;
  #state: BodyState = "flowing";
  #stream: Stream | null;
  #queue: Piece[] = [];
  /** Those before it were taken. */
  #first = 0;
  #queued = 0;
  /** Somebody has begun to read, or will not. */
  #touched = false;
  /** The body has ended, and the stream waits until it was read. */
  #parked = false;
  /** Why the body broke off; any value may be a reason, `null` too. */
  #reason: unknown;
  /** Whether it was broken off from this side. */
  #destroyed = false;
  /** It broke off, and no reader knows yet. */
  #untold = false;
  #wake: (() => void) | null = null;
  /** What may still come before the connection is not worth it any more. */
  #drainBytes = 0;
  #drainTimer: Timer | null = null;
  #waiting: (() => void)[] = [];
  /** Its reader has all of it, or wants no more. */
  #wasRead = false;
  /** Called once then. */
  #onRead: (() => void) | null = null;
  /** It has to be decoded: its reader has work left when all has come. */
  coded: boolean = false;
  #onEnd: (() => void) | null;

  /** `length` is the declared one, `null` where unknown; `onEnd` is called once, however the body ends. */
  constructor(stream: Stream | null, length: number | null, clock: Clock, onEnd: () => void) {
    this.#stream = stream;
    this.#length = length;
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  toString(): string {
    return `${this.#state} read=${this.wireBytes}/${this.#length ?? "?"}${this.#parked ? " parked" : ""}`;
  }

  /** Whether no more will come. What has come may still have to be read. */
  get ended(): boolean {
    return this.#state === "complete" || this.#state === "failed" || this.#state === "dropped";
  }

  /** Whether all has come and all of it was read. */
  get finished(): boolean {
    return this.#state === "complete" && this.#empty;
  }

  /** Whether something that has come, or will, is still to be read. */
  get unread(): boolean {
    return !this.dropped && this.#state !== "failed" && !this.finished;
  }

  /** Whether a reader has nothing more to learn: no more will come, and what came was read, as was how it broke off. */
  get exhausted(): boolean {
    return this.ended && this.#empty && !this.#untold;
  }

  /** Whether the body broke off. */
  get failed(): boolean {
    return this.#state === "failed";
  }

  /** Why it broke off; `null` if it did not. */
  get failure(): unknown {
    return this.#state === "failed" ? this.#reason : null;
  }

  /** Whether the body was ended from this side: by a signal, a deadline, or an error of its reader. */
  get destroyed(): boolean {
    return this.#destroyed;
  }

  /** Whether somebody said, before the end, that nobody will read the rest. */
  get dropped(): boolean {
    return this.#state === "dropped" || this.#state === "draining";
  }

  /** Whether a stream is bound to it: until the body has ended, or was read where the stream waits for that. */
  get bound(): boolean {
    return this.#stream !== null;
  }

  /** Whether the stream is to wait for a reader: who has an unread response has its connection too (urllib3). */
  get holds(): boolean {
    return !this.#touched && !this.#empty;
  }

  // Fed by the attempt.

  /** False: enough for now. */
  push(bytes: Buffer, endsChunk: boolean): boolean {
    this.wireBytes += bytes.length;
    if (this.#state === "draining") return this.#throwAway(bytes.length);
    if (this.ended) return true;
    this.#queue.push({ bytes, endsChunk });
    this.#queued += bytes.length + PIECE_COST;
    this.#wakeReader();
    if (this.#queued >= HIGH_WATER) this.#state = "paused";
    return this.#state !== "paused";
  }

  /** `parked`: the stream waits until the body was read. */
  end(trailers: FieldLines | null, parked: boolean): void {
    this.trailers = trailers;
    this.#parked = parked;
    this.#finish(this.#state === "draining" ? "dropped" : "complete");
  }

  /** The body broke off: what has come is read first, then the error is thrown. */
  fail(error: unknown): void {
    if (this.ended) return;
    this.#reason = error;
    this.#untold = this.#state !== "draining";
    this.#finish(this.#untold ? "failed" : "dropped");
  }

  // Read by the response.

  /** The next part; `null` at the end. Rejects if the body broke off, or was dropped meanwhile. One call at a time. */
  async next(): Promise<Piece | null> {
    this.#touched = true;
    while (this.#empty) {
      if (this.dropped) throw droppedError();
      if (this.#state === "failed") {
        this.#untold = false;
        throw this.#reason;
      }
      if (this.#state === "complete") return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.take();
  }

  /** The next part if it is there. */
  take(): Piece | null {
    if (this.#empty) return null;
    this.#touched = true;
    const piece = this.#queue[this.#first++]!;
    if (!this.#empty) return piece;
    this.#clear();
    if (this.#parked) this.#letGo();
    if (this.#state === "paused") {
      this.#state = "flowing";
      this.#stream?.resume();
    }
    return piece;
  }

  /** Gives back what was taken and not used: it is the next part again. */
  putBack(piece: Piece): void {
    if (this.#first > 0) this.#queue[--this.#first] = piece;
    else this.#queue.unshift(piece);
  }

  /** Nobody will read the rest: the connection is kept if little remains, else it is closed. */
  abandon(): void {
    const draining = this.#state === "draining";
    this.#drop();
    if (this.ended || draining) return;
    if (this.#length !== null && this.#length - this.wireBytes > DRAIN_BYTES) {
      this.close();
      return;
    }
    this.#drain(
      DRAIN_BYTES,
      this.#clock.setTimer(() => this.close(), DRAIN_TIME),
    );
  }

  /** Nobody will read the rest, but it shall come, however much it is; resolves when it has, or the body broke off. */
  drain(): Promise<void> {
    this.#drop();
    if (this.ended) return Promise.resolve();
    this.#drain(Number.POSITIVE_INFINITY, null);
    return this.settled();
  }

  /** Resolves when no more will come. */
  settled(): Promise<void> {
    if (this.ended) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Ends the stream unless the body has ended. Readers get `reason`, also where all has come and is still to be read. */
  destroy(reason: unknown): void {
    this.#letGo();
    const unread = this.#state === "complete" && !this.#wasRead;
    if (this.ended && !unread) return;
    this.#clear();
    this.#reason = reason;
    this.#destroyed = true;
    if (unread) this.#state = "failed";
    else this.#cut("failed");
    this.read();
  }

  /** Its reader has all of it, decoded, or wants no more. */
  read(): void {
    this.#wasRead = true;
    const told = this.#onRead;
    this.#onRead = null;
    told?.();
  }

  /** Calls `done` once that is so, maybe at once; of a body that needs no work once it has come, when it has. */
  whenRead(done: () => void): void {
    if (this.#wasRead || !this.coded || this.#state !== "complete") done();
    else this.#onRead = done;
  }

  /** Ends the stream unless the body has ended. There are no readers. */
  close(): void {
    this.#drop();
    if (!this.ended) this.#cut("dropped");
  }

  #cut(state: "failed" | "dropped"): void {
    // First the stream: when the last request has ended no timer of its shall be left.
    this.#stream?.cancel();
    this.#finish(state);
  }

  /** A read under way must not take what has come for the whole. */
  #drop(): void {
    this.#untold = false;
    this.#touched = true;
    this.#letGo();
    const decoding = this.coded && !this.#wasRead;
    this.read();
    if (this.ended && this.#empty && !decoding) return;
    this.#clear();
    if (this.#state !== "failed") this.#state = this.ended ? "dropped" : "draining";
    this.#wakeReader();
  }

  #letGo(): void {
    if (!this.#parked) return;
    this.#parked = false;
    const stream = this.#stream;
    this.#stream = null;
    stream?.release();
  }

  get #empty(): boolean {
    return this.#first === this.#queue.length;
  }

  #clear(): void {
    this.#queue = [];
    this.#first = 0;
    this.#queued = 0;
  }

  #drain(bytes: number, timer: Timer | null): void {
    this.#drainTimer?.cancel();
    this.#drainTimer = timer;
    this.#drainBytes = bytes;
    this.#stream?.resume();
  }

  #throwAway(length: number): boolean {
    this.#drainBytes -= length;
    if (this.#drainBytes < 0) this.close();
    return true;
  }

  #finish(state: "complete" | "failed" | "dropped"): void {
    if (this.ended) return;
    this.#state = state;
    if (!this.#parked) this.#stream = null;
    this.#drainTimer?.cancel();
    this.#wakeReader();
    for (const resolve of this.#waiting) resolve();
    const onEnd = this.#onEnd;
    this.#onEnd = null;
    onEnd?.();
  }

  #wakeReader(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

function droppedError(): BodyUsedError {
  return new BodyUsedError("The response was closed while its body was being read", { phase: "body" });
}
