import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Pool } from "../../src/pool/pool.ts";
import { FakeTicket, World } from "./fakes.ts";

function askMany(world: World, pool: Pool, count: number): FakeTicket[] {
  return Array.from({ length: count }, () => world.ask(pool));
}

describe("how many exchanges an HTTP/2 connection takes", () => {
  it("is learned when SETTINGS come, after the dial has ended", () => {
    const world = new World();
    const learned: number[] = [];
    const pool = world.pool({ expected: null, learned: (capacity) => learned.push(capacity) });
    world.ask(pool);
    const connection = world.dials[0]!.succeed(100);
    connection.allow(8);
    assert.deepEqual(learned, [100, 8]);
    askMany(world, pool, 7 + 16);
    assert.equal(connection.open, 8);
    assert.equal(world.dials.length, 2, "two dials for 16 exchanges, at 8 each");
    pool.destroy();
  });

  it("is not forgotten for the default that the next connection begins with", () => {
    const world = new World();
    const learned: number[] = [];
    const pool = world.pool({ expected: 8, learned: (capacity) => learned.push(capacity) });
    askMany(world, pool, 1);
    const connection = world.dials[0]!.succeed(100);
    assert.deepEqual(learned, []);
    connection.allow(4);
    connection.allow(32);
    assert.deepEqual(learned, [4, 32]);
    pool.destroy();
  });

  it("brings another dial for those whom a connection cannot take", () => {
    const world = new World();
    const pool = world.pool({ expected: 100 });
    const [first] = askMany(world, pool, 1);
    const connection = world.dials[0]!.succeed(100);
    connection.allow(2);
    first!.connection!.finish();
    const tickets = askMany(world, pool, 2 + 4);
    assert.equal(world.dials.length, 2);
    while (world.dials.length > 0) world.dials[0]!.succeed(2);
    world.poll();
    assert.deepEqual(
      tickets.map(({ settled }) => settled),
      tickets.map(() => 1),
    );
    pool.destroy();
  });

  it("is not what a retiring connection still carries", () => {
    const world = new World();
    const learned: number[] = [];
    const pool = world.pool({ expected: null, learned: (capacity) => learned.push(capacity) });
    askMany(world, pool, 3);
    const connection = world.dials[0]!.succeed(10);
    connection.retire();
    connection.finish();
    assert.equal(connection.open, 2);
    assert.deepEqual(learned, [10]);
    pool.destroy();
  });

  it("is nothing once a connection that was too old has gone with the answers that were held on it", () => {
    const world = new World();
    const pool = world.pool({ expected: 10, connectionMaxAge: 100 });
    world.ask(pool);
    const connection = world.dials[0]!.succeed(10);
    connection.retire = () => connection.close();
    world.clock.advance(200);
    connection.allow(8);
    assert.deepEqual([pool.size, pool.busy, pool.idle], [0, 0, 0]);
    world.ask(pool);
    assert.equal(world.dials.length, 1, "a dial for the next one");
    pool.destroy();
  });

  it("is none once the connection is too old, though an exchange goes on", () => {
    const world = new World();
    const pool = world.pool({ expected: 10, connectionMaxAge: 100 });
    const [first] = askMany(world, pool, 1);
    const old = world.dials[0]!.succeed(10);
    world.clock.advance(200);
    world.ask(pool);
    assert.equal(old.open, 1, "the second one stays away from it");
    assert.equal(world.dials.length, 1);
    first!.connection!.finish();
    assert.equal(old.alive, false);
    pool.destroy();
  });

  it("is one over HTTP/1.1, whatever becomes free", () => {
    const world = new World();
    const learned: number[] = [];
    const pool = world.pool({ expected: null, learned: (capacity) => learned.push(capacity) });
    const [ticket] = askMany(world, pool, 1);
    world.dials[0]!.succeed();
    ticket!.connection!.finish();
    world.poll();
    assert.deepEqual(learned, [1]);
    pool.destroy();
  });
});

describe("the one dial of an origin whose protocol is not known", () => {
  it("is to serve everybody, until it has taken a second: then the others get dials too", () => {
    const world = new World();
    const pool = world.pool({ expected: null });
    for (let i = 0; i < 3; i++) world.ask(pool, patient(60_000));
    world.clock.advance(999);
    assert.equal(world.dials.length, 1);
    world.clock.advance(2);
    assert.equal(world.dials.length, 2);
    world.dials[1]!.succeed();
    assert.equal(world.dials.length, 2, "now the protocol is known: one for each who waits");
    pool.destroy();
  });
});

/** A ticket that gives a connection so many ms. */
function patient(connectTimeout: number): FakeTicket {
  return new FakeTicket(Number.POSITIVE_INFINITY, connectTimeout);
}

describe("the connect timeout of a waiter whom somebody else's dial will serve", () => {
  it("is its own where it comes while the dial is under way", () => {
    const world = new World();
    const pool = world.pool({ expected: 100 });
    const [first, second] = [world.ask(pool, patient(5000)), world.ask(pool, patient(50))];
    assert.equal(world.dials.length, 1);
    world.clock.advance(60);
    assert.match(String(second.error), /connect timeout=50 ms/);
    assert.equal(first.settled, 0);
    pool.destroy();
  });

  it("is its own where it has waited for a place before the dial began", () => {
    const world = new World(1);
    const other = world.pool();
    const busy = world.ask(other);
    world.dials[0]!.succeed();
    const pool = world.pool({ expected: 100 });
    const [first, second] = [world.ask(pool, patient(5000)), world.ask(pool, patient(50))];
    assert.equal(world.dials.length, 0);
    world.clock.advance(1000);
    assert.equal(second.settled, 0, "it does not run without a dial");
    busy.connection!.finish();
    world.poll();
    assert.equal(world.dials.length, 1);
    world.clock.advance(60);
    assert.match(String(second.error), /connect timeout=50 ms/);
    assert.equal(first.settled, 0);
    pool.destroy();
    other.destroy();
  });
});
