/** A body as records: lines, JSON texts, server-sent events. Those of one piece of the body are handed out without waiting. */

import { EventStreamParser, type ServerSentEvent } from "../../body/response/event-stream.ts";
import { JsonLineParser, LineParser, type RecordParser } from "../../body/response/lines.ts";
import { HTTPError, ProtocolError } from "../../core/errors.ts";
import type { HTTPHeaderDict } from "../../core/headers.ts";
import { transcoderFor } from "./charset.ts";

/** Options of `lines`, `jsonLines` and `events`. */
export interface RecordOptions {
  /** Most bytes of one record; more is a `ProtocolError`. Default 16 MiB for lines, 1 MiB for events. */
  readonly maxSize?: number | undefined;
}

/** Options of `events`. */
export interface EventOptions extends RecordOptions {
  /** What was sent as Last-Event-ID: events without an id of their own have this one. Default: none. */
  readonly lastEventId?: string | undefined;
}

/** What is needed of a response. */
export interface RecordSource extends AsyncIterable<Buffer> {
  readonly method: string;
  readonly url: string;
  readonly status: number;
  readonly headers: HTTPHeaderDict;
  releaseConn(): void;
}

type Convert = (bytes: Buffer) => Buffer;

/** The records of one response. Breaking off gives its connection back or closes it. */
export class Records<T> implements AsyncIterableIterator<T> {
  readonly #response: RecordSource;
  readonly #parser: RecordParser<T>;
  readonly #pieces: AsyncIterator<Buffer>;
  readonly #convert: Convert | null;
  #ready: T[] = [];
  #next = 0;
  #over = false;
  #left = false;

  constructor(response: RecordSource, parser: RecordParser<T>, convert: Convert | null) {
    this.#response = response;
    this.#parser = parser;
    this.#pieces = response[Symbol.asyncIterator]();
    this.#convert = convert;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#left) return Promise.resolve({ done: true, value: undefined });
    if (this.#next === this.#ready.length) return this.#read();
    return Promise.resolve({ done: false, value: this.#ready[this.#next++]! });
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#over = true;
    this.#left = true;
    // A generator that waits for a piece would first wait for it to come.
    this.#response.releaseConn();
    return { done: true, value: undefined };
  }

  /** The record that was handed out last, if others of its piece were not. */
  protected get lastOfMore(): T | undefined {
    return this.#next < this.#ready.length ? this.#ready[this.#next - 1] : undefined;
  }

  async #read(): Promise<IteratorResult<T, undefined>> {
    while (this.#next === this.#ready.length) {
      if (this.#over) return { done: true, value: undefined };
      const { done, value } = await this.#pieces.next();
      if (done === true) this.#over = true;
      this.#next = 0;
      this.#ready = this.#parse(done === true ? null : value);
    }
    return { done: false, value: this.#ready[this.#next++]! };
  }

  #parse(piece: Buffer | null): T[] {
    try {
      if (piece === null) return this.#parser.end();
      return this.#parser.push(this.#convert === null ? piece : this.#convert(piece));
    } catch (error) {
      void this.return();
      const { method, url } = this.#response;
      throw error instanceof HTTPError && method !== "" ? error.describe({ method, url }) : error;
    }
  }
}

/** The server-sent events of one response. */
export class EventRecords extends Records<ServerSentEvent> {
  readonly #parser: EventStreamParser;

  constructor(response: RecordSource, parser: EventStreamParser) {
    super(response, parser, null);
    this.#parser = parser;
  }

  /** Id of the last event that was handed out, for the Last-Event-ID of a reconnection; empty where there is none. */
  get lastEventId(): string {
    return this.lastOfMore?.id ?? this.#parser.lastEventId;
  }

  /** The server's reconnection time in ms; `null` until it sets one. */
  get retry(): number | null {
    return this.#parser.retry;
  }
}

/** The body of `response` as lines, in the charset of its Content-Type. */
export function linesOf(response: RecordSource, { maxSize }: RecordOptions): Records<string> {
  const convert = transcoderFor(response.headers.get("content-type"));
  return new Records(response, new LineParser(maxSize), convert);
}

/** The body of `response` as JSON texts, one a line. */
export function jsonLinesOf<T>(response: RecordSource, { maxSize }: RecordOptions): Records<T> {
  return new Records(response, new JsonLineParser(maxSize) as RecordParser<T>, null);
}

/** The body of `response` as server-sent events. Throws `ProtocolError` if its Content-Type is another. */
export function eventsOf(response: RecordSource, { maxSize, lastEventId }: EventOptions): EventRecords {
  const type = response.headers.get("content-type");
  if (!/^[\t ]*text\/event-stream[\t ]*(;|$)/i.test(type ?? "")) {
    response.releaseConn();
    const { method, url, status } = response;
    const text = `The answer (status ${status}) is ${type ?? "of no Content-Type"}, not text/event-stream`;
    throw new ProtocolError(text, { phase: "body" }).describe(method === "" ? {} : { method, url });
  }
  return new EventRecords(response, new EventStreamParser(maxSize, lastEventId));
}
