/** What `console.log` and `JSON.stringify` show of managers and pools: what they do, and no credentials. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { inspect } from "node:util";
import { HTTPSConnectionPool, PoolManager, ProxyManager, parseUrl } from "../../src/index.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

const SECRET = "s3cr3t";
const OPTIONS = {
  headers: { Authorization: `Bearer ${SECRET}`, Cookie: SECRET },
  keyPassword: SECRET,
  proxyHeaders: { "Proxy-Authorization": SECRET },
};

it("managers and pools show no credentials", () => {
  const shown = [
    new PoolManager(OPTIONS),
    new PoolManager({ ...OPTIONS, proxy: `http://me:${SECRET}@proxy.test` }),
    new ProxyManager(`http://me:${SECRET}@proxy.test`, OPTIONS),
    new HTTPSConnectionPool("h", 443, OPTIONS),
  ];
  (shown[0] as PoolManager).connectionFromUrl("https://h/");
  (shown[2] as PoolManager).connectionFromUrl("https://h/");
  for (const one of shown) {
    const texts = [
      inspect(one),
      inspect({ nested: [one] }, { depth: 9, showHidden: true }),
      JSON.stringify(one),
      `${one}`,
    ];
    for (const text of texts) assert.ok(!text.includes(SECRET), text);
  }
});

it("parsed URLs show their parts, and no credentials", () => {
  const url = parseUrl(`http://me:${SECRET}@h:81/x`);
  for (const text of [inspect(url), inspect([url]), JSON.stringify(url)]) {
    assert.ok(!text.includes(SECRET), text);
    assert.match(text, /\[redacted\].*81/s);
  }
  assert.equal(url.auth, `me:${SECRET}`);
  assert.equal(JSON.parse(JSON.stringify(parseUrl("http://h/"))).auth, null);
});

it("they show what they do", async () => {
  await using origin = await startHttp(() => "x");
  using manager = new PoolManager();
  await manager.request("GET", origin.url);
  await new Promise((resolve) => setImmediate(resolve));
  assert.match(inspect(manager), /^PoolManager \{/);
  assert.match(inspect(manager), new RegExp(`${origin.url} idle=1 busy=0 queued=0`));
  assert.match(inspect(manager), /openConnections: 1/);
  const pool = manager.connectionFromUrl(origin.url);
  assert.match(
    inspect(pool),
    /^HTTPConnectionPool\(host='127\.0\.0\.1', port=\d+\) \{\s+proxy: null,\s+idle: 1,\s+busy: 0,\s+queued: 0/s,
  );
  assert.deepEqual(JSON.parse(JSON.stringify(pool)), { ...pool.stats() });
  assert.deepEqual(JSON.parse(JSON.stringify(manager)).pools, [pool.stats()]);
});
