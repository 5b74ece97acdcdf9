/** A body that is there already, readable like one that comes. */

import { systemClock } from "../../core/clock.ts";
import { BodyReader } from "./body-reader.ts";
import { BodySource } from "./body-source.ts";

const OPTIONS = {
  contentCodings: [],
  transferCodings: [],
  decodeContent: false,
  allowTruncated: false,
  maxDecodedSize: Number.POSITIVE_INFINITY,
};

/** A reader of `data`, which took `wireBytes` on the wire. */
export function memoryReader(data: Buffer, wireBytes: number): BodyReader {
  const source = new BodySource(null, data.length, systemClock, () => {});
  if (data.length > 0) source.push(data, true);
  source.wireBytes = wireBytes;
  source.end(null, false);
  return new BodyReader(source, OPTIONS);
}

/** What `pieces` begin with: all up to the one that makes it more than `most` bytes, or that comes before an error. */
export async function beginningOf(pieces: AsyncIterable<Buffer>, most: number): Promise<Buffer> {
  const taken: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of pieces) {
      taken.push(piece);
      size += piece.length;
      if (size > most) break;
    }
  } catch {
    // The error that the answer is for counts, not its body.
  }
  return Buffer.concat(taken);
}
