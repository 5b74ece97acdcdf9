/**
 * A request head -> the text that goes on the wire (RFC 9112 §2 and §3), every character of Latin-1 one byte.
 *
 * Nothing a caller gives can end a line early: method and names are tokens (RFC 9110 §5.6.2), values hold no control
 * character but HTAB (§5.5), the target no white space, control or non-ASCII character.
 *
 * Framing (RFC 9112 §6; urllib3's table):
 *  1. a caller's Content-Length is sent as it is and must be the body's; a caller's Transfer-Encoding must end in
 *     `chunked` and makes the body chunked; both together are refused;
 *  2. `chunked: true` sends any body chunked;
 *  3. a body of known length gets Content-Length, any other body is chunked;
 *  4. no body: `Content-Length: 0` for methods that usually have one, else nothing.
 */

import { InvalidArgumentError, InvalidHeader } from "../../core/errors.ts";
import { type HTTPHeaderDict, SKIP_HEADER, SKIPPABLE_HEADERS } from "../../core/headers.ts";
import { isFieldValue, isToken } from "./grammar.ts";

/** What the writer needs of a body: `null` for none, its length in bytes, or `undefined` where that is unknown. */
export type BodyLength = number | null | undefined;

/** A request without its body. */
export interface RequestHead {
  method: string;
  /** Origin-form, absolute-form, authority-form or `*`, already percent-encoded. */
  target: string;
  /** Value of Host unless the caller set it. */
  host: string;
  /** The caller's fields, sent in their order and spelling. */
  headers: HTTPHeaderDict | null;
  bodyLength: BodyLength;
  chunked: boolean;
  /** Values sent unless the caller has those fields. */
  defaults: DefaultFields;
}

/** Fields that are sent unless the caller has them. */
export interface DefaultFields {
  acceptEncoding: string;
  userAgent: string;
}

/** The finished head, and whether the body goes out in chunks. */
export interface WrittenHead {
  text: string;
  chunked: boolean;
}

const BODILESS_METHODS = new Set(["GET", "HEAD", "DELETE", "TRACE", "OPTIONS", "CONNECT"]);
const TARGET = /^[\x21-\x7e]+$/;

/** Throws `InvalidArgumentError` unless `method` is a token. */
export function checkMethod(method: string): void {
  if (!isToken(method)) {
    throw new InvalidArgumentError(`Method cannot contain non-token characters: ${JSON.stringify(method)}`);
  }
}

/**
 * The head of a request that has no fields of its own and no body: what {@link writeHead} would give, at once.
 * Throws `InvalidArgumentError` for a bad target.
 */
export function plainHead(method: string, target: string, tail: string): string {
  checkTarget(target);
  return `${method} ${target} HTTP/1.1\r\n${tail}`;
}

/** All that follows the request line of such a request; the same for every request of a pool. */
export function plainTail(host: string, defaults: DefaultFields): string {
  return `Host: ${host}\r\nAccept-Encoding: ${defaults.acceptEncoding}\r\nUser-Agent: ${defaults.userAgent}\r\n\r\n`;
}

/** Whether a request without body needs no framing field. */
export function isBodiless(method: string): boolean {
  return BODILESS_METHODS.has(method);
}

/**
 * Writes a request head. Throws `InvalidArgumentError` for a bad method or target and for framing that contradicts
 * itself, `InvalidHeader` for a bad field.
 */
export function writeHead(request: RequestHead): WrittenHead {
  const { method, target, headers, defaults } = request;
  checkMethod(method);
  checkTarget(target);
  const framing = chooseFraming(request);
  let text = `${method} ${target} HTTP/1.1\r\n`;
  text += defaultField(headers, "Host", request.host);
  text += defaultField(headers, "Accept-Encoding", defaults.acceptEncoding);
  text += framing.field;
  text += defaultField(headers, "User-Agent", defaults.userAgent);
  if (headers !== null) for (const [name, value] of headers.items()) text += callerField(name, value);
  return { text: `${text}\r\n`, chunked: framing.chunked };
}

/** URLs of schemes of one's own are not encoded when they are parsed. */
function checkTarget(target: string): void {
  if (!TARGET.test(target))
    throw new InvalidArgumentError("Request target holds a character that must be encoded");
}

function defaultField(headers: HTTPHeaderDict | null, name: string, value: string): string {
  if (headers?.has(name)) return "";
  if (!isFieldValue(value)) throw new InvalidHeader(`Invalid value of the default header ${name}`);
  return `${name}: ${value}\r\n`;
}

function callerField(name: string, value: string): string {
  if (!isToken(name))
    throw new InvalidHeader(`Invalid header name ${JSON.stringify(name)}`, { phase: "request" });
  if (value === SKIP_HEADER) {
    if (SKIPPABLE_HEADERS.has(name.toLowerCase())) return "";
    throw new InvalidHeader(
      `SKIP_HEADER only supports 'Accept-Encoding', 'Host', 'User-Agent', not ${JSON.stringify(name)}`,
      { phase: "request" },
    );
  }
  if (!isFieldValue(value)) {
    // The value may be a credential: it is not shown.
    throw new InvalidHeader(`Invalid header value of ${name}: control or non-Latin-1 character`, {
      phase: "request",
    });
  }
  return `${name}: ${value}\r\n`;
}

function chooseFraming(request: RequestHead): { field: string; chunked: boolean } {
  const { headers, bodyLength } = request;
  const length = headers?.get("content-length") ?? null;
  const coding = headers?.get("transfer-encoding") ?? null;
  if (coding !== null) return { field: "", chunked: checkCoding(coding, length) };
  if (length !== null) return { field: "", chunked: checkLength(request, length) };
  if (request.chunked || bodyLength === undefined)
    return { field: "Transfer-Encoding: chunked\r\n", chunked: true };
  if (bodyLength === null && isBodiless(request.method)) return { field: "", chunked: false };
  return { field: `Content-Length: ${bodyLength ?? 0}\r\n`, chunked: false };
}

function checkCoding(coding: string, length: string | null): boolean {
  if (length !== null)
    throw new InvalidArgumentError("Content-Length and Transfer-Encoding exclude each other");
  if (!/(^|,)[\t ]*chunked[\t ]*$/i.test(coding)) {
    throw new InvalidArgumentError("A request's Transfer-Encoding must end in chunked (RFC 9112 §6.1)");
  }
  return true;
}

function checkLength(request: RequestHead, length: string): boolean {
  if (request.chunked) throw new InvalidArgumentError("Content-Length and chunked exclude each other");
  if (!/^[0-9]{1,16}$/.test(length))
    throw new InvalidArgumentError(`Invalid Content-Length ${JSON.stringify(length)}`);
  const known = request.bodyLength ?? (request.bodyLength === null ? 0 : undefined);
  if (known !== undefined && known !== Number(length)) {
    throw new InvalidArgumentError(`Content-Length is ${length} but the body has ${known} bytes`);
  }
  return false;
}
