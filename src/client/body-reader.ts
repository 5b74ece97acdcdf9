/**
 * Reads a body in every way that is offered, decoding as it goes: nothing is decoded further than somebody asked to
 * read.
 */

import { ByteQueue } from "../body/byte-queue.ts";
import { createDecoder, type Decoder } from "../body/decode.ts";
import { BodyUsedError, DecodeError } from "../core/errors.ts";
import type { BodySource } from "./body-source.ts";

/** What is decoded at once where the caller names no amount. */
const STEP = 65_536;

const EMPTY = Buffer.alloc(0);

/** How a body is to be decoded. */
export interface ReaderOptions {
  /** In the order they were applied. */
  readonly contentCodings: readonly string[];
  /** Always undone; they lie outside the content codings. */
  readonly transferCodings: readonly string[];
  readonly decodeContent: boolean;
  readonly allowTruncated: boolean;
  /** bytes */
  readonly maxDecodedSize: number;
}

/** The reading side of one response. */
export class BodyReader {
  readonly source: BodySource;
  readonly options: ReaderOptions;
  readonly #buffer = new ByteQueue();
  #decoder: Decoder | null = null;
  /** Raw first and decoded later is possible, the other way round is not. */
  #mode: "untouched" | "raw" | "decoded" = "untouched";
  #ending = false;
  #size = 0;

  constructor(source: BodySource, options: ReaderOptions) {
    this.source = source;
    this.options = options;
  }

  /** Whether anything was read. */
  get used(): boolean {
    return this.#mode !== "untouched";
  }

  /** All that is left. */
  async readAll(decode: boolean): Promise<Buffer> {
    this.#begin(decode, "read");
    while (await this.#fill(STEP)) {
      // The buffer keeps it all.
    }
    return this.#buffer.getAll();
  }

  /** Exactly `amount` bytes, fewer only at the end. */
  async read(amount: number, decode: boolean): Promise<Buffer> {
    this.#begin(decode, "read");
    while (this.#buffer.length < amount && (await this.#fill(amount - this.#buffer.length))) {
      // Until there is enough, or no more.
    }
    return this.#buffer.get(amount);
  }

  /** What is there, or comes next, at most `amount` bytes; empty at the end. */
  async read1(amount: number, decode: boolean): Promise<Buffer> {
    this.#begin(decode, "read1");
    while (this.#buffer.length === 0 && (await this.#fill(amount))) {
      // A decoder may need more than one part to give a byte.
    }
    return this.#buffer.get(amount);
  }

  /** The chunks of the chunked coding as they were sent, or pieces of them of at most `amount` bytes. */
  async *chunks(amount: number, decode: boolean): AsyncGenerator<Buffer, void, undefined> {
    this.#begin(decode, "readChunked");
    const chunk = new ByteQueue();
    for (let piece = await this.source.next(); piece !== null; piece = await this.source.next()) {
      chunk.put(piece.bytes);
      if (amount === Number.POSITIVE_INFINITY && !piece.endsChunk) continue;
      this.#buffer.put(await this.#decode(chunk.getAll(), STEP));
      yield* this.#pieces(amount);
    }
    while (await this.#fill(STEP)) yield* this.#pieces(amount);
  }

  /** Drops what is buffered and the decoder with what it holds. */
  drop(): void {
    this.#buffer.getAll();
    this.#decoder?.close();
    this.#decoder = null;
    this.#ending = true;
  }

  async *#pieces(amount: number): AsyncGenerator<Buffer, void, undefined> {
    do {
      while (this.#buffer.length > 0) yield this.#buffer.get(amount);
    } while (this.#decoder?.hasUnconsumedTail === true && (await this.#fill(STEP)));
  }

  /** Brings up to `amount` bytes more into the buffer; false at the end. */
  async #fill(amount: number): Promise<boolean> {
    if (this.#decoder?.hasUnconsumedTail !== true) {
      const piece = this.source.take() ?? (await this.source.next());
      if (piece !== null) {
        this.#buffer.put(await this.#decode(piece.bytes, amount));
        return true;
      }
      if (this.#decoder === null || this.#ending) return false;
      this.#ending = true;
    }
    this.#buffer.put(await this.#decode(EMPTY, amount));
    return true;
  }

  async #decode(bytes: Buffer, amount: number): Promise<Buffer> {
    const decoder = this.#decoder;
    try {
      if (decoder === null) return this.#count(bytes);
      return await (this.#ending ? decoder.flush(amount) : decoder.decompress(bytes, amount));
    } catch (error) {
      this.source.destroy(error);
      throw error;
    }
  }

  /** The decoder counts for itself. */
  #count(bytes: Buffer): Buffer {
    this.#size += bytes.length;
    const { maxDecodedSize } = this.options;
    if (this.#size <= maxDecodedSize) return bytes;
    throw new DecodeError(`The body is larger than ${maxDecodedSize} bytes (maxDecodedSize)`, {
      phase: "body",
    });
  }

  #begin(decode: boolean, method: string): void {
    if (!decode && this.#mode === "decoded") {
      const call = `${method}({ decodeContent: false })`;
      throw new BodyUsedError(`Calling ${call} is not supported after the body was read decoded.`, {
        phase: "body",
      });
    }
    const mode = decode ? "decoded" : "raw";
    if (this.#mode !== mode) this.#useDecoder(decode);
    this.#mode = mode;
  }

  #useDecoder(decode: boolean): void {
    const { contentCodings, transferCodings, allowTruncated, maxDecodedSize } = this.options;
    const codings = decode ? [...contentCodings, ...transferCodings] : transferCodings;
    this.#decoder = codings.length === 0 ? null : createDecoder(codings, { allowTruncated, maxDecodedSize });
  }
}
