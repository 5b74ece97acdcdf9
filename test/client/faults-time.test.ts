/** The fault catalogue, rows about servers that take their time or never end. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type HTTPError, ProtocolError, ReadTimeoutError, Timeout } from "../../src/index.ts";
import { type Dialled, World } from "../kit/world.ts";

const HEAD = "HTTP/1.1 200 OK\r\n";

async function tidy(world: World, pool: { close(): void }): Promise<void> {
  pool.close();
  await world.rest();
  assert.deepEqual(world.leftovers(), []);
}

/** Sends the bytes of `text` one by one, each after `gap` ms. */
function dripping(world: World, gap: number, text: string, first = ""): Dialled {
  return async (connection) => {
    await connection.readHead();
    await connection.send(first);
    for (const byte of text) {
      await world.sleep(gap);
      await connection.send(byte);
    }
  };
}

/** Sends `start`, then `part` until the client is gone or far too much was sent; says how often. */
function endless(start: string, part: string, count: (sent: number) => void): Dialled {
  return async (connection) => {
    await connection.readHead();
    await connection.send(start);
    for (let sent = 0; sent < 10_000_000 && !connection.socket.destroyed; sent += part.length) {
      count(sent);
      await connection.send(part);
    }
  };
}

describe("slow", () => {
  it("fault 20: a head of a byte each second ends with the total, counted from the request", async () => {
    using world = new World();
    world.host("a.test", dripping(world, 1000, `${HEAD}Content-Length: 0\r\n\r\n`));
    const pool = world.pool("a.test", { retries: false, timeout: new Timeout({ total: 5500 }) });
    const error = (await world.failure(pool.request("GET", "/"))) as HTTPError;
    assert.ok(error instanceof ReadTimeoutError);
    assert.deepEqual([error.phase, error.responseStarted, world.clock.now()], ["head", true, 5500]);
    await tidy(world, pool);
  });

  it("fault 21: a body of a byte per interval is within the read timeout, however long it takes", async () => {
    using world = new World();
    world.host("a.test", dripping(world, 900, "0123456789", `${HEAD}Content-Length: 10\r\n\r\n`));
    const pool = world.pool("a.test", { retries: false, timeout: new Timeout({ read: 1000 }) });
    assert.equal(String((await world.run(pool.request("GET", "/"))).data), "0123456789");
    assert.equal(world.clock.now(), 9000);
    await tidy(world, pool);
  });

  it("fault 21: the deadline ends it all the same, preloaded or streamed", async () => {
    for (const preloadContent of [true, false]) {
      using world = new World();
      world.host("a.test", dripping(world, 900, "0123456789", `${HEAD}Content-Length: 10\r\n\r\n`));
      const pool = world.pool("a.test", { retries: false, timeout: new Timeout({ read: 1000 }) });
      const request = pool.request("GET", "/", { deadline: 4000, preloadContent });
      const error = (await world.failure(request.then((response) => response.text()))) as HTTPError;
      assert.deepEqual([error.name, error.phase, world.clock.now()], ["DeadlineError", "body", 4000]);
      await tidy(world, pool);
    }
  });
});

describe("endless", () => {
  const limited: [name: string, start: string, part: string][] = [
    ["fault 22: 103 for ever", "", "HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n"],
    [
      "fault 22: 100 for ever, with a field that fills it",
      "",
      `HTTP/1.1 100 X\r\nA: ${"x".repeat(9000)}\r\n\r\n`,
    ],
    ["fault 23: fields for ever", HEAD, `X: ${"y".repeat(100)}\r\n`],
    ["fault 23: one field for ever", `${HEAD}X: `, "y".repeat(1000)],
    ["fault 23: a status line for ever", "HTTP/1.1 200 ", "O".repeat(1000)],
  ];
  for (const [name, start, part] of limited) {
    it(`${name}: an error that names the limit, before more than twice of it was sent`, async () => {
      for (const maxHeaderSize of [4096, 65_536]) {
        using world = new World();
        let total = 0;
        world.host(
          "a.test",
          endless(start, part, (sent) => {
            total = sent;
          }),
        );
        const pool = world.pool("a.test", { retries: false, maxHeaderSize });
        const error = (await world.failure(pool.request("GET", "/"))) as HTTPError;
        assert.ok(error instanceof ProtocolError, String(error));
        assert.ok(error.message.includes(String(maxHeaderSize)), error.message);
        assert.ok(total < 2 * maxHeaderSize + part.length, `${total} bytes`);
        assert.equal(error.phase, "head");
        await tidy(world, pool);
      }
    });
  }

  it("fault 23: trailers for ever", async () => {
    using world = new World();
    let total = 0;
    const start = `${HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n`;
    world.host(
      "a.test",
      endless(start, `X: ${"y".repeat(100)}\r\n`, (sent) => {
        total = sent;
      }),
    );
    const pool = world.pool("a.test", { retries: false });
    const error = (await world.failure(pool.request("GET", "/"))) as HTTPError;
    assert.ok(error instanceof ProtocolError && error.phase === "body", String(error));
    assert.ok(total < 200_000, `${total} bytes`);
    await tidy(world, pool);
  });
});
