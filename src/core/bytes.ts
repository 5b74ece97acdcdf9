/** Bytes as text, where the platform's typings leave a gap. */

interface Latin1Slicer {
  latin1Slice(start: number, end: number): string;
}

/** Latin-1 text of `bytes[start, end)`: what `toString("latin1", start, end)` gives, without looking up the encoding. */
export function latin1(bytes: Buffer, start: number, end: number): string {
  return (bytes as unknown as Latin1Slicer).latin1Slice(start, end);
}
