import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  HostChangedError,
  LocationParseError,
  LocationValueError,
  MaxRetryError,
  NewConnectionError,
  ProtocolError,
  type RequestOptions,
  ResponseError,
  Retry,
  URLSchemeUnknown,
} from "../../src/index.ts";
import type { OriginRequest, ResponseSpec } from "../kit/http-origin.ts";
import { World } from "../kit/world.ts";

const to = (location: string, status = 302): ResponseSpec => ({ status, headers: { Location: location } });

/** Host a.test answers `/start` with a redirect and everything else with what came; b.test answers only. */
function twoHosts(location: string, status = 302): World {
  const world = new World();
  world.http("a.test", ({ target }) => (target.startsWith("/start") ? to(location, status) : `a ${target}`));
  world.http("b.test", ({ target }) => `b ${target}`);
  return world;
}

/** The second request of a redirected one, as the server saw it. */
async function second(
  location: string,
  options: RequestOptions & { method?: string; status?: number; start?: string } = {},
): Promise<OriginRequest> {
  const { method = "GET", status, start = "http://a.test/start", ...rest } = options;
  using world = twoHosts(location, status);
  const manager = world.manager();
  await world.run(manager.request(method, start, rest));
  manager.clear();
  await world.rest();
  assert.deepEqual(world.leftovers(), []);
  assert.equal(world.received.length, 2);
  return world.received[1]!;
}

describe("method and body", () => {
  const kept = [301, 302, 307, 308].flatMap((status) =>
    ["GET", "POST", "HEAD", "PUT"].map((method) => [status, method, method] as const),
  );
  const changed = [
    [303, "GET", "GET"],
    [303, "POST", "GET"],
    [303, "PUT", "GET"],
    [303, "HEAD", "HEAD"],
  ] as const;
  for (const [status, method, next] of [...kept, ...changed]) {
    it(`${status}: ${method} becomes ${next}`, async () => {
      const body = method === "POST" || method === "PUT" ? "payload" : null;
      const request = await second("/next", { method, status, body });
      assert.equal(request.method, next);
      assert.equal(String(request.body), next === method ? (body ?? "") : "");
    });
  }

  it("303 leaves body, framing and the fields about the body behind", async () => {
    const headers = {
      "Content-Type": "text/plain",
      "Content-Encoding": "identity",
      "Content-Language": "en",
      "Content-Location": "/here",
      "Transfer-Encoding": "chunked",
      Expect: "100-continue",
      "X-Kept": "1",
    };
    const request = await second("/next", { method: "POST", status: 303, body: "x", headers });
    const names = request.headers.map(([name]) => name).filter((name) => !/^(Host|Accept|User)/.test(name));
    assert.deepEqual(names, ["X-Kept"]);
    const chunked = await second("/next", { method: "POST", status: 303, body: "x", chunked: true });
    assert.equal(chunked.header("transfer-encoding"), null);
    assert.equal(chunked.header("content-length"), null);
  });

  it("a chunked body goes again with 307, chunked", async () => {
    const request = await second("/next", { method: "POST", status: 307, body: "again", chunked: true });
    assert.equal(request.header("transfer-encoding"), "chunked");
    assert.equal(String(request.body), "again");
  });

  it("other 3xx, and redirects without Location, are answers", async () => {
    const specs: ResponseSpec[] = [
      { status: 300, headers: { Location: "/next" } },
      { status: 304, headers: { Location: "/next" } },
      { status: 305, headers: { Location: "/next" } },
      { status: 302 },
      { status: 302, headers: { Location: "" } },
    ];
    for (const spec of specs) {
      using world = new World().http("a.test", () => spec);
      const response = await world.run(world.manager().request("GET", "http://a.test/start"));
      assert.equal(response.status, spec.status);
      assert.equal(world.received.length, 1);
    }
  });
});

describe("Location", () => {
  const cases: [start: string, location: string, url: string][] = [
    ["/start", "/next", "http://a.test/next"],
    ["/start", "next?q", "http://a.test/next?q"],
    ["/start/deep/", "../up", "http://a.test/start/up"],
    ["/start?q=1", "?q=2", "http://a.test/start?q=2"],
    ["/start", "//b.test/x", "http://b.test/x"],
    ["/start", "//b.test", "http://b.test/"],
    ["/start", "http://b.test/x", "http://b.test/x"],
    ["/start", "HTTP://B.Test:80/x", "http://b.test:80/x"],
    ["/start", "http:/rel", "http://a.test/rel"],
    ["/start", "/a b\u00c3\u00a4", "http://a.test/a%20b%C3%A4"],
    ["/start", "/next#part", "http://a.test/next"],
    ["/start#old", "/next", "http://a.test/next"],
  ];
  for (const [start, location, url] of cases) {
    it(`${start} -> ${location}`, async () => {
      using world = new World();
      let first = true;
      const handler = (): ResponseSpec => {
        const answer = first ? to(location) : { body: "done" };
        first = false;
        return answer;
      };
      world.http("a.test", handler).http("b.test", handler);
      const response = await world.run(world.manager().request("GET", `http://a.test${start}`));
      assert.equal(response.url, url);
      assert.deepEqual(
        response.retries!.history.map((entry) => [entry.url, entry.status, entry.redirectLocation]),
        [[`http://a.test${start.replace(/#.*/, "")}`, 302, location]],
      );
    });
  }

  const malformed: [string, new (...args: never[]) => Error][] = [
    ["http://[::1", LocationParseError],
    ["http://b.test:99999/", LocationParseError],
    ["http://b te st/", LocationParseError],
    ["http:///x", LocationValueError],
    ["ftp://b.test/", URLSchemeUnknown],
    ["javascript:alert(1)", LocationValueError],
    ["file:///etc/passwd", LocationValueError],
  ];
  for (const [location, Class] of malformed) {
    it(`${location} is an error at once, and the connection is kept`, async () => {
      using world = twoHosts(location);
      const manager = world.manager();
      const error = await world.failure(manager.request("GET", "http://a.test/start"));
      assert.ok(error instanceof Class, String(error));
      assert.equal(world.received.length, 1);
      await world.rest();
      assert.equal(manager.connectionFromHost("a.test").numIdle, 1);
    });
  }

  it("fault 40: to a host that refuses: the failure is the new host's, and counts", async () => {
    using world = twoHosts("http://c.test/x").host("c.test", "ECONNREFUSED");
    const manager = world.manager({ retries: new Retry({ total: 2 }) });
    const error = (await world.failure(manager.request("GET", "http://a.test/start"))) as MaxRetryError;
    assert.ok(error instanceof MaxRetryError);
    assert.ok(error.reason instanceof NewConnectionError);
    assert.equal(error.url, "http://c.test/x");
    assert.equal(world.events(/^attempt/).length, 3);
    assert.equal(manager.stats().openConnections, 1);
  });
});

describe("fault 40: secrets stay at home", () => {
  const headers = {
    Authorization: "Basic c2VjcmV0",
    Cookie: "a=secret",
    "Proxy-Authorization": "Basic c2VjcmV0",
    "X-Token": "secret",
    "X-Plain": "kept",
    Host: "virtual.test",
  };
  const names = (request: OriginRequest): string[] =>
    Object.keys(headers).filter((name) => request.header(name) !== null);
  const homely = Object.keys(headers);
  const others: string[] = [
    "http://b.test/x",
    "//b.test/x",
    "http://a.test:8080/x",
    "http://a.test./x",
    "http://sub.a.test/x",
  ];
  for (const location of others) {
    it(`another origin: ${location}`, async () => {
      using world = twoHosts(location).http("a.test.").http("sub.a.test");
      await world.run(world.manager().request("GET", "http://a.test/start", { headers }));
      const [first, next] = world.received;
      assert.deepEqual(names(first!), homely);
      assert.deepEqual(names(next!), ["X-Token", "X-Plain", "Host"]);
      assert.notEqual(next!.header("host"), "virtual.test");
    });
  }
  for (const location of ["/x", "http://a.test/x", "http://a.test:80/x", "HTTP://A.TEST/x"]) {
    it(`the same origin: ${location}`, async () => {
      const request = await second(location, { headers });
      assert.deepEqual(names(request), homely);
      assert.equal(request.header("host"), "virtual.test");
    });
  }

  it("a list of one's own replaces the default, whatever the case", async () => {
    const retries = new Retry({ removeHeadersOnRedirect: ["x-TOKEN"] });
    const request = await second("http://b.test/x", { headers, retries });
    assert.deepEqual(names(request), ["Authorization", "Cookie", "Proxy-Authorization", "X-Plain", "Host"]);
    const all = new Retry({ removeHeadersOnRedirect: [] });
    assert.equal((await second("http://b.test/x", { headers, retries: all })).header("cookie"), "a=secret");
  });

  it("what was taken away does not come back with a hop home, and the caller's object stays as it was", async () => {
    using world = new World();
    world.http("a.test", ({ target }) => (target === "/start" ? to("http://b.test/") : "home"));
    world.http("b.test", () => to("http://a.test/home"));
    const mine = { ...headers };
    await world.run(world.manager().request("GET", "http://a.test/start", { headers: mine }));
    assert.equal(world.received.length, 3);
    assert.deepEqual(names(world.received[2]!), ["X-Token", "X-Plain", "Host"]);
    assert.equal(world.received[2]!.header("host"), "a.test");
    assert.deepEqual(mine, headers);
  });

  it("credentials of a URL, the caller's or Location's, are never sent nor shown", async () => {
    using world = twoHosts("http://user:hidden@b.test/x");
    const response = await world.run(world.manager().request("GET", "http://me:hidden@a.test/start"));
    assert.equal(response.url, "http://b.test/x");
    for (const request of world.received) assert.doesNotMatch(request.headText, /hidden|authorization/i);
    assert.doesNotMatch(JSON.stringify(response.retries!.history), /hidden/);
  });
});

describe("counting", () => {
  const loop = (): World => new World().http("a.test", () => to("/again"));
  const cases: [string, RequestOptions, text: string, requests: number][] = [
    ["redirect: false", { redirect: false }, "302", 1],
    ["retries: false", { retries: false }, "302", 1],
    ["Retry redirect: false", { retries: new Retry({ redirect: false }) }, "302", 1],
    ["raiseOnRedirect: false", { retries: new Retry({ redirect: 2, raiseOnRedirect: false }) }, "302", 3],
    ["retries: 0", { retries: 0 }, "MaxRetryError", 1],
    ["retries: 2", { retries: 2 }, "MaxRetryError", 3],
    ["the default of 3", {}, "MaxRetryError", 4],
    ["redirect: 1 of total 10", { retries: new Retry({ redirect: 1 }) }, "MaxRetryError", 2],
    ["redirect: 0", { retries: new Retry({ redirect: 0 }) }, "MaxRetryError", 1],
    ["total 1 before redirect 5", { retries: new Retry({ total: 1, redirect: 5 }) }, "MaxRetryError", 2],
    ["a connect count does not matter", { retries: new Retry({ total: 2, connect: 0 }) }, "MaxRetryError", 3],
  ];
  for (const [name, options, text, requests] of cases) {
    for (const level of ["manager", "pool"] as const) {
      it(`${name}, ${level}`, async () => {
        using world = loop();
        const client = level === "manager" ? world.manager() : world.pool("a.test");
        const url = level === "manager" ? "http://a.test/" : "/";
        const got = await world.run(
          client.request("GET", url, options).then(
            ({ status }) => String(status),
            (error: Error) => error.name,
          ),
        );
        assert.deepEqual([got, world.received.length], [text, requests]);
      });
    }
  }

  it("fault 40: a loop: too many, and the reason says so", async () => {
    using world = loop();
    const error = (await world.failure(world.manager().request("GET", "http://a.test/"))) as MaxRetryError;
    assert.ok(error.reason instanceof ResponseError);
    assert.match(error.message, /too many redirects/);
  });

  it("redirects and failures count together", async () => {
    using world = new World();
    world.http("a.test", () => to("http://b.test/")).host("b.test", "ECONNREFUSED");
    const retries = new Retry({ total: 3 });
    await world.failure(world.manager().request("GET", "http://a.test/", { retries }));
    assert.equal(world.events(/^attempt/).length, 4);
  });
});

describe("pools", () => {
  it("follow on their own host, refuse others with HostChangedError", async () => {
    using world = twoHosts("http://b.test/x");
    const pool = world.pool("a.test");
    const error = await world.failure(pool.request("GET", "/start"));
    assert.ok(error instanceof HostChangedError);
    assert.equal(world.received.length, 1);
    await world.rest();
    assert.deepEqual([pool.numIdle, pool.numBusy], [1, 0]);
  });

  it("the manager finds each hop's own pool, and uses its connections again", async () => {
    using world = new World();
    world.http("a.test", ({ target }) => (target === "/done" ? "done" : to("http://b.test/")));
    world.http("b.test", () => to("http://a.test/done"));
    const manager = world.manager();
    for (let i = 0; i < 2; i++) await world.run(manager.request("GET", "http://a.test/"));
    assert.equal(manager.pools.size, 2);
    assert.equal(world.wires.length, 2);
    assert.equal(manager.connectionFromHost("a.test").numRequests, 4);
  });

  it("numPools of 1 does not hinder a redirect across hosts", async () => {
    using world = twoHosts("http://b.test/x");
    const manager = world.manager({ numPools: 1 });
    const response = await world.run(manager.request("GET", "http://a.test/start"));
    assert.equal(String(response.data), "b /x");
    manager.clear();
    await world.rest();
    assert.deepEqual(world.leftovers(), []);
  });
});

describe("several Location lines", () => {
  const twice = (...locations: string[]): World =>
    new World().http("a.test", ({ target }) =>
      target === "/" ? { status: 302, headers: locations.map((one) => ["Location", one] as const) } : target,
    );

  it("that are equal count as one", async () => {
    using world = twice("/there", "/there", "/there");
    const response = await world.run(world.manager().request("GET", "http://a.test/"));
    assert.deepEqual([String(response.data), response.retries!.history.length], ["/there", 1]);
  });

  it("that differ leave more than one reading: an error, unless nobody follows them", async () => {
    using world = twice("/there", "/elsewhere");
    const manager = world.manager();
    const error = await world.failure(manager.request("GET", "http://a.test/"));
    assert.ok(error instanceof ProtocolError && /Location/.test(error.message), String(error));
    const kept = await world.run(manager.request("GET", "http://a.test/", { redirect: false }));
    assert.equal(kept.status, 302);
    assert.equal(world.received.length, 2, "nothing was repeated, nothing was followed");
  });
});
