/** Which error a request that cannot even begin, or is stopped by its caller, rejects with. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ClosedPoolError,
  DeadlineError,
  HostChangedError,
  HTTPConnectionPool,
  type HTTPError,
  InvalidHeader,
  LocationParseError,
  LocationValueError,
  PoolManager,
  URLSchemeUnknown,
} from "../../src/index.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

const never = (): Promise<string> => new Promise(() => {});

describe("a request that cannot begin names its method and URL", () => {
  const cases: [url: string, kind: new (...args: never[]) => HTTPError, headers?: Record<string, string>][] =
    [
      ["ftp://a.test/x", URLSchemeUnknown],
      ["http://a.test:99999/x", LocationParseError],
      ["http:///x", LocationValueError],
      ["http://a.test/x", InvalidHeader, { "X-A": "1\r\nX-B: 2" }],
    ];
  for (const [url, kind, headers] of cases) {
    it(`${kind.name}: ${url}`, async () => {
      await using manager = new PoolManager();
      await assert.rejects(manager.request("GET", url, headers && { headers }), (error) => {
        assert.ok(error instanceof kind, String(error));
        assert.deepEqual([error.method, error.url], ["GET", url]);
        assert.ok(error.message.startsWith(`GET ${url}: `), error.message);
        return true;
      });
    });
  }

  it("HostChangedError and ClosedPoolError of a pool", async () => {
    const pool = new HTTPConnectionPool("a.test");
    await assert.rejects(pool.request("PUT", "http://b.test/x"), (error) => {
      assert.ok(error instanceof HostChangedError);
      assert.deepEqual([error.method, error.url], ["PUT", "http://b.test/x"]);
      return true;
    });
    pool.close();
    await assert.rejects(pool.request("PUT", "/x"), (error) => {
      assert.ok(error instanceof ClosedPoolError);
      assert.deepEqual([error.method, error.url], ["PUT", "http://a.test/x"]);
      return true;
    });
  });

  it("a redirect that leads nowhere names the request that was redirected", async () => {
    await using origin = await startHttp(() => ({
      status: 302,
      headers: [["Location", "gopher://a.test/"]],
    }));
    await using manager = new PoolManager();
    await assert.rejects(manager.request("GET", origin.url), (error) => {
      assert.ok(error instanceof URLSchemeUnknown);
      assert.deepEqual([error.scheme, error.method, error.url], ["gopher", "GET", `${origin.url}/`]);
      return true;
    });
  });
});

describe("a body function that is not done", () => {
  it("does not hold up the signal, or the deadline", async () => {
    await using origin = await startHttp();
    await using manager = new PoolManager();
    const abort = new AbortController();
    const waiting = manager.request("POST", origin.url, { body: never, signal: abort.signal });
    abort.abort("enough");
    await assert.rejects(waiting, (reason) => reason === "enough");
    const late = manager.request("POST", origin.url, { body: never, deadline: 20 });
    await assert.rejects(late, DeadlineError);
    assert.equal(origin.accepted, 0);
  });

  it("is not called if the signal was aborted before", async () => {
    await using manager = new PoolManager();
    let calls = 0;
    const body = (): string => {
      calls++;
      return "x";
    };
    const signal = AbortSignal.abort("before");
    await assert.rejects(
      manager.request("POST", "http://127.0.0.1:9/", { body, signal }),
      (reason) => reason === "before",
    );
    assert.equal(calls, 0);
  });
});
