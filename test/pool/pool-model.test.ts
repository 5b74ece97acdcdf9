/** Random operations on two pools under one budget; after each step the counts must agree with what can be seen. */

import assert from "node:assert/strict";
import { it } from "node:test";
import type { Pool } from "../../src/pool/pool.ts";
import { type Random, SEED, seededRandom } from "../kit/seed.ts";
import { type FakeConnection, FakeTicket, World } from "./fakes.ts";

const SEEDS = Number(process.env.TEST_MODEL_SEEDS ?? 1000);
const STEPS = 40;

/** What a naive reader of the rules expects: who waits, who holds what. */
class Model {
  readonly world: World;
  readonly pools: Pool[];
  /** Who has no exchange on the wire yet, in the order in which they are to have one. */
  readonly waiting: Map<Pool, FakeTicket[]>;
  readonly holding = new Map<FakeTicket, FakeConnection>();
  readonly faults: string[] = [];

  constructor(random: Random) {
    this.world = new World(random.integer(1, 6));
    this.pools = [0, 1].map(() =>
      this.world.pool({
        maxsize: random.integer(1, 4),
        block: random.chance(0.7),
        keepAliveTimeout: random.pick([100, 30_000]),
        connectionMaxAge: random.pick([150, Number.POSITIVE_INFINITY]),
        dialPace: random.chance(0.5) ? 5 : 0,
        expected: random.chance(0.5) ? null : 1,
      }),
    );
    this.waiting = new Map(this.pools.map((pool) => [pool, []]));
  }

  /** A new ticket stands last in line; one whose connection died unused stands first again. */
  ask(pool: Pool, ticket: FakeTicket): void {
    const { clock } = this.world;
    this.waiting.get(pool)!.push(ticket);
    ticket.observer = {
      onGranted: (_ticket, { idleSince, bornAt, exchanges, open }) => {
        const line = this.waiting.get(pool)!;
        const first = line.find(({ leased, settled }) => leased === null && settled === 0);
        this.expect(first === ticket, "not in order");
        const { keepAliveTimeout, connectionMaxAge } = pool.settings;
        const idle = open > 0 ? 0 : clock.wallNow() - idleSince;
        this.expect(idle < keepAliveTimeout, "was idle for too long");
        this.expect(exchanges === 0 || clock.now() - bornAt < connectionMaxAge, "is too old");
      },
      onUnsent: () => {
        const others = this.waiting.get(pool)!.filter((other) => other !== ticket);
        this.waiting.set(pool, [ticket, ...others]);
      },
    };
    pool.acquire(ticket);
  }

  /** As an assertion, for where the pool must not see an error. */
  expect(holds: boolean, fault: string): void {
    if (!holds) this.faults.push(fault);
  }

  /** Moves tickets that were served or refused. */
  settle(): void {
    for (const [pool, line] of this.waiting) {
      for (const ticket of line) {
        if (ticket.connection !== null) this.holding.set(ticket, ticket.connection);
        assert.ok(ticket.settled <= 1, "settled twice");
      }
      this.waiting.set(
        pool,
        line.filter((ticket) => ticket.settled === 0),
      );
    }
  }

  check(): void {
    const { world, pools } = this;
    assert.deepEqual(this.faults, []);
    const leased = [...this.waiting.values()].flat().filter((ticket) => ticket.leased !== null);
    for (const connection of world.connections) {
      const holders = [...this.holding.values()].filter((held) => held === connection).length;
      const bound = leased.filter((ticket) => ticket.leased === connection).length;
      if (holders > 0) assert.ok(connection.alive, "a dead connection is held");
      assert.equal(connection.open, holders + bound, "exchanges do not add up");
      assert.ok(connection.free >= 0, "more exchanges than a connection takes");
    }
    assert.ok(world.budget.open >= 0 && world.budget.open <= world.budget.limit, "over the budget");
    assert.equal(world.budget.open, world.alive().length + world.dials.length, "places do not add up");
    assert.equal(
      pools.reduce((sum, pool) => sum + pool.size, 0),
      world.budget.open,
      "sizes do not add up",
    );
    assert.equal(
      pools.reduce((sum, pool) => sum + pool.busy, 0),
      this.holding.size + leased.length,
      "leases do not add up",
    );
    for (const pool of pools) {
      const line = this.waiting.get(pool)!.filter((ticket) => ticket.leased === null);
      assert.equal(pool.queued, line.length, `the line is wrong: ${pool}`);
      if (pool.settings.block) assert.ok(pool.size <= pool.settings.maxsize, "over maxsize");
    }
  }

  /** Everything ends well: nobody may be left waiting. */
  drain(): void {
    for (let round = 0; round < 200; round++) {
      while (this.world.dials.length > 0) this.world.dials[0]!.succeed();
      this.world.poll();
      this.settle();
      for (const [ticket, connection] of this.holding) {
        this.holding.delete(ticket);
        connection.finish();
      }
      // The pace of dials.
      if (this.world.dials.length === 0) this.world.clock.advance(1);
    }
    for (const line of this.waiting.values()) assert.equal(line.length, 0, "a ticket was forgotten");
  }

  /** A connection has died: so have the exchanges on it. */
  forget(connection: FakeConnection): void {
    for (const [ticket, held] of this.holding) if (held === connection) this.holding.delete(ticket);
  }
}

function newTicket(random: Random): FakeTicket {
  const unlimited = Number.POSITIVE_INFINITY;
  return new FakeTicket(
    random.chance(0.3) ? 20 : unlimited,
    random.chance(0.3) ? random.pick([10, 500, 2000]) : unlimited,
  );
}

type Step = (model: Model, pool: Pool, random: Random) => void;

const ACQUIRE: Step = (model, pool, random) => {
  model.ask(pool, newTicket(random));
};

const STEPS_BY_NAME: readonly Step[] = [
  ACQUIRE,
  ACQUIRE,
  ACQUIRE,
  // A request is aborted, in the line or on the wire.
  (model, pool, random) => {
    const line = model.waiting.get(pool)!;
    if (line.length === 0) return;
    const ticket = random.pick(line);
    model.waiting.set(
      pool,
      line.filter((other) => other !== ticket),
    );
    ticket.cancel(pool);
  },
  ({ world }, _pool, random) => {
    if (world.dials.length > 0) random.pick(world.dials).succeed(random.pick([1, 1, 3]));
  },
  ({ world }, _pool, random) => {
    if (world.dials.length > 0) random.pick(world.dials).fail();
  },
  ({ holding }, _pool, random) => {
    if (holding.size === 0) return;
    const ticket = random.pick([...holding.keys()]);
    const connection = holding.get(ticket)!;
    holding.delete(ticket);
    connection.finish();
  },
  ({ world }) => world.poll(),
  // The server closes a connection, in use or not.
  (model, _pool, random) => {
    const alive = model.world.alive();
    if (alive.length === 0) return;
    const connection = random.pick(alive);
    model.forget(connection);
    connection.close();
  },
  ({ world }, _pool, random) => world.clock.advance(random.pick([1, 25, 1000, 31_000])),
  // The machine sleeps.
  ({ world }, _pool, random) => world.clock.suspend(random.pick([150, 40_000])),
  // The event loop is blocked.
  ({ world }, _pool, random) => {
    world.clock.block(random.pick([20, 200]));
    world.clock.advance(1);
  },
  (_model, pool, random) => {
    pool.retire();
    if (random.chance(0.8)) pool.revive();
  },
];

function step(model: Model, random: Random): void {
  random.pick(STEPS_BY_NAME)(model, random.pick(model.pools), random);
  model.settle();
}

it(`keeps its promises under ${SEEDS} random histories (seed ${SEED})`, () => {
  for (let seed = SEED; seed < SEED + SEEDS; seed++) {
    const random = seededRandom(seed);
    const model = new Model(random);
    try {
      for (let i = 0; i < STEPS; i++) {
        step(model, random);
        model.check();
      }
      model.drain();
      model.check();
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
});
