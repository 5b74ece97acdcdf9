/**
 * Request fields -> HPACK field blocks (RFC 7541 §6).
 *
 *  1. A field that stands in a table is its index.
 *  2. What comes with most requests is inserted at once, other fields when they come a second time with the same value.
 *  3. The table is filled once: when it is full nothing is inserted any more, so nothing is ever evicted.
 *  4. Credentials are literals that nobody on the way may index (§7.1.3).
 *  5. Only what is inserted is Huffman-coded: it is written once. The rest would cost more than it saves.
 */

import { encodeHuffman, huffmanLength } from "./huffman.ts";
import { TABLE_SIZE } from "./limits.ts";
import type { Output } from "./output.ts";
import { STATIC_ENTRIES, STATIC_FIELDS } from "./static-table.ts";

/** Inserted the first time they come. */
const FREQUENT: ReadonlySet<string> = new Set([":authority", "user-agent", "accept-encoding", "accept"]);

const CREDENTIALS: ReadonlySet<string> = new Set(["authorization", "proxy-authorization", "cookie"]);
const CREDENTIAL_ENDING = /-(?:token|key|secret)$/;

/** Longer values are never inserted. */
const LONGEST_INDEXED = 256;

/** Names and single fields that are remembered of one connection. */
const MOST_NAMES = 256;
const MOST_SEEN = 128;

/** What a field counts in the table beyond its text (§4.1). */
const OVERHEAD = 32;

/** First bits of the representations (§6). */
const INDEXED = 0x80;
const INSERTED = 0x40;
const SIZE_UPDATE = 0x20;
const NEVER_INDEXED = 0x10;
const LITERAL = 0x00;

/** What is known of a name. */
interface NameRecord {
  /** Index in the static table; 0 if it is not there. */
  readonly staticIndex: number;
  readonly sensitive: boolean;
  readonly frequent: boolean;
  /** Number of a table entry with this name, 0 for none. Entries are counted as they are inserted, from 1. */
  entry: number;
  /** Where fields with these values stand: a number as `entry`, or -index in the static table. */
  readonly values: Map<string, number>;
}

/** Encodes the blocks of one connection, in their order. */
export class FieldEncoder {
  /** Entries ever inserted; indices move with it. */
  inserted: number = 0;
  /** How often the table was emptied. */
  epoch: number = 0;
  #names = new Map<string, NameRecord>();
  #seen = new Set<string>();
  #limit = TABLE_SIZE;
  #size = 0;
  #updateDue = false;

  /** The peer's HEADER_TABLE_SIZE. A smaller one empties the table, which the next block says (§4.2). */
  allowTable(size: number): void {
    const limit = Math.min(size, TABLE_SIZE);
    if (limit === this.#limit) return;
    this.#limit = limit;
    this.#updateDue = true;
    this.#names = new Map();
    this.#seen.clear();
    this.#size = 0;
    this.epoch++;
  }

  /** Begins a block. 0 is the smallest size there may have been in between. */
  begin(out: Output): void {
    if (!this.#updateDue) return;
    this.#updateDue = false;
    out.reserve(16);
    writeInteger(out, SIZE_UPDATE, 0x1f, 0);
    if (this.#limit > 0) writeInteger(out, SIZE_UPDATE, 0x1f, this.#limit);
  }

  /** Writes an entry of the static table. */
  indexed(out: Output, index: number): void {
    out.reserve(8);
    writeInteger(out, INDEXED, 0x7f, index);
  }

  /** Writes a literal that nobody indexes, with a name of the static table and a value that is often another. */
  literal(out: Output, nameIndex: number, value: string): void {
    out.reserve(16);
    writeInteger(out, LITERAL, 0x0f, nameIndex);
    writeString(out, value);
  }

  /** Writes a field. The name is lower-case; both are Latin-1. */
  field(out: Output, name: string, value: string): void {
    out.reserve(32);
    const record = this.#record(name);
    const found = record.values.get(value);
    if (found !== undefined) writeInteger(out, INDEXED, 0x7f, this.#indexOf(found));
    else if (record.sensitive) this.#literalField(out, NEVER_INDEXED, 0x0f, name, value, record);
    else if (this.#shouldInsert(record, name, value)) this.#insert(out, name, value, record);
    else this.#literalField(out, LITERAL, 0x0f, name, value, record);
  }

  #record(name: string): NameRecord {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const record: NameRecord = {
      staticIndex: staticNames.get(name) ?? 0,
      sensitive: CREDENTIALS.has(name) || CREDENTIAL_ENDING.test(name),
      frequent: FREQUENT.has(name),
      entry: 0,
      values: new Map(staticValues.get(name)),
    };
    if (this.#names.size < MOST_NAMES) this.#names.set(name, record);
    return record;
  }

  #indexOf(place: number): number {
    return place < 0 ? -place : STATIC_ENTRIES + 1 + this.inserted - place;
  }

  #shouldInsert(record: NameRecord, name: string, value: string): boolean {
    if (value.length > LONGEST_INDEXED) return false;
    if (this.#size + name.length + value.length + OVERHEAD > this.#limit) return false;
    return record.frequent || this.#isSecondTime(`${name}:${value}`);
  }

  #isSecondTime(field: string): boolean {
    if (this.#seen.delete(field)) return true;
    if (this.#seen.size === MOST_SEEN) this.#seen.clear();
    this.#seen.add(field);
    return false;
  }

  #insert(out: Output, name: string, value: string, record: NameRecord): void {
    this.#writeName(out, INSERTED, 0x3f, name, record);
    writeHuffman(out, value);
    this.#size += name.length + value.length + OVERHEAD;
    this.inserted++;
    // A name that is not remembered would be inserted again and again.
    if (this.#names.get(name) !== record) this.#names.set(name, record);
    record.values.set(value, this.inserted);
    record.entry = this.inserted;
  }

  #literalField(
    out: Output,
    bits: number,
    prefix: number,
    name: string,
    value: string,
    record: NameRecord,
  ): void {
    this.#writeName(out, bits, prefix, name, record);
    writeString(out, value);
  }

  #writeName(out: Output, bits: number, prefix: number, name: string, record: NameRecord): void {
    if (record.staticIndex > 0) writeInteger(out, bits, prefix, record.staticIndex);
    else if (record.entry > 0) writeInteger(out, bits, prefix, this.#indexOf(record.entry));
    else {
      out.octet(bits);
      writeHuffman(out, name);
    }
  }
}

const staticNames = new Map<string, number>();
const staticValues = new Map<string, Map<string, number>>();
for (const [at, [name, value]] of STATIC_FIELDS.entries()) {
  if (!staticNames.has(name)) staticNames.set(name, at + 1);
  if (value === "") continue;
  if (!staticValues.has(name)) staticValues.set(name, new Map());
  staticValues.get(name)!.set(value, -(at + 1));
}

/** §5.1. */
function writeInteger(out: Output, bits: number, prefix: number, value: number): void {
  if (value < prefix) {
    out.octet(bits | value);
    return;
  }
  out.octet(bits | prefix);
  let rest = value - prefix;
  for (; rest >= 0x80; rest >>>= 7) out.octet((rest & 0x7f) | 0x80);
  out.octet(rest);
}

/** §5.2, as it is. */
function writeString(out: Output, text: string): void {
  out.reserve(text.length + 8);
  writeInteger(out, 0, 0x7f, text.length);
  out.latin1(text);
}

/** §5.2, in the Huffman code if that is shorter. */
function writeHuffman(out: Output, text: string): void {
  const length = huffmanLength(text);
  if (length >= text.length) {
    writeString(out, text);
    return;
  }
  out.reserve(length + 8);
  writeInteger(out, 0x80, 0x7f, length);
  out.length = encodeHuffman(text, out.bytes, out.length);
}
