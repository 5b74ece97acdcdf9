/** The fault catalogue, rows about pools: what they share, and what happens when it is taken away. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ClosedPoolError,
  type HTTPError,
  type HTTPResponse,
  type PoolOptions,
  type RequestOptions,
  Retry,
} from "../../src/index.ts";
import { MAX_OVERTAKINGS } from "../../src/pool/budget.ts";
import { ok } from "../kit/answers.ts";
import { script, World } from "../kit/world.ts";

const OK = ok("good");

async function tidy(world: World, pool: { close(): void }): Promise<void> {
  pool.close();
  await world.rest();
  assert.deepEqual(world.leftovers(), []);
}

describe("pools", () => {
  it("fault 45: after the machine slept, idle connections are not trusted", async () => {
    using world = new World().http("a.test");
    const pool = world.pool("a.test");
    await world.run(pool.request("GET", "/"));
    await world.rest();
    world.clock.suspend(3_600_000);
    await world.run(pool.request("GET", "/"));
    assert.deepEqual([pool.numConnections, world.open.length], [2, 1]);
    await tidy(world, pool);
  });

  it("fault 46: closed with requests active, dialling and waiting: they finish; new ones are refused", async () => {
    using world = new World();
    world.host(
      "a.test",
      script(async (connection) => {
        await world.sleep(100);
        await connection.send(OK);
      }),
    );
    const pool = world.pool("a.test", { maxsize: 2 });
    const all = [1, 2, 3, 4].map((n) => pool.request("GET", `/${n}`));
    pool.close();
    await world.run(Promise.all(all));
    assert.ok((await world.failure(pool.request("GET", "/5"))) instanceof ClosedPoolError);
    await tidy(world, pool);
  });

  it("fault 46: a manager closed meanwhile, with servers that do nothing: each request ends by its own limits", async () => {
    using world = new World();
    world.host("a.test", script("")).host("b.test", "hang").silentName("c.test");
    const manager = world.manager({ maxsize: 1, retries: false, timeout: 1000 });
    const urls = ["http://a.test/1", "http://a.test/2", "http://b.test/", "http://c.test/"];
    const all = urls.map((url) => manager.request("GET", url));
    all.push(manager.request("GET", "http://b.test/later", { deadline: 300 }));
    all.push(manager.request("GET", "http://a.test/later", { poolTimeout: 200 }));
    const names = all.map((one) => one.then(() => "answered").catch((error: Error) => `${error.name}`));
    await world.rest();
    let closed = false;
    const closing = manager.close().then(() => {
      closed = true;
    });
    await world.clock.elapse(1999);
    assert.equal(closed, false);
    assert.deepEqual(await world.run(Promise.all(names)), [
      "ReadTimeoutError",
      "ReadTimeoutError",
      "ConnectTimeoutError",
      "ConnectTimeoutError",
      "DeadlineError",
      "EmptyPoolError",
    ]);
    await world.run(closing);
    await world.rest();
    assert.equal(manager.stats().openConnections, 0);
    assert.deepEqual(world.leftovers(), []);
  });

  it("fault 47: 200 requests over 2 connections, half of them aborted: in order, none lost", async () => {
    using world = new World().http("a.test", ({ target }) => target);
    const pool = world.pool("a.test", { maxsize: 2 });
    const controllers: AbortController[] = [];
    const all = Array.from({ length: 200 }, (_, n) => {
      const controller = new AbortController();
      controllers.push(controller);
      return pool.request("GET", `/${n}`, { signal: controller.signal });
    });
    for (let n = 0; n < 200; n += 2) controllers[n + (n % 4 === 0 ? 1 : 0)]!.abort(n);
    const settled = await world.run(Promise.allSettled(all));
    const done = settled.flatMap((one) =>
      one.status === "fulfilled" ? [String((one.value as HTTPResponse).data)] : [],
    );
    assert.equal(done.length, 100);
    assert.deepEqual(
      world.received.map(({ target }) => target),
      done,
    );
    await world.rest();
    assert.deepEqual([pool.numBusy, pool.numQueued, pool.numIdle], [0, 0, 2]);
    await tidy(world, pool);
  });

  it("fault 48: a rare host is served although a busy one takes every connection", async () => {
    using world = new World({ maxConnections: 2 });
    world.http("busy.test", async () => {
      await world.sleep(10);
      return "x";
    });
    world.http("rare.test");
    const manager = world.manager();
    const busy = Array.from({ length: 50 }, () => manager.request("GET", "http://busy.test/"));
    await world.rest();
    await world.run(manager.request("GET", "http://rare.test/"));
    // The busy host may go on for a bounded number of requests: connections are not made anew for each.
    assert.ok(world.clock.now() <= 10 * (MAX_OVERTAKINGS + 1), `${world.clock.now()} ms`);
    await world.run(Promise.all(busy));
    assert.ok(manager.stats().openConnections <= 2);
  });

  it("fault 50: a listener that throws ends its own request with its error, and nothing else", async () => {
    using world = new World().host("a.test", script(`HTTP/1.1 103 X\r\n\r\n${OK}`, OK));
    const pool = world.pool("a.test", { maxsize: 1 });
    const boom = new Error("boom");
    const onInformational = (): void => {
      throw boom;
    };
    const retries = new Retry({ total: 5 });
    const failing = pool.request("GET", "/", { onInformational, retries });
    assert.equal(await world.failure(failing), boom);
    assert.equal(world.events(/^attempt/).length, 1);
    assert.equal(String((await world.run(pool.request("GET", "/"))).data), "good");
    assert.deepEqual([pool.numBusy, pool.numQueued], [0, 0]);
    await tidy(world, pool);
  });

  const boom = new Error("boom");
  const throws = (): never => {
    throw boom;
  };
  class Raising extends Retry {
    override isRetry(): never {
      throw boom;
    }
  }
  const hooks: [name: string, options: RequestOptions & PoolOptions, same: boolean][] = [
    ["lookup", { lookup: throws }, false],
    ["addressFilter", { addressFilter: throws }, false],
    ["the body's function", { body: throws }, false],
    ["a body", { body: new Proxy([""], { get: throws }) }, true],
    ["onUploadProgress", { body: "x", onUploadProgress: throws }, true],
    ["onDownloadProgress", { onDownloadProgress: throws }, true],
    ["a Retry of one's own", { retries: new Raising() }, true],
  ];
  for (const [name, options, same] of hooks) {
    it(`fault 50: ${name} throws: that request fails, no connection is lost, the next one works`, async () => {
      using world = new World().http("a.test", () => ({ status: 500, body: "x" }));
      const { lookup, addressFilter, ...request } = options;
      const first = { ...(lookup && { lookup }), ...(addressFilter && { addressFilter }) };
      const pool = world.pool("a.test", { maxsize: 1, ...first });
      const error = (await world.failure(
        pool.request("PUT", "/", { retries: false, ...request }),
      )) as HTTPError;
      assert.equal(same ? error : error.cause, boom);
      await world.rest();
      assert.deepEqual([pool.numBusy, pool.numQueued], [0, 0]);
      const next = "lookup" in options || "addressFilter" in options ? world.pool("a.test") : pool;
      assert.equal((await world.run(next.request("GET", "/"))).status, 500);
      next.close();
      await tidy(world, pool);
    });
  }
});
