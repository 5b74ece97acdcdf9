import assert from "node:assert/strict";
import { test } from "node:test";
import { LocationParseError } from "../../src/core/errors.ts";
import { bracketHost, normalizeHost } from "../../src/core/host.ts";
import { idnaLabel } from "../../src/core/idna.ts";

test("normalizeHost gives a host its normal form", () => {
  const hosts: readonly [host: string, scheme: string | null, normal: string][] = [
    ["Example.COM.", "http", "example.com."],
    ["Example.COM", null, "example.com"],
    ["Example.COM", "ftp", "Example.COM"],
    ["A%2FB%7e", "https", "a%2Fb~"],
    ["A%2fB", "http+unix", "A%2fB"],
    ["%41%2e%62", "http", "a.b"],
    ["FE80::1", "http", "fe80::1"],
    ["[FE80::1]", "http", "[fe80::1]"],
    ["FE80::1%25Eth0", "http", "fe80::1%Eth0"],
    ["[fe80::1%Eth0]", "http", "[fe80::1%Eth0]"],
    ["fe80::1%e!%c3", "http", "fe80::1%e%21%C3"],
    ["Ä.De", "http", "xn--4ca.de"],
    ["", "http", ""],
  ];
  for (const [host, scheme, normal] of hosts) {
    assert.equal(normalizeHost(host, scheme), normal);
    assert.equal(normalizeHost(normal, scheme), normal);
  }
});

test("normalizeHost says what is wrong with a host", () => {
  const hosts: readonly [host: string, scheme: string | null, message: RegExp][] = [
    ["a b", "http", /Host "a b" contains invalid character " "/],
    ["a\r\nX: y", "ftp", /contains invalid character "\\r"/],
    ["a\x7f", "http+unix", /contains invalid character/],
    ["a%0d%0a", "http", /contains invalid percent-encoded control character "%0d"/],
    ["fe80::1%25%7f", "http", /contains invalid percent-encoded control character "%7f"/],
    ["fe80::1%", "http", /is not a valid host/],
    ["a%2", "http", /is not a valid host/],
    ["a/b", "http", /is not a valid host/],
    ["u@h", "http", /is not a valid host/],
    ["h:80", "http", /is not a valid host/],
    ["[h]", "http", /is not a valid host/],
    ["☃.net", "http", /Name "☃" is not a valid IDNA label/],
  ];
  for (const [host, scheme, message] of hosts) {
    assert.throws(
      () => normalizeHost(host, scheme),
      (error: unknown) => error instanceof LocationParseError && message.test(error.message),
      host,
    );
  }
});

test("bracketHost puts IPv6 addresses into brackets, without zone", () => {
  const hosts = {
    "::1": "[::1]",
    "[::1]": "[::1]",
    "fe80::1%eth0": "[fe80::1]",
    "[fe80::1%eth0]": "[fe80::1]",
  };
  for (const [host, bracketed] of Object.entries(hosts)) assert.equal(bracketHost(host), bracketed);
  for (const host of ["example.com", "10.0.0.1", "", "a%20b"]) assert.equal(bracketHost(host), host);
});

test("idnaLabel gives the A-labels of IDNA 2008", () => {
  const labels = {
    ä: "xn--4ca",
    Ä: "xn--4ca",
    ß: "xn--zca",
    ẞ: "xn--zca",
    ς: "xn--3xa",
    日本: "xn--wgv71a",
    क्‍ष: "xn--11b2ezcw70k",
    l·l: "xn--ll-0ea",
    アーア: "xn--ccka3y",
    א1: "xn--1-zhc",
    a۱: "xn--a-jyc",
  };
  for (const [label, ascii] of Object.entries(labels)) assert.equal(idnaLabel(label), ascii, label);
});

test("idnaLabel refuses what IDNA 2008 disallows", () => {
  const labels = [
    "☃",
    "🇩🇪",
    "😀",
    "ｅxample", // full width
    "ﬀ",
    "ex\u00adample",
    "½",
    "①",
    "ü。a",
    "a_ü", // STD3
    "ü%2F",
    "-ü",
    "ü-",
    "ab--ü",
    "a\u0308", // not NFC
    "\u0301a",
    "a\u200db",
    "a·b",
    "a・b",
    "a\u05f3",
    "͵a",
    "אa",
    "aא",
    "1א",
    "a١",
    "ا١۱",
    "\ud800",
    "ü".repeat(60),
    "ü".repeat(200),
  ];
  for (const label of labels) assert.equal(idnaLabel(label), undefined, label);
});
