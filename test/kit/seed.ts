/** Random choices that can be played again: `TEST_SEED=n npm test` repeats a run whose failure printed that seed. */

/** Seed of this run: the environment's `TEST_SEED`, else the same in every run. */
export const SEED: number = Number(process.env.TEST_SEED ?? 20260101) >>> 0;

/** A stream of pseudo-random numbers in [0, 1), with the choices that tests make of it. */
export interface Random {
  (): number;
  readonly seed: number;
  /** A whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number;
  /** One of the items. */
  pick<T>(items: readonly T[]): T;
  /** True with this probability (default one half). */
  chance(probability?: number): boolean;
}

let reports = false;

/**
 * The mulberry32 generator: the same seed gives the same numbers on every platform. A process that fails after using
 * {@link SEED} prints it.
 */
export function seededRandom(seed: number = SEED): Random {
  if (seed === SEED) reportSeedOnFailure();
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return Object.assign(next, {
    seed,
    integer: (low: number, high: number) => low + Math.floor(next() * (high - low + 1)),
    pick: <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T,
    chance: (probability = 0.5) => next() < probability,
  });
}

function reportSeedOnFailure(): void {
  if (reports) return;
  reports = true;
  process.once("exit", (code) => {
    if (code !== 0) console.error(`random choices of this run: TEST_SEED=${SEED}`);
  });
}
