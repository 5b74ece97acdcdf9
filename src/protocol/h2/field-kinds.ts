/** What a received field means to the protocol, told by its name alone, and which octets names and values may hold. */

import { FIELD, TOKEN } from "../grammar.ts";

/** A name that means nothing to the protocol. */
export const ORDINARY = 0;
/** `:status`. */
export const STATUS = 1;
/** A pseudo field that a response does not have. */
export const OTHER_PSEUDO = 2;
/** `content-length`. */
export const CONTENT_LENGTH = 3;
/** `content-encoding`. */
export const CONTENT_ENCODING = 4;
/** Belongs to a connection, which HTTP/2 has no fields for (RFC 9113 §8.2.2). */
export const FORBIDDEN = 5;
/** `te`. */
export const TE = 6;
/** Not a lower-case token (§8.2.1). */
export const BAD_NAME = 7;

/** Added to the kind of a table's entry whose value has a forbidden octet or white space at an end. */
export const BAD_VALUE = 8;
/** The kind of the name alone. */
export const KIND_MASK = 7;

const COLON = 58;

/** Lower-case token characters. */
const NAME: Uint8Array = Uint8Array.from(TOKEN, (is, octet) => (is === 1 && !isUpperCase(octet) ? 1 : 0));

/** By length of the name, which few share. */
const KNOWN: readonly (readonly [name: string, kind: number])[] = [
  [":status", STATUS],
  ["content-length", CONTENT_LENGTH],
  ["content-encoding", CONTENT_ENCODING],
  ["connection", FORBIDDEN],
  ["proxy-connection", FORBIDDEN],
  ["keep-alive", FORBIDDEN],
  ["transfer-encoding", FORBIDDEN],
  ["upgrade", FORBIDDEN],
  ["te", TE],
];
const BY_LENGTH = Array.from({ length: 18 }, (_unused, length) =>
  KNOWN.filter(([name]) => name.length === length),
);

/** The kind of the name `bytes[start, end)`. */
export function kindOfName(bytes: Uint8Array, start: number, end: number): number {
  const candidates = end - start < BY_LENGTH.length ? BY_LENGTH[end - start]! : [];
  for (let at = 0; at < candidates.length; at++) {
    const [name, kind] = candidates[at]!;
    if (isText(bytes, start, name)) return kind;
  }
  const pseudo = bytes[start] === COLON;
  const from = pseudo ? start + 1 : start;
  let valid = from < end ? 1 : 0;
  for (let at = from; at < end; at++) valid &= NAME[bytes[at]!]!;
  if (valid === 0) return BAD_NAME;
  return pseudo ? OTHER_PSEUDO : ORDINARY;
}

/** Whether a field may have the value `bytes[start, end)` (§8.2.1; no other controls either, RFC 9110 §5.5). */
export function isValidValue(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end) return true;
  if (isBlank(bytes[start]!) || isBlank(bytes[end - 1]!)) return false;
  let valid = 1;
  for (let at = start; at < end; at++) valid &= FIELD[bytes[at]!]!;
  return valid === 1;
}

/** Whether the octets from `start` on are `text`. */
export function isText(bytes: Uint8Array, start: number, text: string): boolean {
  for (let at = 0; at < text.length; at++) if (bytes[start + at] !== text.charCodeAt(at)) return false;
  return true;
}

function isBlank(octet: number): boolean {
  return octet === 32 || octet === 9;
}

function isUpperCase(octet: number): boolean {
  return octet >= 65 && octet <= 90;
}
