/** What a manager's pools do, as plain snapshots. */

import type { HTTPConnectionPool } from "../client/connection-pool.ts";
import { bracketHost } from "../core/url.ts";

/** One pool in a snapshot. */
export interface PoolStats {
  /** Of a pool whose requests a proxy forwards: the proxy's. */
  origin: string;
  /** The proxy on the way, without credentials; `null` without one. */
  proxy: string | null;
  idle: number;
  busy: number;
  queued: number;
  numConnections: number;
  numRequests: number;
}

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

/** A snapshot of `pool`. */
export function poolStats(pool: HTTPConnectionPool): PoolStats {
  return {
    origin: originOf(pool),
    proxy: pool.proxy,
    idle: pool.numIdle,
    busy: pool.numBusy,
    queued: pool.numQueued,
    numConnections: pool.numConnections,
    numRequests: pool.numRequests,
  };
}

/** Of a pool whose requests a proxy forwards: the proxy's. */
export function originOf(pool: HTTPConnectionPool): string {
  return `${pool.scheme}://${bracketHost(pool.host)}:${pool.port}`;
}
