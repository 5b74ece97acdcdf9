/** However a body is read, it is decoded no further than was asked for, and no longer than somebody wants it. */

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { type HTTPResponse, PoolManager, type RequestOptions } from "../../../src/index.ts";
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

describe("a body that has come whole, and is still being decoded", () => {
  const ENDS: Record<string, (url: string) => Promise<[HTTPResponse, unknown]>> = {
    "its signal": async (url) => {
      const controller = new AbortController();
      const response = await get(url, { signal: controller.signal });
      await response.read(10);
      controller.abort("enough");
      return [response, "enough"];
    },
    "its deadline": async (url) => {
      const response = await get(url, { deadline: 1000 });
      await response.read(10);
      await new Promise((resolve) => setTimeout(resolve, 1050));
      return [response, "DeadlineError"];
    },
  };
  const get = (url: string, options: RequestOptions): Promise<HTTPResponse> =>
    manager.request("GET", url, { ...options, preloadContent: false });
  const manager = new PoolManager();

  for (const [end, begin] of Object.entries(ENDS)) {
    it(`was decoded to its end although ${end} was over`, async () => {
      await using origin = await startHttp(() => ({ body: BOMB, headers: HEADERS }));
      const [response, reason] = await begin(origin.url);
      assert.equal(manager.stats().pools[0]!.busy, 0, "all has come");
      for (let twice = 0; twice < 2; twice++) {
        await assert.rejects(response.read(), (error) => ((error as Error).name ?? error) === reason);
      }
      assert.deepEqual([response.isClosed, response.tell()], [true, BOMB.length]);
      manager.clear();
    });
  }

  const GIVEN_UP: Record<string, (response: HTTPResponse) => unknown> = {
    "close()": (response) => response.close(),
    "releaseConn()": (response) => response.releaseConn(),
    "drainConn()": (response) => response.drainConn(),
  };
  for (const [how, giveUp] of Object.entries(GIVEN_UP)) {
    it(`was decoded to its end although ${how} was called during the read`, async () => {
      await using origin = await startHttp(() => ({ body: BOMB, headers: HEADERS }));
      const response = await get(origin.url, {});
      await response.read(10);
      assert.equal(manager.stats().pools[0]!.busy, 0, "all has come");
      const reading = response.read();
      reading.catch(() => {});
      await new Promise((resolve) => setImmediate(resolve));
      await giveUp(response);
      await assert.rejects(reading, { code: "ERR_URLPOOL_BODY_USED" });
      manager.clear();
    });
  }

  it("keeps no listener on its signal once it was read, or given up", async () => {
    await using origin = await startHttp(() => ({
      body: gzipSync("x"),
      headers: { "Content-Encoding": "gzip" },
    }));
    const { signal } = new AbortController();
    const ways = [
      (response: HTTPResponse) => response.text(),
      (response: HTTPResponse) => response.releaseConn(),
      (response: HTTPResponse) => response.close(),
      (response: HTTPResponse) => response.drainConn(),
    ];
    for (const use of ways) {
      const response = await get(origin.url, { signal });
      await use(response);
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(getEventListeners(signal, "abort").length, 0, String(use));
    }
    manager.clear();
  });

  it("keeps none where nothing is to be decoded", async () => {
    await using origin = await startHttp(() => "plain");
    const controller = new AbortController();
    const response = await get(origin.url, { signal: controller.signal });
    while (manager.stats().pools[0]!.busy > 0 && !response.isClosed && response.tell() < 5) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(getEventListeners(controller.signal, "abort").length, 0);
    controller.abort();
    assert.equal(await response.text(), "plain");
    manager.clear();
  });
});

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
