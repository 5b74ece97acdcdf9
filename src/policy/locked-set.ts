/** Sets that can be shared, because nobody can change them. */

/** A set of `values` that throws `TypeError` where one would change it. */
export function lockedSet<T>(values: Iterable<T>): ReadonlySet<T> {
  const set = new Set(values);
  for (const name of ["add", "delete", "clear"]) Object.defineProperty(set, name, { value: refuse });
  return set;
}

function refuse(): never {
  throw new TypeError("This set cannot be changed: give one of your own");
}
