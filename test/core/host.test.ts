import assert from "node:assert/strict";
import { test } from "node:test";
import { domainToASCII } from "node:url";
import { LocationParseError } from "../../src/core/errors.ts";
import { bracketHost, normalizeHost, withoutZone } from "../../src/core/host.ts";

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
    ["a\u200db.net", "http", /Name "a\u200db\.net" is not a valid internationalized domain name/],
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

test("withoutZone cuts zones off hosts, authorities and URLs, and nothing else", () => {
  const texts = {
    "fe80::1%eth0": "fe80::1",
    "[fe80::1%eth0]": "[fe80::1]",
    "[fe80::1%eth0]:80": "[fe80::1]:80",
    "http://[fe80::1%eth0]:80/a%20b": "http://[fe80::1]:80/a%20b",
    "https://[fe80::1%25]/": "https://[fe80::1]/",
  };
  for (const [text, plain] of Object.entries(texts)) assert.equal(withoutZone(text), plain);
  for (const text of [
    "h",
    "a%20b",
    "::1",
    "http://h/[a%20]",
    "http://[::1]/%5B?x=[%]",
    "http://h/?u=http://[a%b]",
  ]) {
    assert.equal(withoutZone(text), text);
  }
});

test("names that are not all ASCII follow the platform's UTS 46", () => {
  const names = {
    "ä.de": "xn--4ca.de",
    "Ä.DE.": "xn--4ca.de.",
    ß: "xn--zca",
    日本: "xn--wgv71a",
    "☃.net": "xn--n3h.net",
    "😀.test": "xn--e28h.test",
    "\u212aelvin.test": "kelvin.test",
    "ｅxample.test": "example.test",
    "ex\u00adample.test": "example.test",
    "a。b．c｡ä": "a.b.c.xn--4ca",
    a_ü: "xn--a_-yka",
    "a\u0308": "xn--4ca",
    // The platform would read an address into these, and refuse what is none.
    "ä.1": "xn--4ca.1",
    "１２７.１": "127.1",
    "①": "1",
  };
  for (const [name, ascii] of Object.entries(names)) {
    assert.equal(normalizeHost(name, "http"), ascii, name);
    assert.equal(normalizeHost(ascii, "http"), ascii);
    if (!/\d$|①|１/.test(ascii)) assert.equal(domainToASCII(name), ascii, name);
  }
});

test("names that UTS 46 disallows are refused, and those with a delimiter hidden in them", () => {
  const names = [
    "\u0301a",
    "a\u200db",
    "אa",
    "\ud800",
    "\u00ad",
    "ü%2F",
    "a／b",
    "a：80",
    "a＠b",
    "a％41",
    "a？b",
    "a＃b",
    "a＼b",
    "［::1］",
    "℀",
    "ü".repeat(60),
    "ü".repeat(200),
    "ü.".repeat(600),
  ];
  for (const name of names) {
    assert.throws(() => normalizeHost(name, "http"), LocationParseError, JSON.stringify(name));
  }
});
