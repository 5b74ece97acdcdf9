/** However a body is read, it is decoded no further than was asked for, and no longer than somebody wants it. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { type HTTPResponse, PoolManager } from "../../../src/index.ts";
import { startHttp } from "../../kit/http-origin.ts";
import { leakGate } from "../../kit/leak-gate.ts";
import { startOrigin } from "../../kit/origin.ts";

leakGate();

const SIZE = 30_000_000;
const BOMB = gzipSync(gzipSync(Buffer.alloc(SIZE)));
const MOST = 65_536;
const HEADERS = { "Content-Encoding": "gzip, gzip" };

async function* readOnce(response: HTTPResponse): AsyncGenerator<Uint8Array> {
  for (;;) {
    const piece = await response.read1();
    if (piece.length === 0) return;
    yield piece;
  }
}

const WAYS: Record<string, (response: HTTPResponse) => AsyncIterable<Uint8Array>> = {
  "for await": (response) => response,
  "stream()": (response) => response.stream(),
  "readChunked()": (response) => response.readChunked(),
  "read1()": readOnce,
  body: (response) => response.body,
  "readable()": (response) => response.readable(),
};

describe("a small body that decodes to a very large one", () => {
  for (const [way, pieces] of Object.entries(WAYS)) {
    it(`comes in pieces of at most 64 KiB: ${way}`, async () => {
      await using origin = await startHttp(() => ({ body: BOMB, headers: HEADERS, chunked: 100_000 }));
      using manager = new PoolManager();
      const response = await manager.request("GET", origin.url, { preloadContent: false });
      let total = 0;
      let largest = 0;
      for await (const piece of pieces(response)) {
        total += piece.length;
        largest = Math.max(largest, piece.length);
      }
      assert.equal(total, SIZE);
      assert.ok(largest <= MOST, `a piece of ${largest} bytes`);
    });
  }

  it("is decoded only as far as read(amount) asks", async () => {
    await using origin = await startHttp(() => ({ body: BOMB, headers: HEADERS }));
    using manager = new PoolManager();
    const response = await manager.request("GET", origin.url, { preloadContent: false });
    assert.equal((await response.read(10)).length, 10);
    const before = process.memoryUsage().arrayBuffers;
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000);
    response.close();
  });

  for (const [way, read] of [
    ["read()", (response: HTTPResponse) => response.read()],
    ["read(amount)", (response: HTTPResponse) => response.read(1e12)],
    ["text()", (response: HTTPResponse) => response.text()],
  ] as const) {
    it(`is not decoded on once the deadline has passed: ${way}`, async () => {
      // 200 members of 30 MB each.
      const large = gzipSync(Buffer.concat(Array(200).fill(gzipSync(Buffer.alloc(SIZE)))));
      await using origin = await startOrigin(async (connection) => {
        await connection.readHead();
        await connection.send(
          "HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 99999\r\n\r\n",
        );
        await connection.send(large);
        await connection.readAll();
      });
      using manager = new PoolManager();
      const response = await manager.request("GET", origin.url, { preloadContent: false, deadline: 150 });
      const begin = performance.now();
      await assert.rejects(read(response), { code: "ERR_URLPOOL_DEADLINE" });
      const took = performance.now() - begin;
      assert.ok(took < 1500, `rejected after ${took} ms`);
    });
  }
});
