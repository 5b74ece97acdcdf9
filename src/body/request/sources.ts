/**
 * Bodies, and parts of forms, that are read while they are sent.
 *
 *  1. A file is read from positions of its own: it stays open, and its position stays where it is.
 *  2. A stream or iterator can be read once. One that was read, or is being read, is refused at the call: an empty upload
 *     is worse than an error.
 *  3. A stream is owned from the moment it is given: it is locked, and what breaks it is told at once, read or not.
 */

import { stat } from "node:fs/promises";
import { PassThrough, Readable } from "node:stream";
import { InvalidArgumentError, RequestBodyError, UnrewindableBodyError } from "../../core/errors.ts";
import { ignore } from "../../core/ignore.ts";
import { type BodyPart, LARGE_PART, type Payload } from "./payload.ts";
import {
  type FileHandleLike,
  isNodeStream,
  isWebStream,
  type NodeStreamLike,
  type WebStreamLike,
} from "./shapes.ts";

type Source = AsyncIterable<BodyPart> | Iterable<BodyPart>;

/** What a web stream is read with. */
interface WebReader {
  readonly closed: Promise<unknown>;
  read(): Promise<IteratorResult<BodyPart>>;
  cancel(): Promise<void>;
  releaseLock(): void;
}

/** Bytes read from a file at a time. */
const FILE_READ = 262_144;

/** Streams and iterators that have been sent, or begun to be. */
const taken = new WeakSet<object>();

/** A `Blob`, read each time it is opened. */
export function blobPayload(blob: Blob): Payload {
  return {
    bytes: null,
    length: blob.size,
    contentType: blob.type || null,
    replayable: true,
    open: () => blob.stream() as unknown as AsyncIterable<Uint8Array>,
  };
}

/** A file from `start` on, in bytes, as long as it is when it is measured. */
export class FilePayload implements Payload {
  readonly bytes: null = null;
  readonly contentType: null = null;
  readonly replayable: boolean = true;
  length: number | undefined = undefined;
  readonly #file: FileHandleLike;
  readonly #start: number;

  /** Throws `InvalidArgumentError` for a closed file. */
  constructor(file: FileHandleLike, start: number, name: string) {
    if (file.fd < 0) throw new InvalidArgumentError(`${name} is a file handle that was closed`);
    this.#file = file;
    this.#start = start;
  }

  async measure(): Promise<void> {
    const stats = await this.#file.stat();
    if (!stats.isFile()) {
      throw new InvalidArgumentError(
        "a file handle of a pipe or device cannot be read from positions: give its createReadStream()",
      );
    }
    const start = this.#start;
    if (!Number.isInteger(start) || start < 0 || start > stats.size) {
      throw new InvalidArgumentError(
        `bodyPos must be a position in the file of ${stats.size} bytes, not ${start}`,
      );
    }
    this.length = stats.size - start;
  }

  open(): AsyncIterable<Uint8Array> {
    return readRange(this.#file, this.#start, this.#start + this.length!);
  }
}

/** Bytes `start` to `end`, exclusive. Not by a read stream: broken off, that closes the file. */
async function* readRange(file: FileHandleLike, start: number, end: number): AsyncGenerator<Uint8Array> {
  let buffer: Buffer | null = null;
  for (let at = start; at < end; ) {
    buffer ??= Buffer.allocUnsafeSlow(Math.min(FILE_READ, end - at));
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - at), at);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    if (bytesRead <= LARGE_PART) buffer = null;
    at += bytesRead;
  }
}

/** An iterable, a stream or an iterator of unknown length. */
export class IterablePayload implements Payload {
  readonly bytes: null = null;
  readonly contentType: string | null;
  length: number | undefined;
  readonly #source: Source;
  readonly #reusable: boolean;
  /** Opened or discarded. */
  #opened = false;
  /** Locks a web stream until it is opened. */
  #lock: WebReader | null = null;
  #onFailure: (error: unknown) => void = ignore;

  /** Throws `InvalidArgumentError` for a source that was read already; `name` says whose it is. */
  constructor(source: Source, name: string, contentType: string | null = null, length?: number | undefined) {
    refuseSpent(source, name);
    if (isNodeStream(source)) source.on("error", this.#failed);
    this.#source = source;
    this.contentType = contentType;
    this.length = length;
    this.#reusable = Array.isArray(source) || source instanceof Set;
  }

  /** One that failed on the way to the server was not read. */
  get replayable(): boolean {
    return this.#reusable || !this.#opened;
  }

  open(): Source {
    if (this.#opened && !this.#reusable) {
      throw new UnrewindableBodyError("The body can be read only once: give a function that makes it anew", {
        phase: "write",
      });
    }
    this.#hand();
    if (isOneShot(this.#source)) taken.add(this.#source);
    return this.#source;
  }

  watch(onFailure: (error: unknown) => void): void {
    if (this.#opened) return;
    this.#onFailure = onFailure;
    const source: object = this.#source;
    if (isNodeStream(source) && source.errored) onFailure(source.errored);
    if (this.#lock !== null || !isWebStream(source)) return;
    this.#lock = source.getReader() as WebReader;
    this.#lock.closed.catch(this.#failed);
  }

  discard(): void {
    if (this.#opened) return;
    this.#hand();
    closeSource(this.#source);
  }

  /** From now on its failures are told to whoever reads it, or to nobody. */
  #hand(): void {
    this.#opened = true;
    this.#lock?.releaseLock();
  }

  readonly #failed = (error: unknown): void => {
    if (!this.#opened) this.#onFailure(error);
  };
}

/** What `fs.createReadStream` gives, as a part of a form: as long as the file is when it is measured. */
export class ReadStreamPayload extends IterablePayload {
  readonly #stream: NodeStreamLike;

  constructor(stream: NodeStreamLike, name: string) {
    super(stream, name);
    this.#stream = stream;
  }

  async measure(): Promise<void> {
    const { path, bytesRead, start = 0, end = Number.POSITIVE_INFINITY } = this.#stream;
    // One that has begun to read, or reads from a descriptor's own position, is of unknown length.
    if (path === undefined || path === null || bytesRead !== 0) return;
    const stats = await stat(path);
    if (stats.isFile()) this.length = Math.max(0, Math.min(stats.size, end + 1) - start);
  }
}

/** The `FormData` of the package form-data: a stream of the old kind that knows its own boundary. */
export interface LegacyForm {
  getHeaders(): Record<string, string>;
  pipe(target: NodeJS.WritableStream): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  hasKnownLength?(): boolean;
  getLengthSync?(): number;
}

/** Whether `value` is a `FormData` of the package form-data. */
export function isLegacyForm(value: unknown): value is LegacyForm {
  if (typeof value !== "object" || value === null) return false;
  const { getHeaders, pipe, getBoundary } = value as Record<string, unknown>;
  return [getHeaders, pipe, getBoundary].every((method) => typeof method === "function");
}

/** Such a form: it begins to give its parts once it is opened. */
export class LegacyFormPayload extends IterablePayload {
  readonly #form: LegacyForm;
  readonly #through: PassThrough;

  constructor(form: LegacyForm) {
    const through = new PassThrough();
    const length = form.hasKnownLength?.() === true ? form.getLengthSync?.() : undefined;
    super(through, "'body'", form.getHeaders()["content-type"] ?? null, length);
    form.on("error", (error) => through.destroy(error));
    this.#form = form;
    this.#through = through;
  }

  override open(): Source {
    const source = super.open();
    this.#form.pipe(this.#through);
    return source;
  }
}

/** Throws `InvalidArgumentError` for what would give nothing, or only the rest, because it was read before. */
function refuseSpent(source: object, name: string): void {
  const fault = faultOf(source);
  if (fault !== null) throw new InvalidArgumentError(`${name} is ${fault}`);
}

function faultOf(source: object): string | null {
  if ((source as { bodyUsed?: unknown }).bodyUsed === true) {
    return "a response whose body was read or given up already: give what was read";
  }
  if (isNodeStream(source)) return faultOfNodeStream(source);
  if (isWebStream(source)) return faultOfWebStream(source);
  return taken.has(source) ? "an iterator that was sent before: give a function that makes it anew" : null;
}

function faultOfNodeStream(stream: NodeStreamLike): string | null {
  if (stream.readableEnded === true) return "a stream that was read to its end";
  // What broke it says more when it is read.
  if (stream.destroyed === true && !stream.errored) return "a stream that was destroyed";
  return taken.has(stream) ? "a stream that is being sent already: give a function that makes it anew" : null;
}

function faultOfWebStream(stream: WebStreamLike): string | null {
  if (stream.locked) return "a stream that is locked: somebody else reads it";
  return Readable.isDisturbed(stream as never) ? "a stream that was read or cancelled before" : null;
}

/** Whether it can be iterated once: calling an iterator for its iterator gives itself. */
function isOneShot(source: object): boolean {
  return isNodeStream(source) || typeof (source as { next?: unknown }).next === "function";
}

/** One source being read; `return` closes it at once, though a `next` be under way. */
export type SourceReader = Pick<AsyncIterator<BodyPart> | Iterator<BodyPart>, "next" | "return">;

/**
 * Reads `source`. Streams are closed by means of their own: the `return` of their iterators waits for a pending part.
 * `onFailure` is told what a stream fails with, also while no part is asked for.
 */
export function readerOf(source: Source, onFailure: (error: unknown) => void): SourceReader {
  if (isWebStream(source)) {
    const reader = source.getReader() as WebReader;
    reader.closed.catch(onFailure);
    return { next: () => reader.read(), return: () => quiet(reader.cancel()) as Promise<never> };
  }
  const parts = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  const { destroy, on } = source as Partial<Pick<NodeStreamLike, "destroy" | "on">>;
  if (typeof destroy !== "function") return parts;
  on?.call(source, "error", onFailure);
  return {
    next: () => parts.next() as Promise<IteratorResult<BodyPart>>,
    return: () => destroy.call(source) as Promise<never>,
  };
}

function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(ignore);
  return promise;
}

/** Closes a source that was never read: a Node stream, a web stream, or a generator. What that throws is not heard. */
function closeSource(body: object): void {
  const source = body as { destroy?(): unknown; cancel?(): unknown; return?(): unknown };
  try {
    const closing =
      typeof source.destroy === "function"
        ? source.destroy()
        : (source.cancel ?? source.return)?.call(source);
    if (closing instanceof Promise) closing.catch(ignore);
  } catch {
    // It was told; what it makes of that is its own affair.
  }
}

/** `cause` as the error of a source. */
export function sourceError(cause: unknown): RequestBodyError {
  if (cause instanceof RequestBodyError) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  return new RequestBodyError(`The source of the body failed: ${text}`, { cause, phase: "write" });
}
