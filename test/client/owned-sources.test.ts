/** A source of the caller's is the request's from the moment it is given: its failures are, and closing it is. */

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { HTTPError, type PoolManager } from "../../src/index.ts";
import { script, World } from "../kit/world.ts";

/** A source that gives a first part and then nothing. */
function slow(): Readable {
  const source = new Readable({ read: () => {} });
  source.push("first");
  return source;
}

describe("a source that fails ended the process, or hung its request", () => {
  const WHEN: Record<string, (world: World, manager: PoolManager) => Promise<void>> = {
    "while its request waits in line": async (_world, manager) => {
      void manager.request("GET", "http://a.test/", { preloadContent: false }).catch(() => {});
    },
    "while its connection is made": async (world) => {
      world.fails = () => false;
    },
    "while the server stalls": (world) => world.rest(),
  };
  for (const [when, prepare] of Object.entries(WHEN)) {
    it(when, async () => {
      using world = new World().host("a.test", async (connection) => {
        await connection.readHead();
      });
      const manager = world.manager({ maxsize: 1 });
      if (when.includes("line")) await prepare(world, manager);
      const source = slow();
      const asked = manager.request("PUT", "http://a.test/", { body: source, timeout: {}, retries: false });
      if (!when.includes("line")) await prepare(world, manager);
      const failure = new Error("disk");
      source.destroy(failure);
      const error = (await world.failure(asked)) as Error;
      assert.ok(error instanceof HTTPError);
      assert.equal(error.cause, failure);
      await manager.destroy();
      await world.rest();
      assert.equal(manager.stats().openConnections, 0);
    });
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

describe("closing a source that", () => {
  const REFUSED = "NewConnectionError";
  const ENDS: Record<string, () => Promise<unknown>> = {
    throws: () => Promise.reject(new Error("close")),
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
