/** Row 32 of the catalogue of faults, and files: sources that fail, wait, or are not what they said. */

import assert from "node:assert/strict";
import { open, readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { ReadableStream } from "node:stream/web";
import { describe, it } from "node:test";
import {
  HTTPConnectionPool,
  InvalidArgumentError,
  PoolManager,
  RequestBodyError,
  type RequestOptions,
} from "../../src/index.ts";
import { TemporaryFolder } from "../dial/tls/temporary-folder.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { type OriginConnection, startOrigin } from "../kit/origin.ts";

leakGate();

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const REFUSAL = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";

describe("sources", () => {
  const reading = async (connection: OriginConnection): Promise<void> => void (await connection.readHead());

  it("fault 32: what the source throws wins over what becomes of the socket, and is the cause", async () => {
    await using origin = await startOrigin(reading);
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { retries: 3 });
    const boom = new Error("disk gone");
    const bodies: (() => RequestOptions["body"])[] = [
      () =>
        (async function* () {
          yield "a";
          throw boom;
        })(),
      () =>
        Readable.from(
          (async function* () {
            yield "a";
            throw boom;
          })(),
        ),
      () => new ReadableStream({ start: (controller) => controller.error(boom) }) as never,
    ];
    for (const body of bodies) {
      await assert.rejects(pool.request("POST", "/", { body: body() }), (error) => {
        assert.ok(error instanceof RequestBodyError, String(error));
        assert.equal(error.cause, boom);
        return true;
      });
      assert.deepEqual([pool.numIdle, pool.numBusy], [0, 0]);
    }
  });

  it("fault 32: also when the socket broke just before", async () => {
    await using origin = await startOrigin(reading);
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const boom = new Error("disk gone");
    const body = (async function* () {
      yield "a";
      (await origin.connection(0)).reset();
      // This write fails, and nobody has read yet why.
      yield "b".repeat(1000);
      throw boom;
    })();
    await assert.rejects(pool.request("POST", "/", { body }), (error) => {
      assert.ok(error instanceof RequestBodyError, String(error));
      assert.equal(error.cause, boom);
      return true;
    });
  });

  it("fault 32: a source that waits is closed at once when the request ends: Node's, the web's", async () => {
    await using origin = await startOrigin(reading);
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const kinds: ((asked: () => void, closed: () => void) => RequestOptions["body"])[] = [
      (asked, closed) => {
        let reads = 0;
        return new Readable({
          read() {
            if (reads++ === 0) this.push("a");
            else asked();
          },
          destroy: (error, done) => {
            closed();
            done(error);
          },
        });
      },
      (asked, closed) => {
        let pulls = 0;
        return new ReadableStream({
          pull: (controller) => {
            if (pulls++ === 0) return controller.enqueue(Buffer.from("a"));
            asked();
            return new Promise(() => {});
          },
          cancel: closed,
        }) as never;
      },
    ];
    for (const make of kinds) {
      let closed = false;
      const abort = new AbortController();
      const sending = new Promise<void>((asked) => {
        const body = make(asked, () => {
          closed = true;
        });
        pool.request("POST", "/", { body, signal: abort.signal }).catch(() => {});
      });
      await sending;
      abort.abort();
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(closed, true);
    }
  });

  it("a file stays open when the upload is broken off in the middle, or answered early", async () => {
    using folder = new TemporaryFolder();
    const path = folder.write("file", Buffer.alloc(20_000_000, "x"));
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      connection.pause();
      await connection.send(REFUSAL);
    });
    const file = await open(path);
    try {
      await using manager = new PoolManager();
      assert.equal((await manager.request("PUT", `${origin.url}/`, { body: file })).status, 413);
      while (manager.stats().openConnections > 0) await new Promise((resolve) => setImmediate(resolve));
      assert.equal((await file.stat()).size, 20_000_000);
      assert.equal((await file.read(Buffer.alloc(1), 0, 1, 0)).bytesRead, 1);
    } finally {
      await file.close();
    }
    assert.equal((await readFile(path)).length, 20_000_000);
  });

  it("a file arrives as it is though the server is slow, over TLS too", async () => {
    using folder = new TemporaryFolder();
    const data = Buffer.from(
      Uint32Array.from({ length: 1_000_000 }, (_unused, i) => i * 2_654_435_761).buffer,
    );
    const file = await open(folder.write("file", data));
    const authority = await makeAuthority();
    for (const tls of [null, await authority.issue({ ips: ["127.0.0.1"] })]) {
      let same = false;
      await using origin = await startOrigin(
        async (connection) => {
          await connection.readHead();
          const parts: Buffer[] = [];
          for (let left = data.length; left > 0; left -= parts.at(-1)!.length) {
            connection.pause();
            for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
            connection.resume();
            parts.push(await connection.readBody(Math.min(left, 200_000)));
          }
          same = Buffer.concat(parts).equals(data);
          await connection.send(OK);
        },
        tls === null ? {} : { tls },
      );
      await using manager = new PoolManager({ caCertData: authority.cert });
      await manager.request("PUT", `${origin.url}/`, { body: file });
      assert.ok(same);
    }
    await file.close();
  });

  it("a file that shrinks while it is sent is a body shorter than declared", async () => {
    using folder = new TemporaryFolder();
    const path = folder.write("file", Buffer.alloc(5_000_000));
    await using origin = await startOrigin(reading);
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const file = await open(path, "r+");
    const sending = pool.request("PUT", "/", {
      body: file,
      onUploadProgress: () => {
        void file.truncate(1_000_000);
      },
    });
    await assert.rejects(sending, { name: "RequestBodyError", message: /of its declared 5000000 bytes/ });
    await file.close();
  });
});

describe("sources that are never read", () => {
  it("what a function made is closed for each attempt that never came to send it", async () => {
    using pool = new HTTPConnectionPool("127.0.0.1", 1);
    const made: Readable[] = [];
    const body = (): Readable => {
      made.push(Readable.from(["a"]));
      return made.at(-1)!;
    };
    await assert.rejects(pool.request("PUT", "/", { body, retries: 2 }));
    assert.deepEqual(
      made.map(({ destroyed }) => destroyed),
      [true, true, true],
    );
  });

  it("also if it was made only after the request was aborted", async () => {
    using pool = new HTTPConnectionPool("127.0.0.1", 1);
    const controller = new AbortController();
    const source = Readable.from(["a"]);
    let make = (_source: Readable): void => {};
    const making = new Promise<Readable>((resolve) => {
      make = resolve;
    });
    const asked = pool.request("PUT", "/", { body: () => making as never, signal: controller.signal });
    controller.abort("enough");
    await assert.rejects(asked, (reason) => reason === "enough");
    make(source);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(source.destroyed, true);
  });

  it("a stream given as it is is closed too when the request fails before it was read", async () => {
    using pool = new HTTPConnectionPool("127.0.0.1", 1, { retries: false });
    const source = Readable.from(["a"]);
    await assert.rejects(pool.request("PUT", "/", { body: source }));
    assert.equal(source.destroyed, true);
  });

  it("a response that was given up unread is refused: it would pass for an empty body", async () => {
    await using origin = await startHttp(() => "hello");
    await using manager = new PoolManager();
    for (const giveUp of ["close", "releaseConn", "drainConn"] as const) {
      const body = await manager.request("GET", origin.url, { preloadContent: false });
      await body[giveUp]();
      assert.equal(body.bodyUsed, true);
      await assert.rejects(
        manager.request("PUT", origin.url, { body }),
        /body was read or given up already/,
        giveUp,
      );
    }
    assert.ok(origin.received.every(({ method }) => method === "GET"));
  });

  it("a stream that was read to its end is refused", async () => {
    const source = Readable.from(["a"]);
    for await (const _part of source);
    using manager = new PoolManager();
    await assert.rejects(manager.request("PUT", "http://a.test/", { body: source }), InvalidArgumentError);
  });
});

it("a source that always has more at hand leaves timers and signals their turn", async () => {
  await using origin = await startOrigin(async (connection) => {
    await connection.readHead();
    for (;;) await connection.readBody(1);
  });
  using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
  for (const part of ["abc", Buffer.alloc(1000), Buffer.alloc(100_000)]) {
    let parts = 0;
    const body = (function* () {
      while (++parts < 100_000_000) yield part;
    })();
    const signal = AbortSignal.timeout(50);
    await assert.rejects(pool.request("PUT", "/", { body, signal }), (reason) => reason === signal.reason);
  }
});
