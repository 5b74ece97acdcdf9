import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  HTTPConnectionPool,
  HTTPHeaderDict,
  HTTPSConnectionPool,
  InvalidArgumentError,
  LocationValueError,
  PoolManager,
  Retry,
  Timeout,
  URLSchemeUnknown,
} from "../../src/index.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

describe("look-up", () => {
  it("PM-01, PM-02: one pool for scheme, host and port", () => {
    const manager = new PoolManager();
    const pool = manager.connectionFromUrl("http://localhost:8081/foo");
    assert.equal(manager.connectionFromUrl("http://localhost:8081/bar?x"), pool);
    assert.notEqual(manager.connectionFromUrl("https://localhost:8081/"), pool);
    assert.notEqual(manager.connectionFromUrl("http://other:8081/"), pool);
    assert.notEqual(manager.connectionFromUrl("http://localhost:8082/"), pool);
    assert.equal(manager.pools.size, 4);
  });

  it("PM-04: no host", () => {
    const manager = new PoolManager();
    assert.throws(() => manager.connectionFromHost(null), LocationValueError);
    assert.throws(() => manager.connectionFromHost(""), LocationValueError);
    assert.throws(() => manager.connectionFromUrl("http:///path"), LocationValueError);
    assert.throws(() => manager.connectionFromUrl("/path"), LocationValueError);
  });

  it("PM-10, PM-11, PM-12: case of scheme and host does not matter, by URL, host and context", () => {
    const manager = new PoolManager();
    const pool = manager.connectionFromUrl("HTTPS://Example.COM:8443/");
    assert.equal(manager.connectionFromHost("EXAMPLE.com", 8443, "HTTPS"), pool);
    assert.equal(manager.connectionFromContext({ scheme: "HttpS", host: "example.COM", port: 8443 }), pool);
    assert.ok(pool instanceof HTTPSConnectionPool);
  });

  it("upper-case scheme first", () => {
    const manager = new PoolManager();
    assert.equal(manager.connectionFromHost("x", null, "HTTPS").scheme, "https");
  });

  it("IPv6 with and without brackets", () => {
    const manager = new PoolManager();
    assert.equal(manager.connectionFromHost("::1", 80), manager.connectionFromUrl("http://[::1]/"));
    assert.equal(manager.connectionFromHost("[::1]", 80).host, "::1");
  });

  it("PM-29, PM-50: port 0 stays 0, no port is the scheme's", () => {
    const manager = new PoolManager();
    assert.equal(manager.connectionFromHost("x", 0).port, 0);
    assert.equal(manager.connectionFromUrl("http://x:0/").port, 0);
    assert.equal(manager.connectionFromHost("x").port, 80);
    assert.equal(manager.connectionFromHost("x", undefined, "https").port, 443);
  });

  it("PM-47: unknown scheme", async () => {
    const manager = new PoolManager();
    assert.throws(() => manager.connectionFromUrl("ftp://x/"), URLSchemeUnknown);
    await assert.rejects(manager.request("GET", "ftp://x/"), {
      code: "ERR_URLPOOL_URL_SCHEME_UNKNOWN",
      scheme: "ftp",
    });
  });

  it("PM-08, PM-33: key functions and pool classes are the manager's own", () => {
    const [a, b] = [new PoolManager(), new PoolManager()];
    class Special extends HTTPConnectionPool {}
    a.poolClassesByScheme.http = Special;
    a.keyFnByScheme.http = () => "all the same";
    assert.ok(a.connectionFromHost("one") instanceof Special);
    assert.equal(a.connectionFromHost("one"), a.connectionFromHost("two"));
    assert.ok(!(b.connectionFromHost("one") instanceof Special));
    assert.notEqual(b.connectionFromHost("one"), b.connectionFromHost("two"));
  });

  it("a scheme of one's own", () => {
    const manager = new PoolManager();
    manager.poolClassesByScheme["http+unix"] = HTTPConnectionPool;
    manager.keyFnByScheme["http+unix"] = manager.keyFnByScheme.http!;
    assert.equal(
      manager.connectionFromHost("x", 1, "HTTP+unix"),
      manager.connectionFromHost("x", 1, "http+unix"),
    );
  });
});

describe("pool options", () => {
  it("PM-09: connectionPoolKw counts at once", () => {
    const manager = new PoolManager(10, { maxsize: 2 });
    const before = manager.connectionFromUrl("http://x/");
    manager.connectionPoolKw.maxsize = 3;
    const after = manager.connectionFromUrl("http://x/");
    assert.notEqual(before, after);
    delete manager.connectionPoolKw.maxsize;
    assert.notEqual(manager.connectionFromUrl("http://x/"), after);
    manager.connectionPoolKw = { maxsize: 2 };
    assert.equal(manager.connectionFromUrl("http://x/"), before);
  });

  it("PM-18..24: poolKwargs go over the defaults, null and undefined remove one", () => {
    const manager = new PoolManager(10, { maxsize: 2, block: false });
    const plain = manager.connectionFromHost("x");
    assert.equal(manager.connectionFromHost("x", null, "http", {}), plain);
    assert.equal(manager.connectionFromHost("x", null, "http", null), plain);
    assert.equal(manager.connectionFromHost("x", null, "http", { maxsize: 2 }), plain);
    assert.notEqual(manager.connectionFromUrl("http://x", { maxsize: 5 }), plain);
    const removed = manager.connectionFromHost("x", null, "http", { maxsize: undefined, block: undefined });
    assert.equal(removed, new PoolManager().connectionFromHost("x") && removed);
    assert.notEqual(removed, plain);
    assert.equal(manager.connectionFromHost("x", null, "http", { poolTimeout: null }), plain);
  });

  it("Timeout and Retry compare by value", () => {
    const manager = new PoolManager();
    const pool = manager.connectionFromHost("x", 80, "http", {
      timeout: new Timeout({ connect: 5 }),
      retries: new Retry({ total: 1 }),
    });
    assert.equal(
      manager.connectionFromHost("x", 80, "http", {
        retries: new Retry({ total: 1 }),
        timeout: new Timeout({ connect: 5 }),
      }),
      pool,
    );
  });

  it("TLS options split https pools, not http ones", () => {
    const manager = new PoolManager();
    const [a, b] = [{ assertHostname: "a" }, { assertHostname: "b" }];
    assert.equal(manager.connectionFromUrl("http://x", a), manager.connectionFromUrl("http://x", b));
    assert.notEqual(manager.connectionFromUrl("https://x", a), manager.connectionFromUrl("https://x", b));
  });

  it("bad values are refused at the call", async () => {
    assert.throws(() => new PoolManager(-1), InvalidArgumentError);
    assert.throws(() => new PoolManager({ maxConnections: 0 }), InvalidArgumentError);
    for (const bad of [
      { maxsize: 0 },
      { maxsize: 1.5 },
      { block: "yes" },
      { keepAliveTimeout: -1 },
      { timeout: "5" },
      { maxHeaderSize: -1 },
    ]) {
      assert.throws(
        () => new HTTPConnectionPool("x", 80, bad as object),
        InvalidArgumentError,
        JSON.stringify(bad),
      );
    }
    const manager = new PoolManager();
    for (const bad of [
      { timeout: -1 },
      { timeout: Number.NaN },
      { timeout: true },
      { deadline: 0 },
      { signal: 1 },
      { poolTimeout: "1" },
    ]) {
      await assert.rejects(
        manager.request("GET", "http://127.0.0.1:1/", bad as object),
        InvalidArgumentError,
        JSON.stringify(bad),
      );
    }
    assert.equal(manager.connectionFromUrl("http://127.0.0.1:1/").numRequests, 0);
  });
});

describe("the container of pools", () => {
  it("evicts the least recently used pool, and a request counts as use", async () => {
    await using a = await startHttp(() => "a");
    await using b = await startHttp(() => "b");
    await using c = await startHttp(() => "c");
    await using manager = new PoolManager(2);
    for (const origin of [a, b, a, c]) await manager.request("GET", `${origin.url}/`);
    const origins = manager.stats().pools.map((pool) => pool.origin);
    assert.deepEqual(
      origins,
      [a, c].map((origin) => `http://127.0.0.1:${origin.port}`),
    );
    await b.connection(0).then((connection) => connection.closed);
  });

  it("eviction and clear do not disturb requests under way", async () => {
    const gate = deferred();
    await using slow = await startHttp(async () => {
      await gate.promise;
      return "slow";
    });
    await using fast = await startHttp(() => "fast");
    const manager = new PoolManager(1, { maxsize: 1 });
    const running = manager.request("GET", `${slow.url}/1`);
    const queued = manager.request("GET", `${slow.url}/2`);
    await slow.connection(0);
    await manager.request("GET", `${fast.url}/`);
    manager.clear();
    assert.equal(manager.pools.size, 0);
    const closed = manager.close();
    gate.resolve();
    assert.deepEqual([String((await running).data), String((await queued).data)], ["slow", "slow"]);
    await closed;
    await slow.connection(0).then((connection) => connection.closed);
  });

  it("stays usable after clear", async () => {
    await using origin = await startHttp(() => "x");
    await using manager = new PoolManager();
    await manager.request("GET", `${origin.url}/`);
    manager.clear();
    await manager.request("GET", `${origin.url}/`);
    assert.equal(origin.accepted, 2);
  });

  it("stats do not count as use", () => {
    const manager = new PoolManager(2);
    manager.connectionFromHost("a");
    manager.connectionFromHost("b");
    manager.stats();
    manager.connectionFromHost("c");
    assert.deepEqual(
      manager.stats().pools.map((pool) => pool.origin),
      ["http://b:80", "http://c:80"],
    );
  });
});

describe("requests", () => {
  it("PM-51: manager headers by default, replaced by the request's", async () => {
    await using origin = await startHttp();
    await using manager = new PoolManager({ headers: { "X-Default": "1" } });
    await manager.request("GET", `${origin.url}/`);
    await manager.request("GET", `${origin.url}/`, { headers: { "X-Own": "2" } });
    await manager.request("GET", `${origin.url}/`, { headers: undefined });
    const names = origin.received.map((request) =>
      request.headers.map(([name]) => name).filter((name) => name.startsWith("X-")),
    );
    assert.deepEqual(names, [["X-Default"], ["X-Own"], ["X-Default"]]);
    manager.headers = new HTTPHeaderDict([
      ["X-Two", "a"],
      ["X-Two", "b"],
    ]);
    await manager.request("POST", `${origin.url}/`, { json: {} });
    assert.deepEqual(
      origin.received[3]!.headers.filter(([name]) => name === "X-Two").map(([, value]) => value),
      ["a", "b"],
    );
  });

  it("CN-16: the head of a plain request, exactly", async () => {
    await using origin = await startHttp(() => "");
    await using manager = new PoolManager();
    await manager.request("get", `${origin.url}/path?q=1`);
    const head = origin.received[0]!.headText;
    assert.match(
      head,
      new RegExp(
        `^GET /path\\?q=1 HTTP/1.1\r\nHost: 127.0.0.1:${origin.port}\r\nAccept-Encoding: [a-z, ]+\r\nUser-Agent: urlpool/[0-9.]+\r\n\r\n$`,
      ),
    );
  });

  it("PM-25, PM-55: origin-form, encoded, without fragment and dot segments", async () => {
    await using origin = await startHttp(() => "");
    await using manager = new PoolManager();
    const cases: [path: string, target: string][] = [
      ["", "/"],
      ["/a/../b", "/b"],
      ["/a b?c d#e", "/a%20b?c%20d"],
      ["/ä?ö", "/%C3%A4?%C3%B6"],
      ["?q", "/?q"],
      ["/%2e%2E/x", "/%2E%2E/x"],
      ["//double//slash", "//double//slash"],
    ];
    for (const [path, target] of cases) {
      const response = await manager.request("GET", `${origin.url}${path}`);
      assert.equal(origin.received.at(-1)!.target, target);
      assert.equal(response.url, `${origin.url}${target}`);
    }
  });

  it("the same for a URL seen before as for a new one", async () => {
    await using origin = await startHttp(() => "");
    await using manager = new PoolManager();
    for (const path of ["/x", "/x", "/y/../z", "/z#f", "/z?a=b"])
      await manager.request("GET", `${origin.url}${path}`);
    assert.deepEqual(
      origin.received.map((request) => request.target),
      ["/x", "/x", "/z", "/z", "/z?a=b"],
    );
    assert.equal(manager.pools.size, 1);
  });

  it("credentials in a URL never go on the wire, nor into response.url", async () => {
    await using origin = await startHttp();
    await using manager = new PoolManager();
    const response = await manager.request("GET", `http://user:secret@127.0.0.1:${origin.port}/x`);
    assert.equal(response.url, `http://127.0.0.1:${origin.port}/x`);
    assert.ok(!origin.received[0]!.headText.includes("secret"));
    assert.equal(
      origin.received[0]!.headers.find(([name]) => name.toLowerCase() === "authorization"),
      undefined,
    );
  });

  it("maxConnections holds over all pools", async () => {
    const origins = await Promise.all(Array.from({ length: 5 }, () => startHttp(() => "x")));
    await using manager = new PoolManager({ maxConnections: 2 });
    for (const origin of origins) {
      await Promise.all([1, 2, 3].map(() => manager.request("GET", `${origin.url}/`)));
      assert.ok(manager.stats().openConnections <= 2);
    }
    for (const origin of origins) await origin.close();
  });

  it("an aborted request rejects with the signal's reason and gives back its place", async () => {
    await using origin = await startHttp(
      ({ target }) => (target === "/hang" ? new Promise(() => {}) : "x") as never,
    );
    await using manager = new PoolManager({ maxsize: 1 });
    const reason = new Error("enough");
    const controller = new AbortController();
    const hanging = manager.request("GET", `${origin.url}/hang`, { signal: controller.signal });
    const queued = manager.request("GET", `${origin.url}/x`, { signal: AbortSignal.abort(reason) });
    await assert.rejects(queued, (error) => error === reason);
    await origin.connection(0);
    controller.abort(reason);
    await assert.rejects(hanging, (error) => error === reason);
    assert.equal(String((await manager.request("GET", `${origin.url}/x`)).data), "x");
    assert.equal(manager.stats().openConnections, 1);
  });
});

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
