/**
 * A connection that was used before is written to again only after the event loop has polled once more: bytes that came
 * unasked show themselves first and kill it, so they can never be taken for the next answer.
 *
 * Promise callbacks run before the `setImmediate` of their own loop iteration, and no poll lies between the two. So an
 * entry waits for the second `setImmediate`; all entries of all pools share it.
 */

/** Something that waits for the poll. */
export interface PollEntry {
  onPoll(): void;
}

/** Hands entries over after one whole poll of the event loop. */
export class PollBarrier {
  #fresh: PollEntry[] = [];
  #polled: PollEntry[] = [];
  #scheduled = false;
  readonly #schedule: (callback: () => void) => void;

  /** `schedule` calls back once the current loop iteration has polled: `setImmediate`. */
  constructor(schedule: (callback: () => void) => void = setImmediate) {
    this.#schedule = schedule;
  }

  /** Calls `entry.onPoll` after one whole poll. */
  add(entry: PollEntry): void {
    this.#fresh.push(entry);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(this.#run);
  }

  readonly #run = (): void => {
    const ready = this.#polled;
    this.#polled = this.#fresh;
    this.#fresh = [];
    this.#scheduled = this.#polled.length > 0;
    if (this.#scheduled) this.#schedule(this.#run);
    for (const entry of ready) entry.onPoll();
  };
}

/** The one that all connections share. */
export const sharedBarrier: PollBarrier = new PollBarrier();
