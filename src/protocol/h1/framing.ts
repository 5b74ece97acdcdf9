/**
 * How long a response body is (RFC 9112 §6.3), and whether the connection may stay open after it (§9.3).
 *
 * Stricter than the RFC asks, because two readings of one length are what request smuggling is made of:
 *  1. a length beside Transfer-Encoding is refused (§6.3, item 3);
 *  2. lengths are bare digits; repeated equal values count once (RFC 9110 §8.6), different ones are refused;
 *  3. `chunked` comes last and once; a coding before it that nobody knows is refused.
 *
 * Two things leave one reading only and are accepted: `identity` is no coding, and of equal lines
 * `Transfer-Encoding: chunked`, which an application and its server both added, one counts.
 */

import { InvalidHeader, ProtocolError } from "../../core/errors.ts";
import type { HeadReader } from "./head-reader.ts";

/** How a body ends. */
export type Framing = "none" | "length" | "chunked" | "close";

const DIGITS = /^[0-9]{1,16}$/;
const TRANSFER_CODINGS = new Set(["gzip", "x-gzip", "deflate"]);

/** The declared length. Throws `ProtocolError` for anything but digits, `InvalidHeader` for values that differ. */
export function parseContentLength(text: string): number {
  if (text.length < 16 && DIGITS.test(text)) return Number(text);
  const values = text.split(",").map((value) => value.trim());
  const first = values[0]!;
  if (!DIGITS.test(first) || Number(first) > Number.MAX_SAFE_INTEGER)
    fault(`invalid Content-Length "${text}"`);
  if (values.some((value) => value !== first))
    throw new InvalidHeader(`Content-Length contained multiple unmatching values (${text})`, {
      phase: "head",
    });
  return Number(first);
}

/** Transfer codings in the order they were applied, without the final `chunked`. */
export function parseTransferEncoding(text: string): { chunked: boolean; codings: string[] } {
  const named = text
    .toLowerCase()
    .split(",")
    .map((coding) => coding.trim())
    .filter((coding) => coding !== "");
  const chunked = named.at(-1) === "chunked";
  const codings = (chunked ? named.slice(0, -1) : named).filter((coding) => coding !== "identity");
  for (const coding of codings)
    if (!TRANSFER_CODINGS.has(coding)) fault(`unsupported Transfer-Encoding "${text}"`);
  return { chunked, codings };
}

/** Whether a response of this status to this kind of request has a body at all (RFC 9112 §6.3, items 1 and 2). */
export function hasBody(status: number, bodiless: boolean): boolean {
  return !bodiless && status >= 200 && status !== 204 && status !== 304;
}

/** Whether the sender means to keep the connection open (RFC 9112 §9.3). */
export function isPersistent(head: HeadReader): boolean {
  if (head.connection === null) return head.version === 11;
  if (head.connection === "keep-alive") return true;
  const options = head.connection.toLowerCase();
  if (options === "keep-alive") return true;
  const list = options.split(",").map((option) => option.trim());
  if (list.includes("close")) return false;
  return head.version === 11 || list.includes("keep-alive");
}

/** Milliseconds of `Keep-Alive: timeout=N`, of the field's value; `null` where there is none. */
export function keepAliveHint(keepAlive: string | null): number | null {
  if (keepAlive === null) return null;
  const match = /(?:^|[,;\s])timeout\s*=\s*"?(\d{1,9})/i.exec(keepAlive);
  return match === null ? null : Number(match[1]) * 1000;
}

function fault(what: string): never {
  throw new ProtocolError(`Invalid response framing: ${what}`, { phase: "head" });
}
