/** A zlib stream read on demand: nothing is decompressed beyond what is asked for, but for one buffer ahead. */

import type { Transform } from "node:stream";

/** What all decompressing streams of node:zlib have in common. */
export interface ZlibStream extends Transform {
  /** Input bytes that were used. */
  readonly bytesWritten: number;
}

/**
 * Drives one stream, one call at a time: `write`, then `read` until it gives `null`, then look at `unused`.
 * The stream's own flow control bounds what it holds: it stops decompressing while its output is not read.
 */
export class Engine {
  readonly #stream: ZlibStream;
  readonly #onOutput: ((output: Buffer) => void) | undefined;
  #given = 0;
  #digesting = false;
  #ending = false;
  #ended = false;
  #closed = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;

  /** `onOutput` sees every buffer that `read` gives. */
  constructor(stream: ZlibStream, onOutput?: (output: Buffer) => void) {
    this.#stream = stream;
    this.#onOutput = onOutput;
    stream.on("readable", () => this.#wake?.());
    stream.on("end", () => {
      this.#ended = true;
      this.#wake?.();
    });
    stream.on("error", (error: Error) => {
      this.#error = error;
      this.#wake?.();
    });
  }

  /** Input that the stream did not want, because its data ended before. */
  get unused(): number {
    return this.#given - this.#stream.bytesWritten;
  }

  /** Input for the stream, which must have digested what it was given before. */
  write(bytes: Buffer): void {
    this.#given += bytes.length;
    this.#digesting = true;
    this.#stream.write(bytes, () => {
      this.#digesting = false;
      this.#wake?.();
    });
  }

  /** No more input: `read` rejects with `Z_BUF_ERROR` if the data is not complete. */
  end(): void {
    this.#ending = true;
    this.#stream.end();
  }

  /** Between 1 and `most` bytes of output; `null` if all input is digested, or once closed. Rejects with the stream's error. */
  async read(most: number): Promise<Buffer | null> {
    for (;;) {
      if (this.#closed) return null;
      if (this.#error !== null) throw this.#error;
      const length = Math.min(most, this.#stream.readableLength);
      if (length > 0) return this.#take(length);
      if (this.#ended || !(this.#digesting || this.#ending)) return null;
      await this.#change();
    }
  }

  /** Frees the stream's memory; a `read` under way gives `null`. */
  close(): void {
    this.#closed = true;
    this.#stream.destroy();
    this.#wake?.();
  }

  #take(length: number): Buffer {
    const output = this.#stream.read(length) as Buffer;
    this.#onOutput?.(output);
    return output;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      // Tells the stream that output is wanted; may already bring the change.
      this.#stream.read(0);
    });
  }
}
