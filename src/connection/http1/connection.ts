/**
 * Drives the HTTP/1.1 parser and writer over one socket: one exchange at a time, and the decision whether the
 * connection may be used again.
 *
 * Reuse needs all of: both sides keep-alive, final status, body at its end, request fully written, nothing left over.
 * Any byte, EOF or error while no exchange is under way is the connection's death.
 */

import type { Socket } from "node:net";
import { HTTPError, ProtocolError, ReadTimeoutError } from "../../core/errors.ts";
import { type CoarseTimers, TimerEntry } from "../../core/timers.ts";
import { trace } from "../../core/trace.ts";
import { keepAliveHint } from "../../protocol/h1/framing.ts";
import type { ResponseHead } from "../../protocol/h1/response-head.ts";
import { ResponseParser, type ResponseSink } from "../../protocol/h1/response-parser.ts";
import type { BodyFacts, Connection, ConnectionOwner, ConnectionSetup, Exchange } from "../connection.ts";
import { isTlsError, toSslError } from "../tls-errors.ts";
import { BodyCollector, copyOf } from "./collector.ts";
import type { ByteReceiver, SocketReader } from "./reader.ts";
import { Upload, type UploadObserver } from "./upload.ts";

/** An answer that came before the upload ended: how long the rest of the upload may take, in ms. */
const UPLOAD_GRACE = 50;

/**
 * Bytes read at once of a streamed body of known length, straight into what the receiver gets. Larger ones are a little
 * faster, but the engine frees them late: a stream of any length is to take less than 120 MB.
 */
const STREAMED_READ = Number.parseInt(process.versions.node, 10) >= 24 ? 32_768 : 49_152;

/** Less than this is read into the shared buffer and copied. */
const SMALLEST_STREAMED_READ = 16_384;

/** How long a body waits for 100 (Continue), in ms. */
const CONTINUE_PATIENCE = 1000;

/** What a connection is made of. */
export interface Http1Settings {
  owner: ConnectionOwner;
  timers: CoarseTimers;
  /** `clock.now()` of its birth. */
  bornAt: number;
  /** bytes */
  maxHeaderSize: number;
  route: string;
  setup: ConnectionSetup;
  /** The address at the other end; `null` where there is none. */
  address?: string | null;
  /** Whom TLS is spoken with, for messages. Default: `route`. */
  peer?: string;
  /** The socket below, where TLS runs over one that a proxy has connected; else the socket itself. */
  wire?: Socket;
}

const NO_BODY = Buffer.alloc(0);

let lastId = 0;

/** An HTTP/1.1 connection. */
export class Http1Connection implements Connection, ResponseSink, ByteReceiver, BodyFacts, UploadObserver {
  readonly id: number = ++lastId;
  readonly bornAt: number;
  readonly route: string;
  readonly setup: ConnectionSetup;
  exchanges: number = 0;
  alive: boolean = true;
  keepAliveHint: number | null = null;
  readonly address: string | null;
  readonly #peer: string;
  readonly #socket: Socket;
  readonly #wire: Socket;
  readonly #owner: ConnectionOwner;
  readonly #timers: CoarseTimers;
  readonly #parser: ResponseParser;
  readonly #timer = new TimerEntry(() => this.#onTimeout());
  #exchange: Exchange | null = null;
  #collector: BodyCollector | null = null;
  /** A collected body that came in one read. */
  #whole: Buffer | null = null;
  /** The part of the body that the kernel was told to write into. */
  #direct: Buffer | null = null;
  #bytesWritten = 0;
  #paused = false;
  /** The head came in the read that is handled now. */
  #headNow = false;
  /** The answer has come, and is to be read before the connection is free. */
  #held = false;
  #grace: TimerEntry | null = null;
  #continueTimer: TimerEntry | null = null;
  #upload: Upload | null = null;

  constructor(socket: Socket, reader: SocketReader, settings: Http1Settings) {
    this.#socket = socket;
    this.#wire = settings.wire ?? socket;
    this.address = settings.address ?? null;
    this.#peer = settings.peer ?? settings.route;
    this.#owner = settings.owner;
    this.#timers = settings.timers;
    this.bornAt = settings.bornAt;
    this.route = settings.route;
    this.setup = settings.setup;
    this.#parser = new ResponseParser(this, settings.maxHeaderSize);
    reader.receiver = this;
    socket.on("error", (error) => this.#onBroken(error));
    socket.on("end", () => this.#onEnd());
    socket.on("close", () => this.#onEnd());
  }

  // Connection

  send(exchange: Exchange, now?: number): void {
    this.exchanges++;
    this.#exchange = exchange;
    this.#parser.start(exchange.bodiless);
    this.#sendRequest(exchange);
    this.#armTimer(now);
  }

  /** A reader that is slow is not the server's fault: its timeout stops too. */
  pause(): void {
    this.#paused = true;
    this.#timer.disarm();
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused || !this.alive) return;
    this.#paused = false;
    this.#armTimer();
    this.#socket.resume();
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    if (!this.alive) return;
    this.ref();
    this.#becomeFree();
  }

  close(error?: HTTPError): void {
    if (!this.alive) return;
    const exchange = this.#exchange;
    this.#die();
    if (error !== undefined) exchange?.onError(error);
  }

  isFlushed(): boolean {
    if (this.#socket.writableLength > 0) return false;
    this.#grace?.disarm();
    this.#grace = null;
    return true;
  }

  ref(): void {
    this.#wire.ref();
  }

  unref(): void {
    this.#wire.unref();
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
    if (exchange === null) {
      this.#die();
      return false;
    }
    this.#headNow = false;
    if (bytes === this.#direct) this.#takeDirect(length);
    else if (!this.#parse(bytes, length)) return false;
    if (this.#parser.done) {
      this.#finish();
      return this.alive;
    }
    if (this.#parser.inBody) exchange.onReceived(this.#parser.received);
    if (this.#paused) return false;
    if (this.#parser.inBody) this.#armTimer();
    return this.alive;
  }

  readInto(): Buffer | null {
    const { remaining } = this.#parser;
    if (remaining === 0) this.#direct = null;
    else if (this.#exchange?.collect) {
      this.#collector ??= new BodyCollector(this.bodyLength);
      this.#direct = this.#collector.rest();
    } else if (remaining < SMALLEST_STREAMED_READ) this.#direct = null;
    else this.#direct = streamedBuffer(this.#direct, Math.min(remaining, STREAMED_READ));
    return this.#direct;
  }

  // UploadObserver

  onSent(sent: number): void {
    this.#bytesWritten = (this.#exchange?.head.length ?? 0) + sent;
    if (!this.#parser.started) this.#armTimer();
    this.#exchange?.onSent(sent, false);
  }

  onUploaded(): void {
    this.#upload = null;
    if (this.#exchange === null) this.#becomeFree();
    else this.#exchange.onSent(this.#bytesWritten - this.#exchange.head.length, true);
  }

  onUploadFailed(error: HTTPError): void {
    this.#upload = null;
    if (this.#exchange === null) this.#die();
    else this.#fail(error);
  }

  // ResponseSink

  onInformational(head: ResponseHead): void {
    if (head.status === 100) this.#sendExpectedBody();
    this.#exchange?.onInformational(head);
  }

  onHead(head: ResponseHead): void {
    const exchange = this.#exchange!;
    // The final answer came instead of 100: the body stays here, and the server must not wait for it.
    if (this.#continueTimer?.armed) this.#dropExpectedBody();
    this.#headNow = true;
    exchange.onHead(head, this);
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    if (this.#collector !== null) this.#collector.add(bytes, start, end);
    else if (this.#exchange?.collect) this.#collect(bytes, start, end);
    else if (
      this.#exchange?.onBody(Buffer.from(bytes.subarray(start, end)), this.#parser.chunkEnded) === false
    ) {
      this.pause();
    }
  }

  /** The first part of a body that is to be collected: mostly all of it. */
  #collect(bytes: Buffer, start: number, end: number): void {
    const length = this.bodyLength;
    if (length === end - start) {
      this.#whole = copyOf(bytes, start, end);
      return;
    }
    this.#collector = new BodyCollector(length);
    this.#collector.add(bytes, start, end);
  }

  #armTimer(now?: number): void {
    const wait = this.#exchange?.readTimeout ?? Number.POSITIVE_INFINITY;
    if (wait !== Number.POSITIVE_INFINITY) this.#timers.arm(this.#timer, wait, now);
  }

  #sendRequest(exchange: Exchange): void {
    const { head, body } = exchange;
    this.#bytesWritten = head.length;
    if (body === null || exchange.expectContinue || !(body instanceof Uint8Array)) {
      this.#socket.write(head, "latin1");
      if (body === null) return;
      if (exchange.expectContinue) this.#awaitContinue();
      else this.#sendBody();
      return;
    }
    // One system call for both.
    this.#socket.cork();
    this.#socket.write(head, "latin1");
    this.#writeWhole(body);
    this.#socket.uncork();
  }

  #sendBody(): void {
    const body = this.#exchange?.body ?? null;
    if (body === null) return;
    if (body instanceof Uint8Array) {
      this.#writeWhole(body);
      return;
    }
    this.#upload = new Upload(this.#socket, body, this);
    void this.#upload.run();
  }

  #writeWhole(body: Uint8Array): void {
    this.#bytesWritten += body.length;
    this.#socket.write(body);
    this.#exchange?.onSent(body.length, true);
  }

  #awaitContinue(): void {
    this.#continueTimer = new TimerEntry(() => this.#sendBody());
    this.#timers.arm(this.#continueTimer, CONTINUE_PATIENCE);
  }

  #sendExpectedBody(): void {
    if (!this.#continueTimer?.armed) return;
    this.#continueTimer.disarm();
    this.#sendBody();
  }

  #dropExpectedBody(): void {
    this.#continueTimer?.disarm();
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

  #takeDirect(length: number): void {
    this.#parser.skip(length);
    if (this.#collector !== null) this.#collector.filled(length);
    else this.#giveAway(length);
  }

  /** What fills little of its buffer is copied out of it: a small part must not hold a large buffer. */
  #giveAway(length: number): void {
    const part = this.#direct!.subarray(0, length);
    const whole = length >= this.#direct!.length / 2;
    if (whole) this.#direct = null;
    if (this.#exchange?.onBody(whole ? part : Buffer.from(part), false) === false) this.pause();
  }

  /** The answer is complete. */
  #finish(): void {
    const exchange = this.#exchange!;
    const body = exchange.collect ? (this.#whole ?? this.#collector?.finish() ?? NO_BODY) : null;
    this.#exchange = null;
    this.#collector = this.#whole = null;
    this.#timer.disarm();
    this.resume();
    this.keepAliveHint = keepAliveHint(this.#parser.head);
    if (!this.#parser.persistent || !exchange.persistent) this.#die();
    else {
      if (this.#upload !== null || this.#socket.writableLength > 0) this.#startGrace();
      if (exchange.holds) this.#hold();
      else this.#becomeFree();
    }
    exchange.onEnd(body, this.#parser.trailers, this.#headNow);
  }

  /** All has come: what is still to be read here needs no process that stays alive. */
  #hold(): void {
    this.#held = true;
    this.unref();
  }

  #becomeFree(): void {
    if (this.#upload === null && !this.#held) this.#owner.idle();
  }

  /** The answer came before the request was written: the connection is kept only if that ends soon. */
  #startGrace(): void {
    this.#grace = new TimerEntry(() => this.#die());
    this.#timers.arm(this.#grace, UPLOAD_GRACE);
  }

  #onTimeout(): void {
    const wait = this.#exchange?.readTimeout;
    this.#fail(
      new ReadTimeoutError(`Read timed out. (read timeout=${wait} ms)`, {
        phase: this.#parser.inBody ? "body" : "head",
      }),
    );
  }

  #onEnd(): void {
    if (!this.alive) return;
    if (this.#exchange === null) {
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
    if (!this.alive) return;
    if (isTlsError(cause)) {
      // An alert may come long after the handshake: under TLS 1.3 that is how a server refuses a client's certificate.
      this.#fail(toSslError(cause, this.#peer));
      return;
    }
    const where = this.#parser.inBody ? "Connection broken" : "Connection aborted";
    const phase = this.#parser.inBody ? "body" : "head";
    this.#fail(new ProtocolError(`${where}: ${cause.message}`, { cause, phase }));
  }

  /** The exchange fails and the connection dies; the error learns the facts that decide about another try. */
  #fail(error: unknown): void {
    const failure =
      error instanceof HTTPError
        ? error
        : new ProtocolError(`Connection aborted: ${error}`, { cause: error });
    const exchange = this.#exchange;
    failure.describe({
      reused: this.exchanges > 1,
      bytesWritten: this.#bytesWritten,
      responseStarted: this.#parser.started,
      route: this.route,
    });
    this.#die();
    exchange?.onError(failure);
  }

  #die(): void {
    if (!this.alive) return;
    this.alive = false;
    this.#exchange = null;
    this.#collector = null;
    this.#timer.disarm();
    this.#grace?.disarm();
    this.#continueTimer?.disarm();
    this.#upload?.stop();
    this.#socket.destroy();
    if (trace.connectionClose.hasSubscribers) {
      trace.connectionClose.publish({ connection: this.id, route: this.route, exchanges: this.exchanges });
    }
    this.#owner.dead();
  }
}

/** A buffer for the receiver to keep, of no more than what is left of the body; `last` if it was not given away. */
function streamedBuffer(last: Buffer | null, size: number): Buffer {
  if (last === null || last.length < size) return Buffer.allocUnsafeSlow(size);
  return last.length === size ? last : last.subarray(0, size);
}
