/** Where responses are kept: in memory and in files. */

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { type CacheMeta, type CacheStore, FileStore, MemoryStore } from "../../../src/cache.ts";

const folder = mkdtempSync(join(tmpdir(), "urlpool-store-"));
let folders = 0;
const fresh = (): string => join(folder, `${++folders}`);
after(() => rmSync(folder, { recursive: true, force: true }));

function meta(url: string, more: Partial<CacheMeta> = {}): CacheMeta {
  const times = { requestTime: 1, responseTime: 2 };
  return { url, status: 200, reason: "OK", version: 11, headers: [["A", "1"]], vary: {}, ...times, ...more };
}

const STORES: Record<string, () => CacheStore> = {
  MemoryStore: () => new MemoryStore(),
  FileStore: () => new FileStore(fresh()),
};

async function bodies(store: CacheStore, url: string): Promise<string[]> {
  const found = await store.find(url);
  return (await Promise.all(found.map(async (entry) => String(await entry.body())))).sort();
}

for (const [name, make] of Object.entries(STORES)) {
  describe(name, () => {
    it("gives back what was put, byte by byte", async () => {
      const store = make();
      const body = Buffer.from(Array.from({ length: 256 }, (_byte, index) => index));
      await store.put(meta("http://a/"), body);
      const [entry] = await store.find("http://a/");
      assert.deepEqual(entry!.meta, meta("http://a/"));
      assert.deepEqual(await entry!.body(), body);
      assert.deepEqual(await store.find("http://b/"), []);
    });

    it("keeps variants apart, and replaces one of the same values", async () => {
      const store = make();
      await store.put(meta("http://a/", { vary: { x: "1" } }), Buffer.from("one"));
      await store.put(meta("http://a/", { vary: { x: null } }), Buffer.from("none"));
      await store.put(meta("http://a/", { vary: { x: "1" } }), Buffer.from("one again"));
      assert.deepEqual(await bodies(store, "http://a/"), ["none", "one again"]);
    });

    it("updates what is known and leaves the body", async () => {
      const store = make();
      await store.update(meta("http://a/"));
      assert.deepEqual(await store.find("http://a/"), []);
      await store.put(meta("http://a/"), Buffer.from("body"));
      await store.update(meta("http://a/", { responseTime: 9 }));
      const [entry] = await store.find("http://a/");
      assert.deepEqual([entry!.meta.responseTime, String(await entry!.body())], [9, "body"]);
    });

    it("deletes a URL, or all", async () => {
      const store = make();
      for (const url of ["http://a/", "http://b/"]) await store.put(meta(url), Buffer.from(url));
      await store.delete("http://a/");
      assert.deepEqual(
        [await bodies(store, "http://a/"), await bodies(store, "http://b/")],
        [[], ["http://b/"]],
      );
      await store.clear();
      assert.deepEqual(await bodies(store, "http://b/"), []);
    });
  });
}

describe("MemoryStore", () => {
  it("stays within its bytes; what was asked for last stays", async () => {
    const store = new MemoryStore({ maxSize: 10_000 });
    for (const name of ["a", "b", "c"]) await store.put(meta(`http://${name}/`), Buffer.alloc(2_500));
    await store.find("http://a/");
    await store.put(meta("http://d/"), Buffer.alloc(2_500));
    const kept = await Promise.all(
      ["a", "b", "c", "d"].map(async (name) => (await store.find(`http://${name}/`)).length),
    );
    assert.deepEqual(kept, [1, 0, 1, 1]);
    assert.ok(store.size <= 10_000);
    await store.put(meta("http://big/"), Buffer.alloc(10_001));
    assert.deepEqual(await store.find("http://big/"), []);
    for (const name of ["a", "c", "d"]) await store.delete(`http://${name}/`);
    assert.equal(store.size, 0);
  });

  it("does not share its memory with who put it there", async () => {
    const store = new MemoryStore();
    const body = Buffer.from("body");
    await store.put(meta("http://a/"), body);
    body.fill("x");
    assert.deepEqual(await bodies(store, "http://a/"), ["body"]);
  });
});

describe("FileStore", () => {
  it("takes damaged files for none", async () => {
    const path = fresh();
    const store = new FileStore(path);
    await store.put(meta("http://a/"), Buffer.from("body"));
    for (const [suffix, text] of [
      [".json", "{"],
      [".json", '{"meta":{}}'],
      [".json", '{"meta":{"headers":[]},"body":"../../x"}'],
    ] as const) {
      for (const name of files(path, suffix)) writeFileSync(join(path, name), text);
      assert.deepEqual(await store.find("http://a/"), []);
    }
    await store.put(meta("http://a/"), Buffer.from("body"));
    for (const name of files(path, ".body")) writeFileSync(join(path, name), "bo");
    const [entry] = await store.find("http://a/");
    assert.equal(await entry!.body(), null);
  });

  it("deletes the oldest beyond its size, and what was left unfinished", async () => {
    const path = fresh();
    const store = new FileStore(path, { maxSize: 30_000 });
    for (let index = 0; index < 10; index++) {
      await store.put(meta(`http://${index}/`), Buffer.alloc(6_000, `${index}`));
      for (const name of files(path, ".json")) if (!stamped.has(name)) stamp(path, name, index);
    }
    const old = new Date(Date.now() - 10_000_000);
    for (const name of ["left.part", "left.body"]) {
      writeFileSync(join(path, name), "x");
      utimesSync(join(path, name), old, old);
    }
    await store.sweep();
    const kept = await Promise.all(
      Array.from({ length: 10 }, async (_none, index) => (await store.find(`http://${index}/`)).length),
    );
    assert.deepEqual(kept.slice(0, 5), [0, 0, 0, 0, 0]);
    assert.ok(kept.at(-1) === 1);
    assert.deepEqual(files(path, "left.part"), []);
  });

  it("is shared by processes: nobody ever reads half of a response", async () => {
    const path = fresh();
    const children = Array.from({ length: 3 }, (_none, index) =>
      fork(new URL("store-writer.js", import.meta.url), [path, String(index)]),
    );
    const results = await Promise.all(
      children.map(
        (child) =>
          new Promise<unknown>((resolve, reject) => {
            child
              .on("message", resolve)
              .on("error", reject)
              .on("exit", (code) => code !== 0 && reject(new Error(`exit ${code}`)));
          }),
      ),
    );
    for (const result of results) assert.deepEqual((result as { torn: number }).torn, 0);
    assert.ok(results.some((result) => (result as { read: number }).read > 50));
  });
});

const stamped = new Set<string>();

/** Puts a file in its place in time. */
function stamp(path: string, name: string, index: number): void {
  stamped.add(name);
  const time = new Date(Date.now() - 1_000_000 + index * 1_000);
  utimesSync(join(path, name), time, time);
}

function files(path: string, suffix: string): string[] {
  return readdirSync(path, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(suffix));
}
