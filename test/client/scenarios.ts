/** What a client does in a day, to be run with one thing going wrong in each run: see the torture tests. */

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { type HTTPResponse, type PoolManager, type RequestOptions, Retry } from "../../src/index.ts";
import { answer, ok } from "../kit/answers.ts";
import { script, World } from "../kit/world.ts";

/** What is done, and with whom. */
export interface Scenario {
  readonly name: string;
  hosts(world: World): void;
  /** What each request of it comes to; all bodies are read. */
  run(manager: PoolManager, options: RequestOptions): Promise<unknown>[];
}

/** The host that every scenario begins with. */
export const A = "http://a.test/";

const text = async (response: HTTPResponse): Promise<string> => response.text();

/** Whatever fails in them, or whoever gives up. */
export const scenarios: readonly Scenario[] = [
  {
    name: "GET",
    hosts: (world) => world.http("a.test", () => "hello"),
    run: (manager, options) => [manager.request("GET", A, options)],
  },
  {
    name: "two GETs over one connection",
    hosts: (world) => world.http("a.test", () => "hello"),
    run: (manager, options) => [
      manager.request("GET", A, options).then(() => manager.request("GET", A, options)),
    ],
  },
  {
    name: "GET and POST over one connection",
    hosts: (world) => world.http("a.test"),
    run: (manager, options) => [
      manager
        .request("GET", A, options)
        .then(() => manager.request("POST", A, { ...options, body: "payload" })),
    ],
  },
  {
    name: "POST of a stream, chunked, twice",
    hosts: (world) => world.http("a.test"),
    run: (manager, options) => {
      const body = async function* (): AsyncGenerator<string> {
        yield "one";
        yield "two";
      };
      const post = (): Promise<unknown> => manager.request("POST", A, { ...options, body });
      return [post().then(post)];
    },
  },
  {
    name: "informational answers, chunks and trailers",
    hosts: (world) =>
      world.http("a.test", () => ({
        before: "HTTP/1.1 103 Early\r\n\r\n",
        body: "hello world",
        chunked: 4,
        trailers: [["X-Sum", "1"]],
      })),
    run: (manager, options) => [manager.request("GET", A, options)],
  },
  {
    name: "a compressed body",
    hosts: (world) => {
      const body = gzipSync("hello".repeat(100));
      world.http("a.test", () => ({ body, headers: { "Content-Encoding": "gzip" }, chunked: 20 }));
    },
    run: (manager, options) => [manager.request("GET", A, options)],
  },
  {
    name: "a streamed body",
    hosts: (world) => world.http("a.test", () => "hello ".repeat(20)),
    run: (manager, options) => [manager.request("GET", A, { ...options, preloadContent: false }).then(text)],
  },
  {
    name: "a redirect to another host",
    hosts: (world) =>
      world
        .http("a.test", () => ({ status: 302, headers: { Location: "http://b.test/" }, body: "moved" }))
        .http("b.test", () => "hello"),
    run: (manager, options) => [manager.request("GET", A, options)],
  },
  {
    name: "retries with a back-off",
    hosts: (world) => {
      world.host(
        "a.test",
        "ECONNREFUSED",
        (connection) => connection.close(),
        "ECONNREFUSED",
        world.serve(() => "x"),
      );
    },
    run: (manager, options) => [manager.request("GET", A, options)],
  },
  {
    name: "a retry for a status, after Retry-After",
    hosts: (world) => {
      const busy = answer(503, "", "Retry-After: 2");
      world.host(
        "a.test",
        script(busy, ok("x"), ok("y")),
        world.serve(() => "z"),
      );
    },
    run: (manager, options) => [manager.request("GET", A, options)],
  },
  {
    name: "four requests over two connections",
    hosts: (world) => world.http("a.test", ({ target }) => target),
    run: (manager, options) => [1, 2, 3, 4].map((n) => manager.request("GET", `${A}${n}`, options)),
  },
  {
    name: "silent resend",
    hosts: (world) => {
      world.host(
        "a.test",
        script(ok("x"), (connection) => connection.reset()),
        world.serve(() => "y"),
      );
    },
    run: (manager, options) => [
      manager.request("GET", A, options).then(() => manager.request("GET", A, options)),
    ],
  },
  {
    name: "PUT that waits for 100",
    hosts: (world) => world.http("a.test"),
    run: (manager, options) => {
      const headers = { Expect: "100-continue" };
      return [manager.request("PUT", A, { ...options, headers, body: "payload" })];
    },
  },
  {
    name: "a streamed body, drained",
    hosts: (world) => world.http("a.test", () => ({ body: "hello ".repeat(20), chunked: 30 })),
    run: (manager, options) => [
      manager
        .request("GET", A, { ...options, preloadContent: false })
        .then((response) => response.drainConn()),
    ],
  },
  {
    name: "a compressed body, streamed",
    hosts: (world) => {
      const body = gzipSync("hello".repeat(100));
      world.http("a.test", () => ({ body, headers: { "Content-Encoding": "gzip" } }));
    },
    run: (manager, options) => [manager.request("GET", A, { ...options, preloadContent: false }).then(text)],
  },
  {
    name: "a host whose first address refuses",
    hosts: (world) => {
      world.name("a.test", "10.1.0.1", "10.1.0.2");
      world.host("10.1.0.1", "ECONNREFUSED").http("10.1.0.2", () => "hello");
    },
    run: (manager, options) => [manager.request("GET", A, options)],
  },
];

/** Enough of them for any single failure. */
export const RETRIES: Retry = new Retry({ total: 4, backoffFactor: 100 });

/**
 * The scenario's requests, and after them one more that has to work; then everything is gone. What `prepare` gives is
 * called when the requests have ended.
 */
export async function play(
  scenario: Scenario,
  options: RequestOptions,
  prepare: (world: World) => () => void,
): Promise<PromiseSettledResult<unknown>[]> {
  using world = new World({ chunkSize: 25 });
  scenario.hosts(world);
  const ended = prepare(world);
  const manager = world.manager({ maxsize: 2 });
  let settled = 0;
  const count = (): void => {
    settled++;
  };
  const all = scenario.run(manager, options);
  for (const one of all) one.then(count, count);
  const outcomes = await world.run(Promise.allSettled(all));
  assert.equal(settled, all.length);
  ended();
  world.fails = () => false;
  world.step = (_name, run) => run();
  await world.rest();
  const pool = manager.connectionFromHost("a.test");
  assert.deepEqual([pool.numBusy, pool.numQueued], [0, 0]);
  assert.equal((await world.run(manager.request("GET", A, { retries: RETRIES }))).status, 200);
  manager.clear();
  await world.rest();
  assert.deepEqual(world.leftovers(), []);
  return outcomes;
}
