/** Moving few bytes: up to 64 of them a loop is faster than what the platform has. */

const LARGEST_LOOP = 64;

/** Copies `source[start, end)` to `target` from `at` on. */
export function copyBytes(source: Buffer, start: number, end: number, target: Buffer, at: number): void {
  if (end - start > LARGEST_LOOP) {
    source.copy(target, at, start, end);
    return;
  }
  for (let from = start, to = at; from < end; from++, to++) target[to] = source[from]!;
}

/** Writes Latin-1 text to `target` from `at` on; the index behind it. */
export function writeLatin1(text: string, target: Buffer, at: number): number {
  const { length } = text;
  if (length > LARGEST_LOOP) return at + target.write(text, at, "latin1");
  for (let from = 0; from < length; from++) target[at + from] = text.charCodeAt(from);
  return at + length;
}
