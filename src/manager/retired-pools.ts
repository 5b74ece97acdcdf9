/**
 * Pools that were dropped to make room while requests were under way on them. Their connections still count against the
 * limit of their host: as long as they are busy they are handed out again, and no second pool is made beside them.
 */

import type { HTTPConnectionPool } from "../client/connection-pool.ts";

/** How many are kept before those that are idle by now are looked for. */
const LEAST_SWEEP = 16;

/** Busy pools by the hash of their key. */
export class RetiredPools {
  readonly #pools = new Map<unknown, HTTPConnectionPool>();
  #sweepAt = LEAST_SWEEP;

  /** Keeps `pool` if it is busy. */
  add(hash: unknown, pool: HTTPConnectionPool): void {
    if (!isBusy(pool)) return;
    this.#pools.set(hash, pool);
    if (this.#pools.size >= this.#sweepAt) this.#sweep();
  }

  /** The pool under `hash`, if it is still busy; then it is kept no longer. */
  take(hash: unknown): HTTPConnectionPool | undefined {
    const pool = this.#pools.get(hash);
    if (pool === undefined) return undefined;
    this.#pools.delete(hash);
    return isBusy(pool) ? pool : undefined;
  }

  /** Keeps none any more. */
  clear(): void {
    this.#pools.clear();
  }

  #sweep(): void {
    for (const [hash, pool] of this.#pools) if (!isBusy(pool)) this.#pools.delete(hash);
    // Twice what is busy now: the sweeps cost each pool a constant.
    this.#sweepAt = Math.max(LEAST_SWEEP, this.#pools.size * 2);
  }
}

function isBusy({ numBusy, numQueued, isClosed }: HTTPConnectionPool): boolean {
  return !isClosed && numBusy + numQueued > 0;
}
