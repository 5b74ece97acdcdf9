/** One try of one request on one pool: wait for a connection, send, take the answer. */

import { ProgressMeter } from "../body/request/progress.ts";
import { decodeWhole, parseCodings } from "../body/response/decode.ts";
import type { BodyFacts, Connection, Exchange, Head } from "../connection/connection.ts";
import type { Clock } from "../core/clock.ts";
import { DecodeError, type ErrorFacts, HTTPError } from "../core/errors.ts";
import { HTTPHeaderDict } from "../core/headers.ts";
import type { Timeout } from "../policy/timeout.ts";
import { Ticket } from "../pool/pool.ts";
import type { Stoppable } from "./guard.ts";
import type { Message } from "./request.ts";
import { BodyReader } from "./response/body-reader.ts";
import { BodySource } from "./response/body-source.ts";
import { HTTPResponse, type Received } from "./response/response.ts";
import { Stopwatch } from "./response/timings.ts";
import type { CallSettings } from "./settings.ts";

const NONE: readonly string[] = [];

/** Who decides about answers. */
export interface Judge {
  /** Whether the caller will most likely not get this answer, but that of another attempt. */
  mayPassOver(response: HTTPResponse): boolean;
}

/** Who is told what came of an attempt, once. */
export interface Settler {
  arrived(response: HTTPResponse): void;
  failed(error: unknown): void;
}

/** A ticket in the line, then an exchange on a connection. */
export class Attempt extends Ticket implements Exchange, Stoppable, Received {
  collect: boolean;
  readTimeout: number;
  /** 1 for the first try. */
  attempt: number = 1;
  /** Stack of the call, if somebody debugs. */
  calledAt: string | null = null;
  readonly stopwatch: Stopwatch;
  /** The body of a streamed answer, once its head has come. */
  source: BodySource | null = null;
  /** Called once when a streamed body has ended, however it did. */
  onBodyEnd: (() => void) | null = null;
  /** Knows which answers need not be collected. */
  judge: Judge | null = null;
  readonly #message: Message;
  readonly #settings: CallSettings;
  readonly #clock: Clock;
  /** Runs from the start of the attempt; only where a total counts. */
  #timeout: Timeout | null = null;
  #connection: Connection | null = null;
  #response: HTTPResponse | null = null;
  #uploaded: ProgressMeter | null = null;
  #downloaded: ProgressMeter | null = null;
  #contentCodings = NONE;
  #codingsError: DecodeError | null = null;
  #transferCodings = NONE;
  /** A preloaded body that grows beyond this is not waited for. */
  #mostBytes = Number.POSITIVE_INFINITY;
  /** `null` once it was told. */
  #settler: Settler | null = null;

  /** `startedAt` and `queuedAt`: `clock.now()` of the call and of this attempt. */
  constructor(message: Message, settings: CallSettings, clock: Clock, startedAt: number, queuedAt: number) {
    super();
    this.#message = message;
    this.#settings = settings;
    this.#clock = clock;
    this.stopwatch = new Stopwatch(startedAt, queuedAt);
    this.collect = settings.preloadContent;
    this.readTimeout = settings.readTimeout;
  }

  get head(): string {
    return this.#message.head;
  }

  get body(): Message["body"] {
    return this.#message.body;
  }

  get expectContinue(): boolean {
    return this.#message.expectContinue;
  }

  get bodiless(): boolean {
    return this.#message.method === "HEAD";
  }

  get persistent(): boolean {
    return this.#message.persistent;
  }

  get method(): string {
    return this.#message.method;
  }

  get url(): string {
    return this.#message.url;
  }

  get poolTimeout(): number {
    return this.#settings.poolTimeout;
  }

  get connectTimeout(): number {
    return this.#settings.connectTimeout;
  }

  get decodeContent(): boolean {
    return this.#settings.decodeContent;
  }

  /** Runs it. It fails with what went wrong, or with the reason given to `stop`. */
  run(settler: Settler): void {
    this.#settler = settler;
    if (this.#settings.timeout.total !== null) this.#timeout = this.#settings.timeout.clone();
    this.#timeout?.startConnect(this.#clock);
    this.#message.pool.acquire(this);
  }

  #resolve(response: HTTPResponse): void {
    const settler = this.#settler;
    this.#settler = null;
    settler?.arrived(response);
  }

  #reject(error: unknown): void {
    const settler = this.#settler;
    this.#settler = null;
    settler?.failed(error);
  }

  stop(reason: unknown): void {
    if (this.source !== null) {
      if (reason instanceof HTTPError) reason.describe({ ...this.#facts(), phase: "body" });
      this.source.destroy(reason);
      return;
    }
    const connection = this.#connection;
    this.#connection = null;
    if (reason instanceof HTTPError) {
      const answering = connection === null ? "pool" : "head";
      reason.describe({ phase: this.#response === null ? answering : "body" });
    }
    this.#reject(reason);
    this.#message.pool.cancel(this);
    connection?.close();
  }

  // Ticket

  granted(connection: Connection): void {
    this.#connection = connection;
    const now = this.#clock.now();
    this.stopwatch.granted(connection, now);
    if (this.#timeout !== null) this.readTimeout = this.#timeout.readTimeout ?? Number.POSITIVE_INFINITY;
    connection.send(this, now);
  }

  refused(error: Error): void {
    this.#reject(error);
  }

  // Exchange

  onSent(sent: number, done: boolean): void {
    const { onUploadProgress } = this.#settings;
    if (onUploadProgress === null) return;
    this.#uploaded ??= new ProgressMeter(onUploadProgress, this.#message.bodyLength, this.#clock);
    this.#tell(this.#uploaded, sent, done);
  }

  onReceived(received: number): void {
    if (this.#downloaded !== null) this.#tell(this.#downloaded, received, false);
    if (received > this.#mostBytes) this.stop(this.#tooLarge());
  }

  onInformational(head: Head): void {
    const { onInformational } = this.#settings;
    if (onInformational === null) return;
    const headers = HTTPHeaderDict.fromHead(head.text, head.fieldsStart);
    try {
      onInformational({ status: head.status, reason: head.reason, headers });
    } catch (error) {
      this.stop(error);
    }
  }

  onHead(head: Head, facts: BodyFacts): void {
    this.stopwatch.headAt = this.#clock.now();
    const response = HTTPResponse.received(head, this);
    if (head.encoded) this.#noteCodings(response.headers.get("content-encoding"));
    this.#transferCodings = facts.transferCodings;
    const { onDownloadProgress } = this.#settings;
    if (onDownloadProgress !== null) {
      this.#downloaded = new ProgressMeter(onDownloadProgress, facts.bodyLength, this.#clock);
    }
    if (this.collect && this.judge?.mayPassOver(response)) this.collect = false;
    const undecodable = this.decodeContent && this.#codingsError !== null && facts.bodyLength !== 0;
    if (this.collect && undecodable) this.#refuse(this.#codingsError, facts);
    else if (this.collect) {
      this.#response = response;
      if (this.decodeContent && !this.#encoded) this.#mostBytes = this.#settings.maxDecodedSize;
    } else this.#stream(response, facts);
  }

  onBody(bytes: Buffer, endsChunk: boolean): boolean {
    return this.source?.push(bytes, endsChunk) ?? true;
  }

  onEnd(body: Buffer | null, trailers: string, atOnce: boolean): void {
    const connection = this.#connection;
    this.#connection = null;
    this.stopwatch.endedAt = atOnce ? this.stopwatch.headAt : this.#clock.now();
    if (this.#downloaded !== null) {
      this.#tell(this.#downloaded, body?.length ?? this.source?.wireBytes ?? 0, true);
    }
    if (this.source !== null) {
      this.source.end(trailers, this.holds);
      return;
    }
    const response = this.#response!;
    if (this.holds) response.hold(connection);
    const decoded = this.#decode(body!);
    if (decoded instanceof Promise) {
      decoded.then(
        (data) => this.#complete(response, data, body!, trailers),
        (error) => {
          response.releaseConn();
          this.#reject(error);
        },
      );
    } else this.#complete(response, decoded, body!, trailers);
  }

  onError(error: HTTPError): void {
    this.#connection = null;
    if (this.source === null) this.#reject(error);
    else this.source.fail(error.describe(this.#facts()));
  }

  /** What a callback throws ends the request. */
  #tell(meter: ProgressMeter, bytes: number, done: boolean): void {
    try {
      meter.at(bytes);
      if (done) meter.end();
    } catch (error) {
      this.stop(error);
    }
  }

  #facts(): ErrorFacts {
    return { method: this.method, url: this.url, attempt: this.attempt };
  }

  #complete(response: HTTPResponse, data: Buffer, body: Buffer, trailers: string): void {
    if (this.decodeContent && data.length > this.#settings.maxDecodedSize) {
      response.releaseConn();
      this.#reject(this.#tooLarge());
      return;
    }
    response.complete(data, body.length, trailers);
    this.#resolve(response);
  }

  #tooLarge(): DecodeError {
    const limit = `${this.#settings.maxDecodedSize} bytes (maxDecodedSize)`;
    return new DecodeError(`The body is larger than ${limit}`, { phase: "body" });
  }

  get holds(): boolean {
    const { releaseConn } = this.#settings;
    return this.source === null ? releaseConn === false : releaseConn !== true && this.source.holds;
  }

  get #encoded(): boolean {
    return this.#contentCodings.length + this.#transferCodings.length > 0;
  }

  /** Codings that cannot be undone matter only to who wants them undone. */
  #noteCodings(contentEncoding: string | null): void {
    try {
      this.#contentCodings = parseCodings(contentEncoding) ?? NONE;
    } catch (error) {
      this.#codingsError = error as DecodeError;
    }
  }

  /** The body is of no use; its connection is, if little of the body is left. */
  #refuse(error: unknown, facts: BodyFacts): void {
    this.#reject(error);
    this.collect = false;
    this.#newSource(facts).abandon();
  }

  #decode(body: Buffer): Buffer | Promise<Buffer> {
    if (!this.#encoded) return body;
    // Transfer codings lie outside the content codings, and are not the caller's to keep.
    const contentCodings = this.decodeContent ? this.#contentCodings : NONE;
    return decodeWhole(body, [...contentCodings, ...this.#transferCodings], this.#settings);
  }

  #newSource(facts: BodyFacts): BodySource {
    this.source = new BodySource(this.#connection!, facts.bodyLength, this.#clock, () => this.onBodyEnd?.());
    return this.source;
  }

  /** The caller gets the response now, and its body as it comes. */
  #stream(response: HTTPResponse, facts: BodyFacts): void {
    const { allowTruncated, maxDecodedSize, enforceContentLength } = this.#settings;
    const source = this.#newSource(facts);
    const codings = {
      contentCodings: this.#contentCodings,
      codingsError: this.#codingsError,
      transferCodings: this.#transferCodings,
    };
    const reader = new BodyReader(source, {
      ...codings,
      decodeContent: this.decodeContent,
      allowTruncated,
      maxDecodedSize,
      enforceContentLength,
      facts: this.#facts(),
      calledAt: this.calledAt,
    });
    response.attach(reader, facts.chunked);
    this.#resolve(response);
  }
}
