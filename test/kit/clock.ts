/**
 * Time that moves only when told to: the `Clock` of tests that must not wait. It is the clock of `urlpool/testing` under
 * the names of this kit.
 *
 * `advance` runs what is due and returns; `elapse` also lets promises, microtasks and immediates that the timers set
 * going run to their end before time goes on.
 */

import type { Clock, Timer } from "../../src/core/clock.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

/** `now()` starts at 0, `wallNow()` at a date in June 2025; both in ms. */
export class VirtualClock implements Clock {
  readonly #clock = new FakeClock(1_750_000_000_000);

  /** Timers that wait: 0 once the code under test has cleaned up. */
  get pending(): number {
    return this.#clock.pending;
  }

  now(): number {
    return this.#clock.now();
  }

  wallNow(): number {
    return this.#clock.wallNow();
  }

  setTimer(callback: () => void, delay: number): Timer {
    return this.#clock.setTimer(callback, delay);
  }

  afterPoll(callback: () => void): void {
    this.#clock.afterPoll(callback);
  }

  /** The event loop is blocked for `ms`: time goes on, timers that become due run late. */
  block(ms: number): void {
    this.#clock.block(ms);
  }

  /** Lets `ms` pass; timers that become due run in their order, each at its own time. */
  advance(ms: number): void {
    this.#clock.advanceSync(ms);
  }

  /** As `advance`, and before, between and after the timers everything asynchronous that is under way comes to rest. */
  elapse(ms: number): Promise<void> {
    return this.#clock.advance(ms);
  }

  /** The machine sleeps: the time of day goes on, the monotonic clock and its timers do not. */
  suspend(ms: number): void {
    this.#clock.suspend(ms);
  }
}

/** Resolves when the microtasks, ticks and immediates that are queued now, and those they queue at once, have run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
