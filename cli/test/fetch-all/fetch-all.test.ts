/** `urlpool fetch-all` against real servers. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type HttpHandler, startHttp } from "../../../test/kit/http-origin.ts";
import type { Result } from "../../src/fetch-all/result.ts";
import { run, temporaryFolder } from "../kit.ts";
import { HERE, listOf, printed, resultsIn } from "./kit.ts";

describe("fetch-all", { concurrency: 2 }, () => {
  it("writes files and a result for each URL, and a table of the hosts", async () => {
    await using folder = await temporaryFolder();
    await using origin = await startHttp(({ target }) =>
      target === "/3" ? { status: 404 } : `body of ${target}`,
    );
    const args = ["fetch-all", ...HERE, "-o", folder.path];
    const { code, err, text } = await run(args, { input: listOf(origin, 20, 2) });
    assert.deepEqual([code, text], [1, ""]);
    const results = resultsIn(folder.path);
    assert.equal(new Set(results.map(({ url }) => url)).size, 20);
    for (const { url, ok, file, status, bytes, error } of results) {
      const path = new URL(url).pathname;
      assert.deepEqual(
        [ok, status, error?.code],
        path === "/3" ? [false, 404, "STATUS"] : [true, 200, undefined],
      );
      if (!ok) continue;
      assert.equal(await readFile(join(folder.path, file!), "utf8"), `body of ${path}`);
      assert.equal(bytes, `body of ${path}`.length);
    }
    assert.match(err, /^20 URLs, 1 failed, /m);
    assert.match(err, /^ {2}h0\.example:\d+ /m);
    assert.match(err, /^ {2}HTTP 404 +1 {2}http:\/\/h1\.example/m);
    assert.deepEqual(readdirSync(join(folder.path, ".urlpool")), ["results.jsonl"]);
  });

  it("prints results where no folder is given, and says by its exit code how it went", async () => {
    await using origin = await startHttp(({ target }) => ({
      status: Number(target.slice(1)),
      body: "12345",
    }));
    const one = await printed(origin, "http://h:PORT/200\n# comment\n\nhttp://h:PORT/200#again\n");
    assert.deepEqual([one.code, one.results.length, one.results[0]!.bytes], [0, 1, 5]);
    assert.match(one.err, /1 skipped/);
    assert.equal((await printed(origin, "http://h:PORT/404\nhttp://h:PORT/200\n")).code, 1);
    assert.equal((await printed(origin, "http://h:PORT/404\nnonsense://\n")).code, 3);
    assert.equal((await run(["fetch-all", "--resume"], { input: "" })).code, 2);
    assert.equal((await run(["fetch-all", "-i", "/nowhere"])).code, 26);
  });

  it("sends what a JSON line says, and passes its id on", async () => {
    await using origin = await startHttp();
    await using folder = await temporaryFolder();
    const line = {
      url: "http://h:PORT/p",
      method: "POST",
      json: { a: 1 },
      headers: { "X-A": "b" },
      out: "sub/answer.json",
      id: "seven",
    };
    const { code } = await run(["fetch-all", ...HERE, "-H", "X-All: 1", "-o", folder.path], {
      input: JSON.stringify(line).replace("PORT", String(origin.port)),
    });
    const [request] = origin.received;
    assert.deepEqual([code, request!.method, request!.body.toString()], [0, "POST", '{"a":1}']);
    assert.deepEqual(
      [request!.header("x-a"), request!.header("x-all"), request!.header("content-type")],
      ["b", "1", "application/json"],
    );
    const [result] = resultsIn(folder.path);
    assert.deepEqual([result!.id, result!.file], ["seven", "sub/answer.json"]);
    assert.match(await readFile(join(folder.path, "sub/answer.json"), "utf8"), /^\{"method":"POST"/);
  });

  it("follows redirects to other hosts without the credentials, and stops in a circle", async () => {
    await using origin = await startHttp(({ target, header }) => {
      if (target === "/a")
        return { status: 302, headers: { Location: `http://other.example:${origin.port}/b` } };
      if (target === "/c") return { status: 301, headers: { Location: "/c" } };
      return `credentials: ${header("authorization")}`;
    });
    await using folder = await temporaryFolder();
    const input = `http://h.example:${origin.port}/a\nhttp://h.example:${origin.port}/c\nhttp://h.example:${origin.port}/d`;
    await run(["fetch-all", ...HERE, "-u", "ada:secret", "--max-redirs", "3", "-o", folder.path], { input });
    const of = (path: string): Result => resultsIn(folder.path).find(({ url }) => url.endsWith(path))!;
    assert.equal(of("/a").finalUrl, `http://other.example:${origin.port}/b`);
    assert.equal(await readFile(join(folder.path, of("/a").file!), "utf8"), "credentials: null");
    assert.match(await readFile(join(folder.path, of("/d").file!), "utf8"), /Basic/);
    assert.deepEqual([of("/c").ok, of("/c").error!.code], [false, "REDIRECTS"]);
  });

  it("repeats what may pass, so often, and nothing else", async () => {
    const asked = new Map<string, number>();
    await using origin = await startHttp(({ target, method }) => {
      asked.set(target, (asked.get(target) ?? 0) + 1);
      if (target === "/twice" && asked.get(target)! < 3) return { status: 500 };
      if (target === "/cut") return { body: "x", contentLength: 9, close: true };
      return { status: target === "/404" ? 404 : target === "/500" || method === "POST" ? 500 : 200 };
    });
    const lines = ["/twice", "/cut", "/404", "/500"].map((path) => `http://h:PORT${path}`);
    const post = '{"url":"http://h:PORT/post","method":"POST","body":"x"}';
    const { results } = await printed(origin, [...lines, post].join("\n"), "--retry", "2");
    const attempts = Object.fromEntries(
      results.map(({ url, attempts, ok }) => [new URL(url).pathname, [attempts, ok]]),
    );
    assert.deepEqual(attempts, {
      "/twice": [3, true],
      "/cut": [3, false],
      "/404": [1, false],
      "/500": [3, false],
      "/post": [1, false],
    });
    assert.deepEqual(Object.fromEntries(asked), { "/twice": 3, "/cut": 3, "/404": 1, "/500": 3, "/post": 1 });
  });
});

describe("politeness", { concurrency: 2 }, () => {
  it("asks a host for so many at once, and leaves the delay between two", async () => {
    let [now, most] = [0, 0];
    await using origin = await startHttp(async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => setTimeout(resolve, 20));
      now -= 1;
      return "x";
    });
    assert.equal((await printed(origin, listOf(origin, 30), "--per-host", "3")).code, 0);
    assert.equal(most, 3);
    const times: number[] = [];
    await using slow = await startHttp(() => {
      times.push(performance.now());
      return "x";
    });
    assert.equal((await printed(slow, listOf(slow, 6), "--delay", "100")).code, 0);
    for (const [index, time] of times.slice(1).entries())
      assert.ok(time - times[index]! >= 99, `${time - times[index]!} ms`);
  });

  it("keeps the pace over all hosts", async () => {
    const times: number[] = [];
    await using origin = await startHttp(() => {
      times.push(performance.now());
      return "x";
    });
    await printed(origin, listOf(origin, 31, 31), "--rate", "20/s");
    const span = times[30]! - times[0]!;
    assert.ok(span >= 1000, `${span} ms`);
  });

  it("lets a host rest that asks for it with Retry-After: all of its URLs, and no other host's", async () => {
    const times: [host: string, at: number][] = [];
    let first = true;
    await using origin = await startHttp(({ header }) => {
      const host = header("host")!.split(".")[0]!;
      times.push([host, performance.now()]);
      if (host !== "h0" || !first) return "x";
      first = false;
      return { status: 429, headers: { "Retry-After": "1" } };
    });
    const { code, results } = await printed(origin, listOf(origin, 12, 2), "--per-host", "1");
    assert.equal(code, 0);
    const asked = times.filter(([host]) => host === "h0").map(([, at]) => at);
    assert.ok(asked[1]! - asked[0]! >= 990, `${asked[1]! - asked[0]!} ms`);
    const others = times.filter(([host]) => host === "h1").map(([, at]) => at);
    assert.ok(others[others.length - 1]! < asked[1]!, "the other host is done meanwhile");
    assert.deepEqual(results.map(({ attempts }) => attempts).sort(), [...Array(11).fill(1), 2]);
  });

  it("obeys robots.txt: rules, delay, missing and broken ones", async () => {
    const files: Record<string, { status?: number; body?: string }> = {
      h0: { body: "User-agent: *\nDisallow: /private\nAllow: /private/open$\n" },
      h1: { status: 404 },
      h2: { status: 500 },
      h3: { body: "User-agent: urlpool\nCrawl-delay: 0.2\n" },
    };
    const times: number[] = [];
    const handler: HttpHandler = ({ target, header }) => {
      const host = header("host")!.split(".")[0]!;
      if (target === "/robots.txt") return files[host]!;
      if (host === "h3") times.push(performance.now());
      return "x";
    };
    await using origin = await startHttp(handler);
    const paths = [
      "h0.example:PORT/private/x",
      "h0.example:PORT/private/open",
      "h0.example:PORT/",
      "h1.example:PORT/",
      "h2.example:PORT/",
    ];
    const slow = [1, 2, 3].map((n) => `h3.example:PORT/${n}`);
    const { results } = await printed(origin, [...paths, ...slow].join("\n"), "--robots", "--retry", "1");
    const problems = Object.fromEntries(
      results.map(({ url, error }) => [url.replace(/^http:..|.example:\d+/g, ""), error?.code]),
    );
    assert.deepEqual(problems, {
      "h0/private/x": "ROBOTS",
      "h0/private/open": undefined,
      "h0/": undefined,
      "h1/": undefined,
      "h2/": "ROBOTS",
      "h3/1": undefined,
      "h3/2": undefined,
      "h3/3": undefined,
    });
    assert.equal(
      origin.received.filter(
        ({ target, header }) => target === "/robots.txt" && header("host")!.startsWith("h0"),
      ).length,
      1,
    );
    // The first may have begun before the delay was known.
    assert.ok(times[2]! - times[1]! >= 199, `${times[2]! - times[1]!} ms`);
  });
});
