/**
 * The dynamic table of HPACK's decoder (RFC 7541 §2.3.2 and §4), as lines `name: value CRLF`: an entry is added by copying
 * and evicted by counting, and a field that refers to one is copied out as it stands.
 *
 * Lines are copied into a ring of bytes, unless they are in a buffer that does not change. The ring is three tables long.
 * So an entry never runs over its end, and the name that a new entry refers to is still there while it is copied, even if
 * making room has just evicted it (§4.4).
 */

import { copyBytes } from "./bytes.ts";

/** What an entry counts beyond its octets (§4.1). Its line has four of them: colon, space, CR, LF. */
const OVERHEAD = 32;
const LINE_EXTRA = 4;

/** The table of one direction of a connection. */
export class FieldTable {
  /** Entries ever inserted. */
  inserted: number = 0;
  /** How often entries went away other than to make room for new ones. */
  epoch: number = 0;
  /** Entries there now. */
  count: number = 0;
  /** What they count, in bytes (§4.1). */
  size: number = 0;
  /** What they may count, as the peer's encoder has told. */
  limit: number;
  readonly #ring: Buffer;
  readonly #sources: Buffer[];
  readonly #offsets: Uint32Array;
  readonly #nameLengths: Uint16Array;
  readonly #lineLengths: Uint32Array;
  readonly #kinds: Uint8Array;
  readonly #mask: number;
  #next = 0;

  /** `largest`: what we allow the peer, in bytes. */
  constructor(largest: number) {
    this.limit = largest;
    this.#ring = Buffer.allocUnsafeSlow(3 * largest);
    const slots = 2 ** Math.ceil(Math.log2(Math.max(1, largest / OVERHEAD)));
    this.#mask = slots - 1;
    this.#sources = new Array<Buffer>(slots).fill(this.#ring);
    this.#offsets = new Uint32Array(slots);
    this.#nameLengths = new Uint16Array(slots);
    this.#lineLengths = new Uint32Array(slots);
    this.#kinds = new Uint8Array(slots);
  }

  /** Where entry `index` is, 0 for the newest; -1 if there is none. */
  slot(index: number): number {
    return index < this.count ? (this.inserted - 1 - index) & this.#mask : -1;
  }

  /** Where the line of a slot is. */
  source(slot: number): Buffer {
    return this.#sources[slot]!;
  }

  /** Where in its source it begins. */
  offset(slot: number): number {
    return this.#offsets[slot]!;
  }

  nameLength(slot: number): number {
    return this.#nameLengths[slot]!;
  }

  lineLength(slot: number): number {
    return this.#lineLengths[slot]!;
  }

  /** What `kindOfName` and the check of the value gave. */
  kind(slot: number): number {
    return this.#kinds[slot]!;
  }

  /** Adds the line `source[start, start + lineLength)`; one that is larger than the table only empties it (§4.4). */
  insert(source: Buffer, start: number, nameLength: number, lineLength: number, kind: number): void {
    if (!this.#makeRoom(lineLength)) return;
    if (this.#next + lineLength > this.#ring.length) this.#next = 0;
    copyBytes(source, start, start + lineLength, this.#ring, this.#next);
    this.#add(this.#ring, this.#next, nameLength, lineLength, kind);
    this.#next += lineLength;
  }

  /** As `insert`, of a line that stays where it is. */
  refer(source: Buffer, start: number, nameLength: number, lineLength: number, kind: number): void {
    if (this.#makeRoom(lineLength)) this.#add(source, start, nameLength, lineLength, kind);
  }

  /** A size update of the peer's encoder (§6.3). */
  resize(limit: number): void {
    this.limit = limit;
    this.epoch++;
    this.#evict(limit);
  }

  #makeRoom(lineLength: number): boolean {
    const size = lineLength - LINE_EXTRA + OVERHEAD;
    if (this.size + size > this.limit) this.#evict(this.limit - size);
    if (size <= this.limit) return true;
    this.epoch++;
    return false;
  }

  #add(source: Buffer, offset: number, nameLength: number, lineLength: number, kind: number): void {
    const slot = this.inserted & this.#mask;
    this.#sources[slot] = source;
    this.#offsets[slot] = offset;
    this.#nameLengths[slot] = nameLength;
    this.#lineLengths[slot] = lineLength;
    this.#kinds[slot] = kind;
    this.inserted++;
    this.count++;
    this.size += lineLength - LINE_EXTRA + OVERHEAD;
  }

  /** Oldest entries first, until at most `rest` bytes are taken. */
  #evict(rest: number): void {
    while (this.size > rest && this.count > 0) {
      const oldest = (this.inserted - this.count) & this.#mask;
      this.size -= this.#lineLengths[oldest]! - LINE_EXTRA + OVERHEAD;
      this.count--;
    }
  }
}
