/**
 * Request bodies -> what can be sent: bytes, or a stream of them that may be opened once or anew for each attempt.
 * Lengths are known for strings, bytes, `Blob`, `URLSearchParams`, `FormData` and file handles; all else goes in chunks.
 */

import { InvalidArgumentError, UnrewindableBodyError } from "../../core/errors.ts";
import { formDataPayload } from "./form-data.ts";
import { bytesOf, isBytes, kindOf } from "./pairs.ts";
import { PartsPayload } from "./parts.ts";
import { type BodyPart, LARGE_PART, type Payload } from "./payload.ts";

export type { BodyPart, Payload } from "./payload.ts";

/** What `fs.promises.open` gives, as far as it is needed. */
interface FileLike {
  readonly fd: number;
  stat(): Promise<{ size: number }>;
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
}

/** Where in a file a body starts, in bytes. */
export interface EncodeOptions {
  bodyPos?: number | null | undefined;
}

const FORM_TYPE = "application/x-www-form-urlencoded;charset=UTF-8";
const CRLF = "\r\n";

/** Bytes read from a file at a time. */
const FILE_READ = 262_144;

/** The payload of `body`. Throws (or rejects with) `InvalidArgumentError` for what cannot be one. */
export function encodeBody(body: unknown, options: EncodeOptions = {}): Payload | Promise<Payload> {
  if (typeof body === "string") return whole(Buffer.from(body), null);
  if (isBytes(body)) return whole(bytesOf(body), null);
  if (body instanceof URLSearchParams) return whole(Buffer.from(body.toString()), FORM_TYPE);
  if (body instanceof Blob) return blobPayload(body);
  if (body instanceof FormData) return formDataPayload(body);
  if (body instanceof PartsPayload) return body;
  if (isFile(body)) return filePayload(body, options.bodyPos ?? 0);
  if (isSpent(body)) throw new InvalidArgumentError("'body' is a stream that was read to its end");
  if (isIterable(body)) return iterablePayload(body);
  throw new InvalidArgumentError(
    `'body' must be a string, bytes, or an iterable of them. Instead was ${kindOf(body)}`,
  );
}

/** `bytes` in the chunked coding (RFC 9112 §7.1): one chunk, or none for an empty body, and the end. */
export function encodeChunked(bytes: Uint8Array): Buffer {
  const end = `0${CRLF}${CRLF}`;
  if (bytes.length === 0) return Buffer.from(end);
  const size = Buffer.from(`${bytes.length.toString(16)}${CRLF}`);
  return Buffer.concat([size, bytes, Buffer.from(CRLF + end)]);
}

function whole(bytes: Uint8Array, contentType: string | null): Payload {
  return { bytes, length: bytes.length, contentType, replayable: true, open: () => [bytes] };
}

function blobPayload(blob: Blob): Payload {
  return {
    bytes: null,
    length: blob.size,
    contentType: blob.type === "" ? null : blob.type,
    replayable: true,
    open: () => blob.stream() as unknown as AsyncIterable<Uint8Array>,
  };
}

/** The file stays the caller's: it is neither closed nor is its position moved. */
async function filePayload(file: FileLike, start: number): Promise<Payload> {
  const { size } = await file.stat();
  if (!Number.isInteger(start) || start < 0 || start > size) {
    throw new InvalidArgumentError(`bodyPos must be a position in the file of ${size} bytes, not ${start}`);
  }
  const open = (): AsyncIterable<Uint8Array> => readRange(file, start, size);
  return { bytes: null, length: size - start, contentType: null, replayable: true, open };
}

/** Bytes `start` to `end`, exclusive. Not by a read stream: broken off, that closes the file. */
async function* readRange(file: FileLike, start: number, end: number): AsyncGenerator<Uint8Array> {
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

/** A stream that has ended gives nothing, which must not be taken for an empty body. */
function isSpent(body: unknown): boolean {
  return (body as { readableEnded?: boolean } | null | undefined)?.readableEnded === true;
}

/** An iterator can be used once; what makes a new iterator each time can be used again. */
function iterablePayload(body: AsyncIterable<BodyPart> | Iterable<BodyPart>): Payload {
  const reusable = Array.isArray(body) || body instanceof Set;
  let opened = false;
  const open = (): AsyncIterable<BodyPart> | Iterable<BodyPart> => {
    if (opened && !reusable) {
      throw new UnrewindableBodyError("The body can be read only once: give a function that makes it anew", {
        phase: "write",
      });
    }
    opened = true;
    return body;
  };
  return {
    bytes: null,
    length: undefined,
    contentType: null,
    // One that failed on the way to the server was not read.
    get replayable() {
      return reusable || !opened;
    },
    open,
    discard: () => {
      if (opened) return;
      opened = true;
      closeSource(body);
    },
  };
}

/** A Node stream, a web stream, or a generator. */
function closeSource(body: object): void {
  const source = body as { destroy?(): unknown; cancel?(): Promise<void>; return?(): unknown };
  if (typeof source.destroy === "function") source.destroy();
  else if (typeof source.cancel === "function") source.cancel().catch(() => {});
  else source.return?.();
}

function isFile(body: unknown): body is FileLike {
  const file = body as Partial<FileLike> | null;
  return (
    typeof file === "object" &&
    typeof file?.fd === "number" &&
    typeof file.stat === "function" &&
    typeof file.read === "function"
  );
}

function isIterable(body: unknown): body is AsyncIterable<BodyPart> | Iterable<BodyPart> {
  return (
    typeof body === "object" && body !== null && (Symbol.asyncIterator in body || Symbol.iterator in body)
  );
}
