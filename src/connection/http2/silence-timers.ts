/** Read timers for many streams: one that a stream has done with serves the next. */

import type { CoarseTimers } from "../../core/timers.ts";
import { ReadTimer, type ReadWatch } from "../read-timer.ts";

/** Timers that are kept for streams to come. */
const MOST_KEPT = 256;

/** A timer on loan to one stream at a time. */
export class SilenceTimer implements ReadWatch {
  readonly timer: ReadTimer;
  watch: ReadWatch | null = null;

  constructor(timers: CoarseTimers) {
    this.timer = new ReadTimer(timers, this);
  }

  awaitsSource(): boolean {
    return this.watch!.awaitsSource();
  }

  onSilence(limit: number): void {
    this.watch!.onSilence(limit);
  }
}

/** The timers of one connection. */
export class SilenceTimers {
  readonly #timers: CoarseTimers;
  readonly #kept: SilenceTimer[] = [];

  constructor(timers: CoarseTimers) {
    this.#timers = timers;
  }

  /** The time of `watch` begins, with `limit` ms. */
  start(watch: ReadWatch, limit: number, now: number | undefined): SilenceTimer {
    const timer = this.#kept.pop() ?? new SilenceTimer(this.#timers);
    timer.watch = watch;
    timer.timer.start(limit, now);
    return timer;
  }

  giveBack(timer: SilenceTimer): void {
    timer.timer.stop();
    timer.watch = null;
    if (this.#kept.length < MOST_KEPT) this.#kept.push(timer);
  }
}
