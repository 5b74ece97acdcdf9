import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  MaxRetryError,
  NameResolutionError,
  NewConnectionError,
  ProtocolError,
  ReadTimeoutError,
  type RequestOptions,
  ResponseError,
  Retry,
  RetryBudget,
  type RetryOptions,
} from "../../src/index.ts";
import { answer, ok } from "../kit/answers.ts";
import type { OriginConnection } from "../kit/origin-connection.ts";
import { type Dialled, script, World } from "../kit/world.ts";

const URL = "http://a.test/";
const OK = ok("done");

const resets: Dialled = async (connection) => {
  await connection.readHead();
  connection.reset();
};
const silent: Dialled = async (connection) => {
  await connection.readHead();
};

/** A request to one host; the outcome as text, with what the servers saw. */
async function outcome(
  behaviours: [Dialled, ...Dialled[]],
  { method = "GET", ...options }: RequestOptions & { method?: string } = {},
): Promise<{ world: World; text: string; error: unknown; attempts: number; history: number }> {
  const world = new World();
  world.host("a.test", ...behaviours);
  const manager = world.manager();
  let text = "";
  let error: unknown = null;
  let history = 0;
  try {
    const response = await world.run(manager.request(method, URL, options));
    text = `${response.status}`;
    history = response.retries!.history.length;
  } catch (thrown) {
    error = thrown;
    text = (thrown as Error).name;
  }
  manager.clear();
  await world.rest();
  assert.deepEqual(world.leftovers(), []);
  world[Symbol.dispose]();
  return { world, text, error, attempts: world.events(/^attempt/).length, history };
}

describe("counters", () => {
  const none = { total: null, connect: null, read: null, status: null, other: null };
  const cases: [
    name: string,
    behaviours: Dialled[],
    retries: RequestOptions["retries"],
    text: string,
    attempts: number,
  ][] = [
    ["false: the error as it is", ["ECONNREFUSED"], false, "NewConnectionError", 1],
    ["0", ["ECONNREFUSED"], 0, "MaxRetryError", 1],
    ["the default is 3", ["ECONNREFUSED"], undefined, "MaxRetryError", 4],
    ["a number", ["ECONNREFUSED"], 5, "MaxRetryError", 6],
    ["null is the default", ["ECONNREFUSED"], null, "MaxRetryError", 4],
    ["true is one", ["ECONNREFUSED"], true, "MaxRetryError", 2],
    ["success on the last try", ["ECONNREFUSED", "ECONNREFUSED"], 2, "200", 3],
    ["connect", ["ECONNREFUSED"], new Retry({ ...none, connect: 2 }), "MaxRetryError", 3],
    ["connect false", ["ECONNREFUSED"], new Retry({ ...none, connect: false }), "NewConnectionError", 1],
    ["connect 0, total many", ["ECONNREFUSED"], new Retry({ total: 9, connect: 0 }), "MaxRetryError", 1],
    ["total before connect", ["ECONNREFUSED"], new Retry({ total: 1, connect: 9 }), "MaxRetryError", 2],
    ["read", [resets], new Retry({ ...none, read: 2 }), "MaxRetryError", 3],
    ["read false", [resets], new Retry({ ...none, read: false }), "ProtocolError", 1],
    [
      "read 0 does not limit connects",
      ["ECONNREFUSED", "ECONNREFUSED"],
      new Retry({ ...none, read: 0 }),
      "200",
      3,
    ],
    ["connect 0 does not limit reads", [resets, resets], new Retry({ ...none, connect: 0 }), "200", 3],
    ["a read timeout is a read error", [silent], new Retry({ ...none, read: 1 }), "MaxRetryError", 2],
    ["mixed", ["ECONNREFUSED", resets, silent], new Retry({ total: 3, connect: 1, read: 2 }), "200", 4],
    [
      "mixed, one too many",
      ["ECONNREFUSED", resets, silent],
      new Retry({ connect: 1, read: 1 }),
      "MaxRetryError",
      3,
    ],
  ];
  for (const [name, behaviours, retries, text, attempts] of cases) {
    it(name, async () => {
      const last = text === "200" ? [script(OK)] : [];
      const all = [...behaviours, ...last] as [Dialled];
      const result = await outcome(all, { retries, timeout: 100 });
      assert.deepEqual([result.text, result.attempts], [text, attempts]);
      if (text === "200") assert.equal(result.history, attempts - 1);
    });
  }

  it("the reason of a MaxRetryError is the last failure, whatever its kind", async () => {
    const reasons: [Dialled, new (...args: never[]) => Error][] = [
      ["ECONNREFUSED", NewConnectionError],
      [resets, ProtocolError],
      [silent, ReadTimeoutError],
    ];
    for (const [behaviour, Class] of reasons) {
      const { error } = await outcome([behaviour], { retries: 1, timeout: 100 });
      assert.ok(error instanceof MaxRetryError);
      assert.ok(error.reason instanceof Class);
      assert.equal(error.cause, error.reason);
      assert.match(error.message, /^GET http:\/\/a\.test\/: Max retries exceeded \(Caused by /);
      assert.equal((error.reason as ProtocolError).attempt, 2);
    }
  });

  it("a name that is not found is a connect failure", async () => {
    using world = new World();
    const manager = world.manager({ retries: new Retry({ connect: 1 }) });
    const error = (await world.failure(manager.request("GET", "http://nowhere.test/"))) as MaxRetryError;
    assert.ok(error.reason instanceof NameResolutionError);
    assert.deepEqual(world.lookups, ["nowhere.test", "nowhere.test"]);
  });

  it("the pool's retries hold where the request brings none", async () => {
    using world = new World();
    world.host("a.test", "ECONNREFUSED");
    const pool = world.pool("a.test", { retries: 1 });
    assert.ok((await world.failure(pool.request("GET", "/"))) instanceof MaxRetryError);
    assert.equal(pool.numRequests, 2);
    assert.ok(
      (await world.failure(pool.request("GET", "/", { retries: false }))) instanceof NewConnectionError,
    );
    assert.equal(pool.numRequests, 3);
  });

  it("one Retry serves many requests, and is never changed", async () => {
    const retries = new Retry({ total: 2, backoffFactor: 10 });
    const before = JSON.stringify(retries);
    for (let round = 0; round < 3; round++) {
      const { text, attempts } = await outcome(["ECONNREFUSED"], { retries });
      assert.deepEqual([text, attempts], ["MaxRetryError", 3]);
    }
    assert.equal(JSON.stringify(retries), before);
  });

  it("the history tells each failure with its method, URL and error", async () => {
    using world = new World();
    world.host("a.test", "ECONNREFUSED", resets, script(answer(503), OK));
    const retries = new Retry({ total: 5, statusForcelist: [503] });
    const response = await world.run(
      world.manager().request("GET", "http://user:secret@a.test/x", { retries }),
    );
    const rows = response.retries!.history.map((entry) => [
      entry.method,
      entry.url,
      entry.error?.name,
      entry.status,
    ]);
    assert.deepEqual(rows, [
      ["GET", "http://a.test/x", "NewConnectionError", null],
      ["GET", "http://a.test/x", "ProtocolError", null],
      ["GET", "http://a.test/x", undefined, 503],
    ]);
    assert.equal(response.retries!.total, 2);
  });
});

describe("methods", () => {
  const idempotent = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"];
  for (const method of [...idempotent, "POST", "PATCH"]) {
    const repeated = idempotent.includes(method);
    it(`${method} is ${repeated ? "" : "not "}sent again after a read error, but always after a connect error`, async () => {
      const read = await outcome([resets], { method, retries: 1 });
      assert.deepEqual([read.text, read.attempts], repeated ? ["MaxRetryError", 2] : ["ProtocolError", 1]);
      const connect = await outcome(["ECONNREFUSED"], { method, retries: 1 });
      assert.deepEqual([connect.text, connect.attempts], ["MaxRetryError", 2]);
    });
  }

  it("allowedMethods decides", async () => {
    const cases: [RetryOptions["allowedMethods"], string, number][] = [
      [["POST"], "POST", 2],
      [["POST"], "GET", 1],
      [null, "POST", 2],
      [false, "POST", 2],
    ];
    for (const [allowedMethods, method, attempts] of cases) {
      const result = await outcome([resets], { method, retries: new Retry({ total: 1, allowedMethods }) });
      assert.equal(result.attempts, attempts);
    }
  });

  it("an Idempotency-Key makes a POST repeatable, for read errors and statuses", async () => {
    const headers = { "Idempotency-Key": "k1" };
    assert.equal((await outcome([resets], { method: "POST", retries: 2, headers })).attempts, 3);
    const retries = new Retry({ total: 2, statusForcelist: [500] });
    const result = await outcome([script(answer(500), OK)], {
      method: "POST",
      retries,
      headers,
      body: "b",
    });
    assert.deepEqual([result.text, result.attempts], ["200", 2]);
  });

  it("the body goes whole with every try", async () => {
    using world = new World();
    const bodies: string[] = [];
    const broken =
      (until: number): Dialled =>
      async (connection: OriginConnection) => {
        await connection.readHead();
        bodies.push(String(await connection.readBody(5)));
        if (bodies.length < until) connection.reset();
        else await connection.send(OK);
      };
    world.host("a.test", broken(3));
    const options = { body: "hello", headers: { "X-Idempotency-Key": "1" } };
    await world.run(world.manager().request("POST", URL, options));
    assert.deepEqual(bodies, ["hello", "hello", "hello"]);
  });
});

describe("statuses", () => {
  const retry = (options: RetryOptions): Retry =>
    new Retry({ total: 2, statusForcelist: [500, 503], ...options });
  const answers = (...codes: number[]): [Dialled] => [script(...codes.map((code) => answer(code)))];
  const cases: [string, number[], Retry, method: string, text: string, attempts: number][] = [
    ["a listed status is tried again", [500, 503, 200], retry({}), "GET", "200", 3],
    ["another one is not", [502], retry({}), "GET", "502", 1],
    ["not for POST", [500], retry({}), "POST", "500", 1],
    ["too many raise", [500, 500, 500], retry({}), "GET", "MaxRetryError", 3],
    ["or give the last answer", [500, 500, 503], retry({ raiseOnStatus: false }), "GET", "503", 3],
    ["status counts alone", [500, 500], retry({ total: null, status: 1 }), "GET", "MaxRetryError", 2],
    ["status 0", [500], retry({ status: 0, raiseOnStatus: false }), "GET", "500", 1],
    ["a status below 400 may be listed", [204, 200], retry({ statusForcelist: [204] }), "GET", "200", 2],
    ["retries: 0", [500], retry({ total: 0 }), "GET", "MaxRetryError", 1],
    ["total: false with an answer", [500], retry({ total: false, raiseOnStatus: false }), "GET", "500", 1],
  ];
  for (const [name, codes, retries, method, text, attempts] of cases) {
    it(name, async () => {
      const result = await outcome(answers(...codes), { method, retries });
      assert.deepEqual([result.text, result.attempts], [text, attempts]);
    });
  }

  it("too many error statuses: the reason says which", async () => {
    const { error } = await outcome(answers(500, 503), { retries: retry({ total: 1 }) });
    const reason = (error as MaxRetryError).reason;
    assert.ok(reason instanceof ResponseError);
    assert.equal(reason.message, "too many 503 error responses");
    assert.equal(reason.status, 503);
  });

  it("the connection is used again for the next try", async () => {
    const { world } = await outcome(answers(500, 500, 200), { retries: retry({}) });
    assert.equal(world.wires.length, 1);
  });
});

describe("the retry budget", () => {
  it("limits the retries of many requests together; a quiet client may still retry", async () => {
    using world = new World();
    world.host("a.test", "ECONNREFUSED");
    const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 0.5, clock: world.clock });
    const manager = world.manager({ retries: new Retry({ total: 3, budget }) });
    const errors: string[] = [];
    for (let i = 0; i < 20; i++)
      errors.push(((await world.failure(manager.request("GET", URL))) as Error).message);
    assert.equal(world.events(/^attempt . retry/).length, 5);
    assert.match(errors[19]!, /the retry budget is used up/);
    await world.clock.elapse(11_000);
    await world.failure(manager.request("GET", URL));
    assert.equal(world.events(/^attempt . retry/).length, 8);
  });
});
