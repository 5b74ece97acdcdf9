/** Streamed bodies whose readers are slow, or gone without a word. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { HTTPConnectionPool, type HTTPResponse } from "../../src/index.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";

leakGate();

const STREAMED = { preloadContent: false } as const;
const KIB = 1024;

describe("back-pressure", () => {
  it("a slow consumer stops the socket; its buffer stays small, nothing is lost", async () => {
    const total = 64 * 1024 * KIB;
    const block = Buffer.alloc(256 * KIB, "x");
    let sent = 0;
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
      for (; sent < total; sent += block.length) await connection.send(block);
    });
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const response = await pool.request("GET", "/", STREAMED);
    let read = (await response.read(1000)).length;
    await untilStill(() => sent);
    assert.ok(sent < total / 2, `${sent} bytes sent`);
    const { writableLength } = origin.connections[0]!.socket as unknown as { writableLength: number };
    assert.ok(writableLength > 0);
    // The high-water mark of 256 KiB, with the reads of 128 KiB that cross it and that was begun.
    assert.ok(response.tell() - read <= 512 * KIB, `${response.tell() - read} bytes buffered`);
    for await (const piece of response) read += piece.length;
    assert.equal(read, total);
  });
});

describe("a forgotten response", () => {
  it("is collected, and its connection freed", async () => {
    await using origin = await startHttp(() => ({ body: Buffer.alloc(1024 * KIB) }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
    await (async () => void (await (await pool.request("GET", "/", STREAMED)).read(10)))();
    assert.equal(pool.numBusy, 1);
    await collectUntil(() => pool.numBusy === 0);
    assert.equal((await pool.request("GET", "/")).data.length, 1024 * KIB);
  });

  it("is not forgotten while one of its ways of reading is in use", async () => {
    await using origin = await startHttp(() => ({ body: "0123456789".repeat(10 * KIB), chunked: 1000 }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
    const uses: ((response: HTTPResponse) => AsyncIterable<Uint8Array>)[] = [
      (response) => response.body,
      (response) => response.readable(),
      (response) => response.stream(),
      (response) => response.readChunked(),
    ];
    for (const use of uses) {
      const source = await (async () => use(await pool.request("GET", "/", STREAMED)))();
      for (let round = 0; round < 3; round++) await collect();
      let read = 0;
      for await (const piece of source) read += piece.length;
      assert.equal(read, 100 * KIB);
    }
  });

  it("is not forgotten while a read waits", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
      for (let round = 0; round < 5; round++) await collect();
      await connection.send("56789");
    });
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const reads: ((response: HTTPResponse) => Promise<Uint8Array>)[] = [
      (response) => response.read(10),
      (response) => response.read(),
      (response) => response.bytes(),
      async (response) => Buffer.concat([await response.read1(5), await response.read1(5)]),
    ];
    for (const read of reads) {
      const reading = (async () =>
        read(await pool.request("GET", "/", { ...STREAMED, headers: { Connection: "close" } })))();
      assert.equal(String(Buffer.from(await reading)), "0123456789");
    }
  });
});

/** Waits until a figure stays the same for 20 turns of 5 ms. */
async function untilStill(figure: () => number): Promise<void> {
  for (let still = 0, last = figure(); still < 20; still++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (figure() !== last) still = 0;
    last = figure();
  }
}

async function collect(): Promise<void> {
  assert.ok(globalThis.gc, "run with --expose-gc");
  globalThis.gc();
  // Finalizers run in tasks of their own.
  await turn();
  await turn();
}

async function collectUntil(done: () => boolean): Promise<void> {
  for (let round = 0; round < 50 && !done(); round++) await collect();
  assert.ok(done(), "not collected");
}
