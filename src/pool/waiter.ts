/** A place in a pool's line. */

import type { Connection } from "../connection/connection.ts";
import type { TimerEntry } from "../core/timers.ts";
import { ListNode } from "./linked-list.ts";
import type { Dialing } from "./pending-dial.ts";
import type { Member } from "./pooled-connection.ts";

/** A request that waits for a connection. */
export abstract class Ticket extends ListNode {
  /** @internal */ dial: Dialing | null = null;
  /** @internal */ timer: TimerEntry | null = null;
  /** @internal */ expired: boolean = false;
  /** @internal */ reservation: Member | null = null;
  /** Takes no connection that has been idle: what it is for has failed on one. */
  fresh: boolean = false;
  /** Longest wait for a place in the pool, in ms. */
  abstract readonly poolTimeout: number;
  /** Longest time for a new connection to stand, in ms. */
  abstract readonly connectTimeout: number;

  /** The connection is this ticket's until it reports idle or dead. `fresh`: it was never used before. */
  abstract granted(connection: Connection): void;
  /** There will be no connection. */
  abstract refused(error: Error): void;
}
