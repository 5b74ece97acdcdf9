/** A connection being made for a pool. */

import type { Connection, ConnectionOwner } from "../connection/connection.ts";
import { ClosedPoolError } from "../core/errors.ts";
import type { Pool } from "./pool.ts";
import { Member } from "./pooled-connection.ts";
import type { Ticket } from "./waiter.ts";

/** A dial under way, as the pool's maker of connections sees it. */
export interface DialRequest {
  readonly connectTimeout: number;
  /** To be given to the connection at birth. */
  readonly owner: ConnectionOwner;
  /** Exactly one of the two is called, once, later. */
  connected(connection: Connection): void;
  failed(error: Error): void;
}

/** Stops a dial, or lets the process end although it is under way. */
export interface DialHandle {
  abort(): void;
  unref(): void;
  ref(): void;
}

/** A dial and the ticket it was begun for, as long as that still waits. */
export class Dialing implements DialRequest {
  ticket: Ticket | null;
  readonly connectTimeout: number;
  readonly owner: Member;
  readonly #pool: Pool;
  #handle: DialHandle | null = null;
  #wentOn = false;

  constructor(pool: Pool, ticket: Ticket) {
    this.#pool = pool;
    this.ticket = ticket;
    this.connectTimeout = ticket.connectTimeout;
    this.owner = new Member(pool);
  }

  start(): void {
    this.#handle = this.#pool.settings.dial(this);
  }

  connected(connection: Connection): void {
    this.owner.connection = connection;
    this.#pool.dialled(this, this.owner);
  }

  failed(error: Error): void {
    this.#pool.dialFailed(this, error);
  }

  /** Once. */
  get mayGoOn(): boolean {
    return !this.#wentOn;
  }

  /** Tries again after a failure. */
  goOn(): void {
    this.#wentOn = true;
    this.start();
  }

  orphan(): void {
    this.ticket = null;
    this.#handle?.unref();
  }

  adopt(ticket: Ticket): void {
    this.ticket = ticket;
    this.#handle?.ref();
  }

  /** For an orphan only. */
  abort(): void {
    this.ticket = null;
    this.#handle?.abort();
    this.#pool.dialFailed(this, new ClosedPoolError("Pool is closed"));
  }
}
