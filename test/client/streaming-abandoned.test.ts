/** Row 44 of the catalogue of faults, but for garbage collection: bodies that nobody reads to their end. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HTTPConnectionPool } from "../../src/index.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";
import { World } from "../kit/world.ts";

leakGate();

const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

describe("fault 44: a reader that does not read to the end", () => {
  const KIB = 1024;

  it("reads nothing, or half: the socket stops; what it holds is bounded", async () => {
    for (const amount of [0, 1_000_000]) {
      using world = new World();
      let sent = 0;
      world.host("a", async (connection) => {
        await connection.readHead();
        await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n");
        for (; sent < 20_000_000; sent += 100_000) await connection.send(Buffer.alloc(100_000));
      });
      const pool = world.pool("a");
      const response = await world.run(pool.request("GET", "/", { preloadContent: false }));
      assert.equal((await world.run(response.read(amount))).length, amount);
      await world.clock.elapse(60_000);
      assert.ok(response.tell() - amount <= 768 * KIB, `${response.tell() - amount} bytes held`);
      assert.ok(sent < 10_000_000, `${sent} bytes sent`);
      response.close();
      pool.close();
      await world.rest();
      assert.deepEqual(world.leftovers(), []);
    }
  });

  it("many small chunks count for what they take, and take no longer than they must", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send(CHUNKED);
      await connection.send("1\r\nx\r\n".repeat(400_000));
      await connection.send("0\r\n\r\n");
    });
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const response = await pool.request("GET", "/", { preloadContent: false });
    assert.equal(String(await response.read(1)), "x");
    for (let last = -1; last !== response.tell(); ) {
      last = response.tell();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.ok(response.tell() < 20_000, `${response.tell()} buffers held`);
    // Quadratic in the number of chunks this took a minute.
    assert.equal((await response.read()).length, 399_999);
    assert.equal(pool.numIdle, 1);
  });

  it("releases it: drained within 256 KiB and 50 ms, else closed", async () => {
    for (const [left, wait, kept] of [
      [256 * KIB, 49, true],
      [256 * KIB + 1, 0, false],
      [256 * KIB, 51, false],
    ] as const) {
      using world = new World();
      world.host("a", async (connection) => {
        await connection.readHead();
        await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${left}\r\n\r\n`);
        await world.sleep(wait);
        await connection.send(Buffer.alloc(left));
      });
      const pool = world.pool("a");
      (await world.run(pool.request("GET", "/", { preloadContent: false }))).releaseConn();
      await world.clock.elapse(200);
      assert.deepEqual([pool.numIdle, pool.numBusy], [kept ? 1 : 0, 0], `${left} bytes after ${wait} ms`);
      pool.close();
      await world.rest();
      assert.deepEqual(world.leftovers(), []);
    }
  });
});
