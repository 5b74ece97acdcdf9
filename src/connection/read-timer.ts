/**
 * The read timeout: the longest silence of the server.
 *
 * It begins when the request is on the wire, and begins anew with everything the server says, 1xx answers and parts of a
 * head included. Three silences are not the server's:
 *  1. our upload moves: every part of it that the server takes is a `touch`;
 *  2. our own source of the upload is slow;
 *  3. the reader of the response is slow (`pause`).
 * An upload that the server does not take ends the exchange all the same.
 */

import { type CoarseTimers, TimerEntry } from "../core/timers.ts";

/** Whose silence is measured. */
export interface ReadWatch {
  /** Whether the server has taken all there is of the request, and its source has yet to give the rest. */
  awaitsSource(): boolean;
  /** The server was silent for `limit` ms. */
  onSilence(limit: number): void;
}

/** One per connection in HTTP/1, one per stream in HTTP/2; used for one exchange after another. */
export class ReadTimer {
  readonly #timers: CoarseTimers;
  readonly #watch: ReadWatch;
  readonly #entry: TimerEntry = new TimerEntry(() => this.#expire());
  #limit = Number.POSITIVE_INFINITY;

  constructor(timers: CoarseTimers, watch: ReadWatch) {
    this.#timers = timers;
    this.#watch = watch;
  }

  /** The time begins, with `limit` ms. `now`: the clock's. */
  start(limit: number, now?: number): void {
    this.#limit = limit;
    if (limit !== Number.POSITIVE_INFINITY) this.#timers.arm(this.#entry, limit, now);
  }

  /** The server has said or taken something: the time begins anew. */
  touch(): void {
    if (this.#limit !== Number.POSITIVE_INFINITY) this.#timers.arm(this.#entry, this.#limit);
  }

  /** No time runs, until `touch` or `start`. */
  stop(): void {
    this.#entry.disarm();
  }

  #expire(): void {
    if (this.#watch.awaitsSource()) this.touch();
    else this.#watch.onSilence(this.#limit);
  }
}
