/** The command is there at once. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { BINARY } from "./kit.ts";

/** ms of the fastest of several runs: the others had to share the machine. */
function fastest(...args: string[]): number {
  const times = Array.from({ length: 8 }, () => {
    const begin = performance.now();
    assert.equal(spawnSync(process.execPath, args).status, 0);
    return performance.now() - begin;
  });
  return Math.min(...times);
}

test("it starts in less than 120 ms, or on a slow machine in three times what Node itself takes", () => {
  const own = fastest(BINARY, "--version");
  assert.ok(own < Math.max(120, 3 * fastest("--eval", "0")), `${own} ms`);
});
