/**
 * A request head -> the text that goes on the wire in HTTP/1.1 (RFC 9112 §2 and §3), every character of Latin-1 one byte.
 * The head was checked when it was made; it is written once and remembers its text.
 */

import { type Field, SKIP_HEADER } from "../../core/headers.ts";
import type { RequestHead } from "../request-head.ts";

const CRLF = "\r\n";
const NO_FIELDS: ReadonlyMap<string, Field> = new Map();

/** The head of `request` as text. */
export function writeHead(request: RequestHead): string {
  request.text ??= `${request.method} ${request.target} HTTP/1.1\r\n${fieldLines(request)}`;
  return request.text;
}

/** `bytes` in the chunked coding (RFC 9112 §7.1): one chunk, or none for an empty body, and the end. */
export function encodeChunked(bytes: Uint8Array): Buffer {
  const end = `0${CRLF}${CRLF}`;
  if (bytes.length === 0) return Buffer.from(end);
  const size = Buffer.from(`${bytes.length.toString(16)}${CRLF}`);
  return Buffer.concat([size, bytes, Buffer.from(CRLF + end)]);
}

function fieldLines(request: RequestHead): string {
  const { plain } = request;
  if (plain === null) return writeFields(request);
  // The same for every such request of a pool.
  plain.text ??= writeFields(request);
  return plain.text;
}

function writeFields({ headers, authority, defaults, framing, addedLength }: RequestHead): string {
  const own = headers?.byName ?? NO_FIELDS;
  let text = own.has("host") ? "" : `Host: ${authority}\r\n`;
  if (!own.has("accept-encoding")) text += `Accept-Encoding: ${defaults.acceptEncoding}\r\n`;
  if (addedLength !== null) text += `Content-Length: ${addedLength}\r\n`;
  else if (framing === "chunked" && !own.has("transfer-encoding")) text += "Transfer-Encoding: chunked\r\n";
  if (!own.has("user-agent")) text += `User-Agent: ${defaults.userAgent}\r\n`;
  for (const { name, values } of own.values()) {
    for (const value of values) if (value !== SKIP_HEADER) text += `${name}: ${value}\r\n`;
  }
  return text + CRLF;
}
