/** A call and a hop -> the message that goes on the wire; written once, sent by every attempt of the hop. */

import { encodeChunked } from "../body/encode.ts";
import type { HTTPHeaderDict } from "../core/headers.ts";
import type { Pool } from "../pool/pool.ts";
import { type DefaultFields, isBodiless, plainHead, writeHead } from "../protocol/h1/request-writer.ts";
import type { CallSettings } from "./settings.ts";

/** What the caller asked for; changes from hop to hop. */
export interface Call {
  readonly method: string;
  readonly headers: HTTPHeaderDict | null;
  readonly body: Uint8Array | null;
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
  readonly body: Uint8Array | null;
  /** False if the caller's Connection header asks for the end. */
  readonly persistent: boolean;
}

/** Writes the message. Throws `InvalidArgumentError` or `InvalidHeader` for what must not go on the wire. */
export function writeMessage(call: Call, hop: Hop): Message {
  const { method, headers, body } = call;
  const { pool, url } = hop;
  const { chunked } = call.settings;
  if (hop.plainTail !== null && headers === null && body === null && !chunked && isBodiless(method)) {
    return {
      pool,
      method,
      url,
      head: plainHead(method, hop.target, hop.plainTail),
      body: null,
      persistent: true,
    };
  }
  const bodyLength = body === null ? null : body.length;
  const head = writeHead({
    method,
    target: hop.target,
    host: hop.host,
    headers,
    bodyLength,
    chunked,
    defaults: hop.defaults,
  });
  return {
    pool,
    method,
    url,
    head: head.text,
    body: head.chunked ? encodeChunked(body ?? new Uint8Array(0)) : body,
    persistent: !asksForClose(headers),
  };
}

function asksForClose(headers: HTTPHeaderDict | null): boolean {
  const connection = headers?.get("connection") ?? null;
  return connection !== null && /(^|,)[\t ]*close[\t ]*(,|$)/i.test(connection);
}
