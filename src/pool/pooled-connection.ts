/** A connection's place in its pool. */

import type { Connection, ConnectionOwner } from "../connection/connection.ts";
import { TimerEntry } from "../core/timers.ts";
import type { IdleMember } from "./budget.ts";
import { Link, ListNode } from "./linked-list.ts";
import type { Pool } from "./pool.ts";
import type { TurnEntry } from "./turn.ts";
import type { Ticket } from "./waiter.ts";

/** What a member is doing. */
export type MemberState = "active" | "resting" | "reserved" | "idle" | "dead";

/** A connection's place in the pool, and its owner. */
export class Member extends ListNode implements ConnectionOwner, TurnEntry, IdleMember {
  connection!: Connection;
  readonly #pool: Pool;
  readonly #budgetLink = new Link<IdleMember>(this);
  readonly #timer = new TimerEntry(() => this.close());
  #state: MemberState = "active";
  #ticket: Ticket | null = null;
  /** Time of day at which it is too old, for a clock that stood still while the machine slept. */
  #staleAt = 0;

  constructor(pool: Pool) {
    super();
    this.#pool = pool;
  }

  // Reported by the connection.

  idle(): void {
    this.#pool.released(this);
  }

  dead(): void {
    const state = this.#state;
    if (state === "dead") return;
    const ticket = this.#unbind();
    this.#state = "dead";
    this.#timer.disarm();
    this.#budgetLink.unlink();
    this.#pool.died(this, state);
    if (ticket !== null) this.#pool.reservationLost(ticket);
  }

  // Told by the pool.

  use(): void {
    this.#state = "active";
  }

  rest(): void {
    this.#state = "resting";
    this.#pool.settings.turn.add(this);
  }

  /** Idle -> bound to `ticket`, which gets it after the turn. */
  reserve(ticket: Ticket): void {
    this.#state = "reserved";
    this.#ticket = ticket;
    ticket.reservation = this;
    this.#timer.disarm();
    this.#budgetLink.unlink();
    this.connection.ref();
    this.#pool.settings.turn.add(this);
  }

  /** The ticket it was reserved for does not want it any more. */
  giveUp(): void {
    this.#unbind();
    this.#state = "resting";
    this.#pool.unreserved();
  }

  onTurn(): void {
    if (this.#state === "dead") return;
    if (!this.connection.isFlushed()) {
      this.#pool.settings.turn.add(this);
      return;
    }
    if (this.#state === "resting") this.#pool.rested(this);
    if (this.#state !== "reserved") return;
    const ticket = this.#unbind()!;
    this.#state = "active";
    this.#pool.grantReserved(this, ticket);
  }

  becomeIdle(): void {
    const { clock, timers, budget } = this.#pool.settings;
    const time = this.idleTime();
    this.#state = "idle";
    this.#staleAt = clock.wallNow() + time;
    this.connection.unref();
    timers.arm(this.#timer, time);
    budget.idle.push(this.#budgetLink);
  }

  close(): void {
    this.connection.close();
  }

  /** How long it may stay idle: `keepAliveTimeout`, or the server's hint less one second. */
  idleTime(): number {
    const { keepAliveTimeout } = this.#pool.settings;
    const hint = this.connection.keepAliveHint;
    return hint === null ? keepAliveTimeout : Math.min(keepAliveTimeout, hint - 1000);
  }

  stale(): boolean {
    const { clock, connectionMaxAge } = this.#pool.settings;
    return clock.wallNow() >= this.#staleAt || clock.now() - this.connection.bornAt >= connectionMaxAge;
  }

  #unbind(): Ticket | null {
    const ticket = this.#ticket;
    this.#ticket = null;
    if (ticket !== null) ticket.reservation = null;
    return ticket;
  }
}
