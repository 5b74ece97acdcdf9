/** `onRequest` and `onResponse`: once for each try, and what they change and throw counts. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type AttemptRequest, HTTPConnectionPool, PoolManager, Retry } from "../../src/index.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

describe("onRequest", () => {
  it("sets fields for each try, and they do not last", async () => {
    let served = 0;
    await using origin = await startHttp(({ target }) => {
      if (target === "/start") return { status: 302, headers: { Location: "/end" } };
      return { status: ++served === 1 ? 503 : 200, body: "x" };
    });
    await using manager = new PoolManager({
      headers: { "X-Own": "1" },
      retries: new Retry({ statusForcelist: [503] }),
      onRequest: ({ attempt, url, headers }) => {
        assert.equal(headers.get("traceparent"), null);
        headers.set("traceparent", `00-${attempt}-${new URL(url).pathname}`);
      },
    });
    const response = await manager.request("GET", `${origin.url}/start`);
    assert.equal(response.status, 200);
    assert.deepEqual(
      origin.received.map(({ header }) => [header("traceparent"), header("x-own")]),
      [
        ["00-1-/start", "1"],
        ["00-2-/end", "1"],
        ["00-3-/end", "1"],
      ],
    );
    assert.deepEqual(manager.headers, { "X-Own": "1" });
  });

  it("sees method and URL without credentials; a request's own takes the place of the manager's, null of any", async () => {
    await using origin = await startHttp(() => "x");
    const seen: string[] = [];
    const note =
      (who: string) =>
      ({ method, url }: AttemptRequest): void => {
        seen.push(`${who} ${method} ${url}`);
      };
    await using manager = new PoolManager({ onRequest: note("manager") });
    const secret = origin.url.replace("//", "//me:s3cr3t@");
    await manager.request("GET", secret);
    await manager.request("POST", origin.url, { body: () => "x", onRequest: note("request") });
    await manager.request("GET", origin.url, { onRequest: null });
    using pool = new HTTPConnectionPool(origin.host, origin.port, { onRequest: note("pool") });
    await pool.request("GET", "/p");
    assert.deepEqual(seen, [
      `manager GET ${origin.url}/`,
      `request POST ${origin.url}/`,
      `pool GET ${origin.url}/p`,
    ]);
    assert.equal(String(origin.received[1]!.body), "x");
  });

  it("ends the request with what it throws, and nothing is sent", async () => {
    await using origin = await startHttp(() => "x");
    const reason = new Error("no");
    await using manager = new PoolManager();
    const onRequest = (): void => {
      throw reason;
    };
    await assert.rejects(manager.request("GET", origin.url, { onRequest }), (error) => error === reason);
    await assert.rejects(
      manager.request("GET", origin.url, { onRequest: ({ headers }) => headers.set("X-A", "a\r\nb: 1") }),
      { code: "ERR_URLPOOL_INVALID_HEADER" },
    );
    assert.equal(origin.received.length, 0);
  });
});

describe("onResponse", () => {
  it("sees the head of each answer, also of those that are passed over", async () => {
    await using origin = await startHttp(({ target }) =>
      target === "/start"
        ? { status: 302, headers: { Location: "/end" } }
        : { headers: { "X-Id": "7" }, body: "x" },
    );
    const seen: unknown[] = [];
    await using manager = new PoolManager({
      onResponse: ({ method, url, attempt, status, headers }) => {
        seen.push([method, url, attempt, status, headers.get("x-id")]);
      },
    });
    await manager.request("GET", `${origin.url}/start`);
    const streamed = await manager.request("GET", `${origin.url}/end`, { preloadContent: false });
    assert.deepEqual(seen, [
      ["GET", `${origin.url}/start`, 1, 302, null],
      ["GET", `${origin.url}/end`, 2, 200, "7"],
      ["GET", `${origin.url}/end`, 1, 200, "7"],
    ]);
    assert.equal(await streamed.text(), "x");
  });

  it("ends the request with what it throws, and the connection is not lost", async () => {
    await using origin = await startHttp(() => "x");
    const reason = new Error("no");
    await using manager = new PoolManager();
    const onResponse = (): void => {
      throw reason;
    };
    for (const preloadContent of [true, false]) {
      await assert.rejects(
        manager.request("GET", origin.url, { onResponse, preloadContent }),
        (error) => error === reason,
      );
    }
    await manager.request("GET", origin.url);
    assert.equal(manager.stats().pools[0]!.busy, 0);
  });
});
