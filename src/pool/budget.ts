/**
 * How many connections may be open at once over many pools (`maxConnections`), shared fairly:
 *  1. a free place goes to a pool that waits and has no connection at all, else to the one that has waited longest;
 *  2. where no place is free, what has been idle longest is closed for it: a connection of any pool, or a dial that
 *     nobody waits for;
 *  3. a busy pool gives up a connection that comes back to it when a pool without any waits, but not every time: each
 *     connection may serve `MAX_OVERTAKINGS` more requests first. So no host starves another, and connections are reused.
 */

import { type Link, LinkedList } from "./linked-list.ts";

/** Requests that a connection may serve while a pool without any connection waits for its place. */
export const MAX_OVERTAKINGS: number = 16;

/** What the budget sees of a pool. */
export interface BudgetMember {
  /** Connections it has, dials included. */
  readonly size: number;
  /** @internal Its places in the two lines. */
  readonly budgetLink: Link<BudgetMember>;
  /** A place may be free: open what is still wanted. */
  pump(): void;
}

/** What the budget may close to make room. */
export interface Evictable {
  close(): void;
}

/** Counts the places; one per manager. */
export class ConnectionBudget {
  readonly limit: number;
  /** What may be closed, of all pools, longest idle first. */
  readonly idle: LinkedList<Link<Evictable>> = new LinkedList();
  #open = 0;
  readonly #starving: LinkedList<Link<BudgetMember>> = new LinkedList();
  readonly #waiting: LinkedList<Link<BudgetMember>> = new LinkedList();

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Connections open now, dials included. */
  get open(): number {
    return this.#open;
  }

  /** Whether a pool without any connection waits for a place. */
  get starving(): boolean {
    return this.#starving.size > 0;
  }

  /** Whether any pool waits for a place. */
  get contended(): boolean {
    return this.#starving.size + this.#waiting.size > 0;
  }

  /** Takes a place for `pool`; if there is none the pool stands in line and its `pump` is called later. */
  take(pool: BudgetMember): boolean {
    if (this.#open >= this.limit) this.idle.first?.value.close();
    if (this.#open < this.limit) {
      this.#open++;
      return true;
    }
    pool.budgetLink.unlink();
    (pool.size === 0 ? this.#starving : this.#waiting).push(pool.budgetLink);
    return false;
  }

  /** Gives a place back, and offers it to the pools in line until one has taken it. */
  give(): void {
    this.#open--;
    while (this.#open < this.limit) {
      const next = this.#starving.first ?? this.#waiting.first;
      if (next === null) return;
      next.unlink();
      next.value.pump();
    }
  }
}
