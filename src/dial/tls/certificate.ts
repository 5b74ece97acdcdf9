/** Whether a certificate is the expected one: by host name (RFC 6125, RFC 9525) or by fingerprint. No I/O. */

import { createHash, timingSafeEqual } from "node:crypto";
import type { PeerCertificate } from "node:tls";
import { INSECURE_REQUEST_WARNING, SSLError } from "../../core/errors.ts";
import { packHost, packIP } from "../../core/ip-address.ts";

/** One entry of subjectAltName, such as `{ kind: "DNS", value: "example.com" }`. */
interface AltName {
  readonly kind: string;
  readonly value: string;
}

/** Node writes entries as `kind:value, kind:value` and quotes as in JSON what could be mistaken for another entry. */
const ALT_NAME = /([^:",]+):("(?:[^"\\\0-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-f]{4}))*"|[^",]*)(?:, |$)/iy;

/** Hex digits of a fingerprint -> its hash. */
const HASHES: Readonly<Record<number, string>> = { 32: "md5", 40: "sha1", 64: "sha256" };

/**
 * Throws `SSLError` unless `certificate` is for `hostname` (urllib3's `match_hostname`).
 *
 * Only subjectAltName counts, never the common name. Names are compared without case; `*` may stand for (part of) the
 * left-most label. IP addresses match iPAddress entries by value, whatever their spelling; a zone is ignored, brackets
 * are taken off addresses but not off names. With `strict` the rule is that of the TLS libraries: `*` only as a whole
 * label, with at least two labels after it.
 */
export function matchHostname(
  certificate: Pick<PeerCertificate, "subjectaltname">,
  hostname: string,
  strict: boolean = false,
): void {
  if (Object.keys(certificate).length === 0) throw tlsError("No certificate for the peer.");
  const address = packHost(unwrapAddress(hostname));
  const names = altNames(certificate.subjectaltname).filter(
    ({ kind }) => kind === "DNS" || kind === "IP Address",
  );
  for (const { kind, value } of names) {
    if (
      address === null
        ? kind === "DNS" && matchName(value, hostname, strict)
        : isAddress(kind, value, address)
    )
      return;
  }
  throw tlsError(mismatch(hostname, names));
}

/**
 * Throws `SSLError` unless `der` (a certificate) has the fingerprint `expected`: hex digits of SHA-256, SHA-1 or, with
 * a warning, MD5; case and colons do not matter (urllib3's `assert_fingerprint`). Compares in constant time.
 */
export function assertFingerprint(der: Uint8Array, expected: string): void {
  const fingerprint = normalizeFingerprint(expected);
  const algorithm = HASHES[fingerprint.length] as string;
  if (algorithm === "md5") warnWeakFingerprint();
  const digest = digestOf(der, algorithm);
  if (timingSafeEqual(digest, Buffer.from(fingerprint, "hex"))) return;
  throw tlsError(`Fingerprints did not match. Expected "${fingerprint}", got "${digest.toString("hex")}"`);
}

/** A fingerprint without colons, in lower case. Throws `SSLError` if it can be none. */
export function normalizeFingerprint(fingerprint: string): string {
  const digits = fingerprint.replaceAll(":", "").toLowerCase();
  if (HASHES[digits.length] === undefined) throw tlsError(`Fingerprint of invalid length: ${fingerprint}`);
  if (/[^0-9a-f]/.test(digits)) throw tlsError(`Fingerprint is not hexadecimal: ${fingerprint}`);
  return digits;
}

/** `host` without brackets if it is an IP address in brackets. */
export function unwrapAddress(host: string): string {
  const inner = /^\[(.*)\]$/.exec(host)?.[1];
  return inner !== undefined && packIP(inner) !== null ? inner : host;
}

function altNames(text: string | undefined): AltName[] {
  const names: AltName[] = [];
  if (text === undefined || text === "") return names;
  ALT_NAME.lastIndex = 0;
  while (ALT_NAME.lastIndex < text.length) {
    const match = ALT_NAME.exec(text);
    if (match === null) throw tlsError(`subjectAltName cannot be read: ${text}`);
    const [, kind, value] = match as unknown as [string, string, string];
    names.push({ kind, value: value.startsWith('"') ? (JSON.parse(value) as string) : value });
  }
  return names;
}

function matchName(pattern: string, hostname: string, strict: boolean): boolean {
  const name = pattern.toLowerCase();
  const host = hostname.toLowerCase();
  const [first, rest] = cutLabel(name);
  const stars = first.split("*").length - 1;
  if (stars > 1) throw tlsError(`too many wildcards in certificate DNS name: '${pattern}'`);
  if (stars === 0) return name !== "" && name === host;
  const [hostFirst, hostRest] = cutLabel(host);
  if (rest !== hostRest || hostFirst === "") return false;
  if (strict) return first === "*" && rest.split(".").length > 2;
  return matchLabel(first, hostFirst, host);
}

/** `first` has one wildcard. */
function matchLabel(first: string, label: string, host: string): boolean {
  if (first === "*") return true;
  // The letters of an A-label are an encoding: part of one cannot be compared (RFC 6125 §7.2).
  if (first.startsWith("xn--") || host.startsWith("xn--")) return first === label;
  const [before, after] = first.split("*") as [string, string];
  return label.length >= before.length + after.length && label.startsWith(before) && label.endsWith(after);
}

/** The left-most label, and what follows it with its dot. */
function cutLabel(name: string): [string, string] {
  const dot = name.indexOf(".");
  return dot === -1 ? [name, ""] : [name.slice(0, dot), name.slice(dot)];
}

function isAddress(kind: string, value: string, address: Uint8Array): boolean {
  const bytes = kind === "IP Address" ? packIP(value.trim()) : null;
  return bytes !== null && Buffer.compare(bytes, address) === 0;
}

function mismatch(hostname: string, names: readonly AltName[]): string {
  const quoted = names.map(({ value }) => `'${value}'`);
  if (quoted.length === 0) return "no appropriate subjectAltName fields were found";
  const either = quoted.length > 1 ? "either of " : "";
  return `hostname '${hostname}' doesn't match ${either}${quoted.join(", ")}${addressHint(hostname, names)}`;
}

/** Explains the refusal of a certificate that has an address as a DNS name (RFC 9110 §4.3.5). */
function addressHint(hostname: string, names: readonly AltName[]): string {
  const address = packHost(unwrapAddress(hostname));
  if (address === null) return "";
  const misplaced = names.some(
    ({ kind, value }) => kind === "DNS" && isAddress("IP Address", value, address),
  );
  if (!misplaced && names.some(({ kind }) => kind === "IP Address")) return "";
  return ": an address is matched by entries of the kind IP Address only, not by DNS names";
}

function digestOf(der: Uint8Array, algorithm: string): Buffer {
  try {
    return createHash(algorithm).update(der).digest();
  } catch (cause) {
    throw tlsError(`The hash function ${algorithm} of the fingerprint is not available here`, cause);
  }
}

function tlsError(message: string, cause?: unknown): SSLError {
  return new SSLError(message, {
    phase: "tls",
    deterministic: true,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Most warnings that one process gives: each names a host. */
const MOST_WARNINGS = 1000;

const given = new Set<string>();
let silent = false;

/** Turns off the warnings about insecure settings for this process (urllib3's `disable_warnings`). */
export function disableWarnings(): void {
  silent = true;
}

/** Warns, once per host, that the certificate of `host` is not verified. */
export function warnInsecure(host: string): void {
  const message = `Unverified HTTPS request is being made to host '${host}'. Adding certificate verification is strongly advised.`;
  warnOnce(message, INSECURE_REQUEST_WARNING, "URLPOOL_INSECURE_REQUEST");
}

function warnWeakFingerprint(): void {
  const message =
    "An MD5 fingerprint proves little: certificates that share one can be made. Use SHA-256 for assertFingerprint.";
  warnOnce(message, "SecurityWarning", "URLPOOL_WEAK_FINGERPRINT");
}

function warnOnce(message: string, type: string, code: string): void {
  if (silent || given.has(message) || given.size >= MOST_WARNINGS) return;
  given.add(message);
  process.emitWarning(message, { type, code });
}
