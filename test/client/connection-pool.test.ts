import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ClosedPoolError,
  connectionFromUrl,
  EmptyPoolError,
  HostChangedError,
  HTTPConnectionPool,
  HTTPSConnectionPool,
  InvalidArgumentError,
  LocationParseError,
  LocationValueError,
} from "../../src/index.ts";
import { TemporaryFolder } from "../dial/tls/temporary-folder.ts";
import { settle } from "../kit/clock.ts";
import { type HttpOrigin, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

it("options of a dial are checked before one begins: a wrong one ended the process", async () => {
  for (const name of ["sourceAddress", "lookup", "connect", "addressFilter", "socketPath", "socketOptions"]) {
    const options = { [name]: 5 };
    assert.throws(() => new HTTPConnectionPool("127.0.0.1", 80, options), InvalidArgumentError, name);
  }
});

describe("same host", () => {
  const same: [pool: string, url: string][] = [
    ["http://google.com/", "/"],
    ["http://google.com/", "//other/x"],
    ["http://google.com/", "http://google.com/"],
    ["http://google.com/", "http://google.com"],
    ["http://google.com/", "http://google.com/abra/cadabra"],
    ["http://google.com:42/", "http://google.com:42/abracadabra"],
    ["http://google.com:80/", "http://google.com/abracadabra"],
    ["http://google.com/", "http://google.com:80/abracadabra"],
    ["https://google.com:443/", "https://google.com/abracadabra"],
    ["https://google.com/", "https://google.com:443/abracadabra"],
    ["http://google.com/", "HTTP://GOOGLE.com/"],
    ["http://google.com/", "google.com/x"],
    ["http://[2607:F8B0::1%zone]:80/", "http://[2607:f8b0::1%zone]"],
    ["http://[::1]:8080/", "http://[::1]:8080/x"],
    ["http://n\u00fc.de/", "http://xn--n-eha.de/"],
  ];
  for (const [pool, url] of same) {
    it(`CP-01: ${pool} has ${url}`, () => assert.ok(connectionFromUrl(pool).isSameHost(url)));
  }

  const other: [pool: string, url: string][] = [
    ["https://google.com/", "http://google.com/"],
    ["http://google.com/", "https://google.com/"],
    ["http://yahoo.com/", "http://google.com/"],
    ["http://google.com:42", "https://google.com:42/abracadabra"],
    ["http://google.com:443", "https://google.com/"],
    ["http://google.com", "https://google.net:80/abracadabra"],
    ["http://google.com:81", "http://google.com/"],
    ["http://google.com", "google.net/"],
    ["http://localhost", "http://localhost./"],
    ["http://[fe80::1%a]", "http://[fe80::1%b]"],
    ["http://google.com", ""],
    ["http://google.com", "?x"],
  ];
  for (const [pool, url] of other) {
    it(`CP-02: ${pool} has not ${url}`, () => assert.ok(!connectionFromUrl(pool).isSameHost(url)));
  }

  it("CP-03: a pool without port has the scheme's", () => {
    assert.ok(new HTTPConnectionPool("google.com").isSameHost("http://google.com:80/"));
    assert.ok(new HTTPSConnectionPool("google.com", null).isSameHost("https://google.com:443/"));
    assert.ok(!new HTTPConnectionPool("google.com").isSameHost("http://google.com:443/"));
  });

  it("CP-04: port 0 is only port 0", () => {
    for (const pool of [new HTTPConnectionPool("x", 0), connectionFromUrl("http://x:0/")]) {
      assert.equal(pool.port, 0);
      assert.ok(pool.isSameHost("http://x:0/"));
      assert.ok(!pool.isSameHost("http://x/"));
      assert.ok(!pool.isSameHost("http://x:80/"));
    }
    assert.ok(!new HTTPConnectionPool("x").isSameHost("http://x:0/"));
  });

  it("CP-18: another host is refused before anything is counted", async () => {
    using pool = new HTTPConnectionPool("localhost", 1);
    for (const url of ["http://other/", "https://localhost:1/", "http://localhost/", "", "?x", "x"]) {
      await assert.rejects(pool.request("GET", url), HostChangedError, url);
    }
    assert.deepEqual([pool.numRequests, pool.numConnections], [0, 0]);
  });
});

describe("construction", () => {
  it("CP-22: no host", () => {
    assert.throws(() => new HTTPConnectionPool(""), LocationValueError);
    assert.throws(() => new HTTPConnectionPool(null as unknown as string), LocationValueError);
    assert.throws(() => connectionFromUrl("/path"), LocationValueError);
    assert.throws(() => connectionFromUrl(""), LocationValueError);
  });

  it("CP-05, CP-06: hosts that cannot be", () => {
    for (const host of ["a b", "a\r\nb", "a\0", "a%zz", "%0d%0a", "a/b", "a:b", "[::1"]) {
      assert.throws(() => new HTTPConnectionPool(host), LocationParseError, JSON.stringify(host));
    }
  });

  it("CP-07: the host is normalised, and the pool names itself", () => {
    const names = ["EXAMPLE.com", "[::1]", "::1", "n\u00dc.de"].map(
      (host) => new HTTPConnectionPool(host).host,
    );
    assert.deepEqual(names, ["example.com", "::1", "::1", "xn--n-eha.de"]);
    assert.equal(`${new HTTPConnectionPool("X", 8080)}`, "HTTPConnectionPool(host='x', port=8080)");
    assert.equal(`${new HTTPSConnectionPool("x")}`, "HTTPSConnectionPool(host='x', port=443)");
  });

  it("bad ports", () => {
    for (const port of [-1, 65_536, 1.5, Number.NaN, "80"]) {
      assert.throws(() => new HTTPConnectionPool("x", port as number), InvalidArgumentError, String(port));
    }
  });
});

describe("request targets", () => {
  const targets: [url: string, target: string][] = [
    ["/", "/"],
    ["//v:h/x", "//v:h/x"],
    ["//other.host/", "//other.host/"],
    ["/a/./b/../c/.", "/a/./b/../c/."],
    ["/x#fragment", "/x"],
    ["/x?q=1#fragment?y", "/x?q=1"],
    ['/a b\u00e4<>"', "/a%20b%C3%A4%3C%3E%22"],
    ["/%2e%2E/", "/%2E%2E/"],
    ["/%2e/100%", "/%252E/100%25"],
    ["/x?y z\u20ac", "/x?y%20z%E2%82%AC"],
    ["/\r\nX: 1", "/%0D%0AX:%201"],
    ["/\0\t\x7f", "/%00%09%7F"],
  ];
  it("CP-27, CP-28, CP-54, CP-60: paths stay paths, without fragment, with their dot segments, encoded", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    for (const [url, target] of targets) {
      const response = await pool.request("GET", url);
      assert.equal(origin.received.at(-1)!.target, target, JSON.stringify(url));
      assert.equal(response.url, origin.url + target);
    }
    assert.equal(origin.accepted, 1);
  });

  it("CP-28, CP-59: absolute URLs of the same host, in any case, go out in origin-form without fragment", async () => {
    await using origin = await startHttp(() => "");
    using pool = new HTTPConnectionPool("localhost", origin.port);
    for (const url of [`http://LocalHost:${origin.port}/a/../b?c#d`, `HTTP://localhost:${origin.port}`]) {
      await pool.request("GET", url);
    }
    assert.deepEqual(
      origin.received.map(({ target }) => target),
      ["/b?c", "/"],
    );
  });

  it("assertSameHost: false sends the absolute URL with its own Host, and never its credentials", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    await pool.request("GET", "http://user:secret@other.example:81/x?y#z", { assertSameHost: false });
    const [request] = origin.received;
    assert.equal(request!.target, "http://other.example:81/x?y");
    assert.equal(request!.header("host"), "other.example:81");
    assert.ok(!request!.headText.includes("secret"));
  });

  it("OPTIONS * with assertSameHost: false", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    await assert.rejects(pool.urlopen("OPTIONS", "*"), HostChangedError);
    await pool.urlopen("OPTIONS", "*", { assertSameHost: false });
    assert.equal(origin.received[0]!.target, "*");
    assert.equal(origin.received[0]!.header("host"), `127.0.0.1:${origin.port}`);
  });

  it("CN-18: Host without trailing dot, in brackets for IPv6, without zone", async () => {
    using folder = new TemporaryFolder();
    await using origin = await startHttp(() => "", { path: folder.path("socket") });
    for (const [host, field] of [
      ["example.com.", "example.com:8080"],
      ["::1", "[::1]:8080"],
      ["fe80::1%eth0", "[fe80::1]:8080"],
    ] as const) {
      using pool = new HTTPConnectionPool(host, 8080, { socketPath: origin.host });
      await pool.request("GET", "/");
      assert.equal(origin.received.at(-1)!.header("host"), field);
    }
  });
});

describe("connections and counters", () => {
  it("CP-47, CP-49: one connection, kept alive", async () => {
    await using origin = await startHttp(() => "x");
    using pool = poolOf(origin);
    assert.deepEqual(counters(pool), { connections: 0, requests: 0, idle: 0, busy: 0, queued: 0 });
    for (let i = 0; i < 3; i += 1) await pool.request("GET", "/");
    assert.deepEqual(counters(pool), { connections: 1, requests: 3, idle: 1, busy: 0, queued: 0 });
    assert.equal(origin.accepted, 1);
  });

  it("CP-48: Connection: close is handled", async () => {
    await using origin = await startHttp(({ target }) => ({ body: "x", close: target === "/close" }));
    using pool = poolOf(origin);
    for (const path of ["/close", "/close", "/keep", "/keep"]) await pool.request("GET", path);
    assert.equal(pool.numConnections, 3);
    await pool.request("GET", "/keep", { headers: { Connection: "close" } });
    assert.deepEqual([pool.numConnections, pool.numIdle], [3, 0]);
  });

  it("requests past maxsize wait their turn, first come first served", async () => {
    const gate = deferred();
    await using origin = await startHttp(async () => {
      await gate.promise;
      return "x";
    });
    using pool = poolOf(origin, { maxsize: 2 });
    const all = ["/1", "/2", "/3", "/4", "/5"].map((path) => pool.request("GET", path));
    await origin.connection(1);
    assert.deepEqual(counters(pool), { connections: 2, requests: 2, idle: 0, busy: 2, queued: 3 });
    gate.resolve();
    await Promise.all(all);
    assert.deepEqual(origin.received.map(({ target }) => target).slice(2), ["/3", "/4", "/5"]);
    assert.deepEqual(counters(pool), { connections: 2, requests: 5, idle: 2, busy: 0, queued: 0 });
  });

  it("the connection returned last is used first", async () => {
    const gates = { "/a": deferred(), "/b": deferred() };
    await using origin = await startHttp(async ({ target }) => {
      await gates[target as "/a"]?.promise;
      return "x";
    });
    using pool = poolOf(origin);
    const [a, b] = [pool.request("GET", "/a"), pool.request("GET", "/b")];
    await origin.connection(1);
    gates["/b"].resolve();
    await b;
    gates["/a"].resolve();
    await a;
    // A connection that has just answered rests for a turn.
    await settle();
    await pool.request("GET", "/c");
    const connectionOf = (path: string) => origin.received.find(({ target }) => target === path)!.connection;
    assert.equal(connectionOf("/c"), connectionOf("/a"));
    assert.notEqual(connectionOf("/a"), connectionOf("/b"));
  });

  it("CP-10: block: false opens extra connections and drops them", async () => {
    const gate = deferred();
    await using origin = await startHttp(async () => {
      await gate.promise;
      return "x";
    });
    using pool = poolOf(origin, { maxsize: 1, block: false });
    const all = ["/1", "/2", "/3"].map((path) => pool.request("GET", path));
    await origin.connection(2);
    assert.deepEqual([pool.numBusy, pool.numQueued], [3, 0]);
    gate.resolve();
    await Promise.all(all);
    assert.deepEqual([pool.numConnections, pool.numIdle, pool.numBusy], [3, 1, 0]);
  });

  it("CP-09, CP-17: no connection within poolTimeout", async () => {
    const gate = deferred();
    await using origin = await startHttp(async () => {
      await gate.promise;
      return "x";
    });
    using pool = poolOf(origin, { maxsize: 1, poolTimeout: 10_000 });
    const first = pool.request("GET", "/");
    await assert.rejects(pool.request("GET", "/late", { poolTimeout: 10 }), (error) => {
      assert.ok(error instanceof EmptyPoolError);
      assert.match(error.message, /^GET http:\/\/127\.0\.0\.1:\d+\/late: HTTPConnectionPool\(host=/);
      return true;
    });
    assert.deepEqual([pool.numBusy, pool.numQueued], [1, 0]);
    gate.resolve();
    await first;
    assert.deepEqual([pool.numConnections, pool.numIdle, origin.received.length], [1, 1, 1]);
  });

  it("CP-12: bad options are refused before a connection is taken", async () => {
    await using origin = await startHttp(() => "x");
    using pool = poolOf(origin, { maxsize: 1 });
    await assert.rejects(pool.request("GET", "/", { timeout: -1 }), InvalidArgumentError);
    await assert.rejects(pool.request("GET", "/", { body: 1 as unknown as string }), InvalidArgumentError);
    assert.deepEqual([pool.numConnections, pool.numRequests], [0, 0]);
    await pool.request("GET", "/");
  });
});

describe("the end of a pool", () => {
  it("CP-19, CP-20: after close nothing is accepted; requests under way finish", async () => {
    const gate = deferred();
    await using origin = await startHttp(async () => {
      await gate.promise;
      return "late";
    });
    const pool = poolOf(origin, { maxsize: 1 });
    const [running, queued] = [pool.request("GET", "/1"), pool.request("GET", "/2")];
    const connection = await origin.connection(0);
    pool.close();
    pool.close();
    await assert.rejects(pool.request("GET", "/3"), ClosedPoolError);
    await assert.rejects(pool.urlopen("GET", "/3"), { code: "ERR_URLPOOL_CLOSED_POOL" });
    gate.resolve();
    assert.deepEqual([String((await running).data), String((await queued).data)], ["late", "late"]);
    await connection.closed;
    assert.deepEqual([pool.numIdle, pool.numBusy], [0, 0]);
  });

  it("close closes idle connections at once", async () => {
    await using origin = await startHttp(() => "x");
    const pool = poolOf(origin);
    await pool.request("GET", "/");
    pool.close();
    await (await origin.connection(0)).closed;
    assert.equal(pool.numIdle, 0);
  });

  it("CP-23: using closes, await using waits for what is under way", async () => {
    const gate = deferred();
    await using origin = await startHttp(async () => {
      await gate.promise;
      return "x";
    });
    let body = "";
    let kept: HTTPConnectionPool;
    {
      await using pool = poolOf(origin);
      kept = pool;
      pool.request("GET", "/").then((response) => {
        body = String(response.data);
      });
      await origin.connection(0);
      setImmediate(gate.resolve);
    }
    assert.equal(body, "x");
    await assert.rejects(kept.request("GET", "/"), ClosedPoolError);
  });
});

function poolOf(
  origin: HttpOrigin,
  options: ConstructorParameters<typeof HTTPConnectionPool>[2] = {},
): HTTPConnectionPool {
  return new HTTPConnectionPool("127.0.0.1", origin.port, options);
}

function counters(pool: HTTPConnectionPool): object {
  const { numConnections: connections, numRequests: requests, numIdle: idle, numBusy: busy } = pool;
  return { connections, requests, idle, busy, queued: pool.numQueued };
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
