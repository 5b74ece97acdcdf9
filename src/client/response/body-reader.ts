/**
 * Reads a body in every way that is offered, decoding as it goes: nothing is decoded further than somebody asked to
 * read.
 */

import { ByteQueue } from "../../body/response/byte-queue.ts";
import { createDecoder, type Decoder } from "../../body/response/decode.ts";
import {
  BodyUsedError,
  DecodeError,
  type ErrorFacts,
  HTTPError,
  IncompleteRead,
  InvalidArgumentError,
} from "../../core/errors.ts";
import { addCallers } from "../failure.ts";
import type { BodySource, Piece } from "./body-source.ts";
import { detachedError } from "./caller-memory.ts";

/** What is decoded at a time, however much the caller asks for: between two steps a read can be ended. */
const STEP = 65_536;

const EMPTY = Buffer.alloc(0);

/** How a body is to be decoded. */
export interface ReaderOptions {
  /** In the order they were applied. */
  readonly contentCodings: readonly string[];
  /** Why they cannot be undone: thrown once somebody wants that. */
  readonly codingsError?: DecodeError | null;
  /** Always undone; they lie outside the content codings. */
  readonly transferCodings: readonly string[];
  readonly decodeContent: boolean;
  readonly allowTruncated: boolean;
  /** bytes */
  readonly maxDecodedSize: number;
  /** Whether a body that ends before its declared length fails reads of a part too. Default true. */
  readonly enforceContentLength?: boolean;
  /** Method and URL, for errors. */
  readonly facts?: ErrorFacts;
  /** Stack of the call that made the request, with `NODE_DEBUG=urlpool`. */
  readonly calledAt?: string | null;
}

/** Bytes that a read asks for; none, or less than none, means as many as there are. */
export function sizeOf(amount: number | null | undefined): number {
  if (amount === undefined || amount === null || amount < 0) return Number.POSITIVE_INFINITY;
  if (Number.isInteger(amount) || amount === Number.POSITIVE_INFINITY) return amount;
  throw new InvalidArgumentError(`an amount of bytes must be a whole number, not ${amount}`);
}

/** The reading side of one response. Its calls do not overlap: a read during another one is a `BodyUsedError`. */
export class BodyReader {
  readonly source: BodySource;
  readonly options: ReaderOptions;
  readonly #buffer = new ByteQueue();
  #decoder: Decoder | null = null;
  /** Raw first and decoded later is possible, the other way round is not. */
  #mode: "untouched" | "raw" | "decoded" = "untouched";
  #reading = false;
  /** The read under way is not for all that is left. */
  #partial = false;
  #ending = false;
  #size = 0;

  constructor(source: BodySource, options: ReaderOptions) {
    this.source = source;
    this.options = options;
    source.coded = options.contentCodings.length + options.transferCodings.length > 0;
  }

  /** Whether anything was read. */
  get used(): boolean {
    return this.#mode !== "untouched";
  }

  /** Whether the body is over for its reader: no read can give more, and none is needed to learn how it ended. */
  get exhausted(): boolean {
    const { source } = this;
    if (!source.exhausted) return false;
    if (source.dropped || source.failed) return true;
    // At the end of what came, a decoder may still have bytes to give, or find that some are missing.
    return this.#buffer.length === 0 && (this.#decoder === null || this.#ending);
  }

  /** All that is left. */
  async readAll(decode: boolean): Promise<Buffer> {
    this.#begin(decode, false, "read");
    try {
      while (await this.#fill(STEP)) {
        // The buffer keeps it all.
      }
      return this.#buffer.getAll();
    } finally {
      this.#reading = false;
    }
  }

  /** Exactly `amount` bytes, fewer only at the end. */
  async read(amount: number, decode: boolean): Promise<Buffer> {
    this.#begin(decode, true, "read");
    try {
      while (
        this.#buffer.length < amount &&
        (await this.#fill(Math.min(amount - this.#buffer.length, STEP)))
      ) {
        // Until there is enough, or no more.
      }
      return this.#buffer.get(amount);
    } finally {
      this.#reading = false;
    }
  }

  /**
   * Writes into `target` from its start and gives the number of bytes. `fill`: all of it, less only at the end of the
   * body; `some`: what is there or comes next; `whole`: as `fill`, for a body that is wanted to its end.
   */
  async readInto(target: Buffer, decode: boolean, extent: "fill" | "some" | "whole"): Promise<number> {
    this.#begin(decode, extent !== "whole", "readInto");
    const room = target.length;
    let filled = 0;
    try {
      while (filled < room && (extent !== "some" || filled === 0)) {
        if (this.#buffer.length === 0 && !(await this.#fill(Math.min(room - filled, STEP)))) break;
        if (target.length !== room) throw detachedError("The buffer");
        filled += this.#buffer.moveTo(target, filled);
      }
      return filled;
    } finally {
      this.#reading = false;
    }
  }

  /** What is there, or comes next, at most `amount` bytes; empty at the end. */
  async read1(amount: number, decode: boolean): Promise<Buffer> {
    this.#begin(decode, true, "read1");
    try {
      const step = Math.min(amount, STEP);
      while (amount > 0 && this.#buffer.length === 0 && (await this.#fill(step))) {
        // A decoder may need more than one part to give a byte.
      }
      return this.#buffer.get(amount);
    } finally {
      this.#reading = false;
    }
  }

  /** The next chunk of the chunked coding as it was sent, or a piece of it of at most `amount` bytes; empty at the end. */
  async readChunk(amount: number, decode: boolean): Promise<Buffer> {
    this.#begin(decode, true, "readChunked");
    try {
      while (amount > 0 && this.#buffer.length === 0 && (await this.#fillChunk(amount))) {
        // A decoder may need more than one chunk to give a byte.
      }
      return this.#buffer.get(amount);
    } finally {
      this.#reading = false;
    }
  }

  /** Drops what is buffered and the decoder with what it holds. A read under way finds out at the source. */
  drop(): void {
    if (this.#reading) return;
    this.#buffer.getAll();
    this.#decoder?.close();
    this.#decoder = null;
    this.#ending = true;
  }

  /** As `#fill`, with one chunk, or its next `amount` bytes, however it came over the wire. */
  async #fillChunk(amount: number): Promise<boolean> {
    if (this.#decoder?.hasUnconsumedTail === true) return this.#fill(STEP);
    const chunk = new ByteQueue();
    while (chunk.length < amount) {
      const piece = await this.#next();
      if (piece === null) break;
      const room = amount - chunk.length;
      chunk.put(piece.bytes.length > room ? piece.bytes.subarray(0, room) : piece.bytes);
      if (piece.bytes.length > room) this.source.putBack({ ...piece, bytes: piece.bytes.subarray(room) });
      else if (piece.endsChunk) break;
    }
    if (chunk.length === 0) return this.#fill(STEP);
    this.#buffer.put(await this.#decode(chunk.getAll(), STEP));
    return true;
  }

  /** Brings up to `amount` bytes more into the buffer, or one part where nothing is to be decoded; false at the end. */
  async #fill(amount: number): Promise<boolean> {
    const more = this.#decoder?.hasUnconsumedTail === true;
    if (more && (this.source.destroyed || this.source.dropped)) await this.#breakOff();
    if (!more) {
      const piece = this.source.take() ?? (await this.#next());
      if (piece !== null) {
        this.#buffer.put(await this.#decode(piece.bytes, amount));
        return true;
      }
      if (this.#decoder === null || this.#ending) {
        this.source.read();
        return false;
      }
      this.#ending = true;
    }
    this.#buffer.put(await this.#decode(EMPTY, amount));
    return true;
  }

  /** Nobody wants what the decoder still holds. Rejects with the reason. */
  async #breakOff(): Promise<void> {
    this.#decoder?.close();
    await this.source.next();
  }

  async #next(): Promise<Piece | null> {
    if (this.#ending) return null;
    try {
      return await this.source.next();
    } catch (error) {
      if (error instanceof BodyUsedError) error.describe(this.options.facts ?? {});
      if (this.#mayEndHere(error)) return null;
      addCallers(error);
      throw error;
    }
  }

  /** As in urllib3, `enforceContentLength: false` does not count for reads of all that is left. */
  #mayEndHere(error: unknown): boolean {
    if (!this.#partial || this.options.enforceContentLength !== false) return false;
    return error instanceof IncompleteRead && error.expected !== undefined;
  }

  async #decode(bytes: Buffer, amount: number): Promise<Buffer> {
    const decoder = this.#decoder;
    try {
      if (decoder === null) return this.#count(bytes);
      return await (this.#ending ? decoder.flush(amount) : decoder.decompress(bytes, amount));
    } catch (error) {
      if (error instanceof HTTPError) error.describe(this.options.facts ?? {});
      this.source.destroy(error);
      addCallers(error);
      throw error;
    }
  }

  /** The decoder counts for itself. */
  #count(bytes: Buffer): Buffer {
    this.#size += bytes.length;
    const { maxDecodedSize } = this.options;
    if (this.#mode === "raw" || this.#size <= maxDecodedSize) return bytes;
    throw new DecodeError(`The body is larger than ${maxDecodedSize} bytes (maxDecodedSize)`, {
      phase: "body",
    });
  }

  #begin(decode: boolean, partial: boolean, method: string): void {
    if (this.#reading) throw this.#misuse("The body is being read: await each read before the next");
    if (!decode && this.#mode === "decoded") {
      const call = `${method}({ decodeContent: false })`;
      throw this.#misuse(`Calling ${call} is not supported after the body was read decoded.`);
    }
    const mode = decode ? "decoded" : "raw";
    if (this.#mode !== mode) this.#useDecoder(decode);
    this.#mode = mode;
    if (this.source.dropped) this.drop();
    this.#partial = partial;
    this.#reading = true;
  }

  #misuse(text: string): BodyUsedError {
    return new BodyUsedError(text, { phase: "body" }).describe(this.options.facts ?? {});
  }

  #useDecoder(decode: boolean): void {
    const { contentCodings, codingsError, transferCodings, allowTruncated, maxDecodedSize } = this.options;
    if (decode && codingsError) {
      this.source.abandon();
      throw codingsError.describe(this.options.facts ?? {});
    }
    if (this.#mode === "raw") {
      if (transferCodings.length > 0) {
        throw this.#misuse("A body under a transfer coding cannot be read decoded after it was read raw");
      }
      // It was not read yet, and is the decoder's.
      if (this.#buffer.length > 0) this.source.putBack({ bytes: this.#buffer.getAll(), endsChunk: true });
    }
    const codings = decode ? [...contentCodings, ...transferCodings] : transferCodings;
    this.#decoder = codings.length === 0 ? null : createDecoder(codings, { allowTruncated, maxDecodedSize });
  }
}
