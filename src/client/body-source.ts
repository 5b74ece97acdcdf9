/** A response body on its way: the parts that have come and were not read yet, and the connection they come over. */

import type { Connection } from "../connection/connection.ts";
import type { Clock, Timer } from "../core/clock.ts";
import { BodyUsedError } from "../core/errors.ts";

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
  #ended = false;
  #error: unknown = null;
  #wake: (() => void) | null = null;
  #dropped = false;
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

  /** Whether somebody said, before the end, that nobody will read the rest. */
  get dropped(): boolean {
    return this.#dropped;
  }

  /** The connection, until the body has ended. */
  get connection(): Connection | null {
    return this.#connection;
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

  end(trailers: string): void {
    this.trailers = trailers;
    this.#finish();
  }

  /** The body broke off: what has come is read first, then the error is thrown. */
  fail(error: unknown): void {
    if (this.#ended) return;
    this.#error = error;
    this.#finish();
  }

  // Read by the response.

  /** The next part; `null` at the end. Rejects if the body broke off, or was dropped meanwhile. One call at a time. */
  async next(): Promise<Piece | null> {
    while (this.#empty) {
      if (this.#dropped) throw droppedError();
      if (this.#error !== null) throw this.#error;
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
    const piece = this.#queue[this.#first++]!;
    if (this.#empty) this.#clear();
    if (this.#paused && this.#empty) {
      this.#paused = false;
      this.#connection?.resume();
    }
    return piece;
  }

  /** Nobody will read the rest: the connection is kept if little remains, else it is closed. */
  abandon(): void {
    this.#drop();
    if (this.#ended || this.#draining !== null) return;
    if (this.#length !== null && this.#length - this.wireBytes > DRAIN_BYTES) {
      this.destroy(null);
      return;
    }
    this.#drain(
      DRAIN_BYTES,
      this.#clock.setTimer(() => this.destroy(null), DRAIN_TIME),
    );
  }

  /** Nobody will read the rest, but it shall come, however much it is; resolves when it has, or the body broke off. */
  drain(): Promise<void> {
    this.#drop();
    if (this.#ended) return Promise.resolve();
    this.#draining?.timer?.cancel();
    this.#drain(Number.POSITIVE_INFINITY, null);
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  /** Closes the connection unless the body has ended. Readers get `error`; `null` says that there are none. */
  destroy(error: unknown): void {
    if (error === null) this.#drop();
    if (this.#ended) return;
    const connection = this.#connection;
    if (error !== null) {
      this.#clear();
      this.#error = error;
    }
    this.#finish();
    connection?.close();
  }

  /** A read under way must not take what has come for the whole. */
  #drop(): void {
    if (this.#ended && this.#empty) return;
    this.#dropped = true;
    this.#clear();
    this.#wakeReader();
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
    if (this.#draining!.bytes < 0) this.destroy(null);
    return true;
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#connection = null;
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
