import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { SSLError } from "../../../src/core/errors.ts";
import {
  assertFingerprint,
  matchHostname,
  normalizeFingerprint,
  unwrapAddress,
} from "../../../src/dial/tls/certificate.ts";

const dns = (...names: string[]) => ({ subjectaltname: names.map((name) => `DNS:${name}`).join(", ") });
const ip = (...addresses: string[]) => ({
  subjectaltname: addresses.map((address) => `IP Address:${address}`).join(", "),
});

function matches(certificate: { subjectaltname: string }, hostname: string, strict?: boolean): boolean {
  try {
    matchHostname(certificate, hostname, strict);
    return true;
  } catch (error) {
    assert.ok(error instanceof SSLError);
    assert.equal(error.phase, "tls");
    return false;
  }
}

type Row = [certificate: { subjectaltname: string }, hostname: string, matches: boolean, strict?: boolean];

const NAMES: Row[] = [
  [dns("example.com"), "example.com", true],
  [dns("EXAMPLE.com"), "example.COM", true],
  [dns("other.com", "example.com"), "example.com", true],
  [dns("example.com"), "www.example.com", false],
  [dns("www.example.com"), "example.com", false],
  [dns(""), "", false],
  // wildcards
  [dns("*.example.com"), "www.example.com", true],
  [dns("*.EXAMPLE.com"), "WWW.example.com", true],
  [dns("*.example.com"), "a.b.example.com", false],
  [dns("*.example.com"), "example.com", false],
  [dns("*.example.com"), ".example.com", false],
  [dns("www.*.com"), "www.example.com", false],
  [dns("www.*.com"), "www.*.com", true],
  [dns("*.example.com"), "xn--bcher-kva.example.com", true],
  [dns("*"), "localhost", true],
  [dns("*"), "example.com", false],
  [dns("*.com"), "example.com", true],
  // partial wildcards
  [dns("w*.example.com"), "www.example.com", true],
  [dns("*w.example.com"), "www.example.com", true],
  [dns("f*r.example.com"), "foobar.example.com", true],
  [dns("f*f.example.com"), "f.example.com", false],
  [dns("w*.example.com"), "abc.example.com", false],
  [dns("w*.example.com"), "w.example.com", true],
  [dns("xn--*.example.com"), "xn--bcher-kva.example.com", false],
  [dns("x*.example.com"), "xn--bcher-kva.example.com", false],
  // the rule of the TLS libraries
  [dns("example.com"), "example.com", true, true],
  [dns("*.example.com"), "www.example.com", true, true],
  [dns("w*.example.com"), "www.example.com", false, true],
  [dns("*.com"), "example.com", false, true],
  [dns("*"), "localhost", false, true],
  // regular expressions mean nothing
  [dns("www.example.com"), "wwwXexample.com", false],
  [dns("*.example.com"), "www.exampleXcom", false],
];

const ADDRESSES: Row[] = [
  [ip("127.0.0.1"), "127.0.0.1", true],
  [ip("127.0.0.1"), "127.0.0.2", false],
  [ip("127.0.0.1"), "127.1", true],
  [ip("127.0.0.1"), "2130706433", true],
  [dns("127.0.0.1"), "127.0.0.1", false],
  [dns("*.0.0.1"), "127.0.0.1", false],
  [ip("1.2.3.4"), "www.example.com", false],
  [ip("0:0:0:0:0:0:0:1"), "::1", true],
  [ip("2001:DB8:0:0:0:0:0:1"), "2001:db8::1", true],
  [ip("2001:db8::2"), "2001:db8::1", false],
  [ip("FE80:0:0:0:0:0:0:1"), "fe80::1%eth0", true],
  [ip("0:0:0:0:0:0:0:1"), "[::1]", true],
  [ip("127.0.0.1"), "::ffff:127.0.0.1", false],
  [ip("<invalid length=5>"), "127.0.0.1", false],
  [dns("example.com"), "[example.com]", false],
  [dns("[example.com]"), "[example.com]", true],
];

for (const [certificate, hostname, expected, strict] of [...NAMES, ...ADDRESSES]) {
  const rule = strict ? " (strict)" : "";
  test(`${certificate.subjectaltname} ${expected ? "is" : "is not"} for ${hostname}${rule}`, () => {
    assert.equal(matches(certificate, hostname, strict), expected);
  });
}

test("what is quoted in an entry is not another entry", () => {
  const forged = { subjectaltname: 'DNS:"evil.test, DNS:good.test"' };
  assert.equal(matches(forged, "good.test"), false);
  assert.equal(matches(forged, "evil.test"), false);
  const nul = { subjectaltname: 'DNS:"good.test\\u0000.evil.test"' };
  assert.equal(matches(nul, "good.test"), false);
  const beside = { subjectaltname: 'DirName:"CN=a, O=\\"b\\"", URI:http://x.test/?a=b:c, DNS:good.test' };
  assert.equal(matches(beside, "good.test"), true);
  assert.equal(matches(beside, "x.test"), false);
});

test("entries that cannot be read match nothing, whatever follows them", () => {
  for (const subjectaltname of [
    'DNS:"open, DNS:good.test',
    "junk, DNS:good.test",
    'DNS:a"b", DNS:good.test',
  ]) {
    assert.throws(() => matchHostname({ subjectaltname }, "good.test"), /subjectAltName cannot be read/);
  }
});

const TEXTS: [{ subjectaltname?: string }, string][] = [
  [dns("a.test"), "hostname 'h.test' doesn't match 'a.test'"],
  [dns("a.test", "b.test"), "hostname 'h.test' doesn't match either of 'a.test', 'b.test'"],
  [
    { subjectaltname: "DNS:a.test, IP Address:1.2.3.4" },
    "hostname 'h.test' doesn't match either of 'a.test', '1.2.3.4'",
  ],
  [{ subjectaltname: "URI:http://h.test/" }, "no appropriate subjectAltName fields were found"],
  [{ subjectaltname: "" }, "no appropriate subjectAltName fields were found"],
  [{}, "No certificate for the peer."],
  [dns("*.*.test"), "hostname 'h.test' doesn't match '*.*.test'"],
  [dns("**.test"), "too many wildcards in certificate DNS name: '**.test'"],
  [dns("a*b*.test"), "too many wildcards in certificate DNS name: 'a*b*.test'"],
];

for (const [certificate, message] of TEXTS) {
  test(`message for ${JSON.stringify(certificate)}`, () => {
    assert.throws(() => matchHostname(certificate as { subjectaltname: string }, "h.test"), {
      name: "SSLError",
      message,
    });
  });
}

test("the common name does not count", () => {
  const certificate = { subject: { CN: "h.test" }, subjectaltname: "" };
  assert.throws(() => matchHostname(certificate, "h.test"), /no appropriate subjectAltName/);
});

const DER = Buffer.from("a certificate");
const digest = (algorithm: string) => createHash(algorithm).update(DER).digest("hex");
const colons = (hex: string) => hex.toUpperCase().replace(/..(?=.)/g, "$&:");

for (const algorithm of ["md5", "sha1", "sha256"]) {
  test(`a fingerprint made with ${algorithm}`, () => {
    const good = digest(algorithm);
    assertFingerprint(DER, good);
    assertFingerprint(DER, colons(good));
    const bad = `${good.slice(0, -1)}${good.endsWith("0") ? "1" : "0"}`;
    assert.throws(() => assertFingerprint(DER, colons(bad)), {
      name: "SSLError",
      message: `Fingerprints did not match. Expected "${bad}", got "${good}"`,
    });
  });
}

test("fingerprints that can be none", () => {
  for (const text of ["", "aa:bb", "a".repeat(33), "a".repeat(128)]) {
    const message = `Fingerprint of invalid length: ${text}`;
    assert.throws(() => assertFingerprint(DER, text), { name: "SSLError", message });
  }
  assert.throws(() => normalizeFingerprint("g".repeat(64)), /not hexadecimal/);
});

test("brackets are taken off addresses only", () => {
  assert.equal(unwrapAddress("[::1]"), "::1");
  assert.equal(unwrapAddress("[fe80::1%eth0]"), "fe80::1%eth0");
  assert.equal(unwrapAddress("[example.com]"), "[example.com]");
  assert.equal(unwrapAddress("::1"), "::1");
});
