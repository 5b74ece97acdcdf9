/**
 * Where a zstd frame ends (RFC 8878 §3.1), seen from its block headers without decompressing.
 * node:zlib cannot be asked: some versions take a cut frame for a whole one, some stop at the first of several.
 */

const FRAME_MAGIC = 0xfd2fb528;
/** Sixteen magic numbers, 0x184D2A50 to 0x184D2A5F, start frames without content. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const DICTIONARY_ID_LENGTHS = [0, 1, 2, 4];
const RLE_BLOCK = 1;

type Part = "magic" | "skippable size" | "descriptor" | "block header";

const PART_LENGTHS: Record<Part, number> = {
  magic: 4,
  "skippable size": 4,
  descriptor: 1,
  "block header": 3,
};

/** One frame, measured as its bytes come. */
export class ZstdFrame {
  #part: Part = "magic";
  /** Value of the part so far, little-endian, and how many bytes of it have come. */
  #value = 0;
  #seen = 0;
  /** Bytes without meaning here that come before the next part. */
  #skip = 0;
  #checksumLength = 0;
  #last = false;

  /** Whether all of the frame has come. */
  get complete(): boolean {
    return this.#last && this.#skip === 0;
  }

  /** How many of `bytes`, which follow those measured before, belong to the frame. Throws if they start no frame. */
  measure(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length && !this.complete) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, bytes.length - at);
        this.#skip -= skipped;
        at += skipped;
      } else this.#take(bytes[at++]!);
    }
    return at;
  }

  #take(byte: number): void {
    this.#value += byte * 2 ** (8 * this.#seen++);
    if (this.#seen < PART_LENGTHS[this.#part]) return;
    const value = this.#value;
    this.#value = 0;
    this.#seen = 0;
    this.#readPart(value);
  }

  #readPart(value: number): void {
    switch (this.#part) {
      case "magic":
        this.#readMagic(value);
        break;
      case "skippable size":
        this.#skip = value;
        this.#last = true;
        break;
      case "descriptor":
        this.#readDescriptor(value);
        break;
      case "block header":
        this.#readBlockHeader(value);
        break;
    }
  }

  #readMagic(magic: number): void {
    if (magic === FRAME_MAGIC) this.#part = "descriptor";
    else if (magic - (magic % 16) === SKIPPABLE_MAGIC) this.#part = "skippable size";
    else throw new Error("unknown frame descriptor");
  }

  #readDescriptor(descriptor: number): void {
    const singleSegment = (descriptor & 0x20) !== 0;
    const sizeCode = descriptor >> 6;
    const sizeLength = sizeCode === 0 ? Number(singleSegment) : 2 ** sizeCode;
    const windowLength = singleSegment ? 0 : 1;
    this.#skip = windowLength + DICTIONARY_ID_LENGTHS[descriptor & 3]! + sizeLength;
    this.#checksumLength = (descriptor & 4) !== 0 ? 4 : 0;
    this.#part = "block header";
  }

  #readBlockHeader(header: number): void {
    const size = header >> 3;
    this.#last = (header & 1) === 1;
    this.#skip = ((header >> 1) & 3) === RLE_BLOCK ? 1 : size;
    if (this.#last) this.#skip += this.#checksumLength;
  }
}
