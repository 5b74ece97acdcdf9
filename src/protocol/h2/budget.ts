/** How much senseless traffic a peer may send: a token bucket that time refills slowly and real traffic quickly. */

import { BUDGET, BUDGET_PER_SECOND } from "./limits.ts";

/** The budget of one connection. */
export class Budget {
  #left = BUDGET;
  #refilledAt: number;

  /** `now` in ms. */
  constructor(now: number) {
    this.#refilledAt = now;
  }

  /** What is left; whole numbers only by chance. */
  get left(): number {
    return this.#left;
  }

  /** A frame that carries something came: it pays for one that does not. */
  earn(): void {
    if (this.#left < BUDGET) this.#left++;
  }

  /** Takes `cost`; false if there was not enough. */
  spend(cost: number, now: number): boolean {
    if (now > this.#refilledAt) {
      this.#left = Math.min(BUDGET, this.#left + ((now - this.#refilledAt) / 1000) * BUDGET_PER_SECOND);
      this.#refilledAt = now;
    }
    this.#left -= cost;
    return this.#left >= 0;
  }
}
