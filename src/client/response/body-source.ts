/** A response body on its way: the parts that have come and were not read yet, and the connection they come over. */

import type { Connection } from "../../connection/connection.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import { BodyUsedError } from "../../core/errors.ts";

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

/** One body, fed by an attempt and read by a response. */
export class BodySource {
  /** Bytes that came over the wire, chunk framing not counted. */
  wireBytes: number = 0;
  /** Latin-1 text of the trailer section, once the body has ended. */
  trailers: string = "";
  readonly #length: number | null;
  readonly #clock: Clock;
  #connection: Connection | null;
  #queue: Piece[] = [];
  /** Those before it were taken. */
  #first = 0;
  #queued = 0;
  #paused = false;
  /** Somebody has begun to read, or will not. */
  #touched = false;
  /** The body has ended, and the connection waits until it was read. */
  #held = false;
  #ended = false;
  /** Why the body broke off; any value may be a reason, `null` too. */
  #error: { readonly reason: unknown } | null = null;
  /** The body broke off, and no reader knows yet. */
  #untold = false;
  #wake: (() => void) | null = null;
  #dropped = false;
  #destroyed = false;
  /** What may still come before the connection is not worth it any more. */
  #draining: { bytes: number; timer: Timer | null } | null = null;
  #drained: (() => void)[] = [];
  #onEnd: (() => void) | null;

  /** `length` is the declared one, `null` where unknown; `onEnd` is called once, however the body ends. */
  constructor(connection: Connection | null, length: number | null, clock: Clock, onEnd: () => void) {
    this.#connection = connection;
    this.#length = length;
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  /** Whether no more will come. What has come may still have to be read. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether all has come and all of it was read. */
  get finished(): boolean {
    return this.#ended && this.#empty && this.#error === null;
  }

  /** Whether something that has come, or will, is still to be read. */
  get unread(): boolean {
    return !this.#dropped && this.#error === null && !this.finished;
  }

  /** Whether a reader has nothing more to learn: no more will come, and what came was read, as was how it broke off. */
  get exhausted(): boolean {
    return this.#ended && this.#empty && !this.#untold;
  }

  /** Whether the body broke off. */
  get failed(): boolean {
    return this.#error !== null;
  }

  /** Whether the body was ended from this side: by a signal, a deadline, or an error of its reader. */
  get destroyed(): boolean {
    return this.#destroyed;
  }

  /** Whether somebody said, before the end, that nobody will read the rest. */
  get dropped(): boolean {
    return this.#dropped;
  }

  /** The connection, until the body has ended; of a body that nobody has begun to read by then, until it was read. */
  get connection(): Connection | null {
    return this.#connection;
  }

  /** Whether the connection is to wait for a reader: who has an unread response has its connection too (urllib3). */
  get holds(): boolean {
    return !this.#touched && !this.#empty;
  }

  // Fed by the attempt.

  /** False: enough for now. */
  push(bytes: Buffer, endsChunk: boolean): boolean {
    this.wireBytes += bytes.length;
    if (this.#draining !== null) return this.#throwAway(bytes.length);
    this.#queue.push({ bytes, endsChunk });
    this.#queued += bytes.length + PIECE_COST;
    this.#wakeReader();
    this.#paused = this.#queued >= HIGH_WATER;
    return !this.#paused;
  }

  /** `held`: the connection waits until the body was read. */
  end(trailers: string, held: boolean): void {
    this.trailers = trailers;
    this.#held = held;
    this.#finish();
  }

  /** The body broke off: what has come is read first, then the error is thrown. */
  fail(error: unknown): void {
    if (this.#ended) return;
    this.#error = { reason: error };
    this.#untold = !this.#dropped;
    this.#finish();
  }

  // Read by the response.

  /** The next part; `null` at the end. Rejects if the body broke off, or was dropped meanwhile. One call at a time. */
  async next(): Promise<Piece | null> {
    this.#touched = true;
    while (this.#empty) {
      if (this.#dropped) throw droppedError();
      if (this.#error !== null) {
        this.#untold = false;
        throw this.#error.reason;
      }
      if (this.#ended) return null;
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
    if (this.#empty) this.#clear();
    if (this.#held && this.#empty) this.#letGo();
    if (this.#paused && this.#empty) {
      this.#paused = false;
      this.#connection?.resume();
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
    this.#drop();
    if (this.#ended || this.#draining !== null) return;
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
    if (this.#ended) return Promise.resolve();
    this.#draining?.timer?.cancel();
    this.#drain(Number.POSITIVE_INFINITY, null);
    return this.settled();
  }

  /** Resolves when no more will come. */
  settled(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  /** Closes the connection unless the body has ended. Readers get `reason`. */
  destroy(reason: unknown): void {
    this.#letGo();
    if (this.#ended) return;
    this.#clear();
    this.#error = { reason };
    this.#destroyed = true;
    this.#cut();
  }

  /** Closes the connection unless the body has ended. There are no readers. */
  close(): void {
    this.#drop();
    if (!this.#ended) this.#cut();
  }

  #cut(): void {
    const connection = this.#connection;
    this.#finish();
    connection?.close();
  }

  /** A read under way must not take what has come for the whole. */
  #drop(): void {
    this.#untold = false;
    this.#touched = true;
    this.#letGo();
    if (this.#ended && this.#empty) return;
    this.#dropped = true;
    this.#clear();
    this.#wakeReader();
  }

  #letGo(): void {
    if (!this.#held) return;
    this.#held = false;
    const connection = this.#connection;
    this.#connection = null;
    connection?.release();
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
    this.#draining = { bytes, timer };
    this.#paused = false;
    this.#connection?.resume();
  }

  #throwAway(length: number): boolean {
    this.#draining!.bytes -= length;
    if (this.#draining!.bytes < 0) this.close();
    return true;
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.#held) this.#connection = null;
    this.#draining?.timer?.cancel();
    this.#wakeReader();
    for (const resolve of this.#drained) resolve();
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
