import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "./world.ts";

test("a manager on a virtual clock and in-memory wires", async () => {
  using world = new World();
  world.http("a.test", ({ target }) => `from a ${target}`);
  const manager = world.manager();
  const response = await world.run(manager.request("GET", "http://a.test/x"));
  assert.equal(String(response.data), "from a /x");
  assert.deepEqual(world.log, [
    "0 attempt 1 first GET http://a.test/x",
    "0 open #1 a.test:80",
    "0 0 read GET /x",
  ]);
  manager.clear();
  await world.rest();
  assert.deepEqual(world.leftovers(), []);
});

test("a request that nothing can end is reported as stuck", async () => {
  using world = new World();
  world.host("a.test", "hang");
  const manager = world.manager({ timeout: null });
  await assert.rejects(world.run(manager.request("GET", "http://a.test/")), /stuck at 0 ms/);
});
