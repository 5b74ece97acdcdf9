/** The fault catalogue, rows about hosts with several addresses, and about names. */

import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { describe, it } from "node:test";
import {
  ConnectTimeoutError,
  DnsCache,
  HTTPConnectionPool,
  type HTTPError,
  NameResolutionError,
  NewConnectionError,
  ProtocolError,
  ReadTimeoutError,
  Retry,
} from "../../src/index.ts";
import { ok } from "../kit/answers.ts";
import { withLeakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";
import { script, World } from "../kit/world.ts";

const OK = ok("good");
const V6 = "fd00::1";
const V4 = "10.1.0.1";

async function tidy(world: World, pool: { close(): void }): Promise<void> {
  pool.close();
  await world.rest();
  assert.deepEqual(world.leftovers(), []);
}

describe("several addresses", () => {
  it("fault 1: the first refuses, the next one serves: one attempt, no retry", async () => {
    using world = new World({ noteDials: true });
    world.name("a.test", "10.1.0.1", "10.1.0.2", "10.1.0.3");
    world.host("10.1.0.1", "ECONNREFUSED").host("10.1.0.2", "ENETUNREACH").host("10.1.0.3", script(OK));
    const pool = world.pool("a.test", { retries: false });
    const response = await world.run(pool.request("POST", "/", { body: "x" }));
    assert.equal(response.retries!.history.length, 0);
    assert.deepEqual(world.log, [
      "0 attempt 1 first POST http://a.test/",
      "0 dial 10.1.0.1",
      "0 dial 10.1.0.2",
      "0 gone 10.1.0.1",
      "0 dial 10.1.0.3",
      "0 gone 10.1.0.2",
      "0 open #1 a.test:80",
    ]);
    await tidy(world, pool);
  });

  it("fault 1: all refuse: the first error, with every address in its text; nothing was sent", async () => {
    using world = new World();
    world.name("a.test", "10.1.0.1", "10.1.0.2");
    world.host("10.1.0.1", "ECONNREFUSED").host("10.1.0.2", "ECONNREFUSED");
    const pool = world.pool("a.test", { retries: false });
    const error = (await world.failure(pool.request("GET", "/"))) as HTTPError;
    assert.ok(error instanceof NewConnectionError);
    for (const address of ["10.1.0.1", "10.1.0.2"]) assert.ok(error.message.includes(address), error.message);
    assert.equal((error.cause as NodeJS.ErrnoException).code, "ECONNREFUSED");
    assert.equal(error.bytesWritten, 0);
    await tidy(world, pool);
  });

  it("fault 1: a port where nobody listens, on a real socket", async (t) => {
    withLeakGate(t);
    const origin = await startOrigin("");
    const { port } = origin;
    await origin.close();
    using pool = new HTTPConnectionPool("127.0.0.1", port, { retries: false });
    await assert.rejects(pool.request("GET", "/"), (error: NewConnectionError) => {
      assert.ok(error instanceof NewConnectionError);
      assert.equal((error.cause as NodeJS.ErrnoException).code, "ECONNREFUSED");
      return true;
    });
  });

  it("fault 1: an answer is read whole from the second address, on a real socket", async (t) => {
    withLeakGate(t);
    const body = "x".repeat(300_000);
    await using origin = await startOrigin(ok(body));
    // The whole of 127.0.0.0/8 is this machine; nobody listens on that port of 127.0.0.2.
    const addresses = ["127.0.0.2", "127.0.0.1"].map((address) => ({ address, family: 4 }));
    const lookup = ((_name: string, _options: unknown, callback: (...args: unknown[]) => void) =>
      callback(null, addresses)) as unknown as LookupFunction;
    using pool = new HTTPConnectionPool("a.test", origin.port, { retries: false, lookup });
    for (let round = 0; round < 3; round++) assert.equal(await (await pool.request("GET", "/")).text(), body);
    assert.equal(origin.accepted, 1);
  });

  it("fault 2: the first hangs: the next begins after 250 ms and wins, the first is closed", async () => {
    using world = new World({ noteDials: true });
    world.name("a.test", "10.1.0.1", "10.1.0.2").host("10.1.0.1", "hang").host("10.1.0.2", script(OK));
    const pool = world.pool("a.test", { retries: false });
    await world.run(pool.request("GET", "/"));
    assert.deepEqual(world.log, [
      "0 attempt 1 first GET http://a.test/",
      "0 dial 10.1.0.1",
      "250 dial 10.1.0.2",
      "250 open #1 a.test:80",
      "250 gone 10.1.0.1",
    ]);
    assert.equal(world.open.length, 1);
    await tidy(world, pool);
  });

  it("fault 2: every one hangs: a connect timeout over all of them, and no socket is left", async () => {
    using world = new World();
    world.name("a.test", "10.1.0.1", "10.1.0.2").host("10.1.0.1", "hang").host("10.1.0.2", "hang");
    const pool = world.pool("a.test", { retries: false, timeout: 3000 });
    const error = (await world.failure(pool.request("GET", "/"))) as HTTPError;
    assert.ok(error instanceof ConnectTimeoutError);
    assert.deepEqual([error.phase, error.bytesWritten, world.clock.now()], ["connect", 0, 3000]);
    assert.deepEqual([world.wires.length, world.open.length, pool.numQueued], [2, 0, 0]);
    await tidy(world, pool);
  });

  it("fault 3: IPv6 is dead, IPv4 wins after the delay; the next dial begins with what has worked", async () => {
    using world = new World({ noteDials: true });
    world.name("a.test", V6, V4).host(V6, "hang").host(V4, script(OK));
    const pool = world.pool("a.test", { retries: false, keepAliveTimeout: 0 });
    await world.run(pool.request("GET", "/"));
    await world.rest();
    assert.equal(world.open.length, 0);
    await world.run(pool.request("GET", "/"));
    assert.deepEqual(world.log.filter((line) => !line.includes("attempt")).slice(0, 7), [
      `0 dial ${V6}`,
      `250 dial ${V4}`,
      "250 open #1 a.test:80",
      `250 gone ${V6}`,
      "250 close #1",
      `250 gone ${V4}`,
      `250 dial ${V4}`,
    ]);
    await tidy(world, pool);
  });
});

describe("names", () => {
  /** Asked again and again it gives these answers in turn: an error code, or addresses. */
  const resolver = (...answers: (string | string[])[]): { lookup: LookupFunction; asked: () => number } => {
    let asked = 0;
    const lookup = ((_name: string, _options: unknown, callback: (...args: unknown[]) => void) => {
      const answer = answers[Math.min(asked++, answers.length - 1)]!;
      queueMicrotask(() => {
        if (typeof answer === "string") callback(Object.assign(new Error(answer), { code: answer }), []);
        else
          callback(
            null,
            answer.map((address) => ({ address, family: 4 })),
          );
      });
    }) as unknown as LookupFunction;
    return { lookup, asked: () => asked };
  };

  it("fault 4: no address at all", async () => {
    using world = new World().name("a.test");
    const pool = world.pool("a.test", { retries: false });
    const error = (await world.failure(pool.request("GET", "/"))) as HTTPError;
    assert.ok(error instanceof NameResolutionError);
    assert.deepEqual([error.phase, error.bytesWritten, world.wires.length], ["dns", 0, 0]);
    await tidy(world, pool);
  });

  it("fault 4: a resolver that is slow beyond the connect timeout; its answer comes to nothing", async () => {
    using world = new World().host(V4, script(OK));
    const lookup = ((_name: string, _options: unknown, callback: (...args: unknown[]) => void) => {
      world.clock.setTimer(() => callback(null, [{ address: V4, family: 4 }]), 5000);
    }) as unknown as LookupFunction;
    const pool = world.pool("a.test", { retries: false, timeout: 1000, lookup });
    const error = (await world.failure(pool.request("GET", "/"))) as HTTPError;
    assert.ok(error instanceof ConnectTimeoutError);
    assert.deepEqual([error.phase, world.clock.now()], ["dns", 1000]);
    await world.clock.elapse(10_000);
    assert.equal(world.wires.length, 0);
    await tidy(world, pool);
  });

  it("fault 4: two of three addresses are dead, one of them silently", async () => {
    using world = new World().name("a.test", "10.1.0.1", "10.1.0.2", "10.1.0.3");
    world.host("10.1.0.1", "EHOSTUNREACH").host("10.1.0.2", "hang").host("10.1.0.3", script(OK));
    const pool = world.pool("a.test", { retries: false });
    assert.equal(String((await world.run(pool.request("GET", "/"))).data), "good");
    assert.deepEqual([world.clock.now(), world.open.length, pool.numConnections], [250, 1, 1]);
    await tidy(world, pool);
  });

  it("fault 4: a temporary failure is not kept in the cache, an answer is", async () => {
    using world = new World().host(V4, script(OK));
    const { lookup, asked } = resolver("EAI_AGAIN", [V4], "ENOTFOUND");
    const dnsCache = new DnsCache({ ttl: 60_000 });
    const pool = world.pool("a.test", { lookup, dnsCache, keepAliveTimeout: 0 });
    const failed = await world.failure(pool.request("GET", "/", { retries: false }));
    assert.ok(failed instanceof NameResolutionError);
    for (let round = 0; round < 3; round++) {
      await world.run(pool.request("GET", "/", { retries: false }));
      assert.equal(asked(), 2);
    }
    await tidy(world, pool);
  });

  it("fault 4: callers of one look-up: when one gives up, the others get their answer", async () => {
    using world = new World().host(V4, script(OK));
    let answer!: () => void;
    let asked = 0;
    const lookup = ((_name: string, _options: unknown, callback: (...args: unknown[]) => void) => {
      asked++;
      answer = () => callback(null, [{ address: V4, family: 4 }]);
    }) as unknown as LookupFunction;
    const [one, other] = [world.pool("a.test", { lookup }), world.pool("a.test", { lookup }, 81)];
    const controller = new AbortController();
    const leaving = one.request("GET", "/", { signal: controller.signal });
    const staying = other.request("GET", "/");
    await world.rest();
    controller.abort("enough");
    assert.equal(await world.failure(leaving), "enough");
    one.close();
    await world.rest();
    answer();
    assert.equal((await world.run(staying)).status, 200);
    assert.equal(asked, 1);
    await tidy(world, other);
  });
});

describe("peers that are gone", () => {
  for (const where of ["in memory", "on a real socket"] as const) {
    it(`fault 6: accepted and closed at once, ${where}: an error, no resend, and a retry if it is wanted`, async (t) => {
      withLeakGate(t);
      using world = new World().host("a.test", (connection) => connection.close());
      await using origin = await startOrigin((connection) => connection.close());
      const real = where === "on a real socket";
      const pool = real ? new HTTPConnectionPool("127.0.0.1", origin.port) : world.pool("a.test");
      const failure = async (retries: false | Retry): Promise<HTTPError> => {
        const request = pool.request("GET", "/", { retries });
        return (await (real ? request.catch((error) => error) : world.failure(request))) as HTTPError;
      };
      const error = await failure(false);
      assert.ok(error instanceof ProtocolError, String(error));
      assert.deepEqual([error.reused, error.responseStarted, error.attempt], [false, false, 1]);
      assert.equal(pool.numConnections, 1);
      assert.equal((await failure(new Retry({ total: 2 }))).attempt, 3);
      assert.deepEqual([pool.numConnections, pool.numBusy, pool.numIdle], [4, 0, 0]);
      pool.close();
    });
  }

  it("fault 9: a reset while idle, on a real socket: nobody hears of it, the next request dials", async (t) => {
    withLeakGate(t);
    await using origin = await startOrigin(OK);
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { retries: false });
    await pool.request("GET", "/");
    assert.equal(pool.numIdle, 1);
    origin.connections[0]!.reset();
    while (pool.numIdle > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await pool.request("POST", "/")).status, 200);
    assert.deepEqual([origin.accepted, pool.numRequests], [2, 2]);
  });

  it("fault 10: half-open, found on reuse: the read timeout, and a new connection if retries are wanted", async () => {
    for (const retries of [0, 1] as const) {
      using world = new World().host("a.test", script(OK, ""), script(OK));
      const pool = world.pool("a.test", { timeout: 1000 });
      await world.run(pool.request("GET", "/"));
      const request = pool.request("GET", "/", { retries: retries === 0 ? false : retries });
      if (retries === 0) {
        const error = (await world.failure(request)) as HTTPError;
        assert.ok(error instanceof ReadTimeoutError);
        assert.deepEqual([error.phase, error.reused, error.responseStarted], ["head", true, false]);
      } else assert.equal((await world.run(request)).retries!.history.length, 1);
      assert.equal(world.wires[0]!.destroyed, true);
      assert.deepEqual([world.clock.now(), world.wires.length], [1000, 1 + retries]);
      await tidy(world, pool);
    }
  });
});
