/** What becomes of the connection of a streamed body that nobody reads to its end. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { SharedResources } from "../../src/client/shared-resources.ts";
import { BodyUsedError, HTTPConnectionPool, type HTTPResponse, PoolManager } from "../../src/index.ts";
import { VirtualClock } from "../kit/clock.ts";
import { type OriginRequest, type ResponseSpec, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";
import { script, World } from "../kit/world.ts";

leakGate();

const STREAMED = { preloadContent: false } as const;
const KIB = 1024;

/** Ways to say that nobody will read the rest, after which the connection is kept if that is cheap. */
const leavings: [name: string, leave: (response: HTTPResponse) => unknown][] = [
  ["releaseConn()", (response) => response.releaseConn()],
  ["releaseConn() twice", (response) => [response.releaseConn(), response.releaseConn()]],
  ["using", (response) => response[Symbol.dispose]()],
  ["await using", (response) => response[Symbol.asyncDispose]()],
  ["destroying readable()", (response) => response.readable().destroy()],
  ["breaking off for await", breakOff],
];

/** A pool for which no time passes: a machine that is busy must not make a body a slow one. */
function timelessPool(port: number): HTTPConnectionPool {
  const pool = new HTTPConnectionPool("127.0.0.1", port, { maxsize: 1 });
  pool.attach({ shared: new SharedResources(1024, new VirtualClock()) });
  return pool;
}

describe("a body given up", () => {
  for (const [name, leave] of leavings) {
    it(`${name}: 256 KiB are drained, the connection is used again`, async () => {
      await using origin = await startHttp(() => ({ body: Buffer.alloc(256 * KIB) }));
      using pool = timelessPool(origin.port);
      for (let round = 0; round < 3; round++) await leave(await pool.request("GET", "/", STREAMED));
      assert.equal((await pool.request("GET", "/")).data.length, 256 * KIB);
      assert.deepEqual([origin.accepted, pool.numIdle], [1, 1]);
    });

    it(`${name}: more is not worth it, the connection is closed`, async () => {
      await using origin = await startHttp(() => ({ body: Buffer.alloc(700 * KIB) }));
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
      await leave(await pool.request("GET", "/", STREAMED));
      assert.deepEqual([pool.numIdle, pool.numBusy], [0, 0]);
      assert.equal((await pool.request("GET", "/")).data.length, 700 * KIB);
      assert.equal(origin.accepted, 2);
    });
  }

  it("of unknown length: closed once more than 256 KiB have come", async () => {
    await using origin = await startHttp(() => ({ body: Buffer.alloc(2048 * KIB), chunked: 64 * KIB }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
    (await pool.request("GET", "/", STREAMED)).releaseConn();
    await origin.connections[0]!.closed;
    assert.equal((await pool.request("GET", "/")).data.length, 2048 * KIB);
    assert.equal(origin.accepted, 2);
  });

  it("of unknown length and short: drained", async () => {
    await using origin = await startHttp(() => ({ body: Buffer.alloc(200 * KIB), chunked: 1000 }));
    using pool = timelessPool(origin.port);
    (await pool.request("GET", "/", STREAMED)).releaseConn();
    await pool.request("GET", "/");
    assert.equal(origin.accepted, 1);
  });

  it("that goes on slowly: closed after 50 ms", async () => {
    using world = new World();
    world.host("a", script("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"));
    const pool = world.pool("a");
    const response = await world.run(pool.request("GET", "/", STREAMED));
    response.releaseConn();
    await world.clock.elapse(49);
    assert.deepEqual([pool.numBusy, response.isClosed], [1, false]);
    await world.clock.elapse(1);
    assert.deepEqual([pool.numBusy, response.isClosed], [0, true]);
    pool.close();
    assert.deepEqual(world.leftovers(), []);
  });

  it("that ends just in time: kept", async () => {
    using world = new World();
    world.host(
      "a",
      script("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234", () => {}),
    );
    const pool = world.pool("a");
    const response = await world.run(pool.request("GET", "/", STREAMED));
    response.releaseConn();
    await world.clock.elapse(49);
    void world.connections[0]!.send("56789");
    await world.rest();
    await world.clock.elapse(100);
    assert.deepEqual([pool.numIdle, pool.numBusy, response.isClosed], [1, 0, true]);
    pool.close();
    assert.deepEqual(world.leftovers(), []);
  });

  it("fault 44: close() closes at once, however little remains; cancelling body too", async () => {
    await using origin = await startOrigin("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab");
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
    (await pool.request("GET", "/", STREAMED)).close();
    assert.deepEqual([pool.numIdle, pool.numBusy], [0, 0]);
    await (await pool.request("GET", "/", STREAMED)).body.cancel();
    assert.deepEqual([pool.numIdle, pool.numBusy], [0, 0]);
  });

  it("reads after that give nothing", async () => {
    await using origin = await startHttp(() => ({ body: Buffer.alloc(100 * KIB) }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    for (const method of ["close", "releaseConn", "drainConn"] as const) {
      const response = await pool.request("GET", "/", STREAMED);
      assert.equal((await response.read(10)).length, 10);
      await response[method]();
      for (const way of ["read", "read1"] as const) assert.equal((await response[way]()).length, 0);
      for await (const _piece of response.stream()) assert.fail();
      await assert.rejects(response.text(), BodyUsedError);
    }
  });

  it("text() after close() is an error, not an empty text", async () => {
    await using origin = await startOrigin("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab");
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    for (const method of ["close", "releaseConn"] as const) {
      const response = await pool.request("GET", "/", STREAMED);
      response[method]();
      await assert.rejects(response.text(), BodyUsedError);
    }
  });

  it("a read under way never takes the part that has come for the whole", async () => {
    await using origin = await startOrigin("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    for (const method of ["close", "releaseConn"] as const) {
      for (const way of ["read", "text", "bytes"] as const) {
        const response = await pool.request("GET", "/", STREAMED);
        const reading = response[way]();
        response[method]();
        await assert.rejects(reading, BodyUsedError);
      }
    }
    const left = async (): Promise<string> => {
      using response = await pool.request("GET", "/", STREAMED);
      return response.text();
    };
    await assert.rejects(left(), BodyUsedError);
  });
});

describe("drainConn", () => {
  it("reads a long body to its end without keeping or decoding it", async () => {
    const spec = { body: Buffer.alloc(2048 * KIB), headers: { "Content-Encoding": "gzip" } };
    await using origin = await startHttp(() => spec);
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
    const response = await pool.request("GET", "/", STREAMED);
    await Promise.all([response.drainConn(), response.drainConn()]);
    assert.deepEqual([response.tell(), pool.numIdle, response.isClosed], [2048 * KIB, 1, true]);
    await response.drainConn();
  });

  it("is not bound to 50 ms, also after releaseConn()", async () => {
    using world = new World();
    world.host("a", script("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"));
    const pool = world.pool("a");
    const response = await world.run(pool.request("GET", "/", STREAMED));
    response.releaseConn();
    const drained = response.drainConn();
    await world.clock.elapse(1000);
    assert.equal(response.isClosed, false);
    void world.connections[0]!.send("56789");
    await world.run(drained);
    assert.deepEqual([pool.numIdle, response.isClosed], [1, true]);
    pool.close();
    assert.deepEqual(world.leftovers(), []);
  });

  it("swallows what breaks the body off", async () => {
    await using origin = await startOrigin(["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"]);
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    await (await pool.request("GET", "/", STREAMED)).drainConn();
    assert.deepEqual([pool.numIdle, pool.numBusy], [0, 0]);
  });
});

describe("one connection for all, block: true", () => {
  const answers: Record<string, ResponseSpec> = {
    "/short": { status: 302, headers: { Location: "/end" }, body: "moved" },
    "/long": { status: 302, headers: { Location: "/end" }, body: Buffer.alloc(1024 * KIB) },
    "/chunked": { status: 302, headers: { Location: "/end" }, body: "moved", chunked: 1 },
    "/busy": { status: 503, headers: { "Retry-After": "0" }, body: "later" },
    "/end": { body: "the end" },
  };
  for (const path of ["/short", "/long", "/chunked"]) {
    it(`a redirect from ${path} gives its connection back`, async () => {
      await using origin = await startHttp((request) => answers[request.target]!);
      using manager = new PoolManager({ maxsize: 1, block: true });
      const response = await manager.request("GET", origin.url + path, STREAMED);
      assert.equal(await response.text(), "the end");
      assert.equal(manager.stats().pools[0]!.busy, 0);
      assert.equal(origin.accepted, path === "/long" ? 2 : 1);
    });
  }

  it("a retry for a status gives its connection back", async () => {
    const handler = ({ connection }: OriginRequest): ResponseSpec =>
      answers[connection.requestCount < 3 ? "/busy" : "/end"]!;
    await using origin = await startHttp(handler);
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
    assert.equal(await (await pool.request("GET", "/", STREAMED)).text(), "the end");
    assert.equal(origin.accepted, 1);
  });

  it("requests wait for the body before them, and come in turn", async () => {
    await using origin = await startHttp(({ target }) => ({ body: target.repeat(300_000), chunked: 5000 }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
    const first = await pool.request("GET", "/0", STREAMED);
    const rest = ["/1", "/2", "/3"].map(async (path) => {
      const response = await pool.request("GET", path, STREAMED);
      if (path === "/2") return response.releaseConn();
      assert.equal(await response.text(), path.repeat(300_000));
    });
    await turn();
    assert.deepEqual([pool.numQueued, pool.numBusy], [3, 1]);
    for await (const _piece of first) await turn();
    await Promise.all(rest);
    // 600 kB that nobody wants are worth a new connection.
    assert.equal(origin.accepted, 2);
  });
});

async function breakOff(response: HTTPResponse): Promise<void> {
  for await (const _piece of response) break;
}
