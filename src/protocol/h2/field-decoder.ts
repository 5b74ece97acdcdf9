/**
 * HPACK field blocks -> lines `name: value CRLF` (RFC 7541 §3 and §6), with what the protocol needs of them noted on the
 * way. A block gives its fields or one error, in time linear to its octets:
 *  1. a block that does not decode is a connection error (RFC 9113 §4.3): the two tables are no longer the same;
 *  2. a malformed field (§8.2, §8.3) is noted and decoding goes on, so that the tables stay the same;
 *  3. so it is with a list above its limit, until it is so large that only the end of the connection helps.
 *
 * Every name is a lower-case token and no value holds CR, LF or NUL, or the block has a `problem`: the lines can be
 * taken apart again without any doubt.
 */

import { latin1 } from "../../core/bytes.ts";
import { BlockCache, Insertions } from "./block-cache.ts";
import { copyBytes } from "./bytes.ts";
import { FieldBlock } from "./field-block.ts";
import * as kinds from "./field-kinds.ts";
import { COMPRESSION_ERROR, ENHANCE_YOUR_CALM, printable } from "./frames.ts";
import { decodeHuffman } from "./huffman.ts";
import { HOPELESS_LIST, TABLE_SIZE } from "./limits.ts";
import { STATIC_KINDS, STATIC_LINES, STATIC_NAME_LENGTHS, STATIC_OFFSETS } from "./static-lines.ts";
import { STATIC_ENTRIES } from "./static-table.ts";
import { FieldTable } from "./table.ts";
import { refuseConnection } from "./violation.ts";

/** What a field counts beyond its line: 32, less colon, space, CR and LF. */
const FIELD_OVERHEAD = 28;

/** Octets of an integer behind its prefix: enough for 2^28. */
const LONGEST_INTEGER_SHIFT = 28;

/** Size updates at the start of a block: the smallest size in between and the last (RFC 7541 §4.2). */
const MOST_UPDATES = 2;

/** Characters of a bad name that an error shows. */
const SHOWN_NAME = 64;

/** Where lines are written; decoding is synchronous, so one does for all connections. */
let scratch = Buffer.allocUnsafeSlow(16_384);

/** Decodes the blocks of one connection, in their order. */
export class FieldDecoder {
  readonly table: FieldTable;
  readonly #limit: number;
  readonly #cache = new BlockCache();
  readonly #insertions = new Insertions();
  /** Index behind what was read last. */
  #next = 0;
  /** Where in `scratch` the next line begins. */
  #to = 0;
  #textStart = 0;
  #updates = 0;
  #fields = 0;
  #refers = false;
  #regular = false;
  #pseudo = false;
  #status = 0;
  #contentLength = -1;
  #encoded = false;
  #size = 0;
  #tooLarge = false;
  #problem: string | null = null;

  /** `limit`: size of a decoded list (RFC 9113 §6.5.2); `tableSize`: our HEADER_TABLE_SIZE; both in bytes. */
  constructor(limit: number, tableSize: number = TABLE_SIZE) {
    this.#limit = limit;
    this.table = new FieldTable(tableSize);
    this.#largestTable = tableSize;
  }

  readonly #largestTable: number;

  /** Decodes `bytes[start, end)`. Throws a `Violation` of the connection. */
  decode(bytes: Buffer, start: number, end: number): FieldBlock {
    const known = this.#cache.find(bytes, start, end, this.table);
    if (known !== null) return known;
    this.#begin();
    for (let at = start; at < end; ) {
      const octet = bytes[at]!;
      if (octet >= 0x80) at = this.#indexed(bytes, at, end);
      else if (octet >= 0x40) at = this.#literal(bytes, at, end, 0x3f);
      else if (octet >= 0x20) at = this.#sizeUpdate(bytes, at, end);
      else at = this.#literal(bytes, at, end, 0x0f);
    }
    const block = this.#finish();
    if (this.#updates === 0 && !this.#tooLarge && this.#problem === null)
      this.#keep(bytes, start, end, block);
    return block;
  }

  #begin(): void {
    this.#to = this.#textStart = this.#updates = this.#fields = this.#status = this.#size = 0;
    this.#refers = this.#regular = this.#pseudo = this.#encoded = this.#tooLarge = false;
    this.#contentLength = -1;
    this.#problem = null;
    this.#insertions.count = 0;
  }

  #finish(): FieldBlock {
    return new FieldBlock({
      status: this.#status,
      text: this.#tooLarge ? "" : latin1(scratch, this.#textStart, this.#to),
      contentLength: this.#contentLength,
      encoded: this.#encoded,
      pseudo: this.#pseudo,
      size: this.#size,
      tooLarge: this.#tooLarge,
      problem: this.#problem,
    });
  }

  #keep(bytes: Buffer, start: number, end: number, block: FieldBlock): void {
    this.#cache.keep(bytes, start, end, block, this.table, this.#refers, this.#insertions, scratch, this.#to);
  }

  /** §6.1. */
  #indexed(bytes: Buffer, at: number, end: number): number {
    const index = this.#integer(bytes, at, end, 0x7f);
    const start = this.#to;
    if (index <= STATIC_ENTRIES) {
      if (index === 0) refuseConnection(COMPRESSION_ERROR, "a field block refers to index 0");
      const from = STATIC_OFFSETS[index - 1]!;
      this.#copy(STATIC_LINES, from, STATIC_OFFSETS[index]!);
      this.#endField(STATIC_KINDS[index - 1]!, start, STATIC_NAME_LENGTHS[index - 1]!);
      return this.#next;
    }
    const slot = this.#slot(index);
    const from = this.table.offset(slot);
    this.#copy(this.table.source(slot), from, from + this.table.lineLength(slot));
    this.#endField(this.table.kind(slot), start, this.table.nameLength(slot));
    return this.#next;
  }

  /** §6.2: with incremental indexing if the prefix has six bits. */
  #literal(bytes: Buffer, at: number, end: number, prefix: number): number {
    const index = this.#integer(bytes, at, end, prefix);
    const start = this.#to;
    let next = this.#next;
    let kind: number;
    if (index === 0) {
      next = this.#string(bytes, next, end);
      kind = kinds.kindOfName(scratch, start, this.#to);
    } else kind = this.#copyName(index);
    const nameLength = this.#to - start;
    scratch[this.#to] = 58;
    scratch[this.#to + 1] = 32;
    const valueStart = this.#to + 2;
    this.#to = valueStart;
    next = this.#string(bytes, next, end);
    if (!kinds.isValidValue(scratch, valueStart, this.#to)) kind |= kinds.BAD_VALUE;
    scratch[this.#to] = 13;
    scratch[this.#to + 1] = 10;
    this.#to += 2;
    if (prefix === 0x3f) {
      this.table.insert(scratch, start, nameLength, this.#to - start, kind);
      this.#insertions.add(start, this.#to - start, nameLength, kind);
    }
    this.#endField(kind, start, nameLength);
    return next;
  }

  /** §6.3. */
  #sizeUpdate(bytes: Buffer, at: number, end: number): number {
    const size = this.#integer(bytes, at, end, 0x1f);
    if (this.#fields > 0) refuseConnection(COMPRESSION_ERROR, "a table size update behind a field");
    if (++this.#updates > MOST_UPDATES) refuseConnection(COMPRESSION_ERROR, "too many table size updates");
    if (size > this.#largestTable) refuseConnection(COMPRESSION_ERROR, "a table size above our limit");
    this.table.resize(size);
    return this.#next;
  }

  /** The name of a table's entry; its kind. */
  #copyName(index: number): number {
    if (index <= STATIC_ENTRIES) {
      const from = STATIC_OFFSETS[index - 1]!;
      this.#copy(STATIC_LINES, from, from + STATIC_NAME_LENGTHS[index - 1]!);
      return STATIC_KINDS[index - 1]!;
    }
    const slot = this.#slot(index);
    const from = this.table.offset(slot);
    this.#copy(this.table.source(slot), from, from + this.table.nameLength(slot));
    return this.table.kind(slot) & kinds.KIND_MASK;
  }

  #slot(index: number): number {
    this.#refers = true;
    const slot = this.table.slot(index - STATIC_ENTRIES - 1);
    if (slot === -1) refuseConnection(COMPRESSION_ERROR, "a field block refers beyond the table's end");
    return slot;
  }

  #copy(source: Buffer, from: number, to: number): void {
    this.#reserve(to - from);
    copyBytes(source, from, to, scratch, this.#to);
    this.#to += to - from;
  }

  /** §5.2: the string is written behind what is there. */
  #string(bytes: Buffer, at: number, end: number): number {
    if (at >= end) refuseConnection(COMPRESSION_ERROR, "a field block ends before a string");
    const huffman = bytes[at]! >= 0x80;
    const length = this.#integer(bytes, at, end, 0x7f);
    const from = this.#next;
    if (length > end - from) refuseConnection(COMPRESSION_ERROR, "a string is longer than its field block");
    if (!huffman) {
      this.#copy(bytes, from, from + length);
      return from + length;
    }
    // No word has less than five bits.
    this.#reserve(2 * length);
    this.#to = decodeHuffman(bytes, from, from + length, scratch, this.#to);
    if (this.#to === -1) refuseConnection(COMPRESSION_ERROR, "a Huffman string is padded wrongly");
    return from + length;
  }

  /** §5.1. */
  #integer(bytes: Buffer, at: number, end: number, prefix: number): number {
    let value = bytes[at]! & prefix;
    let next = at + 1;
    if (value === prefix) {
      for (let shift = 0, octet = 0x80; octet >= 0x80; shift += 7) {
        if (next >= end) refuseConnection(COMPRESSION_ERROR, "a field block ends within an integer");
        if (shift === LONGEST_INTEGER_SHIFT) refuseConnection(COMPRESSION_ERROR, "an integer is too long");
        octet = bytes[next++]!;
        value += (octet & 0x7f) << shift;
      }
    }
    this.#next = next;
    return value;
  }

  /** Room for a string or line, and the few octets between and behind them. */
  #reserve(length: number): void {
    const needed = this.#to + length + 8;
    if (needed <= scratch.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * needed);
    scratch.copy(larger, 0, 0, this.#to);
    scratch = larger;
  }

  /** The line from `start` on is complete. */
  #endField(kind: number, start: number, nameLength: number): void {
    this.#fields++;
    this.#size += this.#to - start + FIELD_OVERHEAD;
    if (kind === kinds.ORDINARY) this.#regular = true;
    else this.#note(kind, start, nameLength);
    if (this.#size <= this.#limit) return;
    if (this.#size > HOPELESS_LIST * this.#limit)
      refuseConnection(ENHANCE_YOUR_CALM, "a field list many times too large");
    this.#tooLarge = true;
    this.#to = this.#textStart = 0;
  }

  /** A field that is more than text. */
  #note(kind: number, start: number, nameLength: number): void {
    const valueStart = start + nameLength + 2;
    const valueEnd = this.#to - 2;
    const name = kind & kinds.KIND_MASK;
    const isPseudo = name === kinds.STATUS || name === kinds.OTHER_PSEUDO;
    if (isPseudo && this.#regular) this.#malformed("a pseudo field behind the others");
    if (isPseudo) this.#pseudo = true;
    else this.#regular = true;
    if ((kind & kinds.BAD_VALUE) !== 0)
      this.#malformed(`an invalid value of ${this.#name(start, nameLength)}`);
    switch (name) {
      case kinds.STATUS:
        this.#noteStatus(start, valueStart, valueEnd);
        return;
      case kinds.CONTENT_LENGTH:
        this.#noteLength(valueStart, valueEnd);
        return;
      case kinds.CONTENT_ENCODING:
        this.#encoded = true;
        return;
      case kinds.TE:
        if (latin1(scratch, valueStart, valueEnd).toLowerCase() !== "trailers")
          this.#malformed("the field te");
        return;
      case kinds.ORDINARY:
        return;
      case kinds.OTHER_PSEUDO:
        this.#malformed(`the pseudo field ${this.#name(start, nameLength)}`);
        return;
      case kinds.FORBIDDEN:
        this.#malformed(`the connection field ${this.#name(start, nameLength)}`);
        return;
      default:
        this.#malformed(`an invalid field name "${this.#name(start, nameLength)}"`);
    }
  }

  /** RFC 9113 §8.3.2: three digits, once, first. */
  #noteStatus(start: number, valueStart: number, valueEnd: number): void {
    const status = valueEnd - valueStart === 3 ? digits(valueStart, valueEnd) : -1;
    if (this.#status !== 0) this.#malformed("a second :status");
    else if (status < 100) this.#malformed("a :status that is not three digits");
    else {
      this.#status = status;
      if (start === this.#textStart) this.#textStart = this.#to;
    }
  }

  /** Equal values count once (RFC 9110 §8.6). */
  #noteLength(valueStart: number, valueEnd: number): void {
    let length = digits(valueStart, valueEnd);
    if (length === -1) length = joinedLength(latin1(scratch, valueStart, valueEnd));
    if (length === -1) this.#malformed("an invalid content-length");
    else if (this.#contentLength !== -1 && this.#contentLength !== length)
      this.#malformed("two different values of content-length");
    else this.#contentLength = length;
  }

  #malformed(what: string): void {
    this.#problem ??= what;
  }

  #name(start: number, length: number): string {
    return printable(scratch, start, start + length, SHOWN_NAME);
  }
}

/** The number that is written in `scratch[start, end)`, at most 15 digits; else -1. */
function digits(start: number, end: number): number {
  if (start === end || end - start > 15) return -1;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = scratch[at]! - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** `5, 5` is 5; -1 for anything but equal numbers. */
function joinedLength(text: string): number {
  const values = text.split(",").map((value) => value.trim());
  const first = values[0]!;
  if (!/^[0-9]{1,15}$/.test(first) || values.some((value) => value !== first)) return -1;
  return Number(first);
}
