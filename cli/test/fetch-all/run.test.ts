/** A run over a fetcher that needs no network: a long list in little memory. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Fetcher, Job } from "../../src/fetch-all/fetcher.ts";
import { IdSet, idOf } from "../../src/fetch-all/id-set.ts";
import { NamesTaken } from "../../src/fetch-all/names-taken.ts";
import { Run } from "../../src/fetch-all/run.ts";
import { Histogram, Summary } from "../../src/fetch-all/summary.ts";
import { readTasks, type Task } from "../../src/fetch-all/task.ts";

describe("a run", () => {
  it("of 100,000 URLs from a stream stays small: it reads no further ahead than it must", async () => {
    const count = 100_000;
    let read = 0;
    let ended = 0;
    let ahead = 0;
    let most = 0;
    async function* lines(): AsyncGenerator<string> {
      for (; read < count; read += 1) {
        ahead = Math.max(ahead, read - ended);
        yield `http://host${read % 300}.example/${read}`;
      }
    }
    const fetcher = {
      named: (job: Job) => job,
      attempt: async () => {
        await new Promise((resolve) => setImmediate(resolve));
        ended += 1;
        if (ended % 20_000 === 0) {
          globalThis.gc?.();
          most = Math.max(most, process.memoryUsage().heapUsed);
        }
        return { kind: "done", outcome: { status: 200, bytes: 1, ms: 1 } };
      },
    } as unknown as Fetcher;
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    let results = 0;
    const summary = new Summary();
    const run = new Run({
      jobs: 100,
      perHost: 6,
      delay: 0,
      rate: Number.POSITIVE_INFINITY,
      fetcher,
      robots: null,
      results: {
        append: () => {
          results += 1;
        },
        written: async () => {},
        close: async () => {},
      },
      summary,
      progress: null,
      wants: () => true,
      retries: 0,
      retryDelay: 1,
      redirects: 1,
      total: null,
      signal: new AbortController().signal,
    });
    await run.all(readTasks(lines()));
    assert.deepEqual([results, summary.done, summary.failed], [count, count, 0]);
    assert.ok(ahead <= 10_200, String(ahead));
    assert.ok(most - before < 24e6, `${(most - before) / 1e6} MB`);
  });
});

describe("ids", () => {
  it("are remembered, each once, and found again", () => {
    const ids = new IdSet();
    const texts = Array.from({ length: 5000 }, (_, n) => idOf(String(n)));
    assert.ok(texts.every((id) => ids.add(id)));
    assert.ok(texts.every((id) => !ids.add(id) && ids.has(id)));
    assert.ok(!ids.has(idOf("another")));
    assert.deepEqual([...ids].sort(), texts.sort());
  });
});

describe("names", () => {
  it("are given once, whatever the case, and no file stands where a folder must be", () => {
    const names = new NamesTaken();
    const urls = [
      "http://h/a",
      "http://h/A",
      "http://h/a/b",
      "http://h/c/d",
      "http://h/c",
      "http://h/a?",
      "http://h/%61",
    ];
    const given = urls.map((url) => names.reserve(url, undefined, idOf(url)));
    assert.deepEqual(given.slice(0, 1), ["h/a"]);
    assert.equal(given[3], "h/c/d");
    assert.equal(new Set(given.map((name) => name.toLowerCase())).size, given.length);
    for (const name of [given[1], given[2], given[4]]) assert.match(name!, /^h\/~[\da-f]{16}$/);
    assert.equal(names.reserve("http://h/x", "../../up", "0"), "%2E%2E/%2E%2E/up");
  });
});

describe("the list", () => {
  async function read(...lines: string[]): Promise<unknown[]> {
    const tasks: unknown[] = [];
    for await (const line of readTasks(lines)) tasks.push(line);
    return tasks;
  }

  it("has URLs, JSON and comments; two ways to write a URL are one", async () => {
    const [plain, same, json, bad, ...none] = (await read(
      "http://a.example/x#top",
      "  a.example/x\r",
      '{"url":"http://a.example/y","method":"post","json":{"n":1},"headers":{"X-A":1},"out":"y.json","id":7}',
      "mailto:x",
      "# comment",
      "",
    )) as [Task, Task, Task, { problem: string }, ...unknown[]];
    assert.equal(plain.key, same.key);
    assert.deepEqual(none, []);
    const { key, ...task } = json;
    assert.deepEqual(task, {
      url: "http://a.example/y",
      method: "POST",
      headers: { "Content-Type": "application/json", "X-A": "1" },
      body: '{"n":1}',
      out: "y.json",
      id: 7,
    });
    assert.match(key, /^[\da-f]{16}$/);
    assert.equal(typeof bad.problem, "string");
  });

  it("says what is wrong with a line", async () => {
    const lines = [
      "ftp://x/",
      "{",
      '{"method":"GET"}',
      '{"url":"http://x","body":1}',
      "http://u:p@x/",
      "http://[",
    ];
    for (const line of await read(...lines))
      assert.equal(typeof (line as { problem?: string }).problem, "string");
  });
});

describe("percentiles", () => {
  it("are right to a tenth", () => {
    const times = new Histogram();
    assert.equal(times.percentile(0.5), null);
    for (let ms = 1; ms <= 1000; ms += 1) times.add(ms);
    for (const share of [0.5, 0.95]) {
      const ratio = times.percentile(share)! / (share * 1000);
      assert.ok(ratio > 0.88 && ratio < 1.12, `${share} ${ratio}`);
    }
  });
});
