/** What the pools of one manager share: time, the turn, the budget of connections, and the count of requests. */

import { type Clock, systemClock } from "../core/clock.ts";
import { CoarseTimers } from "../core/timers.ts";
import { ConnectionBudget } from "../pool/budget.ts";
import { type Link, LinkedList } from "../pool/linked-list.ts";
import { noCounters, type PoolCounters } from "../pool/pool.ts";
import { sharedTurn, type Turn } from "../pool/turn.ts";
import type { Stoppable } from "./guard.ts";

/** One per manager, or per pool that stands alone. */
export class Commons {
  readonly clock: Clock;
  readonly timers: CoarseTimers;
  readonly turn: Turn;
  readonly budget: ConnectionBudget;
  /** What the pools have done so far, those dropped included. */
  readonly totals: PoolCounters = noCounters();
  /** Requests sent again silently. */
  resent: number = 0;
  /** The requests under way, their bodies included. */
  readonly #running = new LinkedList<Link<Stoppable>>();
  #waiting: (() => void)[] = [];
  #sweeping = false;

  constructor(maxConnections: number, clock: Clock = systemClock, turn: Turn = sharedTurn) {
    this.clock = clock;
    this.timers = new CoarseTimers(clock);
    this.turn = turn;
    this.budget = new ConnectionBudget(maxConnections);
  }

  /** A request has begun. */
  begin(request: Link<Stoppable>): void {
    this.#running.push(request);
  }

  /** A request has ended. */
  end(request: Link<Stoppable>): void {
    request.unlink();
    if (this.#running.size > 0) return;
    if (this.#sweeping) this.sweep();
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Ends every request under way: each one fails with what `reasonOf` gives it. */
  stopAll(reasonOf: () => unknown): void {
    for (const { value: request } of [...this.#running]) request.stop(reasonOf());
  }

  /** Pools have been dropped: their timers go when the last request has ended. */
  sweep(): void {
    this.#sweeping = this.#running.size > 0;
    if (!this.#sweeping) this.timers.sweep();
  }

  /** Resolves when no request is under way. */
  quiet(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
