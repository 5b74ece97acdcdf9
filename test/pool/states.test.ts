/** What a pool says of itself while requests come and go: the line, the dials, and each connection's two states. */

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { it } from "node:test";
import { inspect } from "node:util";
import { settle } from "../kit/clock.ts";
import type { OriginConnection } from "../kit/origin-connection.ts";
import { type Dialled, World } from "../kit/world.ts";

const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";

/** A server that reads heads, and is silent unless the test says something. */
function silent(connections: OriginConnection[]): Dialled {
  return async (connection) => {
    connections.push(connection);
    for (;;) await connection.readHead();
  };
}

it("each state of a pool and its connections has its text", async () => {
  using world = new World();
  const servers: OriginConnection[] = [];
  world.host("a.test", silent(servers));
  const pool = world.pool("a.test", { maxsize: 1 });
  const state = (): string => String(pool.inner).replace(/#\d+/g, "#n");
  const only = (text: string, waiting = 0): string =>
    `waiting=${waiting} dials=0 connections=[#n a.test:80 ${text}]`;
  assert.equal(state(), "waiting=0 dials=0 connections=[]");

  const first = pool.request("GET", "/", { preloadContent: false });
  assert.equal(state(), "waiting=1 dials=1 connections=[]");
  await world.rest();
  assert.equal(state(), only("read=head write=idle busy"));
  const second = pool.request("GET", "/");
  assert.equal(state(), only("read=head write=idle busy", 1));
  await servers[0]!.send(`${ANSWER}12`);
  await settle();
  assert.equal(state(), only("read=body write=idle busy", 1));
  await servers[0]!.send("34");
  const response = await first;
  await settle();
  assert.equal(state(), only("read=parked write=idle busy", 1));
  assert.equal(await response.text(), "1234");
  await world.rest();
  assert.equal(state(), only("read=head write=idle busy"));
  await servers[0]!.send(`${ANSWER}5678`);
  await second;
  assert.equal(state(), only("read=idle write=flushing resting"));
  await world.rest();
  assert.equal(state(), only("read=idle write=idle idle"));

  const held = pool.request("POST", "/", { body: Readable.from(["x"]), headers: { Expect: "100-continue" } });
  assert.equal(state(), only("read=head write=held busy"));
  await world.rest();
  assert.equal(state(), only("read=head write=awaiting busy"));
  await servers[0]!.send(`${ANSWER}none`);
  assert.equal(String((await world.run(held)).data), "none");
  await world.rest();
  assert.equal(state(), "waiting=0 dials=0 connections=[]");

  const source = new Readable({ read: () => {} });
  const early = pool.request("POST", "/", { body: source });
  await world.rest();
  assert.equal(state(), only("read=head write=sending busy"));
  await servers[1]!.send(`${ANSWER}soon`);
  assert.equal(String((await world.run(early)).data), "soon");
  assert.equal(state(), only("read=idle write=grace busy"));
  source.push(null);
  await world.rest();
  assert.equal(state(), only("read=idle write=idle idle"));

  const last = pool.request("GET", "/");
  pool.inner.retire();
  await world.rest();
  assert.equal(state(), `retired ${only("read=head write=idle busy")}`);
  pool.close();
  await servers[1]!.send(`${ANSWER}done`);
  await world.run(last);
  assert.equal(state(), "retired waiting=0 dials=0 connections=[]");
});

it("a dial that nobody waits for is told apart", async () => {
  using world = new World().host("a.test", "hang");
  const pool = world.pool("a.test");
  const controller = new AbortController();
  const asked = pool.request("GET", "/", { signal: controller.signal });
  controller.abort("enough");
  await assert.rejects(asked, (reason) => reason === "enough");
  assert.equal(String(pool.inner), "waiting=0 dials=0+1 unwanted connections=[]");
  pool.close();
});

it("no text tells the credentials of URL, fields or proxy", async () => {
  using world = new World();
  const servers: OriginConnection[] = [];
  world.host("proxy.test", silent(servers)).host("a.test", silent(servers));
  const secret = "s3cr3t";
  for (const options of [{}, { proxy: `http://me:${secret}@proxy.test` }]) {
    const manager = world.manager({
      ...options,
      headers: { Authorization: `Bearer ${secret}`, Cookie: secret },
    });
    const asked = manager.request("GET", `http://me:${secret}@a.test/?token=${secret}`, {
      preloadContent: false,
    });
    await world.rest();
    await servers.at(-1)!.send(`${ANSWER}1`);
    const response = await asked;
    const pool = manager.connectionFromUrl("http://a.test/");
    for (const part of [pool.inner, pool, manager, response.connection]) {
      for (const text of [String(part), inspect(part, { depth: 9 })]) {
        assert.ok(!text.includes(secret), text);
      }
    }
    await manager.destroy();
  }
});
