/**
 * A request head as data: what every version of HTTP writes in its own way.
 *
 * It is checked when it is made, so that nothing a caller gives can end a line early or be read as two requests: method
 * and names are tokens (RFC 9110 §5.6.2), values hold no control character but HTAB (§5.5), the target no white space,
 * control or non-ASCII character, Host appears once.
 *
 * Framing (RFC 9112 §6; urllib3's table):
 *  1. a caller's Content-Length is sent as it is and must be the body's; a caller's Transfer-Encoding must end in
 *     `chunked` and makes the body chunked; both together are refused;
 *  2. `chunked: true` sends any body chunked;
 *  3. a body of known length gets Content-Length, any other body is chunked;
 *  4. no body: `Content-Length: 0` for methods that usually have one, else nothing.
 */

import { InvalidArgumentError, InvalidHeader } from "../core/errors.ts";
import { type HTTPHeaderDict, SKIP_HEADER, SKIPPABLE_HEADERS } from "../core/headers.ts";
import { kindOf, show } from "../core/shown.ts";
import { isFieldValue, isToken } from "./grammar.ts";

/** Fields that are sent unless the caller has them. */
export interface DefaultFields {
  readonly acceptEncoding: string;
  readonly userAgent: string;
}

/** What the requests of one pool have in common that have no fields of their own and no body. */
export interface PlainFields {
  readonly defaults: DefaultFields;
  /** All that follows the request line in HTTP/1; `null` until it was written. */
  text: string | null;
}

/** How the end of a request body is told. */
export type RequestFraming = "none" | "length" | "chunked";

/** What a head is made of. */
export interface RequestHeadInit {
  readonly method: string;
  readonly scheme: string;
  /** Value of Host, or of `:authority`, unless the caller set it. */
  readonly authority: string;
  /** Origin-form, absolute-form, authority-form or `*`, already percent-encoded. */
  readonly target: string;
  /** The caller's fields. */
  readonly headers: HTTPHeaderDict | null;
  /** `null` for no body, its length in bytes, or `undefined` where that is unknown. */
  readonly bodyLength: number | null | undefined;
  /** Whether the caller asks for the chunked coding. */
  readonly chunked: boolean;
  readonly defaults: DefaultFields;
}

const BODILESS_METHODS = new Set(["GET", "HEAD", "DELETE", "TRACE", "OPTIONS", "CONNECT"]);
const TARGET = /^[\x21-\x7e]+$/;

/** A checked request head. */
export class RequestHead {
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  readonly target: string;
  /** The caller's fields, sent in their order and spelling; a value may be `SKIP_HEADER`. */
  readonly headers: HTTPHeaderDict | null;
  readonly framing: RequestFraming;
  /** Value of the Content-Length to be added; `null` for none: there is none, or the caller's is among `headers`. */
  readonly addedLength: number | null;
  readonly defaults: DefaultFields;
  /** Set where the request has no fields of its own and no body. */
  readonly plain: PlainFields | null;
  /** The head as HTTP/1 writes it; `null` until it was written. */
  text: string | null = null;

  /** Throws `InvalidArgumentError` for a bad method, target or framing, `InvalidHeader` for a bad field. */
  constructor(init: RequestHeadInit, plain: PlainFields | null = null) {
    this.method = init.method;
    this.scheme = init.scheme;
    this.authority = init.authority;
    this.target = init.target;
    this.defaults = init.defaults;
    this.plain = plain;
    checkTarget(init.target);
    if (plain !== null) {
      this.headers = init.headers;
      this.framing = "none";
      this.addedLength = null;
      return;
    }
    checkMethod(init.method);
    this.headers = init.headers === null ? null : checkedFields(init.headers);
    this.framing = chooseFraming(init);
    const added = this.framing === "length" && !init.headers?.byName.has("content-length");
    this.addedLength = added ? (init.bodyLength ?? 0) : null;
  }

  /** Characters of the head as HTTP/1 writes it, once it was written; for counting what was sent. */
  get size(): number {
    return this.text?.length ?? 0;
  }
}

/** Throws `InvalidArgumentError` unless `method` is a token. */
export function checkMethod(method: unknown): asserts method is string {
  if (typeof method !== "string") {
    throw new InvalidArgumentError(`Method must be a string, not ${kindOf(method)}${METHOD_FIRST}`);
  }
  if (isToken(method)) return;
  const advice = /[:/]/.test(method) ? METHOD_FIRST : "";
  throw new InvalidArgumentError(`Method cannot contain non-token characters: ${show(method)}${advice}`);
}

/** For those who are used to clients that begin with the URL. */
const METHOD_FIRST = ". The arguments are method, URL and options";

/** Whether a request without body needs no framing field. */
export function isBodiless(method: string): boolean {
  return BODILESS_METHODS.has(method);
}

/** URLs of schemes of one's own are not encoded when they are parsed. */
function checkTarget(target: string): void {
  if (!TARGET.test(target))
    throw new InvalidArgumentError("Request target holds a character that must be encoded");
}

/** The fields as they are sent. */
function checkedFields(headers: HTTPHeaderDict): HTTPHeaderDict {
  let repeated = false;
  for (const { name, values } of headers.byName.values()) {
    for (const value of values) checkField(name, value);
    if (values.length > 1) repeated = true;
  }
  return repeated ? foldRepeated(headers) : headers;
}

/** Fields that a request has once. */
const SINGULAR = ["host", "content-length", "transfer-encoding"];

/** Equal values of such a field, in whatever spelling of its name, are one. Other fields than Host are checked later. */
function foldRepeated(headers: HTTPHeaderDict): HTTPHeaderDict {
  let folded = headers;
  for (const name of SINGULAR) {
    const values = headers.getList(name);
    if (values.length < 2) continue;
    if (values.some((value) => value !== values[0])) {
      if (name === "host") throw twoHosts();
      continue;
    }
    if (folded === headers) folded = headers.copy();
    folded.set(name, values[0]!);
  }
  return folded;
}

function twoHosts(): InvalidHeader {
  const text = "Host was given twice with different values: a request has one (RFC 9112 §3.2)";
  return new InvalidHeader(text, { phase: "request" });
}

function checkField(name: string, value: string): void {
  if (!isToken(name))
    throw new InvalidHeader(`Invalid header name ${JSON.stringify(name)}`, { phase: "request" });
  if (value === SKIP_HEADER) {
    if (SKIPPABLE_HEADERS.has(name.toLowerCase())) return;
    throw new InvalidHeader(
      `SKIP_HEADER only supports 'Accept-Encoding', 'Host', 'User-Agent', not ${JSON.stringify(name)}`,
      { phase: "request" },
    );
  }
  if (isFieldValue(value)) return;
  // The value may be a credential: it is not shown.
  throw new InvalidHeader(`Invalid header value of ${name}: control or non-Latin-1 character`, {
    phase: "request",
  });
}

function chooseFraming(init: RequestHeadInit): RequestFraming {
  const { headers, bodyLength } = init;
  const lengths = headers?.byName.get("content-length")?.values;
  const codings = headers?.byName.get("transfer-encoding")?.values;
  if (codings !== undefined) return checkCodings(codings, lengths);
  if (lengths !== undefined) return checkLength(init, lengths);
  if (init.chunked || bodyLength === undefined) return "chunked";
  return bodyLength === null && isBodiless(init.method) ? "none" : "length";
}

function checkCodings(values: readonly string[], lengths: readonly string[] | undefined): "chunked" {
  if (lengths !== undefined)
    throw new InvalidArgumentError("Content-Length and Transfer-Encoding exclude each other");
  const codings = values
    .join()
    .split(",")
    .map((each) => each.trim().toLowerCase());
  const first = codings.indexOf("chunked");
  if (first === -1 || codings.slice(first).some((each) => each !== "chunked")) {
    throw new InvalidArgumentError("A request's Transfer-Encoding must end in chunked (RFC 9112 §6.1)");
  }
  return "chunked";
}

function checkLength(init: RequestHeadInit, lengths: readonly string[]): "length" {
  const [length = ""] = lengths;
  if (init.chunked) throw new InvalidArgumentError("Content-Length and chunked exclude each other");
  if (!/^[0-9]{1,16}$/.test(length) || lengths.some((each) => each !== length))
    throw new InvalidArgumentError(`Invalid Content-Length ${JSON.stringify(lengths.join(", "))}`);
  const known = init.bodyLength ?? (init.bodyLength === null ? 0 : undefined);
  if (known !== undefined && known !== Number(length)) {
    throw new InvalidArgumentError(`Content-Length is ${length} but the body has ${known} bytes`);
  }
  return "length";
}
