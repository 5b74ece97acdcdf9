/**
 * HTTP/1.1 over one socket: one exchange at a time. Its two states are described in states.ts; `toString` shows them.
 *
 * Bytes, EOF or an error while no answer is awaited are the connection's death: they must never be taken for the next
 * answer. So a used connection is written to only after one whole poll of the event loop (poll-barrier.ts).
 */

import type { Socket } from "node:net";
import { HTTPError, ProtocolError, ReadTimeoutError } from "../../core/errors.ts";
import { type CoarseTimers, TimerEntry } from "../../core/timers.ts";
import { trace } from "../../core/trace.ts";
import { keepAliveHint } from "../../protocol/h1/framing.ts";
import { ResponseParser, type ResponseSink } from "../../protocol/h1/response-parser.ts";
import type { ResponseHead } from "../../protocol/response-head.ts";
import type {
  BodyFacts,
  Connection,
  ConnectionInfo,
  ConnectionOwner,
  ConnectionSetup,
  Exchange,
  Protocol,
  Stream,
} from "../connection.ts";
import { nextConnectionId } from "../connection-id.ts";
import { type PollBarrier, type PollEntry, sharedBarrier } from "../poll-barrier.ts";
import { ReadTimer, type ReadWatch } from "../read-timer.ts";
import type { ByteReceiver, SocketReader } from "../reader.ts";
import { wireError } from "../tls-errors.ts";
import { AnswerBody } from "./answer-body.ts";
import { RequestSender, type SendOwner, type SendState } from "./request-sender.ts";
import {
  afterExchange,
  type Http1Settings,
  type ReadState,
  UPLOAD_GRACE,
  type WriteState,
} from "./states.ts";

export type { Http1Settings } from "./states.ts";

/** An HTTP/1.1 connection, and the stream of the one exchange that it carries at a time. */
export class Http1Connection
  implements Connection, Stream, ResponseSink, ByteReceiver, BodyFacts, SendOwner, PollEntry, ReadWatch
{
  readonly info: ConnectionInfo;
  readonly protocol: Protocol = "http/1.1";
  readonly bornAt: number;
  readonly setup: ConnectionSetup;
  exchanges: number = 0;
  keepAliveHint: number | null = null;
  readonly #peer: string;
  readonly #socket: Socket;
  readonly #wire: Socket;
  readonly #owner: ConnectionOwner;
  readonly #timers: CoarseTimers;
  readonly #barrier: PollBarrier;
  readonly #parser: ResponseParser;
  readonly #readTimer: ReadTimer;
  readonly #sender: RequestSender;
  readonly #body: AnswerBody = new AnswerBody();
  #alive = true;
  #read: ReadState = "idle";
  #write: WriteState = "idle";
  /** The event loop has polled, and nothing else has run since: so it is at birth. */
  #polled = true;
  #retiring = false;
  #exchange: Exchange | null = null;
  #paused = false;
  /** The head came in the read that is handled now. */
  #headNow = false;
  /** How long an upload may still take after the answer. */
  #grace: TimerEntry | null = null;

  constructor(socket: Socket, reader: SocketReader, settings: Http1Settings) {
    this.#socket = socket;
    this.#wire = settings.wire ?? socket;
    this.#peer = settings.peer ?? settings.route;
    this.#owner = settings.owner;
    this.#timers = settings.timers;
    this.#barrier = settings.barrier ?? sharedBarrier;
    this.bornAt = settings.bornAt;
    const { route, address = null } = settings;
    this.info = Object.freeze({ id: nextConnectionId(), protocol: this.protocol, route, address });
    this.setup = settings.setup;
    this.#parser = new ResponseParser(this, settings.maxHeaderSize, settings.headReader);
    this.#readTimer = new ReadTimer(settings.timers, this);
    this.#sender = new RequestSender(socket, settings.timers, this);
    reader.receiver = this;
    socket.on("error", (error) => this.#onBroken(error));
    const onEnd = (): void => this.#onEnd();
    socket.on("end", onEnd);
    socket.on("close", onEnd);
    queueMicrotask(() => {
      this.#polled = false;
    });
  }

  toString(): string {
    const state = this.#alive ? `read=${this.#read} write=${this.#write}` : "closed";
    return `#${this.info.id} ${this.info.route} ${state}`;
  }

  // Connection

  get free(): number {
    return this.#alive && !this.#retiring && this.#read === "idle" && this.#write === "idle" ? 1 : 0;
  }

  get open(): number {
    if (!this.#alive) return 0;
    return this.#read === "idle" && (this.#write === "idle" || this.#write === "flushing") ? 0 : 1;
  }

  start(exchange: Exchange): Stream {
    this.exchanges++;
    this.#exchange = exchange;
    this.#read = "head";
    if (this.#polled) this.#send(exchange);
    else {
      this.#write = "held";
      this.#barrier.add(this);
    }
    return this;
  }

  retire(): void {
    this.#retiring = true;
    // An answer that has come whole needs no wire to be read, nor the rest of an upload that it came before.
    if (this.#exchange === null) this.close();
  }

  close(error?: HTTPError): void {
    if (!this.#alive) return;
    const exchange = this.#exchange;
    // It hears of this, or does not care: it is not to start again.
    this.#exchange = null;
    this.#die();
    if (error !== undefined) exchange?.onError(error);
  }

  ref(): void {
    this.#wire.ref();
  }

  unref(): void {
    this.#wire.unref();
  }

  // Stream

  /** A reader that is slow is not the server's fault: its timeout stops too. */
  pause(): void {
    this.#paused = true;
    this.#readTimer.stop();
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused || !this.#alive) return;
    this.#paused = false;
    if (this.#exchange !== null) this.#readTimer.touch();
    this.#socket.resume();
  }

  release(): void {
    if (this.#read !== "parked" || !this.#alive) return;
    this.#read = "idle";
    this.ref();
    this.#proceed(true);
  }

  /** Nothing of a held exchange was sent: the connection stays usable. */
  cancel(error?: HTTPError): void {
    if (this.#write !== "held" || !this.#alive) {
      if (error === undefined) this.close();
      else if (this.#alive) this.#fail(error);
      return;
    }
    const exchange = this.#exchange;
    this.#exchange = null;
    this.#read = "idle";
    // It stands in the barrier already.
    this.#write = "flushing";
    this.#owner.capacityChanged();
    if (error !== undefined) exchange?.onError(error);
  }

  // PollEntry

  onPoll(): void {
    if (!this.#alive) return;
    if (this.#write === "held") {
      this.#send(this.#exchange!);
      return;
    }
    if (this.#write !== "flushing") return;
    if (this.#socket.writableLength > 0) {
      this.#barrier.add(this);
      return;
    }
    this.#grace?.disarm();
    this.#write = "idle";
    if (this.#read !== "idle") return;
    this.#polled = true;
    this.#owner.capacityChanged();
    this.#polled = false;
  }

  // BodyFacts

  get bodyLength(): number | null {
    const { framing, contentLength } = this.#parser;
    if (framing === "none") return 0;
    return framing === "length" ? contentLength : null;
  }

  get chunked(): boolean {
    return this.#parser.framing === "chunked";
  }

  get transferCodings(): readonly string[] {
    return this.#parser.transferCodings;
  }

  // ByteReceiver

  onBytes(bytes: Buffer, length: number): boolean {
    const exchange = this.#exchange;
    // Nobody asked: whatever it is, it must never be taken for an answer.
    if (exchange === null || this.#write === "held") {
      this.#die();
      return false;
    }
    this.#headNow = false;
    if (this.#body.isDirect(bytes)) this.#takeDirect(length);
    else if (!this.#parse(bytes, length)) return false;
    // The receiver may have given up during the call.
    if (this.#exchange !== exchange) return false;
    if (this.#parser.done) {
      this.#finish();
      return this.#alive;
    }
    if (this.#parser.inBody) exchange.onReceived(this.#parser.received);
    if (this.#paused) return false;
    if (this.#alive) this.#readTimer.touch();
    return this.#alive;
  }

  readInto(): Buffer | null {
    return this.#body.readInto(this.#parser.remaining, this.#exchange, this.bodyLength);
  }

  // SendOwner

  sendState(state: SendState): void {
    this.#write = state;
  }

  onPart(): void {
    if (!this.#parser.started) this.#readTimer.touch();
  }

  onUploaded(): void {
    if (this.#exchange !== null) {
      this.#write = "idle";
      this.onPart();
      return;
    }
    this.#flush();
    if (this.#read === "idle") this.#owner.capacityChanged();
  }

  onUploadFailed(error: HTTPError): void {
    if (this.#exchange === null) this.#die();
    else this.#fail(error);
  }

  // ReadWatch

  awaitsSource(): boolean {
    return this.#sender.awaitsSource;
  }

  onSilence(limit: number): void {
    const sending = this.#sender.uploading && !this.#parser.started;
    const what = sending ? "The server takes no more of the request body. " : "";
    this.#fail(
      new ReadTimeoutError(`${what}Read timed out. (read timeout=${limit} ms)`, {
        phase: sending ? "write" : this.#read === "body" ? "body" : "head",
      }),
    );
  }

  // ResponseSink

  onInformational(head: ResponseHead): void {
    if (head.status === 100) this.#sender.proceed();
    this.#exchange?.onInformational(head);
  }

  onHead(head: ResponseHead): void {
    const exchange = this.#exchange!;
    this.#read = "body";
    // The final answer came instead of 100: the body stays here, and the server must not wait for it.
    if (this.#write === "awaiting") this.#dropExpectedBody();
    this.#headNow = true;
    exchange.onHead(head, this);
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    if (exchange.collect) this.#body.collect(bytes, start, end, this.bodyLength, exchange.into);
    else this.#give(Buffer.from(bytes.subarray(start, end)), this.#parser.chunkEnded);
  }

  #give(part: Buffer, endsChunk: boolean): void {
    if (this.#exchange?.onBody(part, endsChunk) === false) this.pause();
  }

  #takeDirect(length: number): void {
    this.#parser.skip(length);
    const part = this.#body.takeDirect(length);
    if (part !== null) this.#give(part, false);
  }

  #send(exchange: Exchange): void {
    const now = exchange.onStart(this);
    this.#parser.start(exchange.head.method === "HEAD");
    this.#sender.send(exchange);
    if (this.#exchange === exchange) this.#readTimer.start(exchange.readTimeout, now);
  }

  #dropExpectedBody(): void {
    this.#sender.dropBody();
    this.#parser.persistent = false;
  }

  /** False if the bytes broke the protocol. */
  #parse(bytes: Buffer, length: number): boolean {
    let used: number;
    try {
      used = this.#parser.execute(bytes, 0, length);
    } catch (error) {
      this.#fail(error);
      return false;
    }
    // Bytes behind the answer were not asked for: this answer stands, the connection does not.
    if (used < length) this.#parser.persistent = false;
    return this.#exchange !== null;
  }

  /** The answer is complete. */
  #finish(): void {
    const exchange = this.#exchange!;
    const parser = this.#parser;
    const body = exchange.collect ? this.#body.finish() : null;
    this.#exchange = null;
    this.#sender.release();
    this.#readTimer.stop();
    this.resume();
    this.keepAliveHint = keepAliveHint(parser.keepAlive);
    this.#read = exchange.parks ? "parked" : "idle";
    // All has come: what is still to be read here needs no process that stays alive.
    if (exchange.parks) this.unref();
    if (this.#retiring) this.#die();
    else this.#proceed(parser.persistent && exchange.persistent);
    exchange.onEnd(body, parser.trailers, this.#headNow);
  }

  /** No exchange is under way: what now? */
  #proceed(keepAlive: boolean): void {
    if (this.#write === "sending") this.#write = "grace";
    else if (this.#write === "idle") this.#flush();
    if (this.#write === "grace" || this.#socket.writableLength > 0) this.#limitWriting();
    const next = afterExchange(this.#read, this.#write, keepAlive);
    if (next === "close") this.#die();
    else if (next === "rest") this.#owner.capacityChanged();
  }

  #flush(): void {
    this.#write = "flushing";
    this.#barrier.add(this);
  }

  /** The answer came before the request was written: the connection is kept only if that ends soon. */
  #limitWriting(): void {
    if (this.#grace?.armed) return;
    this.#grace = new TimerEntry(() => this.#die());
    this.#timers.arm(this.#grace, UPLOAD_GRACE);
  }

  #onEnd(): void {
    if (!this.#alive) return;
    if (this.#exchange === null || this.#write === "held") {
      this.#die();
      return;
    }
    this.#headNow = false;
    try {
      this.#parser.finish();
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#finish();
  }

  #onBroken(cause: Error): void {
    if (!this.#alive) return;
    this.#fail(wireError(cause, this.#read === "body", this.#peer));
  }

  /** The exchange fails and the connection dies; the error learns the facts that decide about another try. */
  #fail(error: unknown): void {
    const failure =
      error instanceof HTTPError
        ? error
        : new ProtocolError(`Connection aborted: ${error}`, { cause: error });
    const exchange = this.#write === "held" ? null : this.#exchange;
    failure.describe({
      reused: this.exchanges > 1,
      bytesWritten: this.#sender.bytesWritten,
      responseStarted: this.#parser.started,
      route: this.info.route,
    });
    this.#die();
    exchange?.onError(failure);
  }

  /** An exchange of which nothing was sent is given back; who cares for another one has to be told. */
  #die(): void {
    if (!this.#alive) return;
    this.#alive = false;
    const unsent = this.#write === "held" ? this.#exchange : null;
    this.#exchange = null;
    this.#body.clear();
    this.#readTimer.stop();
    this.#grace?.disarm();
    this.#sender.stop();
    this.#socket.destroy();
    if (trace.connectionClose.hasSubscribers) {
      const { id: connection, route } = this.info;
      trace.connectionClose.publish({ connection, route, exchanges: this.exchanges });
    }
    this.#owner.dead();
    if (unsent !== null) this.#owner.unsent(unsent);
  }
}
