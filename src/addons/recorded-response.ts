/** A streamed response whose bytes are kept on their way to the reader. */

import { Readable } from "node:stream";
import { ReadableStream } from "node:stream/web";
import { HTTPResponse } from "../index.ts";

/** What becomes of the bytes: `null` if the body broke off, was left, or is too large. */
export type Recorded = (body: Buffer | null) => void;

const STEP = 65_536;

interface ReadOptions {
  decodeContent?: boolean | undefined;
}

/** Reads through to `inner`, and gives `recorded` the whole body once its end was read. */
export class RecordedResponse extends HTTPResponse {
  readonly #inner: HTTPResponse;
  readonly #recorded: Recorded;
  readonly #limit: number;
  #parts: Buffer[] = [];
  #size = 0;
  #settled = false;
  #stream: ReadableStream<Uint8Array> | null = null;

  constructor(inner: HTTPResponse, limit: number, recorded: Recorded) {
    const { status, reason, version, method, url, retries, headers } = inner;
    super({ status, reason, version, method, url, retries, headers });
    this.#inner = inner;
    this.#limit = limit;
    this.#recorded = recorded;
  }

  override get data(): Buffer {
    return this.#inner.data;
  }

  override get trailers(): HTTPResponse["trailers"] {
    return this.#inner.trailers;
  }

  override get timings(): HTTPResponse["timings"] {
    return this.#inner.timings;
  }

  override get connection(): HTTPResponse["connection"] {
    return this.#inner.connection;
  }

  override get isClosed(): boolean {
    return this.#inner.isClosed;
  }

  override get bodyUsed(): boolean {
    return this.#inner.bodyUsed;
  }

  override async text(): Promise<string> {
    return this.#asWhole().then((whole) => whole.text());
  }

  override async json<T = unknown>(): Promise<T> {
    return this.#asWhole().then((whole) => whole.json<T>());
  }

  override async bytes(): Promise<Uint8Array> {
    return new Uint8Array(await this.read());
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    return new Uint8Array(await this.read()).buffer as ArrayBuffer;
  }

  override async blob(): Promise<Blob> {
    return this.#asWhole().then((whole) => whole.blob());
  }

  override async read(amount?: number | null, options: ReadOptions = {}): Promise<Buffer> {
    const whole = amount === undefined || amount === null;
    const bytes = await this.#watched(options, () => this.#inner.read(amount, options));
    this.#keep(bytes, whole || (amount > 0 && bytes.length < amount));
    return bytes;
  }

  override async read1(amount?: number | null, options: ReadOptions = {}): Promise<Buffer> {
    const bytes = await this.#watched(options, () => this.#inner.read1(amount, options));
    this.#keep(bytes, bytes.length === 0 && amount !== 0);
    return bytes;
  }

  override async readInto(
    buffer: Parameters<HTTPResponse["readInto"]>[0],
    options: ReadOptions = {},
  ): Promise<number> {
    const length = await this.#watched(options, () => this.#inner.readInto(buffer, options));
    const [memory, start] = ArrayBuffer.isView(buffer) ? [buffer.buffer, buffer.byteOffset] : [buffer, 0];
    this.#keep(Buffer.from(memory, start, length), length < buffer.byteLength);
    return length;
  }

  override async *stream(
    chunkSize: number = STEP,
    options: ReadOptions = {},
  ): AsyncGenerator<Buffer, void, undefined> {
    try {
      for (;;) {
        const bytes = await this.read1(chunkSize, options);
        if (bytes.length === 0) return;
        yield bytes;
      }
    } finally {
      if (!this.#settled) this.releaseConn();
    }
  }

  override readChunked(
    chunkSize?: number,
    options: ReadOptions = {},
  ): AsyncGenerator<Buffer, void, undefined> {
    this.#settle(null);
    return this.#inner.readChunked(chunkSize, options);
  }

  override [Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    return this.stream();
  }

  override get body(): ReadableStream<Uint8Array> {
    this.#stream ??= new ReadableStream({
      type: "bytes",
      pull: async (controller) => {
        const bytes = await this.read1(STEP);
        if (bytes.length > 0) controller.enqueue(new Uint8Array(bytes));
        else {
          controller.close();
          controller.byobRequest?.respond(0);
        }
      },
      cancel: () => this.close(),
    });
    return this.#stream;
  }

  override readable(): Readable {
    return Readable.from(this.stream(), { objectMode: false });
  }

  override tell(): number {
    return this.#inner.tell();
  }

  override drainConn(): Promise<void> {
    this.#settle(null);
    return this.#inner.drainConn();
  }

  override releaseConn(): void {
    this.#settle(null);
    this.#inner.releaseConn();
  }

  override close(): void {
    this.#settle(null);
    this.#inner.close();
  }

  override [Symbol.dispose](): void {
    this.releaseConn();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.releaseConn();
  }

  /** As a response that has its body, for the readers that know about charsets. */
  async #asWhole(): Promise<HTTPResponse> {
    const body = this.bodyUsed ? this.data : await this.read();
    return new HTTPResponse({
      body,
      headers: this.headers,
      method: this.method,
      url: this.url,
      status: this.status,
    });
  }

  /** What is read raw, or fails, is not kept. */
  async #watched<T>(options: ReadOptions, read: () => Promise<T>): Promise<T> {
    if (options.decodeContent === false) this.#settle(null);
    try {
      return await read();
    } catch (error) {
      this.#settle(null);
      throw error;
    }
  }

  #keep(bytes: Buffer, ends: boolean): void {
    if (this.#settled) return;
    this.#size += bytes.length;
    if (this.#size > this.#limit) {
      this.#settle(null);
      return;
    }
    // The reader may write into what it got.
    if (bytes.length > 0) this.#parts.push(Buffer.from(bytes));
    if (ends) this.#settle(Buffer.concat(this.#parts));
  }

  #settle(body: Buffer | null): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#parts = [];
    this.#recorded(body);
  }
}
