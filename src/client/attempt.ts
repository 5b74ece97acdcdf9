/**
 * One try of one request on one pool: wait for a connection, send, take the answer.
 *
 * It owns a place in the pool's line, the stream that it gets there, and what receives the answer. However it ends,
 * `#settle` tells once, and gives back whatever is held.
 */

import type { AsyncResource } from "node:async_hooks";
import type { Connection, ConnectionInfo, Stream } from "../connection/connection.ts";
import type { Clock, Timer } from "../core/clock.ts";
import {
  ConnectTimeoutError,
  EmptyPoolError,
  type ErrorFacts,
  HTTPError,
  ReadTimeoutError,
} from "../core/errors.ts";
import { trace } from "../core/trace.ts";
import type { Timeout } from "../policy/timeout.ts";
import { Waiter } from "../pool/waiter.ts";
import type { ResponseHead } from "../protocol/response-head.ts";
import { AnswerReceiver, type ReceiverOwner } from "./answer-receiver.ts";
import { publishAttemptEnd } from "./attempt-trace.ts";
import type { Stoppable } from "./guard.ts";
import type { OutgoingRequest } from "./request.ts";
import type { BodySource } from "./response/body-source.ts";
import type { HTTPResponse } from "./response/response.ts";
import type { Stopwatch } from "./response/timings.ts";
import type { CallSettings } from "./settings.ts";

/** Who is told what came of an attempt, once. */
export interface Settler {
  arrived(response: HTTPResponse): void;
  failed(error: unknown): void;
}

/** What an attempt needs to know of its request. */
export interface AttemptContext {
  /** Number of the request in this process. */
  readonly id: number;
  /** Stack of the call, with `NODE_DEBUG=urlpool`. */
  readonly calledAt: string | null;
  /** The asynchronous context for functions of the caller; `null` where there are none. */
  readonly callers: AsyncResource | null;
  readonly clock: Clock;
  /** Whether the caller will most likely not get this answer, but that of another attempt. */
  mayPassOver(response: HTTPResponse): boolean;
  /** The exchange of an attempt goes on the wire. */
  onConnected(): void;
}

/** A place in the line, then an exchange on a stream. */
export class Attempt extends Waiter implements ReceiverOwner, Stoppable {
  /** 1 for the first try. */
  readonly number: number;
  readonly stopwatch: Stopwatch;
  /** Called once when a streamed body has ended, however it did. */
  whenBodyEnds: (() => void) | null = null;
  stream: Stream | null = null;
  /** Of the connection that it got. */
  connection: ConnectionInfo | null = null;
  /** Whether that had served another exchange before. */
  reused: boolean = false;
  readonly #context: AttemptContext;
  readonly #request: OutgoingRequest;
  readonly #settings: CallSettings;
  readonly #receiver: AnswerReceiver;
  /** Runs from the start of the attempt; only where a total counts. */
  #timeout: Timeout | null = null;
  #responseHead: ResponseHead | null = null;
  #headTimer: Timer | null = null;
  /** An exchange has begun and not ended. */
  #exchanging = false;
  /** `null` once it was told. */
  #settler: Settler | null = null;

  /** `fresh`: wants no connection that was idle. `stopwatch`: started with the call and this attempt. */
  constructor(
    context: AttemptContext,
    number: number,
    fresh: boolean,
    request: OutgoingRequest,
    settings: CallSettings,
    stopwatch: Stopwatch,
  ) {
    super();
    this.#context = context;
    this.number = number;
    this.#request = request;
    this.#settings = settings;
    this.stopwatch = stopwatch;
    this.fresh = fresh;
    this.#receiver = new AnswerReceiver(request, settings, this);
  }

  get clock(): Clock {
    return this.#context.clock;
  }

  get method(): string {
    return this.#request.method;
  }

  get url(): string {
    return this.#request.url;
  }

  get decodeContent(): boolean {
    return this.#settings.decodeContent;
  }

  get calledAt(): string | null {
    return this.#context.calledAt;
  }

  get facts(): ErrorFacts {
    return { method: this.method, url: this.url, attempt: this.number };
  }

  /** The body of a streamed answer, once its head has come. */
  get source(): BodySource | null {
    return this.#receiver.source;
  }

  /** Runs it. It fails with what went wrong, or with the reason given to `stop`. */
  run(settler: Settler): void {
    this.#settler = settler;
    if (this.#settings.timeout.total !== null) {
      this.#timeout = this.#settings.timeout.clone();
      this.#timeout.startConnect(this.clock);
    }
    this.#request.pool.acquire(this);
  }

  stop(reason: unknown): void {
    const { source } = this;
    if (source !== null) {
      if (reason instanceof HTTPError) reason.describe({ ...this.facts, phase: "body" });
      source.destroy(reason);
      return;
    }
    if (reason instanceof HTTPError) {
      const answering = this.connection === null ? "pool" : "head";
      reason.describe({ phase: this.#responseHead === null ? answering : "body" });
    }
    this.#settle(null, reason);
  }

  // Waiter

  get poolTimeout(): number {
    return Math.min(this.#settings.poolTimeout, this.#totalLeft);
  }

  override get dialContext(): AsyncResource | null {
    return this.#context.callers;
  }

  get connectTimeout(): number {
    return Math.min(this.#settings.connectTimeout, this.#totalLeft);
  }

  granted(connection: Connection): void {
    this.#countConnection();
    this.connection = connection.info;
    this.reused = connection.exchanges > 0;
    if (!this.reused) this.stopwatch.setup = connection.setup;
    if (this.#totalLeft <= 0) {
      const text = `The total of ${this.#settings.timeout.total} ms was over when a connection was free (timeout.total)`;
      this.#settle(null, new ConnectTimeoutError(text, { phase: "pool" }));
      return;
    }
    this.#exchanging = true;
    const stream = connection.start(this.#receiver);
    // Over a stream in memory the whole answer may have come by now.
    if (!this.#exchanging) return;
    if (this.#settler === null && this.source === null) stream.cancel();
    else this.stream = stream;
  }

  refused(error: Error): void {
    if (!(error instanceof EmptyPoolError)) this.#countConnection();
    this.#settle(null, error);
  }

  // ReceiverOwner

  onStarted(stream: Stream): number {
    this.stream = stream;
    const now = this.clock.now();
    this.stopwatch.grantedAt = now;
    this.stopwatch.sentAt = now;
    if (this.#timeout === null) return this.#settings.readTimeout;
    const limit = this.#timeout.readTimeout ?? Number.POSITIVE_INFINITY;
    this.#limitHead(limit);
    return limit;
  }

  onRequestSent(): void {
    this.stopwatch.sentAt = this.clock.now();
  }

  onAnswer(head: ResponseHead, response: HTTPResponse): boolean {
    this.stopwatch.headAt = this.clock.now();
    this.#headTimer?.cancel();
    this.#responseHead = head;
    return !this.#context.mayPassOver(response);
  }

  onResponse(response: HTTPResponse): void {
    if (this.source === null) this.#traceEnd(null);
    this.#settle(response, null);
  }

  onUseless(error: unknown): void {
    if (this.source === null || this.#settler !== null) this.#settle(null, error);
    else this.stop(error);
  }

  onExchangeEnd(atOnce: boolean): Stream | null {
    const { stream } = this;
    this.stream = null;
    this.#exchanging = false;
    this.stopwatch.endedAt = atOnce ? this.stopwatch.headAt : this.clock.now();
    return stream;
  }

  onExchangeError(error: HTTPError): void {
    this.#settle(null, error);
  }

  onBodyEnd(): void {
    this.#traceEnd(this.source?.failure ?? null);
    this.whenBodyEnds?.();
  }

  /** Once: tells what came of it. What fails gives everything back: its place in line, its stream, half an answer. */
  #settle(response: HTTPResponse | null, error: unknown): void {
    const settler = this.#settler;
    if (settler === null) return;
    this.#settler = null;
    this.#headTimer?.cancel();
    if (response !== null) {
      settler.arrived(response);
      return;
    }
    this.#request.pool.cancel(this);
    this.#receiver.stop();
    if (this.source === null) {
      const { stream } = this;
      this.stream = null;
      stream?.cancel();
      this.#traceEnd(error);
    }
    settler.failed(error);
  }

  /** As in urllib3: a request that got a place counts, once, although its connection may fail. */
  #countConnection(): void {
    if (this.connection === null) this.#context.onConnected();
  }

  /** A total bounds the wait for the head, however it trickles in. */
  #limitHead(limit: number): void {
    // An exchange that was not processed starts again: only its last start counts.
    this.#headTimer?.cancel();
    if (limit === Number.POSITIVE_INFINITY) return;
    this.#headTimer = this.clock.setTimer(() => {
      const text = `Read timed out. (read timeout=${limit} ms)`;
      this.stream?.cancel(new ReadTimeoutError(text, { phase: "head" }));
    }, limit);
  }

  /** ms that the attempt has left of its total, counted from its start. */
  get #totalLeft(): number {
    const total = this.#timeout?.total ?? null;
    if (total === null) return Number.POSITIVE_INFINITY;
    return Math.max(0, total - (this.clock.now() - this.stopwatch.queuedAt));
  }

  #traceEnd(error: unknown): void {
    if (!trace.attemptEnd.hasSubscribers) return;
    publishAttemptEnd({
      request: this.#context.id,
      attempt: this.number,
      head: this.#request.head,
      url: this.url,
      connection: this.connection,
      reused: this.reused,
      responseHead: this.#responseHead,
      sent: this.#receiver.sent,
      received: this.source?.wireBytes ?? this.#receiver.received,
      stopwatch: this.stopwatch,
      now: this.clock.now(),
      error,
    });
  }
}
