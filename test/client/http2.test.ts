/** Requests over HTTP/2 on the virtual clock: what silent resends and servers without places do to their time limits. */

import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import { describe, it } from "node:test";
import { type PoolManager, type PoolManagerOptions, Timeout } from "../../src/index.ts";
import * as h2 from "../kit/h2-frames.ts";
import { serveFrames } from "../kit/h2-service.ts";
import { type Dialled, World } from "../kit/world.ts";

const OPTIONS: PoolManagerOptions = { http2: "prior-knowledge", retries: false };

/** Serves frames: `answer` says what a request gets. */
function frames(
  answer: (id: number, path: string, write: (bytes: Uint8Array) => void, lines: string) => void,
): Dialled {
  return async (connection) => {
    const write = (bytes: Uint8Array): void => {
      if (!connection.socket.destroyed) connection.socket.write(bytes);
    };
    serveFrames(connection.socket as unknown as Duplex, (id, path, lines) => answer(id, path, write, lines));
    await connection.closed;
  };
}

async function tidy(world: World, manager: PoolManager): Promise<void> {
  await world.run(manager.close());
  await world.clock.elapse(60_000);
  await world.rest();
  assert.deepEqual(world.leftovers(), []);
}

describe("a request over HTTP/2", () => {
  it("that was resent silently has one total: the first start's does not end a body that is read later", async () => {
    using world = new World();
    let asked = 0;
    world.host(
      "a.test",
      frames(async (id, _path, write) => {
        if (++asked === 1) {
          write(h2.resetStream(id, 7));
          return;
        }
        write(h2.headers(id, [[":status", "200"]]));
        for (const part of ["l", "a", "t", "e"]) {
          await world.sleep(800);
          write(h2.data(id, part, part === "e"));
        }
      }),
    );
    const manager = world.manager(OPTIONS);
    const response = await world.run(
      manager.request("GET", "http://a.test/", {
        timeout: new Timeout({ total: 1000 }),
        preloadContent: false,
      }),
    );
    assert.equal(String(await world.run(response.read())), "late");
    assert.equal(asked, 2);
    await tidy(world, manager);
  });

  it("whose expectation the server does not know goes again without it, on the same connection", async () => {
    using world = new World();
    const asked: string[] = [];
    world.host(
      "a.test",
      frames((id, _path, write, lines) => {
        const expects = lines.includes("expect: 100-continue");
        asked.push(expects ? "with" : "without");
        write(h2.headers(id, [[":status", expects ? "417" : "200"]], true));
      }),
    );
    const manager = world.manager(OPTIONS);
    const request = manager.request("PUT", "http://a.test/", {
      body: "body",
      headers: { Expect: "100-continue" },
    });
    assert.equal((await world.run(request)).status, 200);
    assert.deepEqual([asked, world.connections.length], [["with", "without"], 1]);
    await tidy(world, manager);
  });

  it("that is streamed ends with the manager that is destroyed, and is waited for by one that is closed", async () => {
    for (const how of ["destroy", "close"] as const) {
      using world = new World();
      world.host(
        "a.test",
        frames(async (id, _path, write) => {
          write(Buffer.concat([h2.headers(id, [[":status", "200"]]), h2.data(id, "half ")]));
          await world.sleep(500);
          write(h2.data(id, "whole", true));
        }),
      );
      const manager = world.manager(OPTIONS);
      const response = await world.run(manager.request("GET", "http://a.test/", { preloadContent: false }));
      const reason = new Error("shutdown");
      const ended = how === "destroy" ? manager.destroy(reason) : manager.close();
      if (how === "destroy") {
        assert.equal(await world.failure(response.read()), reason);
        await world.run(ended);
        assert.ok(world.clock.now() < 500);
      } else {
        assert.equal(String(await world.run(response.read())), "half whole");
        await world.run(ended);
      }
      assert.equal(manager.stats().openConnections, 0);
      await tidy(world, manager);
    }
  });

  it("ends although no server lets a stream open: each connection is given up in time, and the third refusal tells", async () => {
    using world = new World();
    world.host(
      "a.test",
      frames((id, _path, write) => {
        write(Buffer.concat([h2.settings([3, 0]), h2.resetStream(id, 7)]));
      }),
    );
    const manager = world.manager({ ...OPTIONS, block: true, maxsize: 1 });
    const error = await world.failure(manager.request("GET", "http://a.test/"));
    assert.match(String(error), /REFUSED_STREAM/);
    assert.equal(world.connections.length, 3);
    await tidy(world, manager);
  });
});
