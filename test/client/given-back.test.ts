/**
 * Whatever phase a request is in and whatever ends it, everything that it held is given back: its place in line, its
 * connection and the place of that in the budget, its timers, the source of its body.
 */

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import {
  DeadlineError,
  type HTTPConnectionPool,
  type HTTPError,
  type HTTPResponse,
  type PoolManager,
  type PoolOptions,
  type RequestOptions,
} from "../../src/index.ts";
import { type Dialled, script, World } from "../kit/world.ts";

const HOST = "a.test";
const EMPTY_ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const HALF_AN_ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345";

/** A request under way. */
interface Scene {
  readonly world: World;
  readonly manager: PoolManager;
  readonly pool: HTTPConnectionPool;
  readonly abort: AbortController;
  readonly source: Readable | null;
  readonly outcome: Promise<unknown>;
}

interface Phase {
  readonly name: string;
  /** What the first connection meets; further ones are served well. */
  readonly first: Dialled;
  readonly pool?: PoolOptions;
  readonly options?: RequestOptions;
  /** What its `DeadlineError` names. */
  readonly tells: HTTPError["phase"];
  /** Its own connection is open. */
  readonly connected: boolean;
  readonly lookup?: "silent";
  /** A connection is being opened. */
  readonly dials?: true;
  /** Another request has the pool's only connection. */
  readonly occupied?: true;
  /** The body has to be sent again after an answer. */
  readonly repeats?: true;
}

const phases: Phase[] = [
  {
    name: "in line",
    tells: "pool",
    first: script(() => {}),
    pool: { maxsize: 1, block: true },
    connected: false,
    occupied: true,
  },
  {
    name: "looking up its host",
    tells: "pool",
    first: script(EMPTY_ANSWER),
    connected: false,
    dials: true,
    lookup: "silent",
  },
  { name: "connecting", tells: "pool", first: "hang", connected: false, dials: true },
  { name: "waiting for the head", tells: "head", first: script(() => {}), connected: true },
  { name: "in the head", tells: "head", first: script("HTTP/1.1 200 OK\r\nContent-"), connected: true },
  { name: "in a collected body", tells: "body", first: script(HALF_AN_ANSWER), connected: true },
  {
    name: "in a streamed body",
    tells: "body",
    first: script(HALF_AN_ANSWER),
    options: { preloadContent: false },
    connected: true,
  },
  {
    name: "in a streamed body that is kept whatever its end",
    tells: "body",
    first: script(HALF_AN_ANSWER),
    options: { preloadContent: false, releaseConn: false },
    connected: true,
  },
  {
    name: "reading an answer that is passed over",
    tells: "body",
    first: script("HTTP/1.1 503 No\r\nRetry-After: 9\r\nContent-Length: 10\r\n\r\n12345"),
    connected: true,
    repeats: true,
  },
  {
    name: "waiting for its repetition",
    tells: undefined,
    first: script("HTTP/1.1 503 No\r\nConnection: close\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n"),
    connected: false,
    repeats: true,
  },
];

interface Ending {
  readonly name: string;
  readonly options?: RequestOptions;
  readonly act?: (scene: Scene) => unknown;
  readonly onlyConnected?: true;
  readonly onlyUploads?: true;
  /** The read timeout does not run while the request's own source is slow. */
  readonly notUploads?: true;
  readonly destroys?: true;
}

const endings: Ending[] = [
  { name: "is aborted", act: ({ abort }) => abort.abort(new Error("enough")) },
  { name: "is aborted twice", act: ({ abort }) => [abort.abort(), abort.abort()] },
  { name: "is over its deadline", options: { deadline: 9500 } },
  { name: "is over its total", options: { timeout: { total: 100 } }, notUploads: true },
  {
    name: "is over its limits of phases",
    options: { timeout: { connect: 100, read: 100 }, poolTimeout: 100 },
    notUploads: true,
  },
  { name: "sees its manager destroyed", act: ({ manager }) => manager.destroy(), destroys: true },
  {
    name: "sees its server close",
    act: ({ world }) => world.connections.at(-1)!.close(),
    onlyConnected: true,
  },
  {
    name: "sees its server reset",
    act: ({ world }) => world.connections.at(-1)!.reset(),
    onlyConnected: true,
  },
  {
    name: "gets bytes that are no HTTP",
    act: ({ world }) => world.connections.at(-1)!.send("\0\0\r\n\r\n\0\r\n\r\n".repeat(3)),
    onlyConnected: true,
  },
  {
    name: "sees its source fail",
    act: ({ source }) => source!.destroy(new Error("disk")),
    onlyUploads: true,
  },
];

function applies(phase: Phase, ending: Ending, uploads: boolean): boolean {
  if (ending.onlyConnected && !phase.connected) return false;
  if (uploads ? ending.notUploads : ending.onlyUploads) return false;
  // A source that is a stream cannot be sent again.
  return !(uploads && phase.repeats);
}

async function readAll(response: HTTPResponse): Promise<void> {
  try {
    await response.read();
  } finally {
    response.releaseConn();
  }
}

async function begin(world: World, phase: Phase, ending: Ending, uploads: boolean): Promise<Scene> {
  const manager = world.manager(phase.pool);
  const pool = manager.connectionFromHost(HOST);
  if (phase.occupied) pool.request("GET", "/occupied", { retries: false }).catch(() => {});
  const abort = new AbortController();
  const source = uploads ? new Readable({ read: () => {} }) : null;
  source?.push("the first part");
  const options: RequestOptions = {
    retries: phase.repeats ? { total: 1, statusForcelist: [503] } : false,
    ...phase.options,
    ...ending.options,
    signal: abort.signal,
    body: source,
  };
  const asked = pool.request(uploads ? "PUT" : "GET", "/", options);
  const outcome = asked.then((response) =>
    options.preloadContent === false ? readAll(response) : undefined,
  );
  await world.rest();
  return { world, manager, pool, abort, source, outcome };
}

/** What is still held, once the request has ended and what it left has had its moment to end too. */
function held({ world, pool, source }: Scene): string[] {
  const { busy, queued, idle, size } = pool.inner;
  const { open } = world.shared.budget;
  return [
    ...(source === null || source.destroyed ? [] : ["its source"]),
    ...(busy === 0 ? [] : [`${busy} connections`]),
    ...(queued === 0 ? [] : [`${queued} places in line`]),
    ...(size === idle ? [] : [`${size} places of the pool, with ${idle} idle`]),
    ...(open === idle ? [] : [`${open} places of the budget, with ${idle} idle`]),
    ...(world.open.length === idle ? [] : [`${world.open.length} wires, with ${idle} idle`]),
  ];
}

async function check(phase: Phase, ending: Ending, uploads: boolean): Promise<void> {
  using world = new World();
  world.host(HOST, phase.first, world.serve());
  if (phase.lookup === "silent") world.silentName(HOST);
  const scene = await begin(world, phase, ending, uploads);
  let settled = 0;
  let failure: unknown = null;
  const ended = scene.outcome
    .catch((error: unknown) => {
      failure = error;
    })
    .finally(() => settled++);
  assert.equal(settled, 0, "it is under way");
  const acted = ending.act?.(scene);
  await world.run(ended);
  await world.run(Promise.resolve(acted));
  if (failure instanceof DeadlineError) assert.equal(failure.phase, phase.tells);
  const { pool } = scene;
  if (phase.occupied && !ending.destroys) {
    assert.deepEqual([pool.inner.busy, pool.inner.queued], [1, 0]);
    world.connections[0]!.close();
  }
  // A dial and a look-up go on for the next request; an upload has its moment to end in time.
  await world.clock.elapse(phase.dials ? 31_000 : 100);
  assert.deepEqual(held(scene), []);
  if (!ending.destroys) await askAgain(scene);
  await world.run(scene.manager.destroy());
  assert.deepEqual(world.leftovers(), []);
}

/** The pool serves as before. */
async function askAgain({ world, pool }: Scene): Promise<void> {
  world.name(HOST, "10.0.0.1");
  const next = await world.run(pool.request("GET", "/next", { poolTimeout: 1, retries: false }));
  assert.deepEqual([next.status, pool.inner.busy, pool.inner.idle], [200, 0, 1]);
}

for (const phase of phases) {
  describe(`a request ${phase.name}`, () => {
    for (const ending of endings) {
      for (const uploads of [false, true]) {
        if (!applies(phase, ending, uploads)) continue;
        const what = uploads ? "with a body that has not ended " : "";
        it(`${what}${ending.name}, and has given everything back`, () => check(phase, ending, uploads));
      }
    }
  });
}
