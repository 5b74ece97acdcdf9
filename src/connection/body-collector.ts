/** Collects a response body into one buffer, in place where its length is known. */

/** Longest declared length that is believed: longer bodies grow as they come. */
const LARGEST_RESERVATION = 1 << 30;

/** Reads of at least this size go straight into the body; smaller ones are cheaper to copy. */
const SMALLEST_DIRECT_READ = 16_384;

/** One body being collected. */
export class BodyCollector {
  #target: Buffer | null = null;
  #filled = 0;
  #parts: Buffer[] | null = null;

  /** `length` in bytes where it is known. */
  constructor(length: number | null) {
    if (length !== null && length <= LARGEST_RESERVATION) this.#target = Buffer.allocUnsafe(length);
    else this.#parts = [];
  }

  /** Takes a copy of `bytes[start, end)`. */
  add(bytes: Buffer, start: number, end: number): void {
    if (this.#target === null) {
      this.#parts!.push(Buffer.from(bytes.subarray(start, end)));
      return;
    }
    bytes.copy(this.#target, this.#filled, start, end);
    this.#filled += end - start;
  }

  /** Where the rest of the body can be read directly; `null` if that does not pay. */
  rest(): Buffer | null {
    if (this.#target === null || this.#target.length - this.#filled < SMALLEST_DIRECT_READ) return null;
    return this.#target.subarray(this.#filled);
  }

  /** `length` bytes were read directly. */
  filled(length: number): void {
    this.#filled += length;
  }

  /** The whole body, or what came of it. */
  finish(): Buffer {
    if (this.#target === null) return Buffer.concat(this.#parts!);
    return this.#filled === this.#target.length ? this.#target : this.#target.subarray(0, this.#filled);
  }
}
