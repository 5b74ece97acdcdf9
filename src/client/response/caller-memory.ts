/** Memory of the caller's that the body of an answer is read into (option `into`). */

import { join, lengthOf, writableBytes } from "../../core/bytes.ts";
import { BufferTooSmallError, InvalidArgumentError } from "../../core/errors.ts";

/** Memory was transferred, to a worker for example, while a body was read into it. */
export function detachedError(what: string): InvalidArgumentError {
  return new InvalidArgumentError(`${what} was detached while a body was being read into it`);
}

/** What reads a body that comes into memory. */
interface ReadsInto {
  readAll(decode: boolean): Promise<Buffer>;
  readInto(target: Buffer, decode: boolean, extent: "whole"): Promise<number>;
  read1(amount: number, decode: boolean): Promise<Buffer>;
}

/** The memory for one call: each of its attempts begins at the start again. */
export class CallerMemory {
  readonly bytes: Buffer;
  /** Most bytes of a body; `Infinity` where one that does not fit gets memory of its own. */
  readonly limit: number;
  readonly #size: number;

  /** Throws `InvalidArgumentError` for what cannot be written to. */
  constructor(value: unknown, grows: boolean) {
    this.bytes = writableBytes(value, "into");
    this.#size = this.bytes.length;
    this.limit = grows ? Number.POSITIVE_INFINITY : this.#size;
  }

  /** Why a body of `length` bytes cannot be read into it; `null` if it can, or nothing is known of the length. */
  refusal(length: number | null): Error | null {
    if (this.#detached) return detachedError("into");
    return length !== null && length > this.limit ? this.tooSmall(length) : null;
  }

  /** The error for a body that does not fit; `length` where it is known. */
  tooSmall(length?: number): BufferTooSmallError {
    return new BufferTooSmallError(this.#size, length);
  }

  /** The part that `parts` fill, or their own memory where the body may grow. Throws if it does not fit, or was detached. */
  hold(parts: readonly Buffer[]): Buffer {
    const length = lengthOf(parts);
    const refusal = this.refusal(length);
    if (refusal !== null) throw refusal;
    if (length > this.#size) return join(parts);
    let at = 0;
    for (const part of parts) at += this.#isHere(part) ? part.length : part.copy(this.bytes, at);
    return this.bytes.subarray(0, length);
  }

  /** All that `reader` has left. Throws as `hold`. */
  async read(reader: ReadsInto, decode: boolean): Promise<Buffer> {
    if (this.limit > this.#size) return this.hold([await reader.readAll(decode)]);
    const refusal = this.refusal(null);
    if (refusal !== null) throw refusal;
    const length = await reader.readInto(this.bytes, decode, "whole");
    if (length === this.#size && (await reader.read1(1, decode)).length > 0) throw this.tooSmall();
    return this.bytes.subarray(0, length);
  }

  get #detached(): boolean {
    return this.bytes.length !== this.#size;
  }

  /** Whether it was read in place. */
  #isHere(part: Buffer): boolean {
    return part.buffer === this.bytes.buffer && part.byteOffset === this.bytes.byteOffset;
  }
}
