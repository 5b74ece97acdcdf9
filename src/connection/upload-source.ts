/**
 * The source of a streamed request body, whatever it is made of: one place that reads it, measures it and closes it.
 *
 *  1. What it gives must be as long as it declared: fewer or more bytes would be read as the next request.
 *  2. A failure at any time is told at once, also while nothing is read.
 *  3. It is closed when it is not read to its end. What closing it throws is not heard, and nobody waits for it.
 */

import type { AsyncResource } from "node:async_hooks";
import type { BodyPart } from "../body/request/payload.ts";
import { readerOf, type SourceReader, sourceError } from "../body/request/sources.ts";
import { RequestBodyError } from "../core/errors.ts";
import { ignore } from "../core/ignore.ts";

/** A body that is read while it is sent. */
export interface BodyStream {
  /** Declared length in bytes; `undefined` where it is not known. */
  readonly length: number | undefined;
  /** The asynchronous context for the caller's code that makes it; `null` where there is none. */
  readonly context?: AsyncResource | null;
  open(): AsyncIterable<BodyPart> | Iterable<BodyPart>;
  /** As a payload's: what it has still to open may fail too. */
  watch?(onFailure: (error: unknown) => void): void;
}

/** A larger part is sent in slices of so many bytes, or more: each one that the server takes shows that the upload moves. */
export const SLICE = 131_072;

type Pulled = IteratorResult<BodyPart>;

/** One source being read. */
export class UploadSource {
  /** Bytes given so far. */
  given: number = 0;
  readonly #declared: number | undefined;
  readonly #context: AsyncResource | null;
  readonly #parts: SourceReader;
  readonly #next: () => Promise<Pulled> | Pulled;
  #rest: Buffer | null = null;
  #over = false;

  /** Opens `stream`; throws what that throws. `onFailure` may be called at any time until the end, not during a pull. */
  constructor(stream: BodyStream, onFailure: (error: RequestBodyError) => void) {
    this.#declared = stream.length;
    this.#context = stream.context ?? null;
    const failed = (error: unknown): void => {
      if (!this.#over) onFailure(sourceError(error));
    };
    stream.watch?.(failed);
    this.#parts = this.#run(() => readerOf(stream.open(), failed));
    this.#next = () => this.#parts.next();
  }

  /** What is left of the last part, at most `slice` bytes of it; `null`: pull the next one. */
  takeRest(slice: number = SLICE): Buffer | null {
    const rest = this.#rest;
    if (rest === null || rest.length <= slice) this.#rest = null;
    else this.#rest = rest.subarray(slice);
    return rest === null || rest.length <= slice ? rest : rest.subarray(0, slice);
  }

  /** Asks for the next part, to be given to `accept`. */
  pull(): Promise<Pulled> | Pulled {
    return this.#run(this.#next);
  }

  /** The bytes of a part, or the first `slice` of them; `null` at the end. Throws `RequestBodyError`. */
  accept({ done, value }: Pulled, slice: number = SLICE): Buffer | null {
    if (done === true) {
      this.#over = true;
      this.#checkEnd();
      return null;
    }
    const bytes = toBytes(value);
    this.given += bytes.length;
    if (this.#declared !== undefined && this.given > this.#declared) {
      throw new RequestBodyError(`The body is longer than its declared ${this.#declared} bytes`, WRITING);
    }
    if (bytes.length <= slice) return bytes;
    this.#rest = bytes;
    return this.takeRest(slice);
  }

  /** Nobody wants the rest. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    try {
      const closing = this.#run(() => this.#parts.return?.());
      if (closing instanceof Promise) closing.catch(ignore);
    } catch {
      // The source was told; what it makes of that is its own affair.
    }
  }

  #run<T>(step: () => T): T {
    return this.#context === null ? step() : this.#context.runInAsyncScope(step);
  }

  #checkEnd(): void {
    if (this.#declared === undefined || this.given >= this.#declared) return;
    const got = `${this.given} of its declared ${this.#declared} bytes`;
    throw new RequestBodyError(`The body ended after ${got}`, WRITING);
  }
}

const WRITING = { phase: "write" } as const;

function toBytes(part: BodyPart): Buffer {
  if (typeof part === "string") return Buffer.from(part);
  if (part instanceof ArrayBuffer) return Buffer.from(part);
  if (ArrayBuffer.isView(part)) return Buffer.from(part.buffer, part.byteOffset, part.byteLength);
  throw new RequestBodyError(`A part of the body is neither a string nor bytes but ${typeof part}`, WRITING);
}
