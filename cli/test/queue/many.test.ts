/** Three workers, one of them killed, and a Redis that is killed and started again. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { skipWithout } from "../../../test/kit/daemon.ts";
import { ended, run, start, temporaryFolder } from "../kit.ts";
import { HERE, linesOf, startOrigin } from "./kit.ts";
import { startRedis } from "./redis.ts";

describe("many workers", { skip: skipWithout("redis-server"), concurrency: 1 }, () => {
  it("3,000 URLs on 60 hosts by three workers, one of them killed, Redis killed and started again: each has one result, no host is asked faster than its delay", async () => {
    await using redis = await startRedis();
    await using folder = await temporaryFolder();
    await using origin = await startOrigin(() => ({ status: 200 }));
    const delay = 50;
    const input = Array.from(
      { length: 3000 },
      (_, n) => `http://h${n % 60}.example:${origin.port}/${n}`,
    ).join("\n");
    const queue = ["--queue", redis.url, "--run", "big"];
    const added = await run(["queue", "add", ...queue], {
      input: `${input}\n${input.split("\n").slice(0, 100).join("\n")}`,
    });
    assert.match(added.text, /^3,000 added, 100 were there\n$/, added.err);
    const args = ["fetch-all", ...queue, ...HERE, "--delay", String(delay), "-j", "60", "-s"];
    const workers = [1, 2, 3].map((n) => start([...args, "-o", join(folder.path, String(n))]));
    const ends = workers.map(ended);
    const asked = (): number => [...origin.times.values()].reduce((sum, { length }) => sum + length, 0);
    const until = async (count: number): Promise<void> => {
      while (asked() < count) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    await until(300);
    workers[0]!.kill("SIGKILL");
    await until(900);
    await redis.restart();
    const [, second, third] = await Promise.all(ends);
    assert.deepEqual([second!.code, second!.err, third!.code, third!.err], [0, "", 0, ""]);

    const results = linesOf(await run(["queue", "results", ...queue]));
    assert.equal(results.length, 3000);
    assert.equal(new Set(results.map(({ url }) => url)).size, 3000);
    for (const { url, file, worker } of results) {
      const owner = workers.findIndex(({ pid }) => worker!.endsWith(`:${pid}`)) + 1;
      assert.equal(
        await readFile(join(folder.path, String(owner), file!), "utf8"),
        `body of ${new URL(url).pathname}`,
      );
    }
    const gaps = [...origin.times.values()].flatMap((times) =>
      times.slice(1).map((time, index) => time - times[index]!),
    );
    const least = Math.min(...gaps);
    assert.ok(least >= delay - 0.5, `${least} ms`);
    assert.ok(asked() < 3200, `${asked()} requests`);
    assert.match(
      (await run(["queue", "status", ...queue])).text,
      /^waiting 0\nreserved 0\nrunning 0\ndone 3,000\nfailed 0\n/,
    );
  });
});
