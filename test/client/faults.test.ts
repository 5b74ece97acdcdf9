/** The fault catalogue, rows about connections and pools: making them, losing them, sharing them. */

import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { describe, it } from "node:test";
import {
  type HTTPError,
  NameResolutionError,
  NewConnectionError,
  ProtocolError,
  ReadTimeoutError,
} from "../../src/index.ts";
import { answer, ok } from "../kit/answers.ts";
import type { OriginConnection } from "../kit/origin-connection.ts";
import { type Dialled, script, World } from "../kit/world.ts";

const OK = ok("good");

const closes: Dialled = async (connection) => {
  await connection.readHead();
  connection.close();
};

/** Answers one request and goes away when the next one comes: the client has had no sign of it before. */
const once = (how: "close" | "reset"): Dialled => script(OK, (connection) => connection[how]());

async function tidy(world: World, pool: { close(): void }): Promise<void> {
  pool.close();
  await world.rest();
  assert.deepEqual(world.leftovers(), []);
}

function facts(error: HTTPError): object {
  const { phase, reused, bytesWritten, responseStarted, attempt, route } = error;
  return { phase, reused, bytesWritten, responseStarted, attempt, route };
}

describe("no connection", () => {
  const nothingSent = {
    reused: false,
    bytesWritten: 0,
    responseStarted: false,
    attempt: 1,
    route: "a.test:80",
  };
  for (const code of [
    "ECONNREFUSED",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "ECONNRESET",
    "ETIMEDOUT",
    "EACCES",
  ] as const) {
    it(`fault 1: ${code}`, async () => {
      using world = new World().host("a.test", code);
      const pool = world.pool("a.test");
      const error = (await world.failure(
        pool.request("POST", "/", { retries: false, body: "x" }),
      )) as HTTPError;
      assert.ok(error instanceof NewConnectionError);
      assert.equal((error.cause as NodeJS.ErrnoException).code, code);
      assert.match(
        error.message,
        new RegExp(`^POST http://a.test/: Failed to establish a new connection: .*${code}`),
      );
      assert.deepEqual(facts(error), { phase: "connect", ...nothingSent });
      await tidy(world, pool);
    });
  }

  it("fault 2: a dial that hangs is served by another connection that comes back", async () => {
    using world = new World();
    world.host(
      "a.test",
      script(async (connection) => {
        await world.sleep(500);
        await connection.send(OK);
      }, OK),
      "hang",
    );
    const pool = world.pool("a.test");
    const all = Promise.all([pool.request("GET", "/1"), pool.request("GET", "/2")]);
    await world.run(all);
    assert.equal(world.clock.now(), 500);
    assert.deepEqual([pool.numConnections, pool.numQueued], [1, 0]);
    await tidy(world, pool);
  });

  it("fault 4: a name that is not found", async () => {
    using world = new World();
    const pool = world.pool("a.test");
    const error = (await world.failure(pool.request("GET", "/", { retries: false }))) as HTTPError;
    assert.ok(error instanceof NameResolutionError);
    assert.equal((error.cause as NodeJS.ErrnoException).code, "ENOTFOUND");
    assert.deepEqual(facts(error), { phase: "dns", ...nothingSent });
    await tidy(world, pool);
  });

  it("fault 4: a name that is found later, with a retry; failures are not kept", async () => {
    using world = new World().http("a.test");
    let asked = 0;
    world.fails = (call) => call === "lookup" && ++asked === 1;
    const pool = world.pool("a.test");
    assert.equal((await world.run(pool.request("POST", "/"))).status, 200);
    assert.deepEqual(world.lookups, ["a.test", "a.test"]);
  });

  for (const code of ["EMFILE", "ENFILE"] as const) {
    it(`fault 5: ${code} closes the connection idle longest, of any pool, and dials once again`, async () => {
      using world = new World().http("a.test").http("b.test").host("c.test", code, script(OK));
      const manager = world.manager();
      await world.run(manager.request("GET", "http://a.test/"));
      await world.rest();
      await world.run(manager.request("GET", "http://b.test/"));
      await world.rest();
      const response = await world.run(manager.request("POST", "http://c.test/", { retries: false }));
      assert.equal(String(response.data), "good");
      assert.deepEqual(
        world.wires.map(({ destroyed }) => destroyed),
        [true, false, true, false],
      );
      assert.equal(response.retries!.history.length, 0);
      assert.equal(manager.stats().openConnections, 2);
    });

    for (const [shortages, found] of [
      [3, true],
      [4, false],
    ] as const) {
      const what = found ? "goes on" : "ends";
      it(`fault 5: a look-up that met ${code} ${shortages} times ${what}; its socket has a try of its own`, async () => {
        using world = new World().http("a.test").host("c.test", code, script(OK));
        const failure = Object.assign(new Error("no file"), { code });
        let asked = 0;
        const lookup: LookupFunction = (name, _options, done) => {
          const short = name === "c.test" && asked++ < shortages;
          const address = name === "a.test" ? "10.0.0.1" : "10.0.0.2";
          queueMicrotask(() => (short ? done(failure, []) : done(null, [{ address, family: 4 }])));
        };
        const manager = world.manager({ lookup, retries: false });
        await world.run(
          Promise.all(Array.from({ length: 5 }, () => manager.request("GET", "http://a.test/"))),
        );
        await world.rest();
        const asking = manager.request("GET", "http://c.test/");
        if (found) assert.equal((await world.run(asking)).status, 200);
        else assert.ok((await world.failure(asking)) instanceof NameResolutionError);
        await world.rest();
        // Each shortage has cost one of the five; with the socket the name is looked up again.
        assert.deepEqual([asked, manager.stats().openConnections], [found ? 5 : 4, 2]);
      });
    }

    it(`fault 5: ${code} twice, or with nothing idle, is an error; counts are exact`, async () => {
      using world = new World().http("a.test").host("c.test", code);
      const manager = world.manager();
      const bare = await world.failure(manager.request("GET", "http://c.test/", { retries: false }));
      assert.ok(bare instanceof NewConnectionError);
      assert.equal(world.wires.length, 1);
      await world.run(manager.request("GET", "http://a.test/"));
      await world.rest();
      const error = await world.failure(manager.request("GET", "http://c.test/", { retries: false }));
      assert.ok(error instanceof NewConnectionError);
      assert.equal(((error as Error).cause as NodeJS.ErrnoException).code, code);
      assert.deepEqual([world.wires.length, manager.stats().openConnections], [4, 0]);
    });
  }
});

describe("connections that are lost", () => {
  it("fault 6: closed before any byte of the answer, fresh: an error, no silent resend", async () => {
    using world = new World().host("a.test", closes);
    const pool = world.pool("a.test");
    const error = (await world.failure(pool.request("GET", "/", { retries: false }))) as HTTPError;
    assert.ok(error instanceof ProtocolError);
    assert.match(error.message, /Remote end closed connection without response/);
    const bytesWritten = world.wires[0]!.bytesWritten;
    const known = { phase: "head", reused: false, bytesWritten, responseStarted: false, attempt: 1 };
    assert.deepEqual(facts(error), { ...known, route: "a.test:80" });
    assert.equal(world.wires.length, 1);
    await tidy(world, pool);
  });

  for (const how of ["close", "reset"] as const) {
    it(`fault 7: ${how} on a reused connection: one silent resend, on a new one, not in the history`, async () => {
      using world = new World().host("a.test", once(how), script(OK));
      const pool = world.pool("a.test", { retries: false });
      await world.run(pool.request("GET", "/"));
      const response = await world.run(pool.request("GET", "/again"));
      assert.equal(String(response.data), "good");
      assert.equal(response.retries!.history.length, 0);
      assert.deepEqual(world.events(/attempt|open|close/), [
        "attempt 1 first GET http://a.test/",
        "open #1 a.test:80",
        "attempt 1 first GET http://a.test/again",
        "close #1",
        "attempt 2 resend GET http://a.test/again",
        "open #2 a.test:80",
      ]);
      assert.equal(pool.numConnections, 2);
      await tidy(world, pool);
    });
  }

  it("fault 7: the resend takes a new connection although others are idle, and there is only one", async () => {
    using world = new World();
    const gate = withResolvers();
    const first = script(
      async (connection) => {
        await gate.promise;
        await connection.send(OK);
      },
      (connection) => connection.close(),
    );
    world.host("a.test", first, first, first, closes);
    const pool = world.pool("a.test", { retries: false, maxsize: 3 });
    const three = Promise.all([1, 2, 3].map((n) => pool.request("GET", `/${n}`)));
    await world.rest();
    gate.resolve();
    await world.run(three);
    await world.rest();
    assert.equal(pool.numIdle, 3);
    const error = (await world.failure(pool.request("GET", "/"))) as HTTPError;
    assert.ok(error instanceof ProtocolError);
    assert.deepEqual([error.attempt, error.reused], [2, false]);
    assert.equal(world.wires.length, 4);
    await tidy(world, pool);
  });

  it("fault 7: only one, even if the connection that it gets has served others too", async () => {
    using world = new World();
    const gate = withResolvers();
    const slow = script(
      OK,
      async (connection) => {
        await gate.promise;
        await connection.send(OK);
      },
      (connection) => connection.close(),
    );
    world.host("a.test", slow, once("close"), "hang");
    const pool = world.pool("a.test", { retries: false, maxsize: 2 });
    await world.run(Promise.all([pool.request("GET", "/1"), pool.request("GET", "/2")]));
    await world.rest();
    const [one, other] = [pool.request("GET", "/3"), pool.request("GET", "/4")];
    const failing = world.failure(Promise.race([one.then(() => other), other.then(() => one)]));
    await world.rest();
    gate.resolve();
    const error = (await failing) as HTTPError;
    assert.ok(error instanceof ProtocolError);
    assert.deepEqual([error.attempt, error.reused], [2, true]);
    assert.equal(world.wires.length, 3);
    await tidy(world, pool);
  });

  it("fault 7: a POST that was written is not sent again, but with an idempotency key it is", async () => {
    using world = new World().host("a.test", once("close"), once("close"), script(OK));
    const pool = world.pool("a.test");
    await world.run(pool.request("GET", "/"));
    const error = (await world.failure(
      pool.request("POST", "/", { body: "payload", retries: 5 }),
    )) as HTTPError;
    assert.ok(error instanceof ProtocolError);
    assert.deepEqual([error.reused, error.responseStarted, error.attempt], [true, false, 1]);
    assert.ok(error.bytesWritten! > 7);
    await world.run(pool.request("GET", "/"));
    const headers = { "Idempotency-Key": "1" };
    const response = await world.run(pool.request("POST", "/", { body: "payload", retries: false, headers }));
    assert.equal(String(response.data), "good");
    await tidy(world, pool);
  });

  it("fault 7: no resend once a byte of the answer has come", async () => {
    using world = new World();
    const partly = script(OK, async (connection) => {
      await connection.send("H");
      connection.close();
    });
    world.host("a.test", partly, script(OK));
    const pool = world.pool("a.test", { retries: false });
    await world.run(pool.request("GET", "/"));
    const error = (await world.failure(pool.request("GET", "/"))) as HTTPError;
    assert.deepEqual([error.reused, error.responseStarted], [true, true]);
    await tidy(world, pool);
  });

  it("fault 7: a connection that is only slow is not a reason for a resend", async () => {
    using world = new World().host("a.test", script(OK, ""), script(OK));
    const pool = world.pool("a.test", { retries: false, timeout: 1000 });
    await world.run(pool.request("GET", "/"));
    assert.ok((await world.failure(pool.request("GET", "/"))) instanceof ReadTimeoutError);
    assert.equal(world.wires.length, 1);
    await tidy(world, pool);
  });

  for (const [row, how] of [
    ["fault 8: closed", "halfClose"],
    ["fault 9: reset", "reset"],
  ] as const) {
    it(`${row} while idle: gone at once, the next request dials`, async () => {
      using world = new World().host("a.test", script(OK));
      const pool = world.pool("a.test", { retries: false });
      await world.run(pool.request("GET", "/"));
      await world.rest();
      assert.equal(pool.numIdle, 1);
      world.connections[0]![how]();
      await world.rest();
      assert.deepEqual([pool.numIdle, world.open.length], [0, 0]);
      assert.equal((await world.run(pool.request("POST", "/"))).status, 200);
      assert.deepEqual(
        world.events(/^attempt/).map((line) => line.slice(0, 15)),
        Array(2).fill("attempt 1 first"),
      );
      await tidy(world, pool);
    });
  }

  it("fault 11: closed with the answer, although it says keep-alive", async () => {
    using world = new World().host(
      "a.test",
      script(async (connection) => {
        await connection.send(answer(200, "good", "Connection: keep-alive"));
        connection.halfClose();
      }),
    );
    const pool = world.pool("a.test", { retries: false });
    for (let round = 1; round <= 3; round++) {
      await world.run(pool.request("POST", "/"));
      await world.rest();
      assert.deepEqual([pool.numConnections, pool.numIdle], [round, 0]);
    }
    await tidy(world, pool);
  });

  for (const announced of [true, false]) {
    it(`fault 12: closed after 3 requests, ${announced ? "announced" : "unannounced"}`, async () => {
      using world = new World();
      const last = announced ? answer(200, "good", "Connection: close") : OK;
      const end = (connection: OriginConnection): void => connection.halfClose();
      world.host(
        "a.test",
        script(OK, OK, async (connection) => {
          await connection.send(last);
          end(connection);
        }),
      );
      const pool = world.pool("a.test", { retries: false });
      for (let n = 0; n < 30; n++) await world.run(pool.request("GET", "/"));
      assert.deepEqual([pool.numRequests, pool.numConnections, world.wires.length], [30, 10, 10]);
      await tidy(world, pool);
    });
  }

  it("fault 12: 100 requests to a server that closes each time the second request has come", async () => {
    using world = new World().host("a.test", once("close"));
    const pool = world.pool("a.test", { retries: false });
    for (let n = 0; n < 100; n++) await world.run(pool.request("GET", "/"));
    assert.equal(pool.numConnections, 100);
    await tidy(world, pool);
  });
});

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
