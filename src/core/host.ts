/** Hosts: names, IPv4 and IPv6 addresses, as they stand in a URL's authority (RFC 3986 §3.2.2). */

import { isIPv6 } from "node:net";
import { domainToASCII } from "node:url";
import { LocationParseError } from "./errors.ts";
import { encodeInvalid, hasStrayPercent, UNRESERVED } from "./percent.ts";

const PLAIN_NAME = /^[a-z0-9.-]+$/;
const CONTROL = /[\0-\x20\x7f]/;
const ENCODED_CONTROL = /%(?:[01][0-9a-f]|7f)/i;
const DELIMITER = /[[\]:/?#@\\]/;
const TRIPLET = /%[0-9a-f]{2}/gi;
const TRIPLET_OR_CAPITALS = /%[0-9A-F]{2}|[A-Z]+/g;
const NOT_ASCII = /[^\0-\x7f]/;
const ZONE = /^[a-z0-9._~%-]+$/i;
/** The label separators of UTS 46 §2.3. */
const DOT = /[.\u3002\uff0e\uff61]/;
const LONGEST_LABEL = 63;
/** No name that long in characters could be valid (RFC 1035 §2.3.4 allows 255 bytes). */
const LONGEST_NAME = 1024;

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
 * `host` in its normal form if `scheme` is http, https or `null`: lower-case, names beyond ASCII mapped by UTS 46, needless
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

/**
 * `text`, a host, an authority or an absolute URL, without the zone of its IPv6 address: it names an interface of this
 * machine and never goes on the wire (RFC 6874 §4).
 */
export function withoutZone(text: string): string {
  const mark = text.indexOf("://");
  const start = mark === -1 ? 0 : mark + 3;
  const percent = text.indexOf("%", start);
  if (percent === -1) return text;
  if (text[start] !== "[") return isIPv6(text.slice(0, percent)) ? text.slice(0, percent) : text;
  const end = text.indexOf("]", start);
  return percent < end ? text.slice(0, percent) + text.slice(end) : text;
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
  const name = host.replace(TRIPLET, decodeUnreserved);
  return NOT_ASCII.test(name) ? toASCII(name) : name.replace(TRIPLET_OR_CAPITALS, lowerCapitals);
}

function decodeUnreserved(triplet: string): string {
  const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
  return UNRESERVED.onlyAllowed.test(character) ? character : triplet.toUpperCase();
}

/** As the platform maps names (UTS 46): A-labels, and full-width and compatibility forms in their plain ones. */
function toASCII(name: string): string {
  // A label that long has no valid A-label, and Punycode takes quadratic time.
  const tooLong =
    name.length > LONGEST_NAME || name.split(DOT).some((label) => label.length > 2 * LONGEST_LABEL);
  // The platform reads a name whose last label is a number as an IPv4 address. The label ".a" prevents that.
  const ascii = tooLong ? "" : domainToASCII(`${name}.a`).slice(0, -2);
  if (ascii === "" || ascii.split(".").some((label) => label.length > LONGEST_LABEL)) {
    throw new LocationParseError(`Name ${quote(name)} is not a valid internationalized domain name`);
  }
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
