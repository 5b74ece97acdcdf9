/**
 * What the origins of a manager speak: it outlives their pools, so that a second burst does not wait for the answer of one
 * dial again. Every new connection corrects it.
 */

import type { Clock } from "../core/clock.ts";

const MOST_ORIGINS = 1024;

/** ms */
const MEMORY = 600_000;

/** Exchanges that a connection to each origin takes at a time. */
export class ProtocolMemory {
  readonly #clock: Clock;
  readonly #known = new Map<string, { capacity: number; at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** 1 for HTTP/1; `null` if it is not known. */
  recall(origin: string): number | null {
    const known = this.#known.get(origin);
    if (known === undefined) return null;
    if (this.#clock.now() - known.at <= MEMORY) return known.capacity;
    this.#known.delete(origin);
    return null;
  }

  remember(origin: string, capacity: number): void {
    this.#known.delete(origin);
    if (this.#known.size === MOST_ORIGINS) {
      const [oldest] = this.#known.keys();
      this.#known.delete(oldest!);
    }
    this.#known.set(origin, { capacity, at: this.#clock.now() });
  }
}
