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
function cheapest(status: number, ...args: string[]): number {
  const times = Array.from({ length: 8 }, () => {
    const run = spawnSync(process.execPath, ["--import", METER, ...args], { encoding: "utf8" });
    assert.equal(run.status, status, run.stderr);
    return Number(run.stderr.split("\n").at(-1));
  });
  return Math.min(...times);
}

const bare = cheapest(0, "--eval", "0");

test("it starts in less than 120 ms, or on a slow machine in twice what Node itself takes", () => {
  const own = cheapest(0, BINARY, "--version");
  assert.ok(own > 0 && own < Math.max(120, 2 * bare), `${own} ms, Node ${bare} ms`);
});

test("a request costs less than 120 ms, or on a slow machine three times what Node itself takes", () => {
  // Nobody listens there: all parts of the command and the library are loaded, nothing is waited for.
  const own = cheapest(7, BINARY, "get", "http://127.0.0.1:9/");
  assert.ok(own > 0 && own < Math.max(120, 3 * bare), `${own} ms, Node ${bare} ms`);
});
