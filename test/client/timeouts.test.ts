import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ConnectTimeoutError,
  DeadlineError,
  EmptyPoolError,
  type HTTPError,
  InvalidArgumentError,
  MaxRetryError,
  type PoolOptions,
  ReadTimeoutError,
  type RequestOptions,
  Retry,
  Timeout,
  TimeoutError,
} from "../../src/index.ts";
import { answer, ok } from "../kit/answers.ts";
import { type Dialled, script, World } from "../kit/world.ts";

type Class = new (...args: never[]) => Error;

/** Answers with `parts`, so many ms apart, the first after the same time. */
function slowly(world: World, gap: number, ...parts: string[]): Dialled {
  return async (connection) => {
    await connection.readHead();
    for (const part of parts) {
      await world.sleep(gap);
      await connection.send(part);
    }
  };
}

/** How a single request without retries ends, and when. */
async function end(
  world: World,
  options: RequestOptions,
  poolOptions: PoolOptions = {},
): Promise<{ error: HTTPError | null; at: number }> {
  const pool = world.pool("a.test", poolOptions);
  const request = pool.request("GET", "/", { retries: false, ...options });
  const error = await world.run(
    request.then(
      () => null,
      (thrown: HTTPError) => thrown,
    ),
  );
  const at = world.clock.now();
  pool.close();
  await world.rest();
  assert.deepEqual(world.leftovers(), []);
  return { error, at };
}

function check(error: HTTPError | null, ErrorClass: Class, phase: string): void {
  assert.ok(error instanceof ErrorClass, String(error));
  assert.equal(error.phase, phase);
  assert.equal(error.url, "http://a.test/");
}

describe("connect", () => {
  it("TCP that never stands", async () => {
    using world = new World().host("a.test", "hang");
    const { error, at } = await end(world, { timeout: new Timeout({ connect: 1500 }) });
    check(error, ConnectTimeoutError, "connect");
    assert.equal(at, 1500);
  });

  it("a look-up that never ends", async () => {
    using world = new World().silentName("a.test");
    const { error, at } = await end(world, { timeout: new Timeout({ connect: 1500 }) });
    check(error, ConnectTimeoutError, "dns");
    assert.equal(at, 1500);
  });

  it("10 seconds by default", async () => {
    using world = new World().host("a.test", "hang");
    const { at } = await end(world, {});
    assert.equal(at, 10_000);
  });

  it("does not limit the wait for the answer", async () => {
    using world = new World();
    world.host("a.test", slowly(world, 5000, ok()));
    const { error, at } = await end(world, { timeout: new Timeout({ connect: 100 }) });
    assert.deepEqual([error, at], [null, 5000]);
  });
});

describe("read", () => {
  const cases: [string, parts: string[], phase: string][] = [
    ["no answer", [], "head"],
    ["half a status line", ["HTTP/1.1 2"], "head"],
    ["a head that does not end", ["HTTP/1.1 200 OK\r\nServer: x\r\n"], "head"],
    ["informational only", ["HTTP/1.1 103 X\r\n\r\n"], "head"],
    ["a body that stops", ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"], "body"],
    ["chunks that stop", ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"], "body"],
  ];
  for (const [name, parts, phase] of cases) {
    it(`${name}: ${phase}`, async () => {
      using world = new World();
      world.host("a.test", script(parts.join("")));
      const { error, at } = await end(world, { timeout: new Timeout({ read: 2000 }) });
      check(error, ReadTimeoutError, phase);
      assert.ok(error instanceof TimeoutError);
      assert.equal(at, 2000);
    });
  }

  it("300 seconds by default", async () => {
    using world = new World().host("a.test", script(""));
    assert.equal((await end(world, {})).at, 300_000);
  });

  it("starts again with each part of the body", async () => {
    using world = new World();
    const head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
    world.host("a.test", slowly(world, 900, head, "a", "b", "c", "d"));
    const { error, at } = await end(world, { timeout: new Timeout({ read: 1000 }) });
    assert.deepEqual([error, at], [null, 4500]);
  });

  it("is the silence of the server: a head in drips is none, and a total ends it (fault 20)", async () => {
    const drips = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    using world = new World();
    world.host("a.test", slowly(world, 900, ...drips));
    const dripped = await end(world, { timeout: new Timeout({ read: 1000 }) });
    assert.deepEqual([dripped.error, dripped.at], [null, 900 * drips.length]);
    using other = new World();
    other.host("a.test", slowly(other, 900, ...drips));
    const { error, at } = await end(other, { timeout: new Timeout({ total: 2000 }) });
    check(error, ReadTimeoutError, "head");
    assert.equal(at, 2000);
  });

  it("nor are informational responses (fault 22)", async () => {
    const informational = Array.from({ length: 50 }, () => "HTTP/1.1 103 X\r\n\r\n");
    using world = new World();
    world.host("a.test", slowly(world, 900, ...informational));
    const { error, at } = await end(world, { timeout: new Timeout({ read: 1000 }) });
    check(error, ReadTimeoutError, "head");
    assert.equal(at, 900 * 50 + 1000);
  });

  it("says nothing of an idle connection", async () => {
    using world = new World().http("a.test");
    const pool = world.pool("a.test", { timeout: 1000, keepAliveTimeout: 60_000 });
    await world.run(pool.request("GET", "/"));
    await world.clock.elapse(50_000);
    assert.equal(pool.numIdle, 1);
    await world.run(pool.request("GET", "/"));
    assert.equal(world.wires.length, 1);
  });
});

describe("total", () => {
  it("connecting counts", async () => {
    using world = new World().host("a.test", "hang");
    const { error, at } = await end(world, { timeout: new Timeout({ total: 700 }) });
    check(error, ConnectTimeoutError, "connect");
    assert.equal(at, 700);
  });

  it("what connecting took is missing for the answer", async () => {
    using world = new World();
    const lookup = ((_name: string, _options: unknown, callback: (...args: unknown[]) => void) => {
      world.clock.setTimer(() => callback(null, [{ address: "10.0.0.1", family: 4 }]), 400);
    }) as unknown as NonNullable<PoolOptions["lookup"]>;
    world.host("a.test", script(""));
    const { error, at } = await end(world, { timeout: new Timeout({ total: 1000 }) }, { lookup });
    check(error, ReadTimeoutError, "head");
    assert.equal(at, 1000);
  });

  it("the shorter of read and total", async () => {
    using world = new World().host("a.test", script(""));
    assert.equal((await end(world, { timeout: new Timeout({ total: 1000, read: 300 }) })).at, 300);
  });

  it("is of each attempt, not of the request", async () => {
    using world = new World().host("a.test", script(""));
    const options = { timeout: new Timeout({ total: 1000 }), retries: 2 };
    const { error, at } = await end(world, options);
    assert.ok(error instanceof MaxRetryError);
    assert.ok(error.reason instanceof ReadTimeoutError);
    assert.equal(at, 3000);
  });
});

describe("poolTimeout", () => {
  it("ends the wait for a connection; it is not retried", async () => {
    using world = new World().host("a.test", script(""));
    const pool = world.pool("a.test", { maxsize: 1, poolTimeout: 1000 });
    const busy = pool.request("GET", "/busy");
    busy.catch(() => {});
    const error = (await world.failure(pool.request("GET", "/", { retries: 5 }))) as HTTPError;
    check(error, EmptyPoolError, "pool");
    assert.equal(world.clock.now(), 1000);
    assert.deepEqual([pool.numQueued, pool.numBusy], [0, 1]);
  });

  it("does not run on while the connection is used", async () => {
    using world = new World();
    world.host("a.test", slowly(world, 5000, ok()));
    const { error, at } = await end(world, { poolTimeout: 1000 }, { maxsize: 1 });
    assert.deepEqual([error, at], [null, 5000]);
  });
});

describe("deadline", () => {
  const stages: [string, (world: World) => Dialled[], RequestOptions, phase: string][] = [
    ["while connecting", () => ["hang"], {}, "pool"],
    ["while waiting for the head", () => [script("")], {}, "head"],
    ["in the body", () => [script("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")], {}, "body"],
    [
      "in a back-off",
      () => ["ECONNREFUSED"],
      { retries: new Retry({ total: 9, backoffFactor: 2000 }) },
      "backoff",
    ],
    ["over many attempts", () => [script("")], { retries: 9, timeout: 700 }, "head"],
    [
      "over redirects",
      (world) => [slowly(world, 900, answer(302, "", "Connection: close", "Location: /"))],
      { retries: 9 },
      "head",
    ],
  ];
  for (const [name, behaviours, options, phase] of stages) {
    it(`${name}: DeadlineError at its time`, async () => {
      using world = new World();
      world.host("a.test", ...(behaviours(world) as [Dialled]));
      const { error, at } = await end(world, { deadline: 2500, ...options });
      assert.ok(error instanceof DeadlineError, String(error));
      assert.ok(error instanceof TimeoutError);
      assert.match(error.message, /^GET http:\/\/a\.test\/: .*deadline of 2500 ms$/);
      assert.equal(error.phase, phase);
      assert.equal(at, 2500);
    });
  }

  it("waiting for a slot", async () => {
    using world = new World().host("a.test", script(""));
    const pool = world.pool("a.test", { maxsize: 1 });
    pool.request("GET", "/busy").catch(() => {});
    const error = await world.failure(pool.request("GET", "/", { deadline: 100 }));
    assert.ok(error instanceof DeadlineError);
    assert.equal(pool.numQueued, 0);
  });

  it("leaves no timer after a request that ended before", async () => {
    using world = new World().http("a.test");
    const { error, at } = await end(world, { deadline: 5000 });
    assert.deepEqual([error, at], [null, 0]);
  });
});

describe("values", () => {
  it("that make no sense are refused before anything is done", async () => {
    using world = new World().http("a.test");
    const pool = world.pool("a.test");
    const bad = [0, -1, Number.NaN, "5", true, { seconds: 5 }];
    for (const value of bad) {
      for (const name of ["timeout", "deadline", "poolTimeout"]) {
        // 0 is for no wait at all.
        if (value === 0 && name === "poolTimeout") continue;
        const error = await world.failure(pool.request("GET", "/", { [name]: value as number }));
        assert.ok(error instanceof InvalidArgumentError, `${name}: ${String(value)}`);
      }
    }
    assert.equal(pool.numRequests, 0);
  });

  it("of the request go before those of the pool, and those of the pool before the defaults", async () => {
    const at = async (options: RequestOptions, poolOptions: PoolOptions): Promise<number> => {
      using world = new World().host("a.test", script(""));
      return (await end(world, options, poolOptions)).at;
    };
    assert.equal(await at({}, { timeout: 500 }), 500);
    assert.equal(await at({ timeout: 70 }, { timeout: 500 }), 70);
    assert.equal(await at({ timeout: undefined }, { timeout: 500 }), 500);
    assert.equal(
      await at({ timeout: new Timeout({ read: 80 }) }, { timeout: new Timeout({ total: 500 }) }),
      80,
    );
    assert.equal(await at({ timeout: null, deadline: 9e5 }, { timeout: 500 }), 900_000);
  });
});
