/** One exchange on an HTTP/2 connection: the session's record of the stream, and the handle that the attempt holds. */

import type { HTTPError, RequestBodyError } from "../../core/errors.ts";
import { type CoarseTimers, TimerEntry } from "../../core/timers.ts";
import { AWAITING_HEAD, H2Stream } from "../../protocol/h2/stream.ts";
import type { FieldLines } from "../../protocol/response-head.ts";
import { BodyCollector, copyOf } from "../collector.ts";
import type { BodyFacts, Exchange, Stream } from "../connection.ts";
import type { ReadWatch } from "../read-timer.ts";
import type { SilenceTimer, SilenceTimers } from "./silence-timers.ts";
import { Http2Upload, type UploadTarget } from "./upload.ts";

/** What a stream asks of its connection. */
export interface StreamHost {
  readonly timers: CoarseTimers;
  readonly silenceTimers: SilenceTimers;
  /** The stream's reader has taken `length` octets. */
  consumed(stream: Http2Stream, length: number): void;
  /** A part of the request's body. */
  send(stream: Http2Stream, part: Buffer | null, last: boolean): void;
  /** The exchange is about to hear its end. */
  ending(stream: Http2Stream): void;
  /** Nobody wants the connection to stay bound any more. */
  released(stream: Http2Stream): void;
  /** The stream ends from this side; its exchange hears `error`, or nothing. */
  cancelled(stream: Http2Stream, error: HTTPError | undefined): void;
  silent(stream: Http2Stream, limit: number): void;
}

const NO_BODY = Buffer.alloc(0);
const NONE: readonly string[] = [];

/** How long a body waits for 100 (Continue), in ms. */
const CONTINUE_PATIENCE = 1000;

/** Parts that wait for a paused reader fill memory of at least this size: they must not take more than the window. */
const JOINED_PART = 16_384;

/** One stream with its exchange. */
export class Http2Stream extends H2Stream implements Stream, BodyFacts, ReadWatch, UploadTarget {
  /** `null` once it was told its end, or cancelled. */
  exchange: Exchange | null;
  /** The exchange was begun but is not written yet. */
  held: boolean = false;
  /** The answer has come; the caller holds the connection all the same. */
  parked: boolean = false;
  /** How often the session had read something when the head came; -1 before. */
  headRead: number = -1;
  /** Writes of the connection that were finished when the read timer began last. */
  touchedWrites: number = 0;
  /** Octets of the request's body that went out. */
  sentOctets: number = 0;
  readonly #host: StreamHost;
  #collector: BodyCollector | null = null;
  /** A collected body that came in one piece. */
  #whole: Buffer | null = null;
  #paused = false;
  /** Parts that came while the reader was paused, and how much of the last one is filled. */
  #waiting: Buffer[] | null = null;
  #lastFilled = 0;
  /** The answer has come, with these trailers; some of it still waits for the reader. */
  #ending: { trailers: FieldLines | null } | null = null;
  #silence: SilenceTimer | null = null;
  #upload: Http2Upload | null = null;
  #continueTimer: TimerEntry | null = null;

  constructor(host: StreamHost, exchange: Exchange) {
    super();
    this.#host = host;
    this.exchange = exchange;
  }

  // BodyFacts

  get bodyLength(): number | null {
    return this.expected === -1 ? null : this.expected;
  }

  get chunked(): boolean {
    return false;
  }

  get transferCodings(): readonly string[] {
    return NONE;
  }

  // Stream

  pause(): void {
    this.#paused = true;
    this.#silence?.timer.stop();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null) this.#giveWaiting(waiting);
    if (!this.#paused && this.#ending === null) this.touch();
  }

  release(): void {
    if (!this.parked) return;
    this.parked = false;
    this.#host.released(this);
  }

  cancel(error?: HTTPError): void {
    if (this.exchange !== null) this.#host.cancelled(this, error);
  }

  // The request

  /** The request's head was written: its body follows, and the silence of the server counts. */
  begin(exchange: Exchange, hasBody: boolean, now: number | undefined): void {
    if (!hasBody) {
      if (exchange.body !== null) exchange.onSent(0, true);
    } else if (exchange.expectContinue) this.#awaitContinue();
    else this.#sendBody();
    if (exchange.readTimeout === Number.POSITIVE_INFINITY || this.exchange === null) return;
    this.#silence = this.#host.silenceTimers.start(this, exchange.readTimeout, now);
  }

  /** Whether nothing of the request's body was taken from its source: the exchange can start again elsewhere. */
  get isFresh(): boolean {
    return this.#upload === null;
  }

  /** 100 (Continue), or nothing for long enough. */
  sendExpectedBody(): void {
    if (this.#continueTimer === null) return;
    this.keepExpectedBody();
    this.#sendBody();
  }

  /** The final answer came instead of 100: the body stays here. */
  keepExpectedBody(): void {
    this.#continueTimer?.disarm();
    this.#continueTimer = null;
  }

  give(part: Buffer | null, last: boolean): void {
    this.#host.send(this, part, last);
  }

  onUploadFailed(error: RequestBodyError): void {
    this.cancel(error);
  }

  /** `length` octets of the request's body went out. */
  onSent(length: number, last: boolean): void {
    this.sentOctets += length;
    if (this.state === AWAITING_HEAD) this.touch();
    this.exchange?.onSent(this.sentOctets, last);
    this.#upload?.onSent();
  }

  // The answer

  /** A run of the body. */
  receive(bytes: Buffer, start: number, end: number): void {
    const { exchange } = this;
    if (exchange === null) return;
    this.touch();
    if (exchange.collect) {
      this.#collect(bytes, start, end, exchange.into);
      this.#host.consumed(this, end - start);
    } else if (this.#paused) this.#keep(bytes, start, end);
    else this.#deliver(copyOf(bytes, start, end), end - start);
    this.exchange?.onReceived(this.received);
  }

  /** The answer has come. A reader that is paused hears so when it has taken all. */
  end(trailers: FieldLines | null, atOnce: boolean): void {
    this.#stopClocks();
    if (this.#waiting === null) this.#finish(trailers, atOnce);
    else this.#ending = { trailers };
  }

  /** Nothing more happens here: the exchange was told, will be, or does not care. */
  stop(): Exchange | null {
    const { exchange } = this;
    this.exchange = null;
    this.#waiting = null;
    this.#stopClocks();
    return exchange;
  }

  /** The server has said or taken something. */
  touch(): void {
    if (this.#silence !== null && !this.#paused) this.#silence.timer.touch();
  }

  // ReadWatch

  awaitsSource(): boolean {
    return this.#upload?.awaitsSource ?? false;
  }

  onSilence(limit: number): void {
    this.#host.silent(this, limit);
  }

  #sendBody(): void {
    const body = this.exchange!.body!;
    if (body instanceof Uint8Array) {
      this.give(Buffer.from(body.buffer, body.byteOffset, body.byteLength), true);
      return;
    }
    this.#upload = new Http2Upload(this);
    void this.#upload.run(body);
  }

  #awaitContinue(): void {
    this.#continueTimer = new TimerEntry(() => this.sendExpectedBody());
    this.#host.timers.arm(this.#continueTimer, CONTINUE_PATIENCE);
  }

  #stopClocks(): void {
    if (this.#silence !== null) this.#host.silenceTimers.giveBack(this.#silence);
    this.#silence = null;
    this.#upload?.stop();
    this.keepExpectedBody();
  }

  #collect(bytes: Buffer, start: number, end: number, into: Buffer | null): void {
    if (this.#collector === null) {
      if (this.expected === end - start && into === null) {
        this.#whole = copyOf(bytes, start, end);
        return;
      }
      this.#collector = new BodyCollector(this.bodyLength, into);
    }
    this.#collector.add(bytes, start, end);
  }

  #finish(trailers: FieldLines | null, atOnce: boolean): void {
    const exchange = this.exchange!;
    this.#host.ending(this);
    this.exchange = null;
    const body = exchange.collect ? (this.#whole ?? this.#collector?.finish() ?? NO_BODY) : null;
    exchange.onEnd(body, trailers, atOnce);
  }

  /** What was given counts as consumed: who does not want more of it pauses. */
  #deliver(part: Buffer, length: number): void {
    if (this.exchange?.onBody(part, false) === false) this.pause();
    this.#host.consumed(this, length);
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    this.#waiting ??= [];
    const last = this.#waiting.at(-1);
    const taken = last === undefined ? 0 : bytes.copy(last, this.#lastFilled, start, end);
    this.#lastFilled += taken;
    const from = start + taken;
    if (from === end) return;
    const part = Buffer.allocUnsafe(Math.max(end - from, JOINED_PART));
    this.#lastFilled = bytes.copy(part, 0, from, end);
    this.#waiting.push(part);
  }

  #trimLast(): void {
    const last = this.#waiting!.pop();
    if (last !== undefined) this.#waiting!.push(last.subarray(0, this.#lastFilled));
  }

  /** The reader goes on: it gets what waited, until it pauses again; then perhaps the end. */
  #giveWaiting(waiting: Buffer[]): void {
    this.#waiting = waiting;
    this.#trimLast();
    for (;;) {
      const part = waiting.shift();
      if (part === undefined) break;
      // What comes meanwhile must wait behind the rest.
      if (waiting.length === 0) this.#waiting = null;
      this.#deliver(part, part.length);
      if (this.exchange === null) return;
      if (this.#paused) {
        if (waiting.length > 0) this.#lastFilled = waiting.at(-1)!.length;
        break;
      }
    }
    if (this.#waiting === null && this.#ending !== null) {
      const { trailers } = this.#ending;
      this.#ending = null;
      this.#finish(trailers, false);
    }
  }
}
