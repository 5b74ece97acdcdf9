/** What breaks a streamed body off, and what its readers are told. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import {
  DeadlineError,
  DecodeError,
  HTTPConnectionPool,
  HTTPError,
  type HTTPResponse,
  IncompleteRead,
  InvalidChunkLength,
  PoolManager,
  ProtocolError,
  ReadTimeoutError,
} from "../../src/index.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";
import { script, World } from "../kit/world.ts";

leakGate();

const STREAMED = { preloadContent: false } as const;

/** Each reads until something happens. */
const ways: [name: string, read: (response: HTTPResponse) => Promise<unknown>][] = [
  ["read()", (response) => response.read()],
  ["read(n)", (response) => response.read(1_000_000)],
  ["read1()", async (response) => drain(() => response.read1())],
  ["stream()", (response) => all(response.stream())],
  ["for await", (response) => all(response)],
  ["body", (response) => all(response.body)],
  ["readable()", (response) => all(response.readable())],
  ["text()", (response) => response.text()],
  ["bytes()", (response) => response.bytes()],
  ["blob()", (response) => response.blob()],
];

const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/** Answers after which the connection ends. */
const answers: [name: string, answer: string, check: (error: Error) => void][] = [
  [
    "shorter than its length",
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
    (error) => {
      assert.ok(error instanceof IncompleteRead);
      assert.deepEqual([error.partial, error.expected, error.phase], [3, 7, "body"]);
      assert.match(error.message, /IncompleteRead\(3 bytes read, 7 more expected\)/);
    },
  ],
  [
    "RS-28: ended before a chunk size",
    `${CHUNKED}3\r\nabc\r\n`,
    (error) => {
      assert.ok(error instanceof IncompleteRead);
      assert.deepEqual([error.partial, error.expected], [3, undefined]);
    },
  ],
  [
    "RS-26: ended in a chunk",
    `${CHUNKED}9\r\nabc`,
    (error) => assert.ok(error instanceof IncompleteRead && error.partial === 3),
  ],
  [
    "RS-27: a chunk size of letters",
    `${CHUNKED}3\r\nabc\r\nzz\r\n`,
    (error) => assert.ok(error instanceof InvalidChunkLength),
  ],
  [
    "a chunk longer than its size",
    `${CHUNKED}3\r\nabcd\r\n0\r\n\r\n`,
    (error) => assert.ok(error instanceof ProtocolError),
  ],
];

for (const [name, answer, check] of answers) {
  describe(name, () => {
    for (const [way, read] of ways) {
      it(`${way}: the error with its facts, no retry, no connection`, async () => {
        await using origin = await startOrigin([answer]);
        using manager = new PoolManager({ maxsize: 1 });
        const url = `${origin.url}/x`;
        const response = await manager.request("GET", url, STREAMED);
        await assert.rejects(read(response), (error) => {
          assert.ok(error instanceof HTTPError);
          assert.ok(error.message.startsWith(`GET ${url}: `), error.message);
          check(error);
          return true;
        });
        assert.deepEqual([response.isClosed, response.holdsConnection], [true, false]);
        const { idle, busy } = manager.stats().pools[0]!;
        assert.deepEqual([idle, busy, origin.requests.length], [0, 0, 1]);
      });
    }
  });
}

describe("a body cut short", () => {
  const answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";

  it("gives what came before the error, and the same error again", async () => {
    await using origin = await startOrigin([answer]);
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const response = await pool.request("GET", "/", STREAMED);
    assert.equal(String(await response.read1()), "abc");
    const error = await response.read1().catch((reason: unknown) => reason);
    assert.ok(error instanceof IncompleteRead);
    await assert.rejects(response.read(1), (again) => again === error);
  });

  it("RS-20: with enforceContentLength: false only a read of all that is left fails", async () => {
    const options = { ...STREAMED, enforceContentLength: false };
    for (const [way, read] of ways) {
      await using origin = await startOrigin([answer]);
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
      const response = await pool.request("GET", "/", options);
      const whole = /^(read|text|bytes|blob)\(\)/.test(way);
      if (whole) await assert.rejects(read(response), IncompleteRead);
      else await read(response);
    }
  });

  it("a chunked one fails however it is read", async () => {
    await using origin = await startOrigin([`${CHUNKED}3\r\nabc\r\n`]);
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const response = await pool.request("GET", "/", { ...STREAMED, enforceContentLength: false });
    await assert.rejects(response.read(10), IncompleteRead);
  });

  it("a reset is a ProtocolError with its cause", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
      await connection.readUntil("!").catch(() => {});
    });
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const response = await pool.request("GET", "/", STREAMED);
    const reading = response.text();
    (await origin.connection(0)).reset();
    await assert.rejects(reading, (error) => {
      assert.ok(error instanceof ProtocolError);
      assert.match(error.message, /Connection broken: .*ECONNRESET/);
      assert.equal((error.cause as NodeJS.ErrnoException).code, "ECONNRESET");
      return true;
    });
  });
});

describe("decoding", () => {
  for (const [name, body] of [
    ["garbage", Buffer.from("no gzip at all")],
    ["truncated", gzipSync("x".repeat(1000)).subarray(0, -5)],
  ] as const) {
    for (const [way, read] of ways) {
      it(`fault 43: ${name}, ${way}: DecodeError that names the request`, async () => {
        await using origin = await startHttp(() => ({ body, headers: { "Content-Encoding": "gzip" } }));
        using manager = new PoolManager({ maxsize: 1 });
        const response = await manager.request("GET", `${origin.url}/x`, STREAMED);
        await assert.rejects(read(response), (error) => {
          assert.ok(error instanceof DecodeError);
          assert.ok(error.message.startsWith(`GET ${origin.url}/x: Received response with`), error.message);
          return true;
        });
        assert.equal(manager.stats().pools[0]!.busy, 0);
      });
    }
  }

  it("maxDecodedSize: what is within it can be read, one byte more is an error and closes the connection", async () => {
    const headers = { "Content-Encoding": "gzip" };
    const plain = Buffer.alloc(1000, "x");
    for (const spec of [{ body: gzipSync(plain), headers }, { body: plain }, { body: plain, chunked: 100 }]) {
      await using origin = await startHttp(() => spec);
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
      const within = await pool.request("GET", "/", { ...STREAMED, maxDecodedSize: 1000 });
      assert.equal((await within.text()).length, 1000);
      const beyond = await pool.request("GET", "/", { ...STREAMED, maxDecodedSize: 999 });
      await assert.rejects(beyond.text(), { name: "DecodeError", message: /maxDecodedSize/ });
    }
  });
});

describe("stopped in the middle of the body", () => {
  const head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";

  for (const [way, read] of ways) {
    it(`${way}: abort rejects with the signal's reason and closes the connection`, async () => {
      await using origin = await startOrigin(head);
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
      const abort = new AbortController();
      const response = await pool.request("GET", "/", { ...STREAMED, signal: abort.signal });
      const reading = read(response);
      const reason = new Error("enough");
      setImmediate(() => abort.abort(reason));
      await assert.rejects(reading, (error) => error === reason);
      assert.deepEqual([pool.numIdle, pool.numBusy, response.isClosed], [0, 0, true]);
    });
  }

  it("abort between two reads: the next one rejects", async () => {
    await using origin = await startOrigin(head);
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const abort = new AbortController();
    const response = await pool.request("GET", "/", { ...STREAMED, signal: abort.signal });
    assert.equal(String(await response.read(1)), "a");
    abort.abort();
    await assert.rejects(response.read(5), { name: "AbortError" });
    await assert.rejects(response.text());
  });

  it("abort after the end changes nothing, and nobody listens to the signal any more", async () => {
    await using origin = await startHttp(() => "0123456789");
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const abort = new AbortController();
    const response = await pool.request("GET", "/", { ...STREAMED, signal: abort.signal });
    assert.equal(await response.text(), "0123456789");
    abort.abort();
    assert.equal((await response.read()).length, 0);
    assert.equal(pool.numIdle, 1);
  });

  it("the deadline spans the body", async () => {
    using world = new World();
    world.host("a", script(head));
    const pool = world.pool("a", { timeout: 60_000 });
    const response = await world.run(pool.request("GET", "/x", { ...STREAMED, deadline: 500 }));
    const error = await world.failure(response.text());
    assert.ok(error instanceof DeadlineError);
    assert.match(error.message, /^GET http:\/\/a\/x: /);
    assert.equal(error.phase, "body");
    assert.ok(world.clock.now() >= 500 && world.clock.now() < 600);
    pool.close();
    assert.deepEqual(world.leftovers(), []);
  });

  it("the read timeout is for each wait, and stands still while nobody reads", async () => {
    using world = new World();
    const big = "x".repeat(200_000);
    world.host("a", script(`HTTP/1.1 200 OK\r\nContent-Length: ${big.length + 5}\r\n\r\n${big}`));
    const pool = world.pool("a", { timeout: 1000 });
    const response = await world.run(pool.request("GET", "/x", STREAMED));
    assert.equal(String(await response.read(1)), "x");
    await world.clock.elapse(60_000);
    assert.equal((await world.run(response.read(150_000))).length, 150_000);
    const error = await world.failure(response.read());
    assert.ok(error instanceof ReadTimeoutError);
    assert.equal(error.phase, "body");
    pool.close();
    assert.deepEqual(world.leftovers(), []);
  });
});

async function all(source: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _piece of source) {
    // Only the end counts.
  }
}

async function drain(read: () => Promise<Buffer>): Promise<void> {
  while ((await read()).length > 0) {
    // Only the end counts.
  }
}
