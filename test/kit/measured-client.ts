/** A client in a process of its own, whose peak of memory is seen from outside. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

/** The built package, as users have it: hundreds of source files, loaded one by one, take memory of their own. */
const INDEX = import.meta.resolve("urlpool");

// Linux hands the parent's `maxRSS` on to the child; VmHWM starts anew.
const PRELUDE = `
  import { readFileSync } from "node:fs";
  import { PoolManager } from ${JSON.stringify(INDEX)};
  const peakMemory = () => process.platform === "linux"
    ? Number(/^VmHWM:\\s*(\\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))[1]) * 1024
    : process.resourceUsage().maxRSS * 1024;
  const report = (facts) => console.log(JSON.stringify({ ...facts, peak: peakMemory() }));
  const manager = new PoolManager();`;

/**
 * Runs `code`, a module's, with `manager`, `report(facts)` and `peakMemory()`; gives what it reports, and its peak in
 * bytes until then.
 */
export async function measuredClient(code: string): Promise<Record<string, unknown> & { peak: number }> {
  const program = `${PRELUDE}\n${code}\nmanager.clear();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  const closed = once(child, "close");
  const output = await text(child.stdout);
  assert.equal((await closed)[0], 0, output);
  return JSON.parse(output) as Record<string, unknown> & { peak: number };
}
