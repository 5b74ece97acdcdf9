/** Numbers for connections, whatever they speak. */

let last = 0;

/** Counts the connections of the process. */
export function nextConnectionId(): number {
  return ++last;
}
