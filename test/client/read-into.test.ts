/** `response.readInto`, and BYOB readers of `response.body`. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { HTTPConnectionPool, HTTPResponse, IncompleteRead, PoolManager } from "../../src/index.ts";
import { startFrames, wholeAnswer } from "../kit/h2-service.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";

leakGate();

const STREAMED = { preloadContent: false } as const;
const BODY = Buffer.from(Uint8Array.from({ length: 200_003 }, (_unused, i) => (i * 31 + (i >> 8)) & 255));

/** All of a response, read into memory of `size` bytes again and again; each read but the last ones fills it. */
async function readAll(response: HTTPResponse, size: number): Promise<Buffer> {
  const memory = Buffer.alloc(size + 2, 0xee);
  const target = memory.subarray(1, size + 1);
  const parts: Buffer[] = [];
  for (;;) {
    const length = await response.readInto(target);
    if (length === 0) break;
    assert.ok(length === size || parts.reduce((sum, part) => sum + part.length, length) === BODY.length);
    parts.push(Buffer.from(target.subarray(0, length)));
  }
  assert.equal(await response.readInto(target), 0, "the end stays the end");
  assert.deepEqual([memory[0], memory.at(-1)], [0xee, 0xee]);
  return Buffer.concat(parts);
}

/** All of a stream by a BYOB reader. */
async function readViews(response: HTTPResponse, size: number): Promise<Buffer> {
  const reader = response.body.getReader({ mode: "byob" });
  const parts: Buffer[] = [];
  let memory = new ArrayBuffer(size);
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(memory));
    if (done) return Buffer.concat(parts);
    assert.equal(value.buffer.byteLength, size, "the view's own memory");
    parts.push(Buffer.from(value));
    memory = value.buffer as ArrayBuffer;
  }
}

const WAYS = { readInto: readAll, "a BYOB reader": readViews };

for (const [way, read] of Object.entries(WAYS)) {
  describe(way, () => {
    it("reads bodies of every framing and coding, streamed and preloaded", async () => {
      await using origin = await startHttp(({ target }) => {
        const gzip = target.includes("gzip");
        return {
          body: gzip ? gzipSync(BODY) : BODY,
          ...(gzip && { headers: { "Content-Encoding": "gzip" } }),
          ...(target.includes("chunked") && { chunked: 7000 }),
          ...(target.includes("close") && { contentLength: null, close: true }),
        };
      });
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
      for (const target of ["/length", "/chunked", "/close", "/gzip", "/gzip-chunked"]) {
        for (const preloadContent of [false, true]) {
          for (const size of [1000, 65_536, 300_000]) {
            const response = await pool.request("GET", target, { preloadContent });
            assert.ok((await read(response, size)).equals(BODY), `${target} ${preloadContent} ${size}`);
          }
        }
      }
      assert.equal(pool.numBusy, 0);
    });

    it("over HTTP/2", async () => {
      await using server = await startFrames((_path, id) => wholeAnswer(id, BODY, false));
      await using manager = new PoolManager({ http2: "prior-knowledge" });
      for (const size of [1000, 300_000]) {
        const response = await manager.request("GET", `http://127.0.0.1:${server.port}/`, STREAMED);
        assert.ok((await read(response, size)).equals(BODY));
      }
    });

    it("of a body that breaks off gives what came, then the error", async () => {
      await using origin = await startOrigin(["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcde"]);
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
      await assert.rejects(read(await pool.request("GET", "/", STREAMED), 5), IncompleteRead);
    });
  });
}

describe("readInto", () => {
  it("fills the memory however the body comes: each split of it", async () => {
    const body = "0123456789";
    for (let cut = 1; cut < body.length; cut++) {
      for (const size of [1, 3, 4, 10, 11]) {
        await using origin = await startOrigin(async (connection) => {
          await connection.readHead();
          await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n${body.slice(0, cut)}`);
          await new Promise((resolve) => setImmediate(resolve));
          await connection.send(body.slice(cut));
        });
        using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
        const response = await pool.request("GET", "/", STREAMED);
        const lengths: number[] = [];
        let text = "";
        for (;;) {
          const target = new Uint8Array(size);
          const length = await response.readInto(target);
          if (length === 0) break;
          lengths.push(length);
          text += Buffer.from(target.buffer, 0, length);
        }
        assert.equal(text, body);
        assert.ok(lengths.slice(0, -1).every((length) => length === size));
      }
    }
  });

  it("goes on where other reads have stopped, and they where it has", async () => {
    await using origin = await startHttp(() => ({ body: "0123456789", chunked: 3 }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const response = await pool.request("GET", "/", STREAMED);
    const target = Buffer.alloc(3);
    assert.equal(String(await response.read(2)), "01");
    assert.equal(await response.readInto(target), 3);
    assert.equal(String(target), "234");
    assert.equal(String(await response.read()), "56789");
    assert.equal(await response.readInto(target), 0);
  });

  it("takes every kind of memory, and reads raw where asked to", async () => {
    await using origin = await startHttp(() => ({
      body: gzipSync("0123456789abcdef"),
      headers: { "Content-Encoding": "gzip" },
    }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const kinds = [
      new ArrayBuffer(8),
      new SharedArrayBuffer(8),
      new Float64Array(1),
      new DataView(new ArrayBuffer(8)),
    ];
    for (const memory of kinds) {
      const response = await pool.request("GET", "/", STREAMED);
      assert.equal(await response.readInto(memory), 8);
      const buffer = ArrayBuffer.isView(memory) ? memory.buffer : memory;
      assert.equal(String(Buffer.from(buffer)), "01234567");
      response.close();
    }
    const raw = await pool.request("GET", "/", STREAMED);
    const target = Buffer.alloc(100);
    const length = await raw.readInto(target, { decodeContent: false });
    assert.ok(target.subarray(0, length).equals(gzipSync("0123456789abcdef")));
  });

  it("no memory takes no byte", async () => {
    await using origin = await startHttp(() => "0123");
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const response = await pool.request("GET", "/", STREAMED);
    assert.equal(await response.readInto(new Uint8Array(0)), 0);
    assert.equal(await response.text().catch((error) => error.name), "BodyUsedError");
    assert.equal(String(await response.read()), "0123");
  });

  it("is refused for what cannot be written to, and during another read", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n0123");
      await connection.readHead();
    });
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const response = await pool.request("GET", "/", STREAMED);
    for (const wrong of ["text", 5, null, {}, [1]]) {
      const call = response.readInto(wrong as unknown as Uint8Array);
      await assert.rejects(call, {
        name: "InvalidArgumentError",
        message: /The buffer of readInto\(\) must be/,
      });
    }
    const resizable = Reflect.construct(ArrayBuffer, [8, { maxByteLength: 16 }]);
    await assert.rejects(response.readInto(resizable), { message: /fixed length/ });
    const waiting = response.readInto(new Uint8Array(8));
    await assert.rejects(response.readInto(new Uint8Array(8)), { name: "BodyUsedError" });
    response.close();
    await assert.rejects(waiting, { name: "BodyUsedError" });
  });

  it("memory that is transferred while it waits loses no byte of what comes after", async () => {
    let more: () => void = () => {};
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
      await new Promise<void>((resolve) => {
        more = resolve;
      });
      await connection.send("01234567");
    });
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const response = await pool.request("GET", "/", STREAMED);
    const target = new Uint8Array(8);
    const read = assert.rejects(response.readInto(target), { message: /The buffer was detached/ });
    structuredClone(target, { transfer: [target.buffer] });
    more();
    await read;
    assert.equal(String(await response.read()), "01234567");
  });

  it("a response made by hand", async () => {
    const response = new HTTPResponse({ body: "hello" });
    const target = new Uint8Array(3);
    assert.deepEqual([await response.readInto(target), target[0]], [3, 104]);
    assert.deepEqual([await response.readInto(target), target[0]], [2, 108]);
    assert.equal(await response.readInto(target), 0);
  });
});
