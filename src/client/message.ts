/** A call and a hop -> the message that goes on the wire; written once, sent by every attempt of the hop. */

import { encodeChunked, type Payload } from "../body/encode.ts";
import type { BodyStream } from "../connection/upload.ts";
import { HTTPHeaderDict } from "../core/headers.ts";
import type { Pool } from "../pool/pool.ts";
import { type DefaultFields, isBodiless, plainHead, writeHead } from "../protocol/h1/request-writer.ts";
import type { CallSettings } from "./settings.ts";

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
  /** Counts the request. */
  count(): void;
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

/** `call` with `body`, and the Content-Type that it implies. */
export function withBody(call: Call, body: Payload): Call {
  if (body.contentType === null || call.headers?.has("content-type")) return { ...call, body };
  const headers = new HTTPHeaderDict(call.headers);
  headers.set("Content-Type", body.contentType);
  return { ...call, body, headers };
}

/** Writes the message. Throws `InvalidArgumentError` or `InvalidHeader` for what must not go on the wire. */
export function writeMessage(call: Call, hop: Hop): Message {
  const { method, headers, body } = call;
  const { pool, url } = hop;
  const { chunked } = call.settings;
  if (hop.plainTail !== null && headers === null && body === null && !chunked && isBodiless(method)) {
    const head = plainHead(method, hop.target, hop.plainTail);
    return { pool, method, url, head, body: null, bodyLength: 0, expectContinue: false, persistent: true };
  }
  const bodyLength = body === null ? null : body.length;
  const { target, host, defaults } = hop;
  const head = writeHead({ method, target, host, headers, bodyLength, chunked, defaults });
  return {
    pool,
    method,
    url,
    head: head.text,
    body: wireBody(body, head.chunked, headers),
    bodyLength: body?.length ?? null,
    expectContinue: body !== null && has(headers, "expect", /(^|,)[\t ]*100-continue[\t ]*(,|$)/i),
    persistent: !has(headers, "connection", /(^|,)[\t ]*close[\t ]*(,|$)/i),
  };
}

/** The body with its framing on: bytes at once, a stream as it comes. */
function wireBody(
  body: Payload | null,
  chunked: boolean,
  headers: HTTPHeaderDict | null,
): Uint8Array | BodyStream | null {
  const bytes = body === null ? new Uint8Array(0) : body.bytes;
  if (bytes !== null) return chunked ? encodeChunked(bytes) : body && bytes;
  if (body === null) return null;
  const declared = headers?.get("content-length") ?? null;
  const length = chunked ? undefined : (body.length ?? Number(declared));
  return { length, open: () => body.open() };
}

function has(headers: HTTPHeaderDict | null, name: string, option: RegExp): boolean {
  return option.test(headers?.get(name) ?? "");
}
