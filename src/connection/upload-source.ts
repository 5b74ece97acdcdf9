/**
 * The source of a streamed request body, whatever it is made of: one place that reads it, measures it and closes it.
 *
 *  1. What it gives must be as long as it declared: fewer or more bytes would be read as the next request.
 *  2. A failure at any time is told at once, also while nothing is read.
 *  3. It is closed when it is not read to its end. What closing it throws is not heard, and nobody waits for it.
 */

import type { AsyncResource } from "node:async_hooks";
import { RequestBodyError } from "../core/errors.ts";
import { ignore } from "../core/ignore.ts";

/** A part of a body, as its source gives it. */
export type UploadPart = string | Uint8Array | ArrayBuffer;

/** A body that is read while it is sent. */
export interface BodyStream {
  /** Declared length in bytes; `undefined` where it is not known. */
  readonly length: number | undefined;
  /** In which its code runs, whoever sends it; `null` where none of it is the caller's. */
  readonly context?: AsyncResource | null;
  open(): AsyncIterable<UploadPart> | Iterable<UploadPart>;
}

/** A larger part is sent in slices, in bytes: each one that the server takes shows that the upload moves. */
const SLICE = 131_072;

type Pulled = IteratorResult<UploadPart>;
type Parts = AsyncIterator<UploadPart> | Iterator<UploadPart>;

/** What Node's and the web's streams have, as far as it is needed. */
interface StreamLike {
  on?: (event: "error", listener: (error: unknown) => void) => unknown;
  destroy?: () => unknown;
  getReader?: () => { read(): Promise<Pulled>; cancel(): Promise<void>; closed: Promise<unknown> };
}

/** One source being read. */
export class UploadSource {
  /** Bytes given so far. */
  given: number = 0;
  readonly #declared: number | undefined;
  readonly #context: AsyncResource | null;
  readonly #parts: Parts;
  readonly #next: () => Promise<Pulled> | Pulled;
  #rest: Buffer | null = null;
  #over = false;

  /** Opens `stream`; throws what that throws. `onFailure` may be called at any time until the end, not during a pull. */
  constructor(stream: BodyStream, onFailure: (error: RequestBodyError) => void) {
    this.#declared = stream.length;
    this.#context = stream.context ?? null;
    this.#parts = this.#run(() =>
      partsOf(stream.open(), (error) => {
        if (!this.#over) onFailure(sourceError(error));
      }),
    );
    this.#next = () => this.#parts.next();
  }

  /** What is left of the last part; `null`: pull the next one. */
  takeRest(): Buffer | null {
    const rest = this.#rest;
    if (rest === null || rest.length <= SLICE) this.#rest = null;
    else this.#rest = rest.subarray(SLICE);
    return rest === null || rest.length <= SLICE ? rest : rest.subarray(0, SLICE);
  }

  /** Asks for the next part, to be given to `accept`. */
  pull(): Promise<Pulled> | Pulled {
    return this.#run(this.#next);
  }

  /** The bytes of a part, or of its beginning; `null` at the end. Throws `RequestBodyError`. */
  accept({ done, value }: Pulled): Buffer | null {
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
    if (bytes.length <= SLICE) return bytes;
    this.#rest = bytes;
    return this.takeRest();
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

/** `cause` as the error of a source. */
export function sourceError(cause: unknown): RequestBodyError {
  if (cause instanceof RequestBodyError) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  return new RequestBodyError(`The source of the body failed: ${text}`, { cause, ...WRITING });
}

/** Streams are closed by their own means: their iterators' `return` waits for a part that may never come. */
function partsOf(
  source: (AsyncIterable<UploadPart> | Iterable<UploadPart>) & StreamLike,
  onError: (error: unknown) => void,
): Parts {
  if (typeof source.getReader === "function") {
    const reader = source.getReader();
    reader.closed.catch(onError);
    return { next: () => reader.read(), return: () => reader.cancel() as Promise<never> };
  }
  const parts = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  if (typeof source.destroy !== "function") return parts;
  source.on?.("error", onError);
  return {
    next: () => parts.next() as Promise<Pulled>,
    return: () => source.destroy!() as Promise<never>,
  };
}

function toBytes(part: UploadPart): Buffer {
  if (typeof part === "string") return Buffer.from(part);
  if (part instanceof ArrayBuffer) return Buffer.from(part);
  if (ArrayBuffer.isView(part)) return Buffer.from(part.buffer, part.byteOffset, part.byteLength);
  throw new RequestBodyError(`A part of the body is neither a string nor bytes but ${typeof part}`, WRITING);
}
