/** A set of ids in a few bytes each, so that a million URLs can be remembered. */

import { createHash } from "node:crypto";

const FIRST_SIZE = 1024;

/** An id of 64 bits as 16 hex digits, from a text. Two of a million texts have the same with a chance of 1 to 10^8. */
export function idOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** Ids as {@link idOf} makes them, in 8 bytes each and at most twice the room. */
export class IdSet {
  #slots: BigUint64Array<ArrayBuffer> = new BigUint64Array(FIRST_SIZE);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Whether it was not there before. */
  add(id: string): boolean {
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    return this.#insert(keyOf(id));
  }

  has(id: string): boolean {
    const key = keyOf(id);
    return this.#slots[this.#find(key)] === key;
  }

  *[Symbol.iterator](): Generator<string> {
    for (const key of this.#slots) if (key !== 0n) yield key.toString(16).padStart(16, "0");
  }

  #insert(key: bigint): boolean {
    const at = this.#find(key);
    if (this.#slots[at] === key) return false;
    this.#slots[at] = key;
    this.#size += 1;
    return true;
  }

  /** Where it is, or where there is room for it. */
  #find(key: bigint): number {
    const mask = this.#slots.length - 1;
    let at = Number(key & BigInt(mask));
    while (this.#slots[at] !== 0n && this.#slots[at] !== key) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new BigUint64Array(old.length * 2);
    this.#size = 0;
    for (const key of old) if (key !== 0n) this.#insert(key);
  }
}

/** 0 means an empty slot. */
function keyOf(id: string): bigint {
  return BigInt(`0x${id}`) || 1n;
}
