/** application/x-www-form-urlencoded, as a query or as a body (Python's `urllib.parse.urlencode`). */

import { InvalidArgumentError } from "../../core/errors.ts";
import { kindOf, show } from "../../core/shown.ts";
import { adviceFor, asPair, bytesOf, fieldItems, isBlob, isBytes } from "./shapes.ts";

/**
 * A value: bytes are encoded raw, everything else as the UTF-8 of `String(value)`. `null` and `undefined` leave their
 * field out; objects are refused, but for URLs.
 */
export type QueryValue =
  | string
  | number
  | bigint
  | boolean
  | URL
  | null
  | undefined
  | ArrayBufferView
  | ArrayBuffer;

/** Fields by name, or pairs in the order they are to have; a list gives its name once for each of its items. */
export type QuerySource =
  | Readonly<Record<string, QueryValue | readonly QueryValue[]>>
  | Iterable<readonly [name: string | number | Uint8Array, value: QueryValue | readonly QueryValue[]]>
  // Types declared as interfaces have no index signature.
  | object;

const PLAIN = /^[A-Za-z0-9_.~-]*$/;

const ENCODED: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (character === " ") return "+";
  return PLAIN.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
});

/**
 * `fields` as `name=value&name=value`. Letters, digits and `_.-~` stay, a space becomes `+`, every other byte `%XX`.
 * Fields that are `null` or `undefined` are left out, as are such items of a list. Throws `InvalidArgumentError` if
 * `fields` is neither a mapping nor pairs, and for a value that has no text.
 */
export function urlencode(fields: QuerySource): string {
  const parts: string[] = [];
  for (const item of fieldItems(fields)) {
    const [name, value] = asPair(item);
    const prefix = `${encodePart(name, "the name of a field")}=`;
    const what = `the value of field ${show(name)}`;
    for (const single of Array.isArray(value) ? value : [value]) {
      if (single === undefined || single === null) continue;
      parts.push(prefix + encodePart(single, what));
    }
  }
  return parts.join("&");
}

/**
 * `url` with the encoded fields at the end of its query, before any fragment.
 * A query that is there is kept; nothing encoded changes nothing.
 */
export function appendQuery(url: string, encoded: string): string {
  if (encoded === "") return url;
  const hash = url.indexOf("#");
  const base = hash === -1 ? url : url.slice(0, hash);
  const fragment = hash === -1 ? "" : url.slice(hash);
  return base + separatorAfter(base) + encoded + fragment;
}

function separatorAfter(base: string): string {
  if (!base.includes("?")) return "?";
  return base.endsWith("?") || base.endsWith("&") ? "" : "&";
}

function encodePart(value: unknown, what: string): string {
  if (typeof value === "object" || typeof value === "function" || typeof value === "symbol") {
    if (isBytes(value)) return encodeBytes(bytesOf(value));
    if (!(value instanceof URL)) throw new InvalidArgumentError(refusal(value, what));
  }
  const text = String(value);
  return PLAIN.test(text) ? text : encodeBytes(Buffer.from(text));
}

function refusal(value: unknown, what: string): string {
  const advice = isBlob(value) ? ": send a file in a multipart form, or as the body" : adviceFor(value);
  return `${what} must be a string, number, boolean or bytes, not ${kindOf(value)}${advice}`;
}

function encodeBytes(bytes: Buffer): string {
  let encoded = "";
  for (const byte of bytes) encoded += ENCODED[byte];
  return encoded;
}
