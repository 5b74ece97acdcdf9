/** Managers and pools made to be extended: what a subclass overrides is asked, at every request. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  HTTPConnectionPool,
  type HTTPResponse,
  type PoolContext,
  PoolManager,
  type UrlopenOptions,
} from "../../src/index.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

describe("a subclass of PoolManager", () => {
  it("decides over the pool of every request, not of the first only", async () => {
    await using origin = await startHttp(() => "x");
    class Mapped extends PoolManager {
      override connectionFromHost(
        ...[, ...rest]: Parameters<PoolManager["connectionFromHost"]>
      ): HTTPConnectionPool {
        return super.connectionFromHost(origin.host, ...rest);
      }
    }
    using manager = new Mapped();
    for (let i = 0; i < 3; i++) await manager.request("GET", `http://mapped.test:${origin.port}/`);
    assert.equal(manager.pools.size, 1);
    assert.equal(manager.connectionFromUrl(origin.url).numRequests, 3);
  });

  it("decides over the context, and over the pool under a key", async () => {
    await using origin = await startHttp(() => "x");
    const seen: string[] = [];
    class Watched extends PoolManager {
      override connectionFromContext(context: PoolContext): HTTPConnectionPool {
        seen.push("context");
        return super.connectionFromContext(context);
      }
      override connectionFromPoolKey(
        ...args: Parameters<PoolManager["connectionFromPoolKey"]>
      ): HTTPConnectionPool {
        seen.push("key");
        return super.connectionFromPoolKey(...args);
      }
    }
    using manager = new Watched();
    await manager.request("GET", origin.url);
    await manager.request("GET", origin.url);
    assert.deepEqual(seen, ["context", "key", "context", "key"]);
  });

  it("sees each request in urlopen, its fields encoded", async () => {
    await using origin = await startHttp(() => "x");
    const seen: string[] = [];
    class Watched extends PoolManager {
      override urlopen(method: string, url: string, options?: UrlopenOptions): Promise<HTTPResponse> {
        seen.push(`${method} ${url}`);
        return super.urlopen(method, url, options);
      }
    }
    using manager = new Watched();
    await manager.request("get", origin.url, { fields: { a: "1" } });
    await manager.request("post", new URL(origin.url), { fields: { a: "1" } });
    assert.deepEqual(seen, [`GET ${origin.url}?a=1`, `POST ${origin.url}/`]);
  });
});

describe("a pool class of one's own", () => {
  it("makes the pools of its scheme, for this manager only", async () => {
    await using origin = await startHttp(() => "x");
    class Named extends HTTPConnectionPool {}
    using manager = new PoolManager();
    manager.poolClassesByScheme.http = Named;
    await manager.request("GET", origin.url);
    const pool = manager.connectionFromUrl(origin.url);
    assert.ok(pool instanceof Named);
    assert.equal(String(pool), `Named(host='${origin.host}', port=${origin.port})`);
    using other = new PoolManager();
    assert.ok(!(other.connectionFromUrl(origin.url) instanceof Named));
  });
});
