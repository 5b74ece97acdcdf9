/** Hosts: names, IPv4 and IPv6 addresses, as they stand in a URL's authority (RFC 3986 §3.2.2). */

import { isIPv6 } from "node:net";
import { LocationParseError } from "./errors.ts";
import { idnaLabel } from "./idna.ts";
import { encodeInvalid, hasStrayPercent, UNRESERVED } from "./percent.ts";

const PLAIN_NAME = /^[a-z0-9.-]+$/;
const CONTROL = /[\0-\x20\x7f]/;
const ENCODED_CONTROL = /%(?:[01][0-9a-f]|7f)/i;
const DELIMITER = /[[\]:/?#@\\]/;
const TRIPLET = /%[0-9a-f]{2}/gi;
const TRIPLET_OR_CAPITALS = /%[0-9A-F]{2}|[A-Z]+/g;
const NOT_ASCII = /[^\0-\x7f]/;
const ZONE = /^[a-z0-9._~%-]+$/i;

/** Whether URLs of `scheme` have their components normalised: http, https, or none given. */
export function isNormalized(scheme: string | null): boolean {
  return scheme === null || scheme === "http" || scheme === "https";
}

/** Whether `text` is an IPv6 address, with or without zone, as it may stand between "[" and "]". */
export function isIPLiteral(text: string): boolean {
  const percent = text.indexOf("%");
  if (percent === -1) return isIPv6(text);
  const zone = zoneOf(text.slice(percent));
  return isIPv6(text.slice(0, percent)) && ZONE.test(zone) && !hasStrayPercent(zone);
}

/**
 * `host` in its normal form if `scheme` is http, https or `null`: lower-case, non-ASCII labels as A-labels, needless
 * triplets decoded, `%25` before an IPv6 zone as `%`. Hosts of other schemes stay as they are. IPv6 addresses keep
 * their brackets, or their lack of them. Throws `LocationParseError`, for control characters whatever the scheme.
 */
export function normalizeHost(host: string, scheme: string | null): string {
  if (PLAIN_NAME.test(host)) return host;
  const control = CONTROL.exec(host)?.[0];
  if (control !== undefined) {
    throw new LocationParseError(`Host ${quote(host)} contains invalid character ${quote(control)}`);
  }
  if (!isNormalized(scheme)) return host;
  const bracketed = host.startsWith("[") && host.endsWith("]");
  if (bracketed) return `[${normalizeAddress(host.slice(1, -1))}]`;
  return isIPv6(host.split("%", 1)[0] as string) ? normalizeAddress(host) : normalizeName(host);
}

/** `host` as it stands in Host and in an authority: IPv6 addresses in brackets and without their zone. */
export function bracketHost(host: string): string {
  const inner = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  return inner.includes(":") ? `[${inner.split("%", 1)[0]}]` : host;
}

function normalizeAddress(text: string): string {
  const zone = text.indexOf("%");
  const address = zone === -1 ? text : text.slice(0, zone);
  if (!isIPv6(address)) throw notAHost(text);
  return address.toLowerCase() + (zone === -1 ? "" : normalizeZone(text.slice(zone), text));
}

function normalizeZone(text: string, host: string): string {
  const zone = zoneOf(text);
  if (zone === "") throw notAHost(host);
  refuseEncodedControl(zone, host);
  return `%${encodeInvalid(zone, UNRESERVED)}`;
}

/** What follows "%25" (RFC 6874), or the bare "%" that people write; "%25" alone is the zone "25". */
function zoneOf(text: string): string {
  return text.slice(text.startsWith("%25") && text.length > 3 ? 3 : 1);
}

function normalizeName(host: string): string {
  if (DELIMITER.test(host) || hasStrayPercent(host)) throw notAHost(host);
  refuseEncodedControl(host, host);
  return host.replace(TRIPLET, decodeUnreserved).split(".").map(normalizeLabel).join(".");
}

function decodeUnreserved(triplet: string): string {
  const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
  return UNRESERVED.onlyAllowed.test(character) ? character : triplet.toUpperCase();
}

function normalizeLabel(label: string): string {
  if (!NOT_ASCII.test(label)) return label.replace(TRIPLET_OR_CAPITALS, lowerCapitals);
  const ascii = idnaLabel(label);
  if (ascii === undefined) throw new LocationParseError(`Name ${quote(label)} is not a valid IDNA label`);
  return ascii;
}

function lowerCapitals(match: string): string {
  return match.startsWith("%") ? match : match.toLowerCase();
}

function refuseEncodedControl(text: string, host: string): void {
  const control = ENCODED_CONTROL.exec(text)?.[0];
  if (control === undefined) return;
  throw new LocationParseError(
    `Host ${quote(host)} contains invalid percent-encoded control character ${quote(control)}`,
  );
}

function notAHost(host: string): LocationParseError {
  return new LocationParseError(`${quote(host)} is not a valid host`);
}

function quote(text: string): string {
  return JSON.stringify(text);
}
