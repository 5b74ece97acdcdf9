/** Time that moves only when told to. */

import type { Clock, Timer } from "../../src/core/clock.ts";

interface Pending {
  at: number;
  order: number;
  callback: () => void;
}

export class VirtualClock implements Clock {
  #now = 0;
  #wallOffset = 1_750_000_000_000;
  #order = 0;
  readonly #timers = new Set<Pending>();

  /** Timers that wait. */
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
    const timer: Pending = { at: this.#now + delay, order: this.#order++, callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  /** Lets `ms` pass; timers that become due run in their order, each at its own time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#first(end);
      if (next === null) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = end;
  }

  /** The machine sleeps: the time of day goes on, the monotonic clock and its timers do not. */
  suspend(ms: number): void {
    this.#wallOffset += ms;
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
