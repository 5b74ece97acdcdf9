/** A place in a pool's line. */

import type { AsyncResource } from "node:async_hooks";
import type { Connection, Exchange } from "../connection/connection.ts";
import type { HTTPError } from "../core/errors.ts";
import type { TimerEntry } from "../core/timers.ts";
import type { LinkedList, ListMember } from "./linked-list.ts";

/** What a waiter sees of the dial that was begun for it. */
export interface WaiterDial {
  waiter: Waiter | null;
  /** What to tell a waiter whose time is over, with what the dial was doing. */
  timeoutError(timeout: number): HTTPError;
}

/** A request in the line. */
export abstract class Waiter implements ListMember {
  /** @internal */ list: LinkedList<ListMember> | null = null;
  /** @internal */ previous: ListMember | null = null;
  /** @internal */ next: ListMember | null = null;
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

  /** Longest wait for a place in the pool, in ms. */
  abstract get poolTimeout(): number;
  /** Longest wait for a new connection that is being made, in ms. */
  abstract get connectTimeout(): number;
  /** The asynchronous context for functions of the caller that a dial calls; `null` where it calls none. */
  get dialContext(): AsyncResource | null {
    return null;
  }
  /** It may start its exchange on `connection`, now. */
  abstract granted(connection: Connection): void;
  /** There will be no connection. */
  abstract refused(error: Error): void;
}

/** An exchange that a pool starts knows its waiter: unsent, it stands in line again. */
export interface PooledExchange extends Exchange {
  readonly waiter: Waiter;
}
