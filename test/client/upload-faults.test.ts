/** Rows 26 to 31 of the catalogue of faults: what a server can do while, or instead of, taking a body. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  HTTPConnectionPool,
  type Informational,
  PoolManager,
  ProtocolError,
  type RequestOptions,
} from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { type OriginConnection, startOrigin } from "../kit/origin.ts";
import { script, World } from "../kit/world.ts";

leakGate();

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const REFUSAL = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
const EXPECTING: RequestOptions = { headers: { Expect: "100-continue" }, body: "body" };

describe("Expect: 100-continue", () => {
  it("fault 26: 100 never comes; the body is sent after 1 s, not before", async () => {
    for (const body of ["body", () => ["bo", "dy"]]) {
      using world = new World();
      let waited = 0;
      world.host("a", async (connection) => {
        await connection.readHead();
        const from = world.clock.now();
        await (typeof body === "string" ? connection.readBody(4) : connection.readChunkedBody());
        waited = world.clock.now() - from;
        await connection.send(OK);
      });
      const pool = world.pool("a");
      const response = await world.run(pool.request("POST", "/", { ...EXPECTING, body }));
      assert.equal(response.status, 200);
      assert.ok(waited >= 1000 && waited < 1200, `${waited} ms`);
      assert.equal(pool.numIdle, 1);
      pool.close();
      assert.deepEqual(world.leftovers(), []);
    }
  });

  for (const fields of ["", "Connection: close\r\n"]) {
    it(`fault 27: a final answer instead of 100, ${fields.trim() || "keep-alive"}: the body is not sent, the connection retired`, async () => {
      using world = new World();
      world.host("a", script(`HTTP/1.1 401 No\r\n${fields}Content-Length: 2\r\n\r\nno`));
      const pool = world.pool("a");
      const response = await world.run(pool.request("POST", "/", EXPECTING));
      assert.deepEqual([response.status, await response.text()], [401, "no"]);
      await world.clock.elapse(5000);
      assert.deepEqual([pool.numIdle, pool.numBusy, world.connections[0]!.unread], [0, 0, ""]);
      pool.close();
      assert.deepEqual(world.leftovers(), []);
    });
  }

  it("fault 28: 100 though nobody asked is ignored, but told; so is 103", async () => {
    const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>\r\n\r\n";
    await using origin = await startOrigin([`HTTP/1.1 100 Continue\r\n\r\n${hints}${OK}`, OK]);
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
    const told: Informational[] = [];
    const onInformational = (one: Informational): void => void told.push(one);
    const response = await pool.request("POST", "/", { body: "x", onInformational });
    assert.equal(await response.text(), "ok");
    assert.deepEqual(
      told.map(({ status, reason }) => [status, reason]),
      [
        [100, "Continue"],
        [103, "Early Hints"],
      ],
    );
    assert.deepEqual(told[1]!.headers.getList("link"), ["</a.css>; rel=preload", "</b.js>"]);
    assert.equal(await (await pool.request("GET", "/", { onInformational: () => {} })).text(), "ok");
    assert.equal(origin.accepted, 1);
  });

  it("fault 28: 100 after the final answer is nobody's: the connection is destroyed", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send(`${OK}HTTP/1.1 100 Continue\r\n\r\n`);
    });
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
    for (let round = 1; round <= 2; round++) {
      assert.equal(await (await pool.request("GET", "/")).text(), "ok");
      await origin.connections.at(-1)!.closed;
      assert.deepEqual([pool.numIdle, origin.accepted], [0, round]);
    }
  });
});

/** A source that gives parts with pauses in between, as real ones do, until it is stopped. */
async function* endless(stopped: () => void): AsyncGenerator<Buffer> {
  try {
    for (let i = 0; ; i++) {
      yield Buffer.alloc(i % 2 === 0 ? 60_000 : 100);
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    stopped();
  }
}

describe("answers during the upload", () => {
  const authority = makeAuthority();
  const afterwards: [name: string, then: (connection: OriginConnection) => void][] = [
    ["stops reading", () => {}],
    ["closes", (connection) => connection.close()],
    ["resets", (connection) => connection.reset()],
  ];
  for (const scheme of ["http", "https"] as const) {
    for (const [name, then] of afterwards) {
      const row = name === "stops reading" ? 29 : 31;
      it(`fault ${row}: the server answers 413 and ${name} (${scheme}): the answer, the upload cancelled, no connection`, async () => {
        const tls = scheme === "http" ? {} : { tls: await (await authority).issue({ ips: ["127.0.0.1"] }) };
        await using origin = await startOrigin(async (connection) => {
          await connection.readHead();
          await connection.readUntil("\r\n");
          connection.pause();
          await connection.send(REFUSAL);
          then(connection);
        }, tls);
        await using manager = new PoolManager({ caCertData: (await authority).cert, retries: false });
        for (let round = 0; round < 5; round++) {
          let stop!: () => void;
          const stopped = new Promise<void>((resolve) => {
            stop = resolve;
          });
          const response = await manager.request("POST", `${origin.url}/`, { body: endless(stop) });
          assert.deepEqual([response.status, await response.text()], [413, "no"]);
          await stopped;
          const { idle, busy } = manager.stats().pools[0]!;
          assert.deepEqual([idle, busy, manager.stats().openConnections], [0, 0, 0]);
          (await origin.connection(round)).close();
        }
      });
    }
  }

  it("fault 31: also when the client is at work while answer and reset arrive", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send(REFUSAL);
      connection.reset();
    });
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { retries: false });
    const body = async function* (): AsyncGenerator<string> {
      yield "a";
      await (await origin.connection(0)).closed;
      // The reset has been sent: these writes find a dead connection before anybody has read the answer.
      for (let i = 0; i < 50; i++) yield "b".repeat(1000);
    };
    const response = await pool.request("POST", "/", { body: body() });
    assert.deepEqual([response.status, await response.text()], [413, "no"]);
  });

  it("a reset without an answer is an error", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      connection.reset();
    });
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { retries: false });
    let stopped = false;
    const sending = pool.request("POST", "/", {
      body: endless(() => {
        stopped = true;
      }),
    });
    await assert.rejects(sending, ProtocolError);
    while (!stopped) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([pool.numIdle, pool.numBusy], [0, 0]);
  });

  it("fault 30: answered early, uploaded within 50 ms: the connection is used again; later: not", async () => {
    for (const [delay, idle] of [
      [49, 1],
      [51, 0],
    ] as const) {
      using world = new World();
      world.host("a", async (connection) => {
        await connection.readHead();
        await connection.send(OK);
        await connection.readChunkedBody();
      });
      const pool = world.pool("a");
      const body = (async function* () {
        yield "a";
        await world.sleep(delay);
        yield "b";
      })();
      assert.equal((await world.run(pool.request("POST", "/", { body }))).status, 200);
      await world.clock.elapse(delay);
      await world.clock.elapse(100);
      assert.deepEqual([pool.numIdle, pool.numBusy], [idle, 0]);
      pool.close();
      await world.rest();
      assert.deepEqual(world.leftovers(), []);
    }
  });
});
