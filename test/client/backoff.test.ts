import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type RequestOptions, Retry, type RetryOptions } from "../../src/index.ts";
import { answer, ok } from "../kit/answers.ts";
import { type Dialled, script, World } from "../kit/world.ts";

const URL = "http://a.test/";

const resets: Dialled = async (connection) => {
  await connection.readHead();
  connection.reset();
};

/** When attempts were made, in virtual ms, and what came of it. */
async function waits(
  behaviours: [Dialled, ...Dialled[]],
  options: RequestOptions & { method?: string },
): Promise<{ at: number[]; text: string }> {
  using world = new World();
  world.host("a.test", ...behaviours);
  const manager = world.manager();
  const { method = "GET", ...rest } = options;
  const text = await world.run(
    manager.request(method, URL, rest).then(
      ({ status }) => String(status),
      (error: Error) => error.name,
    ),
  );
  manager.clear();
  await world.rest();
  assert.deepEqual(world.leftovers(), []);
  const attempts = world.log.filter((line) => line.includes(" attempt "));
  return { at: attempts.map((line) => Number.parseInt(line, 10)), text };
}

describe("back-off", () => {
  const cases: [string, RetryOptions, number[]][] = [
    ["none by default", { total: 3 }, [0, 0, 0, 0]],
    ["doubles from the second failure on", { total: 4, backoffFactor: 100 }, [0, 0, 200, 600, 1400]],
    ["at most backoffMax", { total: 4, backoffFactor: 100, backoffMax: 300 }, [0, 0, 200, 500, 800]],
    ["days, if it must be", { total: 2, backoffFactor: 9e8, backoffMax: 1e10 }, [0, 0, 1_800_000_000]],
  ];
  for (const [name, retries, at] of cases) {
    it(name, async () => {
      assert.deepEqual((await waits(["ECONNREFUSED"], { retries: new Retry(retries) })).at, at);
      assert.deepEqual((await waits([resets], { retries: new Retry(retries) })).at, at);
    });
  }

  it("jitter adds at most itself, full jitter takes away", async () => {
    const retries = { total: 4, backoffFactor: 100 };
    const [, , a = 0, b = 0] = (
      await waits([resets], { retries: new Retry({ ...retries, backoffJitter: 50 }) })
    ).at;
    assert.ok(a >= 200 && a <= 250 && b - a >= 400 && b - a <= 450, `${a} ${b}`);
    const { at } = await waits([resets], { retries: new Retry({ ...retries, fullJitter: true }) });
    assert.ok(at[4]! <= 1400, String(at));
  });

  it("statuses wait too", async () => {
    const retries = new Retry({ total: 9, statusForcelist: [500], backoffFactor: 10 });
    const server = script(answer(500), answer(500), answer(500), ok());
    assert.deepEqual(await waits([server], { retries }), { at: [0, 0, 20, 60], text: "200" });
  });

  it("holds no connection meanwhile", async () => {
    using world = new World();
    world.host("a.test", "ECONNREFUSED", "ECONNREFUSED", script(ok("second")), script(ok("first")));
    const pool = world.pool("a.test", { maxsize: 1 });
    const waiting = pool.request("GET", "/", { retries: new Retry({ backoffFactor: 1000 }) });
    await world.rest();
    assert.deepEqual([pool.numBusy, pool.numQueued], [0, 0]);
    assert.equal(String((await world.run(pool.request("GET", "/"))).data), "second");
    assert.equal(world.clock.now(), 0);
    pool.close();
    assert.equal(String((await world.run(waiting)).data), "first");
    assert.equal(world.clock.now(), 2000);
  });
});

describe("Retry-After", () => {
  // The virtual wall clock starts at 2025-06-15T15:06:40Z.
  const cases: [string, status: number, value: string, RetryOptions, at: number[], text: string][] = [
    ["seconds", 503, "7", {}, [0, 7000], "200"],
    ["a date", 503, "Sun, 15 Jun 2025 15:07:10 GMT", {}, [0, 30_000], "200"],
    ["a date in the past", 503, "Sun, 15 Jun 2025 15:00:00 GMT", {}, [0, 0], "200"],
    ["zero", 503, "0", {}, [0, 0], "200"],
    ["429", 429, "2", {}, [0, 2000], "200"],
    ["413", 413, "2", {}, [0, 2000], "200"],
    ["not for 500", 500, "2", {}, [0], "500"],
    ["but for 500 in the list", 500, "2", { statusForcelist: [500] }, [0, 2000], "200"],
    ["capped", 503, "100", { retryAfterMax: 5000 }, [0, 5000], "200"],
    ["a year is 6 hours", 503, "31536000", {}, [0, 21_600_000], "200"],
    ["malformed counts as none", 503, "soon", {}, [0], "503"],
    ["not respected", 503, "7", { respectRetryAfterHeader: false }, [0], "503"],
    [
      "not respected, but in the list",
      503,
      "7",
      { respectRetryAfterHeader: false, statusForcelist: [503] },
      [0, 0],
      "200",
    ],
    ["total 0: the answer stands", 503, "7", { total: 0 }, [0], "503"],
    ["over the back-off", 503, "1", { backoffFactor: 10_000 }, [0, 1000], "200"],
  ];
  for (const [name, status, value, retries, at, text] of cases) {
    it(name, async () => {
      const busy = script(answer(status, "", `Retry-After: ${value}`, "Connection: close"));
      assert.deepEqual(await waits([busy, script(ok())], { retries: new Retry(retries) }), { at, text });
    });
  }

  it("beyond the deadline: nothing waits, the answer stands, or fails where its status is listed", async () => {
    const busy = script(answer(503, "", "Retry-After: 60"));
    assert.deepEqual(await waits([busy], { deadline: 1000 }), { at: [0], text: "503" });
    const retries = new Retry({ statusForcelist: [503] });
    assert.deepEqual(await waits([busy], { deadline: 1000, retries }), { at: [0], text: "MaxRetryError" });
    const lenient = new Retry({ statusForcelist: [503], raiseOnStatus: false });
    assert.deepEqual(await waits([busy], { deadline: 1000, retries: lenient }), { at: [0], text: "503" });
    const short = script(answer(503, "", "Retry-After: 1", "Connection: close"));
    assert.deepEqual(await waits([short, script(ok())], { deadline: 5000 }), { at: [0, 1000], text: "200" });
  });

  it("a POST is not repeated for it", async () => {
    const server = script(answer(503, "", "Retry-After: 1"), ok());
    assert.deepEqual(await waits([server], { method: "POST" }), { at: [0], text: "503" });
  });

  it("used up: an error for a listed status, else the last answer", async () => {
    const busy = answer(503, "", "Retry-After: 1");
    const server = script(busy, busy, busy);
    const listed = new Retry({ total: 2, statusForcelist: [503] });
    assert.deepEqual(await waits([server], { retries: listed }), {
      at: [0, 1000, 2000],
      text: "MaxRetryError",
    });
    const invited = new Retry({ total: 2 });
    assert.deepEqual(await waits([server], { retries: invited }), { at: [0, 1000, 2000], text: "503" });
  });

  it("pools wait for it before a redirect, by the pool's own clock", async () => {
    using world = new World();
    const fields = ["Location: /next", "Retry-After: Sun, 15 Jun 2025 15:06:50 GMT"];
    world.host("a.test", script(answer(302, "", ...fields), ok()));
    const pool = world.pool("a.test");
    await world.run(pool.request("GET", "/"));
    pool.close();
    await world.rest();
    assert.deepEqual(world.events(/^attempt/), [
      "attempt 1 first GET http://a.test/",
      "attempt 2 redirect GET http://a.test/next",
    ]);
    assert.equal(world.clock.now(), 10_000);
  });
});

describe("the whole trace of a request", () => {
  it("refused, reset, busy, redirected, done", async () => {
    using world = new World();
    const busy = answer(503, "", "Retry-After: 3");
    world.host("a.test", "ECONNREFUSED", resets, script(busy, answer(302, "", "Location: http://b.test/x")));
    world.http("b.test", () => "done");
    const manager = world.manager({ retries: new Retry({ total: 5, backoffFactor: 250 }) });
    await world.run(manager.request("GET", URL));
    assert.deepEqual(world.log, [
      "0 attempt 1 first GET http://a.test/",
      "0 no connection NewConnectionError",
      "0 attempt 2 retry GET http://a.test/",
      "0 open #1 a.test:80",
      "0 close #1",
      "500 attempt 3 retry GET http://a.test/",
      "500 open #2 a.test:80",
      "3500 attempt 4 retry GET http://a.test/",
      "3500 attempt 5 redirect GET http://b.test/x",
      "3500 open #3 b.test:80",
      "3500 3 read GET /x",
    ]);
    manager.clear();
  });

  it("twenty requests over a server that resets every third connection", async () => {
    const run = async (): Promise<string[]> => {
      using world = new World();
      const good = script(ok(), ok(), ok());
      const pattern = Array.from({ length: 30 }, (_, index) => (index % 3 === 2 ? resets : good));
      world.host("a.test", ...(pattern as [Dialled]));
      const pool = world.pool("a.test", {
        maxsize: 4,
        retries: new Retry({ total: 5, backoffFactor: 10 }),
        timeout: 50,
      });
      const all = Array.from({ length: 20 }, (_, index) => pool.request("GET", `/${index}`));
      await world.run(Promise.all(all));
      pool.close();
      await world.rest();
      assert.deepEqual(world.leftovers(), []);
      return world.log.map((line) => line.replace(/#\d+/, "#"));
    };
    const [first, second] = [await run(), await run()];
    assert.deepEqual(first, second);
    assert.ok(first.some((line) => /^\d+ attempt 2 retry/.test(line)));
  });
});
