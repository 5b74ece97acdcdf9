/**
 * Which addresses may be dialled: the guard against requests that somebody else's URL or DNS answer leads into the
 * own network (SSRF). It is asked after resolution, for the very address that is about to be dialled.
 */

import { BlockList } from "node:net";
import { AddressBlockedError } from "../core/errors.ts";
import { ignore } from "../core/ignore.ts";
import { formatIPv4, packIP } from "../core/ip-address.ts";
import type { Address } from "./resolve.ts";

/** Whether `address` may be dialled; only `true` allows it. */
export type AddressFilter = (address: string, family: 4 | 6) => boolean;

/** IANA's special-purpose registry (RFC 6890), what is not globally reachable; and multicast, class E. */
const SPECIAL_IPV4 = [
  "0.0.0.0/8", // this network
  "10.0.0.0/8", // private
  "100.64.0.0/10", // carrier-grade NAT
  "127.0.0.0/8", // loopback
  "169.254.0.0/16", // link-local, cloud metadata
  "172.16.0.0/12", // private
  "192.0.0.0/24", // IETF protocol assignments
  "192.0.2.0/24", // documentation
  "192.88.99.0/24", // 6to4 relays, deprecated
  "192.168.0.0/16", // private
  "198.18.0.0/15", // benchmarking
  "198.51.100.0/24", // documentation
  "203.0.113.0/24", // documentation
  "224.0.0.0/4", // multicast
  "240.0.0.0/4", // reserved, broadcast
];

/** Inside 2000::/3; outside it nothing is public. */
const SPECIAL_IPV6 = [
  "2001::/23", // IETF protocol assignments; Teredo is looked at before
  "2001:db8::/32", // documentation
  "2002::/16", // 6to4, looked at before
  "3fff::/20", // documentation
];

/** Global unicast, the only block from which public addresses are given out (RFC 4291 §2.4). */
const GLOBAL_UNICAST = "2000::/3";

interface Ranges {
  special: BlockList;
  global: BlockList;
}

let ranges: Ranges | null = null;

/**
 * Allows public addresses only. False for loopback, link-local, private, shared, multicast, reserved, documentation and
 * benchmarking ranges, for IPv6 addresses that hold an IPv4 address of those (mapped, NAT64, 6to4, Teredo), and for
 * what is not an address at all.
 */
export const blockPrivateAddresses: AddressFilter = (address) => {
  const bytes = packIP(address);
  if (bytes === null) return false;
  if (bytes.length === 4) return isPublicIPv4(bytes);
  const embedded = embeddedIPv4(bytes);
  if (embedded.length > 0) return embedded.every(isPublicIPv4);
  const { special, global } = knownRanges();
  const text = address.split("%", 1)[0] as string;
  return global.check(text, "ipv6") && !special.check(text, "ipv6");
};

function isPublicIPv4(bytes: Uint8Array): boolean {
  return !knownRanges().special.check(formatIPv4(bytes), "ipv4");
}

/** The IPv4 addresses to which a packet for this IPv6 address may be carried in the end. */
function embeddedIPv4(bytes: Uint8Array): Uint8Array[] {
  const prefix = Buffer.from(bytes).toString("hex");
  // ::ffff:a.b.c.d (RFC 4291 §2.5.5.2) and 64:ff9b::a.b.c.d (RFC 6052 §2.1)
  if (/^(?:0{20}ffff|0064ff9b0{16})/.test(prefix)) return [bytes.subarray(12)];
  // 6to4 (RFC 3056 §2)
  if (prefix.startsWith("2002")) return [bytes.subarray(2, 6)];
  // Teredo: the server's address, and the client's with its bits inverted (RFC 4380 §4)
  if (prefix.startsWith("20010000")) return [bytes.subarray(4, 8), bytes.subarray(12).map((byte) => ~byte)];
  return [];
}

function knownRanges(): Ranges {
  ranges ??= {
    special: blockList([...SPECIAL_IPV4, ...SPECIAL_IPV6]),
    global: blockList([GLOBAL_UNICAST]),
  };
  return ranges;
}

function blockList(subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [network, bits] = subnet.split("/") as [string, string];
    list.addSubnet(network, Number(bits), network.includes(":") ? "ipv6" : "ipv4");
  }
  return list;
}

/** The addresses that `filter` lets pass; an error if there is none. */
export function allowedAddresses(
  addresses: readonly Address[],
  host: string,
  filter: AddressFilter | null | undefined,
): readonly Address[] | AddressBlockedError {
  if (!filter) return addresses;
  const names = addresses.map(({ address }) => address).join(", ");
  try {
    const allowed = addresses.filter(({ address, family }) => isTrue(filter(address, family)));
    if (allowed.length > 0) return allowed;
    return blocked(`addressFilter refuses every address of '${host}': ${names}`);
  } catch (cause) {
    return blocked(`addressFilter failed for an address of '${host}': ${names}`, { cause });
  }
}

/** Strictly: what an async function returns would let everything pass. */
function isTrue(answer: unknown): boolean {
  if (answer instanceof Promise) answer.catch(ignore);
  return answer === true;
}

function blocked(message: string, options: { cause?: unknown } = {}): AddressBlockedError {
  return new AddressBlockedError(message, { phase: "connect", ...options });
}
