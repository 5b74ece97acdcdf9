/** Lists, results and disks as they should not be. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, it } from "node:test";
import { startHttp } from "../../../test/kit/http-origin.ts";
import { type Ended, ended, run, start, temporaryFolder } from "../kit.ts";
import { HERE, printed, resultsIn, resultsOf } from "./kit.ts";

describe("a list from strangers", { concurrency: 2 }, () => {
  it("writes nothing outside its folder, and no two URLs to one file", async () => {
    await using folder = await temporaryFolder();
    await using origin = await startHttp(({ target }) => target);
    const wanted = [
      "../../up",
      "/abs/olute",
      "C:\\windows",
      "a\0b",
      "",
      "/",
      "..",
      ".urlpool/results.jsonl",
      "same",
      "SAME",
      "same/below",
    ];
    const lines = wanted.map((out, n) =>
      JSON.stringify({ url: `http://h.example:${origin.port}/${n}`, out }),
    );
    const paths = [
      "%2e%2e/%2e%2e/x",
      "..%2f..%2fx",
      "..%5c..%5cx",
      "%00",
      "con",
      "Case",
      "case",
      "x".repeat(2000),
    ];
    lines.push(...paths.map((path) => `http://h.example:${origin.port}/${path}`));
    const out = join(folder.path, "out");
    const { code, err } = await run(["fetch-all", ...HERE, "-o", out], { input: lines.join("\n") });
    assert.equal(code, 0, err);
    assert.deepEqual(readdirSync(folder.path), ["out"]);
    const files = resultsIn(out).map(({ file }) => file!);
    assert.equal(files.length, lines.length);
    assert.equal(new Set(files.map((file) => file.toLowerCase())).size, files.length);
    for (const file of files) {
      assert.ok(
        resolve(out, file).startsWith(`${out}/`) && !resolve(out, file).startsWith(`${out}/.urlpool`),
        file,
      );
      assert.ok(existsSync(join(out, file)), file);
    }
  });

  it("has a result for each line that is no URL, and goes on behind a line without an end in sight", async () => {
    await using origin = await startHttp(() => "x");
    const bad = [
      "{broken",
      "[]",
      '{"url":1}',
      '{"url":"http://h:PORT/","method":"CONNECT"}',
      '{"url":"http://h:PORT/1","headers":[]}',
    ];
    const list = [...bad, "x".repeat(9_000_000), "http://h:PORT/good"];
    const { code, results } = await printed(origin, list.join("\n"));
    assert.equal(code, 1);
    assert.deepEqual(results.map(({ error }) => error?.code ?? "good").sort(), [
      ...Array(6).fill("INPUT"),
      "good",
    ]);
    assert.match(results.find(({ url }) => url.startsWith("xxx"))!.error!.message, /longer than/);
  });
});

describe("results", { concurrency: 2 }, () => {
  it("to a device or standard output need no lock and no past", {
    skip: !existsSync("/dev/full"),
  }, async () => {
    await using origin = await startHttp(() => "x");
    const to = (path: string): Promise<Ended> => run(["fetch-all", "-s", "--results", path, origin.url]);
    const standard = await to("-");
    assert.deepEqual([standard.code, resultsOf(standard.text).length], [0, 1]);
    assert.equal((await to("/dev/null")).code, 0);
    assert.equal((await to("/dev/full")).code, 23);
    assert.ok(!existsSync("-") && !existsSync("/dev/null.lock") && !existsSync("/dev/full.lock"));
    assert.equal((await run(["fetch-all", "--results", "-", "--resume"], { input: "" })).code, 2);
  });

  it("that cannot be written end the run with 23, and the lock goes", {
    skip: process.platform === "win32",
  }, async () => {
    await using folder = await temporaryFolder();
    await using origin = await startHttp(() => "x");
    const list = Array.from({ length: 300 }, (_, n) => `${origin.url}/${n}`).join("\n");
    // 8 blocks of 512 bytes: as if the disk were full.
    const child = start(["fetch-all", "-s", "-o", folder.path], { limit: "ulimit -f 8" });
    child.stdin.on("error", () => {});
    child.stdin.end(list);
    const { code, err } = await ended(child);
    assert.equal(code, 23, err);
    assert.match(err, /^urlpool: cannot write [^\n]+\n$/);
    assert.deepEqual(readdirSync(join(folder.path, ".urlpool")), ["results.jsonl"]);
    const rest = await run(["fetch-all", "-s", "-o", folder.path, "--resume"], { input: list });
    assert.equal(rest.code, 0, rest.err);
    const keys = resultsIn(folder.path).map(({ key }) => key);
    assert.deepEqual([keys.length, new Set(keys).size], [300, 300]);
  });

  it("that cannot be written leave the picture of the run", {
    skip: !existsSync("/dev/full"),
  }, async () => {
    await using folder = await temporaryFolder();
    await using origin = await startHttp(() => "x");
    const picture = join(folder.path, "run.svg");
    const args = ["fetch-all", "-s", "--results", "/dev/full", "--waterfall", picture, origin.url];
    assert.equal((await run(args)).code, 23);
    assert.match(readFileSync(picture, "utf8"), /^<svg/);
  });

  it("of a run that is terminated are those that came, and it does not wait for robots.txt", async () => {
    await using folder = await temporaryFolder();
    await using origin = await startHttp(() => new Promise(() => {}));
    const child = start(["fetch-all", "-s", "--robots", "-o", folder.path, `${origin.url}/1`]);
    child.stdin.end();
    const end = ended(child);
    while (origin.connections.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill("SIGTERM");
    assert.deepEqual([(await end).code, resultsIn(folder.path)], [143, []]);
  });
});
