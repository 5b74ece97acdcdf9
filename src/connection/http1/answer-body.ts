/** Puts the body of an answer where it is wanted: collected in one buffer, in place where that pays, or given away in parts. */

import { expectBody } from "../../core/body-memory.ts";
import { BodyCollector, copyOf } from "../collector.ts";
import type { Exchange } from "../connection.ts";

/**
 * Bytes read at once of a streamed body of known length, straight into what the receiver gets. Larger ones are a little
 * faster, but the engine frees them late: a stream of any length is to take less than 120 MB.
 */
const STREAMED_READ = Number.parseInt(process.versions.node, 10) >= 24 ? 32_768 : 49_152;

/** Less than this is read into the shared buffer and copied. */
const SMALLEST_STREAMED_READ = 16_384;

const NO_BODY = Buffer.alloc(0);

/** What is wanted of the body. */
type Wish = Pick<Exchange, "collect" | "into">;

/** The body of one answer after another. */
export class AnswerBody {
  #collector: BodyCollector | null = null;
  /** A collected body that came in one read. */
  #whole: Buffer | null = null;
  /** The part of the body that the kernel was told to write into. */
  #direct: Buffer | null = null;

  /**
   * Where the kernel is to put the next bytes; `null`: anywhere. `remaining`: bytes still to come of a body, or a chunk,
   * of known length, else 0; `length`: of the whole body, `null` where unknown.
   */
  readInto(remaining: number, wish: Wish | null, length: number | null): Buffer | null {
    if (remaining === 0) this.#direct = null;
    else if (wish?.collect) {
      this.#collector ??= new BodyCollector(length, wish.into);
      this.#direct = this.#collector.rest();
    } else if (remaining < SMALLEST_STREAMED_READ) this.#direct = null;
    else {
      expectBody(remaining);
      this.#direct = streamedBuffer(this.#direct, Math.min(remaining, STREAMED_READ));
    }
    return this.#direct;
  }

  /** Whether `bytes` are where `readInto` said. */
  isDirect(bytes: Buffer): boolean {
    return bytes === this.#direct;
  }

  /** `length` bytes were read in place: what is to be given away of them, `null` if they are collected. */
  takeDirect(length: number): Buffer | null {
    if (this.#collector !== null) {
      this.#collector.filled(length);
      return null;
    }
    const part = this.#direct!.subarray(0, length);
    // What fills little of its buffer is copied out of it: a small part must not hold a large buffer.
    if (length < this.#direct!.length / 2) return Buffer.from(part);
    this.#direct = null;
    return part;
  }

  /** Takes a copy of `bytes[start, end)`: mostly all of the body. */
  collect(bytes: Buffer, start: number, end: number, length: number | null, into: Buffer | null): void {
    if (this.#collector === null && length === end - start && into === null) {
      this.#whole = copyOf(bytes, start, end);
      return;
    }
    this.#collector ??= new BodyCollector(length, into);
    this.#collector.add(bytes, start, end);
  }

  /** The collected body. The next answer begins with nothing. */
  finish(): Buffer {
    const body = this.#whole ?? this.#collector?.finish() ?? NO_BODY;
    this.clear();
    return body;
  }

  /** Forgets what was collected. */
  clear(): void {
    this.#collector = this.#whole = null;
  }
}

/** A buffer for the receiver to keep, of no more than what is left of the body; `last` if it was not given away. */
function streamedBuffer(last: Buffer | null, size: number): Buffer {
  if (last === null || last.length < size) return Buffer.allocUnsafeSlow(size);
  return last.length === size ? last : last.subarray(0, size);
}
