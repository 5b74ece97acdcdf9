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
  readonly waiting: Map<Pool, FakeTicket[]>;
  readonly holding = new Map<FakeTicket, FakeConnection>();
  readonly settled = new Set<FakeTicket>();

  constructor(random: Random) {
    this.world = new World(random.integer(1, 6));
    this.pools = [0, 1].map(() =>
      this.world.pool({ maxsize: random.integer(1, 4), block: random.chance(0.7) }),
    );
    this.waiting = new Map(this.pools.map((pool) => [pool, []]));
  }

  /** Moves tickets that were served or refused; those of one pool must have been served in order. */
  settle(): void {
    for (const [pool, line] of this.waiting) {
      const assigned = line.filter((ticket) => ticket.connection !== null || ticket.reservation !== null);
      const open = line.filter((ticket) => ticket.error === null);
      assert.deepEqual(
        assigned.map((ticket) => ticket.id),
        open.slice(0, assigned.length).map((ticket) => ticket.id),
        "not in order",
      );
      const served = line.filter((ticket) => ticket.connection !== null);
      for (const ticket of served) this.holding.set(ticket, ticket.connection!);
      this.waiting.set(
        pool,
        line.filter((ticket) => ticket.settled === 0),
      );
      for (const ticket of line) assert.ok(ticket.settled <= 1, "settled twice");
    }
  }

  check(): void {
    const { world, pools } = this;
    const held = [...this.holding.values()];
    assert.equal(new Set(held).size, held.length, "a connection was given to two tickets");
    for (const connection of held) assert.ok(connection.alive, "a dead connection is held");
    assert.ok(world.budget.open <= world.budget.limit, "over the budget");
    assert.equal(world.budget.open, world.alive().length + world.dials.length, "places do not add up");
    assert.equal(
      pools.reduce((sum, pool) => sum + pool.size, 0),
      world.budget.open,
      "sizes do not add up",
    );
    for (const pool of pools) {
      assert.equal(pool.queued + this.reserved(pool), this.waiting.get(pool)!.length, "the line is wrong");
      if (pool.settings.block) assert.ok(pool.size <= pool.settings.maxsize, "over maxsize");
    }
  }

  /** Tickets bound to a connection that is still in the turn. */
  reserved(pool: Pool): number {
    return this.waiting.get(pool)!.filter((ticket) => ticket.reservation !== null).length;
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
    }
    for (const line of this.waiting.values()) assert.equal(line.length, 0, "a ticket was forgotten");
  }
}

function step(model: Model, random: Random): void {
  const { world } = model;
  const pool = random.pick(model.pools);
  const line = model.waiting.get(pool)!;
  const holder = model.holding.size > 0 ? random.pick([...model.holding.keys()]) : null;
  const choice = random.integer(0, 9);
  if (choice <= 2) {
    const ticket = new FakeTicket(random.chance(0.3) ? 20 : Number.POSITIVE_INFINITY);
    line.push(ticket);
    pool.acquire(ticket);
  } else if (choice === 3 && line.length > 0) {
    const ticket = random.pick(line);
    model.waiting.set(
      pool,
      line.filter((other) => other !== ticket),
    );
    pool.cancel(ticket);
  } else if (choice === 4 && world.dials.length > 0) random.pick(world.dials).succeed();
  else if (choice === 5 && world.dials.length > 0) random.pick(world.dials).fail();
  else if (choice === 6 && holder !== null) {
    const connection = model.holding.get(holder)!;
    model.holding.delete(holder);
    if (random.chance(0.7)) connection.finish();
    else connection.close();
  } else if (choice === 7) world.poll();
  else if (choice === 8 && world.alive().length > 0) {
    const idle = world.alive().filter((connection) => ![...model.holding.values()].includes(connection));
    if (idle.length > 0) random.pick(idle).close();
  } else world.clock.advance(random.pick([1, 25, 31_000]));
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
