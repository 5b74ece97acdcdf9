/** A run of `urlpool fetch-all` that was killed or interrupted is gone on with. */

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { startHttp } from "../../../test/kit/http-origin.ts";
import { seededRandom } from "../../../test/kit/seed.ts";
import { ended, run, start, temporaryFolder } from "../kit.ts";
import { HERE, listOf, resultsIn } from "./kit.ts";

describe("going on", { concurrency: 2 }, () => {
  it("killed at any moment, again and again, it loses nothing and has nothing twice", async () => {
    const random = seededRandom();
    await using folder = await temporaryFolder();
    const served = new Map<string, number>();
    await using origin = await startHttp(async ({ target }) => {
      served.set(target, (served.get(target) ?? 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, 5));
      return `body of ${target}`;
    });
    const list = join(folder.path, "list");
    await writeFile(list, listOf(origin, 150, 3));
    const args = [
      "fetch-all",
      ...HERE,
      "-i",
      list,
      "-o",
      join(folder.path, "out"),
      "-s",
      "--resume",
      "--per-host",
      "2",
    ];
    let kills = 0;
    for (;;) {
      const child = start(args);
      const end = ended(child);
      const [before, moment] = [origin.received.length, 1 + Math.floor(random() * 60)];
      const watch = setInterval(() => origin.received.length >= before + moment && child.kill("SIGKILL"), 1);
      const { signal, code, err } = await end;
      clearInterval(watch);
      if (signal === null) {
        assert.deepEqual([code, err], [0, ""]);
        break;
      }
      kills += 1;
      // As if the process had been killed in the middle of a line.
      const results = join(folder.path, "out/.urlpool/results.jsonl");
      if (kills === 2 && existsSync(results)) await writeFile(results, '{"key":"cut', { flag: "a" });
      assert.ok(kills < 100);
    }
    assert.ok(kills > 0);
    const results = resultsIn(join(folder.path, "out"));
    assert.equal(results.length, 150);
    assert.equal(new Set(results.map(({ key }) => key)).size, 150);
    for (const { url, file } of results) {
      assert.equal(
        await readFile(join(folder.path, "out", file!), "utf8"),
        `body of ${new URL(url).pathname}`,
      );
    }
    // A kill repeats what was under way: two of each of three hosts.
    const fetched = [...served.values()].reduce((sum, count) => sum + count, 0);
    assert.ok(fetched <= 150 + kills * 6, `${fetched} fetched with ${kills} kills`);
  });

  it("only the failed ones again, also when that was interrupted; each has one result", async () => {
    await using folder = await temporaryFolder();
    let down = true;
    await using origin = await startHttp(async ({ target }) => {
      if (!down) await new Promise((resolve) => setTimeout(resolve, 30));
      return down && Number(target.slice(1)) % 3 === 0 ? { status: 404 } : target;
    });
    const list = join(folder.path, "list");
    const out = join(folder.path, "out");
    await writeFile(list, listOf(origin, 60));
    const args = ["fetch-all", ...HERE, "-i", list, "-o", out, "-s"];
    assert.equal((await run(args)).code, 1);
    const again = await run(args);
    assert.deepEqual([again.code, /--resume or --only-failed/.test(again.err)], [2, true]);
    down = false;
    const asked = origin.received.length;
    const child = start([...args, "--only-failed", "--per-host", "1"]);
    const end = ended(child);
    while (origin.received.length < asked + 5) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill("SIGKILL");
    await end;
    assert.equal((await run([...args, "--only-failed"])).code, 0);
    const results = resultsIn(out);
    assert.equal(results.length, 60);
    assert.ok(results.every(({ ok }) => ok));
    assert.equal(new Set(results.map(({ key }) => key)).size, 60);
    assert.ok(origin.received.length - asked <= 25, "only the failed ones were asked for");
    assert.deepEqual(readdirSync(join(out, ".urlpool")), ["results.jsonl"]);
  });

  it("Ctrl-C ends it in order, with what was done", async () => {
    await using folder = await temporaryFolder();
    await using origin = await startHttp(async ({ target }) => {
      if (Number(target.slice(1)) >= 20) await new Promise((resolve) => setTimeout(resolve, 100_000).unref());
      return target;
    });
    const child = start(["fetch-all", ...HERE, "-o", folder.path]);
    child.stdin.end(listOf(origin, 100));
    const end = ended(child);
    while (origin.received.length < 24) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill("SIGINT");
    const { code, err } = await end;
    assert.equal(code, 130);
    assert.match(err, /^20 URLs, /m);
    assert.equal(resultsIn(folder.path).length, 20);
    assert.ok(!existsSync(join(folder.path, ".urlpool/results.jsonl.lock")));
  });

  it("one process at a time writes a folder", async () => {
    await using folder = await temporaryFolder();
    await using origin = await startHttp(
      () => new Promise((resolve) => setTimeout(() => resolve("x"), 1500)),
    );
    const first = start(["fetch-all", ...HERE, "-o", folder.path]);
    first.stdin.end(listOf(origin, 1));
    const end = ended(first);
    while (origin.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const second = await run(["fetch-all", "--resume", "-o", folder.path], { input: "" });
    assert.deepEqual([second.code, second.err.includes(`process ${first.pid} is writing`)], [2, true]);
    assert.equal((await end).code, 0);
  });
});
