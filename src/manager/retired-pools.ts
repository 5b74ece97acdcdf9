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

  /** Keeps `pool` if it is busy; otherwise it is not served again. */
  add(hash: unknown, pool: HTTPConnectionPool): void {
    if (!isBusy(pool)) {
      pool.dismiss();
      return;
    }
    pool.retire();
    this.#pools.set(hash, pool);
    if (this.#pools.size >= this.#sweepAt) this.#sweep();
  }

  /** The pool under `hash`, if it is still busy; then it is kept no longer. */
  take(hash: unknown): HTTPConnectionPool | undefined {
    const pool = this.#pools.get(hash);
    if (pool === undefined) return undefined;
    this.#pools.delete(hash);
    if (isBusy(pool)) return pool;
    pool.dismiss();
    return undefined;
  }

  /** Keeps none any more: they finish what is under way. */
  clear(): void {
    for (const pool of this.#pools.values()) pool.dismiss();
    this.#pools.clear();
  }

  #sweep(): void {
    for (const [hash, pool] of this.#pools) {
      if (isBusy(pool)) continue;
      pool.dismiss();
      this.#pools.delete(hash);
    }
    // Twice what is busy now: the sweeps cost each pool a constant.
    this.#sweepAt = Math.max(LEAST_SWEEP, this.#pools.size * 2);
  }
}

function isBusy({ numBusy, numQueued, isClosed }: HTTPConnectionPool): boolean {
  return !isClosed && numBusy + numQueued > 0;
}
