import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as zlib from "node:zlib";
import { defaultAcceptEncoding, type MakeHeadersOptions, makeHeaders } from "../../src/body/make-headers.ts";
import { InvalidArgumentError } from "../../src/core/errors.ts";

const ZSTD = "createZstdDecompress" in zlib;
const base64 = (text: string, encoding: BufferEncoding = "latin1") =>
  `Basic ${Buffer.from(text, encoding).toString("base64")}`;

describe("makeHeaders", () => {
  const table: [options: MakeHeadersOptions, headers: Record<string, string>][] = [
    [{}, {}],
    [{ acceptEncoding: true }, { "accept-encoding": `gzip,deflate,br${ZSTD ? ",zstd" : ""}` }],
    [{ acceptEncoding: "foo,bar" }, { "accept-encoding": "foo,bar" }],
    [{ acceptEncoding: ["foo", "bar"] }, { "accept-encoding": "foo,bar" }],
    [{ acceptEncoding: false }, {}],
    [{ acceptEncoding: "" }, {}],
    [{ acceptEncoding: [] }, {}],
    [{ userAgent: "banana" }, { "user-agent": "banana" }],
    [{ userAgent: "" }, {}],
    [{ keepAlive: true }, { connection: "keep-alive" }],
    [{ keepAlive: false }, {}],
    [{ basicAuth: "foo:bar" }, { authorization: "Basic Zm9vOmJhcg==" }],
    [{ proxyBasicAuth: "foo:bar" }, { "proxy-authorization": "Basic Zm9vOmJhcg==" }],
    [{ basicAuth: "", proxyBasicAuth: null }, {}],
    [{ disableCache: true }, { "cache-control": "no-cache" }],
    [{ basicAuth: "f\u00f6o:bar" }, { authorization: base64("f\u00f6o:bar") }],
    [{ basicAuth: "\u20ac:x", basicAuthEncoding: "utf-8" }, { authorization: base64("\u20ac:x", "utf8") }],
    [
      { proxyBasicAuth: "\u20ac:x", proxyBasicAuthEncoding: "utf8" },
      { "proxy-authorization": base64("\u20ac:x", "utf8") },
    ],
    [{ basicAuth: "\u00ff:x", basicAuthEncoding: "iso-8859-1" }, { authorization: base64("\u00ff:x") }],
  ];
  for (const [options, headers] of table) {
    test(JSON.stringify(options), () => assert.deepEqual(makeHeaders(options), headers));
  }

  test("no options at all", () => assert.deepEqual(makeHeaders(), {}));

  test("credentials that the encoding cannot express are refused without showing them", () => {
    const bad: MakeHeadersOptions[] = [
      { basicAuth: "secret\u20ac:x" },
      { proxyBasicAuth: "secret\u{1f600}:x" },
      { basicAuth: "secret\u00e9:x", basicAuthEncoding: "ascii" },
      { basicAuth: "secret:x", basicAuthEncoding: "klingon" as "ascii" },
    ];
    for (const options of bad) {
      assert.throws(
        () => makeHeaders(options),
        (error: Error) => error instanceof InvalidArgumentError && !error.message.includes("secret"),
      );
    }
  });

  test("the default Accept-Encoding is what can be decoded here", () => {
    assert.equal(defaultAcceptEncoding(), `gzip, deflate, br${ZSTD ? ", zstd" : ""}`);
    assert.equal(defaultAcceptEncoding(), defaultAcceptEncoding());
  });
});
