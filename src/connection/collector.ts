/** Collects a response body into one buffer, in place where its length is known. */

import { expectBody } from "../core/body-memory.ts";

/** Longest declared length that is believed: longer bodies grow as they come. */
const LARGEST_RESERVATION = 1 << 30;

/** Reads of at least this size go straight into the body; smaller ones are cheaper to copy. */
const SMALLEST_DIRECT_READ = 16_384;

/** A body of unknown length is copied into blocks, each twice as large as the one before it. */
const SMALLEST_BLOCK = 4096;
const LARGEST_BLOCK = 1_048_576;

const NO_BODY = Buffer.alloc(0);

/** Up to here a loop is faster than what the platform has. */
const LARGEST_LOOP = 64;

/** A copy of `bytes[start, end)`. */
export function copyOf(bytes: Buffer, start: number, end: number): Buffer {
  const length = end - start;
  const copy = Buffer.allocUnsafe(length);
  if (length > LARGEST_LOOP) bytes.copy(copy, 0, start, end);
  else for (let at = 0; at < length; at++) copy[at] = bytes[start + at]!;
  return copy;
}

/** One body being collected. */
export class BodyCollector {
  /** What is filled now: the whole of the body, or its last block. */
  #target: Buffer;
  #filled = 0;
  /** Blocks that are full; `null` if the length is known. */
  readonly #blocks: Buffer[] | null;

  /** `length` in bytes where it is known. `into`: memory of the caller's, filled from its start as far as the body fits. */
  constructor(length: number | null, into: Buffer | null = null) {
    const known = length !== null && length <= LARGEST_RESERVATION;
    this.#blocks = known ? null : [];
    if (into !== null && into.length > 0 && (!known || length <= into.length)) {
      this.#target = known ? into.subarray(0, length) : into;
    } else {
      const size = known ? length : SMALLEST_BLOCK;
      expectBody(size);
      this.#target = Buffer.allocUnsafe(size);
    }
  }

  /** Takes a copy of `bytes[start, end)`. */
  add(bytes: Buffer, start: number, end: number): void {
    const copied = bytes.copy(this.#target, this.#filled, start, end);
    this.#filled += copied;
    if (this.#blocks === null || copied === end - start) return;
    this.#blocks.push(this.#target);
    const size = Math.max(Math.min(2 * this.#target.length, LARGEST_BLOCK), end - start - copied);
    expectBody(size);
    this.#target = Buffer.allocUnsafe(size);
    this.#filled = bytes.copy(this.#target, 0, start + copied, end);
  }

  /** Where the rest of the body can be read directly; `null` if that does not pay. */
  rest(): Buffer | null {
    if (this.#blocks !== null || this.#target.length - this.#filled < SMALLEST_DIRECT_READ) return null;
    return this.#target.subarray(this.#filled);
  }

  /** `length` bytes were read directly. */
  filled(length: number): void {
    this.#filled += length;
  }

  /** The whole body, or what came of it; nothing if the caller's memory was detached meanwhile. */
  finish(): Buffer {
    if (this.#filled > this.#target.length) return NO_BODY;
    const last = this.#filled === this.#target.length ? this.#target : this.#target.subarray(0, this.#filled);
    if (this.#blocks === null || this.#blocks.length === 0) return last;
    return Buffer.concat([...this.#blocks, last].filter(({ length }) => length > 0));
  }
}
