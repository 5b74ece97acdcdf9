/** The sets of a `Retry` cannot be changed: the defaults are shared by all. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Retry } from "../../src/index.ts";

describe("sets of a Retry", () => {
  const custom = new Retry({
    allowedMethods: ["POST"],
    statusForcelist: [500],
    removeHeadersOnRedirect: ["X-Key"],
  });
  const sets: [name: string, set: unknown][] = [
    ["default allowedMethods", new Retry().allowedMethods],
    ["default statusForcelist", new Retry().statusForcelist],
    ["default removeHeadersOnRedirect", new Retry().removeHeadersOnRedirect],
    ["DEFAULT_ALLOWED_METHODS", Retry.DEFAULT_ALLOWED_METHODS],
    ["RETRY_AFTER_STATUS_CODES", Retry.RETRY_AFTER_STATUS_CODES],
    ["DEFAULT_REMOVE_HEADERS_ON_REDIRECT", Retry.DEFAULT_REMOVE_HEADERS_ON_REDIRECT],
    ["allowedMethods", custom.allowedMethods],
    ["statusForcelist", custom.statusForcelist],
    ["removeHeadersOnRedirect", custom.removeHeadersOnRedirect],
  ];
  for (const [name, value] of sets) {
    it(`${name} is as it was after any attempt to change it`, () => {
      const set = value as Set<unknown>;
      const before = [...set];
      assert.throws(() => set.add("POST"), TypeError);
      assert.throws(() => set.delete("cookie"), TypeError);
      assert.throws(() => set.clear(), TypeError);
      assert.deepEqual([...set], before);
    });
  }
});
