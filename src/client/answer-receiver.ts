/**
 * Takes the answer of one attempt as it comes over the wire: collected, decoded while it comes, or streamed to a reader.
 *
 *  1. A body that the caller wants whole is collected; one with a coding is decoded as it comes, so that its size, a
 *     signal and a deadline bound it on the way.
 *  2. Any other body is streamed, and so is one of an answer that will most likely be passed over.
 *  3. What a callback of the caller throws ends the request.
 */

import { ProgressMeter } from "../body/request/progress.ts";
import { CollectingDecoder, type CollectingObserver } from "../body/response/collecting-decoder.ts";
import { parseCodings } from "../body/response/decode.ts";
import type { BodyFacts, Stream } from "../connection/connection.ts";
import type { BodyStream } from "../connection/upload-source.ts";
import { join, lengthOf } from "../core/bytes.ts";
import type { Clock } from "../core/clock.ts";
import { DecodeError, type ErrorFacts, type HTTPError, type Phase } from "../core/errors.ts";
import type { PooledExchange, Waiter } from "../pool/waiter.ts";
import type { RequestHead } from "../protocol/request-head.ts";
import type { FieldLines, ResponseHead } from "../protocol/response-head.ts";
import type { OutgoingRequest } from "./request.ts";
import { BodyReader } from "./response/body-reader.ts";
import { BodySource } from "./response/body-source.ts";
import { HTTPResponse, type Received } from "./response/response.ts";
import type { CallSettings } from "./settings.ts";

const NONE: readonly string[] = [];

/** How a body is encoded. */
interface Codings {
  readonly content: readonly string[];
  /** Why the content codings cannot be undone. */
  readonly error: DecodeError | null;
  readonly transfer: readonly string[];
}

const UNCODED: Codings = { content: NONE, error: null, transfer: NONE };

/** The callers' meters. */
interface Progress {
  uploaded: ProgressMeter | null;
  downloaded: ProgressMeter | null;
}

/** Who is told what comes, and decides what is wanted of it. */
export interface ReceiverOwner extends Received, Waiter {
  /** The request goes on the wire. Returns the longest silence of the server in ms. */
  onStarted(stream: Stream): number;
  /** All of the request was given to the socket. */
  onRequestSent(): void;
  /** The head has come. `false`: the caller will most likely get another answer. */
  onAnswer(head: ResponseHead, response: HTTPResponse): boolean;
  /** The caller may have the answer, though its body may be still to come. */
  onResponse(response: HTTPResponse): void;
  /** The answer cannot be given to the caller: `error` is what it gets. */
  onUseless(error: unknown): void;
  /** The exchange is over: `stream` was all that it held. */
  onExchangeEnd(atOnce: boolean): Stream | null;
  /** The exchange failed, and no body had begun to be streamed. */
  onExchangeError(error: HTTPError): void;
  /** A streamed body has ended, however it did. */
  onBodyEnd(): void;
  readonly clock: Clock;
  readonly stream: Stream | null;
  readonly facts: ErrorFacts;
  readonly calledAt: string | null;
}

/** The exchange of one attempt. */
export class AnswerReceiver implements PooledExchange, CollectingObserver {
  collect: boolean;
  into: Buffer | null = null;
  readTimeout: number = 0;
  /** The waiter that it belongs to, in case it has to wait again. */
  readonly waiter: ReceiverOwner;
  /** The body of a streamed answer, once its head has come. */
  source: BodySource | null = null;
  /** Bytes of the request's body that were given to the socket, and of the answer's that have come. */
  sent: number = 0;
  received: number = 0;
  readonly #request: OutgoingRequest;
  readonly #settings: CallSettings;
  #response: HTTPResponse | null = null;
  #decoder: CollectingDecoder | null = null;
  #trailers: FieldLines | null = null;
  /** `null` unless somebody watches. */
  #progress: Progress | null = null;
  #codings = UNCODED;

  constructor(request: OutgoingRequest, settings: CallSettings, waiter: ReceiverOwner) {
    this.#request = request;
    this.#settings = settings;
    this.waiter = waiter;
    this.collect = settings.preloadContent;
  }

  get head(): RequestHead {
    return this.#request.head;
  }

  get body(): Uint8Array | BodyStream | null {
    return this.#request.body;
  }

  get expectContinue(): boolean {
    return this.#request.expectContinue;
  }

  get persistent(): boolean {
    return this.#request.persistent;
  }

  get parks(): boolean {
    const { releaseConn } = this.#settings;
    if (this.source !== null) return releaseConn !== true && this.source.holds;
    return releaseConn === false && this.#response !== null;
  }

  onStart(stream: Stream): number {
    this.readTimeout = this.waiter.onStarted(stream);
    return this.waiter.stopwatch.grantedAt!;
  }

  onSent(sent: number, done: boolean): void {
    this.sent = sent;
    if (done) this.waiter.onRequestSent();
    const { onUploadProgress } = this.#settings;
    if (onUploadProgress === null) return;
    this.#progress ??= { uploaded: null, downloaded: null };
    const { bodyLength } = this.#request;
    this.#progress.uploaded ??= new ProgressMeter(onUploadProgress, bodyLength, this.waiter.clock);
    this.#tell(this.#progress.uploaded, sent, done);
  }

  onReceived(received: number): void {
    this.received = received;
    const meter = this.#progress?.downloaded ?? null;
    if (meter !== null) this.#tell(meter, received, false);
    // A body that is collected as it is, and grows beyond its limit, is not waited for.
    const whole = this.#response !== null && this.#decoder === null;
    if (whole && received > this.#limit) this.waiter.onUseless(this.#tooLarge());
  }

  onInformational(head: ResponseHead): void {
    const { onInformational } = this.#settings;
    if (onInformational === null) return;
    try {
      onInformational({ status: head.status, reason: head.reason, headers: head.fields() });
    } catch (error) {
      this.waiter.onUseless(error);
    }
  }

  onHead(head: ResponseHead, facts: BodyFacts): void {
    const response = HTTPResponse.received(head, this.waiter);
    if (head.encoded || facts.transferCodings.length > 0) this.#codings = codingsOf(head, response, facts);
    const wanted = this.waiter.onAnswer(head, response);
    const { onDownloadProgress } = this.#settings;
    if (onDownloadProgress !== null && wanted) {
      this.#progress ??= { uploaded: null, downloaded: null };
      this.#progress.downloaded = new ProgressMeter(onDownloadProgress, facts.bodyLength, this.waiter.clock);
    }
    if (!wanted || !this.collect) this.#stream(response, facts);
    else if (this.#codings.error !== null && this.#settings.decodeContent && facts.bodyLength !== 0) {
      this.#refuse(this.#codings.error, facts.bodyLength);
    } else this.#collect(response, facts);
  }

  onBody(bytes: Buffer, endsChunk: boolean): boolean {
    if (this.source !== null) return this.source.push(bytes, endsChunk);
    this.received += bytes.length;
    return this.#decoder?.push(bytes) ?? true;
  }

  onEnd(body: Buffer | null, trailers: FieldLines | null, atOnce: boolean): void {
    const parks = this.parks;
    const stream = this.waiter.onExchangeEnd(atOnce);
    if (body !== null) this.received = body.length;
    const meter = this.#progress?.downloaded ?? null;
    const told = meter === null || this.#tell(meter, this.#wireBytes, true);
    if (this.source !== null) {
      this.source.end(trailers, parks);
      return;
    }
    if (!told || this.#response === null) {
      stream?.release();
      return;
    }
    if (parks) this.#response.hold(stream);
    this.#trailers = trailers;
    if (this.#decoder === null) this.#complete([body!]);
    else this.#decoder.end();
  }

  onError(error: HTTPError): void {
    this.waiter.onExchangeEnd(false);
    this.#decoder?.stop();
    if (this.source === null) this.waiter.onExchangeError(error);
    else this.source.fail(error.describe(this.waiter.facts));
  }

  // CollectingObserver

  onDecoded(parts: readonly Buffer[]): void {
    this.#complete(parts);
  }

  /** Nobody needs the rest of the body. The connection is kept if little is left of it. */
  onUndecodable(error: HTTPError): void {
    const response = this.#response;
    this.#response = null;
    response?.releaseConn();
    if (this.waiter.stream === null) this.waiter.onUseless(error);
    else this.#refuse(error, null);
  }

  onRoom(): void {
    this.waiter.stream?.resume();
  }

  /** Nobody wants the answer any more: what is being done with it ends. */
  stop(): void {
    this.#response?.releaseConn();
    this.#response = null;
    this.#decoder?.stop();
  }

  /** The caller gets the response once its body has come. */
  #collect(response: HTTPResponse, facts: BodyFacts): void {
    this.#response = response;
    const { allowTruncated, into } = this.#settings;
    const codings = this.#codings === UNCODED ? NONE : this.#undone(this.#codings);
    if (codings.length === 0 || facts.bodyLength === 0) {
      const refusal = into?.refusal(facts.bodyLength) ?? null;
      if (refusal === null) this.into = into?.bytes ?? null;
      else this.#refuse(refusal, facts.bodyLength);
      return;
    }
    this.collect = false;
    const options = { allowTruncated, maxDecodedSize: this.#limit, tooLarge: () => this.#tooLarge("decode") };
    this.#decoder = new CollectingDecoder(codings, options, this, this.waiter.clock);
  }

  /** The codings to decode. Transfer codings always are: they belong to the connection, not to the caller. */
  #undone({ content, transfer }: Codings): readonly string[] {
    return this.#settings.decodeContent ? [...content, ...transfer] : transfer;
  }

  /** The caller gets the response now, and its body as it comes. */
  #stream(response: HTTPResponse, facts: BodyFacts): void {
    this.collect = false;
    const { allowTruncated, maxDecodedSize, enforceContentLength, decodeContent } = this.#settings;
    const reader = new BodyReader(this.#newSource(facts.bodyLength), {
      contentCodings: this.#codings.content,
      codingsError: this.#codings.error,
      transferCodings: this.#codings.transfer,
      decodeContent,
      allowTruncated,
      maxDecodedSize,
      enforceContentLength,
      facts: this.waiter.facts,
      calledAt: this.waiter.calledAt,
    });
    response.attach(reader, facts.chunked);
    this.waiter.onResponse(response);
  }

  /** The whole body has come, in `parts`. */
  #complete(parts: readonly Buffer[]): void {
    const response = this.#response;
    if (response === null) return;
    this.#response = null;
    let data: Buffer;
    try {
      data = this.#bodyOf(parts);
    } catch (error) {
      response.releaseConn();
      this.waiter.onUseless(error);
      return;
    }
    response.complete(data, this.#wireBytes || data.length, this.#trailers);
    this.waiter.onResponse(response);
  }

  /** In the caller's memory if it was given some. Throws what makes the body useless. */
  #bodyOf(parts: readonly Buffer[]): Buffer {
    const length = lengthOf(parts);
    if (length > this.#limit) throw this.#tooLarge("body", length);
    return this.#settings.into?.hold(parts) ?? join(parts);
  }

  /** Nobody needs the body. The connection is kept if little of the body is left. */
  #refuse(error: unknown, length: number | null): void {
    this.collect = false;
    this.#response = null;
    this.#decoder?.stop();
    const source = this.#newSource(length);
    this.waiter.onUseless(error);
    source.abandon();
  }

  #newSource(length: number | null): BodySource {
    this.source = new BodySource(this.waiter.stream, length, this.waiter.clock, () =>
      this.waiter.onBodyEnd(),
    );
    return this.source;
  }

  get #wireBytes(): number {
    return this.source?.wireBytes ?? this.received;
  }

  /** What a callback throws ends the request. */
  #tell(meter: ProgressMeter, bytes: number, done: boolean): boolean {
    try {
      meter.at(bytes);
      if (done) meter.end();
      return true;
    } catch (error) {
      this.waiter.onUseless(error);
      return false;
    }
  }

  /** Most bytes that the body may have. */
  get #limit(): number {
    const { decodeContent, maxDecodedSize, into } = this.#settings;
    return Math.min(
      decodeContent ? maxDecodedSize : Number.POSITIVE_INFINITY,
      into?.limit ?? Number.POSITIVE_INFINITY,
    );
  }

  #tooLarge(phase: Phase = "body", length?: number): HTTPError {
    const { decodeContent, maxDecodedSize, into } = this.#settings;
    if (into !== null && (into.limit < maxDecodedSize || !decodeContent)) return into.tooSmall(length);
    return new DecodeError(`The body is larger than ${maxDecodedSize} bytes (maxDecodedSize)`, { phase });
  }
}

/** An unknown coding is an error only where the body is to be decoded. */
function codingsOf(
  head: ResponseHead,
  response: HTTPResponse,
  { transferCodings: transfer }: BodyFacts,
): Codings {
  if (!head.encoded) return { content: NONE, error: null, transfer };
  try {
    return { content: parseCodings(response.headers.get("content-encoding")) ?? NONE, error: null, transfer };
  } catch (error) {
    return { content: NONE, error: error as DecodeError, transfer };
  }
}
