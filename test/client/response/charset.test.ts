import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeText } from "../../../src/client/response/charset.ts";

describe("charset of Content-Type", () => {
  const latin1 = Buffer.from("h\u00e9", "latin1");
  const utf8 = Buffer.from("h\u00e9");
  const cases: [contentType: string, bytes: Buffer][] = [
    ['text/html; title="a; charset=utf-16"; charset=latin1', latin1],
    ['text/html; title="a\\"; charset=utf-16"; charset="latin1"', latin1],
    ['text/html;charset="l\\atin1"', latin1],
    ['text/html;charset="latin1', latin1],
    ["text/html;charset=latin1;charset=utf-8", latin1],
    ["text/html;charset;charset=latin1", latin1],
    ["text/html ; charset = latin1 ", latin1],
    ["text/html;;charset=latin1", latin1],
    ["text/html;charset=;x=latin1", utf8],
    ["charset=latin1", utf8],
    ["text/html; xcharset=latin1; charset-x=latin1", utf8],
    ['text/html; x="charset=latin1', utf8],
    ["text/html; charset=utf-8", utf8],
    ["text/html; charset=no such; x", utf8],
  ];
  for (const [contentType, bytes] of cases) {
    it(contentType, () => assert.equal(decodeText(bytes, contentType), "h\u00e9"));
  }

  it("a long run of what is no parameter takes no long time", () => {
    const filler = `${'; a="\\'.repeat(30_000)}${" ;=".repeat(30_000)}`;
    assert.equal(decodeText(utf8, `text/html${filler}`), "h\u00e9");
  });
});

describe("windows-1252", () => {
  const quotes = Buffer.from([0x80, 0x93, 0x61, 0x94, 0x9f, 0xe9, 0x81]);
  const text = "\u20ac\u201ca\u201d\u0178\u00e9\u0081";
  for (const label of ["windows-1252", "cp1252", "iso-8859-1", "latin1", "us-ascii"]) {
    it(`${label}: 0x80 to 0x9f are letters and quotes, whatever Node makes of them`, () => {
      assert.equal(decodeText(quotes, `text/plain; charset=${label}`), text);
    });
  }

  it("all bytes as in Python's cp1252, with the five that it does not know as they are", () => {
    const high = Buffer.from(Array.from({ length: 32 }, (_unused, i) => 0x80 + i));
    const expected =
      "20ac 81 201a 192 201e 2026 2020 2021 2c6 2030 160 2039 152 8d 17d 8f 90 2018 2019 201c 201d 2022 2013 2014 2dc 2122 161 203a 153 9d 17e 178";
    const actual = [...decodeText(high, "a/b;charset=cp1252")].map((one) => one.charCodeAt(0).toString(16));
    assert.equal(actual.join(" "), expected);
    const rest = Buffer.from(
      Array.from({ length: 256 }, (_unused, i) => i).filter((i) => i < 0x80 || i > 0x9f),
    );
    assert.equal(decodeText(rest, "a/b;charset=cp1252"), rest.toString("latin1"));
  });
});
