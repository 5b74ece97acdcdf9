/**
 * Mixed bodies over HTTP/2 for a while, in real time, over an nginx that says GOAWAY now and then: what a request needed
 * is free again when it is over, however it ended.
 *
 * `TEST_SOAK_MS=60000 npm test -- http2/soak` runs it for a minute instead of 5 seconds.
 */

import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PoolManager } from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { skipWithout } from "../kit/daemon.ts";
import { BIG, nginxH2, SMALL } from "../kit/h2-servers.ts";
import { withLeakGate } from "../kit/leak-gate.ts";
import { type Random, SEED, seededRandom } from "../kit/seed.ts";

const DURATION = Number(process.env.TEST_SOAK_MS ?? 5000);
const CLIENTS = 20;
const MIB = 1_048_576;

/** What may lie about more than at the first quarter of the time, in bytes. A leak of 100 octets a request is more. */
const TOLERANCE = 2 * MIB;

type Way = (manager: PoolManager, url: string, random: Random) => Promise<void>;

const WAYS: readonly Way[] = [
  async (manager, url) => {
    const { data } = await manager.request("GET", `${url}/small.txt`);
    assert.equal(String(data), SMALL);
  },
  async (manager, url) => {
    const { data } = await manager.request("GET", `${url}/big.bin`);
    assert.ok(data.equals(BIG));
  },
  // Streamed, at times by a reader that is slow.
  async (manager, url, random) => {
    const answer = await manager.request("GET", `${url}/big.bin`, { preloadContent: false });
    let length = 0;
    for await (const part of answer.stream(65_536)) {
      length += part.length;
      if (random.chance(0.1)) await sleep(1);
    }
    assert.equal(length, BIG.length);
  },
  // Streamed, and not to the end.
  async (manager, url, random) => {
    const answer = await manager.request("GET", `${url}/big.bin`, { preloadContent: false });
    await answer.read(random.integer(1, 100_000));
    await answer.close();
  },
  async (manager, url, random) => {
    const size = random.integer(0, MIB);
    // A function: after GOAWAY the body must be made anew.
    const body = random.chance() ? BIG.subarray(0, size) : () => pieces(size / 50_000);
    const { data } = await manager.request("PUT", `${url}/upload`, { body });
    assert.equal(String(data), "taken");
  },
  async (manager, url, random) => {
    const controller = new AbortController();
    const reason = new Error("aborted");
    setTimeout(() => controller.abort(reason), random.integer(0, 3));
    await manager.request("GET", `${url}/big.bin`, { signal: controller.signal }).catch((error) => {
      assert.equal(error, reason);
    });
  },
];

async function* pieces(count: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < count; at++) yield BIG.subarray(0, 10_000);
}

/** Live bytes of heap and buffers. Newer engines free buffers in the background, after the collection that found them. */
async function live(): Promise<number> {
  assert.ok(globalThis.gc, "run with --expose-gc");
  for (let round = 0; round < 4; round++) {
    globalThis.gc();
    await sleep(50);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Makes requests of all kinds until `end`; returns how many. */
async function soak(manager: PoolManager, url: string, end: number, seed: number): Promise<number> {
  let count = 0;
  const client = async (random: Random): Promise<void> => {
    for (; performance.now() < end; count++) await random.pick(WAYS)(manager, url, random);
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(seededRandom(seed + number))));
  return count;
}

it(`mixed bodies over HTTP/2 for ${DURATION / 1000} s, and flat memory`, {
  skip: skipWithout("nginx"),
  timeout: DURATION + 30_000,
}, async (t) => {
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
  await using daemon = await nginxH2({ keepAliveRequests: 300 }).start(tls);
  withLeakGate(t);
  const manager = new PoolManager({ http2: true, caCertData: authority.cert, maxsize: 3 });
  const url = `https://localhost:${daemon.ports[0]}`;
  const start = performance.now();
  await soak(manager, url, start + DURATION / 4, SEED);
  const before = await live();
  const count = await soak(manager, url, start + DURATION, SEED + CLIENTS);
  const growth = (await live()) - before;
  const { pools, waiting } = manager.stats();
  assert.deepEqual([waiting, pools[0]!.busy, pools[0]!.queued], [0, 0, 0]);
  assert.ok(pools[0]!.streams?.every((open) => open === 0));
  await manager.close();
  t.diagnostic(`${count} requests, ${manager.stats().created} connections, ${growth} bytes more`);
  assert.ok(count > DURATION / 20, `${count} requests`);
  assert.ok(growth < TOLERANCE, `${growth} bytes more after ${count} requests`);
});
