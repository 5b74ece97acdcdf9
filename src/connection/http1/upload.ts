/**
 * Sends a streamed request body over a socket, as fast as the socket takes it and no faster.
 *
 * A server that does not want an upload answers and closes; what is written after that fails. Node then destroys the
 * socket with the answer unread in it. So failures to write to a peer that has closed are not errors here: the read side
 * gives the answer first, and then tells that the connection is gone.
 */

import type { Socket } from "node:net";
import { LARGE_PART } from "../../body/request/payload.ts";
import { sourceError } from "../../body/request/sources.ts";
import type { Clock } from "../../core/clock.ts";
import type { RequestBodyError } from "../../core/errors.ts";
import { type BodyStream, SLICE, UploadSource } from "../upload-source.ts";
import { SlicePace } from "./slice-pace.ts";

/** Who is told how it goes. */
export interface UploadObserver {
  /** `sent` bytes of the body have been given to the socket. */
  onSent(sent: number): void;
  /** All of it was given to the socket. */
  onUploaded(): void;
  onUploadFailed(error: RequestBodyError): void;
}

/** Bytes that the socket may hold before the source has to wait. It is above Node's own mark: 'drain' will come. */
const HIGH_WATER = LARGE_PART;

/**
 * Parts that the source has at hand go out together, up to so many bytes and parts: one system call, and one wake-up of
 * the peer, cost a fifth less than many.
 */
const BATCH_BYTES = 524_288;
const BATCH_PARTS = 256;

/** One upload. */
export class Upload {
  readonly #socket: Socket;
  readonly #stream: BodyStream;
  readonly #chunked: boolean;
  readonly #observer: UploadObserver;
  readonly #clock: Clock;
  readonly #pace = new SlicePace();
  #source: UploadSource | null = null;
  #chunkEnd = "";
  /** What waits for the rest of its batch. */
  #batchBytes = 0;
  #batchParts = 0;
  #stopped = false;
  #wake: (() => void) | null = null;

  /** `chunked`: with the framing of RFC 9112 §7.1. */
  constructor(socket: Socket, stream: BodyStream, chunked: boolean, observer: UploadObserver, clock: Clock) {
    this.#clock = clock;
    this.#socket = socket;
    this.#stream = stream;
    this.#chunked = chunked;
    this.#observer = observer;
    tolerateClosedPeer(socket);
  }

  /** Whether the server has taken all that the source gave, and the rest is yet to come. */
  get awaitsSource(): boolean {
    return !this.#stopped && this.#batchParts === 0 && this.#socket.writableLength === 0;
  }

  /** Sends until the source ends, `stop` is called, or something fails. Never rejects. */
  async run(): Promise<void> {
    try {
      this.#source = new UploadSource(this.#stream, (error) => this.#fail(error));
      await this.#sendParts(this.#source);
      if (!this.#stopped) this.#complete();
    } catch (error) {
      this.#fail(sourceError(error));
    }
  }

  /** Nobody wants the rest: the source is told, what it says is not heard any more. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#resume();
    this.#source?.close();
  }

  async #sendParts(source: UploadSource): Promise<void> {
    for (;;) {
      const { size } = this.#pace;
      const bytes = source.takeRest(size) ?? source.accept(await source.pull(), size);
      if (bytes === null || this.#stopped) return;
      if (bytes.length === 0) continue;
      // A batch that was not full ended while the source was waited for, and nobody has asked since whether it was taken.
      if (this.#batchParts === 0 && this.#socket.writableLength > HIGH_WATER) await this.#drained();
      if (this.#stopped) return;
      const since = bytes.length < SLICE ? 0 : this.#clock.now();
      this.#write(bytes);
      // Most writes end at once: what `write` returns says no more than that the socket was given something.
      if (this.#batchParts === 0) await (this.#socket.writableLength > HIGH_WATER ? this.#drained() : turn());
      if (this.#stopped) return;
      if (bytes.length >= SLICE) this.#pace.onTaken(bytes.length, this.#clock.now() - since);
      this.#observer.onSent(source.given);
    }
  }

  /** A batch ends when it is full, with a large part, or when the source has to be waited for. */
  #write(bytes: Buffer): void {
    const socket = this.#socket;
    if (this.#batchParts === 0) {
      socket.cork();
      // A tick comes when no promise is left to settle: the source has nothing more at hand.
      process.nextTick(this.#flush);
    }
    if (this.#chunked) {
      socket.write(`${this.#chunkEnd}${bytes.length.toString(16)}\r\n`, "latin1");
      this.#chunkEnd = "\r\n";
    }
    socket.write(bytes);
    this.#batchBytes += bytes.length;
    this.#batchParts++;
    const full = this.#batchBytes >= BATCH_BYTES || this.#batchParts === BATCH_PARTS;
    if (full || bytes.length > LARGE_PART) this.#flush();
  }

  readonly #flush = (): void => {
    if (this.#batchParts === 0) return;
    this.#batchBytes = this.#batchParts = 0;
    this.#socket.uncork();
  };

  #complete(): void {
    if (this.#chunked) this.#socket.write(`${this.#chunkEnd}0\r\n\r\n`, "latin1");
    this.#flush();
    this.#stopped = true;
    this.#observer.onUploaded();
  }

  #fail(error: RequestBodyError): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#resume();
    this.#source?.close();
    this.#observer.onUploadFailed(error);
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#socket.once("drain", this.#resume);
    });
  }

  readonly #resume = (): void => {
    this.#socket.off("drain", this.#resume);
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  };
}

/** A source that always has more at hand must not keep timers and other sockets from their turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

type Done = (error?: Error | null) => void;

/** What the peer's closing makes of a write. */
const PEER_CLOSED = new Set(["EPIPE", "ECONNRESET"]);

const tolerant = new WeakSet<Socket>();

/** From now on writes to `socket` that fail because the peer has closed count as written. */
function tolerateClosedPeer(socket: Socket): void {
  if (tolerant.has(socket)) return;
  tolerant.add(socket);
  const write = socket._write?.bind(socket);
  const writeMany = socket._writev?.bind(socket);
  if (write) socket._write = (chunk, encoding, done) => write(chunk, encoding, forgiving(done));
  if (writeMany) socket._writev = (chunks, done) => writeMany(chunks, forgiving(done));
}

function forgiving(done: Done): Done {
  return (error) => done(PEER_CLOSED.has((error as NodeJS.ErrnoException | null)?.code ?? "") ? null : error);
}
