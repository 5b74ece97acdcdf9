/** How far an upload or a download has come, told at a rate that nobody drowns in. */

import type { Clock } from "../../core/clock.ts";

/** What a progress callback gets. */
export interface Progress {
  /** Bytes so far. */
  transferred: number;
  /** Bytes in all; `null` where that is not known. */
  total: number | null;
  /** 0 to 1; `null` where the total is not known. */
  percent: number | null;
  bytesPerSecond: number;
}

/** A progress callback. */
export type OnProgress = (progress: Progress) => void;

/** At most 20 calls a second. */
const INTERVAL = 50;

/** Calls back as bytes pass; the last call always comes. */
export class ProgressMeter {
  readonly #callback: OnProgress;
  readonly #clock: Clock;
  readonly #total: number | null;
  readonly #begin: number;
  readonly #offset: number;
  #transferred = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #reported = -1;

  /** `offset`: bytes that were there before; they count as transferred, but not for the rate. */
  constructor(callback: OnProgress, total: number | null, clock: Clock, offset: number = 0) {
    this.#callback = callback;
    this.#clock = clock;
    this.#total = total;
    this.#begin = clock.now();
    this.#offset = offset;
    this.#transferred = offset;
  }

  /** `bytes` have passed in all. */
  at(bytes: number): void {
    this.#transferred = bytes;
    if (this.#clock.now() - this.#reportedAt >= INTERVAL) this.#report();
  }

  /** No more will pass. */
  end(): void {
    if (this.#reported !== this.#transferred) this.#report();
  }

  #report(): void {
    const now = this.#clock.now();
    this.#reportedAt = now;
    this.#reported = this.#transferred;
    const seconds = Math.max(now - this.#begin, 1) / 1000;
    this.#callback({
      transferred: this.#transferred,
      total: this.#total,
      percent: this.#total === null ? null : this.#total === 0 ? 1 : this.#transferred / this.#total,
      bytesPerSecond: (this.#transferred - this.#offset) / seconds,
    });
  }
}
