/** What the pools of one manager share: time, the turn, the budget of connections, and the count of requests. */

import { type Clock, systemClock } from "../core/clock.ts";
import { CoarseTimers } from "../core/timers.ts";
import { ConnectionBudget } from "../pool/budget.ts";
import { noCounters, type PoolCounters } from "../pool/pool.ts";
import { sharedTurn, type Turn } from "../pool/turn.ts";

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
  #underWay = 0;
  #waiting: (() => void)[] = [];
  #sweeping = false;

  constructor(maxConnections: number, clock: Clock = systemClock, turn: Turn = sharedTurn) {
    this.clock = clock;
    this.timers = new CoarseTimers(clock);
    this.turn = turn;
    this.budget = new ConnectionBudget(maxConnections);
  }

  /** A request has begun. */
  begin(): void {
    this.#underWay++;
  }

  /** A request has ended. */
  end(): void {
    this.#underWay--;
    if (this.#underWay > 0) return;
    if (this.#sweeping) this.sweep();
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Pools have been dropped: their timers go when the last request has ended. */
  sweep(): void {
    this.#sweeping = this.#underWay > 0;
    if (!this.#sweeping) this.timers.sweep();
  }

  /** Resolves when no request is under way. */
  quiet(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
