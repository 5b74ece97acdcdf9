/** Who has a response that was not read has its connection too, until it is read or given back (urllib3's leases). */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EmptyPoolError, HTTPConnectionPool, type HTTPResponse } from "../../src/index.ts";
import { type HttpOrigin, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

const STREAMED = { preloadContent: false } as const;
/** Short enough to come with the head. */
const hello = (): Promise<HttpOrigin> => startHttp(() => ({ body: "hello" }));

function poolOf(origin: HttpOrigin): HTTPConnectionPool {
  return new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1, retries: false });
}

const endings: [name: string, end: (response: HTTPResponse) => unknown][] = [
  ["read()", (response) => response.read()],
  ["read(amount) of all of it", (response) => response.read(5)],
  ["text()", (response) => response.text()],
  [
    "iteration",
    async (response) => {
      for await (const _part of response);
    },
  ],
  ["drainConn()", (response) => response.drainConn()],
  ["releaseConn()", (response) => response.releaseConn()],
  ["close()", (response) => response.close()],
  ["using", (response) => response[Symbol.dispose]()],
];

describe("a streamed answer that has come and was not read", () => {
  for (const [name, end] of endings) {
    it(`keeps its connection until ${name}, and then gives it back`, async () => {
      await using origin = await hello();
      using pool = poolOf(origin);
      const response = await pool.request("GET", "/", STREAMED);
      assert.deepEqual([pool.numBusy, pool.numIdle, response.holdsConnection], [1, 0, true]);
      await assert.rejects(pool.request("GET", "/", { poolTimeout: 1 }), EmptyPoolError);
      const next = pool.request("GET", "/");
      await end(response);
      assert.equal((await next).data.toString(), "hello");
      assert.deepEqual([origin.accepted, response.holdsConnection], [1, false]);
    });
  }

  it("keeps it while a part is unread", async () => {
    await using origin = await hello();
    using pool = poolOf(origin);
    const response = await pool.request("GET", "/", STREAMED);
    assert.equal((await response.read(0)).length, 0);
    assert.equal(pool.numBusy, 1);
    await response.read();
    assert.equal(pool.numBusy, 0);
  });

  it("can be read after its server has closed the connection", async () => {
    await using origin = await hello();
    using pool = poolOf(origin);
    const response = await pool.request("GET", "/", STREAMED);
    const [connection] = origin.connections;
    connection!.close();
    await connection!.closed;
    assert.equal(await response.text(), "hello");
    assert.equal((await pool.request("GET", "/")).status, 200);
  });

  it("gives it back unread with releaseConn: true", async () => {
    await using origin = await hello();
    using pool = poolOf(origin);
    const response = await pool.request("GET", "/", { ...STREAMED, releaseConn: true });
    assert.deepEqual([pool.numBusy, response.holdsConnection], [0, false]);
    assert.equal(await response.text(), "hello");
  });

  it("keeps none where there is nothing to read", async () => {
    await using origin = await startHttp(() => ({ status: 204 }));
    using pool = poolOf(origin);
    await pool.request("GET", "/", STREAMED);
    assert.equal(pool.numBusy, 0);
  });
});

describe("a preloaded answer", () => {
  it("with releaseConn: false keeps its connection until releaseConn()", async () => {
    await using origin = await hello();
    using pool = poolOf(origin);
    const response = await pool.request("GET", "/", { releaseConn: false });
    assert.deepEqual([pool.numBusy, response.data.toString()], [1, "hello"]);
    const next = pool.request("GET", "/");
    response.releaseConn();
    response.releaseConn();
    assert.equal((await next).status, 200);
    assert.equal(origin.accepted, 1);
  });

  it("gives it back at once otherwise", async () => {
    await using origin = await hello();
    using pool = poolOf(origin);
    const response = await pool.request("GET", "/");
    assert.deepEqual([pool.numBusy, response.holdsConnection], [0, false]);
  });
});
