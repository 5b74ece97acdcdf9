/** Whole traces of races, retries and resends, in order and with their times: nothing happens that is not written here. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Retry } from "../../src/index.ts";
import { answer, ok } from "../kit/answers.ts";
import { type Dialled, script, World } from "../kit/world.ts";

const OK = ok("good");
const URL = "http://a.test/";

const resets: Dialled = async (connection) => {
  await connection.readHead();
  connection.reset();
};

/** Answers once and resets when the next request comes. */
const once: Dialled = script(OK, (connection) => connection.reset());

/** The log up to now; then everything is closed, and nothing may be left. */
async function logOf(world: World, manager: { clear(): void }): Promise<string[]> {
  await world.rest();
  const log = [...world.log];
  manager.clear();
  await world.rest();
  assert.deepEqual(world.leftovers(), []);
  return log;
}

describe("a race of addresses", () => {
  it("families in turn, 250 ms apart, at once after a failure; the losers are gone when one wins", async () => {
    using world = new World({ noteDials: true });
    world.name("a.test", "fd00::1", "fd00::2", "10.1.0.1", "10.1.0.2");
    world.host("fd00::1", "hang").host("10.1.0.1", "ECONNREFUSED").host("fd00::2", "hang");
    world.host("10.1.0.2", script(OK));
    const manager = world.manager();
    await world.run(manager.request("GET", URL));
    assert.deepEqual(await logOf(world, manager), [
      "0 attempt 1 first GET http://a.test/",
      "0 dial fd00::1",
      "250 dial 10.1.0.1",
      "250 dial fd00::2",
      "250 gone 10.1.0.1",
      "500 dial 10.1.0.2",
      "500 open #1 a.test:80",
      "500 gone fd00::1",
      "500 gone fd00::2",
    ]);
  });

  it("all fail: a retry after the back-off, for which the race begins anew", async () => {
    using world = new World({ noteDials: true });
    world.name("a.test", "fd00::1", "10.1.0.1");
    world.host("fd00::1", "hang").host("10.1.0.1", "ECONNREFUSED", "ECONNREFUSED", script(OK));
    const retries = new Retry({ total: 3, backoffFactor: 400 });
    const manager = world.manager({ timeout: 1000, retries });
    await world.run(manager.request("GET", URL));
    assert.deepEqual(await logOf(world, manager), [
      "0 attempt 1 first GET http://a.test/",
      "0 dial fd00::1",
      "250 dial 10.1.0.1",
      "250 gone 10.1.0.1",
      "1000 no connection ConnectTimeoutError",
      "1000 gone fd00::1",
      "1000 attempt 2 retry GET http://a.test/",
      "1000 dial fd00::1",
      "1250 dial 10.1.0.1",
      "1250 gone 10.1.0.1",
      "2000 no connection ConnectTimeoutError",
      "2000 gone fd00::1",
      "2800 attempt 3 retry GET http://a.test/",
      "2800 dial fd00::1",
      "3050 dial 10.1.0.1",
      "3050 open #1 a.test:80",
      "3050 gone fd00::1",
    ]);
  });

  it("a dial and a connection that comes back: the first of them serves, the dial is kept", async () => {
    using world = new World({ noteDials: true });
    world.name("a.test", "10.1.0.1");
    const slow: Dialled = script(async (connection) => {
      await world.sleep(100);
      await connection.send(OK);
    }, OK);
    world.host("10.1.0.1", slow, "hang");
    const manager = world.manager({ timeout: 5000 });
    await world.run(Promise.all([manager.request("GET", `${URL}1`), manager.request("GET", `${URL}2`)]));
    assert.equal(world.clock.now(), 100);
    assert.deepEqual(await logOf(world, manager), [
      "0 attempt 1 first GET http://a.test/1",
      "0 attempt 1 first GET http://a.test/2",
      "0 dial 10.1.0.1",
      "0 dial 10.1.0.1",
      "0 open #1 a.test:80",
    ]);
  });
});

describe("resends and retries", () => {
  it("a dead connection: the resend at once, on a new one, without a retry", async () => {
    using world = new World({ noteDials: true }).name("a.test", "10.1.0.1");
    world.host("10.1.0.1", once, script(OK));
    const manager = world.manager({ retries: false });
    await world.run(manager.request("GET", URL));
    await world.clock.elapse(1000);
    await world.run(manager.request("PUT", URL, { body: "x" }));
    assert.deepEqual(await logOf(world, manager), [
      "0 attempt 1 first GET http://a.test/",
      "0 dial 10.1.0.1",
      "0 open #1 a.test:80",
      "1000 attempt 1 first PUT http://a.test/",
      "1000 close #1",
      "1000 gone 10.1.0.1",
      "1000 attempt 2 resend PUT http://a.test/",
      "1000 dial 10.1.0.1",
      "1000 open #2 a.test:80",
    ]);
  });

  it("the resend fails too: retries with their back-off, then a status, then a redirect to a dead connection", async () => {
    using world = new World();
    const busy = answer(503, "", "Retry-After: 2");
    const away = answer(302, "", "Location: http://b.test/x");
    world.host("a.test", once, resets, resets, script(busy, away)).host("b.test", once, script(OK));
    const manager = world.manager({ retries: new Retry({ total: 9, backoffFactor: 100 }) });
    await world.run(Promise.all([manager.request("GET", URL), manager.request("GET", "http://b.test/")]));
    await world.run(manager.request("GET", URL));
    assert.deepEqual(await logOf(world, manager), [
      "0 attempt 1 first GET http://a.test/",
      "0 attempt 1 first GET http://b.test/",
      "0 open #1 a.test:80",
      "0 open #2 b.test:80",
      "0 attempt 1 first GET http://a.test/",
      "0 close #1",
      "0 attempt 2 resend GET http://a.test/",
      "0 open #3 a.test:80",
      "0 close #3",
      "0 attempt 3 retry GET http://a.test/",
      "0 open #4 a.test:80",
      "0 close #4",
      "200 attempt 4 retry GET http://a.test/",
      "200 open #5 a.test:80",
      "2200 attempt 5 retry GET http://a.test/",
      "2200 attempt 6 redirect GET http://b.test/x",
      "2200 close #2",
      "2200 attempt 7 resend GET http://b.test/x",
      "2200 open #6 b.test:80",
    ]);
  });

  it("two requests lose their connections at once: each is sent again once, on its own", async () => {
    using world = new World();
    const gate = new Promise<void>((resolve) => world.clock.setTimer(resolve, 10));
    const first = script(
      async (connection) => {
        await gate;
        await connection.send(OK);
      },
      (connection) => connection.close(),
    );
    world.host("a.test", first, first, script(OK, OK), script(OK, OK));
    const manager = world.manager({ maxsize: 2, retries: false });
    const both = (): Promise<unknown> => Promise.all([1, 2].map((n) => manager.request("GET", `${URL}${n}`)));
    await world.run(both());
    await world.run(both());
    assert.deepEqual(await logOf(world, manager), [
      "0 attempt 1 first GET http://a.test/1",
      "0 attempt 1 first GET http://a.test/2",
      "0 open #1 a.test:80",
      "0 open #2 a.test:80",
      "10 attempt 1 first GET http://a.test/1",
      "10 attempt 1 first GET http://a.test/2",
      "10 close #2",
      "10 close #1",
      "10 attempt 2 resend GET http://a.test/1",
      "10 attempt 2 resend GET http://a.test/2",
      "10 open #3 a.test:80",
      "10 open #4 a.test:80",
    ]);
  });
});
