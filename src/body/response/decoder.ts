/** Content decoding of data that comes in pieces, with a bound on what comes out at a time. */

import { DecodeError, type HTTPError, InvalidArgumentError } from "../../core/errors.ts";
import { ByteInput, TruncatedError } from "./byte-input.ts";
import { type Coder, coderOf, type Steps } from "./coders.ts";
import type { Engine } from "./engine.ts";

/** Limits and leniency of decoding. */
export interface DecodeOptions {
  /** Most bytes that may come out in all; more is a `DecodeError`. Default: no limit. */
  readonly maxDecodedSize?: number | undefined;
  /** What more is to fail with in place of that. */
  readonly tooLarge?: (() => HTTPError) | undefined;
  /** Whether data that ends too early gives what it has instead of a `DecodeError`. Default false. */
  readonly allowTruncated?: boolean | undefined;
  /** Bytes that a stream decompresses at a time: what it may hold beyond what was asked for. Default 64 KiB. */
  readonly chunkSize?: number | undefined;
}

const EMPTY = Buffer.alloc(0);

const DEFAULT_CHUNK_SIZE = 65_536;

/** Most bytes handed from one coding of a chain to the next. */
const HANDOVER = 65_536;

/**
 * A decoder for `codings`, in the order in which they were applied: the last is undone first.
 * Throws `DecodeError` for a coding that is not known.
 */
export function createDecoder(codings: readonly string[], options: DecodeOptions = {}): Decoder {
  return new Decoder(codings, options);
}

/** The error for every failure to decode (urllib3's text). */
export function decodeFailure(codings: readonly string[], cause: unknown): DecodeError {
  const message = `Received response with content-encoding: ${codings.join(", ")}, but failed to decode it.`;
  return new DecodeError(message, { cause, phase: "decode" });
}

/**
 * Undoes a chain of codings piece by piece (urllib3's decoder interface). Calls must not overlap: await each before the
 * next. Input is kept by reference until it is used.
 */
export class Decoder {
  readonly #codings: readonly string[];
  readonly #limit: number;
  readonly #tooLarge: (() => HTTPError) | undefined;
  /** The coding applied last comes first. */
  readonly #stages: readonly Stage[];
  readonly #first: Stage;
  readonly #last: Stage;
  #produced = 0;
  /** All that can come out without more input has come out. */
  #hungry = true;
  #failure: HTTPError | null = null;

  /** As `createDecoder`. */
  constructor(codings: readonly string[], options: DecodeOptions = {}) {
    if (codings.length === 0) throw new InvalidArgumentError("a decoder needs at least one coding");
    this.#codings = codings;
    this.#limit = options.maxDecodedSize ?? Number.POSITIVE_INFINITY;
    this.#tooLarge = options.tooLarge;
    this.#stages = codings.map((coding) => this.#stage(coding, options)).reverse();
    this.#first = this.#stages[0]!;
    this.#last = this.#stages.at(-1)!;
  }

  /**
   * Whether more may come out without more input; `decompress` with no data then goes on, and may find that it was
   * nothing. Never true once the coding's data has ended, whatever follows it (CVE-2026-97688).
   */
  get hasUnconsumedTail(): boolean {
    return !this.#hungry && !this.#last.finished && this.#failure === null;
  }

  /**
   * Takes `data` and gives what can be decoded, at most `maxLength` bytes (default: all); fewer only if more input is
   * needed or the end was reached. What was not used is kept for the next call; 0 only keeps it.
   * Rejects with `DecodeError`; `InvalidArgumentError` for a `maxLength` below 0.
   */
  decompress(data: Uint8Array, maxLength: number = Number.POSITIVE_INFINITY): Buffer | Promise<Buffer> {
    if (!(maxLength >= 0)) throw new InvalidArgumentError(`maxLength must be at least 0, not ${maxLength}`);
    if (data.length > 0 && !this.#last.finished) {
      this.#first.feed(Buffer.from(data.buffer, data.byteOffset, data.length));
      this.#hungry = false;
    }
    return this.#collect(maxLength);
  }

  /**
   * No more input comes: what is left, at most `maxLength` bytes (default: all). To be called again while
   * `hasUnconsumedTail`. Rejects with `DecodeError` if the data is not complete, unless `allowTruncated`.
   */
  flush(maxLength: number = Number.POSITIVE_INFINITY): Buffer | Promise<Buffer> {
    this.#first.end();
    this.#hungry = false;
    return this.#collect(maxLength);
  }

  /** Drops all that is held; nothing more comes out. A call under way gives what it has. */
  close(): void {
    for (const stage of this.#stages) stage.close();
  }

  #stage(coding: string, options: DecodeOptions): Stage {
    const coder = coderOf(coding);
    if (coder === undefined) {
      throw decodeFailure(this.#codings, new Error(`unknown content coding: ${coding}`));
    }
    return new Stage(coder, options);
  }

  #collect(maxLength: number): Buffer | Promise<Buffer> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return maxLength === 0 || !this.hasUnconsumedTail ? EMPTY : this.#collectOutput(maxLength);
  }

  async #collectOutput(maxLength: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    // One byte more than the limit is enough to see that it is exceeded.
    const most = Math.min(maxLength, this.#limit - this.#produced + 1);
    let length = 0;
    while (length < most) {
      const output = await this.#pullOrFail(most - length);
      if (output.length === 0) {
        this.#hungry = true;
        break;
      }
      parts.push(output);
      length += output.length;
    }
    this.#produced += length;
    if (this.#produced > this.#limit)
      throw this.#fail(this.#tooLarge?.() ?? tooLarge(this.#codings, this.#limit));
    if (this.#last.finished) this.close();
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts, length);
  }

  async #pullOrFail(most: number): Promise<Buffer> {
    try {
      return await this.#pull(this.#stages.length - 1, most);
    } catch (error) {
      throw this.#fail(decodeFailure(this.#codings, error));
    }
  }

  /** Up to `most` bytes out of a stage, with input from the one before it; none if more has to come from outside. */
  async #pull(index: number, most: number): Promise<Buffer> {
    const stage = this.#stages[index]!;
    for (;;) {
      const output = await stage.pull(most);
      if (output.length > 0 || stage.finished || index === 0) return output;
      const input = await this.#pull(index - 1, HANDOVER);
      if (input.length > 0) stage.feed(input);
      else if (this.#stages[index - 1]!.finished) stage.end();
      else return EMPTY;
    }
  }

  #fail(failure: HTTPError): HTTPError {
    this.#failure = failure;
    this.close();
    return failure;
  }
}

function tooLarge(codings: readonly string[], limit: number): DecodeError {
  const message = `Received response with content-encoding: ${codings.join(", ")}, but decoded it is larger than maxDecodedSize (${limit} bytes).`;
  return new DecodeError(message, { phase: "decode" });
}

/** One coding of the chain. */
class Stage {
  readonly #coder: Coder;
  readonly #chunkSize: number;
  readonly #allowTruncated: boolean;
  #input = new ByteInput();
  /** `null` until the first byte: no data at all is no error. */
  #steps: Steps | null = null;
  /** Its output is to be read before the steps go on. */
  #engine: Engine | null = null;
  #finished = false;

  constructor(coder: Coder, options: DecodeOptions) {
    this.#coder = coder;
    this.#chunkSize = options.chunkSize ?? DEFAULT_CHUNK_SIZE;
    this.#allowTruncated = options.allowTruncated ?? false;
  }

  /** Whether nothing more will come out. */
  get finished(): boolean {
    return this.#finished;
  }

  feed(bytes: Buffer): void {
    this.#input.push(bytes);
  }

  end(): void {
    this.#input.end();
  }

  /** Between 1 and `most` bytes; none if it is finished or needs more input. */
  async pull(most: number): Promise<Buffer> {
    try {
      while (!this.#finished) {
        const output = (await this.#engine?.read(most)) ?? null;
        if (output !== null) return output;
        if (this.#finished || !this.#advance()) break;
      }
    } catch (error) {
      if (!this.#allowTruncated || !isTruncation(error)) throw error;
      this.close();
    }
    return EMPTY;
  }

  close(): void {
    this.#finished = true;
    this.#engine = null;
    this.#steps?.return();
    this.#input = new ByteInput();
  }

  /** Takes the next step; false if it needs more input. */
  #advance(): boolean {
    this.#engine = null;
    if (this.#steps === null) {
      if (this.#input.empty && !this.#input.ended) return false;
      this.#steps = this.#input.empty ? nothing() : this.#coder.steps(this.#input, this.#chunkSize);
    }
    const step = this.#steps.next();
    if (step.done === true) this.close();
    else this.#engine = step.value;
    return this.#finished || this.#engine !== null;
  }
}

function* nothing(): Steps {}

function isTruncation(error: unknown): boolean {
  return error instanceof TruncatedError || (error as NodeJS.ErrnoException).code === "Z_BUF_ERROR";
}
