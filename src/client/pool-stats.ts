/** What `stats()` of a pool gives. */

import type { Pool } from "../pool/pool.ts";

/** What a pool does now. */
export interface PoolStats {
  /** `scheme://host:port`; of a pool whose requests a proxy forwards: the proxy's. */
  origin: string;
  /** The proxy on the way, without credentials; `null` without one. */
  proxy: string | null;
  idle: number;
  busy: number;
  queued: number;
  numConnections: number;
  numRequests: number;
  /** The streams open on each HTTP/2 connection, the oldest connection first; absent without such a connection. */
  streams?: number[];
  /** The sockets of `manager.agent` to this origin; absent if there never was one. */
  agent?: AgentStats;
}

/** The sockets of an agent. */
export interface AgentStats {
  idle: number;
  busy: number;
  queued: number;
}

/** What the sockets of `wires` do now. */
export function agentStats({ idle, busy, queued }: Pool): AgentStats {
  return { idle, busy, queued };
}

/** The streams that are open on each HTTP/2 connection of `pool`, the oldest connection first. */
export function openStreams(pool: Pool): number[] {
  const connections = Array.from(pool.connections, ({ value }) => value);
  return connections.filter(({ connection }) => connection.protocol === "h2").map(({ leases }) => leases);
}
