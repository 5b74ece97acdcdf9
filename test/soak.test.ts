/**
 * Twenty clients against two servers that close, reset, stall and answer garbage at random, in real time on real
 * sockets. However a request ends, it ends once, and an answer is always the one to its own request.
 *
 * `TEST_SOAK_MS=30000 npm test -- soak` runs it for 30 seconds instead of 8; `TEST_SEED=n` chooses other faults.
 */

import assert from "node:assert/strict";
import { it } from "node:test";
import {
  HTTPError,
  type HTTPResponse,
  PoolManager,
  type RequestOptions,
  Retry,
  Timeout,
} from "../src/index.ts";
import { answer, ok } from "./kit/answers.ts";
import { withLeakGate } from "./kit/leak-gate.ts";
import { type Origin, startOrigin } from "./kit/origin.ts";
import type { OriginConnection } from "./kit/origin-connection.ts";
import { type Random, SEED, seededRandom } from "./kit/seed.ts";

const DURATION = Number(process.env.TEST_SOAK_MS ?? 8000);
const CLIENTS = 20;
/** No request may take longer, whatever happens to it. */
const LONGEST = 5000;

/** What a server does with a request it has read; false ends the connection's service. */
type Fault = (connection: OriginConnection, body: string, random: Random) => Promise<boolean> | boolean;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function chunked(body: string): string {
  return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
}

async function sent(connection: OriginConnection, ...parts: string[]): Promise<true> {
  for (const part of parts) await connection.send(part);
  return true;
}

/** Requests that were under way when their connection got what nobody had asked for: they can but take it for their answer. */
const crossed = new Set<string>();
/** Requests that took it for their answer. */
const deceived: string[] = [];
/** Connections that got it long enough ago for the client to have seen it. */
const tainted = new WeakSet<OriginConnection>();
/** Requests that came over such a connection all the same. */
const violations: string[] = [];

/** Sends what nobody has asked for; whether the connection is still of use. */
async function unasked(connection: OriginConnection, text: string): Promise<boolean> {
  await connection.send(text);
  // Client and server share a process: what one has written the other reads within a turn or two.
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  const crossing = /^\w+ \/(\d+) /.exec(connection.unread)?.[1];
  if (crossing === undefined) tainted.add(connection);
  else {
    crossed.add(crossing);
    // Its true answer would be taken for that of the next request.
    connection.close();
  }
  return crossing === undefined;
}

const good: readonly Fault[] = [
  (connection, body) => sent(connection, ok(body)),
  (connection, body) => sent(connection, chunked(body)),
  (connection, body) => sent(connection, "HTTP/1.1 103 Early\r\n\r\n", ok(body)),
  async (connection, body, random) => {
    const text = ok(body);
    const cut = random.integer(1, text.length - 1);
    await connection.send(text.slice(0, cut));
    await pause(random.integer(1, 5));
    return sent(connection, text.slice(cut));
  },
];

const bad: readonly Fault[] = [
  // Before the answer.
  (connection) => {
    connection.close();
    return false;
  },
  (connection) => {
    connection.reset();
    return false;
  },
  () => new Promise<false>(() => {}),
  (connection) => sent(connection, "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"),
  // In the answer.
  async (connection, body, random) => {
    const text = random.chance() ? ok(body) : chunked(body);
    await connection.send(text.slice(0, random.integer(1, text.length - 1)));
    if (random.chance()) connection.reset();
    else connection.close();
    return false;
  },
  async (connection, body, random) => {
    const text = ok(body);
    await connection.send(text.slice(0, random.integer(1, text.length - 1)));
    return new Promise<false>(() => {});
  },
  (connection, _body, random) =>
    sent(
      connection,
      String.fromCharCode(...Array.from({ length: 40 }, () => random.integer(0, 255))),
      "\r\n\r\n",
    ),
  (connection, body) => sent(connection, `HTTP/1.1 200 OK\r\nContent-Length: 4x\r\n\r\n${body}`),
  (connection, body) =>
    sent(connection, `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n${body}`),
  // After it: what must never be taken for the next answer.
  (connection, body) => sent(connection, ok(body) + ok("evil, glued")),
  async (connection, body) => {
    await connection.send(ok(body));
    await connection.send(ok("evil, behind"));
    return true;
  },
  async (connection, body, random) => {
    await connection.send(ok(body));
    await pause(random.integer(0, 3));
    return connection.unread !== "" || unasked(connection, ok("evil, late"));
  },
  async (connection, body, random) => {
    await connection.send(ok(body));
    await pause(random.integer(0, 3));
    const late = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 4\r\n\r\nevil";
    if (connection.unread !== "") return true;
    if (!(await unasked(connection, late))) return false;
    connection.halfClose();
    return true;
  },
  async (connection, body) => {
    await connection.send(ok(body));
    connection.reset();
    return false;
  },
  async (connection, body) => {
    await connection.send(ok(body));
    connection.halfClose();
    return false;
  },
  async (connection, body) => {
    await connection.send(answer(200, body, "Connection: close"));
    connection.halfClose();
    return false;
  },
];

/** How often each request has come, by its id. */
const deliveries = new Map<string, number>();

async function serve(connection: OriginConnection): Promise<void> {
  for (let more = true; more; ) {
    const head = await connection.readHead();
    const id = /^\w+ \/(\d+) /.exec(head)![1]!;
    if (tainted.has(connection)) violations.push(id);
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    const body = String(await connection.readBody(length));
    const times = (deliveries.get(id) ?? 0) + 1;
    deliveries.set(id, times);
    const random = seededRandom(SEED + Number(id) * 1009 + times);
    const fault = random.chance(0.6) ? random.pick(good) : random.pick(bad);
    more = await fault(connection, `answer to ${id}, ${body}`, random);
  }
}

interface Tally {
  /** No request begins after this. */
  end: number;
  requests: number;
  answers: number;
  errors: Map<string, number>;
}

/** One request after another until the time is over. */
async function client(manager: PoolManager, origins: Origin[], number: number, tally: Tally): Promise<void> {
  const random = seededRandom(SEED + number);
  for (let count = 0; performance.now() < tally.end; count++) {
    const id = number * 1_000_000 + count;
    // Half a second of rush, in which requests wait for connections, and half a second in which those are idle.
    if (performance.now() % 1000 > 500) await pause(random.integer(5, 50));
    await oneRequest(manager, `${random.pick(origins).url}/${id}`, String(id), random, tally).catch(
      (error) => {
        tally.end = 0;
        throw error;
      },
    );
  }
}

async function oneRequest(
  manager: PoolManager,
  url: string,
  id: string,
  random: Random,
  tally: Tally,
): Promise<void> {
  const method = random.pick(["GET", "PUT", "POST"]);
  const body = method === "GET" ? "" : `body of ${id}`;
  const controller = random.chance(0.1) ? new AbortController() : null;
  const reason = new Error("aborted");
  const options: RequestOptions = {
    retries: random.pick([false, 0, 1, new Retry({ total: 3, backoffFactor: 1 })]),
    timeout: new Timeout({ connect: 1000, read: random.integer(100, 250) }),
    preloadContent: random.chance(0.7),
    ...(body === "" ? {} : { body }),
    ...(random.chance(0.1) ? { deadline: random.integer(1, 100) } : {}),
    ...(controller === null ? {} : { signal: controller.signal }),
  };
  if (controller !== null) setTimeout(() => controller.abort(reason), random.integer(0, 20));
  tally.requests++;
  const began = performance.now();
  try {
    const response = await manager.request(method, url, options);
    const text = random.chance(0.95) ? await response.text() : dropped(response);
    tally.answers++;
    if (text === "evil, late" || response.status === 408) deceived.push(id);
    else if (response.status === 200 && text !== null) assert.equal(text, `answer to ${id}, ${body}`);
    else assert.ok(text === null || response.status === 503, `status ${response.status}`);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    assert.ok(error instanceof HTTPError || error === reason, String((error as Error).stack));
    const { name } = error as Error;
    tally.errors.set(name, (tally.errors.get(name) ?? 0) + 1);
  }
  assert.ok(performance.now() - began < LONGEST, `${method} ${url} took too long`);
  if (method === "POST") assert.ok((deliveries.get(id) ?? 0) <= 1, `POST ${url} was sent twice`);
  deliveries.delete(id);
}

/** Somebody loses interest. */
function dropped(response: HTTPResponse): null {
  response.close();
  return null;
}

it(`${CLIENTS} clients, hostile servers, ${DURATION / 1000} s`, { timeout: DURATION + 20_000 }, async (t) => {
  withLeakGate(t);
  const origins = [await startOrigin(serve), await startOrigin(serve)];
  const manager = new PoolManager({ maxsize: 7, maxConnections: 12, keepAliveTimeout: 200 });
  const tally: Tally = { end: performance.now() + DURATION, requests: 0, answers: 0, errors: new Map() };
  const clients = Array.from({ length: CLIENTS }, (_, n) => client(manager, origins, n + 1, tally));
  const settled = await Promise.allSettled(clients);
  // A body that nobody read may take 50 ms to come.
  const held = (): number => manager.stats().pools.reduce((sum, { busy, queued }) => sum + busy + queued, 0);
  for (let turn = 0; turn < 50 && held() > 0; turn++) await pause(10);
  const { openConnections } = manager.stats();
  const stillHeld = held();
  await manager.close();
  for (const origin of origins) await origin.close();
  for (const one of settled) if (one.status === "rejected") throw one.reason;
  assert.equal(manager.stats().openConnections, 0);
  assert.equal(stillHeld, 0);
  assert.deepEqual(violations, []);
  assert.deepEqual(
    deceived.filter((id) => !crossed.has(id)),
    [],
  );
  assert.ok(openConnections <= 12, `${openConnections} connections`);
  const errors = [...tally.errors].map(([name, count]) => `${count} ${name}`).join(", ");
  t.diagnostic(`${tally.requests} requests, ${tally.answers} answers, ${errors}`);
  assert.ok(tally.answers > DURATION / 50 && tally.errors.size >= 4);
});
