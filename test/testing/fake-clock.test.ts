/** A fake clock: everything that waits is tested without waiting. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { cached, cacheStatus } from "../../src/cache.ts";
import { recordHar } from "../../src/har.ts";
import {
  ConnectTimeoutError,
  DeadlineError,
  HTTPConnectionPool,
  InvalidArgumentError,
  MaxRetryError,
  PoolManager,
  Retry,
  systemClock,
} from "../../src/index.ts";
import { fakeClock, MockOrigins } from "../../src/testing.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

const HOUR = 3_600_000;
const URL_OF_ALL = "http://a.test/";

/** The state of a promise, once everything that can has come to rest. */
function watch(promise: Promise<unknown>): { state: "pending" | "kept" | "broken"; reason: unknown } {
  const seen: { state: "pending" | "kept" | "broken"; reason: unknown } = {
    state: "pending",
    reason: undefined,
  };
  promise.then(
    () => (seen.state = "kept"),
    (reason: unknown) => Object.assign(seen, { state: "broken", reason }),
  );
  return seen;
}

/** Whether `promise` is pending a ms before `ms`, and settled then. */
async function settlesAt(
  clock: ReturnType<typeof fakeClock>,
  ms: number,
  promise: Promise<unknown>,
): Promise<unknown> {
  const seen = watch(promise);
  await clock.advance(ms - 1);
  assert.equal(seen.state, "pending", `settled before ${ms} ms`);
  await clock.advance(1);
  assert.notEqual(seen.state, "pending", `still pending after ${ms} ms`);
  return seen.reason;
}

describe("fakeClock", () => {
  it("stands still, starts where it is told, and goes on as told", async () => {
    const clock = fakeClock("2030-05-06T07:08:09Z");
    assert.equal(clock.date().toISOString(), "2030-05-06T07:08:09.000Z");
    await clock.advance(1500);
    assert.deepEqual([clock.now(), clock.date().getMilliseconds()], [1500, 500]);
    clock.suspend(HOUR);
    assert.equal(clock.wallNow() - clock.now(), Date.parse("2030-05-06T08:08:09Z"));
    assert.equal(fakeClock().wallNow(), Date.parse("2026-01-01"));
    assert.throws(() => fakeClock("not a date"), InvalidArgumentError);
    await assert.rejects(clock.advance(-1), InvalidArgumentError);
    await assert.rejects(clock.advance(Number.POSITIVE_INFINITY), InvalidArgumentError);
  });

  it("runs timers in their order, each at its own time, those that they set included", async () => {
    const clock = fakeClock();
    const seen: [string, number][] = [];
    const note = (name: string): void => void seen.push([name, clock.now()]);
    clock.setTimer(() => note("second"), 20);
    clock.setTimer(() => {
      note("first");
      void Promise.resolve().then(() => clock.setTimer(() => note("of first"), 5));
    }, 10);
    clock.setTimer(() => note("never"), 15).cancel();
    await clock.advance(30);
    assert.deepEqual(seen, [
      ["first", 10],
      ["of first", 15],
      ["second", 20],
    ]);
    assert.equal(clock.pending, 0);
  });

  it("is the manager's and its pools' clock, whose default is the platform's", () => {
    const clock = fakeClock();
    const manager = new PoolManager({ clock });
    assert.equal(manager.clock, clock);
    assert.equal(manager.connectionFromUrl(URL_OF_ALL).clock, clock);
    assert.equal(new HTTPConnectionPool("a.test", 80, { clock }).clock, clock);
    assert.equal(new PoolManager().clock, systemClock);
    assert.equal(new PoolManager({ clock: null }).clock, systemClock);
  });
});

describe("on a fake clock", () => {
  it("back-offs wait for their time", async () => {
    const clock = fakeClock();
    using mock = new MockOrigins({ clock });
    mock.get(URL_OF_ALL, [503, 503, { text: "ok" }]);
    const retries = new Retry({ total: 3, statusForcelist: [503], backoffFactor: 10_000 });
    const answer = mock.manager({ retries }).request("GET", URL_OF_ALL);
    await clock.advance(0);
    // The first retry is at once.
    assert.equal(mock.requests.length, 2);
    await settlesAt(clock, 20_000, answer);
    assert.equal(await (await answer).text(), "ok");
  });

  it("Retry-After is obeyed, in seconds and as a date", async () => {
    const clock = fakeClock();
    using mock = new MockOrigins({ clock });
    const date = new Date(clock.wallNow() + 2 * 60_000).toUTCString();
    mock.get(URL_OF_ALL, [
      { status: 503, headers: { "Retry-After": "60" } },
      { status: 429, headers: { "Retry-After": date } },
      200,
    ]);
    const answer = mock.manager().request("GET", URL_OF_ALL);
    await settlesAt(clock, 2 * 60_000, answer);
    assert.equal((await answer).status, 200);
    assert.equal(mock.requests.length, 3);
  });

  it("the read timeout and the deadline end requests", async () => {
    const clock = fakeClock();
    using mock = new MockOrigins({ clock });
    mock.get(URL_OF_ALL, { fault: "stall" });
    const manager = mock.manager({ retries: 0 });
    const silent = manager.request("GET", URL_OF_ALL, { timeout: { read: 30_000 } });
    assert.ok((await settlesAt(clock, 30_000, silent)) instanceof MaxRetryError);
    const bounded = manager.request("GET", URL_OF_ALL, { deadline: 5 * 60_000, timeout: { read: null } });
    const failure = watch(bounded);
    await clock.advance(5 * 60_000 - 1);
    assert.equal(failure.state, "pending");
    await clock.advance(100);
    assert.ok(failure.reason instanceof DeadlineError, String(failure.reason));
  });

  it("the connect timeout and poolTimeout end waits", async () => {
    const clock = fakeClock();
    const manager = new PoolManager({
      clock,
      retries: false,
      maxsize: 1,
      timeout: { connect: HOUR },
      connect: () => new Promise<never>(() => {}),
    });
    const dialled = watch(manager.request("GET", URL_OF_ALL));
    const queued = watch(manager.request("GET", URL_OF_ALL, { poolTimeout: 60_000 }));
    await clock.advance(59_999);
    assert.equal(queued.state, "pending");
    await clock.advance(100);
    assert.match(String(queued.reason), /EmptyPoolError/);
    assert.equal(dialled.state, "pending");
    await clock.advance(HOUR);
    assert.ok(dialled.reason instanceof ConnectTimeoutError, String(dialled.reason));
  });

  it("an answer's delay passes", async () => {
    const clock = fakeClock();
    using mock = new MockOrigins({ clock });
    mock.get(URL_OF_ALL, { delay: 90_000, text: "late" });
    const answer = mock.manager().request("GET", URL_OF_ALL);
    await settlesAt(clock, 90_000, answer);
    assert.equal(await (await answer).text(), "late");
  });

  it("idle connections are closed after keepAliveTimeout, and old ones not used again", async () => {
    const clock = fakeClock();
    using mock = new MockOrigins({ clock });
    mock.get(URL_OF_ALL, 200);
    const manager = mock.manager({ keepAliveTimeout: 30_000, connectionMaxAge: HOUR });
    const connections: number[] = [];
    for (const wait of [0, 29_000, 31_000]) {
      await clock.advance(wait);
      await manager.request("GET", URL_OF_ALL);
      connections.push(mock.requests.at(-1)!.connection);
    }
    assert.deepEqual(connections, [1, 1, 2]);
    assert.equal(manager.stats().openConnections, 1);
    await clock.advance(31_000);
    assert.equal(manager.stats().openConnections, 0);
  });

  it("what is in a cache is fresh, then stale", async () => {
    const clock = fakeClock();
    using mock = new MockOrigins({ clock });
    mock.get(URL_OF_ALL, ({ headers }) =>
      headers.get("if-none-match") === '"1"'
        ? 304
        : { text: "kept", headers: { "Cache-Control": "max-age=3600", ETag: '"1"' } },
    );
    const cache = cached(mock.manager());
    const statuses: (string | null)[] = [];
    for (const wait of [0, HOUR - 1000, 2000]) {
      await clock.advance(wait);
      statuses.push(cacheStatus(await cache.request("GET", URL_OF_ALL)));
    }
    assert.deepEqual(statuses, ["miss", "hit", "revalidated"]);
    assert.equal(mock.requests.length, 2);
  });

  it("archives and timings tell its time", async () => {
    const clock = fakeClock("2031-02-03T04:05:06Z");
    using mock = new MockOrigins({ clock });
    mock.get(URL_OF_ALL, { delay: 1500 });
    const manager = mock.manager();
    using recorder = recordHar(manager);
    const answer = manager.request("GET", URL_OF_ALL);
    await clock.advance(1500);
    assert.equal((await answer).timings?.firstByte, 1500);
    assert.equal(recorder.entries[0]?.startedDateTime, "2031-02-03T04:05:06.000Z");
    assert.equal(recorder.entries[0]?.time, 1500);
  });

  it("a download waits its back-off and gets on", async () => {
    const folder = mkdtempSync(join(tmpdir(), "urlpool-clock-"));
    try {
      const clock = fakeClock();
      using mock = new MockOrigins({ clock });
      mock.get(URL_OF_ALL, [{ text: "abcdef", fault: "close-mid-body" }, { text: "abcdef" }]);
      const retries = new Retry({ total: 2, backoffFactor: 100_000, backoffJitter: 0 });
      const path = join(folder, "file");
      const download = watch(mock.manager({ retries }).downloadTo(URL_OF_ALL, path));
      // Files take their own time.
      for (let turn = 0; turn < 1000 && download.state === "pending"; turn += 1) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        await clock.advance(10_000);
      }
      assert.equal(download.state, "kept", String(download.reason));
      assert.equal(readFileSync(path, "utf8"), "abcdef");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("timeouts of real sockets pass", async () => {
    await using origin = await startHttp(() => new Promise<undefined>(() => {}));
    const clock = fakeClock();
    await using manager = new PoolManager({ clock, retries: false, timeout: { read: HOUR } });
    const answer = watch(manager.request("GET", `${origin.url}/`));
    await origin.connection(0);
    while (origin.received.length === 0) await clock.advance(0);
    await clock.advance(HOUR + 100);
    assert.match(String(answer.reason), /Read timed out/);
  });

  it("requests of node:http have its timeouts", async () => {
    const clock = fakeClock();
    using mock = new MockOrigins({ clock });
    mock.get("https://a.test/", { fault: "stall" });
    const sent = request("https://a.test/", { agent: mock.agent, timeout: HOUR }).on("error", () => {});
    const timedOut = once(sent, "timeout");
    sent.end();
    while (mock.requests.length === 0) await clock.advance(0);
    await clock.advance(HOUR);
    await timedOut;
    sent.destroy();
  });
});
