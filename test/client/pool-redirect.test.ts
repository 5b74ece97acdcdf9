import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SharedResources } from "../../src/client/shared-resources.ts";
import { HostChangedError, HTTPConnectionPool, MaxRetryError, Retry } from "../../src/index.ts";
import { settle, VirtualClock } from "../kit/clock.ts";
import { type HttpOrigin, type ResponseSpec, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

describe("pool-level redirects", () => {
  const to = (location: string, status = 302, more: ResponseSpec = {}): ResponseSpec => ({
    status,
    headers: { Location: location },
    ...more,
  });
  const locations: [location: string, target: string][] = [
    ["/done", "/done"],
    ["done", "/a/done"],
    ["done?x=1", "/a/done?x=1"],
    ["../done", "/done"],
    ["?done", "/a/b?done"],
    ["./x/../done#fragment", "/a/done"],
    ["/d one", "/d%20one"],
  ];
  for (const [location, target] of locations) {
    it(`CP-43, CP-77: ${location} from /a/b leads to ${target}`, async () => {
      await using origin = await startHttp((request) =>
        request.target === "/a/b" ? to(location) : `${request.method} ${request.target}`,
      );
      using pool = poolOf(origin);
      const response = await pool.request("GET", "/a/b");
      assert.equal(String(response.data), `GET ${target}`);
      assert.equal(response.url, origin.url + target);
      assert.deepEqual([pool.numRequests, pool.numConnections], [2, 1]);
      assert.deepEqual(
        response.retries!.history.map(({ status, redirectLocation }) => [status, redirectLocation]),
        [[302, location]],
      );
    });
  }

  it("CP-29: absolute, of the same host; the fragment stays behind", async () => {
    await using origin = await startHttp(({ target }) =>
      target === "/" ? to(`http://LOCALHOST:${origin.port}/a/../done#f`) : target,
    );
    using pool = new HTTPConnectionPool("localhost", origin.port);
    assert.equal(String((await pool.request("GET", "/")).data), "/done");
    assert.equal(origin.received[1]!.header("host"), `localhost:${origin.port}`);
  });

  it("another host is refused, and redirect: false gives the redirect itself", async () => {
    await using origin = await startHttp(() => to("http://other.example/x"));
    using pool = poolOf(origin, { maxsize: 1 });
    await assert.rejects(pool.request("GET", "/"), HostChangedError);
    const response = await pool.request("GET", "/", { redirect: false });
    assert.deepEqual([response.status, response.redirectLocation()], [302, "http://other.example/x"]);
    assert.equal(pool.numConnections, 1);
  });

  it("CP-45: 303 drops the body; 302 and 307 keep method and body", async () => {
    for (const [status, expected] of [
      [303, "GET "],
      [302, "POST body"],
      [307, "POST body"],
    ] as const) {
      await using origin = await startHttp(({ target, method, body }) =>
        target === "/" ? to("/done", status) : `${method} ${body}`,
      );
      using pool = poolOf(origin);
      const response = await pool.request("POST", "/", { body: "body", headers: { "X-Own": "1" } });
      assert.equal(String(response.data), expected);
      assert.equal(origin.received[1]!.header("x-own"), "1");
      assert.equal(origin.received[1]!.header("content-length"), status === 303 ? null : "4");
    }
  });

  it("too many redirects", async () => {
    await using origin = await startHttp(() => to("/again"));
    using pool = poolOf(origin, { maxsize: 1 });
    await assert.rejects(pool.request("GET", "/", { retries: 2 }), (error) => {
      assert.ok(error instanceof MaxRetryError);
      assert.match(error.message, /too many redirects/);
      return true;
    });
    assert.deepEqual([pool.numRequests, pool.numIdle], [3, 1]);
  });

  it("RT-32: waits for the Retry-After of a redirect", async () => {
    await using origin = await startHttp(({ target }) =>
      target === "/" ? to("/done", 307, { headers: { Location: "/done", "Retry-After": "7" } }) : "x",
    );
    const clock = new VirtualClock();
    using pool = poolOf(origin);
    pool.attach({ shared: new SharedResources(10, clock) });
    const pending = pool.request("GET", "/", { retries: new Retry({ total: 3, backoffFactor: 100 }) });
    let done = false;
    pending.then(() => {
      done = true;
    });
    // The answer comes over a real socket; only the wait is virtual.
    while (pool.numIdle === 0) await settle();
    await clock.elapse(6_999);
    assert.deepEqual([done, origin.received.length], [false, 1]);
    await clock.elapse(1);
    assert.equal((await pending).status, 200);
    assert.equal(origin.received.length, 2);
  });
});

function poolOf(
  origin: HttpOrigin,
  options: ConstructorParameters<typeof HTTPConnectionPool>[2] = {},
): HTTPConnectionPool {
  return new HTTPConnectionPool("127.0.0.1", origin.port, options);
}
