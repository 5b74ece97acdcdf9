/**
 * The last field blocks of a connection with what they decoded to: servers repeat themselves, within a second even their
 * Date is the same. Equal octets mean equal fields if the block does not refer to the dynamic table, or if that has not
 * changed; what a block inserts is inserted again from the lines that were kept.
 */

import { copyBytes } from "./bytes.ts";
import type { FieldBlock } from "./field-block.ts";
import type { FieldTable } from "./table.ts";

/** Blocks that are kept; few kinds of answers are mixed on one connection. */
const KEPT = 4;

/** Longer blocks are not kept, in bytes. */
const LONGEST_KEPT = 1024;

/** A server whose blocks are never the same is looked at now and then. */
const MOST_MISSES = 16;

/** Insertions of one block that can be recorded. */
const MOST_INSERTIONS = 32;

/** Numbers that describe an insertion: start and length of its line, length of its name, kind. */
const STRIDE = 4;

/** The insertions of the block that is being decoded. */
export class Insertions {
  readonly facts: Int32Array = new Int32Array(MOST_INSERTIONS * STRIDE);
  count: number = 0;

  add(start: number, lineLength: number, nameLength: number, kind: number): void {
    if (this.count < MOST_INSERTIONS) {
      const at = this.count * STRIDE;
      this.facts[at] = start;
      this.facts[at + 1] = lineLength;
      this.facts[at + 2] = nameLength;
      this.facts[at + 3] = kind;
    }
    this.count++;
  }
}

class KeptBlock {
  block: FieldBlock | null = null;
  length = 0;
  readonly octets: Buffer = Buffer.allocUnsafeSlow(LONGEST_KEPT);
  /** Whether it refers to the dynamic table, as that was then. */
  refers = false;
  inserted = 0;
  epoch = 0;
  /** The lines it inserts; the table refers to them, so this buffer is never written again. */
  lines: Buffer | null = null;
  insertions = 0;
  readonly facts: Int32Array = new Int32Array(MOST_INSERTIONS * STRIDE);

  matches(bytes: Buffer, start: number, table: FieldTable): boolean {
    if (this.refers && (this.inserted !== table.inserted || this.epoch !== table.epoch)) return false;
    const { octets, length } = this;
    // From the end: what differs is mostly there.
    for (let at = length - 1, from = start + length - 1; at >= 0; at--, from--) {
      if (octets[at] !== bytes[from]) return false;
    }
    return true;
  }

  /** Does to the table what decoding the block would do. */
  replay(table: FieldTable): void {
    const { facts, lines } = this;
    if (lines === null) return;
    for (let at = 0; at < this.insertions * STRIDE; at += STRIDE) {
      table.refer(lines, facts[at]!, facts[at + 2]!, facts[at + 1]!, facts[at + 3]!);
    }
  }
}

/** The kept blocks of one connection. */
export class BlockCache {
  readonly #kept: KeptBlock[] = [];
  #next = 0;
  /** Blocks in a row that were not known. */
  #misses = 0;

  /** The block `bytes[start, end)` if it is known; the table is then as it is after decoding. */
  find(bytes: Buffer, start: number, end: number, table: FieldTable): FieldBlock | null {
    const length = end - start;
    for (let at = 0; at < this.#kept.length; at++) {
      const kept = this.#kept[at]!;
      if (kept.length !== length || !kept.matches(bytes, start, table)) continue;
      kept.replay(table);
      this.#misses = 0;
      return kept.block;
    }
    this.#misses++;
    return null;
  }

  /**
   * Keeps what a block gave, if that can be said of its octets again. `lines`: where its lines still are; `refers`:
   * whether it refers to the dynamic table, which then has not changed since it began.
   */
  keep(
    bytes: Buffer,
    start: number,
    end: number,
    block: FieldBlock,
    table: FieldTable,
    refers: boolean,
    insertions: Insertions,
    lines: Buffer,
    linesEnd: number,
  ): void {
    if (end - start > LONGEST_KEPT || insertions.count > MOST_INSERTIONS) return;
    if (refers && insertions.count > 0) return;
    if (this.#misses > MOST_MISSES && this.#misses % MOST_MISSES !== 0) return;
    const kept = this.#slot();
    copyBytes(bytes, start, end, kept.octets, 0);
    kept.length = end - start;
    kept.block = block;
    kept.refers = refers;
    kept.inserted = table.inserted;
    kept.epoch = table.epoch;
    kept.insertions = insertions.count;
    kept.lines = insertions.count === 0 ? null : Buffer.from(lines.subarray(0, linesEnd));
    kept.facts.set(insertions.facts);
  }

  #slot(): KeptBlock {
    const at = this.#next;
    this.#next = (at + 1) % KEPT;
    this.#kept[at] ??= new KeptBlock();
    return this.#kept[at];
  }
}
