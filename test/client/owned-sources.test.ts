/** A source of the caller's is the request's from the moment it is given: its failures are, and closing it is. */

import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import {
  HTTPConnectionPool,
  type HTTPError,
  type PoolManager,
  type RequestOptions,
} from "../../src/index.ts";
import { type Dialled, script, World } from "../kit/world.ts";

/** A source that gives a first part and then nothing. */
function slow(): Readable {
  const source = new Readable({ read: () => {} });
  source.push("first");
  return source;
}

/** Sources that nobody reads yet, and what makes each of them fail. */
const KINDS: Record<string, () => { options: RequestOptions; fail(error: Error): void; closed(): boolean }> =
  {
    "a stream": () => {
      const source = slow();
      return {
        options: { body: source },
        fail: (error) => source.destroy(error),
        closed: () => source.destroyed,
      };
    },
    "a web stream": () => {
      const { stream, ...rest } = slowWeb();
      return { options: { body: stream }, ...rest };
    },
    "a stream in a form": () => {
      const source = slow();
      const options: RequestOptions = { fields: { note: "x", file: ["f.bin", source] } };
      return { options, fail: (error) => source.destroy(error), closed: () => source.destroyed };
    },
    "a stream in a form, by name": () => {
      const source = slow();
      const options: RequestOptions = { fields: { file: { filename: "f.bin", data: source } } };
      return { options, fail: (error) => source.destroy(error), closed: () => source.destroyed };
    },
    "the second stream of a form": () => {
      const [first, source] = [slow(), slow()];
      const options: RequestOptions = { fields: { first: ["a", first], second: ["b", source] } };
      const closed = (): boolean => first.destroyed && source.destroyed;
      return { options, fail: (error) => source.destroy(error), closed };
    },
    "a web stream in a form": () => {
      const { stream, ...rest } = slowWeb();
      return { options: { fields: { file: ["f.bin", stream] } }, ...rest };
    },
  };

function slowWeb(): { stream: ReadableStream; fail(error: Error): void; closed(): boolean } {
  let failed = false;
  let closed = false;
  let controller!: ReadableStreamDefaultController;
  const stream = new ReadableStream({
    start: (given) => {
      controller = given;
    },
    cancel: () => {
      closed = true;
    },
  });
  const fail = (error: Error): void => {
    failed = true;
    controller.error(error);
  };
  return { stream, fail, closed: () => closed || failed };
}

const STALLS: Dialled = async (connection) => void (await connection.readHead());

describe("a source that fails ended the process, or hung its request", () => {
  const WHEN: Record<string, (world: World) => PoolManager> = {
    "while its request waits in line": (world) => {
      const manager = world.host("a.test", STALLS).manager({ maxsize: 1 });
      void manager.request("GET", "http://a.test/", { preloadContent: false }).catch(() => {});
      return manager;
    },
    "while its connection is made": (world) => world.host("a.test", "hang").manager(),
    "while its proxy is chosen": (world) => world.manager({ proxy: () => new Promise(() => {}) }),
    "while the jar is asked for cookies": (world) =>
      world.manager({ cookieJar: { getCookieString: () => new Promise(() => {}), setCookie: () => {} } }),
    "while the server stalls": (world) => world.host("a.test", STALLS).manager(),
  };
  for (const [when, prepare] of Object.entries(WHEN)) {
    for (const [kind, make] of Object.entries(KINDS)) {
      it(`${kind}, ${when}`, async () => {
        using world = new World();
        const manager = prepare(world);
        const { options, fail, closed } = make();
        const asked = manager.request("PUT", "http://a.test/", { ...options, timeout: {}, retries: false });
        await world.rest();
        const failure = new Error("disk");
        fail(failure);
        const error = (await world.failure(asked)) as HTTPError;
        assert.equal(error.code, "ERR_URLPOOL_REQUEST_BODY");
        assert.equal(error.cause, failure);
        await manager.destroy();
        await world.rest();
        assert.ok(closed());
        assert.equal(manager.stats().openConnections, 0);
      });
    }
  }

  it("after its request has failed already", async () => {
    using world = new World().host("a.test", "ECONNREFUSED");
    const source = slow();
    await world.failure(world.manager().request("PUT", "http://a.test/", { body: source, retries: false }));
    assert.equal(source.destroyed, true, "closed, though nobody has read it");
    source.emit("error", new Error("late"));
    await world.rest();
  });
});

describe("a source was left open, and its later failure ended the process, where its request", () => {
  const ENDS: Record<string, (world: World, options: RequestOptions) => Promise<unknown>> = {
    "has an option that is refused": (world, options) =>
      world.manager().request("PUT", "http://a.test/", { ...options, deadline: "soon" as never }),
    "has an option that nothing knows": (world, options) =>
      world.manager().request("PUT", "http://a.test/", { ...options, timout: 1 } as RequestOptions),
    "has a method that is refused": (world, options) =>
      world.manager().request("P T", "http://a.test/", options),
    "has a field that is refused": (world, options) =>
      world.manager().request("PUT", "http://a.test/", { ...options, headers: { a: "x\r\ny" } }),
    "has a URL that is refused": (world, options) => world.manager().request("PUT", "http://[::/", options),
    "goes where no pool is": (world, options) => world.manager().request("PUT", "gopher://a.test/", options),
    "goes to a pool that was closed": (_world, options) => {
      const pool = new HTTPConnectionPool("a.test");
      pool.close();
      return pool.request("PUT", "/", options);
    },
    "goes to another host than its pool's": (_world, options) =>
      new HTTPConnectionPool("a.test").request("PUT", "http://b.test/", options),
    "was aborted before": (world, options) =>
      world.manager().request("PUT", "http://a.test/", { ...options, signal: AbortSignal.abort() }),
    "has a jar that fails": (world, options) => {
      const cookieJar = { getCookieString: () => Promise.reject(new Error("no jar")), setCookie: () => {} };
      return world.manager().request("PUT", "http://a.test/", { ...options, cookieJar });
    },
    "has a function for its proxy that throws": (world, options) =>
      world
        .manager({
          proxy: () => {
            throw new Error("no proxy");
          },
        })
        .request("PUT", "http://a.test/", options),
    "gets no proxy": (world, options) =>
      world
        .manager({ proxy: () => Promise.reject(new Error("no proxy")) })
        .request("PUT", "http://a.test/", options),
    "is redirected before its body was asked for": (world, options) => {
      const see = "HTTP/1.1 303 See Other\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n";
      const answer = script((connection) => connection.send(see));
      world.host("a.test", answer, async (connection) => {
        await connection.readHead();
        await connection.send("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
      });
      const headers = { Expect: "100-continue", Connection: "close" };
      return world.manager().request("PUT", "http://a.test/", { ...options, headers });
    },
  };
  for (const [how, end] of Object.entries(ENDS)) {
    for (const [kind, make] of Object.entries(KINDS)) {
      it(`${how}: ${kind}`, async () => {
        using world = new World();
        const { options, fail, closed } = make();
        await world.run(end(world, options).catch(() => {}));
        await world.rest();
        assert.ok(closed(), "closed, though nobody has read it");
        // A web stream that was cancelled does not fail any more.
        if (!kind.includes("web")) fail(new Error("late"));
        await world.rest();
      });
    }
  }

  it("is refused because another request sends the source: that one goes on", async () => {
    using world = new World().host(
      "a.test",
      script((connection) => connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
    );
    const source = Readable.from(["all"]);
    const manager = world.manager();
    const sent = manager.request("PUT", "http://a.test/", { body: source });
    await world.failure(manager.request("PUT", "http://a.test/", { body: source, deadline: "" as never }));
    assert.equal((await world.run(sent)).status, 200);
  });
});

it("the stream of a Request was left open where fetch() reaches no server", async () => {
  using world = new World().host("a.test", "ECONNREFUSED");
  const { stream, closed } = slowWeb();
  const request = new Request("http://a.test/", { method: "PUT", body: stream, duplex: "half" });
  await world.failure(world.manager({ retries: false }).fetch(request));
  await world.rest();
  assert.ok(closed());
});

it("a form with a file was closed between two attempts, though it was not read", async () => {
  const answer = script((connection) => connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  using world = new World().host("a.test", "ECONNREFUSED", answer);
  const fields = { file: createReadStream(import.meta.filename) };
  const asked = world.manager().request("POST", "http://a.test/", { fields, retries: 1 });
  const { status } = await world.run(asked);
  assert.equal(status, 200);
});

it("what a body's function throws, and a file of a form that is not there, are errors of the body", async () => {
  using world = new World();
  const mine = new Error("mine");
  const bodies: (() => RequestOptions)[] = [
    () => ({ body: () => Promise.reject(mine) }),
    () => ({
      body: () => {
        throw mine;
      },
    }),
    () => ({ fields: { file: createReadStream(`${import.meta.filename}.missing`) } }),
  ];
  for (const make of bodies) {
    const asked = world.manager().request("POST", "http://a.test/", { ...make(), retries: 3 });
    const error = (await world.failure(asked)) as HTTPError;
    assert.equal(error.code, "ERR_URLPOOL_REQUEST_BODY");
    const { cause } = error as { cause?: NodeJS.ErrnoException };
    assert.ok(cause === mine || cause?.code === "ENOENT", String(cause));
  }
});

describe("closing a source that", () => {
  const REFUSED = "NewConnectionError";
  const ENDS: Record<string, () => Promise<unknown>> = {
    rejects: () => Promise.reject(new Error("close")),
    throws: () => {
      throw new Error("close");
    },
    "never ends": () => new Promise(() => {}),
  };
  for (const [how, end] of Object.entries(ENDS)) {
    const source = () => ({
      [Symbol.asyncIterator]() {
        return this;
      },
      next: () => Promise.resolve({ done: false as const, value: "part" }),
      return: () => end() as Promise<{ done: true; value: undefined }>,
    });

    it(`${how} does not replace what went wrong, nor hold up close()`, async () => {
      using world = new World().host("refusing.test", "ECONNREFUSED").host(
        "answering.test",
        script((connection) =>
          connection.send("HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
        ),
      );
      const manager = world.manager({ retries: false });
      const error = await world.failure(manager.request("PUT", "http://refusing.test/", { body: source() }));
      assert.equal((error as Error).name, REFUSED);
      const { status } = await world.run(
        manager.request("PUT", "http://answering.test/", { body: source() }),
      );
      assert.equal(status, 413);
      await world.run(manager.close());
      await world.rest();
      assert.deepEqual(world.leftovers(), []);
    });
  }
});
