/** A body made of parts of known length, sent one after the other without being joined in memory. */

import type { Payload } from "./payload.ts";

/** Up to this size joining the parts is cheaper than sending them one by one, in bytes. */
const JOIN_LIMIT = 65_536;

/** Bytes and blobs, in order. */
export class PartsPayload implements Payload {
  readonly bytes: Uint8Array | null;
  readonly length: number;
  readonly contentType: string;
  readonly replayable: boolean = true;
  readonly #parts: readonly (Buffer | Blob)[];

  constructor(parts: readonly (Buffer | Blob)[], contentType: string) {
    this.#parts = parts;
    this.contentType = contentType;
    this.length = parts.reduce((sum, part) => sum + (part instanceof Blob ? part.size : part.length), 0);
    const inMemory = parts.every((part) => Buffer.isBuffer(part));
    this.bytes = inMemory && this.length <= JOIN_LIMIT ? Buffer.concat(parts as Buffer[]) : null;
  }

  async *open(): AsyncGenerator<Uint8Array> {
    for (const part of this.#parts) {
      if (part instanceof Blob) yield* part.stream() as unknown as AsyncIterable<Uint8Array>;
      else yield part;
    }
  }
}
