/**
 * HTTP/2 over one socket: many exchanges at once (RFC 9113). The rules are the session's; here are socket, time and owner.
 *
 *  1. A used connection without streams is written to only after one poll of the event loop: a GOAWAY or FIN that waits
 *     shows itself first (poll-barrier.ts). With streams open there is nothing to wait for.
 *  2. What the server has certainly not processed starts again elsewhere, at most twice: never written, above the last id
 *     of GOAWAY, REFUSED_STREAM (§8.7).
 *  3. It takes no more and closes with the last stream: after GOAWAY, the second refusal, an aged id, PROTOCOL_ERROR from
 *     the server, `retire`.
 *  4. After a read timeout without a sign of life it takes nothing until one comes; it is asked with PING, and dies after
 *     a second without answer, or if the socket does not take what is written. So it is if aborts have taken all places.
 *  5. Closing says GOAWAY and ends; the socket is destroyed a second later at the latest.
 */

import type { Socket } from "node:net";
import type { Clock, Timer } from "../../core/clock.ts";
import type { HTTPError } from "../../core/errors.ts";
import type { CoarseTimers } from "../../core/timers.ts";
import { trace } from "../../core/trace.ts";
import * as frames from "../../protocol/h2/frames.ts";
import { Session } from "../../protocol/h2/session.ts";
import { CLOSED } from "../../protocol/h2/stream.ts";
import { Violation } from "../../protocol/h2/violation.ts";
import type {
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
import type { ByteReceiver, SocketReader } from "../reader.ts";
import { isTlsError, toSslError } from "../tls-errors.ts";
import { Endings } from "./endings.ts";
import { brokenError, once, toHttpError, violationError } from "./errors.ts";
import { type EventsHost, SessionEvents } from "./events.ts";
import { Health, type Patient } from "./health.ts";
import type { Http2Settings } from "./settings.ts";
import { SilenceTimers } from "./silence-timers.ts";
import { Http2Stream, type StreamHost } from "./stream.ts";
import { SessionWriter } from "./writer.ts";

/** How long a closing socket may linger, in ms. */
const CLOSE_LINGER = 1000;

/** An HTTP/2 connection. */
export class Http2Connection implements Connection, EventsHost, ByteReceiver, PollEntry, StreamHost, Patient {
  readonly info: ConnectionInfo;
  readonly protocol: Protocol = "h2";
  readonly bornAt: number;
  readonly setup: ConnectionSetup;
  readonly timers: CoarseTimers;
  readonly silenceTimers: SilenceTimers;
  readonly keepAliveHint: null = null;
  exchanges: number = 0;
  readonly #settings: Http2Settings;
  readonly #socket: Socket;
  readonly #wire: Socket;
  readonly #owner: ConnectionOwner;
  readonly #clock: Clock;
  readonly #barrier: PollBarrier;
  readonly session: Session;
  readonly #writer: SessionWriter;
  readonly #health: Health;
  readonly #endings: Endings;
  #alive = true;
  #lingering = false;
  #retiring = false;
  /** The event loop has polled, and nothing else has run since: so it is at birth. */
  #polled = true;
  /** Begun, but not written before the next poll. */
  #held: Http2Stream[] = [];
  #parked = 0;
  /** `open` and `free`, as the owner knows them. */
  #knownOpen = 0;
  #knownFree = 0;
  #lingerTimer: Timer | null = null;

  constructor(socket: Socket, reader: SocketReader, settings: Http2Settings) {
    this.#settings = settings;
    this.#socket = socket;
    this.#wire = settings.wire ?? socket;
    this.#owner = settings.owner;
    this.#clock = settings.clock;
    this.timers = settings.timers;
    this.silenceTimers = new SilenceTimers(settings.timers);
    this.#barrier = settings.barrier ?? sharedBarrier;
    this.setup = settings.setup;
    this.bornAt = settings.clock.now();
    const { route, address = null } = settings;
    this.info = Object.freeze({ id: nextConnectionId(), protocol: this.protocol, route, address });
    this.#endings = new Endings(settings.owner, route);
    this.session = new Session(new SessionEvents(this, this.#endings), settings, this.bornAt);
    this.#writer = new SessionWriter(socket, this.session);
    this.#health = new Health(settings.timers, this, settings.pingInterval);
    socket.on("error", (error) => this.#onBroken(error));
    socket.on("end", () => this.#onEnd());
    socket.on("close", () => this.#onEnd());
    queueMicrotask(() => {
      this.#polled = false;
    });
    this.#writer.schedule(true);
    reader.attach(this, socket);
    this.#noteCapacity();
  }

  toString(): string {
    const { id, route } = this.info;
    if (!this.#alive) return `#${id} ${route} h2 closed`;
    const draining = this.#isDraining ? " draining" : "";
    return `#${id} ${route} h2 open=${this.open} free=${this.free}${draining}`;
  }

  // Connection

  get free(): number {
    if (!this.#alive || this.#isDraining || this.#health.suspicion !== null) return 0;
    return Math.max(0, this.session.free - this.#held.length - this.#parked);
  }

  get open(): number {
    return this.#alive ? this.session.streams.count + this.#held.length + this.#parked : 0;
  }

  start(exchange: Exchange, now?: number): Stream {
    this.exchanges++;
    const stream = new Http2Stream(this, exchange);
    if (this.#polled || this.session.streams.count > 0) this.#begin(stream, now);
    else {
      stream.held = true;
      if (this.#held.length === 0) this.#barrier.add(this);
      this.#held.push(stream);
    }
    this.#noteCapacity();
    return stream;
  }

  retire(): void {
    this.#retiring = true;
    this.#closeIfDone();
  }

  close(error?: HTTPError): void {
    if (!this.#alive) return;
    this.#die(true);
    this.#failAll(error === undefined ? () => null : once(error));
  }

  ref(): void {
    this.#wire.ref();
  }

  unref(): void {
    this.#wire.unref();
  }

  // PollEntry

  onPoll(): void {
    if (!this.#alive) return;
    const held = this.#held;
    this.#held = [];
    for (const stream of held) {
      stream.held = false;
      if (stream.exchange === null) continue;
      if (this.session.free > 0 && !this.#isDraining) this.#begin(stream, undefined);
      else this.#endings.restart(stream, this.#endings.goneError);
    }
    this.#polled = true;
    this.tellCapacity();
    this.#polled = false;
    // Whoever waited for the poll has waited long enough.
    this.#writer.flush();
  }

  // ByteReceiver

  onBytes(bytes: Buffer, length: number): boolean {
    if (!this.#alive) return this.#lingering;
    this.#health.heard();
    try {
      this.session.receive(bytes, length, this.#clock.now());
    } catch (error) {
      this.#onViolated(error);
      return this.#lingering;
    }
    if (!this.#alive) return this.#lingering;
    this.tellCapacity();
    this.#closeIfDone();
    this.#schedule();
    return true;
  }

  readInto(): null {
    return null;
  }

  // StreamHost

  consumed(stream: Http2Stream, length: number): void {
    this.session.consume(stream, length);
    this.#schedule();
  }

  send(stream: Http2Stream, part: Buffer | null, last: boolean): void {
    this.session.data(stream, part, last);
    this.#schedule();
  }

  released(_stream: Http2Stream): void {
    this.#parked--;
    if (!this.#alive) return;
    this.ref();
    this.tellCapacity();
    this.#closeIfDone();
  }

  cancelled(stream: Http2Stream, error: HTTPError | undefined): void {
    this.#drop(stream, frames.CANCEL);
    const exchange = stream.stop();
    this.tellCapacity();
    if (error !== undefined) exchange?.onError(this.#endings.described(stream, error));
    if (this.#alive && this.session.needsSign && !this.#isDraining) this.#health.ask();
    this.#closeIfDone();
  }

  silent(stream: Http2Stream, limit: number): void {
    const error = this.#endings.timeoutError(stream, limit);
    if (this.#writer.isWaiting && stream.touchedWrites === this.#writer.finished) {
      // The server does not read: not this stream nor any other.
      this.#fail(error);
      return;
    }
    const lifeless = stream.begunAtRead === this.session.reads;
    this.cancelled(stream, error);
    if (!lifeless || !this.#alive) return;
    this.#health.suspect(error);
    this.tellCapacity();
  }

  /** Whoever holds the connection beyond its answer is counted until it is released. */
  ending(stream: Http2Stream): void {
    if (this.#alive && stream.exchange!.parks) {
      stream.parked = true;
      this.#parked++;
      if (this.session.streams.count === 0) this.unref();
    }
    this.tellCapacity();
  }

  // Patient

  get isBusy(): boolean {
    return this.session.streams.count > 0;
  }

  get isAcknowledged(): boolean {
    return this.session.acknowledged;
  }

  ping(): void {
    this.session.ping();
    this.#writer.schedule(true);
  }

  given(error: HTTPError, code: number): void {
    this.#fail(error, code);
  }

  // EventsHost

  get finishedWrites(): number {
    return this.#writer.finished;
  }

  drain(): void {
    this.#retiring = true;
  }

  settingsChanged(): void {
    if (this.#alive) this.#health.allowed(this.session.peer.maxStreams);
    this.tellCapacity();
  }

  askForHttp1(): boolean {
    this.#retiring = true;
    const { onHttp1Required } = this.#settings;
    onHttp1Required?.();
    return onHttp1Required !== undefined;
  }

  tellCapacity(): void {
    if (this.#alive && this.#noteCapacity()) this.#owner.capacityChanged();
  }

  returnHeld(): void {
    const held = this.#held;
    this.#held = [];
    // The last one first: each of them is put at the head of the line.
    for (const stream of held.reverse()) {
      stream.held = false;
      this.#endings.restart(stream, this.#endings.goneError);
    }
  }

  /** Whether it is another than the owner knows. */
  #noteCapacity(): boolean {
    const { open, free } = this;
    if (open === this.#knownOpen && free === this.#knownFree) return false;
    this.#knownOpen = open;
    this.#knownFree = free;
    return true;
  }

  get #isDraining(): boolean {
    return this.#retiring || this.session.goingAway || this.session.isExhausted;
  }

  #begin(stream: Http2Stream, now: number | undefined): void {
    const exchange = stream.exchange!;
    exchange.onStart(stream);
    if (stream.exchange === null) return;
    const { body } = exchange;
    const empty = body === null || (body instanceof Uint8Array && body.length === 0);
    try {
      this.session.begin(stream, exchange.head, empty);
    } catch (error) {
      this.#refuse(stream, error);
      return;
    }
    stream.touchedWrites = this.#writer.finished;
    stream.begin(exchange, !empty, now);
    this.#schedule();
  }

  /** A head that HTTP/2 cannot send: the connection stays usable. The exchange has no stream yet. */
  #refuse(stream: Http2Stream, error: unknown): void {
    const failure = toHttpError(error);
    queueMicrotask(() => {
      stream.stop()?.onError(failure);
      this.tellCapacity();
      this.#closeIfDone();
    });
  }

  #schedule(): void {
    if (this.session.hasOutput) this.#writer.schedule(this.session.streams.count <= 1);
  }

  /** Takes a stream out of the session, or out of those that wait for the poll. */
  #drop(stream: Http2Stream, code: number): void {
    if (stream.held) {
      stream.held = false;
      this.#held = this.#held.filter((held) => held !== stream);
    } else if (stream.state !== CLOSED && this.#alive) {
      this.session.reset(stream, code);
      this.#schedule();
    }
  }

  #closeIfDone(): void {
    // Answers that have come whole need no wire to be read.
    if (this.#isDraining && this.open === this.#parked) this.close();
  }

  // The end

  #onViolated(error: unknown): void {
    if (!(error instanceof Violation)) {
      this.#fail(error);
      return;
    }
    this.#die(true);
    this.#failAll(once(violationError(error)));
  }

  #onEnd(): void {
    if (this.#alive) this.#broken("Remote end closed connection without response", undefined);
    else if (this.#lingering) this.#destroy();
  }

  #onBroken(cause: Error): void {
    if (!this.#alive) return;
    // An alert may come long after the handshake: under TLS 1.3 that is how a server refuses a client's certificate.
    if (isTlsError(cause)) this.#fail(toSslError(cause, this.#settings.peer ?? this.info.route));
    else this.#broken(cause.message, cause);
  }

  /** The wire is gone. What was never written starts again; the rest fails. */
  #broken(what: string, cause: unknown): void {
    this.#die(false);
    this.returnHeld();
    // The last one first: each of them is put at the head of the line.
    for (const stream of (this.session.streams.list() as Http2Stream[]).reverse()) {
      if (stream.id > this.session.writtenId)
        this.#endings.restart(stream, () => brokenError(false, what, cause));
    }
    this.#failAll((stream) => this.#endings.wireError(stream, what, cause));
  }

  /** The connection dies of `error`; every exchange under way hears it. */
  #fail(error: unknown, code: number = frames.NO_ERROR): void {
    if (!this.#alive) return;
    this.#die(code !== frames.NO_ERROR, code);
    this.#failAll(once(toHttpError(error)));
  }

  /** Ends every exchange under way, with an error or silently. */
  #failAll(errorOf: (stream: Http2Stream) => HTTPError | null): void {
    const held = this.#held;
    this.#held = [];
    for (const stream of [...(this.session.streams.list() as Http2Stream[]), ...held]) {
      const error = stream.exchange === null ? null : errorOf(stream);
      if (error === null) stream.stop();
      else this.#endings.fail(stream, error);
    }
  }

  /** `politely`: GOAWAY goes out with `code`, and the other end's FIN is waited for. */
  #die(politely: boolean, code: number = frames.NO_ERROR): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#health.stop();
    if (politely) this.#linger(code);
    else this.#destroy();
    if (trace.connectionClose.hasSubscribers) {
      const { id, route } = this.info;
      trace.connectionClose.publish({ connection: id, route, exchanges: this.exchanges });
    }
    this.#owner.dead();
  }

  #linger(code: number): void {
    this.#lingering = true;
    if (!this.session.failed) this.session.goAway(code);
    this.#writer.end();
    this.unref();
    this.#lingerTimer = this.#clock.setTimer(() => this.#destroy(), CLOSE_LINGER);
  }

  #destroy(): void {
    this.#lingering = false;
    this.#lingerTimer?.cancel();
    this.#writer.stop();
    this.#socket.destroy();
  }
}
