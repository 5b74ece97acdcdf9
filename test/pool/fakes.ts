/** A pool on fake connections, a turn and a clock that move only when told to. */

import type { Connection, ConnectionSetup, Exchange } from "../../src/connection/connection.ts";
import { CoarseTimers } from "../../src/core/timers.ts";
import { ConnectionBudget } from "../../src/pool/budget.ts";
import {
  type DialHandle,
  type DialRequest,
  noCounters,
  Pool,
  type PoolSettings,
  Ticket,
} from "../../src/pool/pool.ts";
import { Turn } from "../../src/pool/turn.ts";
import { VirtualClock } from "../kit/clock.ts";

export class FakeConnection implements Connection {
  static count = 0;
  readonly id: number = ++FakeConnection.count;
  readonly bornAt: number;
  readonly route: string = "fake:1";
  readonly setup: ConnectionSetup = { dns: 0, connect: 0, tls: null };
  exchanges = 0;
  alive = true;
  keepAliveHint: number | null = null;
  referenced = true;
  readonly #request: DialRequest;

  constructor(request: DialRequest, bornAt: number) {
    this.#request = request;
    this.bornAt = bornAt;
  }

  send(_exchange: Exchange): void {
    this.exchanges++;
  }

  /** The exchange ends well. */
  finish(): void {
    this.#request.owner.idle();
  }

  close(): void {
    if (!this.alive) return;
    this.alive = false;
    this.#request.owner.dead();
  }

  flushed = true;

  isFlushed(): boolean {
    return this.flushed;
  }

  pause(): void {}
  resume(): void {}
  release(): void {}

  ref(): void {
    this.referenced = true;
  }

  unref(): void {
    this.referenced = false;
  }
}

/** A dial that ends when the test says so. */
export class FakeDial implements DialHandle {
  readonly request: DialRequest;
  readonly #world: World;
  aborted = false;
  referenced = true;

  constructor(world: World, request: DialRequest) {
    this.#world = world;
    this.request = request;
  }

  succeed(): FakeConnection {
    this.#world.dials.splice(this.#world.dials.indexOf(this), 1);
    const connection = new FakeConnection(this.request, this.#world.clock.now());
    connection.referenced = this.referenced;
    this.#world.connections.push(connection);
    this.request.connected(connection);
    return connection;
  }

  fail(error: Error = new Error("refused")): void {
    this.#world.dials.splice(this.#world.dials.indexOf(this), 1);
    this.request.failed(error);
  }

  abort(): void {
    this.aborted = true;
    this.#world.dials.splice(this.#world.dials.indexOf(this), 1);
  }

  ref(): void {
    this.referenced = true;
  }

  unref(): void {
    this.referenced = false;
  }
}

export class FakeTicket extends Ticket {
  static count = 0;
  readonly id: number = ++FakeTicket.count;
  readonly poolTimeout: number;
  readonly connectTimeout: number;
  connection: FakeConnection | null = null;
  error: Error | null = null;
  settled = 0;

  constructor(poolTimeout: number = Number.POSITIVE_INFINITY, connectTimeout: number = 1000) {
    super();
    this.poolTimeout = poolTimeout;
    this.connectTimeout = connectTimeout;
  }

  granted(connection: Connection): void {
    this.settled++;
    this.connection = connection as FakeConnection;
  }

  refused(error: Error): void {
    this.settled++;
    this.error = error;
  }
}

/** Everything a pool touches. */
export class World {
  readonly clock: VirtualClock = new VirtualClock();
  readonly timers: CoarseTimers = new CoarseTimers(this.clock);
  readonly budget: ConnectionBudget;
  readonly turn: Turn;
  readonly dials: FakeDial[] = [];
  readonly connections: FakeConnection[] = [];
  #immediates: (() => void)[] = [];

  constructor(limit = 1024) {
    this.budget = new ConnectionBudget(limit);
    this.turn = new Turn((callback) => this.#immediates.push(callback));
  }

  pool(settings: Partial<PoolSettings> = {}): Pool {
    return new Pool({
      maxsize: 4,
      block: true,
      keepAliveTimeout: 30_000,
      connectionMaxAge: Number.POSITIVE_INFINITY,
      clock: this.clock,
      timers: this.timers,
      turn: this.turn,
      budget: this.budget,
      totals: noCounters(),
      dialPace: 0,
      name: "FakePool",
      dial: (request) => {
        const dial = new FakeDial(this, request);
        this.dials.push(dial);
        return dial;
      },
      ...settings,
    });
  }

  /** One poll of the event loop has passed: what rests may be used again. */
  poll(): void {
    for (let round = 0; round < 2; round++) {
      const immediates = this.#immediates;
      this.#immediates = [];
      for (const callback of immediates) callback();
    }
  }

  /** A new ticket in `pool`. */
  ask(pool: Pool, ticket: FakeTicket = new FakeTicket()): FakeTicket {
    pool.acquire(ticket);
    return ticket;
  }

  alive(): FakeConnection[] {
    return this.connections.filter((connection) => connection.alive);
  }
}
