/** A call and a hop -> the request that goes on the wire; made once, sent by every attempt of the hop. */

import { AsyncResource } from "node:async_hooks";
import { encodeBody, measured, type Payload, payloadOf } from "../body/request/encode.ts";
import { sourceError } from "../body/request/sources.ts";
import type { BodyStream } from "../connection/upload-source.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { type HeaderSource, HTTPHeaderDict } from "../core/headers.ts";
import type { Pool } from "../pool/pool.ts";
import {
  checkMethod,
  type DefaultFields,
  isBodiless,
  type PlainFields,
  RequestHead,
} from "../protocol/request-head.ts";
import type { UrlopenOptions } from "./options.ts";
import type { ProxyFields } from "./proxy-fields.ts";
import { NO_OPTIONS } from "./request-methods.ts";
import { type CallSettings, callSettings } from "./settings.ts";

/** Bytes of a body in memory that are sent, and counted, at a time where somebody watches them go. */
const SLICE = 65_536;

const NO_BYTES = new Uint8Array(0);

/** What the caller asked for; changes from hop to hop. */
export interface RequestSpec {
  readonly method: string;
  readonly headers: HTTPHeaderDict | null;
  readonly body: Payload | null;
  /** Makes the body anew for each attempt; `null` where it is there. */
  readonly makeBody: (() => Promise<Payload>) | null;
  /** The body as the caller gave it, its length maybe still unknown; `null` where there is none, or a function. */
  readonly given: Payload | null;
  readonly settings: CallSettings;
}

/** Where a call goes. */
export interface Destination {
  /** Hands out the connections. */
  readonly pool: Pool;
  /** Request target: origin-form, or absolute-form for a proxy. */
  readonly target: string;
  /** Of the origin. */
  readonly scheme: string;
  /** Value of Host. */
  readonly host: string;
  /** Absolute URL without credentials. */
  readonly url: string;
  /** What the requests have in common that have no fields and no body of their own; `null`: nothing. */
  readonly plain: PlainFields | null;
  readonly defaults: DefaultFields;
  /** The proxy on the way; `null` without one, or where it does nothing to requests. */
  readonly proxy: ProxyFields | null;
  /** Counts the request. */
  count(): void;
  /** The request of a plain GET. */
  plainGet: OutgoingRequest | null;
}

/** A hop whose way is still being chosen. */
export interface PendingDestination {
  readonly url: string;
  readonly chosen: Promise<Destination>;
}

/** What goes on the wire, and where. */
export interface OutgoingRequest {
  readonly pool: Pool;
  readonly method: string;
  readonly url: string;
  readonly head: RequestHead;
  readonly body: Uint8Array | BodyStream | null;
  /** Bytes of the body; `null` where that is not known. */
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
): RequestSpec {
  if (typeof method !== "string") checkMethod(method);
  if (options === NO_OPTIONS && isEmpty(defaults)) {
    return { method, headers: null, body: null, makeBody: null, given: null, settings: base };
  }
  const settings = inCallersContext(callSettings(base, options));
  const headers = fieldsOf(options.headers, defaults, settings.mergeHeaders);
  const { body: source, bodyPos } = options;
  const call: RequestSpec = { method, headers, body: null, makeBody: null, given: null, settings };
  if (source === undefined || source === null) return call;
  if (typeof source === "function") return { ...call, makeBody: () => madeBody(source, bodyPos) };
  const given = payloadOf(source, { bodyPos });
  const payload = measured(given);
  if (payload instanceof Promise) return { ...call, given, makeBody: () => payload };
  return { ...withBody(call, payload), given };
}

async function madeBody(make: () => unknown, bodyPos: number | null | undefined): Promise<Payload> {
  let source: unknown;
  try {
    source = await make();
  } catch (error) {
    throw sourceError(error);
  }
  if (source === undefined || source === null) {
    throw new InvalidArgumentError(`The function given as 'body' must give a body, not ${String(source)}`);
  }
  return encodeBody(source, { bodyPos });
}

const CALLBACKS = ["onInformational", "onUploadProgress", "onDownloadProgress"] as const;

/** Callbacks run in the asynchronous context of the call, not in that of the request that opened the connection. */
function inCallersContext(settings: CallSettings): CallSettings {
  const { onInformational, onUploadProgress, onDownloadProgress } = settings;
  if (onInformational === null && onUploadProgress === null && onDownloadProgress === null) return settings;
  const bound: Record<string, unknown> = {};
  for (const name of CALLBACKS) {
    const callback = settings[name];
    if (callback !== null) bound[name] = AsyncResource.bind(callback as () => void);
  }
  return { ...settings, ...bound };
}

/** Whether functions of the caller's run for it: in the caller's asynchronous context. */
export function hasCallersCode({ makeBody, settings }: RequestSpec): boolean {
  const { onInformational, onUploadProgress, onDownloadProgress, onRequest, onResponse } = settings;
  if (makeBody !== null || onRequest !== null || onResponse !== null) return true;
  return onInformational !== null || onUploadProgress !== null || onDownloadProgress !== null;
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
export function withBody(call: RequestSpec, body: Payload): RequestSpec {
  if (body.contentType === null || call.headers?.has("content-type")) return { ...call, body };
  const headers = new HTTPHeaderDict(call.headers);
  headers.set("Content-Type", body.contentType);
  return { ...call, body, headers };
}

/** Makes the request. Throws `InvalidArgumentError` or `InvalidHeader` for what must not go on the wire. */
export function makeRequest(call: RequestSpec, hop: Destination): OutgoingRequest {
  const { method, body } = call;
  const { pool, url, target, scheme, host: authority, defaults, proxy } = hop;
  const plain = isPlain(call) && isBodiless(method) ? hop.plain : null;
  if (plain !== null && method === "GET" && hop.plainGet !== null) return hop.plainGet;
  const headers = proxy === null ? call.headers : proxy.fields(call.headers, method, target);
  const bodyLength = body === null ? null : body.length;
  const { chunked } = call.settings;
  const head = new RequestHead(
    {
      method,
      scheme,
      authority,
      target,
      headers,
      bodyLength,
      chunked,
      defaults: defaultsFor(call, defaults),
    },
    plain,
  );
  const request: OutgoingRequest = {
    pool,
    method,
    url,
    head,
    body: body === null ? emptyBody(head) : wireBody(body, head, call.settings.onUploadProgress !== null),
    bodyLength: bodyLength ?? declaredLength(head),
    expectContinue: body !== null && says(headers, "expect", CONTINUE),
    persistent: !says(headers, "connection", CLOSE),
  };
  if (plain !== null && method === "GET") hop.plainGet = request;
  return request;
}

/** Whether nothing of it is the caller's own. */
function isPlain({ headers, body, settings }: RequestSpec): boolean {
  return headers === null && body === null && !settings.chunked && settings.decodeContent;
}

/** A coding is offered only to be undone here: not that of a part of something larger (RFC 9110 §14.2), nor unasked. */
function defaultsFor({ headers, settings }: RequestSpec, defaults: DefaultFields): DefaultFields {
  if (settings.decodeContent && !headers?.byName.has("range")) return defaults;
  return { ...defaults, acceptEncoding: "identity" };
}

/** A request that says it is chunked has at least the end of a body. */
function emptyBody({ framing }: RequestHead): Uint8Array | null {
  return framing === "chunked" ? NO_BYTES : null;
}

/** Bytes at once, unless somebody watches them go; a stream as it comes. */
function wireBody(body: Payload, head: RequestHead, watched: boolean): Uint8Array | BodyStream {
  const { bytes } = body;
  if (bytes !== null && !(watched && (head.framing === "chunked" || bytes.length > SLICE))) return bytes;
  if (bytes !== null) return { length: bytes.length, open: () => slices(bytes) };
  const length = body.length ?? declaredLength(head) ?? undefined;
  return {
    length,
    context: new AsyncResource("urlpool.body"),
    open: () => body.open(),
    watch: (onFailure) => body.watch?.(onFailure),
  };
}

/** The length that the caller gave; `null` without one. */
function declaredLength({ headers }: RequestHead): number | null {
  const declared = headers?.get("content-length") ?? null;
  return declared === null ? null : Number(declared);
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

const CONTINUE = /(^|,)[\t ]*100-continue[\t ]*(,|$)/i;
const CLOSE = /(^|,)[\t ]*close[\t ]*(,|$)/i;

/** Whether `option` is among the values of `name`, which is in lower case. */
function says(headers: HTTPHeaderDict | null, name: string, option: RegExp): boolean {
  return headers?.byName.get(name)?.values.some((value) => option.test(value)) === true;
}
