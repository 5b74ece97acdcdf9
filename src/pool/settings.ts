/** What a pool is made of, and what it counts. */

import type { Clock } from "../core/clock.ts";
import type { CoarseTimers } from "../core/timers.ts";
import type { ConnectionBudget } from "./budget.ts";
import type { DialHandle, DialRequest } from "./pending-dial.ts";

/** What a pool is made of. */
export interface PoolSettings {
  maxsize: number;
  block: boolean;
  /** ms */
  keepAliveTimeout: number;
  /** ms */
  connectionMaxAge: number;
  clock: Clock;
  timers: CoarseTimers;
  budget: ConnectionBudget;
  /** In a burst one dial begins at once, and after each such time as many as have begun before, in ms; 0: all at once. */
  dialPace: number;
  /** Exchanges that a connection is expected to take at a time: 1 for HTTP/1; `null`: the first connection will show. */
  expected: number | null;
  /** Told what a connection takes, when it is another number than expected. */
  learned?: (capacity: number) => void;
  dial: (request: DialRequest) => DialHandle;
  /** Whether functions of the caller's take part in a dial. Default false. */
  asksCaller?: boolean;
  /** Counts together with other pools. */
  totals: PoolCounters;
  /** Text for errors, such as `HTTPConnectionPool(host='h', port=80)`. */
  name: string;
}

/** Counters that only grow. */
export interface PoolCounters {
  /** Connections made. */
  created: number;
  /** Requests that got a connection which had served another. */
  reused: number;
  /** Connections closed because they were not to be kept. */
  discarded: number;
  /** Requests that waited for longer than their `poolTimeout`. */
  timedOut: number;
}

/** All zero. */
export function noCounters(): PoolCounters {
  return { created: 0, reused: 0, discarded: 0, timedOut: 0 };
}
