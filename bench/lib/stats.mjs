/** Medians and ratios: a shared machine's absolute figures drift, a ratio within one round does not. */

/** The q-quantile (0 to 1) of numbers, interpolated linearly; NaN of none. */
export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const position = (sorted.length - 1) * q;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

/** The median with its quartiles. */
export function summary(values) {
  return { q1: quantile(values, 0.25), median: quantile(values, 0.5), q3: quantile(values, 0.75) };
}

/** Summary of a/b round by round; a round that either one lacks is left out. */
export function ratio(a, b) {
  const rounds = Math.min(a.length, b.length);
  return summary(Array.from({ length: rounds }, (_, round) => a[round] / b[round]));
}
