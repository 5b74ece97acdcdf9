/** `onUploadProgress` and `onDownloadProgress`, on a virtual clock: how often, and with which figures. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import {
  HTTPConnectionPool,
  PoolManager,
  type Progress,
  ProxyManager,
  type RequestOptions,
} from "../../src/index.ts";
import { type ResponseSpec, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import type { OriginConnection } from "../kit/origin-connection.ts";
import { World } from "../kit/world.ts";

leakGate();

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/** Parts of a transfer, 7 ms from one to the next: it takes 3.5 s. */
const PARTS = 500;
const PART = 100;
const TOTAL = PARTS * PART;

function check(told: [at: number, progress: Progress][], total: number | null): void {
  const last = told.at(-1)![1];
  assert.deepEqual([last.transferred, last.total, last.percent], [TOTAL, total, total === null ? null : 1]);
  for (const [start] of told.slice(0, -1)) {
    const within = told.slice(0, -1).filter(([at]) => at >= start && at < start + 1000);
    assert.ok(within.length <= 20, `${within.length} calls in the second from ${start} ms`);
  }
  assert.ok(told.length >= 50, `${told.length} calls in 3.5 s`);
  for (const [index, [, progress]] of told.entries()) {
    assert.ok(index === 0 || progress.transferred > told[index - 1]![1].transferred);
    assert.equal(progress.percent, total === null ? null : progress.transferred / total);
  }
}

describe("a download", () => {
  async function sendSlowly(world: World, connection: OriginConnection, chunked: boolean): Promise<void> {
    await connection.readHead();
    const framing = chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${TOTAL}`;
    await connection.send(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`);
    for (let sent = 0; sent < PARTS; sent++) {
      await world.sleep(7);
      const part = "x".repeat(PART);
      await connection.send(chunked ? `${PART.toString(16)}\r\n${part}\r\n` : part);
    }
    if (chunked) await connection.send("0\r\n\r\n");
  }

  for (const preloadContent of [true, false]) {
    for (const chunked of [true, false]) {
      const name = `${preloadContent ? "preloaded" : "streamed"}, ${chunked ? "of unknown" : "of known"} length`;
      it(`${name}: at most 20 calls a second and the last`, async () => {
        using world = new World();
        world.host("a", (connection) => sendSlowly(world, connection, chunked));
        const pool = world.pool("a");
        const told: [number, Progress][] = [];
        const onDownloadProgress = (progress: Progress): void =>
          void told.push([world.clock.now(), progress]);
        const response = await world.run(pool.request("GET", "/", { preloadContent, onDownloadProgress }));
        if (!preloadContent) await world.run(response.read());
        check(told, chunked ? null : TOTAL);
        pool.close();
        await world.rest();
        assert.deepEqual(world.leftovers(), []);
      });
    }
  }

  it("counts what comes over the wire, not what is decoded; of nothing there is one call", async () => {
    const body = gzipSync(Buffer.alloc(100_000));
    await using origin = await startHttp(({ target }) =>
      target === "/" ? { body, headers: { "Content-Encoding": "gzip" } } : "",
    );
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    for (const preloadContent of [true, false]) {
      for (const [path, size] of [
        ["/", body.length],
        ["/empty", 0],
      ] as const) {
        const told: Progress[] = [];
        const onDownloadProgress = (progress: Progress): void => void told.push(progress);
        const response = await pool.request("GET", path, { preloadContent, onDownloadProgress });
        await response.bytes();
        const { transferred, total, percent } = told.at(-1)!;
        assert.deepEqual([transferred, total, percent], [size, size, 1]);
      }
      const told: (number | null)[] = [];
      const onDownloadProgress = ({ total }: Progress): void => void told.push(total);
      await (await pool.request("HEAD", "/", { preloadContent, onDownloadProgress })).bytes();
      assert.deepEqual(told, [0], "nothing is still to come after HEAD");
    }
  });
});

describe("a download's progress is that of the answer that the caller gets", () => {
  const SMALL = "0123456789";
  const LARGE = "x".repeat(1000);

  async function told(first: ResponseSpec, options: RequestOptions, proxied = false): Promise<number[]> {
    await using origin = await startHttp(() => (origin.received.length === 1 ? first : LARGE));
    using manager = proxied ? new ProxyManager(origin.url.replace("//", "//me:word@")) : new PoolManager();
    const sizes: number[] = [];
    const onDownloadProgress = ({ transferred }: Progress): void => void sizes.push(transferred);
    const url = proxied ? "http://origin.test/" : origin.url;
    await manager.request("POST", url, { ...options, onDownloadProgress });
    return [...new Set(sizes)];
  }

  it("not of an expectation that failed", async () => {
    const headers = { Expect: "100-continue" };
    assert.deepEqual(await told({ status: 417, body: SMALL }, { body: "x", headers }), [1000]);
  });

  it("not of a proxy's challenge", async () => {
    const headers = { "Proxy-Authenticate": 'Digest realm="a", nonce="b", qop="auth"' };
    assert.deepEqual(await told({ status: 407, headers, body: SMALL }, {}, true), [1000]);
  });

  it("but of the last answer, where that is given out", async () => {
    const status = { total: 0, statusForcelist: [503], allowedMethods: null, raiseOnStatus: false };
    assert.deepEqual(await told({ status: 503, body: SMALL }, { retries: status }), [10]);
    const redirect = { redirect: 0, raiseOnRedirect: false };
    const headers = { Location: "/there" };
    assert.deepEqual(await told({ status: 307, headers, body: SMALL }, { retries: redirect }), [10]);
  });
});

describe("an upload", () => {
  for (const length of [TOTAL, null]) {
    it(`of ${length ?? "unknown"} length from a slow source: at most 20 calls a second and the last`, async () => {
      using world = new World();
      world.host("a", async (connection) => {
        await connection.readHead();
        if (length === null) await connection.readChunkedBody();
        else await connection.readBody(length);
        await connection.send(OK);
      });
      const pool = world.pool("a");
      const told: [number, Progress][] = [];
      const body = (async function* () {
        for (let given = 0; given < PARTS; given++) {
          await world.sleep(7);
          yield "x".repeat(PART);
        }
      })();
      const headers = length === null ? {} : { "Content-Length": String(length) };
      const onUploadProgress = (progress: Progress): void => void told.push([world.clock.now(), progress]);
      await world.run(pool.request("POST", "/", { body, headers, onUploadProgress }));
      check(told, length);
      pool.close();
      await world.rest();
      assert.deepEqual(world.leftovers(), []);
    });
  }

  const bodies: [name: string, options: RequestOptions, size: number, total: number | null][] = [
    ["a large body in memory", { body: Buffer.alloc(20_000_000) }, 20_000_000, 20_000_000],
    ["a small one", { body: "abc" }, 3, 3],
    ["a small one in chunks: its framing does not count", { body: "abc", chunked: true }, 3, 3],
    ["a large one in chunks", { body: Buffer.alloc(200_000), chunked: true }, 200_000, 200_000],
    ["an empty one", { body: "" }, 0, 0],
    ["none, in chunks", { chunked: true }, 0, null],
    ["a Blob", { body: new Blob(["x".repeat(200_000)]) }, 200_000, 200_000],
    ["fields", { fields: { a: "x".repeat(200_000) } }, 200_000, null],
  ];
  for (const [name, options, size, total] of bodies) {
    it(`${name}: the last call has the whole`, async () => {
      await using origin = await startHttp(() => "ok");
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
      const told: Progress[] = [];
      await pool.request("POST", "/", { ...options, onUploadProgress: (progress) => told.push(progress) });
      const last = told.at(-1)!;
      const sent = origin.received[0]!.body.length;
      assert.equal(last.transferred, sent);
      assert.ok(sent >= size);
      if (name !== "fields") assert.deepEqual([last.total, last.percent], [total, total === null ? null : 1]);
    });
  }

  it("from memory goes on as the server takes it, not all at once", async () => {
    using world = new World();
    const told: Progress[] = [];
    world.host("a", async (connection) => {
      await connection.readHead();
      connection.pause();
      await world.sleep(1000);
      assert.ok(told.length > 0 && told.at(-1)!.percent! < 0.5, `${told.at(-1)?.percent} while nobody reads`);
      connection.resume();
      await connection.readBody(5_000_000);
      await connection.send(OK);
    });
    const pool = world.pool("a");
    const body = Buffer.alloc(5_000_000);
    await world.run(pool.request("POST", "/", { body, onUploadProgress: (progress) => told.push(progress) }));
    assert.equal(told.at(-1)!.percent, 1);
    pool.close();
    await world.rest();
    assert.deepEqual(world.leftovers(), []);
  });
});
