/**
 * Time, handed in. Nothing above this file asks the platform for the time or sets a timer, so every part can be
 * tested on virtual time.
 */

/** Node fires a longer `setTimeout` at once. */
export const LONGEST_TIMER: number = 2 ** 31 - 1;

/** A pending call made by {@link Clock.setTimer}. */
export interface Timer {
  cancel(): void;
}

/** What the library needs of time; all values are milliseconds. */
export interface Clock {
  /** Monotonic time, for durations. */
  now(): number;
  /** Time of day since the epoch: unlike `now()` it goes on while the machine is suspended. */
  wallNow(): number;
  /** Calls `callback` once after `delay`. Unless `keepAlive`, a program with nothing else to do may end first. */
  setTimer(callback: () => void, delay: number, keepAlive?: boolean): Timer;
  /**
   * Called by a timer, calls `callback` once the event loop has looked at all sockets. The loop may have been blocked:
   * what the timer waited for may be there already, unread.
   */
  afterPoll(callback: () => void): void;
}

class NodeTimer implements Timer {
  readonly #callback: () => void;
  readonly #end: number;
  readonly #keepAlive: boolean;
  #handle: NodeJS.Timeout;

  constructor(callback: () => void, delay: number, keepAlive: boolean) {
    this.#callback = callback;
    this.#end = performance.now() + delay;
    this.#keepAlive = keepAlive;
    this.#handle = this.#arm(delay);
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }

  #arm(delay: number): NodeJS.Timeout {
    const handle = setTimeout(() => this.#fire(), Math.min(delay, LONGEST_TIMER));
    if (!this.#keepAlive) handle.unref();
    return handle;
  }

  #fire(): void {
    const rest = this.#end - performance.now();
    // Timers may come a fraction early; only the clamped ones have a long way to go.
    if (rest > 1) this.#handle = this.#arm(rest);
    else this.#callback();
  }
}

/** The platform's time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer: (callback, delay, keepAlive = false) => new NodeTimer(callback, delay, keepAlive),
  afterPoll: (callback) => void setImmediate(callback),
};

/** Keeps the process alive while something is pending that no socket and no timer of its own stands for. */
export class ProcessHold {
  #count = 0;
  #handle: NodeJS.Timeout | null = null;

  /** One more is pending. */
  begin(): void {
    if (this.#count++ > 0) return;
    if (this.#handle === null) this.#handle = setInterval(ignore, LONGEST_TIMER);
    else this.#handle.ref();
  }

  /** One less is pending. */
  end(): void {
    if (--this.#count === 0) this.#handle?.unref();
  }
}

function ignore(): void {}
