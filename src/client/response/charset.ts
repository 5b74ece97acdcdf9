/** Text in the charset that its Content-Type names. */

import { TextDecoder } from "node:util";

/** What bytes 0x80 to 0x9f are in windows-1252; Node 20 takes them for control characters. */
const WINDOWS_1252 =
  "\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f" +
  "\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178";

/** A parameter from its semicolon on: name, value in quotes, value without. */
const PARAMETER = /;\s*([^;=\s]*)\s*(?:=\s*(?:"((?:\\.|[^"\\])*)"?[^;]*|([^;]*)))?/gy;

/**
 * `bytes` as text; UTF-8 where no charset is named, or one that nobody knows. Names mean what they mean in browsers
 * (WHATWG Encoding): `iso-8859-1` and `us-ascii` are windows-1252. With `fatal`, bytes that are no text in the charset
 * are a `TypeError`, otherwise they become U+FFFD.
 */
export function decodeText(bytes: Buffer, contentType: string | null, fatal: boolean = false): string {
  const decoder = decoderFor(charsetOf(contentType), fatal);
  return decoder.encoding === "windows-1252" ? decodeWindows1252(bytes) : decoder.decode(bytes);
}

/**
 * For text that comes in pieces: what makes UTF-8 of it, piece by piece; `null` where it is UTF-8 already. A character that
 * the last piece leaves unfinished is dropped.
 */
export function transcoderFor(contentType: string | null): ((bytes: Buffer) => Buffer) | null {
  const decoder = decoderFor(charsetOf(contentType), false);
  if (decoder.encoding === "utf-8") return null;
  if (decoder.encoding === "windows-1252") return (bytes) => Buffer.from(decodeWindows1252(bytes));
  return (bytes) => Buffer.from(decoder.decode(bytes, { stream: true }));
}

/** The first parameter `charset` (RFC 9110 §5.6.6 and §8.3.2). */
function charsetOf(contentType: string | null): string {
  if (contentType === null || !contentType.includes(";")) return "utf-8";
  for (const [, name, quoted, plain] of contentType.slice(contentType.indexOf(";")).matchAll(PARAMETER)) {
    const value = quoted?.replace(/\\(.)/g, "$1") ?? plain;
    if (name?.toLowerCase() === "charset" && value !== undefined) return value.trim();
  }
  return "utf-8";
}

function decoderFor(charset: string, fatal: boolean): TextDecoder {
  try {
    return new TextDecoder(charset, { fatal });
  } catch {
    return new TextDecoder("utf-8", { fatal });
  }
}

function decodeWindows1252(bytes: Buffer): string {
  return bytes
    .toString("latin1")
    .replace(/[\x80-\x9f]/g, (control) => WINDOWS_1252[control.charCodeAt(0) - 0x80]!);
}
