/** What the error of a request tells besides: the answer it is about, the Location, and who made the request. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import {
  connectionFromUrl,
  HTTPError,
  HTTPResponse,
  IncompleteRead,
  MaxRetryError,
  PoolManager,
  ResponseError,
  Retry,
  URLSchemeUnknown,
} from "../../src/index.ts";
import { type ResponseSpec, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

/** The error with which `promise` rejects. */
async function failure(promise: Promise<unknown>): Promise<Error> {
  const error = await promise.then(
    () => assert.fail("not refused"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Error);
  return error;
}

describe("the answer that an error is about", () => {
  const down: ResponseSpec = {
    status: 503,
    headers: { "Content-Type": "application/json" },
    body: '{"error":"the database is down"}',
  };

  it("raiseForStatus", async () => {
    await using origin = await startHttp(() => down);
    using manager = new PoolManager();
    const response = await manager.request("GET", origin.url, { retries: false });
    assert.throws(
      () => response.raiseForStatus(),
      (error) => error instanceof ResponseError && error.response === response && error.status === 503,
    );
  });

  it("the last one of statusForcelist, with its body, and its connection is used again", async () => {
    await using origin = await startHttp(() => down);
    using manager = new PoolManager();
    const retries = new Retry({ total: 2, statusForcelist: [503] });
    for (let i = 0; i < 3; i++) {
      const error = await failure(manager.request("GET", origin.url, { retries }));
      assert.ok(error instanceof MaxRetryError);
      assert.ok(error.response instanceof HTTPResponse);
      assert.deepEqual(
        [error.response.status, await error.response.json()],
        [503, JSON.parse(String(down.body))],
      );
      assert.equal(error.response.isClosed, true);
      assert.equal((error.reason as ResponseError).response, error.response);
    }
    assert.deepEqual([origin.received.length, origin.accepted], [9, 1]);
  });

  it("too many redirects", async () => {
    await using origin = await startHttp(() => ({
      status: 302,
      headers: { Location: "/again" },
      body: "moved",
    }));
    using manager = new PoolManager();
    const error = await failure(manager.request("GET", origin.url, { retries: 2 }));
    assert.ok(error instanceof MaxRetryError);
    assert.deepEqual([error.response?.status, await error.response?.text()], [302, "moved"]);
  });

  it("a body without end is not waited for", async () => {
    const server = createServer((_request, response) => {
      response.writeHead(503);
      const pour = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on("drain", pour);
      pour();
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    await using manager = new PoolManager({ timeout: null });
    const retries = new Retry({ total: 1, statusForcelist: [503] });
    const error = await failure(manager.request("GET", url, { retries }));
    server.closeAllConnections();
    server.close();
    assert.ok(error instanceof MaxRetryError);
    assert.equal(error.response?.status, 503);
    assert.ok((error.response?.data.length ?? 0) <= 2_000_000);
  });

  it("there is none where no answer came", async () => {
    using manager = new PoolManager();
    const error = await failure(manager.request("GET", "http://127.0.0.1:1/", { retries: 1 }));
    assert.ok(error instanceof MaxRetryError);
    assert.equal(error.response, undefined);
  });
});

describe("a redirect to what cannot be requested names Location and scheme", () => {
  const rows: [location: string, scheme: string][] = [
    ["data:text/plain,x", "data"],
    ["file:///etc/passwd", "file"],
    ["mailto:ada@example.com", "mailto"],
    ["localhost:8080/x", "localhost"],
    ["javascript:alert(1)", "javascript"],
  ];
  for (const [location, scheme] of rows) {
    it(location, async () => {
      await using origin = await startHttp(() => ({ status: 302, headers: { Location: location } }));
      using manager = new PoolManager();
      using pool = connectionFromUrl(origin.url);
      for (const client of [manager, pool]) {
        const error = await failure(client.request("GET", origin.url));
        assert.ok(error instanceof URLSchemeUnknown, String(error));
        assert.equal(error.scheme, scheme);
        assert.ok(
          error.message.includes(`Redirected to "${location}": URLs with the scheme ${scheme}`),
          error.message,
        );
      }
    });
  }

  it("constructor: and __proto__: are schemes like any other, and do no harm", async () => {
    let location = "";
    await using origin = await startHttp(() => ({ status: 302, headers: { Location: location } }));
    using manager = new PoolManager();
    for (const scheme of ["constructor", "toString", "hasOwnProperty", "valueOf"]) {
      location = `${scheme}://x/`;
      for (const url of [origin.url, location]) {
        const error = await failure(manager.request("GET", url));
        assert.ok(error instanceof URLSchemeUnknown, String(error));
      }
    }
    assert.equal(manager.stats().pools.length, 1);
    manager.clear();
  });
});

describe("every rejected request has the frame of its caller", () => {
  const ROWS: [name: string, fail: (manager: PoolManager, url: string) => Promise<unknown>][] = [
    ["refused, not wrapped", (m) => m.request("GET", "http://127.0.0.1:1/", { retries: false })],
    ["refused, wrapped", (m) => m.request("GET", "http://127.0.0.1:1/", { retries: 1 })],
    ["a read timeout of a POST", (m, url) => m.request("POST", url, { timeout: 20, body: "x" })],
    ["a deadline", (m, url) => m.request("GET", url, { deadline: 20 })],
    ["a wrong option", (m, url) => m.request("GET", url, { deadline: -1 })],
    ["a URL that is none", (m) => m.request("GET", "http:///")],
    [
      "by a chain of then",
      (m) => m.request("GET", "http://127.0.0.1:1/", { retries: false }).then((r) => r.data),
    ],
  ];
  for (const [name, fail] of ROWS) {
    it(name, async () => {
      await using origin = await startHttp(() => new Promise(() => {}));
      using manager = new PoolManager();
      async function myFunction(): Promise<void> {
        await fail(manager, origin.url);
      }
      const { stack = "" } = await failure(myFunction());
      assert.match(stack, /myFunction/);
      assert.equal(stack.split("async myFunction").length <= 2, true, stack);
    });
  }

  const STREAMED = { preloadContent: false };
  const each = async (pieces: AsyncIterable<unknown>): Promise<void> => {
    for await (const _ of pieces);
  };
  const READS: Record<string, (response: HTTPResponse) => Promise<unknown>> = {
    "read()": (r) => r.read(),
    "read(amount)": (r) => r.read(1000),
    read1: async (r) => {
      while ((await r.read1(10)).length > 0);
    },
    text: (r) => r.text(),
    json: (r) => r.json(),
    bytes: (r) => r.bytes(),
    arrayBuffer: (r) => r.arrayBuffer(),
    blob: (r) => r.blob(),
    "for await": each,
    stream: (r) => each(r.stream(3)),
    lines: (r) => each(r.lines()),
    jsonLines: (r) => each(r.jsonLines()),
    events: (r) => each(r.events()),
    body: (r) => each(r.body),
    "a reader of body": async (r) => {
      const reader = r.body.getReader();
      while (!(await reader.read()).done);
    },
    readable: (r) => each(r.readable()),
  };
  for (const [name, read] of Object.entries(READS)) {
    it(`a body that breaks off, by ${name}`, async () => {
      await using origin = await startHttp(({ connection }) => {
        void connection.send(
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100\r\n\r\n1\n",
        );
        setTimeout(() => connection.halfClose(), 20);
        return undefined;
      });
      using manager = new PoolManager();
      async function myFunction(): Promise<void> {
        await read(await manager.request("GET", origin.url, STREAMED));
      }
      const error = await failure(myFunction());
      assert.ok(error instanceof IncompleteRead, String(error));
      assert.match(error.stack!, /myFunction/);
      assert.ok(error.stack!.split("async myFunction").length <= 2, error.stack);
    });
  }

  it("the signal's own reason is left as it is", async () => {
    using manager = new PoolManager();
    const reason = new HTTPError("mine");
    const { stack } = reason;
    const signal = AbortSignal.abort(reason);
    assert.equal(await failure(manager.request("GET", "http://127.0.0.1:1/", { signal })), reason);
    assert.ok(stack);
  });
});
