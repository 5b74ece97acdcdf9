import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, it } from "node:test";
import { HTTPSConnectionPool, type PoolOptions, Retry } from "../../src/index.ts";
import { answer, ok } from "../kit/answers.ts";
import { withLeakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";
import type { OriginConnection } from "../kit/origin-connection.ts";
import { type Dialled, script, World } from "../kit/world.ts";

const OK = ok("done");

/** Answers each request with `text` and says no more. */
const partly = (text: string): Dialled => script(text);

interface Stage {
  readonly name: string;
  /** What the first connections meet; later ones are answered well. */
  readonly behaviours: readonly Dialled[];
  readonly options?: PoolOptions;
  /** ms after which everything that can happen has. */
  readonly after?: number;
  /** Connections after the next request: 1 if the first one could be kept. */
  readonly connections: number;
  /** Something that must be so at the moment of the abort. */
  readonly before?: (world: World) => void;
}

const stages: Stage[] = [
  {
    name: "waiting for the head",
    behaviours: [partly("")],
    connections: 2,
    before: (world) => assert.equal(world.connections[0]!.requestCount, 1),
  },
  { name: "in an informational head", behaviours: [partly("HTTP/1.1 103 X\r\n\r\n")], connections: 2 },
  { name: "in the status line", behaviours: [partly("HTTP/1.")], connections: 2 },
  { name: "in the head", behaviours: [partly("HTTP/1.1 200 OK\r\nContent-Le")], connections: 2 },
  {
    name: "in a body of known length",
    behaviours: [partly("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")],
    connections: 2,
  },
  {
    name: "in a chunked body, before the trailers",
    behaviours: [partly("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n")],
    connections: 2,
  },
  {
    name: "in a body that ends with the connection",
    behaviours: [partly("HTTP/1.1 200 OK\r\n\r\nabc")],
    connections: 2,
  },
  {
    name: "back-off after an error",
    behaviours: ["ECONNREFUSED", "ECONNREFUSED"],
    options: { retries: new Retry({ backoffFactor: 10_000 }) },
    after: 5000,
    connections: 3,
    before: (world) => assert.equal(world.wires.length, 2),
  },
  {
    name: "back-off after a status",
    behaviours: [script(answer(503, "", "Retry-After: 10"), OK)],
    after: 5000,
    connections: 1,
  },
  {
    name: "the second hop of a redirect",
    behaviours: [script(answer(302, "", "Location: /next"), () => {})],
    connections: 2,
    before: (world) => assert.equal(world.connections[0]!.requestCount, 2),
  },
  {
    name: "the second try",
    behaviours: [script((connection) => connection.reset()), partly("")],
    connections: 3,
  },
];

describe("fault 49: an abort", () => {
  for (const { name, behaviours, options, after = 0, connections, before } of stages) {
    it(`${name}: rejects with the very reason and gives everything back`, async () => {
      using world = new World();
      world.host("a.test", ...([...behaviours, script(OK, OK)] as [Dialled]));
      const pool = world.pool("a.test", { maxsize: 1, ...options });
      const controller = new AbortController();
      const reason = { why: name };
      const aborted = pool.request("GET", "/", { signal: controller.signal });
      aborted.catch(() => {});
      await world.clock.elapse(after);
      await world.rest();
      before?.(world);
      assert.equal(getEventListeners(controller.signal, "abort").length, 1);
      const queued = pool.request("GET", "/next");
      controller.abort(reason);
      assert.equal(await world.failure(aborted), reason);
      assert.equal(getEventListeners(controller.signal, "abort").length, 0);
      assert.equal(String((await world.run(queued)).data), "done");
      assert.equal(world.wires.length, connections);
      await world.rest();
      assert.deepEqual([pool.numBusy, pool.numQueued, pool.numIdle], [0, 0, 1]);
      pool.close();
      await world.rest();
      assert.deepEqual(world.leftovers(), []);
    });
  }

  it("before the call: nothing is begun", async () => {
    using world = new World().http("a.test");
    const pool = world.pool("a.test");
    const reason = new Error("too late");
    const signal = AbortSignal.abort(reason);
    assert.equal(await world.failure(pool.request("GET", "/", { signal })), reason);
    assert.equal(getEventListeners(signal, "abort").length, 0);
    assert.deepEqual([pool.numRequests, world.wires.length], [0, 0]);
    assert.deepEqual(world.log, []);
    assert.deepEqual(world.leftovers(), []);
  });

  it("in the tick of the call", async () => {
    using world = new World().http("a.test");
    const pool = world.pool("a.test", { maxsize: 1 });
    const controller = new AbortController();
    const aborted = world.failure(pool.request("GET", "/", { signal: controller.signal }));
    controller.abort("now");
    assert.equal(await aborted, "now");
    assert.equal((await world.run(pool.request("GET", "/next"))).status, 200);
    assert.equal(world.received.length, 1);
    assert.equal(world.wires.length, 1);
  });

  it("without a reason: an AbortError", async () => {
    using world = new World().host("a.test", partly(""));
    const controller = new AbortController();
    const aborted = world.pool("a.test").request("GET", "/", { signal: controller.signal });
    controller.abort();
    const error = (await world.failure(aborted)) as Error;
    assert.equal(error, controller.signal.reason);
    assert.equal(error.name, "AbortError");
  });

  it("waiting for a slot: the line moves on, the one in front is not disturbed", async () => {
    using world = new World();
    let release!: () => void;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    world.http("a.test", async ({ target }) => {
      if (target === "/1") await gate;
      return target;
    });
    const pool = world.pool("a.test", { maxsize: 1 });
    const controller = new AbortController();
    const first = pool.request("GET", "/1");
    const second = pool.request("GET", "/2", { signal: controller.signal });
    const third = pool.request("GET", "/3");
    await world.rest();
    assert.equal(pool.numQueued, 2);
    controller.abort("enough");
    assert.equal(await world.failure(second), "enough");
    assert.equal(pool.numQueued, 1);
    release();
    await world.run(Promise.all([first, third]));
    assert.deepEqual(
      world.received.map(({ target }) => target),
      ["/1", "/3"],
    );
    assert.equal(world.wires.length, 1);
  });

  it("in the look-up: another request for the same name is not disturbed, the place is free", async () => {
    using world = new World();
    const answers: (() => void)[] = [];
    const lookup = ((_name: string, _options: unknown, callback: (...args: unknown[]) => void) => {
      answers.push(() => callback(null, [{ address: "10.0.0.1", family: 4 }]));
    }) as unknown as NonNullable<PoolOptions["lookup"]>;
    world.http("a.test");
    const pool = world.pool("a.test", { lookup });
    const controller = new AbortController();
    const aborted = pool.request("GET", "/1", { signal: controller.signal });
    const other = pool.request("GET", "/2");
    await world.rest();
    assert.equal(answers.length, 1);
    controller.abort("enough");
    assert.equal(await world.failure(aborted), "enough");
    assert.equal(pool.numQueued, 1);
    answers[0]!();
    assert.equal((await world.run(other)).status, 200);
    assert.equal(world.received.length, 1);
  });

  it("while TCP connects: the dial is kept for the next request", async () => {
    using world = new World().host("a.test", "hang");
    const pool = world.pool("a.test", { maxsize: 1 });
    const controller = new AbortController();
    const aborted = pool.request("GET", "/1", { signal: controller.signal });
    await world.rest();
    assert.equal(world.wires.length, 1);
    controller.abort("enough");
    assert.equal(await world.failure(aborted), "enough");
    assert.deepEqual([pool.numQueued, pool.numBusy], [0, 0]);
    pool.close();
    await world.rest();
    assert.deepEqual(world.leftovers(), []);
  });

  it("while TLS shakes hands", async (t) => {
    withLeakGate(t);
    await using origin = await startOrigin(async (connection: OriginConnection) => {
      await connection.readBody(1);
      await connection.ended;
    });
    const pool = new HTTPSConnectionPool("127.0.0.1", origin.port, { certReqs: "CERT_NONE" });
    const controller = new AbortController();
    const aborted = pool.request("GET", "/", { signal: controller.signal });
    const outcome = assert.rejects(aborted, (error) => error === "enough");
    const connection = await origin.connection(0);
    while (connection.bytesReceived === 0) await new Promise((resolve) => setImmediate(resolve));
    controller.abort("enough");
    await outcome;
    assert.deepEqual([pool.numBusy, pool.numQueued], [0, 0]);
    pool.close();
    await connection.closed;
  });

  it("while the request is written to a server that does not read", async () => {
    using world = new World();
    const deaf: Dialled = (connection) => connection.pause();
    world.host("a.test", deaf, script(OK));
    const pool = world.pool("a.test", { maxsize: 1 });
    const controller = new AbortController();
    const body = Buffer.alloc(5_000_000);
    const aborted = pool.request("POST", "/", { body, signal: controller.signal });
    const queued = pool.request("GET", "/");
    await world.rest();
    assert.ok(world.wires[0]!.writableLength > 0 || world.wires[0]!.bytesWritten > body.length);
    controller.abort("enough");
    assert.equal(await world.failure(aborted), "enough");
    assert.equal(String((await world.run(queued)).data), "done");
    assert.equal(world.wires[0]!.destroyed, true);
    pool.close();
    await world.rest();
    assert.deepEqual(world.leftovers(), []);
  });

  it("while a streamed body is read, and while it is drained", async () => {
    for (const how of ["read", "drainConn"] as const) {
      using world = new World().host("a.test", partly("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"));
      const pool = world.pool("a.test", { maxsize: 1 });
      const controller = new AbortController();
      const { signal } = controller;
      const response = await world.run(pool.request("GET", "/", { signal, preloadContent: false }));
      assert.equal(getEventListeners(signal, "abort").length, 1);
      const end = how === "read" ? world.failure(response.read()) : world.run(response.drainConn());
      await world.rest();
      controller.abort("enough");
      assert.equal(await end, how === "read" ? "enough" : undefined);
      assert.equal(getEventListeners(signal, "abort").length, 0);
      assert.deepEqual([pool.numBusy, world.open.length], [0, 0]);
      pool.close();
      await world.rest();
      assert.deepEqual(world.leftovers(), []);
    }
  });

  it("of a request that was bound to an idle connection but not written: the connection stays", async () => {
    using world = new World().http("a.test", ({ target }) => target);
    const pool = world.pool("a.test");
    await world.run(pool.request("GET", "/1"));
    await world.rest();
    assert.equal(pool.numIdle, 1);
    const controller = new AbortController();
    const aborted = pool.request("GET", "/2", { signal: controller.signal });
    controller.abort("enough");
    assert.equal(await world.failure(aborted), "enough");
    await world.rest();
    assert.deepEqual([pool.numIdle, pool.numBusy], [1, 0]);
    await world.run(pool.request("GET", "/3"));
    assert.deepEqual(
      world.received.map(({ target }) => target),
      ["/1", "/3"],
    );
    assert.equal(world.wires.length, 1);
  });

  it("after the end does nothing", async () => {
    using world = new World().http("a.test", () => "x");
    const pool = world.pool("a.test");
    const controller = new AbortController();
    const { signal } = controller;
    const response = await world.run(pool.request("GET", "/", { signal }));
    assert.equal(getEventListeners(signal, "abort").length, 0);
    controller.abort();
    await world.rest();
    assert.equal(String(response.data), "x");
    assert.equal(pool.numIdle, 1);
    assert.ok((await world.failure(pool.request("GET", "/", { signal }))) === signal.reason);
  });

  it("of one signal ends many requests; a signal of many requests keeps no listener", async () => {
    using world = new World();
    world.host("a.test", partly(""));
    world.http("b.test", () => "x");
    const manager = world.manager();
    const controller = new AbortController();
    const { signal } = controller;
    for (let i = 0; i < 50; i++) await world.run(manager.request("GET", "http://b.test/", { signal }));
    assert.equal(getEventListeners(signal, "abort").length, 0);
    const hanging = Array.from({ length: 5 }, () => manager.request("GET", "http://a.test/", { signal }));
    for (const one of hanging) one.catch(() => {});
    await world.rest();
    controller.abort("all");
    for (const one of hanging) assert.equal(await world.failure(one), "all");
    manager.clear();
    await world.rest();
    assert.deepEqual(world.leftovers(), []);
  });
});
