/**
 * Many timeouts of few different lengths, for the price of a linked-list node each.
 *
 * All entries of one duration stand in one list, in the order in which they end; one platform timer per list waits for
 * the first of them. Arming and disarming touch two pointers. An entry fires at its end or up to a few milliseconds
 * later, never before.
 *
 * A blocked event loop is not the peer's silence:
 *  1. an entry fires only after the sockets were looked at once more: what it waited for may be there already;
 *  2. a list that fires late waits once more, for as long as it was late: a handshake needs its round trips.
 */

import type { Clock, Timer } from "./clock.ts";

/** Something that can time out. Hold one per user and arm it again and again. */
export class TimerEntry {
  /** @internal */ list: TimerList | null = null;
  /** @internal */ previous: TimerEntry | null = null;
  /** @internal */ next: TimerEntry | null = null;
  /** @internal */ end: number = 0;
  readonly onTimeout: () => void;

  constructor(onTimeout: () => void) {
    this.onTimeout = onTimeout;
  }

  /** Whether it is waiting. */
  get armed(): boolean {
    return this.list !== null;
  }

  /** Stops waiting; harmless when not armed. */
  disarm(): void {
    this.list?.remove(this);
  }
}

/** A timer that fires this late, in ms, says that the event loop was blocked. */
const BLOCKED = 50;

class TimerList {
  readonly #clock: Clock;
  readonly duration: number;
  readonly #onEmpty: () => void;
  #first: TimerEntry | null = null;
  #last: TimerEntry | null = null;
  #timer: Timer | null = null;
  /** When the platform timer was to fire. */
  #due = 0;
  /** Whether lateness was made up for already. */
  #excused = false;

  constructor(clock: Clock, duration: number, onEmpty: () => void) {
    this.#clock = clock;
    this.duration = duration;
    this.#onEmpty = onEmpty;
  }

  append(entry: TimerEntry, now: number): void {
    entry.end = now + this.duration;
    entry.list = this;
    entry.previous = this.#last;
    if (this.#last === null) this.#first = entry;
    else this.#last.next = entry;
    this.#last = entry;
    if (this.#timer === null) this.#wait(now, this.duration);
  }

  remove(entry: TimerEntry): void {
    if (entry.previous === null) this.#first = entry.next;
    else entry.previous.next = entry.next;
    if (entry.next === null) this.#last = entry.previous;
    else entry.next.previous = entry.previous;
    entry.list = entry.previous = entry.next = null;
  }

  /** Gives up the platform timer if nothing waits. */
  sweep(): boolean {
    if (this.#first !== null) return false;
    this.#timer?.cancel();
    this.#timer = null;
    return true;
  }

  #wait(now: number, delay: number): void {
    this.#due = now + delay;
    this.#timer = this.#clock.setTimer(() => this.#fire(), delay);
  }

  /** The platform timer is left running when its entry goes: it looks again at the first one then. */
  #fire(): void {
    const now = this.#clock.now();
    const late = now - this.#due;
    if (this.#first === null || this.#first.end > now) this.#judge(now);
    else if (late > BLOCKED && !this.#excused) {
      this.#excused = true;
      this.#wait(now, Math.min(late, this.duration));
    } else this.#clock.afterPoll(() => this.#judge(now));
  }

  #judge(now: number): void {
    // Swept meanwhile.
    if (this.#timer === null) return;
    this.#timer = null;
    this.#excused = false;
    try {
      for (let entry = this.#first; entry !== null && entry.end <= now; entry = this.#first) {
        this.remove(entry);
        entry.onTimeout();
      }
    } finally {
      if (this.#first === null) {
        if (this.#timer === null) this.#onEmpty();
      } else if (this.#timer === null) this.#wait(now, Math.max(1, this.#first.end - now));
    }
  }
}

/** The lists of one clock. */
export class CoarseTimers {
  readonly clock: Clock;
  readonly #lists = new Map<number, TimerList>();
  /** The one armed last: mostly the same timeout is wanted again and again. */
  #last: TimerList | null = null;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /**
   * Makes `entry` fire `duration` ms from now, whatever it waited for before. Infinite durations never fire. `now`: the
   * time, where the caller has just asked for it.
   */
  arm(entry: TimerEntry, duration: number, now: number = this.clock.now()): void {
    entry.disarm();
    if (duration === Number.POSITIVE_INFINITY) return;
    if (this.#last?.duration !== duration) this.#last = this.#list(duration);
    this.#last.append(entry, now);
  }

  #list(duration: number): TimerList {
    let list = this.#lists.get(duration);
    if (list === undefined) {
      list = new TimerList(this.clock, duration, () => this.#drop(duration));
      this.#lists.set(duration, list);
    }
    return list;
  }

  #drop(duration: number): void {
    this.#lists.delete(duration);
    this.#last = null;
  }

  /** Gives up the platform timers that nothing waits for: they would only hold memory until they fire. */
  sweep(): void {
    for (const [duration, list] of this.#lists) if (list.sweep()) this.#drop(duration);
  }
}
