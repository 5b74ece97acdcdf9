/** Bytes that were decoded and not read yet; any amount can be taken off the front. */

const EMPTY = Buffer.alloc(0);

/** A first-in-first-out queue of bytes; what is asked for whole is not copied. */
export class ByteQueue {
  #parts: Buffer[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  put(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#parts.push(bytes);
    this.#length += bytes.length;
  }

  /** The first `amount` bytes, or as many as there are. */
  get(amount: number): Buffer {
    if (amount >= this.#length) return this.getAll();
    const taken: Buffer[] = [];
    let missing = amount;
    while (missing > 0) {
      const first = this.#parts[0]!;
      if (first.length <= missing) this.#parts.shift();
      else this.#parts[0] = first.subarray(missing);
      taken.push(first.subarray(0, missing));
      missing -= taken.at(-1)!.length;
    }
    this.#length -= amount;
    return join(taken);
  }

  /** Everything. */
  getAll(): Buffer {
    const parts = this.#parts;
    this.#parts = [];
    this.#length = 0;
    return join(parts);
  }
}

function join(parts: Buffer[]): Buffer {
  if (parts.length === 0) return EMPTY;
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}
