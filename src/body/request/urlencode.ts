/** application/x-www-form-urlencoded, as a query or as a body (Python's `urllib.parse.urlencode`). */

import { asPair, bytesOf, fieldItems, isBytes } from "./pairs.ts";

/** A value: bytes are encoded raw, everything else as the UTF-8 of `String(value)`. */
export type QueryValue = string | number | bigint | boolean | null | undefined | Uint8Array | ArrayBuffer;

/** Fields by name, or pairs in the order they are to have; a list gives its name once for each of its items. */
export type QuerySource =
  | Readonly<Record<string, QueryValue | readonly QueryValue[]>>
  | Iterable<readonly [name: string | number | Uint8Array, value: QueryValue | readonly QueryValue[]]>;

const PLAIN = /^[A-Za-z0-9_.~-]*$/;

const ENCODED: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (character === " ") return "+";
  return PLAIN.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
});

/**
 * `fields` as `name=value&name=value`. Letters, digits and `_.-~` stay, a space becomes `+`, every other byte `%XX`.
 * Nothing is left out: `null` gives `null`, an empty list nothing.
 * Throws `InvalidArgumentError` if `fields` is neither a mapping nor pairs.
 */
export function urlencode(fields: QuerySource): string {
  const parts: string[] = [];
  for (const item of fieldItems(fields)) {
    const [name, value] = asPair(item);
    const prefix = `${encodePart(name)}=`;
    for (const single of Array.isArray(value) ? value : [value]) parts.push(prefix + encodePart(single));
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

function encodePart(value: unknown): string {
  if (isBytes(value)) return encodeBytes(bytesOf(value));
  const text = String(value);
  return PLAIN.test(text) ? text : encodeBytes(Buffer.from(text));
}

function encodeBytes(bytes: Buffer): string {
  let encoded = "";
  for (const byte of bytes) encoded += ENCODED[byte];
  return encoded;
}
