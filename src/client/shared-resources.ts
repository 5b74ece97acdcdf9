/** What the pools of one manager share: time, the budget of connections, and the requests under way. */

import { type Clock, ProcessHold, systemClock } from "../core/clock.ts";
import { CoarseTimers } from "../core/timers.ts";
import { ConnectionBudget } from "../pool/budget.ts";
import { LinkedList, type ListMember } from "../pool/linked-list.ts";
import { noCounters, type PoolCounters } from "../pool/pool.ts";
import type { Stoppable } from "./guard.ts";
import { ProtocolMemory } from "./protocol-memory.ts";

/** A program does not end while a request of its own is pending. Virtual time holds nothing. */
const hold = new ProcessHold();

/** A request under way, as a member of the list of all. */
export type RunningRequest = ListMember & Stoppable;

/** One per manager, or per pool that stands alone. */
export class SharedResources {
  readonly clock: Clock;
  readonly timers: CoarseTimers;
  readonly budget: ConnectionBudget;
  readonly protocols: ProtocolMemory;
  /** What the pools have done so far, those dropped included. */
  readonly totals: PoolCounters = noCounters();
  /** Requests sent again silently. */
  resent: number = 0;
  /** The requests under way, their bodies included. */
  readonly #running = new LinkedList<RunningRequest>();
  #waiting: (() => void)[] = [];
  #sweeping = false;

  constructor(maxConnections: number, clock: Clock = systemClock) {
    this.clock = clock;
    this.timers = new CoarseTimers(clock);
    this.budget = new ConnectionBudget(maxConnections);
    this.protocols = new ProtocolMemory(clock);
  }

  /** A request has begun. */
  begin(request: RunningRequest): void {
    this.#running.push(request);
    if (this.clock === systemClock) hold.begin();
  }

  /** Its caller has got an answer or an error. */
  settled(): void {
    if (this.clock === systemClock) hold.end();
  }

  /** A request has ended, with its body. */
  end(request: RunningRequest): void {
    if (request.list !== null) this.#running.remove(request);
    if (this.#running.size > 0) return;
    if (this.#sweeping) this.sweep();
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Ends every request under way: each one fails with what `reasonOf` gives it. */
  stopAll(reasonOf: () => unknown): void {
    for (const request of [...this.#running]) request.stop(reasonOf());
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
