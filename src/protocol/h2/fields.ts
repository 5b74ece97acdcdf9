/**
 * Our request head -> the fields of HTTP/2, and what makes a response's fields malformed (RFC 9113 §8.2 and §8.3).
 *
 *  1. the caller's Host becomes `:authority`; there is never both;
 *  2. what belongs to a connection is not sent (§8.2.2): Connection with the fields it names, Keep-Alive,
 *     Proxy-Connection, HTTP2-Settings, `Transfer-Encoding: chunked`, `Upgrade: h2c`; TE goes as `trailers` or not at all;
 *  3. a transfer coding besides `chunked`, or an Upgrade to something else, cannot be had here: `InvalidHeader`;
 *  4. names are lower-case, values have no white space around them.
 *
 * Names, values and the target were checked when the head was made.
 */

import { InvalidHeader } from "../../core/errors.ts";
import { type HTTPHeaderDict, SKIP_HEADER } from "../../core/headers.ts";
import type { FieldBlock } from "./field-block.ts";

/** What is needed of a request head. */
export interface HeadFacts {
  readonly method: string;
  readonly scheme: string;
  /** `:authority`, unless the caller gave Host. */
  readonly authority: string;
  /** Origin-form or `*`; authority-form for CONNECT. */
  readonly target: string;
  /** The caller's fields; a value may be `SKIP_HEADER`. */
  readonly headers: HTTPHeaderDict | null;
  /** Content-Length to be added; `null` for none. */
  readonly addedLength: number | null;
  readonly defaults: { readonly acceptEncoding: string; readonly userAgent: string };
  /** One object for all requests of a pool that have no fields of their own and no body; else `null`. */
  readonly plain: object | null;
}

/** The fields of one request. */
export interface RequestFields {
  readonly method: string;
  /** `null` for CONNECT (§8.5), as `path`. */
  readonly scheme: string | null;
  readonly authority: string;
  readonly path: string | null;
  /** Name and value by turns. */
  readonly lines: readonly string[];
}

/** Names that need more than being sent. */
type Rule = "host" | "drop" | "connection" | "te" | "transfer-encoding" | "upgrade" | "send";

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["host", "host"],
  ["keep-alive", "drop"],
  ["proxy-connection", "drop"],
  ["http2-settings", "drop"],
  ["connection", "connection"],
  ["te", "te"],
  ["transfer-encoding", "transfer-encoding"],
  ["upgrade", "upgrade"],
]);

/** Spellings of names are few and come again. */
const spellings = new Map<string, string>();
const MOST_SPELLINGS = 512;

/** Throws `InvalidHeader` for what HTTP/2 cannot say. */
export function requestFields(head: HeadFacts): RequestFields {
  const lines: string[] = [];
  const { headers, defaults } = head;
  if (!headers?.has("accept-encoding")) lines.push("accept-encoding", defaults.acceptEncoding);
  if (head.addedLength !== null) lines.push("content-length", String(head.addedLength));
  if (!headers?.has("user-agent")) lines.push("user-agent", defaults.userAgent);
  let authority = head.authority;
  if (headers !== null) {
    const named = namedByConnection(headers);
    for (const [name, value] of headers.items()) {
      const lower = lowerCase(name);
      if (lower === "host") authority = hostOf(value, authority);
      else if (!named?.has(lower) || lower === "te") addField(lines, lower, value);
    }
  }
  checkAuthority(authority);
  const isConnect = head.method === "CONNECT";
  return {
    method: head.method,
    scheme: isConnect ? null : head.scheme,
    authority: isConnect ? head.target : authority,
    path: isConnect ? null : pathOf(head),
    lines,
  };
}

/** Size of a request's field list as a peer's MAX_HEADER_LIST_SIZE counts it (§6.5.2). */
export function listSize({ method, scheme, authority, path, lines }: RequestFields): number {
  let size = 7 + method.length + 10 + authority.length + 2 * 32;
  if (scheme !== null) size += 7 + scheme.length + 32;
  if (path !== null) size += 5 + path.length + 32;
  for (const text of lines) size += text.length + 16;
  return size;
}

/** Why a block is no response head; `null` if it is one. */
export function headProblem(block: FieldBlock, endStream: boolean): string | null {
  if (block.problem !== null) return block.problem;
  if (block.status === 0) return "no :status";
  if (block.status === 101) return "status 101, which HTTP/2 does not have";
  if (block.status < 200) {
    if (endStream) return "an informational response that ends the stream";
    if (block.contentLength !== -1) return "content-length in an informational response";
  }
  if (block.status === 204 && block.contentLength > 0) return "content-length in a 204 response";
  return null;
}

/** Why a block is no trailer section; `null` if it is one. */
export function trailersProblem(block: FieldBlock, endStream: boolean): string | null {
  if (!endStream) return "trailers that do not end the stream";
  if (block.pseudo) return "a pseudo field in trailers";
  return block.problem;
}

function lowerCase(name: string): string {
  const known = spellings.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  if (spellings.size < MOST_SPELLINGS) spellings.set(name, lower);
  return lower;
}

/** Connection options name fields that end with the connection (RFC 9110 §7.6.1). */
function namedByConnection(headers: HTTPHeaderDict): Set<string> | null {
  const options = headers.get("connection");
  if (options === null) return null;
  return new Set(options.split(",").map((option) => option.trim().toLowerCase()));
}

function hostOf(value: string, authority: string): string {
  return value === SKIP_HEADER ? authority : value.trim();
}

function addField(lines: string[], name: string, value: string): void {
  if (value === SKIP_HEADER) return;
  const rule = RULES.get(name) ?? "send";
  if (rule === "send") lines.push(name, trimmed(value));
  else if (rule === "te") addTe(lines, value);
  else if (rule === "transfer-encoding") checkCoding(value);
  else if (rule === "upgrade") checkUpgrade(value);
}

function addTe(lines: string[], value: string): void {
  const codings = value.split(",").map((coding) => coding.trim().toLowerCase());
  if (codings.includes("trailers")) lines.push("te", "trailers");
}

function checkCoding(value: string): void {
  if (value.trim().toLowerCase() === "chunked") return;
  throw new InvalidHeader("HTTP/2 has no transfer codings: remove Transfer-Encoding", { phase: "request" });
}

function checkUpgrade(value: string): void {
  if (/^[\t ]*h2c?[\t ]*$/i.test(value)) return;
  throw new InvalidHeader("HTTP/2 has no Upgrade: send this request with http2: false", { phase: "request" });
}

/** §8.3.1. */
function checkAuthority(authority: string): void {
  if (!authority.includes("@")) return;
  throw new InvalidHeader("Host must not hold user information (RFC 9113 §8.3.1)", { phase: "request" });
}

function pathOf({ method, target }: HeadFacts): string {
  if (target.startsWith("/") || (target === "*" && method === "OPTIONS")) return target;
  throw new InvalidHeader("The target of an HTTP/2 request begins with a slash (RFC 9113 §8.3.1)", {
    phase: "request",
  });
}

function trimmed(value: string): string {
  const first = value.charCodeAt(0);
  const last = value.charCodeAt(value.length - 1);
  const blank = first === 32 || first === 9 || last === 32 || last === 9;
  return blank ? value.replace(/^[\t ]+|[\t ]+$/g, "") : value;
}
