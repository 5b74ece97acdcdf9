/** Managers from their defaults to their end: what their pools share, what becomes of evicted and closed ones. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ClosedPoolError,
  HTTPConnectionPool,
  type HTTPResponse,
  InvalidArgumentError,
  PoolManager,
  type UrlopenOptions,
} from "../../src/index.ts";
import { type HttpOrigin, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

/** An origin that answers when it is told to. */
function held(): { start: () => Promise<HttpOrigin>; release: () => void } {
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { start: () => startHttp(() => gate.then(() => "x")), release };
}

function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "fulfilled",
    (error: unknown) => error,
  );
}

describe("the pool of a URL", () => {
  it("is that of its own host after a URL of another host that had to be parsed", async () => {
    await using a = await startHttp(() => "a");
    await using b = await startHttp(() => "b");
    await using manager = new PoolManager();
    await manager.request("GET", `${b.url}/`);
    for (let i = 0; i < 2; i++) {
      assert.equal(String((await manager.request("GET", `${a.url}/x`)).data), "a");
      assert.equal(String((await manager.request("GET", `${b.url}/#not-plain`)).data), "b");
      assert.equal(String((await manager.request("GET", `${a.url}/x`)).data), "a");
    }
  });

  it("that was evicted while it was busy is handed out again: maxsize holds over evictions", async () => {
    const current = new Map<string, number>();
    let most = 0;
    await using origin = await startHttp(async ({ header }) => {
      const host = header("host")!;
      current.set(host, (current.get(host) ?? 0) + 1);
      most = Math.max(most, current.get(host)!);
      await new Promise((resolve) => setTimeout(resolve, 5));
      current.set(host, current.get(host)! - 1);
      return "x";
    });
    await using manager = new PoolManager({
      numPools: 3,
      maxsize: 2,
      lookup: (_host, _options, done) => done(null, [{ address: "127.0.0.1", family: 4 }]),
    });
    const all = Array.from({ length: 120 }, (_unused, i) =>
      manager.request("GET", `http://h${i % 12}.test:${origin.port}/`),
    );
    await Promise.all(all);
    assert.equal(most, 2);
    assert.equal(manager.pools.size, 3);
    assert.equal(
      manager.stats().pools.reduce((sum, { busy, queued }) => sum + busy + queued, 0),
      0,
    );
  });

  it("keeps its connections again once it was taken back", async () => {
    const gate = held();
    await using slow = await gate.start();
    await using other = await startHttp(() => "x");
    await using manager = new PoolManager({ numPools: 1 });
    const pending = manager.request("GET", slow.url);
    const pool = manager.connectionFromUrl(slow.url);
    await manager.request("GET", other.url);
    assert.equal(manager.connectionFromUrl(slow.url), pool);
    gate.release();
    await pending;
    await manager.request("GET", slow.url);
    assert.equal(pool.numConnections, 1);
  });

  it("that was evicted idle, or dropped by clear(), is not handed out again", async () => {
    const gate = held();
    await using slow = await gate.start();
    await using manager = new PoolManager({ numPools: 1 });
    const pending = manager.request("GET", slow.url);
    const pool = manager.connectionFromUrl(slow.url);
    manager.clear();
    assert.notEqual(manager.connectionFromUrl(slow.url), pool);
    const idle = manager.connectionFromHost("idle.test");
    manager.connectionFromHost("other.test");
    assert.notEqual(manager.connectionFromHost("idle.test"), idle);
    gate.release();
    await pending;
  });

  it("that was closed is not served again", async () => {
    await using origin = await startHttp(() => "x");
    await using manager = new PoolManager();
    await manager.request("GET", `${origin.url}/`);
    const pool = manager.connectionFromUrl(origin.url);
    pool.close();
    assert.equal(pool.isClosed, true);
    assert.notEqual(manager.connectionFromUrl(origin.url), pool);
    assert.equal((await manager.request("GET", `${origin.url}/`)).status, 200);
    await assert.rejects(pool.request("GET", "/"), ClosedPoolError);
  });
});

describe("the end of a manager", () => {
  it("destroy() ends every request under way, each with an error of its own", async () => {
    const gate = held();
    await using origin = await gate.start();
    const manager = new PoolManager({ maxsize: 1 });
    const sent = outcome(manager.request("GET", `${origin.url}/sent`));
    const queued = outcome(manager.request("GET", `${origin.url}/queued`));
    const made = outcome(
      manager.request("POST", `${origin.url}/made`, { body: () => new Promise<string>(() => {}) }),
    );
    while (origin.received.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await manager.destroy();
    for (const [result, path] of [
      [await sent, "/sent"],
      [await queued, "/queued"],
      [await made, "/made"],
    ] as const) {
      assert.ok(result instanceof ClosedPoolError, String(result));
      assert.ok(result.message.includes(`${origin.url}${path}: The manager was destroyed`), result.message);
    }
    gate.release();
    assert.equal((await manager.request("GET", origin.url)).status, 200);
    await manager.close();
  });

  it("destroy(reason) rejects with that reason, and ends streamed bodies", async () => {
    let finish = (): void => {};
    const gate = new Promise<void>((resolve) => {
      finish = resolve;
    });
    await using origin = await startHttp(() => gate.then(() => "x"));
    const manager = new PoolManager();
    const reason = new Error("shutting down");
    const pending = outcome(manager.request("GET", origin.url));
    while (origin.received.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await manager.destroy(reason);
    assert.equal(await pending, reason);
    finish();
  });

  for (const end of ["close", "destroy"] as const) {
    it(`${end}() leaves no connection open for an answer that is still held, and the answer stays readable`, async () => {
      await using origin = await startHttp(() => "whole");
      const manager = new PoolManager();
      const url = `${origin.url}/`;
      const held = await manager.request("GET", url, { releaseConn: false });
      assert.equal(manager.stats().openConnections, 1);
      await manager[end]();
      assert.equal(manager.stats().openConnections, 0);
      assert.equal(String(held.data), "whole");
      held.releaseConn();
      assert.equal(manager.stats().openConnections, 0);
    });
  }

  it("close({ timeout }) waits so long, and then destroys", async () => {
    const gate = held();
    await using origin = await gate.start();
    const manager = new PoolManager();
    const pending = outcome(manager.request("GET", origin.url));
    while (origin.received.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await manager.close({ timeout: 20 });
    assert.ok((await pending) instanceof ClosedPoolError);
    gate.release();
    await assert.rejects(manager.close({ timeout: "20" as never }), InvalidArgumentError);
    await manager.close({ timeout: 1_000 });
  });
});

describe("defaults of a manager", () => {
  it("deadline, redirect and signal", async () => {
    await using origin = await startHttp(({ target }) =>
      target === "/slow" ? new Promise(() => {}) : { status: 302, headers: { Location: "/slow" } },
    );
    const controller = new AbortController();
    await using manager = new PoolManager({ redirect: false, signal: controller.signal });
    assert.equal((await manager.request("GET", origin.url)).status, 302);
    assert.equal((await manager.request("GET", origin.url, { retries: 3 })).status, 302);
    await using strict = new PoolManager({ deadline: 30 });
    const error = await outcome(strict.request("GET", origin.url));
    assert.equal((error as { code: string }).code, "ERR_URLPOOL_DEADLINE");
    const pending = outcome(manager.request("GET", `${origin.url}/slow`));
    const own = outcome(manager.request("GET", origin.url, { signal: null }));
    controller.abort(new Error("over"));
    assert.equal(String(await pending), "Error: over");
    assert.equal(await own, "fulfilled");
    await using followed = new PoolManager({ redirect: false, deadline: 5_000 });
    const late = await outcome(followed.request("GET", origin.url, { redirect: true, deadline: 30 }));
    assert.equal((late as { code: string }).code, "ERR_URLPOOL_DEADLINE");
  });

  it("mergeHeaders lays a request's headers over them, by manager or by request", async () => {
    await using origin = await startHttp(() => "x");
    const headers = { "X-A": "1", "X-B": "2" };
    const sent = async (
      options: ConstructorParameters<typeof PoolManager>[0],
      request: UrlopenOptions,
    ): Promise<unknown> => {
      await using manager = new PoolManager({ headers, ...(options as object) });
      await manager.request("GET", origin.url, request);
      const { header } = origin.received.at(-1)!;
      return [header("x-a"), header("x-b"), header("x-c")];
    };
    const own = { "x-b": "3", "X-C": "4" };
    assert.deepEqual(await sent({}, { headers: own }), [null, "3", "4"]);
    assert.deepEqual(await sent({ mergeHeaders: true } as object, { headers: own }), ["1", "3", "4"]);
    assert.deepEqual(await sent({ mergeHeaders: true } as object, { headers: {} }), ["1", "2", null]);
    assert.deepEqual(await sent({}, { headers: own, mergeHeaders: true }), ["1", "3", "4"]);
    assert.deepEqual(await sent({ mergeHeaders: true } as object, { headers: own, mergeHeaders: false }), [
      null,
      "3",
      "4",
    ]);
  });

  it("a pool taken from a manager sends the manager's headers, unless it was given some", async () => {
    await using origin = await startHttp(() => "x");
    await using manager = new PoolManager({ headers: { "X-A": "1" } });
    const pool = manager.connectionFromUrl(origin.url);
    await pool.request("GET", "/");
    manager.headers = { "X-A": "2" };
    await pool.request("GET", "/");
    await pool.request("GET", "/", { headers: { "X-A": "3" } });
    pool.headers = { "X-A": "4" };
    await pool.request("GET", "/");
    await manager.connectionFromUrl(origin.url, { headers: { "X-A": "5" } }).request("GET", "/");
    assert.deepEqual(
      origin.received.map(({ header }) => header("x-a")),
      ["1", "2", "3", "4", "5"],
    );
  });

  it("timeout and retries as plain objects", async () => {
    await using origin = await startHttp(() => new Promise(() => {}));
    await using manager = new PoolManager({ timeout: { read: 20 }, retries: { total: 0 } });
    const error = (await outcome(manager.request("GET", origin.url))) as { reason?: { name: string } };
    assert.equal(error.reason?.name, "ReadTimeoutError");
    assert.equal(manager.connectionFromUrl(origin.url), manager.connectionFromUrl(origin.url));
  });
});

describe("a pool class with an urlopen of its own", () => {
  it("sees the manager's requests, changes them, and redirects lead to other hosts", async () => {
    await using target = await startHttp(({ header }) => `target ${header("x-own")}`);
    await using origin = await startHttp(() => ({
      status: 302,
      headers: { Location: `${target.url}/there` },
    }));
    const seen: string[] = [];
    class Own extends HTTPConnectionPool {
      override async urlopen(
        method: string,
        url: string,
        options: UrlopenOptions = {},
      ): Promise<HTTPResponse> {
        seen.push(`${method} ${url}`);
        await new Promise((resolve) => setImmediate(resolve));
        return super.urlopen(method, url, { ...options, headers: { "X-Own": "1" } });
      }
    }
    await using manager = new PoolManager();
    manager.poolClassesByScheme.http = Own;
    const response = await manager.request("GET", `${origin.url}/here`);
    assert.equal(String(response.data), "target 1");
    assert.deepEqual(seen, [`GET ${origin.url}/here`]);
  });
});

describe("an async proxy function that fails", () => {
  it("is no unhandled rejection where the request was refused for something else", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => {
      unhandled.push(reason);
    };
    process.on("unhandledRejection", note);
    await using manager = new PoolManager({
      proxy: async () => {
        throw new Error("pac");
      },
    });
    await assert.rejects(
      manager.request("GET", "http://x.test/", { headers: 5 as never }),
      InvalidArgumentError,
    );
    await assert.rejects(manager.request("GET", "http://x.test/"), /pac/);
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    assert.deepEqual(unhandled, []);
  });
});
