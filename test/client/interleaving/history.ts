/**
 * Requests, servers, time and managers in random order, over wires in memory and in virtual time. After each step the
 * counts must agree with what can be seen; in the end every request has ended once, by itself where nobody ended it, and
 * nothing is left.
 */

import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { Readable } from "node:stream";
import { it } from "node:test";
import {
  HTTPConnectionPool,
  HTTPError,
  type HTTPResponse,
  type PoolManager,
  type RequestOptions,
  Retry,
} from "../../../src/index.ts";
import { settle } from "../../kit/clock.ts";
import type { OriginConnection } from "../../kit/origin-connection.ts";
import { type Random, SEED, seededRandom } from "../../kit/seed.ts";
import { type Dialled, World } from "../../kit/world.ts";

const SEEDS = Number(process.env.TEST_MODEL_SEEDS ?? 1000);
/** In so many files. */
const PARTS = 4;
const STEPS = 40;
const HOSTS = ["a.test", "b.test", "c.test"];

/** An answer that nobody may get. */
const BOGUS = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbogus";

/** A request as its server sees it. */
interface Asked {
  readonly target: string;
  readonly connection: OriginConnection;
  /** The rest of an answer that has begun. */
  rest: string | null;
  readonly answered: () => void;
}

/** A request as its caller sees it. */
interface Call {
  readonly target: string;
  readonly controller: AbortController;
  readonly source: Readable | null;
  readonly ended: Promise<void>;
  settled: number;
  response: HTTPResponse | null;
  /** A read under way. */
  reading: Promise<void> | null;
  error: unknown;
}

/** What a server answers to `target`: nothing that another request could be given. */
function bodyOf(target: string): string {
  const size = target.endsWith("-large") ? 100_000 : target.endsWith("-empty") ? 0 : 30;
  return `${target} `.repeat(Math.ceil(size / (target.length + 1)));
}

function answerTo(target: string, random: Random): string {
  const body = bodyOf(target);
  const status = random.chance(0.15) ? random.pick([302, 503]) : 200;
  const fields = status === 302 ? `Location: ${target}\r\n` : status === 503 ? "Retry-After: 1\r\n" : "";
  const close = random.chance(0.15) ? "Connection: close\r\n" : "";
  const head = `HTTP/1.1 ${status} X\r\n${fields}${close}`;
  if (random.chance(0.5)) return `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
  const half = Math.ceil(body.length / 2);
  const chunks = [body.slice(0, half), body.slice(half)].filter((chunk) => chunk !== "");
  const framed = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");
  return `${head}Transfer-Encoding: chunked\r\n\r\n${framed}0\r\n\r\n`;
}

/** One history. */
class History {
  readonly random: Random;
  readonly world: World;
  readonly manager: PoolManager;
  readonly pools = new Set<HTTPConnectionPool>();
  readonly calls: Call[] = [];
  /** Answers and reads that were not as they should be. */
  readonly wrong: string[] = [];
  readonly maxsize: number;
  readonly block: boolean;
  asked: Asked[] = [];
  steps: string[] = [];
  /** Servers answer at once, and every dial succeeds. */
  kind = false;

  constructor(random: Random) {
    this.random = random;
    this.world = new World({ maxConnections: random.integer(1, 6) });
    for (const host of HOSTS) this.world.host(host, ...this.#behaviours());
    this.world.fails = (call) => !this.kind && call !== "read" && random.chance(0.03);
    this.maxsize = random.integer(1, 3);
    this.block = random.chance(0.7);
    this.manager = this.world.manager({
      maxsize: this.maxsize,
      block: this.block,
      numPools: random.integer(1, 3),
      keepAliveTimeout: random.pick([500, 60_000]),
      connectionMaxAge: random.pick([2000, Number.POSITIVE_INFINITY]),
      poolTimeout: random.pick([300, Number.POSITIVE_INFINITY]),
    });
    const { pools } = this;
    // Also those that a repetition or redirect has made, and that are dropped already.
    this.manager.poolClassesByScheme.http = class extends HTTPConnectionPool {
      constructor(...options: ConstructorParameters<typeof HTTPConnectionPool>) {
        super(...options);
        pools.add(this);
      }
    };
  }

  #behaviours(): [Dialled, ...Dialled[]] {
    const some = Array.from({ length: 12 }, () => this.#behaviour());
    return [this.#behaviour(), ...some, (connection) => this.#serve(connection)];
  }

  #behaviour(): Dialled {
    if (this.random.chance(0.15)) return this.random.pick(["hang", "ECONNREFUSED", "EHOSTUNREACH"]);
    return (connection) => this.#serve(connection);
  }

  async #serve(connection: OriginConnection): Promise<void> {
    for (;;) {
      const head = await connection.readHead();
      const target = head.split(" ", 2)[1]!;
      const answered = new Promise<void>((done) => {
        const asked: Asked = { target, connection, rest: null, answered: done };
        this.asked.push(asked);
        if (this.kind) this.answer(asked);
      });
      if (/transfer-encoding: chunked/i.test(head)) await connection.readChunkedBody();
      await answered;
    }
  }

  /** All of an answer, or what is left of it. */
  answer(asked: Asked): void {
    const text = asked.rest ?? answerTo(asked.target, this.random);
    this.asked = this.asked.filter((other) => other !== asked);
    void asked.connection.send(text);
    asked.answered();
  }

  /** Some of an answer. */
  begin(asked: Asked): void {
    const text = asked.rest ?? answerTo(asked.target, this.random);
    const cut = this.random.integer(1, text.length - 1);
    asked.rest = text.slice(cut);
    void asked.connection.send(text.slice(0, cut));
  }

  request(): void {
    const { random } = this;
    const host = random.pick(HOSTS);
    const target = `/${this.calls.length}${random.pick(["", "", "-large", "-empty"])}`;
    const controller = new AbortController();
    const uploads = random.chance(0.25);
    const source = uploads ? new Readable({ read: () => {} }) : null;
    const options: RequestOptions = {
      signal: controller.signal,
      body: source,
      preloadContent: random.chance(),
      releaseConn: random.pick([true, false, null]),
      timeout: random.pick([{ connect: 200, read: 400 }, { total: 1000 }, {}]),
      retries: random.pick([false, 0, new Retry({ total: 2, backoffFactor: 50, statusForcelist: [503] })]),
      deadline: random.pick([700, 5000, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]),
    };
    if (random.chance(0.1)) Object.assign(options, { headers: { Expect: "100-continue" } });
    const asked = this.manager.request(uploads ? "PUT" : "GET", `http://${host}${target}`, options);
    this.calls.push(this.#follow(target, controller, source, options.preloadContent!, asked));
  }

  #follow(
    target: string,
    controller: AbortController,
    source: Readable | null,
    preloaded: boolean,
    asked: Promise<HTTPResponse>,
  ): Call {
    const ended = asked.then(
      (response) => {
        call.settled++;
        call.response = response;
        if (preloaded && String(response.data) !== bodyOf(target)) {
          this.wrong.push(`${target} got ${String(response.data).slice(0, 40) || "nothing"}`);
        }
      },
      (error: unknown) => {
        call.settled++;
        call.error = error;
      },
    );
    const call: Call = {
      target,
      controller,
      source,
      ended,
      settled: 0,
      response: null,
      reading: null,
      error: null,
    };
    return call;
  }

  /** Reads a part, or all, in one of the ways; what is read is the request's own answer. */
  read(call: Call): void {
    const response = call.response!;
    const check = (bytes: Buffer): void => {
      if (!bodyOf(call.target).includes(String(bytes))) this.wrong.push(`${call.target} read ${bytes}`);
    };
    const way = this.random.pick(["part", "all", "drain"]);
    const reading =
      way === "drain" ? response.drainConn() : response.read(way === "part" ? 20 : null).then(check);
    call.reading = Promise.resolve(reading).then(
      () => {
        call.reading = null;
      },
      (error: unknown) => {
        call.reading = null;
        if (error instanceof HTTPError || error === call.controller.signal.reason) return;
        this.wrong.push(`reading ${call.target} failed with ${error}`);
      },
    );
  }

  /** Responses whose body is, or may be, still to be read. */
  get readable(): Call[] {
    return this.calls.filter(({ response, reading }) => response !== null && reading === null);
  }

  get pending(): Call[] {
    return this.calls.filter(({ settled }) => settled === 0);
  }

  /** Of wires, at rest. */
  check(): void {
    const { world, manager } = this;
    const { budget } = world.shared;
    const pools = [...this.pools].map((pool) => pool.inner);
    const { pools: _pools, ...stats } = manager.stats();
    for (const [name, value] of Object.entries(stats)) assert.ok(value >= 0, `${name} is ${value}`);
    // Texts are made only where one is told: they cost more than all the rest.
    const tell = (what: string): never => assert.fail(`${what}: ${pools.join(" | ")}`);
    if (budget.open > budget.limit) tell(`${budget.open} are over maxConnections`);
    const sizes = pools.reduce((total, { size }) => total + size, 0);
    if (sizes !== budget.open) tell(`sizes are ${sizes}, the budget counts ${budget.open}`);
    for (const { busy, queued, idle, size } of pools) {
      if (busy < 0 || queued < 0 || idle < 0) tell("negative");
      if (busy + idle > size) tell("more in use than there is");
      if (this.block && size > this.maxsize) tell("over maxsize");
    }
    for (const { settled, target } of this.calls) assert.ok(settled <= 1, `${target} settled twice`);
    assert.deepEqual(this.wrong, []);
    assert.deepEqual(world.failures, []);
  }

  /** Nothing is under way: each place of the budget is a wire. */
  checkAtRest(): void {
    this.check();
    assert.equal(this.world.shared.budget.open, this.world.open.length, "places and wires");
  }

  /** From now on the world is kind: whatever nobody has ended, ends by itself. */
  async drain(): Promise<void> {
    this.kind = true;
    for (const { source } of this.calls) source?.push(null);
    for (const asked of this.asked) this.answer(asked);
    const read = (call: Call): void => {
      const { response } = call;
      if (response === null) return;
      if (response.isClosed || this.random.chance()) response.releaseConn();
      else
        call.reading ??= response
          .drainConn()
          .catch(() => {})
          .then(() => response.releaseConn());
    };
    const all = this.calls.map((call) => call.ended.then(() => read(call)));
    await this.world.run(Promise.all(all));
    for (const call of this.calls) call.response?.releaseConn();
    await this.world.run(Promise.all(this.calls.map(({ reading }) => reading)));
    await this.world.clock.elapse(100);
    this.check();
    for (const { inner } of this.pools) {
      assert.deepEqual([inner.busy, inner.queued], [0, 0], `not all given back: ${inner}`);
    }
  }

  /** Everything is gone. */
  async end(): Promise<void> {
    const how = this.random.pick(["drain", "drain", "destroy", "close"]);
    this.steps.push(how);
    if (how === "drain") await this.drain();
    const { manager, world } = this;
    const closed = how === "close" ? manager.close({ timeout: 50 }) : manager.destroy();
    await world.run(closed);
    const state = [...this.pools].map(({ inner }) => String(inner)).join(" | ");
    assert.equal(manager.stats().openConnections, 0, `openConnections after the end: ${state}`);
    for (const call of this.calls) {
      assert.equal(call.settled, 1, `${call.target} has not ended`);
      this.#checkOutcome(call);
    }
    await world.rest();
    manager.clear();
    world.shared.sweep();
    assert.deepEqual(world.leftovers(), []);
  }

  #checkOutcome({ error, controller, source, target }: Call): void {
    const own = error === null || error instanceof HTTPError;
    assert.ok(own || error === controller.signal.reason, `${target} failed with ${error}`);
    if (source !== null) assert.ok(source.destroyed, `${target} has left its source open`);
  }
}

function pickFrom<T>(random: Random, items: readonly T[], act: (item: T) => void): void {
  if (items.length > 0) act(random.pick(items));
}

const OPERATIONS: Readonly<Record<string, (history: History) => void | Promise<void>>> = {
  request: (history) => history.request(),
  "request again": (history) => history.request(),
  "request once more": (history) => history.request(),
  "three requests": (history) => {
    for (let i = 0; i < 3; i++) history.request();
  },
  abort: ({ random, calls }) =>
    pickFrom(random, calls, ({ controller }) => controller.abort(new Error("abort"))),
  answer: (history) => pickFrom(history.random, history.asked, (asked) => history.answer(asked)),
  "answer another": (history) => pickFrom(history.random, history.asked, (asked) => history.answer(asked)),
  "answer twice": (history) =>
    pickFrom(history.random, history.asked, (asked) => {
      history.answer(asked);
      void asked.connection.send(BOGUS);
    }),
  "answer before the request": (history) => {
    // What a new connection brings first may be the answer to its first request.
    const used = history.world.connections.filter(({ requestCount }) => requestCount > 0);
    for (const connection of used) {
      if (!history.asked.some((one) => one.connection === connection)) void connection.send(BOGUS);
    }
    history.request();
  },
  "answer all": (history) => {
    for (const asked of history.asked) history.answer(asked);
  },
  "begin an answer": (history) => pickFrom(history.random, history.asked, (asked) => history.begin(asked)),
  "server close": ({ random, world }) =>
    pickFrom(random, world.connections, (connection) => {
      if (random.chance()) connection.close();
      else connection.reset();
    }),
  "server half-close": ({ random, world }) =>
    pickFrom(random, world.connections, (connection) => connection.halfClose()),
  "server talks": ({ random, world, asked }) =>
    pickFrom(random, world.connections, (connection) => {
      // What comes in the middle of an answer is part of it.
      if (!asked.some((one) => one.connection === connection)) void connection.send("nobody asked\r\n\r\n");
    }),
  feed: ({ random, calls }) =>
    pickFrom(random, calls, ({ source }) => {
      if (source === null || source.destroyed || source.readableEnded) return;
      source.push(random.chance(0.3) ? null : "x".repeat(random.pick([1, 1000, 100_000])));
    }),
  "source fails": ({ random, calls }) =>
    pickFrom(random, calls, ({ source }) => source?.destroy(new Error("source"))),
  read: (history) => pickFrom(history.random, history.readable, (call) => history.read(call)),
  release: ({ random, calls }) => pickFrom(random, calls, ({ response }) => response?.releaseConn()),
  "close a response": ({ random, calls }) => pickFrom(random, calls, ({ response }) => response?.close()),
  "time passes": ({ random, world }) => world.clock.elapse(random.pick([1, 30, 60, 300, 1100])),
  "time passes at once": ({ random, world }) => world.clock.advance(random.pick([1, 60, 300])),
  "the loop is blocked": ({ random, world }) => {
    world.clock.block(random.pick([60, 250, 600]));
    world.clock.advance(1);
  },
  "the machine sleeps": ({ world }) => world.clock.suspend(70_000),
  clear: ({ random, manager }) => {
    if (random.chance(0.3)) manager.clear();
  },
  evict: ({ random, manager }) => {
    for (const host of HOSTS) if (random.chance()) manager.connectionFromHost(host);
  },
};

/** How many times each request was said to have begun and ended. */
function watchRequests(): { check(): void; stop(): void } {
  const open = new Map<number, number>();
  const begin = (message: unknown): void => void open.set((message as { request: number }).request, 0);
  const end = (message: unknown): void => {
    const { request } = message as { request: number };
    open.set(request, (open.get(request) ?? 0) + 1);
  };
  const channels = { "request:start": begin, "request:end": end, "request:error": end };
  for (const [name, listener] of Object.entries(channels)) subscribe(`urlpool:${name}`, listener);
  return {
    check: () => {
      for (const [request, ends] of open) assert.equal(ends, 1, `request ${request} was told to end`);
      open.clear();
    },
    stop: () => {
      for (const [name, listener] of Object.entries(channels)) unsubscribe(`urlpool:${name}`, listener);
    },
  };
}

async function play(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const history = new History(random);
  using _world = history.world;
  try {
    for (let step = 0; step < STEPS; step++) {
      const name = random.pick(Object.keys(OPERATIONS));
      history.steps.push(name);
      await OPERATIONS[name]!(history);
      const turns = random.pick([0, 1, 4]);
      for (let turn = 0; turn < turns; turn++) await settle();
      if (turns === 4) history.checkAtRest();
      else history.check();
    }
    await history.end();
  } catch (error) {
    const what = `seed ${seed}, step ${history.steps.length}: ${(error as Error).message}`;
    throw new Error(`${what}\n${history.steps.join(", ")}`, { cause: error });
  }
}

/** Tests the `part`-th of the `PARTS`: a file has a minute, and the machine may be busy. */
export function testHistories(part: number): void {
  const first = SEED + Math.floor((part * SEEDS) / PARTS);
  const end = SEED + Math.floor(((part + 1) * SEEDS) / PARTS);
  it(`everything in any order, ${end - first} times (from seed ${first})`, async () => {
    const requests = watchRequests();
    try {
      for (let seed = first; seed < end; seed++) {
        await play(seed);
        requests.check();
      }
    } finally {
      requests.stop();
    }
  });
}
