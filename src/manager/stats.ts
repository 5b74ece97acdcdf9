/** What a manager's pools do, as plain snapshots. */

import { type InspectOptions, inspect } from "node:util";
import type { PoolStats } from "../client/pool-stats.ts";

/** What `PoolManager.stats` gives. */
export interface ManagerStats {
  /** Least recently used first. */
  pools: PoolStats[];
  /** Connections open now, those being made included. */
  openConnections: number;
  /** Requests that wait for a connection now. */
  waiting: number;
  /** Connections made, by pools dropped since too; so are the next ones. */
  created: number;
  /** Requests that got a connection which had served another. */
  reused: number;
  /** Connections closed because they were not to be kept. */
  discarded: number;
  /** Requests that waited for longer than their `poolTimeout`. */
  timedOut: number;
  /** Requests sent again silently, because their reused connection had died. */
  resent: number;
  /** Pools dropped to make room for others. */
  evicted: number;
}

/** A manager as `console.log` shows it: its pools, and no headers or options, which may hold credentials. */
export function inspectManager(
  name: string,
  { pools, ...totals }: ManagerStats,
  options: InspectOptions,
): string {
  const shown = pools.map(
    ({ origin, idle, busy, queued }) => `${origin} idle=${idle} busy=${busy} queued=${queued}`,
  );
  return `${name} ${inspect({ pools: shown, ...totals }, options)}`;
}
