/** Which name somebody may have meant. */

/** Names are compared without case, `_` and `-`: `num_pools` is `numPools`. */
export function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, "");
}

/** The one of `names` that is nearest to `name`, if it is near enough to be a slip. */
export function closest(name: string, names: Iterable<string>): string | undefined {
  const spelling = plain(name);
  const most = spelling.length < 6 ? 1 : 2;
  let best: string | undefined;
  let least = most + 1;
  for (const known of names) {
    const distance = editDistance(spelling, plain(known), least);
    if (distance < least) [best, least] = [known, distance];
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours between two words; `limit` where it is at least that. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_unused, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(row[j - 1]! + (same ? 0 : 1), row[j]! + 1, next[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, before[j - 2]! + 1);
      next.push(cost);
    }
    [before, row] = [row, next];
  }
  return Math.min(row[b.length]!, limit);
}
