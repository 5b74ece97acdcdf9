/** The command is there at once. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { BINARY } from "./kit.ts";

/** ms of one run. */
function time(...args: string[]): number {
  const begin = performance.now();
  assert.equal(spawnSync(process.execPath, args).status, 0);
  return performance.now() - begin;
}

test("it starts in less than 120 ms, or on a machine with other work in four times what Node takes in the same moment", () => {
  const rounds = Array.from({ length: 12 }, () => ({
    own: time(BINARY, "--version"),
    node: time("--eval", "0"),
  }));
  const ok = rounds.some(({ own, node }) => own < Math.max(120, 4 * node));
  assert.ok(ok, JSON.stringify(rounds));
});
