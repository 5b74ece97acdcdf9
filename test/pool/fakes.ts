/** A pool on fake connections, a poll and a clock that move only when told to. */

import type {
  Connection,
  ConnectionInfo,
  ConnectionSetup,
  Exchange,
  Protocol,
  Stream,
} from "../../src/connection/connection.ts";
import { PollBarrier, type PollEntry } from "../../src/connection/poll-barrier.ts";
import { ConnectTimeoutError, type HTTPError } from "../../src/core/errors.ts";
import { CoarseTimers } from "../../src/core/timers.ts";
import { ConnectionBudget } from "../../src/pool/budget.ts";
import {
  type DialHandle,
  type DialRequest,
  noCounters,
  Pool,
  type PoolSettings,
  Waiter,
} from "../../src/pool/pool.ts";
import { VirtualClock } from "../kit/clock.ts";

/** What a fake connection tells of the exchange that it carries. */
interface FakeExchange {
  readonly waiter: Waiter;
  onStart(): void;
  onUnsent(): void;
}

/**
 * Behaves as an HTTP/1 connection does: used once before, it starts an exchange after a poll, and rests for one. With
 * `capacity` it carries many exchanges at a time, as HTTP/2 does.
 */
export class FakeConnection implements Connection, PollEntry {
  static count = 0;
  readonly info: ConnectionInfo;
  readonly protocol: Protocol;
  readonly bornAt: number;
  readonly setup: ConnectionSetup = { dns: 0, connect: 0, tls: null };
  exchanges = 0;
  open = 0;
  alive = true;
  retiring = false;
  keepAliveHint: number | null = null;
  referenced = true;
  flushed = true;
  /** Time of day since when it has had nothing to do. */
  idleSince: number;
  readonly #request: DialRequest;
  readonly #world: World;
  #capacity: number;
  #resting = false;
  #polled = true;
  #held: FakeExchange | null = null;

  constructor(request: DialRequest, world: World, capacity: number) {
    this.#request = request;
    this.#world = world;
    this.#capacity = capacity;
    this.bornAt = world.clock.now();
    this.idleSince = world.clock.wallNow();
    this.protocol = capacity > 1 ? "h2" : "http/1.1";
    this.info = { id: ++FakeConnection.count, protocol: this.protocol, route: "fake:1", address: null };
  }

  /** From now on it is as used or idle as any other. */
  settle(): void {
    this.#polled = false;
  }

  /** The server allows another number of exchanges at a time. */
  allow(capacity: number): void {
    this.#capacity = capacity;
    this.#request.owner.capacityChanged();
  }

  get free(): number {
    return this.alive && !this.#resting && !this.retiring ? Math.max(0, this.#capacity - this.open) : 0;
  }

  start(exchange: Exchange): Stream {
    this.exchanges++;
    this.open++;
    const fake = exchange as unknown as FakeExchange;
    if (this.#polled || this.open > 1) fake.onStart();
    else {
      this.#held = fake;
      this.#world.barrier.add(this);
    }
    return { pause() {}, resume() {}, release() {}, cancel: () => this.cancel() };
  }

  /** An exchange that has not started is given up; any other takes the connection with it. */
  cancel(): void {
    if (this.#held === null) {
      if (this.#capacity > 1) this.finish();
      else this.close();
      return;
    }
    this.#held = null;
    this.#end();
    this.#resting = this.#capacity === 1;
    this.#request.owner.capacityChanged();
  }

  /** An exchange ends well. */
  finish(): void {
    this.#end();
    if (this.#capacity === 1) {
      this.#resting = true;
      this.#world.barrier.add(this);
    }
    if (this.retiring && this.open === 0) this.close();
    else this.#request.owner.capacityChanged();
  }

  #end(): void {
    this.open--;
    this.idleSince = this.#world.clock.wallNow();
  }

  onPoll(): void {
    if (!this.alive) return;
    if (this.#held !== null) {
      const held = this.#held;
      this.#held = null;
      held.onStart();
    } else if (!this.flushed) this.#world.barrier.add(this);
    else if (this.#resting) {
      this.#resting = false;
      this.idleSince = this.#world.clock.wallNow();
      this.#polled = true;
      this.#request.owner.capacityChanged();
      this.#polled = false;
    }
  }

  retire(): void {
    this.retiring = true;
    if (this.open === 0) this.close();
  }

  close(): void {
    if (!this.alive) return;
    this.alive = false;
    this.open = 0;
    this.#request.owner.dead();
    if (this.#held === null) return;
    this.#held.onUnsent();
    this.#request.owner.unsent(this.#held as unknown as Exchange);
  }

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

  /** `capacity`: exchanges at a time, above 1 for HTTP/2. */
  succeed(capacity = 1): FakeConnection {
    const { dials, connections } = this.#world;
    dials.splice(dials.indexOf(this), 1);
    const connection = new FakeConnection(this.request, this.#world, capacity);
    connection.referenced = this.referenced;
    connections.push(connection);
    this.request.connected(connection);
    connection.settle();
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

  timeoutError(timeout: number): HTTPError {
    return new ConnectTimeoutError(`connect timeout=${timeout} ms`);
  }

  ref(): void {
    this.referenced = true;
  }

  unref(): void {
    this.referenced = false;
  }
}

/** Who watches a ticket. */
export interface TicketObserver {
  onGranted(ticket: FakeTicket, connection: FakeConnection): void;
  onUnsent(ticket: FakeTicket): void;
}

/** A waiter, and the exchange that it starts; `connection` is set once that is on the wire. */
export class FakeTicket extends Waiter implements FakeExchange {
  static count = 0;
  readonly id: number = ++FakeTicket.count;
  readonly waiter: Waiter = this;
  readonly poolTimeout: number;
  readonly connectTimeout: number;
  /** The connection that it was given, on the wire or not. */
  leased: FakeConnection | null = null;
  connection: FakeConnection | null = null;
  error: Error | null = null;
  settled = 0;
  /** Told before it takes a connection, and when that has died before it was on the wire. */
  observer: TicketObserver | null = null;

  constructor(poolTimeout: number = Number.POSITIVE_INFINITY, connectTimeout: number = 1000) {
    super();
    this.poolTimeout = poolTimeout;
    this.connectTimeout = connectTimeout;
  }

  granted(connection: Connection): void {
    this.observer?.onGranted(this, connection as FakeConnection);
    this.leased = connection as FakeConnection;
    connection.start(this as unknown as Exchange);
  }

  refused(error: Error): void {
    this.settled++;
    this.error = error;
  }

  onStart(): void {
    this.settled++;
    this.connection = this.leased;
  }

  onUnsent(): void {
    this.leased = null;
    this.observer?.onUnsent(this);
  }

  /** Gives up, wherever it is: what an attempt does that is stopped. */
  cancel(pool: Pool): void {
    pool.cancel(this);
    if (this.settled === 0) this.leased?.cancel();
  }
}

/** Everything a pool touches. */
export class World {
  readonly clock: VirtualClock = new VirtualClock();
  readonly timers: CoarseTimers = new CoarseTimers(this.clock);
  readonly budget: ConnectionBudget;
  readonly barrier: PollBarrier;
  readonly dials: FakeDial[] = [];
  readonly connections: FakeConnection[] = [];
  #immediates: (() => void)[] = [];

  constructor(limit = 1024) {
    this.budget = new ConnectionBudget(limit);
    this.barrier = new PollBarrier((callback) => this.#immediates.push(callback));
  }

  pool(settings: Partial<PoolSettings> = {}): Pool {
    return new Pool({
      maxsize: 4,
      block: true,
      keepAliveTimeout: 30_000,
      connectionMaxAge: Number.POSITIVE_INFINITY,
      clock: this.clock,
      timers: this.timers,
      budget: this.budget,
      totals: noCounters(),
      dialPace: 0,
      expected: 1,
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
