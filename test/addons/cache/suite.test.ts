/** The public cache suite: what a private cache must do, and what it would best do. */

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type CacheMode, type CacheStore, FileStore, MemoryStore } from "../../../src/cache.ts";
import { runCase, type SuiteCase } from "./suite.ts";

const root = findRoot(dirname(fileURLToPath(import.meta.url)));
const cases = readFileSync(join(root, "test/data/cache-tests.jsonl"), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as SuiteCase)
  // 1xx answers are not the cache's.
  .filter(({ requests }) => requests.every((request) => request.expected_interim_responses === undefined));

/** Required cases that fail, and why. */
const FAILING: Readonly<Record<string, string>> = {
  "partial-use-headers": "its set-up wants a stored 206: partial responses are not stored",
  "partial-use-stored-headers": "its set-up wants a stored 206: partial responses are not stored",
};

/** Optional ones: fewer requests than there could be. */
const PASSED_ON: Readonly<Record<string, string>> = {
  "method-POST": "POST is not answered from the store",
  "vary-normalise-lang-order": "values of Accept-Language are compared as lists of texts",
  "vary-normalise-lang-case": "values of Accept-Language are compared as lists of texts",
  "vary-normalise-lang-select": "values of Accept-Language are compared as lists of texts",
  "partial-store-partial-reuse-partial": "ranges are passed through",
  "partial-store-complete-reuse-partial": "ranges are passed through",
  "partial-store-complete-reuse-partial-no-last": "ranges are passed through",
  "partial-store-complete-reuse-partial-suffix": "ranges are passed through",
  "partial-store-partial-reuse-partial-byterange": "ranges are passed through",
  "partial-store-partial-reuse-partial-absent": "ranges are passed through",
  "partial-store-partial-reuse-partial-suffix": "ranges are passed through",
  "partial-store-partial-complete": "ranges are passed through",
};

const required = cases.filter(({ kind = "required" }) => kind === "required");
const optimal = cases.filter(({ kind }) => kind === "optimal");

/** Ids of those that do not pass. */
async function failing(
  some: readonly SuiteCase[],
  makeStore: () => CacheStore,
  mode?: CacheMode,
): Promise<string[]> {
  const ids: string[] = [];
  for (const one of some) if ((await runCase(one, makeStore(), mode)) !== null) ids.push(one.id);
  return ids;
}

describe("the public cache suite", () => {
  it("is all there", () => {
    assert.deepEqual([required.length, optimal.length], [134, 75]);
  });

  for (const one of [...required, ...optimal]) {
    const name = `${one.kind ?? "required"}: ${one.suite}/${one.id}`;
    const known = FAILING[one.id] ?? PASSED_ON[one.id];
    it(known === undefined ? name : `${name} fails: ${known}`, async () => {
      const verdict = await runCase(one, new MemoryStore());
      if (known === undefined) assert.equal(verdict, null);
      else assert.notEqual(verdict, null, "it passes now: take it off the list");
    });
  }

  it("fails without a cache where it should: the runner can tell", async () => {
    assert.ok((await failing(required, () => new MemoryStore(), "no-store")).length > 50);
    assert.equal((await failing(optimal, () => new MemoryStore(), "no-store")).length, optimal.length);
  });

  it("comes out the same over files", async () => {
    const folder = mkdtempSync(join(tmpdir(), "urlpool-cache-"));
    try {
      let count = 0;
      const ids = await failing([...required, ...optimal], () => new FileStore(join(folder, `${++count}`)));
      assert.deepEqual(ids.sort(), [...Object.keys(FAILING), ...Object.keys(PASSED_ON)].sort());
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

function findRoot(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : findRoot(dirname(folder));
}
