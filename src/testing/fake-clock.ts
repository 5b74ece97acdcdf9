/** Time that moves only when a test says so. */

import { type Clock, InvalidArgumentError, systemClock, type Timer } from "../index.ts";

/** One pending timer. */
interface Pending {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** What the time of day is at first, unless a test says otherwise. */
const START = "2026-01-01T00:00:00Z";

/**
 * A clock for the option `clock` of managers and pools. It stands still until `advance`; then timeouts, back-offs,
 * deadlines and idle limits come as they would, each at its own time.
 *
 * `date`: the time of day at first. Default 2026-01-01, midnight UTC.
 * @throws {InvalidArgumentError} if `date` is none.
 */
export function fakeClock(date: Date | string | number = START): FakeClock {
  const start = new Date(date).getTime();
  if (Number.isNaN(start))
    throw new InvalidArgumentError("fakeClock takes a date, its text, or ms since 1970");
  return new FakeClock(start);
}

/** A clock that {@link fakeClock} made. */
export class FakeClock implements Clock {
  #now = 0;
  #wallOffset: number;
  #order = 0;
  readonly #timers = new Set<Pending>();

  /** `start`: the time of day at first, in ms since 1970. */
  constructor(start: number) {
    this.#wallOffset = start;
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** ms since it was made. */
  now(): number {
    return this.#now;
  }

  /** ms since 1970. */
  wallNow(): number {
    return this.#now + this.#wallOffset;
  }

  /** The time of day, as for a header field: `clock.date().toUTCString()`. */
  date(): Date {
    return new Date(this.wallNow());
  }

  setTimer(callback: () => void, delay: number): Timer {
    const timer: Pending = { at: this.#now + Math.max(0, delay), order: this.#order++, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** There is nothing to be polled: what is due now comes first. */
  afterPoll(callback: () => void): void {
    this.setTimer(callback, 0);
  }

  /**
   * Lets `ms` pass. Timers that become due run in their order, each at its own time; before, between and after them
   * everything that is under way without sockets, files or threads comes to rest.
   * @throws {InvalidArgumentError} if `ms` is not a number of at least 0.
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY)) {
      throw new InvalidArgumentError(`advance takes a number of ms of at least 0, not ${String(ms)}`);
    }
    const end = this.#now + ms;
    do await settled();
    while (this.#runNext(end));
    this.#now = end;
  }

  /** As `advance`, at once: nothing but the timers runs. */
  advanceSync(ms: number): void {
    const end = this.#now + ms;
    while (this.#runNext(end)) {
      // Timers may set further ones that are due as well.
    }
    this.#now = end;
  }

  /** The event loop is blocked for `ms`: time goes on, and timers that become due run late. */
  block(ms: number): void {
    this.#now += ms;
  }

  /** The machine sleeps for `ms`: the time of day goes on, the timers do not. */
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
      if (first === null || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) {
        first = timer;
      }
    }
    return first;
  }
}

/** Resolves when the microtasks, ticks and immediates that are queued now, and those they queue at once, have run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise<void>((resolve) => systemClock.afterPoll(resolve));
  }
}
