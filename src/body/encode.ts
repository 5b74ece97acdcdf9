/** Request bodies as bytes. */

import { InvalidArgumentError } from "../core/errors.ts";

/** A body ready to be sent. */
export interface EncodedBody {
  bytes: Uint8Array;
  /** The Content-Type it implies, unless the caller gives one. */
  contentType: string | null;
}

const CRLF = "\r\n";

/** Bytes of a body. Throws `InvalidArgumentError` for what cannot be one. */
export function encodeBody(body: unknown): EncodedBody {
  if (typeof body === "string") return { bytes: Buffer.from(body), contentType: null };
  if (body instanceof Uint8Array) return { bytes: body, contentType: null };
  if (body instanceof ArrayBuffer) return { bytes: new Uint8Array(body), contentType: null };
  if (ArrayBuffer.isView(body)) {
    return { bytes: new Uint8Array(body.buffer, body.byteOffset, body.byteLength), contentType: null };
  }
  if (body instanceof URLSearchParams) {
    return {
      bytes: Buffer.from(body.toString()),
      contentType: "application/x-www-form-urlencoded;charset=UTF-8",
    };
  }
  const kind =
    body === null ? "null" : typeof body === "object" ? (body.constructor?.name ?? "object") : typeof body;
  throw new InvalidArgumentError(
    `'body' must be a string, bytes, or an iterable of them. Instead was ${kind}`,
  );
}

/** `bytes` in the chunked coding (RFC 9112 §7.1): one chunk, or none for an empty body, and the end. */
export function encodeChunked(bytes: Uint8Array): Buffer {
  const end = `0${CRLF}${CRLF}`;
  if (bytes.length === 0) return Buffer.from(end);
  const size = Buffer.from(`${bytes.length.toString(16)}${CRLF}`);
  return Buffer.concat([size, bytes, Buffer.from(CRLF + end)]);
}
