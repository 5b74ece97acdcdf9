import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import {
  DecodeError,
  HTTPConnectionPool,
  type HTTPResponse,
  type RequestOptions,
} from "../../../src/index.ts";
import { type ResponseSpec, startHttp } from "../../kit/http-origin.ts";
import { leakGate } from "../../kit/leak-gate.ts";
import { startOrigin } from "../../kit/origin.ts";

leakGate();

const SMALL = "Hello, compressed world. ".repeat(20);
/** Large enough to be decoded in the thread pool. */
const LARGE = Array.from({ length: 30_000 }, (_unused, i) => String(i * 7919)).join(",");

const codings: [name: string, encode: (text: string) => Buffer][] = [
  ["gzip", gzipSync],
  ["x-gzip", gzipSync],
  ["GZip", gzipSync],
  ["deflate", deflateSync],
  ["deflate", deflateRawSync],
  ["br", brotliCompressSync],
  ["deflate, gzip", (text) => gzipSync(deflateSync(text))],
  ["identity, br", brotliCompressSync],
];

describe("content codings", () => {
  for (const [name, encode] of codings) {
    for (const [size, text] of [
      ["small", SMALL],
      ["large", LARGE],
      ["empty", ""],
    ] as const) {
      it(`DC-01 to DC-10: ${name} (${encode.name || "chain"}), ${size}`, async () => {
        const body = encode(text);
        const spec = { body, headers: { "Content-Encoding": name } };
        for (const framing of [{}, { chunked: 1000 }, { contentLength: null }]) {
          const response = await get({ ...spec, ...framing });
          assert.equal(response.data.toString(), text);
          assert.equal(await response.text(), text);
          assert.equal(response.headers.get("content-encoding"), name);
        }
        assert.equal(Buffer.compare((await get(spec, { decodeContent: false })).data, body), 0);
      });
    }
  }

  it("the pool's decodeContent counts unless the request has its own", async () => {
    const body = gzipSync("x");
    const spec = { body, headers: { "Content-Encoding": "gzip" } };
    await using origin = await startHttp(() => spec);
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { decodeContent: false });
    assert.equal(Buffer.compare((await pool.request("GET", "/")).data, body), 0);
    assert.equal(String((await pool.request("GET", "/", { decodeContent: true })).data), "x");
  });

  it("an unknown coding alone is left as it is", async () => {
    const response = await get({ body: "raw", headers: { "Content-Encoding": "rot13" } });
    assert.equal(String(response.data), "raw");
  });
});

describe("transfer codings", () => {
  it("gzip, chunked is decoded, whatever decodeContent says", async () => {
    for (const decodeContent of [true, false]) {
      const body = gzipSync(SMALL);
      const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n";
      const chunk = Buffer.concat([
        Buffer.from(`${body.length.toString(16)}\r\n`),
        body,
        Buffer.from("\r\n0\r\n\r\n"),
      ]);
      await using origin = await startOrigin(Buffer.concat([Buffer.from(head), chunk]));
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
      assert.equal(String((await pool.request("GET", "/", { decodeContent })).data), SMALL);
      assert.equal(String((await pool.request("GET", "/", { decodeContent })).data), SMALL);
      assert.equal(origin.accepted, 1);
    }
  });
});

describe("what cannot be decoded", () => {
  const gzip = gzipSync(SMALL);
  const broken = Buffer.from(gzip);
  broken[gzip.length - 6]! ^= 0xff;
  const cases: [why: string, spec: ResponseSpec, options?: RequestOptions][] = [
    ["DC-16: garbage as gzip", { body: "garbage", headers: { "Content-Encoding": "gzip" } }],
    ["DC-16: garbage as deflate", { body: "garbage", headers: { "Content-Encoding": "deflate" } }],
    ["DC-16: garbage as br", { body: "garbage garbage", headers: { "Content-Encoding": "br" } }],
    ["DC-05: a wrong checksum", { body: broken, headers: { "Content-Encoding": "gzip" } }],
    ["DC-18: cut gzip", { body: gzip.subarray(0, -9), headers: { "Content-Encoding": "gzip" } }],
    ["DC-19: an unknown part of a chain", { body: gzip, headers: { "Content-Encoding": "rot13, gzip" } }],
    [
      "DC-11: too many links",
      { body: gzip, headers: { "Content-Encoding": "gzip, gzip, gzip, gzip, gzip, gzip" } },
    ],
    [
      "maxDecodedSize",
      { body: gzip, headers: { "Content-Encoding": "gzip" } },
      { maxDecodedSize: SMALL.length - 1 },
    ],
    ["maxDecodedSize 0", { body: gzip, headers: { "Content-Encoding": "gzip" } }, { maxDecodedSize: 0 }],
    [
      "maxDecodedSize, far exceeded",
      { body: gzipSync(Buffer.alloc(20_000_000)), headers: { "Content-Encoding": "gzip" } },
      { maxDecodedSize: 100_000 },
    ],
  ];
  for (const [why, spec, options] of cases) {
    it(`${why}: DecodeError, never tried again, and no place in the pool is lost`, async () => {
      await using origin = await startHttp(({ target }) => (target === "/" ? spec : "fine"));
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
      await assert.rejects(pool.request("GET", "/", { retries: 3, ...options }), (error) => {
        assert.ok(error instanceof DecodeError, String(error));
        assert.match(error.message, /^GET http:\/\/127\.0\.0\.1:\d+\/: /);
        return true;
      });
      assert.equal(origin.received.length, 1);
      assert.equal(String((await pool.request("GET", "/fine", { poolTimeout: 5_000 })).data), "fine");
      assert.equal(pool.numBusy, 0);
    });
  }

  it("DC-18: allowTruncated takes what there is", async () => {
    const spec = { body: gzip.subarray(0, -9), headers: { "Content-Encoding": "gzip" } };
    const response = await get(spec, { allowTruncated: true });
    assert.ok(SMALL.startsWith(response.data.toString()) && response.data.length > 0);
  });

  it("a body of just maxDecodedSize is fine", async () => {
    const spec = { body: gzip, headers: { "Content-Encoding": "gzip" } };
    assert.equal((await get(spec, { maxDecodedSize: SMALL.length })).data.length, SMALL.length);
  });

  it("DC-04, DC-06: several gzip members; garbage after the last is ignored", async () => {
    const headers = { "Content-Encoding": "gzip" };
    const members = Buffer.concat([gzipSync("one "), gzipSync("two")]);
    assert.equal(String((await get({ body: members, headers })).data), "one two");
    const trailing = Buffer.concat([members, Buffer.from("garbage")]);
    assert.equal(String((await get({ body: trailing, headers })).data), "one two");
  });
});

async function get(spec: ResponseSpec, options: RequestOptions = {}): Promise<HTTPResponse> {
  await using origin = await startHttp(() => spec);
  using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
  return await pool.request("GET", "/", options);
}
