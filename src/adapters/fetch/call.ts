/**
 * What a call of fetch asks for. Most calls are a URL and a few plain members of `init`: these are read as they stand. All
 * others go through the platform's `Request`, which knows every rule of the standard, and throws where one is broken.
 */

import type { RequestBody } from "../../client/options.ts";
import { type FetchBody, requestBody, wholeBody } from "./bodies.ts";
import {
  completeFields,
  defaultFields,
  type FieldContext,
  type Fields,
  plainFields,
  spelledFields,
  withoutLength,
} from "./fields.ts";
import { refererFor } from "./referrer.ts";

/** A call, checked. */
export interface FetchCall {
  readonly method: string;
  readonly url: URL;
  readonly fields: Fields;
  readonly body: RequestBody | null;
  /** The body cannot be sent a second time. */
  readonly streamed: boolean;
  readonly redirect: RequestRedirect;
  readonly signal: AbortSignal | null;
  readonly integrity: string;
  readonly cache: FieldContext["cache"];
  /** The cookie jar stays out of it. */
  readonly omitsCookies: boolean;
}

type RequestRedirect = Request["redirect"];

/** What `fetch` takes. */
export type FetchInput = Parameters<typeof globalThis.fetch>[0];
/** As it is given. */
export type FetchInit = Parameters<typeof globalThis.fetch>[1];

type Dictionary = Readonly<Record<string, unknown>>;

/** Members of `init` that need no more than a look. */
const PLAIN_MEMBERS = new Set(["method", "headers", "body", "signal", "redirect"]);
const METHODS = new Set(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]);
const REDIRECTS = new Set<unknown>(["follow", "error", "manual"]);
const SAFE_URL = /^https?:\/\/[^@\\\s]*$/i;

/** Reads calls; keeps what most of them share. */
export class CallReader {
  readonly #userAgent: string | null;
  readonly #defaults: Fields;
  readonly #plainContext: FieldContext;
  #lastText = "";
  #lastUrl: URL | null = null;

  constructor(userAgent: string | null) {
    this.#userAgent = userAgent;
    this.#plainContext = { cache: "default", mode: "cors", referer: null, userAgent };
    this.#defaults = Object.freeze(defaultFields(userAgent));
  }

  /** Throws `TypeError` for what the standard refuses; `null` where the platform's fetch is to answer. */
  read(input: FetchInput, init: FetchInit): FetchCall | null | Promise<FetchCall | null> {
    return this.#readPlain(input, init) ?? this.#readAny(input, init);
  }

  #readPlain(input: unknown, init: unknown): FetchCall | null {
    const url = this.#plainUrl(input);
    if (url === null) return null;
    if (init === undefined || init === null) return plainCall(url, "GET", this.#defaults, null, null);
    if (typeof init !== "object") return null;
    for (const name in init) if (!PLAIN_MEMBERS.has(name)) return null;
    const { method = "GET", headers, body = null, signal = null, redirect = "follow" } = init as Dictionary;
    if (typeof method !== "string" || !METHODS.has(method) || !REDIRECTS.has(redirect)) return null;
    if (signal !== null && !(signal instanceof AbortSignal)) return null;
    const given = headers === undefined ? null : isObject(headers) ? plainFields(headers) : null;
    if (headers !== undefined && (given === null || setsFraming(given))) return null;
    const whole = body === null ? null : wholeBody(body);
    if (body !== null && (whole === null || method === "GET" || method === "HEAD")) return null;
    const fields = given === null ? this.#defaults : completeFields(given, this.#plainContext);
    return { ...plainCall(url, method, fields, whole, signal), redirect: redirect as RequestRedirect };
  }

  async #readAny(input: unknown, init: unknown): Promise<FetchCall | null> {
    const given = isObject(init) ? (init as Dictionary) : {};
    const whole = given.body === undefined || given.body === null ? null : wholeBody(given.body);
    // The body itself is sent, not the stream that a Request makes of it.
    const checked = whole === null ? init : Object.create(given, { body: { value: new Uint8Array(0) } });
    const request = new Request(...platformArguments(input, checked));
    const url = new URL(request.url);
    if (url.protocol !== "http:" && url.protocol !== "https:") return null;
    url.hash = "";
    const stream = request.body as ReadableStream<Uint8Array> | null;
    const sent = whole ?? (await streamBody(stream, given.body));
    const spelled = spelledFields(request.headers, given.headers);
    const fields = sent === null ? withoutLength(spelled) : spelled;
    const context: FieldContext = {
      cache: request.cache,
      mode: request.mode,
      referer: refererFor(url, request.referrer, request.referrerPolicy),
      userAgent: this.#userAgent,
    };
    return {
      method: request.method,
      url,
      fields: withType(completeFields(fields, context), sent),
      body: sent?.body ?? null,
      streamed: sent?.streamed ?? false,
      redirect: request.redirect,
      // A Request's own signal follows the one it was given, and is not told why in time.
      signal: (given.signal ?? null) instanceof AbortSignal ? (given.signal as AbortSignal) : request.signal,
      integrity: request.integrity,
      cache: request.cache,
      omitsCookies: request.credentials === "omit",
    };
  }

  /** An absolute URL without anything that the standard has rules for. */
  #plainUrl(input: unknown): URL | null {
    const text = typeof input === "string" ? input : input instanceof URL ? input.href : null;
    if (text === null) return null;
    if (text === this.#lastText) return this.#lastUrl;
    if (!SAFE_URL.test(text) || !URL.canParse(text)) return null;
    const url = new URL(text);
    url.hash = "";
    this.#lastText = text;
    this.#lastUrl = url;
    return url;
  }
}

function plainCall(
  url: URL,
  method: string,
  fields: Fields,
  body: FetchBody | null,
  signal: AbortSignal | null,
): FetchCall {
  return {
    method,
    url,
    fields: withType(fields, body),
    body: body?.body ?? null,
    streamed: false,
    redirect: "follow",
    signal,
    integrity: "",
    cache: "default",
    omitsCookies: false,
  };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** These are judged where everything is. */
function setsFraming(fields: Fields): boolean {
  return Object.keys(fields).some((name) =>
    /^(?:if-|content-length|transfer-|keep-alive|upgrade|expect|range)/i.test(name),
  );
}

function withType(fields: Fields, body: FetchBody | null): Fields {
  const type = body?.type ?? null;
  if (type === null || Object.keys(fields).some((name) => name.toLowerCase() === "content-type"))
    return fields;
  return { ...fields, "content-type": type };
}

/** A stream of the caller's is sent as it is. */
async function streamBody(
  stream: ReadableStream<Uint8Array> | null,
  given: unknown,
): Promise<FetchBody | null> {
  if (stream === null) return null;
  if (given === undefined || given === null || ArrayBuffer.isView(given)) return requestBody(stream);
  return { body: stream as unknown as RequestBody, type: null, streamed: true };
}

interface RequestLike {
  readonly url: string;
  readonly method: string;
  readonly headers?: Iterable<[string, string]>;
  readonly body?: unknown;
  readonly signal?: unknown;
  readonly redirect?: string;
}

/** The `Request` of a package is read as what it shows. */
function platformArguments(input: unknown, init: unknown): [FetchInput, FetchInit] {
  if (!isRequestLike(input)) return [input as FetchInput, init as FetchInit];
  const { url, method, headers, body, redirect, signal } = input;
  const shown: Record<string, unknown> = { method, redirect, duplex: "half" };
  if (headers !== undefined) shown.headers = [...headers];
  if (body !== undefined && body !== null) shown.body = body;
  if (signal instanceof AbortSignal) shown.signal = signal;
  return [url, { ...shown, ...(init as object) } as FetchInit];
}

function isRequestLike(value: unknown): value is RequestLike {
  if (!isObject(value) || value instanceof Request || value instanceof URL) return false;
  return typeof (value as RequestLike).url === "string" && typeof (value as RequestLike).method === "string";
}
