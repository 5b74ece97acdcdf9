/** A connection's place in its pool. */

import type { Connection, ConnectionOwner, Exchange } from "../connection/connection.ts";
import type { Clock } from "../core/clock.ts";
import { type CoarseTimers, TimerEntry } from "../core/timers.ts";
import { Link, ListNode } from "./linked-list.ts";
import type { PooledExchange, Waiter } from "./waiter.ts";

/** What a connection's place needs of its pool. */
export interface ConnectionPlace {
  readonly clock: Clock;
  readonly timers: CoarseTimers;
  /** ms */
  readonly keepAliveTimeout: number;
  /** ms */
  readonly connectionMaxAge: number;
  /** `free` or `open` of its connection is another than before. */
  changed(member: PooledConnection): void;
  died(member: PooledConnection): void;
  /** First in line again. */
  requeue(waiter: Waiter): void;
}

/** `busy`: exchanges are under way; `resting`: free in a moment; `idle`: free, and nothing else. */
export type MemberState = "busy" | "resting" | "idle" | "dead";

/** A connection in a pool, and its owner. As a list node it stands among those that can take an exchange. */
export class PooledConnection extends ListNode implements ConnectionOwner {
  connection!: Connection;
  state: MemberState = "busy";
  /** Exchanges that the pool counts as under way on it. */
  leases: number = 0;
  /** Times in a row that a pool without any connection waited while this one served its own. */
  overtakings: number = 0;
  /** Its place among all of the pool's connections. */
  readonly poolLink: Link<PooledConnection> = new Link<PooledConnection>(this);
  /** Its place among the idle ones of all pools. */
  readonly budgetLink: Link<PooledConnection> = new Link<PooledConnection>(this);
  readonly #place: ConnectionPlace;
  readonly #timer = new TimerEntry(() => this.close());
  /** Time of day at which it is too old, for a clock that stood still while the machine slept. */
  #staleAt = 0;

  constructor(place: ConnectionPlace) {
    super();
    this.#place = place;
  }

  override toString(): string {
    return `${this.connection} ${this.state}`;
  }

  // Reported by the connection.

  capacityChanged(): void {
    this.#place.changed(this);
  }

  unsent(exchange: Exchange): void {
    this.#place.requeue((exchange as PooledExchange).waiter);
  }

  dead(): void {
    if (this.state === "dead") return;
    this.#timer.disarm();
    this.#place.died(this);
  }

  // Told by the pool.

  becomeIdle(): void {
    const { clock, timers } = this.#place;
    const time = this.idleTime();
    this.#staleAt = clock.wallNow() + time;
    this.connection.unref();
    timers.arm(this.#timer, time);
  }

  wakeUp(): void {
    this.#timer.disarm();
    this.connection.ref();
  }

  close(): void {
    this.connection.close();
  }

  /** How long it may stay idle: `keepAliveTimeout`, or the server's hint less one second. */
  idleTime(): number {
    const { keepAliveTimeout } = this.#place;
    const hint = this.connection.keepAliveHint;
    return hint === null ? keepAliveTimeout : Math.min(keepAliveTimeout, hint - 1000);
  }

  /** Whether it is too old to be used again. */
  get aged(): boolean {
    const { clock, connectionMaxAge } = this.#place;
    if (connectionMaxAge === Number.POSITIVE_INFINITY) return false;
    return clock.now() - this.connection.bornAt >= connectionMaxAge;
  }

  /** Whether it was idle for too long, or is too old. */
  stale(): boolean {
    return this.#place.clock.wallNow() >= this.#staleAt || this.aged;
  }
}
