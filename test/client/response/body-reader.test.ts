import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import { HTTPConnectionPool, InvalidChunkLength, PoolManager } from "../../../src/index.ts";
import { startHttp } from "../../kit/http-origin.ts";
import { leakGate } from "../../kit/leak-gate.ts";
import { startOrigin } from "../../kit/origin.ts";

leakGate();

const STREAMED = { preloadContent: false };
const RAW = { decodeContent: false };
const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

describe("raw first, decoded later", () => {
  it("the decoder gets what was not read yet, wherever the raw read ended", async () => {
    const coded = Buffer.concat([Buffer.from("PREFIX"), gzipSync("hello".repeat(50_000))]);
    for (const chunked of [false, 7, 50]) {
      const headers = { "Content-Encoding": "gzip" };
      await using origin = await startHttp(() => ({ body: coded, headers, chunked }));
      using manager = new PoolManager();
      const response = await manager.request("GET", origin.url, STREAMED);
      assert.equal((await response.read(6, RAW)).toString(), "PREFIX");
      assert.equal((await response.read(8)).toString(), "hellohel");
      assert.equal((await response.read()).length, 249_992);
    }
  });

  it("without the header of zlib too", async () => {
    const headers = { "Content-Encoding": "deflate" };
    await using origin = await startHttp(() => ({ body: deflateSync("foo"), headers }));
    using manager = new PoolManager();
    const response = await manager.request("GET", origin.url, STREAMED);
    await response.read(2, RAW);
    assert.equal((await response.read()).toString(), "foo");
  });
});

describe("readChunked(amount) and stream(amount)", () => {
  const packets = ["5\r\nhel", "lo\r\n6\r\nworl", "d!\r\n0\r\n\r\n"];

  for (const [amount, pieces] of [
    [2, ["he", "ll", "o", "wo", "rl", "d!"]],
    [5, ["hello", "world", "!"]],
    [6, ["hello", "world!"]],
  ] as const) {
    it(`${amount}: a chunk is split by the amount alone, not by its packets`, async () => {
      let goOn = (): void => {};
      await using origin = await startOrigin(async (connection) => {
        await connection.readHead();
        await connection.send(CHUNKED);
        for (const packet of packets) {
          await connection.send(packet);
          await new Promise<void>((resolve) => {
            goOn = resolve;
          });
        }
      });
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
      const response = await pool.request("GET", "/", STREAMED);
      const timer = setInterval(() => goOn(), 1);
      const got: string[] = [];
      for await (const piece of response.readChunked(amount)) got.push(piece.toString());
      clearInterval(timer);
      assert.deepEqual(got, pieces);
    });
  }

  it("one large chunk comes in pieces of the size asked for", async () => {
    await using origin = await startHttp(() => ({ body: Buffer.alloc(300_000), chunked: true }));
    using manager = new PoolManager();
    const response = await manager.request("GET", origin.url, STREAMED);
    const lengths: number[] = [];
    for await (const piece of response.stream()) lengths.push(piece.length);
    assert.deepEqual(lengths, [65_536, 65_536, 65_536, 65_536, 37_856]);
  });
});

it("InvalidChunkLength says what came instead of a size, and after how much", async () => {
  await using origin = await startOrigin(async (connection) => {
    await connection.readHead();
    await connection.send(`${CHUNKED}5\r\nhello\r\n1z\r\n`);
  });
  using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { retries: false });
  await assert.rejects(pool.request("GET", "/"), (error) => {
    assert.ok(error instanceof InvalidChunkLength);
    assert.match(error.message, /InvalidChunkLength\(got length "1z", 5 bytes read\)/);
    assert.deepEqual([error.length, error.partial], ["1z", 5]);
    const { length, partial } = error.toJSON();
    assert.deepEqual([length, partial], ["1z", 5]);
    return true;
  });
});

it("a body that broke off while it was drained is closed", async () => {
  await using origin = await startOrigin(async (connection) => {
    await connection.readHead();
    await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
    await new Promise<void>((resolve) => {
      breakOff = resolve;
    });
    connection.reset();
  });
  let breakOff = (): void => {};
  using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
  const response = await pool.request("GET", "/", STREAMED);
  const drained = response.drainConn();
  breakOff();
  await drained;
  assert.equal(response.isClosed, true);
});
