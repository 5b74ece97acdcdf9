/** One try of one request on one pool: wait for a connection, send, take the answer. */

import { decodeWhole, parseCodings } from "../body/decode.ts";
import type { BodyFacts, Connection, Exchange, Head } from "../connection/connection.ts";
import type { Clock } from "../core/clock.ts";
import type { HTTPError } from "../core/errors.ts";
import { HTTPHeaderDict } from "../core/headers.ts";
import type { Timeout } from "../policy/timeout.ts";
import { Ticket } from "../pool/pool.ts";
import type { Stoppable } from "./guard.ts";
import type { Message } from "./message.ts";
import { HTTPResponse } from "./response.ts";
import type { CallSettings } from "./settings.ts";
import { Stopwatch } from "./timings.ts";

const NONE: readonly string[] = [];

/** A ticket in the line, then an exchange on a connection. */
export class Attempt extends Ticket implements Exchange, Stoppable {
  readonly head: string;
  readonly body: Uint8Array | null;
  readonly bodiless: boolean;
  readonly persistent: boolean;
  readonly collect: boolean = true;
  readonly poolTimeout: number;
  readonly connectTimeout: number;
  readTimeout: number;
  readonly #clock: Clock;
  readonly #stopwatch: Stopwatch;
  readonly #message: Message;
  readonly #settings: CallSettings;
  /** Runs from the start of the attempt; only where a total counts. */
  #timeout: Timeout | null = null;
  #connection: Connection | null = null;
  #response: HTTPResponse | null = null;
  #codings: readonly string[] = NONE;
  #resolve!: (response: HTTPResponse) => void;
  #reject!: (error: unknown) => void;

  /** `startedAt`: `clock.now()` of the call, which may be earlier than this attempt. */
  constructor(message: Message, settings: CallSettings, clock: Clock, startedAt: number) {
    super();
    this.#clock = clock;
    this.#stopwatch = new Stopwatch(startedAt, clock.now());
    this.#message = message;
    this.#settings = settings;
    this.head = message.head;
    this.body = message.body;
    this.bodiless = message.method === "HEAD";
    this.persistent = message.persistent;
    this.poolTimeout = settings.poolTimeout;
    this.connectTimeout = settings.connectTimeout;
    this.readTimeout = settings.readTimeout;
  }

  /** Runs it. Rejects with what went wrong, or with the reason given to `stop`. */
  run(): Promise<HTTPResponse> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      if (this.#settings.timeout.total !== null) this.#timeout = this.#settings.timeout.clone();
      this.#timeout?.startConnect(this.#clock);
      this.#message.pool.acquire(this);
    });
  }

  stop(reason: unknown): void {
    const connection = this.#connection;
    this.#connection = null;
    this.#reject(reason);
    this.#message.pool.cancel(this);
    connection?.close();
  }

  // Ticket

  granted(connection: Connection): void {
    this.#connection = connection;
    this.#stopwatch.granted(connection, this.#clock.now());
    if (this.#timeout !== null) this.readTimeout = this.#timeout.readTimeout ?? Number.POSITIVE_INFINITY;
    connection.send(this);
  }

  refused(error: Error): void {
    this.#reject(error);
  }

  // Exchange

  onInformational(head: Head): void {
    this.#settings.onInformational?.({
      status: head.status,
      reason: head.reason,
      headers: HTTPHeaderDict.fromHead(head.text, head.fieldsStart),
    });
  }

  onHead(head: Head, facts: BodyFacts): void {
    this.#stopwatch.headAt = this.#clock.now();
    this.#response = HTTPResponse.received(head, this.#message.method, this.#message.url, this.#stopwatch);
    if (head.encoded || facts.transferCodings.length > 0) this.#chooseCodings(this.#response, facts);
  }

  onBody(): boolean {
    return true;
  }

  onEnd(body: Buffer | null, trailers: string): void {
    this.#connection = null;
    this.#stopwatch.endedAt = this.#clock.now();
    const response = this.#response!;
    if (this.#codings.length === 0) {
      response.complete(body!, trailers);
      this.#resolve(response);
    } else this.#decode(response, body!, trailers).then(this.#resolve, this.#reject);
  }

  onError(error: HTTPError): void {
    this.#connection = null;
    this.#reject(error);
  }

  /** Transfer codings lie outside the content codings, and are not the caller's to keep. */
  #chooseCodings(response: HTTPResponse, facts: BodyFacts): void {
    const encoding = this.#settings.decodeContent ? response.headers.get("content-encoding") : null;
    this.#codings = [...(parseCodings(encoding) ?? NONE), ...facts.transferCodings];
  }

  async #decode(response: HTTPResponse, body: Buffer, trailers: string): Promise<HTTPResponse> {
    response.complete(await decodeWhole(body, this.#codings, this.#settings), trailers);
    return response;
  }
}
