/** A place in a pool's line. */

import type { Connection, Exchange } from "../connection/connection.ts";
import type { HTTPError } from "../core/errors.ts";
import type { TimerEntry } from "../core/timers.ts";
import { ListNode } from "./linked-list.ts";

/** Who waits. */
export interface WaiterOwner {
  /** Longest wait for a place in the pool, in ms. */
  readonly poolTimeout: number;
  /** Longest wait for a new connection that is being made, in ms. */
  readonly connectTimeout: number;
  /** It may start its exchange on `connection`, now. */
  granted(connection: Connection): void;
  /** There will be no connection. */
  refused(error: Error): void;
}

/** What a waiter sees of the dial that was begun for it. */
export interface WaiterDial {
  waiter: Waiter | null;
  /** What to tell a waiter whose time is over, with what the dial was doing. */
  timeoutError(timeout: number): HTTPError;
}

/** A request in the line. */
export class Waiter extends ListNode {
  readonly owner: WaiterOwner;
  /** @internal The dial that was begun for it. */
  dial: WaiterDial | null = null;
  /** @internal A connection that is to serve it is being made: its connect timeout runs. */
  covered: boolean = false;
  /** @internal Its wait for a place was over while it had one: when it loses that it is refused. */
  expired: boolean = false;
  /** @internal */ placeTimer: TimerEntry | null = null;
  /** @internal */ connectTimer: TimerEntry | null = null;
  /** Takes no connection that has been idle: what it is for has failed on one. */
  fresh: boolean = false;

  constructor(owner: WaiterOwner) {
    super();
    this.owner = owner;
  }
}

/** An exchange that a pool starts knows its waiter: unsent, it stands in line again. */
export interface PooledExchange extends Exchange {
  readonly waiter: Waiter;
}
