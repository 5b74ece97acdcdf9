/** What came back: status, headers and body. */

import { TextDecoder } from "node:util";
import type { Head } from "../connection/connection.ts";
import { ResponseError } from "../core/errors.ts";
import { type HeaderSource, HTTPHeaderDict } from "../core/headers.ts";
import { isRedirectStatus } from "../policy/redirect.ts";
import type { Retry } from "../policy/retry.ts";
import type { Stopwatch, Timings } from "./timings.ts";

/** A 1xx response, as `onInformational` sees it. */
export interface Informational {
  status: number;
  reason: string;
  headers: HTTPHeaderDict;
}

/** What a response can be made of without a network. */
export interface HTTPResponseInit {
  body?: string | Uint8Array | null;
  headers?: HeaderSource | null;
  status?: number;
  reason?: string;
  /** 10, 11 or 20. */
  version?: number;
  method?: string;
  url?: string;
  retries?: Retry | null;
}

const EMPTY = Buffer.alloc(0);

/** A response with its body (urllib3's `HTTPResponse`). */
export class HTTPResponse {
  status: number = 0;
  /** Reason phrase; empty where the server sent none. */
  reason: string = "";
  /** 10, 11 or 20. */
  version: number = 11;
  /** Request method of the final hop. */
  method: string = "";
  /** Absolute URL of the final hop, without credentials. */
  url: string = "";
  /** The `Retry` after this request, with the history of what it took. */
  retries: Retry | null = null;
  #head = "";
  #fieldsStart = 0;
  #headers: HTTPHeaderDict | null = null;
  #trailerText = "";
  #trailers: HTTPHeaderDict | null = null;
  #data: Buffer = EMPTY;
  #bodyUsed = false;
  #stopwatch: Stopwatch | null = null;

  constructor(init: HTTPResponseInit = {}) {
    if (init === RECEIVED) return;
    this.status = init.status ?? 0;
    this.reason = init.reason ?? "";
    this.version = init.version ?? 11;
    this.method = init.method ?? "";
    this.url = init.url ?? "";
    this.retries = init.retries ?? null;
    this.#headers = new HTTPHeaderDict(init.headers);
    if (init.body !== undefined && init.body !== null) this.#data = Buffer.from(init.body as Uint8Array);
  }

  /** @internal From a head on the wire; its fields are read when somebody asks for them. */
  static received(head: Head, method: string, url: string, stopwatch: Stopwatch): HTTPResponse {
    const response = new HTTPResponse(RECEIVED);
    response.#stopwatch = stopwatch;
    response.status = head.status;
    response.reason = head.reason;
    response.version = head.version;
    response.method = method;
    response.url = url;
    response.#head = head.text;
    response.#fieldsStart = head.fieldsStart;
    return response;
  }

  /** @internal The body has come. */
  complete(data: Buffer, trailers: string): void {
    this.#data = data;
    this.#trailerText = trailers;
  }

  /** Header fields, in the order and spelling in which they came. */
  get headers(): HTTPHeaderDict {
    this.#headers ??= HTTPHeaderDict.fromHead(this.#head, this.#fieldsStart);
    return this.#headers;
  }

  /** Trailer fields of a chunked body (RFC 9110 §6.5). */
  get trailers(): HTTPHeaderDict {
    this.#trailers ??= HTTPHeaderDict.fromHead(this.#trailerText, 0);
    return this.#trailers;
  }

  /** When things happened; `null` for a response that did not come over a connection. */
  get timings(): Timings | null {
    return this.#stopwatch?.timings() ?? null;
  }

  /** `HTTP/1.1` and the like. */
  get versionString(): string {
    return this.version === 20 ? "HTTP/2" : `HTTP/1.${this.version - 10}`;
  }

  /** Whether the status is 200 to 299. */
  get ok(): boolean {
    return this.status >= 200 && this.status <= 299;
  }

  /** The body, decoded. */
  get data(): Buffer {
    return this.#data;
  }

  /** The connection, while the response owns one. A response whose body was read owns none. */
  get connection(): null {
    return null;
  }

  /** Whether all of the body has been read off the wire. */
  get isClosed(): boolean {
    return true;
  }

  /** Whether the body was asked for in one of the reading ways. */
  get bodyUsed(): boolean {
    return this.#bodyUsed;
  }

  /** The raw Location of a redirect, `null` where there is none, `false` if the status is not a redirect. */
  redirectLocation(): string | null | false {
    return isRedirectStatus(this.status) ? this.headers.get("location") : false;
  }

  /** Returns the response itself if `ok`, a redirect included; throws `ResponseError` for 400 and above. */
  raiseForStatus(): this {
    if (this.status < 400) return this;
    throw new ResponseError(`${this.status} ${this.reason}`.trim(), {
      status: this.status,
      phase: "head",
    }).describe({
      method: this.method,
      url: this.url,
    });
  }

  /** The body as text, in the charset of Content-Type, else UTF-8. */
  async text(): Promise<string> {
    return this.#decoder().decode(this.#use());
  }

  /** The body as JSON, UTF-8. Throws `SyntaxError` if it is none. */
  async json<T = unknown>(): Promise<T> {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(this.#use())) as T;
  }

  /** The body as bytes. */
  async bytes(): Promise<Uint8Array> {
    return new Uint8Array(this.#use());
  }

  /** The body as a buffer of its own. */
  async arrayBuffer(): Promise<ArrayBuffer> {
    return new Uint8Array(this.#use()).buffer as ArrayBuffer;
  }

  /** The body as a `Blob` of its Content-Type. */
  async blob(): Promise<Blob> {
    return new Blob([new Uint8Array(this.#use())], { type: this.headers.get("content-type") ?? "" });
  }

  #use(): Buffer {
    this.#bodyUsed = true;
    return this.#data;
  }

  #decoder(): TextDecoder {
    const match = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(this.headers.get("content-type") ?? "");
    try {
      return new TextDecoder(match?.[1] ?? "utf-8");
    } catch {
      return new TextDecoder();
    }
  }
}

const RECEIVED: HTTPResponseInit = {};
