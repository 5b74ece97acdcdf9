/** What the connections of a pool carry. */

import type { Pool } from "./pool.ts";

/** The streams that are open on each HTTP/2 connection of `pool`, the oldest connection first. */
export function openStreams(pool: Pool): number[] {
  const connections = Array.from(pool.connections, ({ value }) => value);
  return connections.filter(({ connection }) => connection.protocol === "h2").map(({ leases }) => leases);
}
