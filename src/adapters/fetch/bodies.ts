/** What fetch takes for a body (Fetch §5.2, "body-init"), in the form in which the library sends it. */

import type { RequestBody } from "../../client/options.ts";

/** A body, and whether it can be sent a second time. */
export interface FetchBody {
  readonly body: RequestBody;
  /** Content-Type, unless the caller gives one or the library finds it. */
  readonly type: string | null;
  readonly streamed: boolean;
}

/** Bytes of a `Request` that are waited for before its body counts as a stream. */
const WAITED_FOR = 1_048_576;

const TEXT = "text/plain;charset=UTF-8";

/** The body of an `init`, `null` for a stream: those the platform checks. */
export function wholeBody(value: unknown): FetchBody | null {
  if (typeof value === "string") return { body: value, type: TEXT, streamed: false };
  if (typeof value !== "object" || value === null)
    return { body: `${value as number}`, type: TEXT, streamed: false };
  if (
    isBytes(value) ||
    value instanceof URLSearchParams ||
    value instanceof Blob ||
    value instanceof FormData
  ) {
    return { body: value as RequestBody, type: null, streamed: false };
  }
  if (ArrayBuffer.isView(value) || value instanceof ReadableStream || Symbol.asyncIterator in value)
    return null;
  if (isForeignForm(value)) return { body: ownForm(value), type: null, streamed: false };
  return { body: `${value as { toString(): string }}`, type: TEXT, streamed: false };
}

/** Those on shared memory are for the platform to judge. */
function isBytes(value: object): boolean {
  if (value instanceof ArrayBuffer) return true;
  return ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer;
}

interface FormLike extends Iterable<[string, unknown]> {
  readonly [Symbol.toStringTag]: "FormData";
}

/** The `FormData` of a package. */
function isForeignForm(value: object): value is FormLike {
  return Symbol.iterator in value && Object.prototype.toString.call(value) === "[object FormData]";
}

function ownForm(form: FormLike): FormData {
  const own = new FormData();
  for (const [name, value] of form) {
    if (value instanceof Blob) own.append(name, value, (value as Partial<File>).name ?? "blob");
    else own.append(name, `${value as string}`);
  }
  return own;
}

/**
 * The body of a `Request`. It is always a stream, even if the `Request` was made with a string: what is all there without
 * waiting is sent as a whole, with its length.
 */
export async function requestBody(stream: ReadableStream<Uint8Array>): Promise<FetchBody> {
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  while (size <= WAITED_FOR) {
    const reading = reader.read();
    const part = await Promise.race([reading, oneTurn()]);
    if (part === null) return { body: rest(reader, parts, reading), type: null, streamed: true };
    if (part.done) return { body: Buffer.concat(parts), type: null, streamed: false };
    parts.push(bytesOf(part.value));
    size += part.value.length;
  }
  return { body: rest(reader, parts, null), type: null, streamed: true };
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type Reading = ReturnType<Reader["read"]>;

/** What was read, what is being read, and all that comes then. Closed early, at any time, it cancels the stream. */
function rest(
  reader: Reader,
  parts: readonly Uint8Array[],
  reading: Reading | null,
): AsyncIterableIterator<Uint8Array> {
  const items = itemsOf(reader, parts, reading);
  const close = items.return.bind(items);
  return Object.assign(items, {
    // A generator that was asked for nothing yet runs no `finally`.
    return() {
      reader.cancel().catch(() => {});
      return close(undefined);
    },
  });
}

async function* itemsOf(
  reader: Reader,
  parts: readonly Uint8Array[],
  reading: Reading | null,
): AsyncGenerator<Uint8Array, undefined> {
  yield* parts;
  for (let next = reading ?? reader.read(); ; next = reader.read()) {
    const { done, value } = await next;
    if (done) return;
    yield bytesOf(value);
  }
}

function bytesOf(part: Uint8Array | string): Uint8Array {
  return typeof part === "string" ? Buffer.from(part) : part;
}

/** What the event loop has at hand comes before it. */
function oneTurn(): Promise<null> {
  return new Promise((resolve) => setImmediate(resolve, null));
}
