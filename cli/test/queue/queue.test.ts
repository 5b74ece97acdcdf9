/** The commands of the queue, over a real Redis. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { skipWithout } from "../../../test/kit/daemon.ts";
import { run, temporaryFolder } from "../kit.ts";
import { HERE, linesOf, startOrigin } from "./kit.ts";
import { startRedis } from "./redis.ts";

describe("the queue", { skip: skipWithout("redis-server"), concurrency: 1 }, () => {
  it("failures are kept, and tried again on request; Retry-After holds for all workers; drain takes out what waits", async () => {
    await using redis = await startRedis();
    await using folder = await temporaryFolder();
    let broken = true;
    let busy = true;
    await using origin = await startOrigin((path, host) => {
      if (host === "busy.example" && busy) {
        busy = false;
        return { status: 429, headers: { "Retry-After": "1" } };
      }
      if (path === "/moved")
        return { status: 302, headers: { Location: `http://other.example:${origin.port}/there` } };
      return { status: path === "/bad" && broken ? 404 : 200 };
    });
    const queue = ["--queue", redis.url, "--run", "small"];
    const url = (host: string, path: string): string => `http://${host}.example:${origin.port}/${path}`;
    const list = [url("a", "bad"), url("a", "moved"), ...[1, 2, 3, 4].map((n) => url("busy", String(n)))];
    assert.equal(
      (await run(["queue", "add", ...queue, "--retry-delay", "0.1"], { input: list.join("\n") })).code,
      0,
    );
    const args = ["fetch-all", ...queue, ...HERE, "--delay", "10", "-s", "-o", folder.path];
    const ends = await Promise.all([run(args), run(args)]);
    assert.deepEqual(ends.map(({ code }) => code).sort(), [0, 1]);
    const [first, again] = origin.times.get("busy.example") as [number, number];
    assert.ok(again - first >= 999, `${again - first} ms`);

    const [lost, ...none] = linesOf(await run(["queue", "failed", ...queue]));
    assert.deepEqual(
      [lost!.url, lost!.status, lost!.error!.code, lost!.attempts, none],
      [list[0], 404, "STATUS", 1, []],
    );
    broken = false;
    assert.equal((await run(["queue", "retry", ...queue])).text, "1 will be tried again\n");
    assert.equal((await run(args)).code, 0);
    const results = linesOf(await run(["queue", "results", ...queue]));
    assert.equal(results.length, 6);
    const moved = results.find(({ url: from }) => from === list[1])!;
    assert.equal(moved.finalUrl, url("other", "there"));
    assert.ok(existsSync(join(folder.path, moved.file!)));

    await run(["queue", "add", ...queue], { input: `${list.join("\n")}\n${url("a", "new")}` });
    assert.match((await run(["queue", "status", ...queue])).text, /^waiting 1\n/);
    assert.match(
      (await run(["queue", "drain", ...queue])).text,
      /^waiting 0\nreserved 0\nrunning 0\ndone 6\n/,
    );
  });

  it("says what is wrong: no Redis, no queue, no such action", async () => {
    assert.deepEqual((await run(["queue", "status", "--queue", "redis://127.0.0.1:1"])).code, 7);
    for (const args of [
      ["queue"],
      ["queue", "status"],
      ["queue", "toString", "--queue", "redis://x"],
      ["queue", "status", "--queue", "http://x"],
    ]) {
      assert.equal((await run(args)).code, 2, args.join(" "));
    }
  });
});
