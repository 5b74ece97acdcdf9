/**
 * The Response of a fetch: an object of its own that has the platform's `Response.prototype` behind it, so that it is
 * `instanceof Response` and has its names. A real `Response` can have neither URL nor `redirected`, and costs ten times as
 * much to make. Headers, streams and the rest of the platform's are made when somebody asks for them.
 */

import { Readable } from "node:stream";
import type { HTTPResponse } from "../../client/response/response.ts";

/** Statuses whose responses have no body (Fetch, "null body status"). */
const NULL_BODY = new Set([101, 103, 204, 205, 304]);

const EMPTY = new Uint8Array(0);
const decoder = new TextDecoder();

/** What all copies of a response share. */
interface Facts {
  readonly response: HTTPResponse;
  readonly url: string;
  readonly redirected: boolean;
  readonly signal: AbortSignal | null;
}

/** Where the body comes from: the wire, memory, one side of a `clone()`; `null` where there is none. */
type Source = HTTPResponse | Uint8Array | ReadableStream<Uint8Array> | null;

/** Whether a response with that status to that method has no body. */
export function hasNoBody(method: string, status: number): boolean {
  return method === "HEAD" || NULL_BODY.has(status);
}

let linked = false;

/** A response over `facts.response`, whose body is `source`. */
export function makeResponse(facts: Facts, source: Source): Response {
  if (!linked) link();
  return new FetchResponse(facts, source) as unknown as Response;
}

class FetchResponse {
  readonly #facts: Facts;
  #source: Source;
  #consumed = false;
  #headers: Headers | null = null;

  constructor(facts: Facts, source: Source) {
    this.#facts = facts;
    this.#source = source;
  }

  get type(): string {
    return "basic";
  }

  get url(): string {
    return this.#facts.url;
  }

  get redirected(): boolean {
    return this.#facts.redirected;
  }

  get status(): number {
    return this.#facts.response.status;
  }

  get ok(): boolean {
    return this.#facts.response.ok;
  }

  get statusText(): string {
    return this.#facts.response.reason;
  }

  get headers(): Headers {
    this.#headers ??= readOnlyHeaders(this.#facts.response);
    return this.#headers;
  }

  get body(): ReadableStream<Uint8Array> | null {
    const source = this.#source;
    if (source === null || source instanceof ReadableStream) return source;
    const stream = this.#consumed ? spentStream() : this.#stream(source);
    this.#source = stream;
    return stream;
  }

  get bodyUsed(): boolean {
    if (this.#source === null) return false;
    return (
      this.#consumed ||
      (this.#source instanceof ReadableStream && Readable.isDisturbed(this.#source as never))
    );
  }

  text(): Promise<string> {
    return this.#whole().then((bytes) => decoder.decode(bytes));
  }

  json(): Promise<unknown> {
    return this.#whole().then((bytes) => JSON.parse(decoder.decode(bytes)));
  }

  bytes(): Promise<Uint8Array> {
    return this.#whole().then((bytes) => new Uint8Array(bytes));
  }

  arrayBuffer(): Promise<ArrayBuffer> {
    return this.#whole().then((bytes) => new Uint8Array(bytes).buffer);
  }

  /** The platform normalises the type. */
  blob(): Promise<Blob> {
    return this.#whole().then((bytes) => this.#platform(new Uint8Array(bytes)).blob() as Promise<Blob>);
  }

  formData(): Promise<FormData> {
    return this.#whole().then((bytes) => this.#platform(new Uint8Array(bytes)).formData());
  }

  clone(): Response {
    if (this.bodyUsed || (this.#source instanceof ReadableStream && this.#source.locked)) {
      throw new TypeError("Response.clone: Body has already been consumed.");
    }
    const source = this.#source instanceof Uint8Array ? this.#source : this.body;
    if (!(source instanceof ReadableStream)) return makeResponse(this.#facts, source);
    const [mine, theirs] = source.tee();
    this.#source = mine;
    return makeResponse(this.#facts, theirs);
  }

  /** A response of the platform's with the body, which moves there. */
  platform(): Response {
    return this.#platform(this.body);
  }

  #platform(body: ReadableStream<Uint8Array> | Uint8Array | null): Response {
    const { status, statusText, headers } = this;
    const known = status >= 200 && status <= 599 ? status : 200;
    return new Response((NULL_BODY.has(known) ? null : body) as BodyInit | null, {
      status: known,
      statusText,
      headers,
    });
  }

  #whole(): Promise<Uint8Array> {
    const source = this.#source;
    if (source === null) return Promise.resolve(EMPTY);
    if (this.bodyUsed || (source instanceof ReadableStream && source.locked)) {
      return Promise.reject(new TypeError("Body is unusable: Body has already been read"));
    }
    this.#consumed = true;
    const { signal } = this.#facts;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (source instanceof Uint8Array) return Promise.resolve(source);
    if (source instanceof ReadableStream) return collect(source);
    return source.read().catch((error: unknown) => Promise.reject(terminated(error, signal)));
  }

  #stream(source: HTTPResponse | Uint8Array): ReadableStream<Uint8Array> {
    const { signal } = this.#facts;
    return source instanceof Uint8Array ? memoryStream(source, signal) : wireStream(source, signal);
  }
}

type BodyInit = ConstructorParameters<typeof Response>[0];

/** What the platform's prototype has besides is done by a Response of the platform's. */
function link(): void {
  linked = true;
  const own = FetchResponse.prototype;
  for (const name of Object.getOwnPropertyNames(Response.prototype)) {
    if (name in own) continue;
    const { value } = Object.getOwnPropertyDescriptor(Response.prototype, name)!;
    if (typeof value !== "function") continue;
    const call = function (this: FetchResponse, ...args: unknown[]): unknown {
      return Reflect.apply(value as (...args: unknown[]) => unknown, this.platform(), args);
    };
    Object.defineProperty(own, name, { value: call, configurable: true, writable: true });
  }
  Object.defineProperty(own, "constructor", { value: Response, configurable: true, writable: true });
  Object.setPrototypeOf(own, Response.prototype);
}

/** `Headers` with the guard "immutable", which only the platform can set. */
function readOnlyHeaders(response: HTTPResponse): Headers {
  const headers = new Headers();
  for (const [name, value] of response.headers) headers.append(name, value);
  for (const name of ["append", "delete", "set"])
    Object.defineProperty(headers, name, { value: refuseChange });
  return headers;
}

function refuseChange(): never {
  throw new TypeError("immutable");
}

/** Why a body broke off, as fetch says it: the reason of an abort as it is. */
function terminated(error: unknown, signal: AbortSignal | null): unknown {
  if (signal?.aborted && error === signal.reason) return error;
  return new TypeError("terminated", { cause: error });
}

/** Read at once where the reader names no amount. */
const STEP = 65_536;

function wireStream(response: HTTPResponse, signal: AbortSignal | null): ReadableStream<Uint8Array> {
  return byteStream(
    signal,
    (amount) => response.read1(amount),
    () => response.close(),
  );
}

function memoryStream(bytes: Uint8Array, signal: AbortSignal | null): ReadableStream<Uint8Array> {
  let position = 0;
  const read = (amount: number): Promise<Uint8Array> => {
    const start = position;
    position = Math.min(bytes.length, start + amount);
    return Promise.resolve(bytes.subarray(start, position));
  };
  return byteStream(signal, read, () => {});
}

/** A byte stream over `read`, which gives nothing at the end. What has come is not given out after an abort. */
function byteStream(
  signal: AbortSignal | null,
  read: (amount: number) => Promise<Uint8Array>,
  close: () => void,
): ReadableStream<Uint8Array> {
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      signal?.throwIfAborted();
      const request = controller.byobRequest;
      const view = request?.view as Uint8Array | null | undefined;
      const bytes = await read(view?.byteLength ?? STEP).catch((error: unknown) => {
        throw terminated(error, signal);
      });
      if (bytes.length === 0) {
        controller.close();
        request?.respond(0);
      } else if (request && view) {
        new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(bytes);
        request.respond(bytes.length);
        // A copy: the stream takes the memory.
      } else controller.enqueue(new Uint8Array(bytes));
    },
    cancel: close,
  });
}

/** The stream stays locked, as the platform's does. */
async function collect(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  for (let read = await reader.read(); !read.done; read = await reader.read()) parts.push(read.value);
  return Buffer.concat(parts);
}

/** What `body` is after `text()` and the like: disturbed and locked. */
function spentStream(): ReadableStream<Uint8Array> {
  const stream = new ReadableStream({ type: "bytes", start: (controller) => controller.close() });
  stream
    .getReader()
    .cancel()
    .catch(() => {});
  return stream;
}
