/** A limit on retries over many requests: when everything fails, retries must not multiply the load. */

import { type Clock, systemClock } from "../core/clock.ts";
import { InvalidArgumentError } from "../core/errors.ts";

/** Options of {@link RetryBudget}. */
export interface RetryBudgetOptions {
  /** Retries allowed per request, as a fraction. Default 0.2. */
  ratio?: number | undefined;
  /** Retries per second that are allowed whatever the traffic, so that a quiet client can retry. Default 10. */
  minPerSecond?: number | undefined;
  /** Default: the platform's. */
  clock?: Pick<Clock, "now"> | undefined;
}

const WINDOW_SECONDS = 10;

/**
 * Shared by many requests, as `new Retry({ budget })`: over the last 10 seconds, retries are at most `ratio` of the
 * requests, or `minPerSecond` each second if that is more. Redirects are not retries. O(1) in time and space.
 *
 * @throws {InvalidArgumentError} if an option is not a finite number of at least 0.
 */
export class RetryBudget {
  readonly ratio: number;
  readonly minPerSecond: number;
  readonly #clock: Pick<Clock, "now">;
  /** Counts per second; the slot of a second is its number modulo the window. */
  readonly #requests = new Array<number>(WINDOW_SECONDS).fill(0);
  readonly #retries = new Array<number>(WINDOW_SECONDS).fill(0);
  #requestSum = 0;
  #retrySum = 0;
  #second: number;

  constructor({ ratio = 0.2, minPerSecond = 10, clock = systemClock }: RetryBudgetOptions = {}) {
    this.ratio = amount("ratio", ratio);
    this.minPerSecond = amount("minPerSecond", minPerSecond);
    this.#clock = clock;
    this.#second = this.#now();
  }

  /** Counts a request; its retries are not requests. */
  recordRequest(): void {
    this.#requests[this.#slot()]! += 1;
    this.#requestSum += 1;
  }

  /** Whether a retry would be allowed now. Takes nothing. */
  canRetry(): boolean {
    this.#slot();
    const allowed = Math.max(this.minPerSecond * WINDOW_SECONDS, this.ratio * this.#requestSum);
    return this.#retrySum + 1 <= allowed;
  }

  /** Takes a retry from the budget; false if there is none left. */
  tryRetry(): boolean {
    if (!this.canRetry()) return false;
    this.#retries[this.#slot()]! += 1;
    this.#retrySum += 1;
    return true;
  }

  /** The slot of the present second, after forgetting the seconds that have left the window. */
  #slot(): number {
    const now = this.#now();
    const oldest = Math.max(this.#second + 1, now - WINDOW_SECONDS + 1);
    for (let second = oldest; second <= now; second++) this.#forget(second % WINDOW_SECONDS);
    this.#second = Math.max(this.#second, now);
    return this.#second % WINDOW_SECONDS;
  }

  #forget(slot: number): void {
    this.#requestSum -= this.#requests[slot]!;
    this.#retrySum -= this.#retries[slot]!;
    this.#requests[slot] = 0;
    this.#retries[slot] = 0;
  }

  #now(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}

function amount(name: string, value: number): number {
  if (Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError(`RetryBudget ${name} must be a number of at least 0, not ${String(value)}`);
}
