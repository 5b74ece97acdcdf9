/** Origins without sockets: everything above the exchange runs for real. */

import assert from "node:assert/strict";
import { once } from "node:events";
import http, { type RequestOptions } from "node:http";
import https from "node:https";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { recordHar } from "../../src/har.ts";
import {
  IncompleteRead,
  MaxRetryError,
  NewConnectionError,
  type PoolManager,
  Retry,
} from "../../src/index.ts";
import { MockOrigins, UnexpectedRequestError } from "../../src/testing.ts";

const retries = new Retry({ total: 3, statusForcelist: [503], backoffFactor: 0 });

describe("MockOrigins", () => {
  it("answers https without TLS, with the parts of the path", async () => {
    using mock = new MockOrigins();
    const route = mock.get("https://api.test/users/:id", ({ params }) => ({ json: { id: params.id } }));
    const response = await mock.manager().request("GET", "https://api.test/users/7?x=1");
    assert.deepEqual(await response.json(), { id: "7" });
    assert.equal(route.calls[0]?.url, "https://api.test/users/7?x=1");
  });

  it("keeps connections, sees bodies", async () => {
    using mock = new MockOrigins();
    mock.post("http://api.test/", 201);
    const manager = mock.manager();
    for (const a of [1, 2]) await manager.request("POST", "http://api.test/", { json: { a } });
    assert.deepEqual(
      mock.requests.map((request) => [request.connection, request.json()]),
      [
        [1, { a: 1 }],
        [1, { a: 2 }],
      ],
    );
  });

  it("lets retries by status, redirects to another host and decoding run", async () => {
    using mock = new MockOrigins();
    mock.get("http://a.test/", [503, 503, { status: 302, headers: { Location: "https://b.test/" } }]);
    const headers = { "Content-Encoding": "gzip" };
    mock.get("https://b.test/", { headers, body: gzipSync("plain") });
    const response = await mock.manager({ retries }).request("GET", "http://a.test/");
    assert.equal(await response.text(), "plain");
    assert.equal(mock.requests.length, 4);
  });

  it("sends again after a reset, on a new connection", async () => {
    using mock = new MockOrigins();
    mock.get("http://a.test/", [{ fault: "reset" }, { text: "ok" }]);
    assert.equal(await (await mock.manager({ retries }).request("GET", "http://a.test/")).text(), "ok");
    assert.deepEqual(
      mock.requests.map(({ connection }) => connection),
      [1, 2],
    );
  });

  it("cuts a body where the test says", async () => {
    using mock = new MockOrigins();
    mock.get("http://a.test/", { text: "0123456789", fault: "close-mid-body", after: 3 });
    const error = await mock
      .manager({ retries: false })
      .request("GET", "http://a.test/")
      .catch((reason: unknown) => reason);
    const cut = error instanceof IncompleteRead ? error : (error as Error).cause;
    assert.ok(cut instanceof IncompleteRead, String(error));
    assert.deepEqual([cut.partial, cut.expected], [3, 7]);
  });

  it("lets the read timeout end what stalls", async () => {
    using mock = new MockOrigins();
    mock.get("http://a.test/", { fault: "stall" });
    const asked = mock.manager({ retries: 0, timeout: { read: 20 } }).request("GET", "http://a.test/");
    await assert.rejects(
      asked,
      (error) => error instanceof MaxRetryError && /Read timed out/.test(error.message),
    );
  });

  it("names the nearest three routes and what differed", async () => {
    const mock = new MockOrigins();
    mock.get("http://a.test/one", 200).once();
    for (const path of ["two", "three", "four"]) mock.post(`http://b.test/${path}`, 200);
    const manager = mock.manager();
    await manager.request("GET", "http://a.test/one");
    const error = await manager.request("GET", "http://a.test/one").catch((reason: unknown) => reason);
    assert.ok(error instanceof UnexpectedRequestError, String(error));
    assert.match(error.message, /GET http:\/\/a\.test\/one: used up after 1/);
    assert.match(error.message, /POST http:\/\/b\.test\/two: method is GET, origin is .*, path is \/one/);
    assert.doesNotMatch(error.message, /four/);
    assert.equal(mock.requests.length, 2);
    assert.throws(() => mock.verify(), UnexpectedRequestError);
  });

  it("refuses connections as often as the test says", async () => {
    using mock = new MockOrigins();
    mock.get("http://a.test/", [{ fault: "refuse" }, { text: "ok" }]);
    const response = await mock
      .manager({ retries: { connect: 1, backoffFactor: 0 } })
      .request("GET", "http://a.test/");
    assert.equal(await response.text(), "ok");
    assert.ok(response.retries?.history[0]?.error instanceof NewConnectionError);
  });

  it("gives 204 and 304 no Content-Length, HEAD that of the body", async () => {
    using mock = new MockOrigins();
    mock.route({ path: "/none" }, 204);
    mock.route({ path: "/body" }, { text: "12345" });
    const manager = mock.manager();
    const none = await manager.request("GET", "http://a.test/none");
    assert.deepEqual([none.status, none.headers.get("content-length")], [204, null]);
    const head = await manager.request("HEAD", "http://a.test/body");
    assert.deepEqual([head.headers.get("content-length"), await head.text()], ["5", ""]);
  });

  it("replays HEAD with the length that was recorded", async () => {
    const first = new MockOrigins();
    first.route({ method: "HEAD" }, { headers: { "Content-Length": "1234", "Content-Encoding": "gzip" } });
    const manager = first.manager();
    const recorder = recordHar(manager);
    await manager.request("HEAD", "http://a.test/");
    recorder.stop();
    using second = new MockOrigins();
    second.load(recorder.toJSON());
    const { headers } = await second.manager().request("HEAD", "http://a.test/");
    assert.deepEqual([headers.get("content-length"), headers.get("content-encoding")], ["1234", "gzip"]);
  });

  it("gives its options to its managers and its fetch", async () => {
    using mock = new MockOrigins({ retries });
    mock.get("https://a.test/", [503, 200]);
    mock.get("https://b.test/", [503, 503, { text: "b" }]);
    assert.equal(mock.fetch, mock.fetch);
    const { fetch } = mock;
    assert.equal(await (await fetch("https://b.test/")).text(), "b");
    await mock.manager({ headers: { "X-Own": "2" } }).request("GET", "https://a.test/");
    assert.deepEqual(
      mock.requests.map(({ headers }) => headers.get("x-own")),
      [null, null, null, "2", "2"],
    );
  });

  it("tells of answers that nobody fetched", () => {
    const mock = new MockOrigins();
    mock.get("http://a.test/", 200).once();
    assert.throws(() => mock.verify(), /not used up: GET http:\/\/a\.test\//);
  });

  it("answers fetch, and reads bodies of unknown length", async () => {
    using mock = new MockOrigins();
    mock.post("http://a.test/", ({ body }) => ({ text: body.toString().toUpperCase() }));
    const manager = mock.manager();
    const answer = await manager.fetch("http://a.test/", { method: "POST", body: "abc" });
    assert.equal(await answer.text(), "ABC");
    async function* parts(): AsyncGenerator<string> {
      yield "de";
      yield "f";
    }
    const streamed = await manager.request("POST", "http://a.test/", { body: parts() });
    assert.equal(await streamed.text(), "DEF");
  });

  it("rejects with what a handler throws", async () => {
    using mock = new MockOrigins();
    mock.get("http://a.test/", () => {
      throw new RangeError("mine");
    });
    await assert.rejects(mock.manager().request("GET", "http://a.test/"), /mine/);
    assert.equal(mock.requests.length, 1);
  });

  it("replays by the whole URL: queries apart, and no part of a recorded path is a parameter", async () => {
    const first = new MockOrigins();
    first.route({ path: /./ }, ({ url }) => ({ text: url }));
    const manager = first.manager();
    const recorder = recordHar(manager);
    const urls = ["http://a.test/s?q=1", "http://a.test/s?q=2", "http://a.test/:id", "http://a.test/%FF"];
    for (const url of urls) await manager.request("GET", url);
    recorder.stop();
    const second = new MockOrigins();
    second.load(recorder.toJSON());
    const again = second.manager({ retries: false });
    for (const url of urls.toReversed()) assert.equal(await (await again.request("GET", url)).text(), url);
    for (const url of ["http://a.test/s", "http://a.test/7"])
      await assert.rejects(again.request("GET", url), UnexpectedRequestError);
  });

  it("gives a parameter that cannot be decoded as it came", async () => {
    using mock = new MockOrigins();
    mock.get("http://a.test/:id", ({ params }) => ({ text: params.id! }));
    assert.equal(await (await mock.manager().request("GET", "http://a.test/%FF")).text(), "%FF");
  });

  it("replays what was recorded", async () => {
    const first = new MockOrigins();
    first.get("http://a.test/", [{ json: { n: 1 } }, { json: { n: 2 } }]);
    const manager = first.manager();
    const recorder = recordHar(manager);
    for (let n = 0; n < 2; n += 1) await manager.request("GET", "http://a.test/");
    recorder.stop();
    using second = new MockOrigins();
    second.load(recorder.toJSON());
    const again = second.manager();
    for (const n of [1, 2]) {
      assert.deepEqual(await (await again.request("GET", "http://a.test/")).json(), { n });
    }
  });
});

describe("MockOrigins.test", () => {
  it("verifies what passed, passes arguments on, and closes the managers", async () => {
    let manager: PoolManager | undefined;
    const run = MockOrigins.test(async (mock, url: string) => {
      mock.get(url, 200).once();
      manager = mock.manager();
      await manager.request("GET", url);
    });
    // A runner with callbacks must not wait for one.
    assert.equal(run.length, 0);
    await run("http://a.test/");
    assert.equal(manager?.stats().openConnections, 0);
    const left = MockOrigins.test((mock) => void mock.get("http://a.test/", 200).once());
    await assert.rejects(left(), /not used up/);
  });

  it("shows the first error of a test that failed, not the routes that it left", async () => {
    const failing = MockOrigins.test((mock) => {
      mock.get("http://a.test/", 200).once();
      assert.fail("mine");
    });
    await assert.rejects(failing(), { message: "mine" });
  });

  it("an unexpected request that the code under test has swallowed fails the test", async () => {
    const swallowing = MockOrigins.test(async (mock) => {
      await mock
        .manager()
        .request("GET", "http://a.test/")
        .catch(() => {});
    });
    await assert.rejects(swallowing(), UnexpectedRequestError);
  });
});

describe("a block with `using` that failed", () => {
  it("keeps its own error beside that of the verification", () => {
    const run = (): void => {
      using mock = new MockOrigins();
      mock.get("http://a.test/", 200).once();
      throw new RangeError("mine");
    };
    assert.throws(run, (error: Error & { suppressed?: unknown }) => {
      assert.ok(error.suppressed instanceof RangeError);
      assert.equal(error.suppressed.message, "mine");
      return true;
    });
  });
});

describe("MockOrigins.agent", () => {
  /** The answer to a request of node:http or node:https. */
  async function ask(url: string, options: RequestOptions, body?: string): Promise<[number, string]> {
    const sent = (url.startsWith("https:") ? https : http).request(url, options).end(body);
    const [response] = (await once(sent, "response")) as [http.IncomingMessage];
    const parts = await response.toArray();
    return [response.statusCode!, Buffer.concat(parts).toString()];
  }

  it("answers node:http and node:https with one object, over kept connections", async () => {
    using mock = new MockOrigins();
    mock.get("https://api.test/users/:id", ({ params, url }) => ({ text: `${params.id} ${url}` }));
    mock.post("http://api.test:8080/", ({ headers }) => ({ status: 201, text: headers.get("x-a")! }));
    const { agent } = mock;
    assert.equal(mock.agent, agent);
    for (let count = 0; count < 2; count += 1) {
      const answer = await ask("https://api.test/users/7?x=1", { agent });
      assert.deepEqual(answer, [200, "7 https://api.test/users/7?x=1"]);
    }
    const headers = { "X-A": "b" };
    const created = await ask("http://api.test:8080/", { agent, method: "POST", headers }, "{}");
    assert.deepEqual(created, [201, "b"]);
    assert.deepEqual(
      mock.requests.map(({ connection }) => connection),
      [1, 1, 2],
    );
    assert.equal(mock.requests[2]?.text(), "{}");
  });

  it("has the same faults", async () => {
    using mock = new MockOrigins();
    mock.get("http://a.test/", [
      { fault: "reset" },
      { fault: "refuse" },
      { text: "1234", fault: "close-mid-body" },
    ]);
    const { agent } = mock;
    await assert.rejects(ask("http://a.test/", { agent }), { code: "ECONNRESET" });
    await assert.rejects(ask("http://a.test/", { agent }), { code: "ECONNREFUSED" });
    await assert.rejects(ask("http://a.test/", { agent }), { code: "ECONNRESET" });
  });

  it("names the nearest routes where nothing fits", async () => {
    const mock = new MockOrigins();
    mock.get("http://a.test/one", 200);
    const { agent } = mock;
    await assert.rejects(
      ask("http://a.test/two", { agent }),
      /Nearest routes:\n {2}GET http:\/\/a\.test\/one: path/,
    );
    assert.throws(() => mock.verify(), UnexpectedRequestError);
  });
});
