import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EmptyPoolError } from "../../src/core/errors.ts";
import { MAX_OVERTAKINGS } from "../../src/pool/budget.ts";
import { MAX_DIALS } from "../../src/pool/dials.ts";
import { FakeTicket, World } from "./fakes.ts";

describe("acquire and release", () => {
  it("dials for the first ticket and gives it the connection", () => {
    const world = new World();
    const pool = world.pool();
    const ticket = world.ask(pool);
    assert.equal(ticket.settled, 0);
    const connection = world.dials[0]!.succeed();
    assert.equal(ticket.connection, connection);
    assert.deepEqual([pool.busy, pool.idle, pool.size, pool.counters.created], [1, 0, 1, 1]);
  });

  it("reuses the connection that came back last (LIFO), after a turn", () => {
    const world = new World();
    const pool = world.pool();
    const [a, b] = [world.ask(pool), world.ask(pool)];
    world.dials[0]!.succeed();
    world.dials[0]!.succeed();
    a.connection!.finish();
    world.poll();
    b.connection!.finish();
    world.poll();
    const c = world.ask(pool);
    assert.equal(c.settled, 0, "reserved, not yet given");
    assert.deepEqual([pool.idle, pool.busy], [1, 1]);
    world.poll();
    assert.equal(c.connection, b.connection);
  });

  it("does not give a connection again before the event loop has polled", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 1 });
    const a = world.ask(pool);
    world.dials[0]!.succeed();
    const b = world.ask(pool);
    a.connection!.finish();
    assert.equal(b.settled, 0);
    world.poll();
    assert.equal(b.connection, a.connection);
    assert.equal(pool.counters.reused, 1);
  });

  it("does not give a connection again before its request has been written", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 1 });
    const a = world.ask(pool);
    const connection = world.dials[0]!.succeed();
    const b = world.ask(pool);
    connection.flushed = false;
    connection.finish();
    world.poll();
    world.poll();
    assert.equal(b.settled, 0);
    connection.flushed = true;
    world.poll();
    assert.equal(b.connection, a.connection);
  });

  it("kills a resting connection that gets bytes, and dials for whoever waits for it", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 1 });
    const a = world.ask(pool);
    world.dials[0]!.succeed();
    const b = world.ask(pool);
    a.connection!.finish();
    a.connection!.close();
    world.poll();
    assert.equal(b.settled, 0);
    assert.equal(world.dials.length, 1);
    assert.equal(b.connection ?? world.dials[0]!.succeed(), b.connection);
  });

  it("puts the ticket first in line again when its reserved connection dies", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 1 });
    const a = world.ask(pool);
    const first = world.dials[0]!.succeed();
    a.connection!.finish();
    world.poll();
    const b = world.ask(pool);
    const c = world.ask(pool);
    first.close();
    world.dials[0]!.succeed();
    assert.ok(b.connection !== null);
    assert.equal(c.connection, null);
  });

  it("keeps what a ticket did not take: a dial goes on after its ticket was served otherwise", () => {
    const world = new World();
    const pool = world.pool();
    const a = world.ask(pool);
    world.dials[0]!.succeed();
    const b = world.ask(pool);
    assert.equal(world.dials.length, 1);
    a.connection!.finish();
    world.poll();
    assert.equal(b.connection, a.connection);
    assert.equal(world.dials[0]!.referenced, false, "an orphan does not keep the process alive");
    world.dials[0]!.succeed();
    world.poll();
    assert.equal(pool.idle, 1);
  });

  it("keeps the process alive for whoever gets the connection of an orphaned dial", () => {
    const world = new World();
    const pool = world.pool();
    const a = world.ask(pool);
    world.dials[0]!.succeed();
    const b = world.ask(pool);
    a.connection!.finish();
    world.poll();
    const [orphan] = world.dials;
    assert.equal(orphan!.referenced, false);
    b.connection!.finish();
    const c = world.ask(pool);
    assert.equal(orphan!.referenced, false, "c is to get the connection that rests");
    orphan!.succeed();
    assert.equal(c.connection!.referenced, true);
  });

  it("lets the next ticket adopt an orphaned dial", () => {
    const world = new World();
    const pool = world.pool();
    const a = world.ask(pool);
    pool.cancel(a);
    const b = world.ask(pool);
    assert.equal(world.dials.length, 1);
    assert.equal(world.dials[0]!.referenced, true);
    world.dials[0]!.fail(new Error("no"));
    assert.equal(b.error?.message, "no");
  });

  it("fails the ticket whose dial failed, not the one that was first", () => {
    const world = new World();
    const pool = world.pool();
    const [a, b] = [world.ask(pool), world.ask(pool)];
    world.dials[1]!.fail(new Error("second"));
    assert.equal(a.settled, 0);
    assert.equal(b.error?.message, "second");
  });

  it("serves the line in order whichever dial ends first, and hands the dials on", () => {
    const world = new World();
    const pool = world.pool();
    const [a, b] = [world.ask(pool), world.ask(pool)];
    const [forA, forB] = [world.dials[0]!, world.dials[1]!];
    assert.equal(forB.succeed(), a.connection);
    forA.fail(new Error("late"));
    assert.equal(b.error?.message, "late");
  });

  it("bounds the dials under way", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 1000 });
    for (let i = 0; i < 200; i++) world.ask(pool);
    assert.equal(world.dials.length, MAX_DIALS);
    world.dials[0]!.succeed();
    assert.equal(world.dials.length, MAX_DIALS);
  });
});

describe("limits", () => {
  it("block: never opens more than maxsize, and gives no newcomer the turn of a waiter", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 1 });
    const a = world.ask(pool);
    world.dials[0]!.succeed();
    const [b, c] = [world.ask(pool), world.ask(pool)];
    a.connection!.finish();
    const late = world.ask(pool);
    world.poll();
    assert.ok(b.connection !== null && c.connection === null && late.connection === null);
    assert.equal(world.connections.length, 1);
    assert.equal(pool.queued, 2);
  });

  it("no block: opens more, and drops what is over maxsize after use", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 1, block: false });
    const tickets = [world.ask(pool), world.ask(pool), world.ask(pool)];
    while (world.dials.length > 0) world.dials[0]!.succeed();
    for (const ticket of tickets) ticket.connection!.finish();
    world.poll();
    assert.equal(world.alive().length, 1);
    assert.deepEqual([pool.idle, pool.counters.discarded], [1, 2]);
  });

  it("poolTimeout refuses with EmptyPoolError, and the next in line stays", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 1 });
    const a = world.ask(pool);
    world.dials[0]!.succeed();
    const b = world.ask(pool, new FakeTicket(50));
    const c = world.ask(pool);
    world.clock.advance(49);
    assert.equal(b.settled, 0);
    world.clock.advance(5);
    assert.ok(b.error instanceof EmptyPoolError);
    assert.match(b.error.message, /within 50 ms \(poolTimeout\)/);
    a.connection!.finish();
    world.poll();
    assert.ok(c.connection !== null);
    assert.equal(pool.counters.timedOut, 1);
  });

  it("poolTimeout does not run while the ticket's own dial is under way", () => {
    const world = new World();
    const pool = world.pool();
    const a = world.ask(pool, new FakeTicket(50));
    world.clock.advance(500);
    assert.equal(a.settled, 0);
    world.dials[0]!.succeed();
    assert.ok(a.connection !== null);
  });

  /** A ticket that gives a dial so many ms. */
  const patient = (connectTimeout: number): FakeTicket =>
    new FakeTicket(Number.POSITIVE_INFINITY, connectTimeout);

  for (const [first, second] of [
    [50, 5000],
    [5000, 50],
  ] as const) {
    it(`a connect timeout is the ticket's own: ${first} ms came before ${second} ms`, () => {
      const world = new World();
      const pool = world.pool({ maxsize: 2 });
      const tickets = [world.ask(pool, patient(first)), world.ask(pool, patient(second))];
      world.clock.advance(100);
      const [short, long] = first < second ? tickets : tickets.reverse();
      assert.match(String(short!.error), /connect timeout=50 ms/);
      assert.equal(long!.settled, 0);
      world.clock.advance(5000);
      assert.match(String(long!.error), /connect timeout=5000 ms/);
    });
  }

  it("a connect timeout counts from the moment at which its ticket adopts a dial", () => {
    const world = new World();
    const pool = world.pool();
    world.ask(pool, patient(50));
    world.clock.advance(60);
    const adopting = world.ask(pool, patient(200));
    assert.equal(world.dials.length, 1);
    world.clock.advance(190);
    assert.equal(adopting.settled, 0);
    world.clock.advance(20);
    assert.match(String(adopting.error), /connect timeout=200 ms/);
  });

  it("a connect timeout stays its ticket's where another ticket takes the dial's connection", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 2 });
    const busy = world.ask(pool, patient(5000));
    world.dials[0]!.succeed();
    const [first, second] = [world.ask(pool, patient(5000)), world.ask(pool, patient(50))];
    assert.equal(world.dials.length, 1, "one dials, one waits in line");
    // The first gets what comes back; its dial is then the second's, with the second's time.
    busy.connection!.finish();
    world.poll();
    assert.ok(first.connection !== null);
    world.clock.advance(45);
    assert.equal(second.settled, 0);
    world.clock.advance(10);
    assert.match(String(second.error), /connect timeout=50 ms/);
  });

  it("a cancelled ticket is gone, and its reservation free again", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 1 });
    const a = world.ask(pool);
    world.dials[0]!.succeed();
    a.connection!.finish();
    world.poll();
    const b = world.ask(pool);
    b.cancel(pool);
    assert.deepEqual([pool.busy, pool.idle], [0, 1]);
    const c = world.ask(pool);
    world.poll();
    assert.equal(b.settled, 0);
    assert.equal(c.connection, a.connection);
  });

  it("maxConnections: an idle connection of another pool is closed for a new one", () => {
    const world = new World(1);
    const [one, two] = [world.pool(), world.pool()];
    const a = world.ask(one);
    world.dials[0]!.succeed();
    a.connection!.finish();
    world.poll();
    const b = world.ask(two);
    assert.equal(one.idle, 0);
    world.dials[0]!.succeed();
    assert.ok(b.connection !== null);
    assert.equal(world.alive().length, 1);
  });

  it("maxConnections: a rare host is served although a busy one never rests (fault 48)", () => {
    const world = new World(2);
    const busy = world.pool({ maxsize: 10 });
    const rare = world.pool();
    const tickets = Array.from({ length: 60 }, () => world.ask(busy));
    world.dials[0]!.succeed();
    world.dials[0]!.succeed();
    const wanted = world.ask(rare);
    let overtakings = 0;
    for (; world.dials.length === 0; overtakings++) {
      tickets[overtakings]!.connection!.finish();
      world.poll();
    }
    assert.equal(
      overtakings,
      2 * MAX_OVERTAKINGS + 1,
      "the place went to the pool that had none, and not too soon",
    );
    assert.equal(busy.counters.created, 2, "connections were used meanwhile");
    world.dials[0]!.succeed();
    assert.ok(wanted.connection !== null);
    assert.equal(world.budget.open, 2);
    wanted.connection!.finish();
    world.poll();
    while (world.dials.length > 0) world.dials[0]!.succeed();
    assert.equal(busy.busy, 2, "and came back afterwards");
  });

  it("a place that nobody in line wants any more goes to the next", () => {
    const world = new World(1);
    const [one, two, three] = [world.pool(), world.pool(), world.pool()];
    const a = world.ask(one);
    world.dials[0]!.succeed();
    const b = world.ask(two);
    const c = world.ask(three);
    two.cancel(b);
    a.connection!.close();
    assert.equal(world.dials.length, 1);
    world.dials[0]!.succeed();
    assert.ok(c.connection !== null);
  });
});

describe("age", () => {
  it("an idle connection is closed after keepAliveTimeout", () => {
    const world = new World();
    const pool = world.pool({ keepAliveTimeout: 100 });
    const a = world.ask(pool);
    world.dials[0]!.succeed();
    a.connection!.finish();
    world.poll();
    assert.equal(a.connection!.referenced, false, "idle: does not keep the process alive");
    world.clock.advance(99);
    assert.equal(pool.idle, 1);
    world.clock.advance(5);
    assert.equal(pool.idle, 0);
    assert.equal(world.budget.open, 0);
  });

  it("the server's hint shortens it by one second more", () => {
    const world = new World();
    const pool = world.pool();
    const a = world.ask(pool);
    world.dials[0]!.succeed().keepAliveHint = 5000;
    a.connection!.finish();
    world.poll();
    world.clock.advance(3999);
    assert.equal(pool.idle, 1);
    world.clock.advance(5);
    assert.equal(pool.idle, 0);
  });

  it("a hint of a second or less means: not again", () => {
    const world = new World();
    const pool = world.pool();
    const a = world.ask(pool);
    world.dials[0]!.succeed().keepAliveHint = 1000;
    a.connection!.finish();
    assert.equal(world.alive().length, 0);
  });

  it("a connection older than connectionMaxAge is not used again", () => {
    const world = new World();
    const pool = world.pool({ connectionMaxAge: 100 });
    const a = world.ask(pool);
    world.dials[0]!.succeed();
    a.connection!.finish();
    world.poll();
    world.clock.advance(150);
    world.ask(pool);
    assert.equal(world.alive().length, 0);
    assert.equal(world.dials.length, 1);
  });

  it("a clock that stood still while the machine slept does not keep old connections (fault 45)", () => {
    const world = new World();
    const pool = world.pool();
    const a = world.ask(pool);
    world.dials[0]!.succeed();
    a.connection!.finish();
    world.poll();
    world.clock.suspend(3_600_000);
    world.ask(pool);
    assert.equal(a.connection!.alive, false);
    assert.equal(world.dials.length, 1);
  });
});

describe("retire", () => {
  it("closes the dial of the last waiter, and not the connection that this one is given instead", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 2 });
    const busy = world.ask(pool);
    const connection = world.dials[0]!.succeed();
    const last = world.ask(pool);
    const [dial] = world.dials;
    pool.dismiss();
    busy.connection!.finish();
    world.poll();
    assert.equal(last.connection, connection);
    assert.deepEqual([dial!.aborted, connection.alive], [true, true]);
    last.connection!.finish();
    world.poll();
    assert.deepEqual([pool.size, pool.busy, world.budget.open], [0, 0, 0]);
  });

  it("closes idle connections and orphaned dials; what is in use is closed when it comes back", () => {
    const world = new World();
    const pool = world.pool();
    const [a, b, c] = [world.ask(pool), world.ask(pool), world.ask(pool)];
    world.dials[0]!.succeed();
    world.dials[0]!.succeed();
    pool.cancel(c);
    a.connection!.finish();
    world.poll();
    const orphan = world.dials[0]!;
    pool.retire();
    assert.equal(a.connection!.alive, false);
    assert.equal(b.connection!.alive, true);
    assert.equal(orphan.aborted, true);
    b.connection!.finish();
    world.poll();
    assert.equal(b.connection!.alive, false);
    assert.deepEqual([pool.size, world.budget.open], [0, 0]);
  });

  it("still serves those who wait and those who come", () => {
    const world = new World();
    const pool = world.pool({ maxsize: 1 });
    const a = world.ask(pool);
    world.dials[0]!.succeed();
    const b = world.ask(pool);
    pool.retire();
    a.connection!.finish();
    world.poll();
    assert.equal(b.connection, a.connection);
    b.connection!.finish();
    world.poll();
    assert.equal(world.alive().length, 0);
    const c = world.ask(pool);
    world.dials[0]!.succeed();
    assert.ok(c.connection !== null);
  });
});
describe("paced dials", () => {
  const paced = { maxsize: 64, dialPace: 5 };

  it("one begins at once, and after each time as many as before", () => {
    const world = new World();
    const pool = world.pool(paced);
    for (let i = 0; i < 20; i++) world.ask(pool);
    const begun = [world.dials.length];
    for (let i = 0; i < 6; i++) {
      world.clock.advance(5);
      begun.push(world.dials.length);
    }
    assert.deepEqual(begun, [1, 2, 4, 8, 16, 20, 20]);
  });

  it("those whose tickets were served meanwhile never begin", () => {
    const world = new World();
    const pool = world.pool(paced);
    const [a, b] = [world.ask(pool), world.ask(pool)];
    world.dials[0]!.succeed();
    a.connection!.finish();
    world.poll();
    assert.equal(b.connection, a.connection);
    world.clock.advance(50);
    assert.deepEqual([world.dials.length, pool.counters.created], [0, 1]);
  });

  it("the next burst begins with one again", () => {
    const world = new World();
    const pool = world.pool(paced);
    for (let i = 0; i < 8; i++) world.ask(pool);
    world.clock.advance(15);
    assert.equal(world.dials.length, 8);
    for (const dial of [...world.dials]) dial.succeed();
    for (let i = 0; i < 4; i++) world.ask(pool);
    assert.equal(world.dials.length, 1);
  });

  it("one that fails lets the next begin at once", () => {
    const world = new World();
    const pool = world.pool(paced);
    const tickets = [world.ask(pool), world.ask(pool), world.ask(pool)];
    for (let i = 0; i < 3; i++) world.dials[0]!.fail();
    assert.deepEqual(
      tickets.map(({ error }) => error?.message),
      ["refused", "refused", "refused"],
    );
  });

  it("a pool that nobody waits for sets no timer", () => {
    const world = new World();
    const pool = world.pool(paced);
    const [a, b] = [world.ask(pool), world.ask(pool)];
    pool.cancel(a);
    pool.cancel(b);
    pool.retire();
    world.timers.sweep();
    assert.equal(world.clock.pending, 0);
  });
});
