/**
 * Sends a streamed request body over a socket, as fast as the socket takes it and no faster.
 *
 * What the source gives must be as long as it declared: fewer or more bytes would be read as the next request.
 */

import type { Socket } from "node:net";
import { LARGE_PART } from "../../body/request/payload.ts";
import { RequestBodyError } from "../../core/errors.ts";
import { hearOut } from "./tolerant-writes.ts";

/** A part of a body, as its source gives it. */
export type UploadPart = string | Uint8Array | ArrayBuffer;

/** A body that is read while it is sent. */
export interface BodyStream {
  /** Declared length in bytes; `undefined`: sent in chunks (RFC 9112 §7.1). */
  readonly length: number | undefined;
  open(): AsyncIterable<UploadPart> | Iterable<UploadPart>;
}

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

type Parts = AsyncIterator<UploadPart> | Iterator<UploadPart>;

/** What Node's and the web's streams have, as far as it is needed. */
interface StreamLike {
  destroy?: () => unknown;
  getReader?: () => { read(): Promise<IteratorResult<UploadPart>>; cancel(): Promise<void> };
}

/** One upload. */
export class Upload {
  readonly #socket: Socket;
  readonly #stream: BodyStream;
  readonly #observer: UploadObserver;
  #parts: Parts | null = null;
  #sent = 0;
  #chunkEnd = "";
  /** What waits for the rest of its batch. */
  #batchBytes = 0;
  #batchParts = 0;
  #stopped = false;
  #wake: (() => void) | null = null;

  constructor(socket: Socket, stream: BodyStream, observer: UploadObserver) {
    this.#socket = socket;
    this.#stream = stream;
    this.#observer = observer;
    hearOut(socket);
  }

  /** Sends until the source ends, `stop` is called, or something fails. Never rejects. */
  async run(): Promise<void> {
    try {
      this.#parts = partsOf(this.#stream.open());
      await this.#sendParts(this.#parts);
      if (!this.#stopped) this.#complete();
    } catch (error) {
      if (!this.#stopped) this.#fail(error);
    }
  }

  /** Nobody wants the rest: the source is told, what it says is not heard any more. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#resume();
    this.#closeSource();
  }

  async #sendParts(parts: Parts): Promise<void> {
    for (;;) {
      const { done, value } = await parts.next();
      if (done === true || this.#stopped) return;
      const bytes = toBytes(value);
      if (bytes.length === 0) continue;
      this.#count(bytes.length);
      this.#write(bytes);
      // Most writes end at once: what `write` returns says no more than that the socket was given something.
      if (this.#batchParts === 0) await (this.#socket.writableLength > HIGH_WATER ? this.#drained() : turn());
      if (this.#stopped) return;
      this.#observer.onSent(this.#sent);
    }
  }

  #count(length: number): void {
    this.#sent += length;
    const declared = this.#stream.length;
    if (declared !== undefined && this.#sent > declared) {
      throw new RequestBodyError(`The body is longer than its declared ${declared} bytes`, {
        phase: "write",
      });
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
    if (this.#stream.length === undefined) {
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
    const declared = this.#stream.length;
    if (declared === undefined) this.#socket.write(`${this.#chunkEnd}0\r\n\r\n`, "latin1");
    else if (this.#sent < declared) {
      const got = `${this.#sent} of its declared ${declared} bytes`;
      throw new RequestBodyError(`The body ended after ${got}`, { phase: "write" });
    }
    this.#flush();
    this.#stopped = true;
    this.#observer.onUploaded();
  }

  #fail(cause: unknown): void {
    this.#stopped = true;
    this.#closeSource();
    const error =
      cause instanceof RequestBodyError
        ? cause
        : new RequestBodyError(
            `The source of the body failed: ${cause instanceof Error ? cause.message : cause}`,
            {
              cause,
              phase: "write",
            },
          );
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

  #closeSource(): void {
    try {
      const closing = this.#parts?.return?.();
      if (closing instanceof Promise) closing.catch(() => {});
    } catch {
      // The source was told; what it makes of that is its own affair.
    }
  }
}

/** A source that always has more at hand must not keep timers and other sockets from their turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Streams are closed by their own means: their iterators' `return` waits for a part that may never come. */
function partsOf(source: (AsyncIterable<UploadPart> | Iterable<UploadPart>) & StreamLike): Parts {
  if (typeof source.getReader === "function") {
    const reader = source.getReader();
    return { next: () => reader.read(), return: () => reader.cancel() as Promise<never> };
  }
  const parts = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  if (typeof source.destroy !== "function") return parts;
  return {
    next: () => parts.next() as Promise<IteratorResult<UploadPart>>,
    return: () => source.destroy!() as Promise<never>,
  };
}

function toBytes(part: UploadPart): Buffer {
  if (typeof part === "string") return Buffer.from(part);
  if (part instanceof ArrayBuffer) return Buffer.from(part);
  if (ArrayBuffer.isView(part)) return Buffer.from(part.buffer, part.byteOffset, part.byteLength);
  throw new RequestBodyError(`A part of the body is neither a string nor bytes but ${typeof part}`, {
    phase: "write",
  });
}
