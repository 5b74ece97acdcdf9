/** A call and a hop -> the message that goes on the wire; written once, sent by every attempt of the hop. */

import { encodeBody, encodeChunked, type Payload } from "../body/request/encode.ts";
import type { BodyStream } from "../connection/http1/upload.ts";
import { type HeaderSource, HTTPHeaderDict } from "../core/headers.ts";
import type { Pool } from "../pool/pool.ts";
import { type DefaultFields, isBodiless, plainHead, writeHead } from "../protocol/h1/request-writer.ts";
import type { UrlopenOptions } from "./options.ts";
import type { ProxyFields } from "./proxy-fields.ts";
import { NO_OPTIONS } from "./request-methods.ts";
import { type CallSettings, callSettings } from "./settings.ts";

/** Bytes of a body in memory that are sent, and counted, at a time where somebody watches them go. */
const SLICE = 65_536;

const NO_BYTES = new Uint8Array(0);

/** What the caller asked for; changes from hop to hop. */
export interface Call {
  readonly method: string;
  readonly headers: HTTPHeaderDict | null;
  readonly body: Payload | null;
  /** Makes the body anew for each attempt; `null` where it is there. */
  readonly makeBody: (() => Payload | Promise<Payload>) | null;
  readonly settings: CallSettings;
}

/** Where a call goes. */
export interface Hop {
  /** Hands out the connections. */
  readonly pool: Pool;
  /** Request target: origin-form, or absolute-form for a proxy. */
  readonly target: string;
  /** Value of Host. */
  readonly host: string;
  /** Absolute URL without credentials. */
  readonly url: string;
  /** What follows the request line where the request has no fields and no body of its own; `null`: write it. */
  readonly plainTail: string | null;
  readonly defaults: DefaultFields;
  /** The proxy on the way; `null` without one, or where it does nothing to requests. */
  readonly proxy: ProxyFields | null;
  /** Counts the request. */
  count(): void;
  /** The message of a plain GET. */
  written: Message | null;
}

/** A hop whose way is still being chosen. */
export interface PendingHop {
  readonly url: string;
  readonly chosen: Promise<Hop>;
}

/** What goes on the wire, and where. */
export interface Message {
  readonly pool: Pool;
  readonly method: string;
  readonly url: string;
  readonly head: string;
  readonly body: Uint8Array | BodyStream | null;
  /** Bytes of the body without its framing; `null` where that is not known. */
  readonly bodyLength: number | null;
  readonly expectContinue: boolean;
  /** False if the caller's Connection header asks for the end. */
  readonly persistent: boolean;
}

/** A checked call: `options` over `base`, and fields of its own or `defaults`. */
export function prepareCall(
  base: CallSettings,
  method: string,
  options: UrlopenOptions,
  defaults: HeaderSource | null | undefined,
): Call {
  if (options === NO_OPTIONS && isEmpty(defaults)) {
    return { method, headers: null, body: null, makeBody: null, settings: base };
  }
  const settings = callSettings(base, options);
  const headers = fieldsOf(options.headers, defaults, settings.mergeHeaders);
  const { body, bodyPos } = options;
  const call: Call = { method, headers, body: null, makeBody: null, settings };
  if (body === undefined || body === null) return call;
  if (typeof body === "function")
    return { ...call, makeBody: async () => encodeBody(await body(), { bodyPos }) };
  const payload = encodeBody(body, { bodyPos });
  return payload instanceof Promise ? { ...call, makeBody: () => payload } : withBody(call, payload);
}

/** The fields of a request: its own, in place of the default ones or laid over them. */
function fieldsOf(
  own: HeaderSource | null | undefined,
  defaults: HeaderSource | null | undefined,
  merge: boolean,
): HTTPHeaderDict | null {
  if (isEmpty(own)) return own && !merge ? null : isEmpty(defaults) ? null : new HTTPHeaderDict(defaults);
  const fields = new HTTPHeaderDict(own);
  if (!merge) return fields;
  const merged = new HTTPHeaderDict(defaults);
  for (const name of fields.keys()) merged.delete(name);
  merged.extend(fields);
  return merged;
}

/** `call` with `body`, and the Content-Type that it implies. */
export function withBody(call: Call, body: Payload): Call {
  if (body.contentType === null || call.headers?.has("content-type")) return { ...call, body };
  const headers = new HTTPHeaderDict(call.headers);
  headers.set("Content-Type", body.contentType);
  return { ...call, body, headers };
}

/** Writes the message. Throws `InvalidArgumentError` or `InvalidHeader` for what must not go on the wire. */
export function writeMessage(call: Call, hop: Hop): Message {
  const { method, body } = call;
  if (
    hop.written !== null &&
    method === "GET" &&
    body === null &&
    call.headers === null &&
    !call.settings.chunked
  )
    return hop.written;
  const { pool, url } = hop;
  const headers = hop.proxy === null ? call.headers : hop.proxy.fields(call.headers, method, hop.target);
  const { chunked } = call.settings;
  if (hop.plainTail !== null && headers === null && body === null && !chunked && isBodiless(method)) {
    const head = plainHead(method, hop.target, hop.plainTail);
    const message = {
      pool,
      method,
      url,
      head,
      body: null,
      bodyLength: 0,
      expectContinue: false,
      persistent: true,
    };
    if (method === "GET") hop.written = message;
    return message;
  }
  const bodyLength = body === null ? null : body.length;
  const { target, host, defaults } = hop;
  const head = writeHead({ method, target, host, headers, bodyLength, chunked, defaults });
  const wire = wireBody(body, head.chunked, headers, call.settings.onUploadProgress !== null);
  return {
    pool,
    method,
    url,
    head: head.text,
    body: wire,
    bodyLength: body?.length ?? (wire === null || wire instanceof Uint8Array ? null : (wire.length ?? null)),
    expectContinue: body !== null && has(headers, "expect", /(^|,)[\t ]*100-continue[\t ]*(,|$)/i),
    persistent: !has(headers, "connection", /(^|,)[\t ]*close[\t ]*(,|$)/i),
  };
}

/** The body with its framing on: bytes at once, unless somebody watches them go; a stream as it comes. */
function wireBody(
  body: Payload | null,
  chunked: boolean,
  headers: HTTPHeaderDict | null,
  watched: boolean,
): Uint8Array | BodyStream | null {
  const bytes = body === null ? NO_BYTES : body.bytes;
  if (bytes !== null && watched && (chunked || bytes.length > SLICE)) {
    return { length: chunked ? undefined : bytes.length, open: () => slices(bytes) };
  }
  if (bytes !== null) return chunked ? encodeChunked(bytes) : body && bytes;
  if (body === null) return null;
  const declared = headers?.get("content-length") ?? null;
  const length = chunked ? undefined : (body.length ?? Number(declared));
  return { length, open: () => body.open() };
}

function* slices(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += SLICE) yield bytes.subarray(at, at + SLICE);
}

/** Whether there is no field in it. */
export function isEmpty(source: HeaderSource | null | undefined): boolean {
  if (source === null || source === undefined) return true;
  if (source instanceof HTTPHeaderDict) return source.size === 0;
  if (Object.getPrototypeOf(source) !== Object.prototype) return false;
  for (const _name in source) return false;
  return true;
}

function has(headers: HTTPHeaderDict | null, name: string, option: RegExp): boolean {
  return option.test(headers?.get(name) ?? "");
}
