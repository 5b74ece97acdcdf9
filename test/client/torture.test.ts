/**
 * Every scenario is run once to count its events, then once for each of them: with the k-th call that can fail
 * failing, and with an abort just before, just after, and in the tick of the k-th event. However it ends, it ends once,
 * rightly, and nothing is left.
 */

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import {
  type HTTPError,
  type HTTPResponse,
  MaxRetryError,
  NameResolutionError,
  NewConnectionError,
  type PoolManager,
  ProtocolError,
  type RequestOptions,
  Retry,
} from "../../src/index.ts";
import { answer, ok } from "../kit/answers.ts";
import { type Fallible, script, World } from "../kit/world.ts";

interface Scenario {
  readonly name: string;
  hosts(world: World): void;
  /** What each request of it comes to; all bodies are read. */
  run(manager: PoolManager, options: RequestOptions): Promise<unknown>[];
}

const A = "http://a.test/";

const text = async (response: HTTPResponse): Promise<string> => response.text();

const scenarios: Scenario[] = [
  {
    name: "GET",
    hosts: (world) => world.http("a.test", () => "hello"),
    run: (manager, options) => [manager.request("GET", A, options)],
  },
  {
    name: "two GETs over one connection",
    hosts: (world) => world.http("a.test", () => "hello"),
    run: (manager, options) => [
      manager.request("GET", A, options).then(() => manager.request("GET", A, options)),
    ],
  },
  {
    name: "GET and POST over one connection",
    hosts: (world) => world.http("a.test"),
    run: (manager, options) => [
      manager
        .request("GET", A, options)
        .then(() => manager.request("POST", A, { ...options, body: "payload" })),
    ],
  },
  {
    name: "POST of a stream, chunked, twice",
    hosts: (world) => world.http("a.test"),
    run: (manager, options) => {
      const body = async function* (): AsyncGenerator<string> {
        yield "one";
        yield "two";
      };
      const post = (): Promise<unknown> => manager.request("POST", A, { ...options, body });
      return [post().then(post)];
    },
  },
  {
    name: "informational answers, chunks and trailers",
    hosts: (world) =>
      world.http("a.test", () => ({
        before: "HTTP/1.1 103 Early\r\n\r\n",
        body: "hello world",
        chunked: 4,
        trailers: [["X-Sum", "1"]],
      })),
    run: (manager, options) => [manager.request("GET", A, options)],
  },
  {
    name: "a compressed body",
    hosts: (world) => {
      const body = gzipSync("hello".repeat(100));
      world.http("a.test", () => ({ body, headers: { "Content-Encoding": "gzip" }, chunked: 20 }));
    },
    run: (manager, options) => [manager.request("GET", A, options)],
  },
  {
    name: "a streamed body",
    hosts: (world) => world.http("a.test", () => "hello ".repeat(20)),
    run: (manager, options) => [manager.request("GET", A, { ...options, preloadContent: false }).then(text)],
  },
  {
    name: "a redirect to another host",
    hosts: (world) =>
      world
        .http("a.test", () => ({ status: 302, headers: { Location: "http://b.test/" }, body: "moved" }))
        .http("b.test", () => "hello"),
    run: (manager, options) => [manager.request("GET", A, options)],
  },
  {
    name: "retries with a back-off",
    hosts: (world) => {
      world.host(
        "a.test",
        "ECONNREFUSED",
        (connection) => connection.close(),
        "ECONNREFUSED",
        world.serve(() => "x"),
      );
    },
    run: (manager, options) => [manager.request("GET", A, options)],
  },
  {
    name: "a retry for a status, after Retry-After",
    hosts: (world) => {
      const busy = answer(503, "", "Retry-After: 2");
      world.host(
        "a.test",
        script(busy, ok("x"), ok("y")),
        world.serve(() => "z"),
      );
    },
    run: (manager, options) => [manager.request("GET", A, options)],
  },
  {
    name: "four requests over two connections",
    hosts: (world) => world.http("a.test", ({ target }) => target),
    run: (manager, options) => [1, 2, 3, 4].map((n) => manager.request("GET", `${A}${n}`, options)),
  },
  {
    name: "silent resend",
    hosts: (world) => {
      world.host(
        "a.test",
        script(ok("x"), (connection) => connection.reset()),
        world.serve(() => "y"),
      );
    },
    run: (manager, options) => [
      manager.request("GET", A, options).then(() => manager.request("GET", A, options)),
    ],
  },
];

const CLASS_OF: Record<Fallible, new (...args: never[]) => Error> = {
  lookup: NameResolutionError,
  connect: NewConnectionError,
  write: ProtocolError,
  read: ProtocolError,
};

const RETRIES = new Retry({ total: 4, backoffFactor: 100 });

/** The scenario's requests, and after them one more that has to work; then everything is gone. */
async function play(
  scenario: Scenario,
  options: RequestOptions,
  prepare: (world: World) => void,
): Promise<PromiseSettledResult<unknown>[]> {
  using world = new World({ chunkSize: 25 });
  scenario.hosts(world);
  prepare(world);
  const manager = world.manager({ maxsize: 2 });
  let settled = 0;
  const count = (): void => {
    settled++;
  };
  const all = scenario.run(manager, options);
  for (const one of all) one.then(count, count);
  const outcomes = await world.run(Promise.allSettled(all));
  assert.equal(settled, all.length);
  world.fails = () => false;
  world.step = (_name, run) => run();
  await world.rest();
  const pool = manager.connectionFromHost("a.test");
  assert.deepEqual([pool.numBusy, pool.numQueued], [0, 0]);
  assert.equal((await world.run(manager.request("GET", A, { retries: RETRIES }))).status, 200);
  manager.clear();
  await world.rest();
  assert.deepEqual(world.leftovers(), []);
  return outcomes;
}

/** Makes the k-th call fail; says which one that was. */
async function playWithFailure(
  scenario: Scenario,
  options: RequestOptions,
  k: number,
): Promise<{ outcomes: PromiseSettledResult<unknown>[]; calls: Fallible[] }> {
  const calls: Fallible[] = [];
  const outcomes = await play(scenario, options, (world) => {
    world.fails = (call) => {
      calls.push(call);
      return calls.length === k;
    };
  });
  return { outcomes, calls };
}

describe("the k-th call that can fail fails", () => {
  for (const scenario of scenarios) {
    it(`${scenario.name}: no retries`, async () => {
      const clean = await playWithFailure(scenario, { retries: RETRIES }, -1);
      assert.ok(
        clean.outcomes.every(({ status }) => status === "fulfilled"),
        String(clean.outcomes[0]),
      );
      let failures = 0;
      for (let k = 1; k <= clean.calls.length; k++) {
        const { outcomes, calls } = await playWithFailure(scenario, { retries: false }, k);
        const Class = CLASS_OF[calls[k - 1] ?? "read"];
        for (const outcome of outcomes) {
          if (outcome.status === "fulfilled") continue;
          failures++;
          const error = outcome.reason as Error;
          // Some scenarios have failures of their own.
          const own = error instanceof ProtocolError || error instanceof NewConnectionError;
          assert.ok(
            error instanceof Class || (scenario.name.includes("retries") && own),
            `call ${k}: ${error.stack}`,
          );
          const { phase, attempt, method } = error as HTTPError;
          assert.ok(phase && attempt && method, `call ${k}: ${phase} ${attempt} ${method}`);
        }
      }
      assert.ok(failures > 0);
    });

    it(`${scenario.name}: retries`, async () => {
      const clean = await playWithFailure(scenario, { retries: RETRIES }, -1);
      for (let k = 1; k <= clean.calls.length; k++) {
        const { outcomes, calls } = await playWithFailure(scenario, { retries: RETRIES }, k);
        for (const outcome of outcomes) {
          if (outcome.status === "fulfilled") continue;
          const error = outcome.reason as Error;
          // What had been written of a POST, and what had been given out of a body, cannot be taken back.
          const final = error instanceof ProtocolError || error instanceof MaxRetryError;
          assert.ok(final && /POST|stream/.test(scenario.name), `call ${k}, ${calls[k - 1]}: ${error.stack}`);
        }
      }
    });
  }
});

type Moment = "before" | "after" | "in the tick of";

/** Aborts at the k-th event; says how many there were, and whether the abort came before the end. */
async function playWithAbort(
  scenario: Scenario,
  k: number,
  moment: Moment,
): Promise<{ events: number; aborted: boolean }> {
  const controller = new AbortController();
  const reason = new Error(`abort ${moment} ${k}`);
  let events = 0;
  const options = { retries: RETRIES, signal: controller.signal };
  const outcomes = await play(scenario, options, (world) => {
    world.step = (_name, run) => {
      const now = ++events === k;
      if (now && moment === "before") controller.abort(reason);
      run();
      if (now && moment === "after") controller.abort(reason);
      if (now && moment === "in the tick of") queueMicrotask(() => controller.abort(reason));
    };
  });
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") assert.equal(outcome.reason, reason, `event ${k}`);
  }
  assert.equal(getEventListeners(controller.signal, "abort").length, 0, `event ${k}`);
  return { events, aborted: outcomes.some(({ status }) => status === "rejected") };
}

describe("an abort at every event", () => {
  for (const scenario of scenarios) {
    for (const moment of ["before", "after", "in the tick of"] as const) {
      it(`${scenario.name}: ${moment} it`, async () => {
        const { events } = await playWithAbort(scenario, -1, moment);
        let aborted = 0;
        for (let k = 1; k <= events; k++) if ((await playWithAbort(scenario, k, moment)).aborted) aborted++;
        assert.ok(aborted >= 3, `${aborted} of ${events}`);
      });
    }
  }
});
