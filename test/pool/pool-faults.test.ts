import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Pool } from "../../src/pool/pool.ts";
import { type FakeConnection, FakeTicket, World } from "./fakes.ts";

/** `count` connections that are idle, the one used last at the end. */
function idleConnections(world: World, pool: Pool, count: number): FakeConnection[] {
  const tickets = Array.from({ length: count }, () => world.ask(pool));
  const connections = tickets.map(() => world.dials[0]!.succeed());
  for (const connection of connections) {
    connection.finish();
    world.poll();
  }
  return connections;
}

function freshTicket(): FakeTicket {
  const ticket = new FakeTicket();
  ticket.fresh = true;
  return ticket;
}

describe("a ticket that wants no idle connection", () => {
  it("gets a new one, and leaves those that are idle alone", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 3 });
    const idle = idleConnections(world, pool, 2);
    const ticket = world.ask(pool, freshTicket());
    const connection = world.dials[0]!.succeed();
    assert.equal(ticket.connection, connection);
    assert.ok(!idle.includes(connection));
    assert.deepEqual([pool.idle, pool.busy], [2, 1]);
  });

  it("makes room in a full pool: the connection that was idle longest goes", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 2 });
    const [oldest, newest] = idleConnections(world, pool, 2);
    const ticket = world.ask(pool, freshTicket());
    assert.deepEqual([oldest!.alive, newest!.alive], [false, true]);
    world.dials[0]!.succeed();
    assert.equal(ticket.settled, 1);
    assert.equal(pool.size, 2);
  });

  it("does not hold up others, who take what is idle", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 2 });
    const [connection] = idleConnections(world, pool, 1);
    world.ask(pool, freshTicket());
    const other = world.ask(pool);
    world.poll();
    assert.equal(other.connection, connection);
    assert.equal(world.dials.length, 1);
  });

  it("waits its turn where all connections are in use, and then takes what comes back", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 1 });
    const first = world.ask(pool);
    world.dials[0]!.succeed();
    const ticket = world.ask(pool, freshTicket());
    assert.equal(world.dials.length, 0);
    first.connection!.finish();
    world.poll();
    assert.equal(ticket.connection, first.connection);
  });
});

describe("a reserved connection that dies", () => {
  it("is replaced by another idle one, without a dial", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 2 });
    const [other, last] = idleConnections(world, pool, 2);
    const ticket = world.ask(pool);
    last!.close();
    world.poll();
    assert.equal(ticket.connection, other);
    assert.equal(world.dials.length, 0);
    assert.deepEqual([pool.size, world.budget.open], [1, 1]);
  });
});

describe("no file descriptor left (fault 5)", () => {
  const outOfFiles = (code: string): Error =>
    new Error("no connection", { cause: Object.assign(new Error(`connect ${code}`), { code }) });

  for (const code of ["EMFILE", "ENFILE"]) {
    it(`${code}: the connection idle longest, of any pool, is closed and the dial tried once again`, () => {
      const world = new World();
      const [pool, other] = [world.pool(), world.pool()];
      const [oldest] = idleConnections(world, other, 1);
      const [newest] = idleConnections(world, pool, 1);
      const ticket = world.ask(pool, freshTicket());
      world.dials[0]!.fail(outOfFiles(code));
      assert.deepEqual([oldest!.alive, newest!.alive, ticket.settled], [false, true, 0]);
      const connection = world.dials[0]!.succeed();
      assert.equal(ticket.connection, connection);
      assert.deepEqual([pool.size, other.size, world.budget.open], [2, 0, 2]);
    });
  }

  it("only once; then the error is the ticket's, and the counts are exact", () => {
    const world = new World();
    const pool = world.pool();
    idleConnections(world, pool, 2);
    const ticket = world.ask(pool, freshTicket());
    world.dials[0]!.fail(outOfFiles("EMFILE"));
    const error = outOfFiles("EMFILE");
    world.dials[0]!.fail(error);
    assert.equal(ticket.error, error);
    assert.equal(ticket.settled, 1);
    assert.deepEqual([pool.size, world.budget.open, world.dials.length], [1, 1, 0]);
  });

  it("with nothing idle, or nobody waiting, it is a failure like any other", () => {
    const world = new World();
    const pool = world.pool();
    const ticket = world.ask(pool);
    world.dials[0]!.fail(outOfFiles("EMFILE"));
    assert.equal(ticket.settled, 1);
    const [idle] = idleConnections(world, pool, 1);
    const gone = world.ask(pool, freshTicket());
    pool.cancel(gone);
    world.dials[0]!.fail(outOfFiles("EMFILE"));
    assert.ok(idle!.alive);
    assert.deepEqual([pool.size, world.budget.open, world.dials.length], [1, 1, 0]);
  });
});
