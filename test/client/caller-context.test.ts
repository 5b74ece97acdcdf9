/** What a caller is told, and where its functions run. */

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { it } from "node:test";
import {
  ConnectTimeoutError,
  EmptyPoolError,
  HTTPConnectionPool,
  PoolManager,
  Timeout,
} from "../../src/index.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

it("callbacks and body generators ran in the context of the request that had opened the connection", async () => {
  await using origin = await startHttp(() => "x".repeat(100_000));
  await using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
  const context = new AsyncLocalStorage<string>();
  const wrong: string[] = [];
  const ask = (tenant: string): Promise<unknown> =>
    context.run(tenant, () => {
      const see = (what: string) => () => {
        if (context.getStore() !== tenant) wrong.push(`${what} of ${tenant} ran as ${context.getStore()}`);
      };
      const body = (async function* () {
        see("generator")();
        yield "a";
      })();
      const progress = { onUploadProgress: see("upload"), onDownloadProgress: see("download") };
      return pool.request("POST", "/", {
        body,
        ...progress,
        onRequest: see("onRequest"),
        onResponse: see("onResponse"),
      });
    });
  await ask("A");
  await ask("B");
  assert.deepEqual(wrong, []);
});

it("json() of something else said neither which answer it was nor what that says it is", async () => {
  await using origin = await startHttp(() => ({
    status: 502,
    headers: { "Content-Type": "text/html" },
    body: "<p>",
  }));
  await using manager = new PoolManager();
  const response = await manager.request("GET", `http://u:secret@127.0.0.1:${origin.port}/a`);
  await assert.rejects(response.json(), (error: Error) => {
    assert.ok(error instanceof SyntaxError);
    assert.match(
      error.message,
      /^GET http:\/\/127\.0\.0\.1:\d+\/a: the body is not JSON \(status 502, text\/html\)/,
    );
    return error.cause instanceof SyntaxError;
  });
});

it("a total that was over in the line sent the request all the same, with 0 ms left", async () => {
  let asked = 0;
  await using origin = await startHttp(async () => {
    asked++;
    await new Promise((resolve) => setTimeout(resolve, 150));
    return "late";
  });
  await using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1, retries: false });
  const timeout = new Timeout({ total: 250 });
  const outcomes = await Promise.all(
    Array.from({ length: 4 }, () =>
      pool.request("POST", "/", { timeout }).then(
        () => null,
        (error) => error,
      ),
    ),
  );
  assert.equal(outcomes[0], null);
  assert.ok(asked <= 2, `${asked} were sent`);
  for (const error of outcomes.slice(2)) {
    assert.ok(error instanceof EmptyPoolError || error instanceof ConnectTimeoutError, String(error));
  }
});
