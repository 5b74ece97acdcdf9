/** Caches whose store is broken, full, or for others to read. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, it } from "node:test";
import {
  type Cached,
  type CacheStore,
  cached,
  cacheStatus,
  FileStore,
  MemoryStore,
} from "../../../src/cache.ts";
import { HTTPHeaderDict, HTTPResponse, type UrlopenOptions } from "../../../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "urlpool-broken-store-"));
let folders = 0;
after(() => rmSync(folder, { recursive: true, force: true }));

const FRESH = { "Cache-Control": "max-age=60", ETag: '"1"' };
const STALE = { "Cache-Control": "max-age=0", ETag: '"1"' };

/** A base without a network: asked again about what it has given it says 304. */
class Base {
  readonly asked: HTTPHeaderDict[] = [];
  headers = {};
  fields: Record<string, string> = FRESH;

  async urlopen(_method: string, url: string, { headers }: UrlopenOptions = {}): Promise<HTTPResponse> {
    const asked = new HTTPHeaderDict(headers);
    this.asked.push(asked);
    const status = asked.has("if-none-match") ? 304 : 200;
    return new HTTPResponse({ status, url, headers: this.fields, body: status === 304 ? null : "body" });
  }
}

async function get(cache: Cached, headers = {}): Promise<[string | null, number, string]> {
  const response = await cache.urlopen("GET", "http://a/", { headers });
  return [cacheStatus(response), response.status, await response.text()];
}

function files(path: string): string[] {
  const found = readdirSync(path, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

let base: Base;
let path: string;
beforeEach(() => {
  base = new Base();
  path = join(folder, `${++folders}`);
});

describe("a body that is gone or damaged", () => {
  for (const [name, damage] of Object.entries({
    cut: (file: string) => writeFileSync(file, "bo"),
    gone: (file: string) => rmSync(file),
  })) {
    for (const fields of [FRESH, STALE]) {
      it(`is fetched again, and then kept: ${name}, ${fields["Cache-Control"]}`, async () => {
        base.fields = fields;
        const cache = cached(base, { store: new FileStore(path) });
        await get(cache);
        for (const file of files(path)) if (file.endsWith(".body")) damage(file);
        assert.deepEqual(await get(cache), ["miss", 200, "body"]);
        assert.equal((await get(cache))[0], fields === FRESH ? "hit" : "revalidated");
      });
    }
  }
});

describe("a store that fails", () => {
  const WAYS: readonly (keyof CacheStore)[] = ["find", "put", "update", "delete"];

  for (const way of WAYS) {
    it(`costs warnings, not requests: ${way}`, async () => {
      const warned: string[] = [];
      const listener = ({ message }: Error): unknown => warned.push(message);
      process.on("warning", listener);
      const store = new MemoryStore();
      base.fields = STALE;
      const cache = cached(base, { store });
      await get(cache);
      Object.assign(store, { [way]: () => Promise.reject(new Error("broken disk")) });
      assert.deepEqual((await get(cache)).slice(1), [200, "body"]);
      const posted = await cache.urlopen("POST", "http://a/");
      assert.equal(posted.status, 200);
      base.fields = { "Cache-Control": "no-store" };
      assert.deepEqual((await get(cache)).slice(1), [200, "body"]);
      await new Promise((resolve) => setImmediate(resolve));
      process.off("warning", listener);
      assert.ok(way === "put" || warned.some((text) => /broken disk/.test(text)));
    });
  }

  it("leaves nothing of what it could not finish", async () => {
    const store = new FileStore(path);
    await get(cached(base, { store }));
    const [description] = files(path).filter((file) => file.endsWith(".json"));
    rmSync(path, { recursive: true });
    // Where the description should be there is a folder: it cannot be put there.
    mkdirSync(description!, { recursive: true });
    await get(cached(base, { store }));
    assert.deepEqual(files(path), []);
  });
});

it("what the caller's own If-None-Match finds unchanged is not forgotten", async () => {
  base.fields = STALE;
  const cache = cached(base, {});
  await get(cache);
  assert.deepEqual((await get(cache, { "If-None-Match": '"1"' })).slice(1), [304, ""]);
  assert.equal((await get(cache))[0], "revalidated");
});

it("files are for their owner only", { skip: process.platform === "win32" }, async () => {
  await get(cached(base, { store: new FileStore(path) }));
  const all = [path, ...readdirSync(path, { recursive: true }).map((name) => join(path, `${name}`))];
  assert.ok(all.length >= 5);
  for (const one of all) assert.equal(statSync(one).mode & 0o077, 0, one);
});
