/** IP addresses as bytes, so that two spellings of one address are equal. */

import { isIPv4, isIPv6 } from "node:net";

/** The 4 or 16 bytes of an address in its usual spelling; a zone (`%eth0`) is ignored. `null` for anything else. */
export function packIP(text: string): Uint8Array | null {
  if (isIPv4(text)) return Uint8Array.from(text.split("."), Number);
  const percent = text.indexOf("%");
  const address = percent === -1 ? text : text.slice(0, percent);
  return isIPv6(address) ? packIPv6(address) : null;
}

/**
 * As {@link packIP}, and takes the spellings of IPv4 that resolvers take too (`inet_aton`): 1 to 4 decimal, octal or
 * hexadecimal parts, such as `127.1` and `0x7f000001`.
 */
export function packHost(text: string): Uint8Array | null {
  return packIP(text) ?? packLooseIPv4(text);
}

/** `a.b.c.d` of 4 bytes. */
export function formatIPv4(bytes: Uint8Array): string {
  return bytes.join(".");
}

function packIPv6(text: string): Uint8Array {
  const [head, tail] = text.split("::") as [string, string?];
  const left = groupBytes(head);
  const right = tail === undefined ? [] : groupBytes(tail);
  const bytes = new Uint8Array(16);
  bytes.set(left);
  bytes.set(right, 16 - right.length);
  return bytes;
}

function groupBytes(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function packLooseIPv4(text: string): Uint8Array | null {
  const parts = text.split(".").map(parsePart);
  // The last part fills all bytes that are left.
  const last = parts.pop() as number;
  const free = 4 - parts.length;
  if (free < 1 || !(last < 256 ** free) || !parts.every((part) => part <= 255)) return null;
  const rest = Array.from({ length: free }, (_, index) => Math.floor(last / 256 ** (free - 1 - index)) % 256);
  return Uint8Array.from([...parts, ...rest]);
}

function parsePart(text: string): number {
  if (/^0x[0-9a-f]+$/i.test(text)) return Number.parseInt(text, 16);
  if (/^0[0-7]*$/.test(text)) return Number.parseInt(text, 8);
  return /^[1-9][0-9]*$/.test(text) ? Number(text) : Number.NaN;
}
