/** Names of files from URLs: safe on every system, and never outside their folder. */

import { createHash } from "node:crypto";

/** Bytes of one name; what is added to it later (`.part.json`) has room up to the usual limit of 255. */
const NAME_BYTES = 180;
/** Bytes of a relative path: systems take 4096 at most, macOS 1024. */
const PATH_BYTES = 700;
/** What Windows keeps for devices, with or without an extension. */
const RESERVED = /^(?:con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(?:\.|$)/i;
/** What downloads in progress are called, and where results are kept. */
const OURS = /\.part(?:\.json|\.lock)?$|^\.urlpool$/i;
const INDEX = "index";

/** One safe name: no separators, control characters, `.` or `..`, device names, and not longer than a name may be. */
export function safeName(text: string): string {
  // What a name must not have is written as it is in URLs.
  let name = text
    .normalize("NFC")
    .replace(/[\x00-\x1f\x7f<>:"/\\|?*\u0080-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]/g, escaped);
  name = name.replace(/^\.+$|[. ]$|^ /g, (found) => [...found].map(escaped).join(""));
  if (RESERVED.test(name) || OURS.test(name) || name.startsWith("~"))
    name = `_${name}${OURS.test(name) ? "_" : ""}`;
  return name === "" ? INDEX : shortened(name);
}

function escaped(character: string): string {
  return [...Buffer.from(character)]
    .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`)
    .join("");
}

/** A long name keeps its beginning and its extension, and gets a hash between. */
function shortened(name: string): string {
  if (Buffer.byteLength(name) <= NAME_BYTES) return name;
  const extension = /\.[A-Za-z\d]{1,8}$/.exec(name)?.[0] ?? "";
  // By characters, so that none is cut in two.
  const characters = [...name];
  while (Buffer.byteLength(characters.join("")) > NAME_BYTES - 30) characters.pop();
  return `${characters.join("")}~${shortHash(name)}${extension}`;
}

/** 16 hex digits. */
export function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** `host/path/name` for a URL; the query is part of the name. Always relative, with forward slashes. */
export function pathOf(url: string): string {
  const { hostname, port, pathname, search } = new URL(url);
  const parts = pathname.split("/").slice(1).map(decoded);
  const last = parts.pop() ?? "";
  const name = `${last === "" ? INDEX : last}${decoded(search)}`;
  const host = port === "" ? hostname : `${hostname}_${port}`;
  return [host, ...parts.filter((part) => part !== ""), name].map(safeName).join("/");
}

/** The name for `-O`: the last part of the path. */
export function fileNameOf(url: string): string {
  const parts = new URL(url).pathname.split("/");
  return safeName(decoded(parts[parts.length - 1] ?? ""));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Whether a relative path is longer than systems take. */
export function fileTooLong(path: string): boolean {
  return path === "" || Buffer.byteLength(path) > PATH_BYTES;
}
