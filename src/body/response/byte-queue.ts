/** Bytes that were decoded and not read yet; any amount can be taken off the front. */

import { join } from "../../core/bytes.ts";

const EMPTY = Buffer.alloc(0);

/** Parts below this are copied together: each alone takes more memory than its bytes. */
const SMALL = 512;

/** What small parts are copied into. */
const BLOCK = 16_384;

/** A first-in-first-out queue of bytes; what is asked for whole is not copied. */
export class ByteQueue {
  #parts: Buffer[] = [];
  #length = 0;
  /** The last part is the end of what is used of it. */
  #block: Buffer | null = null;
  #used = 0;

  get length(): number {
    return this.#length;
  }

  put(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (bytes.length < SMALL && this.#parts.length > 0) this.#copy(bytes);
    else {
      this.#parts.push(bytes);
      this.#block = null;
    }
    this.#length += bytes.length;
  }

  /** The first `amount` bytes, or as many as there are. */
  get(amount: number): Buffer {
    return amount >= this.#length ? this.getAll() : join(this.#take(amount));
  }

  /** Moves the first bytes into `target` from `start` on, as many as there are and fit; gives their number. */
  moveTo(target: Buffer, start: number): number {
    const amount = Math.min(this.#length, target.length - start);
    let at = start;
    for (const part of this.#take(amount)) at += part.copy(target, at);
    return at - start;
  }

  /** The first `amount` bytes, of at least so many. */
  #take(amount: number): Buffer[] {
    const taken: Buffer[] = [];
    let missing = amount;
    let whole = 0;
    while (missing > 0) {
      const first = this.#parts[whole]!;
      taken.push(first.subarray(0, missing));
      if (first.length > missing) this.#parts[whole] = first.subarray(missing);
      else whole++;
      missing -= taken.at(-1)!.length;
    }
    this.#parts.splice(0, whole);
    this.#length -= amount;
    if (this.#length === 0) this.#block = null;
    return taken;
  }

  /** Everything. */
  getAll(): Buffer {
    const parts = this.#parts;
    this.#parts = [];
    this.#block = null;
    this.#length = 0;
    return join(parts);
  }

  #copy(bytes: Buffer): void {
    if (this.#block === null || this.#used + bytes.length > BLOCK) {
      this.#block = Buffer.allocUnsafeSlow(BLOCK);
      this.#used = 0;
      this.#parts.push(EMPTY);
    }
    bytes.copy(this.#block, this.#used);
    this.#used += bytes.length;
    const length = this.#parts.at(-1)!.length + bytes.length;
    this.#parts[this.#parts.length - 1] = this.#block.subarray(this.#used - length, this.#used);
  }
}
