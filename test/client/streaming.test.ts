/** Bodies read as they come (`preloadContent: false`): every way of reading, over every framing. */

import assert from "node:assert/strict";
import type { Readable } from "node:stream";
import { text as textOf } from "node:stream/consumers";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import {
  BodyUsedError,
  HTTPConnectionPool,
  HTTPResponse,
  InvalidArgumentError,
  type RequestOptions,
  ResponseNotChunked,
} from "../../src/index.ts";
import { type ResponseSpec, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

const STREAMED: RequestOptions = { preloadContent: false };
const TEXT = Array.from({ length: 20_000 }, (_unused, i) => String(i * 7919)).join(",");

/** Each reads a response to its end and gives the text. */
const ways: [name: string, read: (response: HTTPResponse) => Promise<string>][] = [
  ["read()", async (response) => String(await response.read())],
  ["read(n)", (response) => untilEmpty(() => response.read(1000))],
  ["read1(n)", (response) => untilEmpty(() => response.read1(1000))],
  ["read1()", (response) => untilEmpty(() => response.read1())],
  ["stream()", (response) => joined(response.stream())],
  ["stream(1000)", (response) => joined(response.stream(1000))],
  ["stream(null)", (response) => joined(response.stream(null))],
  ["for await", (response) => joined(response)],
  ["body", (response) => joined(response.body)],
  ["BYOB", readByob],
  ["readable()", (response) => textOf(response.readable())],
  ["readable() flowing", (response) => flow(response.readable())],
  ["text()", (response) => response.text()],
  ["bytes()", async (response) => String(Buffer.from(await response.bytes()))],
  ["arrayBuffer()", async (response) => String(Buffer.from(await response.arrayBuffer()))],
  ["blob()", async (response) => (await response.blob()).text()],
  ["new Response(body)", (response) => new Response(response.body as ReadableStream).text()],
];

const framings: [name: string, spec: ResponseSpec, text: string][] = [
  ["content-length", { body: TEXT }, TEXT],
  ["chunked", { body: TEXT, chunked: 3000 }, TEXT],
  ["close-delimited", { body: TEXT, contentLength: null }, TEXT],
  ["gzip", { body: gzipSync(TEXT), headers: { "Content-Encoding": "gzip" } }, TEXT],
  ["gzip chunked", { body: gzipSync(TEXT), headers: { "Content-Encoding": "gzip" }, chunked: 500 }, TEXT],
  ["length 0", { body: "" }, ""],
  ["empty chunked", { body: "", chunked: true }, ""],
  ["empty to the close", { body: "", contentLength: null }, ""],
  ["204", { status: 204 }, ""],
];

for (const [framing, spec, text] of framings) {
  describe(framing, () => {
    const keptAlive = spec.contentLength !== null;
    for (const [way, read] of ways) {
      it(`${way} gives the body, and the connection is ${keptAlive ? "kept" : "gone"}`, async () => {
        await using origin = await startHttp(() => spec);
        using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
        for (const round of [1, 2]) {
          const response = await pool.request("GET", "/", STREAMED);
          assert.equal(await read(response), text);
          assert.equal(response.tell(), Buffer.byteLength(spec.body ?? ""));
          assert.deepEqual([response.isClosed, response.holdsConnection], [true, false]);
          assert.deepEqual([pool.numIdle, pool.numBusy], [keptAlive ? 1 : 0, 0]);
          assert.equal(origin.accepted, keptAlive ? 1 : round);
        }
      });
    }
  });
}

describe("HEAD", () => {
  it("has nothing to read, whatever its length says", async () => {
    await using origin = await startHttp(() => ({ body: TEXT, chunked: true }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
    for (const [, read] of ways) assert.equal(await read(await pool.request("HEAD", "/", STREAMED)), "");
    const response = await pool.request("HEAD", "/", STREAMED);
    assert.equal(await joined(response.stream()), "");
    assert.equal(origin.accepted, 1);
  });
});

describe("amounts", () => {
  it("RS-06: read(n) gives exactly n, less only at the end; read(0) nothing", async () => {
    for (const spec of [{ body: "0123456789" }, { body: "0123456789", chunked: 3 }]) {
      const [response, done] = await one(spec);
      const pieces: string[] = [];
      for (const amount of [0, 4, 0, 4, 4, 4]) pieces.push(String(await response.read(amount)));
      assert.deepEqual(pieces, ["", "0123", "", "4567", "89", ""]);
      await done();
    }
  });

  it("RS-08: null and -1 are all that is left; data is not half a body", async () => {
    const [response, done] = await one({ body: "0123456789" });
    assert.equal(String(await response.read(2)), "01");
    assert.equal(String(await response.read(-1)), "23456789");
    assert.equal(String(await response.read(null)), "");
    assert.equal(response.data.length, 0);
    await done();
  });

  it("RS-01: what was read as a whole is data too", async () => {
    const [response, done] = await one({ body: "0123456789" });
    assert.equal(String(await response.read()), "0123456789");
    assert.equal(String(response.data), "0123456789");
    await done();
  });

  it("RS-13: pieces of 0 bytes are none at all; negative means any size", async () => {
    for (const spec of [{ body: "abc" }, { body: "abc", chunked: 1 }]) {
      const [response, done] = await one(spec);
      assert.equal(await joined(response.stream(0)), "");
      assert.equal(await joined(response.stream(-1)), "abc");
      await done();
    }
  });

  for (const amount of [1.5, Number.NaN, "7" as unknown as number]) {
    it(`${typeof amount} ${amount} is no amount`, async () => {
      const [response, done] = await one({ body: "abc", chunked: true });
      const reads = [
        () => response.read(amount),
        () => response.read1(amount),
        () => joined(response.stream(amount)),
        () => joined(response.readChunked(amount)),
      ];
      for (const read of reads) await assert.rejects(read, InvalidArgumentError);
      assert.equal(String(await response.read()), "abc");
      await done();
    });
  }
});

describe("chunks", () => {
  it("RS-23: readChunked gives the chunks as they were sent", async () => {
    const [response, done] = await one({ body: "aabbccd", chunked: 2 });
    assert.deepEqual(await pieces(response.readChunked()), ["aa", "bb", "cc", "d"]);
    await done();
  });

  it("RS-22: an amount splits them, but does not join them", async () => {
    const [response, done] = await one({ body: "aaaaabbbbb", chunked: 5 });
    assert.deepEqual(await pieces(response.stream(2)), ["aa", "aa", "a", "bb", "bb", "b"]);
    await done();
  });

  it("RS-24: of a body with a length there are none", async () => {
    const [response, done] = await one({ body: "abc" });
    await assert.rejects(pieces(response.readChunked()), ResponseNotChunked);
    assert.equal(await response.text(), "abc");
    await done();
  });

  it("trailers are there once the body has ended", async () => {
    const [response, done] = await one({ body: "abc", chunked: true, trailers: [["X-Sum", "1"]] });
    assert.equal(await joined(response.stream()), "abc");
    assert.equal(response.trailers.get("x-sum"), "1");
    await done();
  });
});

describe("reading twice", () => {
  it("text() after anything was read is an error", async () => {
    for (const [, read] of ways) {
      const [response, done] = await one({ body: "abc" });
      assert.equal(response.bodyUsed, false);
      await read(response);
      assert.equal(response.bodyUsed, true);
      for (const again of ["text", "json", "bytes", "arrayBuffer", "blob"] as const) {
        await assert.rejects(response[again](), BodyUsedError);
      }
      assert.equal((await response.read()).length, 0);
      await done();
    }
  });

  it("two reads at once are an error, not a mix of bytes", async () => {
    const [response, done] = await one({ body: TEXT });
    const first = response.read(TEXT.length);
    await assert.rejects(response.read(5), BodyUsedError);
    await assert.rejects(response.text(), BodyUsedError);
    assert.equal(String(await first), TEXT);
    await done();
  });

  it("body is one and the same stream", async () => {
    const [response, done] = await one({ body: "abc" });
    assert.equal(response.body, response.body);
    const reader = response.body.getReader();
    assert.equal(response.body.locked, true);
    reader.releaseLock();
    assert.equal(await joined(response.body), "abc");
    await done();
  });

  it("what one way has left, another one reads", async () => {
    const [response, done] = await one({ body: "0123456789", chunked: 4 });
    let text = String(await response.read(1)) + String(await response.read1(2));
    for await (const piece of response.stream(2)) {
      text += piece;
      break;
    }
    text += String(await response.read());
    assert.equal(text, "0123456789");
    await done();
  });

  it("RS-09, RS-10: raw and then decoded is possible, decoded and then raw is not", async () => {
    const spec = { body: gzipSync("abc"), headers: { "Content-Encoding": "gzip" } };
    const [response, done] = await one(spec);
    assert.equal((await response.read(0, { decodeContent: false })).length, 0);
    assert.equal(String(await response.read(1)), "a");
    await assert.rejects(response.read(1, { decodeContent: false }), BodyUsedError);
    await assert.rejects(response.read1(1, { decodeContent: false }), BodyUsedError);
    await assert.rejects(pieces(response.stream(1, { decodeContent: false })), BodyUsedError);
    assert.equal(String(await response.read()), "bc");
    await done();
    const [raw, rawDone] = await one(spec);
    assert.deepEqual(await raw.read(null, { decodeContent: false }), spec.body);
    await rawDone();
  });
});

describe("a response without network", () => {
  it("is read in the same ways", async () => {
    for (const [, read] of ways) assert.equal(await read(new HTTPResponse({ body: "abc" })), "abc");
  });
});

/** A streamed response, and what to call at the end: the connection must be back. */
async function one(spec: ResponseSpec): Promise<[HTTPResponse, () => Promise<void>]> {
  const origin = await startHttp(() => spec);
  const pool = new HTTPConnectionPool("127.0.0.1", origin.port);
  const done = async (): Promise<void> => {
    const { numIdle, numBusy } = pool;
    pool.close();
    await origin.close();
    assert.deepEqual([numIdle, numBusy], [1, 0]);
  };
  return [await pool.request("GET", "/", STREAMED), done];
}

async function pieces(source: AsyncIterable<Uint8Array>): Promise<string[]> {
  const all: string[] = [];
  for await (const piece of source) {
    assert.notEqual(piece.length, 0);
    all.push(Buffer.from(piece).toString("latin1"));
  }
  return all;
}

async function joined(source: AsyncIterable<Uint8Array>): Promise<string> {
  return (await pieces(source)).join("");
}

async function untilEmpty(read: () => Promise<Buffer>): Promise<string> {
  let text = "";
  for (let piece = await read(); piece.length > 0; piece = await read()) text += piece.toString("latin1");
  return text;
}

async function readByob(response: HTTPResponse): Promise<string> {
  const reader = response.body.getReader({ mode: "byob" });
  let text = "";
  for (;;) {
    const { value, done } = await reader.read(new Uint8Array(1000));
    if (value !== undefined) text += Buffer.from(value).toString("latin1");
    if (done) return text;
  }
}

function flow(stream: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    stream.on("data", (piece: Buffer) => {
      text += piece;
    });
    stream.on("end", () => resolve(text)).on("error", reject);
  });
}
