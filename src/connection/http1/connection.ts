/**
 * HTTP/1.1 over one socket: one exchange at a time, and the decision whether the connection may be used again.
 *
 * Two states say what it does; `toString` shows them.
 *
 *  read   idle      nobody is answered
 *         head      the answer's head is awaited, or comes
 *         body      the answer's body comes
 *         parked    the answer has come, and is to be read before the connection is free
 *  write  idle      nothing is to be written
 *         held      an exchange has begun and is written after one poll of the event loop
 *         awaiting  the head is written, the body waits for 100 (Continue)
 *         sending   the body is being sent
 *         grace     the answer came before the body was sent: 50 ms are left for that
 *         flushing  the answer has come: the connection rests for one poll, and until all that was sent has left
 *
 * Bytes, EOF or an error while no answer is awaited are the connection's death: they must never be taken for the next
 * answer. So a used connection is written to only after one whole poll of the event loop (poll-barrier.ts).
 */

import type { Socket } from "node:net";
import { HTTPError, ProtocolError, ReadTimeoutError } from "../../core/errors.ts";
import { type CoarseTimers, TimerEntry } from "../../core/timers.ts";
import { trace } from "../../core/trace.ts";
import { keepAliveHint } from "../../protocol/h1/framing.ts";
import { encodeChunked, writeHead } from "../../protocol/h1/request-writer.ts";
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
import { ReadTimer, type ReadWatch } from "../read-timer.ts";
import { isTlsError, toSslError } from "../tls-errors.ts";
import { BodyCollector, copyOf } from "./collector.ts";
import { type PollBarrier, type PollEntry, sharedBarrier } from "./poll-barrier.ts";
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

/** A larger body in memory is sent like a streamed one: its progress counts against the read timeout. In bytes. */
const LARGEST_WHOLE_WRITE = 262_144;

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
  barrier?: PollBarrier;
}

type ReadState = "idle" | "head" | "body" | "parked";
type WriteState = "idle" | "held" | "awaiting" | "sending" | "grace" | "flushing";

/** What becomes of a connection whose exchange has ended. */
type Next = "close" | "wait" | "rest";

/** The rule of reuse: both sides keep it open, the answer was read to its end, the request was or soon is written. */
function afterExchange(read: ReadState, write: WriteState, keepAlive: boolean): Next {
  if (!keepAlive) return "close";
  return read === "parked" || write === "sending" || write === "grace" ? "wait" : "rest";
}

const NO_BODY = Buffer.alloc(0);

let lastId = 0;

/** An HTTP/1.1 connection, and the stream of the one exchange that it carries at a time. */
export class Http1Connection
  implements Connection, Stream, ResponseSink, ByteReceiver, BodyFacts, UploadObserver, PollEntry, ReadWatch
{
  readonly info: ConnectionInfo;
  readonly protocol: Protocol = "http/1.1";
  readonly bornAt: number;
  readonly setup: ConnectionSetup;
  exchanges: number = 0;
  keepAliveHint: number | null = null;
  readonly address: string | null;
  readonly #peer: string;
  readonly #socket: Socket;
  readonly #wire: Socket;
  readonly #owner: ConnectionOwner;
  readonly #timers: CoarseTimers;
  readonly #barrier: PollBarrier;
  readonly #parser: ResponseParser;
  readonly #readTimer: ReadTimer;
  #alive = true;
  #read: ReadState = "idle";
  #write: WriteState = "idle";
  /** The event loop has polled, and nothing else has run since: so it is at birth. */
  #polled = true;
  #retiring = false;
  #exchange: Exchange | null = null;
  #collector: BodyCollector | null = null;
  /** A collected body that came in one read. */
  #whole: Buffer | null = null;
  /** The part of the body that the kernel was told to write into. */
  #direct: Buffer | null = null;
  #headLength = 0;
  #bytesWritten = 0;
  #paused = false;
  /** The head came in the read that is handled now. */
  #headNow = false;
  /** Waits for 100 (Continue), or for the end of an upload. */
  #writeTimer: TimerEntry | null = null;
  #upload: Upload | null = null;

  constructor(socket: Socket, reader: SocketReader, settings: Http1Settings) {
    this.#socket = socket;
    this.#wire = settings.wire ?? socket;
    this.address = settings.address ?? null;
    this.#peer = settings.peer ?? settings.route;
    this.#owner = settings.owner;
    this.#timers = settings.timers;
    this.#barrier = settings.barrier ?? sharedBarrier;
    this.bornAt = settings.bornAt;
    const { route, address = null } = settings;
    this.info = Object.freeze({ id: ++lastId, protocol: this.protocol, route, address });
    this.setup = settings.setup;
    this.#parser = new ResponseParser(this, settings.maxHeaderSize);
    this.#readTimer = new ReadTimer(settings.timers, this);
    reader.receiver = this;
    socket.on("error", (error) => this.#onBroken(error));
    socket.on("end", () => this.#onEnd());
    socket.on("close", () => this.#onEnd());
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

  start(exchange: Exchange, now?: number): Stream {
    this.exchanges++;
    this.#exchange = exchange;
    this.#read = "head";
    if (this.#polled) this.#send(exchange, now);
    else {
      this.#write = "held";
      this.#barrier.add(this);
    }
    return this;
  }

  retire(): void {
    this.#retiring = true;
    if (this.open === 0) this.close();
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
    this.#proceed(!this.#retiring);
  }

  /** Nothing has been sent of an exchange that is held: the connection is as good as before. */
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
    this.#writeTimer?.disarm();
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
    if (bytes === this.#direct) this.#takeDirect(length);
    else if (!this.#parse(bytes, length)) return false;
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
    this.#bytesWritten = this.#headLength + sent;
    if (!this.#parser.started) this.#readTimer.touch();
    this.#exchange?.onSent(sent, false);
  }

  onUploaded(): void {
    this.#upload = null;
    const exchange = this.#exchange;
    if (exchange !== null) {
      this.#write = "idle";
      if (!this.#parser.started) this.#readTimer.touch();
      exchange.onSent(this.#bytesWritten - this.#headLength, true);
    } else {
      this.#write = "flushing";
      this.#barrier.add(this);
      if (this.#read === "idle") this.#owner.capacityChanged();
    }
  }

  onUploadFailed(error: HTTPError): void {
    this.#upload = null;
    if (this.#exchange === null) this.#die();
    else this.#fail(error);
  }

  // ReadWatch

  awaitsSource(): boolean {
    return this.#upload?.awaitsSource ?? false;
  }

  onSilence(limit: number): void {
    const sending = this.#upload !== null && !this.#parser.started;
    const what = sending ? "The server takes no more of the request body. " : "";
    this.#fail(
      new ReadTimeoutError(`${what}Read timed out. (read timeout=${limit} ms)`, {
        phase: sending ? "write" : this.#read === "body" ? "body" : "head",
      }),
    );
  }

  // ResponseSink

  onInformational(head: ResponseHead): void {
    if (head.status === 100) this.#sendExpectedBody();
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

  #send(exchange: Exchange, now?: number): void {
    exchange.onStart(this);
    this.#parser.start(exchange.head.method === "HEAD");
    const head = writeHead(exchange.head);
    this.#headLength = this.#bytesWritten = head.length;
    this.#write = "idle";
    if (exchange.body === null) this.#socket.write(head, "latin1");
    else this.#sendWithBody(exchange, head);
    if (this.#exchange === exchange) this.#readTimer.start(exchange.readTimeout, now);
  }

  #sendWithBody(exchange: Exchange, head: string): void {
    // One system call for head and body; and over a stream in memory the answer comes during the write.
    this.#socket.cork();
    this.#socket.write(head, "latin1");
    if (exchange.expectContinue) this.#awaitContinue();
    else this.#sendBody(exchange);
    this.#socket.uncork();
  }

  #sendBody(exchange: Exchange): void {
    const chunked = exchange.head.framing === "chunked";
    const body = exchange.body!;
    if (!(body instanceof Uint8Array)) this.#stream(body, chunked);
    else if (body.length > LARGEST_WHOLE_WRITE)
      this.#stream({ length: body.length, open: () => [body] }, chunked);
    else {
      this.#write = "idle";
      this.#bytesWritten += body.length;
      this.#socket.write(chunked ? encodeChunked(body) : body);
      exchange.onSent(body.length, true);
    }
  }

  #stream(body: Exclude<Exchange["body"], Uint8Array | null>, chunked: boolean): void {
    this.#write = "sending";
    this.#upload = new Upload(this.#socket, body, chunked, this);
    void this.#upload.run();
  }

  #awaitContinue(): void {
    this.#write = "awaiting";
    this.#writeTimer = new TimerEntry(() => this.#sendExpectedBody());
    this.#timers.arm(this.#writeTimer, CONTINUE_PATIENCE);
  }

  #sendExpectedBody(): void {
    if (this.#write !== "awaiting") return;
    this.#writeTimer?.disarm();
    this.#sendBody(this.#exchange!);
  }

  #dropExpectedBody(): void {
    this.#writeTimer?.disarm();
    this.#write = "idle";
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
    const parser = this.#parser;
    const body = exchange.collect ? (this.#whole ?? this.#collector?.finish() ?? NO_BODY) : null;
    this.#exchange = null;
    this.#collector = this.#whole = null;
    this.#readTimer.stop();
    this.resume();
    this.keepAliveHint = keepAliveHint(parser.reader);
    this.#read = exchange.parks ? "parked" : "idle";
    // All has come: what is still to be read here needs no process that stays alive.
    if (exchange.parks) this.unref();
    this.#proceed(parser.persistent && exchange.persistent && !this.#retiring);
    exchange.onEnd(body, parser.trailers, this.#headNow);
  }

  /** No exchange is under way: what now? */
  #proceed(keepAlive: boolean): void {
    if (this.#write === "sending") this.#write = "grace";
    else if (this.#write === "idle") this.#rest();
    if (this.#write === "grace" || this.#socket.writableLength > 0) this.#limitWriting();
    const next = afterExchange(this.#read, this.#write, keepAlive);
    if (next === "close") this.#die();
    else if (next === "rest") this.#owner.capacityChanged();
  }

  #rest(): void {
    this.#write = "flushing";
    this.#barrier.add(this);
  }

  /** The answer came before the request was written: the connection is kept only if that ends soon. */
  #limitWriting(): void {
    if (this.#writeTimer?.armed) return;
    this.#writeTimer = new TimerEntry(() => this.#die());
    this.#timers.arm(this.#writeTimer, UPLOAD_GRACE);
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
    if (isTlsError(cause)) {
      // An alert may come long after the handshake: under TLS 1.3 that is how a server refuses a client's certificate.
      this.#fail(toSslError(cause, this.#peer));
      return;
    }
    const inBody = this.#read === "body";
    const where = inBody ? "Connection broken" : "Connection aborted";
    this.#fail(new ProtocolError(`${where}: ${cause.message}`, { cause, phase: inBody ? "body" : "head" }));
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
      bytesWritten: this.#bytesWritten,
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
    this.#collector = null;
    this.#readTimer.stop();
    this.#writeTimer?.disarm();
    this.#upload?.stop();
    this.#socket.destroy();
    if (trace.connectionClose.hasSubscribers) {
      trace.connectionClose.publish({
        connection: this.info.id,
        route: this.info.route,
        exchanges: this.exchanges,
      });
    }
    this.#owner.dead();
    if (unsent !== null) this.#owner.unsent(unsent);
  }
}

/** A buffer for the receiver to keep, of no more than what is left of the body; `last` if it was not given away. */
function streamedBuffer(last: Buffer | null, size: number): Buffer {
  if (last === null || last.length < size) return Buffer.allocUnsafeSlow(size);
  return last.length === size ? last : last.subarray(0, size);
}
