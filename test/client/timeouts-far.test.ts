/** Times beyond 2^31-1 ms, which Node's timers take for 1 ms. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  HTTPConnectionPool,
  ReadTimeoutError,
  type RequestOptions,
  Retry,
  Timeout,
} from "../../src/index.ts";
import { ok } from "../kit/answers.ts";
import { startOrigin } from "../kit/origin.ts";
import { type Dialled, script, World } from "../kit/world.ts";

describe("values", () => {
  const far = 2 ** 31 + 1000;
  const options: RequestOptions[] = [
    { timeout: far },
    { timeout: new Timeout({ total: far }) },
    { timeout: new Timeout({ connect: far, read: Number.MAX_SAFE_INTEGER }) },
    { deadline: far },
    { poolTimeout: far },
    { timeout: Number.POSITIVE_INFINITY, deadline: Number.POSITIVE_INFINITY },
    { timeout: null, deadline: null, poolTimeout: null },
  ];
  it("beyond 2^31-1 do not fire early, in real time", async () => {
    await using origin = await startOrigin(async (connection) => {
      for (;;) {
        await connection.readHead();
        await new Promise((resolve) => setTimeout(resolve, 50));
        await connection.send(ok("late", `Retry-After: ${Math.ceil(far / 1000)}`));
      }
    });
    for (const one of options) {
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { keepAliveTimeout: far, maxsize: 1 });
      const both = [1, 2].map(() => pool.request("GET", "/", { retries: false, ...one }));
      for (const response of await Promise.all(both)) assert.equal(String(response.data), "late");
      assert.deepEqual([pool.numIdle, pool.numConnections], [1, 1]);
    }
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const retries = new Retry({
      total: 1,
      statusForcelist: [200],
      retryAfterMax: 2 * far,
      backoffFactor: far,
    });
    let settled = false;
    const controller = new AbortController();
    const waiting = pool.request("GET", "/after", { retries, signal: controller.signal });
    const outcome = assert.rejects(waiting, (error) => error === controller.signal.reason);
    outcome.finally(() => {
      settled = true;
    });
    while (origin.requests.every((head) => !head.includes("/after"))) await new Promise(setImmediate);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(settled, false);
    controller.abort();
    await outcome;
  });

  it("fire when their time comes, in virtual time", async () => {
    using world = new World().host("a.test", script(""));
    const pool = world.pool("a.test", { retries: false });
    assert.ok((await world.failure(pool.request("GET", "/", { timeout: far }))) instanceof ReadTimeoutError);
    assert.equal(world.clock.now(), far);
  });

  it("fire when their time comes: deadline, poolTimeout, back-off, keepAliveTimeout", async () => {
    const at = async (options: RequestOptions, ...behaviours: Dialled[]): Promise<number> => {
      using world = new World().host("a.test", ...(behaviours as [Dialled]));
      const pool = world.pool("a.test", { maxsize: 1, timeout: null });
      const holding = pool.request("GET", "/busy", { retries: false }).catch(() => {});
      if (options.poolTimeout === undefined) await world.run(holding);
      await world.run(pool.request("GET", "/", { retries: false, ...options }).catch(() => {}));
      return world.clock.now();
    };
    const retries = new Retry({ total: 2, backoffFactor: far / 2, backoffMax: 2 * far });
    assert.equal(await at({ deadline: far }, "ECONNREFUSED", script("")), far);
    assert.equal(await at({ poolTimeout: far }, script("")), far);
    assert.equal(await at({ retries }, "ECONNREFUSED", "ECONNREFUSED", "ECONNREFUSED", script(ok())), far);

    using world = new World().http("a.test");
    const pool = world.pool("a.test", { keepAliveTimeout: far });
    await world.run(pool.request("GET", "/"));
    await world.clock.elapse(far - 1000);
    assert.equal(pool.numIdle, 1);
    await world.clock.elapse(2000);
    assert.deepEqual([pool.numIdle, world.open.length], [0, 0]);
  });
});
