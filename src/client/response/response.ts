/** What came back: status, headers and body. */

import type { Readable } from "node:stream";
import type { ConnectionInfo, Stream } from "../../connection/connection.ts";
import { type BufferTarget, writableBytes } from "../../core/bytes.ts";
import { BodyUsedError, type HTTPError, ResponseError, ResponseNotChunked } from "../../core/errors.ts";
import { HTTPHeaderDict } from "../../core/headers.ts";
import { isRedirectStatus } from "../../policy/redirect.ts";
import type { Retry } from "../../policy/retry.ts";
import type { FieldLines, ResponseHead } from "../../protocol/response-head.ts";
import { unwatch, watchForgotten } from "./abandoned.ts";
import { type BodyReader, sizeOf } from "./body-reader.ts";
import type { CallerMemory } from "./caller-memory.ts";
import { decodeText } from "./charset.ts";
import { beginningOf, memoryReader } from "./memory-body.ts";
import {
  type EventOptions,
  type EventRecords,
  eventsOf,
  jsonLinesOf,
  linesOf,
  type RecordOptions,
  type Records,
} from "./records.ts";
import type { HTTPResponseInit, ReadOptions, Received, ResponseConnection } from "./response-types.ts";
import { nodeStream, type WebStream, webStream } from "./streams.ts";
import type { Stopwatch, Timings } from "./timings.ts";

export type {
  HTTPResponseInit,
  Informational,
  ReadOptions,
  Received,
  ResponseConnection,
} from "./response-types.ts";

const EMPTY = Buffer.alloc(0);
const RECEIVED: HTTPResponseInit = {};

/** A response (urllib3's `HTTPResponse`). Its body is in `data`, or is read in one of the other ways if streamed. */
export class HTTPResponse {
  /** @internal Minifiers change the names of classes. */
  static readonly name: string = "HTTPResponse";
  status: number = 0;
  /** Reason phrase; empty where the server sent none. */
  reason: string = "";
  /** 10, 11 or 20. */
  version: number = 11;
  /** Request method of the final hop. */
  method: string = "";
  /** Absolute URL of the final hop, without credentials. */
  url: string = "";
  /** The `Retry` after this request, with the history of what it took. */
  retries: Retry | null = null;
  #head: ResponseHead | null = null;
  #headers: HTTPHeaderDict | null = null;
  #trailerLines: FieldLines | null = null;
  #trailers: HTTPHeaderDict | null = null;
  #data: Buffer = EMPTY;
  #bodyUsed = false;
  #stopwatch: Stopwatch | null = null;
  #info: ConnectionInfo | null = null;
  #reused = false;
  #decodeContent = true;
  #chunked = false;
  #streamed = false;
  /** Bytes on the wire of a preloaded body. */
  #wireBytes = 0;
  /** Of a streamed body; of a preloaded one once somebody reads it like a stream. */
  #reader: BodyReader | null = null;
  #body: WebStream | null = null;
  /** Of a preloaded response whose caller wants to give it back. */
  #held: Stream | null = null;

  constructor(init: HTTPResponseInit = {}) {
    if (init === RECEIVED) return;
    this.status = init.status ?? 0;
    this.reason = init.reason ?? "";
    this.version = init.version ?? 11;
    this.method = init.method ?? "";
    this.url = init.url ?? "";
    this.retries = init.retries ?? null;
    this.#headers = new HTTPHeaderDict(init.headers);
    if (init.body !== undefined && init.body !== null) this.#data = Buffer.from(init.body as Uint8Array);
    this.#wireBytes = this.#data.length;
  }

  /** @internal From a head on the wire; its fields are read when somebody asks for them. */
  static received(head: ResponseHead, received: Received): HTTPResponse {
    const response = new HTTPResponse(RECEIVED);
    response.status = head.status;
    response.reason = head.reason;
    response.version = head.version;
    response.method = received.method;
    response.url = received.url;
    response.#stopwatch = received.stopwatch;
    response.#decodeContent = received.decodeContent;
    response.#info = received.connection;
    response.#reused = received.reused;
    response.#head = head;
    return response;
  }

  /** @internal The body has come, `wireBytes` long before it was decoded. */
  complete(data: Buffer, wireBytes: number, trailers: FieldLines | null): void {
    this.#data = data;
    this.#wireBytes = wireBytes;
    this.#trailerLines = trailers;
  }

  /** @internal The body will come. */
  attach(reader: BodyReader, chunked: boolean): void {
    this.#reader = reader;
    this.#streamed = true;
    this.#chunked = chunked;
    watchForgotten(this, reader);
  }

  /** @internal The body that comes is wanted as a whole after all. */
  async preload(into: CallerMemory | null): Promise<void> {
    const reader = this.#reader!;
    const decode = this.#decodeContent;
    const data = await (into === null ? reader.readAll(decode) : into.read(reader, decode));
    unwatch(reader);
    this.#loaded(data, reader);
  }

  /** @internal As `preload`, but a body that fails, or is larger than `most` bytes, is given up; what has come stays. */
  async preloadAtMost(most: number): Promise<void> {
    if (!this.#streamed) return;
    const data = await beginningOf(this.stream(), most);
    const reader = this.#reader!;
    this.releaseConn();
    this.#loaded(data, reader);
  }

  #loaded(data: Buffer, { source }: BodyReader): void {
    this.#reader = null;
    this.#streamed = false;
    this.complete(data, source.wireBytes, source.trailers);
  }

  /** @internal Keeps the connection until `releaseConn` (urllib3's `release_conn=False`). */
  hold(stream: Stream | null): void {
    this.#held = stream;
  }

  /** Header fields, in the order and spelling in which they came. */
  get headers(): HTTPHeaderDict {
    this.#headers ??= this.#head?.fields() ?? new HTTPHeaderDict();
    return this.#headers;
  }

  /** Trailer fields of a chunked body (RFC 9110 §6.5); empty until the body has ended. */
  get trailers(): HTTPHeaderDict {
    const lines = this.#reader?.source.trailers ?? this.#trailerLines;
    if (lines === null) return new HTTPHeaderDict();
    this.#trailers ??= lines.read();
    return this.#trailers;
  }

  /** When things happened; `null` for a response that did not come over a connection. */
  get timings(): Timings | null {
    return this.#stopwatch?.timings() ?? null;
  }

  /** `HTTP/1.1` and the like. */
  get versionString(): string {
    return this.version === 20 ? "HTTP/2" : `HTTP/1.${this.version - 10}`;
  }

  /** Whether the status is 200 to 299. */
  get ok(): boolean {
    return this.status >= 200 && this.status <= 299;
  }

  /** The body that was preloaded, or read as a whole. */
  get data(): Buffer {
    return this.#data;
  }

  /** @internal Whether its connection waits for it to be read or given up. */
  get holdsConnection(): boolean {
    return this.#held !== null || (this.#reader?.source.bound ?? false);
  }

  /** Facts of the connection that it came over; `null` for a response that did not come over one. */
  get connection(): ResponseConnection | null {
    return this.#info === null ? null : { ...this.#info, reused: this.#reused };
  }

  /**
   * Whether nothing more comes: the body was preloaded, or a streamed one was read to its end or given up and its
   * connection is gone. What has come and was not read yet keeps it open, whoever has the connection by then.
   */
  get isClosed(): boolean {
    return !this.#streamed || this.#reader!.exhausted;
  }

  /** Whether the body was read, began to be, or was given up before. */
  get bodyUsed(): boolean {
    const reader = this.#reader;
    return this.#bodyUsed || (reader !== null && (reader.used || reader.source.dropped));
  }

  /** The raw Location of a redirect, `null` where there is none, `false` if the status is not a redirect. */
  redirectLocation(): string | null | false {
    return isRedirectStatus(this.status) ? this.headers.get("location") : false;
  }

  /** The response itself below 400; throws `ResponseError` otherwise. */
  raiseForStatus(): this {
    if (this.status < 400) return this;
    const { status, reason, method, url } = this;
    const facts = { status, response: this, phase: "head" } as const;
    throw new ResponseError(`${status} ${reason}`.trim(), facts).describe({ method, url });
  }

  /** The body as text, in the charset of Content-Type, else UTF-8. */
  async text(): Promise<string> {
    return decodeText(await this.#whole(), this.headers.get("content-type"));
  }

  /** The body as JSON, in the charset of Content-Type, else UTF-8. Rejects with `SyntaxError` or `TypeError` if it is none. */
  async json<T = unknown>(): Promise<T> {
    const type = this.headers.get("content-type");
    const text = decodeText(await this.#whole(), type, true);
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      const what = `${this.method} ${this.url}`.trim();
      const answer = `status ${this.status}, ${type ?? "no content type"}`;
      throw new SyntaxError(`${what}: the body is not JSON (${answer}): ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  /** The body as bytes of its own. */
  async bytes(): Promise<Uint8Array> {
    return new Uint8Array(await this.#whole());
  }

  /** The body as a buffer of its own. */
  async arrayBuffer(): Promise<ArrayBuffer> {
    return new Uint8Array(await this.#whole()).buffer as ArrayBuffer;
  }

  /** The body as a `Blob` of its Content-Type. */
  async blob(): Promise<Blob> {
    return new Blob([new Uint8Array(await this.#whole())], { type: this.headers.get("content-type") ?? "" });
  }

  /**
   * The next `amount` bytes of the body, fewer only at its end; without `amount` all that is left.
   * Rejects with `BodyUsedError` if it is to be raw after it was read decoded, or while another read is under way; with
   * what broke the body off; with `InvalidArgumentError` for an `amount` that is no whole number.
   */
  async read(amount?: number | null, options: ReadOptions = {}): Promise<Buffer> {
    const decode = this.#decodes(options);
    const size = sizeOf(amount);
    // Awaited here and in `read1`: a response with a read under way must not count as forgotten.
    if (size !== Number.POSITIVE_INFINITY) return await this.#readable().read(size, decode);
    const fresh = !this.bodyUsed;
    const data = await this.#readable().readAll(decode);
    if (fresh) this.#data = data;
    return data;
  }

  /** What is there or comes next, at most `amount` bytes; empty at the end. */
  async read1(amount?: number | null, options: ReadOptions = {}): Promise<Buffer> {
    return await this.#readable().read1(sizeOf(amount), this.#decodes(options));
  }

  /**
   * Fills `buffer` with the next bytes of the body, less of it only at the end; gives their number, 0 at the end (urllib3's
   * `readinto`). Rejects as `read`; with `InvalidArgumentError` for what cannot be written to.
   */
  async readInto(buffer: BufferTarget, options: ReadOptions = {}): Promise<number> {
    const target = writableBytes(buffer, "The buffer of readInto()");
    return await this.#readable().readInto(target, this.#decodes(options), "fill");
  }

  /**
   * The body in pieces of `chunkSize` bytes (default 65_536), the last one shorter; of a chunked body as they come,
   * none longer than that. Breaking off leaves the rest for another way of reading.
   */
  async *stream(
    chunkSize: number | null = 65_536,
    options: ReadOptions = {},
  ): AsyncGenerator<Buffer, void, undefined> {
    if (this.#chunked) {
      yield* this.readChunked(chunkSize, options);
      return;
    }
    const decode = this.#decodes(options);
    const amount = sizeOf(chunkSize);
    for (;;) {
      const piece = await this.#readable().read(amount, decode);
      if (piece.length === 0) return;
      yield piece;
    }
  }

  /** The chunks of a chunked body as they were sent, or pieces of them of at most `chunkSize` bytes. */
  async *readChunked(
    chunkSize?: number | null,
    options: ReadOptions = {},
  ): AsyncGenerator<Buffer, void, undefined> {
    if (!this.#isChunked) {
      const text = "Response is not chunked: Transfer-Encoding: chunked was not sent";
      throw this.#describe(new ResponseNotChunked(text, { phase: "body" }));
    }
    const amount = sizeOf(chunkSize);
    for (;;) {
      const piece = await this.#readable().readChunk(amount, this.#decodes(options));
      if (piece.length === 0) return;
      yield piece;
    }
  }

  /** The body as it comes. Breaking off gives the connection back or closes it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, undefined> {
    try {
      for (;;) {
        const piece = await this.#readable().read1(Number.POSITIVE_INFINITY, this.#decodeContent);
        if (piece.length === 0) return;
        yield piece;
      }
    } finally {
      this.releaseConn();
    }
  }

  /** The body as lines of text; LF, CRLF and CR end one. Rejects with `ProtocolError` for a line above `maxSize`. */
  lines(options: RecordOptions = {}): Records<string> {
    return linesOf(this, options);
  }

  /** The body as JSON texts, one a line (NDJSON); blank lines are skipped. Rejects with `SyntaxError` for what is none. */
  jsonLines<T = unknown>(options: RecordOptions = {}): Records<T> {
    return jsonLinesOf<T>(this, options);
  }

  /**
   * The body as server-sent events. Throws `ProtocolError` unless it is text/event-stream. The read timeout counts between
   * pieces: a request for a quiet stream sets `timeout: { read: null }`.
   */
  events(options: EventOptions = {}): EventRecords {
    return eventsOf(this, options);
  }

  /** What is left of the body as a web stream, always the same; `BodyUsedError` if nothing is. Cancelling closes it. */
  get body(): WebStream {
    const body = {
      read1: (amount: number) => this.read1(amount),
      readInto: async (view: Buffer) => await this.#readable().readInto(view, this.#decodeContent, "some"),
      close: () => this.close(),
    };
    this.#body ??= webStream(body, this.#spent());
    return this.#body;
  }

  /** As `body`, a Node stream, each time a new one. Destroying it closes the response. */
  readable(): Readable {
    const body = { read1: (amount: number) => this.read1(amount), close: () => this.releaseConn() };
    return nodeStream(body, this.#spent());
  }

  /** Bytes of the body that came over the wire so far, before decoding. */
  tell(): number {
    return this.#reader?.source.wireBytes ?? this.#wireBytes;
  }

  /** Reads what is left and throws it away, without decoding; errors too. */
  async drainConn(): Promise<void> {
    if (this.#reader === null) return;
    this.#reader.drop();
    await this.#reader.source.drain();
  }

  /** Nobody will read the rest: the connection goes back if little of the body remains, else it is closed. */
  releaseConn(): void {
    this.#held?.release();
    this.#held = null;
    if (this.#reader === null) return;
    this.#reader.source.abandon();
    unwatch(this.#reader);
  }

  /** Closes the connection unless the body has ended. */
  close(): void {
    this.#held?.release();
    this.#held = null;
    if (this.#reader === null) return;
    this.#reader.source.close();
    unwatch(this.#reader);
  }

  [Symbol.dispose](): void {
    this.releaseConn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.releaseConn();
  }

  /** Of a preloaded body the pieces are gone: it counts as one chunk. */
  get #isChunked(): boolean {
    if (this.#streamed) return this.#chunked;
    return /(?:^|,)[\t ]*chunked[\t ]*$/i.test(this.headers.get("transfer-encoding") ?? "");
  }

  #describe(error: HTTPError): HTTPError {
    return this.method === "" ? error : error.describe({ method: this.method, url: this.url });
  }

  #decodes({ decodeContent }: ReadOptions): boolean {
    return decodeContent ?? this.#decodeContent;
  }

  /** What a stream that is made now fails with: it must not pass for an empty body. */
  #spent(): HTTPError | null {
    if (this.#reader === null) return null;
    const { source, used, exhausted } = this.#reader;
    return source.dropped || (used && exhausted && !source.failed) ? this.#usedError() : null;
  }

  #usedError(): HTTPError {
    const text = "The body was read already, is being read, or was given up";
    return this.#describe(new BodyUsedError(text, { phase: "body" }));
  }

  #readable(): BodyReader {
    this.#reader ??= memoryReader(this.#data, this.#wireBytes);
    return this.#reader;
  }

  /** All of the body, for those who want it in one piece. A preloaded one can be had again and again. */
  async #whole(): Promise<Buffer> {
    if (this.#reader === null) {
      this.#bodyUsed = true;
      return this.#data;
    }
    if (this.bodyUsed) throw this.#usedError();
    return this.read();
  }
}
