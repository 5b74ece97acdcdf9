/** A connection without a socket: its exchanges are answered by routes. One at a time, as in HTTP/1.1. */

import type {
  Connection,
  ConnectionInfo,
  ConnectionOwner,
  Exchange,
  Stream,
} from "../connection/connection.ts";
import {
  type Clock,
  HTTPError,
  IncompleteRead,
  NewConnectionError,
  ProtocolError,
  ReadTimeoutError,
  type Timer,
} from "../index.ts";
import { bodyOf, type MockAnswer } from "./answer.ts";
import { MockHead } from "./mock-head.ts";

/** Answers one exchange; rejects with an `HTTPError` where it is not expected. */
export type Answering = (exchange: Exchange) => Promise<MockAnswer>;

/** Counts down: the number of a mocked connection is never that of a real one. */
let last = 0;

/** What a connection needs of a clock. */
type Time = Pick<Clock, "now" | "setTimer">;

/** One wire that is none. */
export class MockConnection implements Connection, Stream {
  readonly info: ConnectionInfo;
  readonly protocol = "http/1.1";
  readonly setup = { dns: 0, connect: 0, tls: null } as const;
  readonly bornAt: number;
  exchanges: number = 0;
  keepAliveHint: number | null = null;
  readonly #owner: ConnectionOwner;
  readonly #clock: Time;
  readonly #answering: Answering;
  #exchange: Exchange | null = null;
  #alive = true;
  #retired = false;
  #resume: (() => void) | null = null;
  #paused = false;
  #readTimer: Timer | null = null;

  constructor(owner: ConnectionOwner, clock: Time, route: string, answering: Answering) {
    this.#owner = owner;
    this.#clock = clock;
    this.bornAt = clock.now();
    this.#answering = answering;
    this.info = Object.freeze({ id: --last, protocol: this.protocol, route, address: null });
  }

  get free(): number {
    return this.#alive && !this.#retired && this.#exchange === null ? 1 : 0;
  }

  get open(): number {
    return this.#exchange === null ? 0 : 1;
  }

  start(exchange: Exchange): Stream {
    this.#exchange = exchange;
    this.exchanges += 1;
    exchange.onStart(this);
    const { readTimeout } = exchange;
    if (Number.isFinite(readTimeout)) {
      this.#readTimer = this.#clock.setTimer(() => this.#timedOut(readTimeout), readTimeout, true);
    }
    void this.#run(exchange);
    return this;
  }

  retire(): void {
    this.#retired = true;
    if (this.#exchange === null) this.close();
  }

  close(error?: HTTPError): void {
    this.#fail(error);
  }

  ref(): void {}

  unref(): void {}

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#resume?.();
    this.#resume = null;
  }

  release(): void {}

  cancel(error?: HTTPError): void {
    this.#fail(error);
  }

  async #run(exchange: Exchange): Promise<void> {
    try {
      const answer = await this.#answering(exchange);
      if (answer.delay !== undefined) await pass(this.#clock, answer.delay);
      if (this.#exchange === exchange) await this.#give(exchange, answer);
    } catch (error) {
      if (this.#exchange === exchange) this.#fail(failureOf(error));
    }
  }

  async #give(exchange: Exchange, answer: MockAnswer): Promise<void> {
    if (answer.fault === "stall") return;
    if (answer.fault === "reset") {
      this.#fail(new ProtocolError("Connection aborted: reset by the mocked origin", { phase: "head" }));
      return;
    }
    if (answer.fault === "refuse") {
      this.#fail(new NewConnectionError("Connection refused by the mocked origin", { phase: "connect" }));
      return;
    }
    const full = bodyOf(answer);
    const length = hasNoBody(exchange.head.method, answer.status ?? 200) ? 0 : full.length;
    exchange.onHead(new MockHead(answer, full.length), {
      bodyLength: length,
      chunked: false,
      transferCodings: [],
    });
    const cut = answer.fault === "close-mid-body" ? (answer.after ?? length >> 1) : length;
    const body = full.subarray(0, cut);
    if (this.#exchange !== exchange) return;
    exchange.onReceived(body.length);
    if (!exchange.collect && body.length > 0 && !exchange.onBody(body, false)) this.#paused = true;
    if (this.#paused) await new Promise<void>((resolve) => (this.#resume = resolve));
    if (this.#exchange !== exchange) return;
    if (cut < length) this.#fail(new IncompleteRead(cut, length - cut));
    else this.#end(exchange, exchange.collect ? body : null);
  }

  #end(exchange: Exchange, body: Buffer | null): void {
    this.#stop();
    if (this.#retired || !exchange.persistent) this.#die();
    else this.#owner.capacityChanged();
    exchange.onEnd(body, null, false);
  }

  #timedOut(limit: number): void {
    const text = `Read timed out. (read timeout=${limit} ms)`;
    this.#fail(new ReadTimeoutError(text, { phase: "head" }));
  }

  #fail(error: HTTPError | undefined): void {
    const exchange = this.#exchange;
    this.#stop();
    this.#die();
    if (error !== undefined) exchange?.onError(error);
  }

  #stop(): void {
    this.#readTimer?.cancel();
    this.#readTimer = null;
    this.#exchange = null;
    this.resume();
  }

  #die(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#owner.dead();
  }
}

/** A mistake of the test is not sent again, as any other failure might be. */
function failureOf(cause: unknown): HTTPError {
  if (cause instanceof HTTPError) return cause;
  return new HTTPError(`The mocked origin failed: ${cause}`, { cause, phase: "request" });
}

/** Whether an answer has the fields of a body, but no body (RFC 9110 §6.4.1). */
export function hasNoBody(method: string, status: number): boolean {
  return method === "HEAD" || status === 204 || status === 304;
}

/** Resolves after `ms`. */
export function pass(clock: Pick<Clock, "setTimer">, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.setTimer(resolve, ms, true));
}
