/**
 * A request head -> the text that goes on the wire in HTTP/1.1 (RFC 9112 §2 and §3), every character of Latin-1 one byte.
 * The head was checked when it was made; it is written once and remembers its text.
 */

import { type HTTPHeaderDict, SKIP_HEADER } from "../../core/headers.ts";
import type { RequestHead } from "../request-head.ts";

const CRLF = "\r\n";

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
  let text = defaultField(headers, "Host", authority);
  text += defaultField(headers, "Accept-Encoding", defaults.acceptEncoding);
  if (addedLength !== null) text += `Content-Length: ${addedLength}\r\n`;
  else if (framing === "chunked") text += defaultField(headers, "Transfer-Encoding", "chunked");
  text += defaultField(headers, "User-Agent", defaults.userAgent);
  if (headers !== null) {
    for (const [name, value] of headers.items()) if (value !== SKIP_HEADER) text += `${name}: ${value}\r\n`;
  }
  return text + CRLF;
}

function defaultField(headers: HTTPHeaderDict | null, name: string, value: string): string {
  return headers?.has(name) ? "" : `${name}: ${value}\r\n`;
}
