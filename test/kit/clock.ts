/**
 * Time that moves only when told to: the `Clock` of tests that must not wait.
 *
 * `advance` runs what is due and returns; `elapse` also lets promises, microtasks and immediates that the timers set
 * going run to their end before time goes on.
 */

import type { Clock, Timer } from "../../src/core/clock.ts";

/** One pending timer. */
interface Pending {
  at: number;
  order: number;
  callback: () => void;
}

/** `now()` starts at 0, `wallNow()` at a date in June 2025; both in ms. */
export class VirtualClock implements Clock {
  #now = 0;
  #wallOffset = 1_750_000_000_000;
  #order = 0;
  readonly #timers = new Set<Pending>();

  /** Timers that wait: 0 once the code under test has cleaned up. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return this.#now + this.#wallOffset;
  }

  setTimer(callback: () => void, delay: number): Timer {
    const timer: Pending = { at: this.#now + Math.max(0, delay), order: this.#order++, callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  /** The virtual loop has polled as soon as everything that is due now has run. */
  afterPoll(callback: () => void): void {
    this.setTimer(callback, 0);
  }

  /** The event loop is blocked for `ms`: time goes on, timers that become due run late. */
  block(ms: number): void {
    this.#now += ms;
  }

  /** Lets `ms` pass; timers that become due run in their order, each at its own time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    while (this.#runNext(end)) {
      // Timers may set further ones that are due as well.
    }
    this.#now = end;
  }

  /** As `advance`, and before, between and after the timers everything asynchronous that is under way comes to rest. */
  async elapse(ms: number): Promise<void> {
    const end = this.#now + ms;
    do await settle();
    while (this.#runNext(end));
    this.#now = end;
  }

  /** The machine sleeps: the time of day goes on, the monotonic clock and its timers do not. */
  suspend(ms: number): void {
    this.#wallOffset += ms;
  }

  /** Runs the first timer that is due at `end`, at its own time; whether there was one. */
  #runNext(end: number): boolean {
    const next = this.#first(end);
    if (next === null) return false;
    this.#timers.delete(next);
    this.#now = Math.max(this.#now, next.at);
    next.callback();
    return true;
  }

  #first(end: number): Pending | null {
    let first: Pending | null = null;
    for (const timer of this.#timers) {
      if (timer.at > end) continue;
      if (first === null || timer.at < first.at || (timer.at === first.at && timer.order < first.order))
        first = timer;
    }
    return first;
  }
}

/** Resolves when the microtasks, ticks and immediates that are queued now, and those they queue at once, have run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
