/** The command is there at once. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { BINARY } from "./kit.ts";

/** Writes the processor time of a process in ms as the last line of its standard error: a loaded machine does not stretch it. */
const METER = `data:text/javascript,${encodeURIComponent(`
  import { writeSync } from "node:fs";
  process.on("exit", () => {
    const { user, system } = process.cpuUsage();
    writeSync(2, "\\n" + (user + system) / 1000);
  });
`)}`;

/** ms of processor time of the cheapest of several runs. */
function cheapest(...args: string[]): number {
  const times = Array.from({ length: 8 }, () => {
    const run = spawnSync(process.execPath, ["--import", METER, ...args], { encoding: "utf8" });
    assert.equal(run.status, 0, run.stderr);
    return Number(run.stderr.split("\n").at(-1));
  });
  return Math.min(...times);
}

const bare = cheapest("--eval", "0");

test("it starts in less than 120 ms, or on a slow machine in twice what Node itself takes", () => {
  const own = cheapest(BINARY, "--version");
  assert.ok(own > 0 && own < Math.max(120, 2 * bare), `${own} ms, Node ${bare} ms`);
});
