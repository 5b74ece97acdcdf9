/** The walk-through as a user would write it; every name is answered by an origin on a Unix socket. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { defaultKeyNormalizer, HTTPPoolKey, PoolManager } from "../../src/index.ts";
import { type HttpOrigin, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

let folder: string;
let origin: HttpOrigin;
let socketPath: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "urlpool-"));
  socketPath = join(folder, "origin.sock");
  origin = await startHttp(() => ({ headers: { Server: "walk-through" }, body: "{}" }), { path: socketPath });
});

after(async () => {
  await origin.close();
  await rm(folder, { recursive: true });
});

it("several hosts over one manager", async () => {
  const manager = new PoolManager(10, { socketPath });
  let r = await manager.request("GET", "http://example.com");
  assert.equal(r.headers.get("server"), "walk-through");
  r = await manager.request("GET", "http://httpbin.org/");
  r = await manager.request("POST", "http://httpbin.org/headers");
  r = await manager.request("HEAD", "http://httpbin.org/cookies");
  assert.equal(r.status, 200);
  assert.equal(manager.pools.size, 2);
  assert.equal(manager.connectionFromHost("httpbin.org").numRequests, 3);
  assert.equal(manager.connectionFromHost("httpbin.org").numConnections, 1);
  await manager.close();
});

it("a field of one's own is not in the key by default", () => {
  const m = new PoolManager(10, { myField: "wheat" } as object);
  m.connectionFromUrl("http://example.com");
  m.connectionPoolKw.myField = "barley";
  m.connectionFromUrl("http://example.com");
  assert.equal(m.pools.size, 1);
});

it("a key class with one more field", () => {
  const CustomKey = HTTPPoolKey.extend("myField");
  const k = new PoolManager(10, { myField: "wheat" } as object);
  k.keyFnByScheme.http = (context) => defaultKeyNormalizer(CustomKey, context);
  k.connectionFromUrl("http://example.com");
  k.connectionPoolKw.myField = "barley";
  k.connectionFromUrl("http://example.com");
  assert.equal(k.pools.size, 2);
});

it("using clears, await using waits", async () => {
  const kept: PoolManager[] = [];
  {
    using manager = new PoolManager(10, { socketPath });
    await manager.request("GET", "http://example.com");
    kept.push(manager);
  }
  assert.equal(kept[0]!.pools.size, 0);
  let ended = false;
  {
    await using manager = new PoolManager({ socketPath });
    manager.request("GET", "http://example.com").then(() => {
      ended = true;
    });
  }
  assert.equal(ended, true);
});
