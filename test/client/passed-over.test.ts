/** Answers that lead to another attempt: what is in their bodies is nobody's business. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import {
  ClosedPoolError,
  DecodeError,
  HTTPConnectionPool,
  IncompleteRead,
  MaxRetryError,
  Retry,
} from "../../src/index.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";
import { script, World } from "../kit/world.ts";

leakGate();

const BROKEN = { "Content-Encoding": "gzip" };

describe("answers that are passed over", () => {
  it("a redirect is followed however broken, large or strangely coded its body", async () => {
    const bodies = {
      broken: { body: "no gzip", headers: BROKEN },
      unknown: { body: "x", headers: { "Content-Encoding": "rot13, gzip" } },
      bomb: { body: gzipSync(Buffer.alloc(10_000_000)), headers: BROKEN },
      large: { body: Buffer.alloc(100_000), chunked: 1000 },
    };
    await using origin = await startHttp(({ target }) => {
      const spec = bodies[target.slice(1) as keyof typeof bodies];
      if (spec === undefined) return "there";
      return {
        ...spec,
        status: 302,
        headers: { ...("headers" in spec && spec.headers), Location: "/there" },
      };
    });
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxDecodedSize: 1000 });
    for (const name of Object.keys(bodies)) {
      assert.equal(await (await pool.request("GET", `/${name}`)).text(), "there");
    }
    assert.equal(origin.accepted, 1, "their connection is free again for the next attempt");
  });

  it("the body of a redirect that never ends is not waited for", async () => {
    await using origin = await startOrigin(async (connection) => {
      const { target } = /^GET (?<target>\S+)/.exec(await connection.readHead())!.groups!;
      if (target === "/there") await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthere");
      else
        await connection.send(
          "HTTP/1.1 302 Found\r\nLocation: /there\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
        );
    });
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
    assert.equal(await (await pool.request("GET", "/")).text(), "there");
    assert.equal(origin.accepted, 2);
  });

  it("a status that asks for another try gets it, whatever its body", async () => {
    let asked = 0;
    await using origin = await startHttp(() =>
      ++asked === 1 ? { status: 503, body: "no gzip", headers: BROKEN } : "there",
    );
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const retries = new Retry({ total: 1, statusForcelist: [503] });
    assert.equal(await (await pool.request("GET", "/", { retries })).text(), "there");
    assert.equal(origin.accepted, 1);
  });

  it("what the caller gets after all is preloaded and decoded as ever", async () => {
    await using origin = await startHttp(({ target }) => ({
      status: target === "/303" ? 303 : 503,
      body: gzipSync("the end"),
      headers: { ...BROKEN, Location: "/303" },
    }));
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const retries = new Retry({
      total: 1,
      statusForcelist: [503],
      raiseOnStatus: false,
      raiseOnRedirect: false,
    });
    for (const target of ["/303", "/503"]) {
      const response = await pool.request("GET", target, { retries });
      assert.equal(response.data.toString(), "the end");
      assert.deepEqual(
        [response.retries?.history.length, response.isClosed, response.holdsConnection],
        [1, true, false],
      );
      assert.deepEqual([await response.text(), await response.text()], ["the end", "the end"]);
      assert.equal((await response.read()).toString(), "the end");
    }
    assert.deepEqual([pool.numIdle, pool.numBusy, origin.accepted], [1, 0, 1]);
  });

  it("what is broken in that is the caller's", async () => {
    const specs = [
      { status: 503, body: "no gzip", headers: BROKEN },
      { status: 503, body: "x", contentLength: 10, close: true },
    ];
    const failures = [
      (error: unknown) => error instanceof DecodeError,
      // As of any other answer: it is an error that another attempt may mend, and none is left.
      (error: unknown) => error instanceof MaxRetryError && error.reason instanceof IncompleteRead,
    ];
    for (const [index, isFailure] of failures.entries()) {
      await using origin = await startHttp(() => specs[index]);
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
      const retries = new Retry({ total: 0, statusForcelist: [503], raiseOnStatus: false });
      await assert.rejects(pool.request("GET", "/", { retries }), isFailure);
      assert.equal(pool.numBusy, 0);
    }
  });

  it("an abort while the rest of a redirect is thrown away rejects with its reason", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send("HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 5\r\n\r\nx");
      controller.abort("enough");
    });
    const controller = new AbortController();
    using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const asked = pool.request("GET", "/", { signal: controller.signal });
    await assert.rejects(asked, (reason) => reason === "enough");
    assert.equal(pool.numBusy, 0);
  });
});

describe("connections of answers that were passed over", () => {
  for (const preloadContent of [true, false]) {
    const whole = preloadContent ? "a whole body" : "a streamed body";
    const location = "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 5\r\n\r\n";

    it(`destroy() left one open whose rest was being thrown away, by a request for ${whole}`, async () => {
      using world = new World();
      world.host("a.test", script(`${location}x`));
      const manager = world.manager();
      const asked = world.failure(manager.request("GET", "http://a.test/", { preloadContent }));
      await world.rest();
      await manager.destroy();
      assert.deepEqual([manager.stats().openConnections, world.open.length], [0, 0]);
      assert.ok((await asked) instanceof ClosedPoolError);
    });

    it(`they are free for the next attempt of a request for ${whole}`, async () => {
      using world = new World();
      const there = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
      world.host(
        "a.test",
        script(async (connection) => {
          await connection.send(`${location}x`);
          await world.sleep(20);
          await connection.send("rest");
        }, there),
      );
      const manager = world.manager();
      const response = await world.run(manager.request("GET", "http://a.test/", { preloadContent }));
      assert.equal(await response.text(), "ok");
      assert.equal(world.connections.length, 1);
    });
  }
});

describe("codings that cannot be undone", () => {
  for (const coding of ["rot13, gzip", "gzip, gzip, gzip, gzip, gzip, gzip"]) {
    it(`are no matter where nothing is to be decoded: ${coding}`, async () => {
      await using origin = await startHttp(({ target }) => ({
        status: Number(target.slice(1)),
        body: target === "/200" ? "raw" : "",
        headers: { "Content-Encoding": coding },
      }));
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
      assert.equal((await pool.request("HEAD", "/200")).status, 200);
      for (const status of [204, 304]) assert.equal((await pool.request("GET", `/${status}`)).status, status);
      const raw = { decodeContent: false };
      assert.equal((await pool.request("GET", "/200", raw)).data.toString(), "raw");
      const streamed = await pool.request("GET", "/200", { preloadContent: false });
      assert.equal((await streamed.read(null, raw)).toString(), "raw");
      await assert.rejects(pool.request("GET", "/200"), DecodeError);
    });
  }
});
