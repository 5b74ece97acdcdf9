/**
 * Zero lost: 20,000 requests, 50 at once, over servers that restart, reset and hang up. Every promise settles once, no
 * idempotent request fails but those that were aborted, and no answer reaches another request.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import tls from "node:tls";
import { PoolManager, type PoolManagerOptions, type RequestOptions } from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { skipWithout } from "../kit/daemon.ts";
import * as h2 from "../kit/h2-frames.ts";
import { nginxH2 } from "../kit/h2-servers.ts";
import { serveFrames } from "../kit/h2-service.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { type Random, seededRandom } from "../kit/seed.ts";

leakGate();

const REQUESTS = 20_000;
const AT_ONCE = 50;

async function identity(): Promise<{ cert: string; key: string; options: PoolManagerOptions }> {
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
  return { ...tls, options: { http2: true, caCertData: authority.cert } };
}

/** How requests ended. */
class Tally {
  answered = 0;
  aborted = 0;
  readonly failed: string[] = [];
  readonly #settled = new Set<string>();

  /** One request, which counts as it ends; its answer must be its own path. */
  async request(manager: PoolManager, base: string, path: string, options: RequestOptions): Promise<void> {
    try {
      const { status, data } = await manager.request("GET", base + path, options);
      assert.deepEqual([status, String(data)], [200, path]);
      this.answered++;
    } catch (error) {
      if (options.signal != null && error === options.signal.reason) this.aborted++;
      else this.failed.push(`${path}: ${error}`);
    }
    assert.ok(!this.#settled.has(path), `${path} settled twice`);
    this.#settled.add(path);
  }

  get settled(): number {
    return this.#settled.size;
  }
}

/** Makes `REQUESTS` requests, `AT_ONCE` at once; `optionsOf` says how each is made. */
async function run(manager: PoolManager, base: string, optionsOf: () => RequestOptions): Promise<Tally> {
  const tally = new Tally();
  let begun = 0;
  const worker = async (): Promise<void> => {
    while (begun < REQUESTS) await tally.request(manager, base, `/say/${begun++}`, optionsOf());
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  assert.deepEqual(tally.failed, []);
  assert.equal(tally.settled, REQUESTS);
  assert.equal(tally.answered + tally.aborted, REQUESTS);
  const { pools, waiting } = manager.stats();
  assert.deepEqual([waiting, ...pools.map(({ busy, queued }) => busy + queued)], [0, 0]);
  return tally;
}

/** Options of a request that is aborted in one case of twenty, at once or in a few ms. */
function sometimesAborted(random: Random): RequestOptions {
  if (!random.chance(0.05)) return {};
  const controller = new AbortController();
  const reason = new Error("aborted");
  if (random.chance()) setImmediate(() => controller.abort(reason));
  else setTimeout(() => controller.abort(reason), random.integer(0, 5));
  return { signal: controller.signal };
}

/** A server that resets, refuses and hangs up, each request at most twice: a client that goes on gets its answer. */
class Troublemaker {
  readonly server: tls.Server;
  readonly counts = { refused: 0, reset: 0, cut: 0, closed: 0, destroyed: 0 };
  readonly #sockets = new Set<tls.TLSSocket>();
  readonly #deliveries = new Map<string, number>();
  readonly #random: Random;

  constructor(identity: { cert: string; key: string }, random: Random) {
    this.#random = random;
    this.server = tls.createServer({ ...identity, ALPNProtocols: ["h2"] }, (socket) => {
      this.#sockets.add(socket.on("close", () => this.#sockets.delete(socket)));
      this.#serve(socket);
    });
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
  }

  #serve(socket: tls.TLSSocket): void {
    /** The last stream that is served, once GOAWAY has said so. */
    let last = Number.POSITIVE_INFINITY;
    let open = 0;
    const write = (bytes: Uint8Array): void => {
      if (!socket.destroyed) socket.write(bytes);
    };
    serveFrames(socket, (id, path) => {
      if (id > last) return;
      const troubled = this.#isTroubled(path);
      const kind = troubled ? this.#random.integer(0, 99) : 100;
      if (kind >= 96 && kind < 99) {
        this.counts.closed++;
        last = id;
        write(h2.goAway(id, 0));
      }
      open++;
      // Answers come in another order than requests.
      setTimeout(
        () => {
          open--;
          if (kind >= 96 && kind !== 99) write(whole(id, path));
          else if (kind === 99) this.#destroy(socket);
          else write(this.#trouble(id, path, kind));
          if (last !== Number.POSITIVE_INFINITY && open === 0) socket.end();
        },
        this.#random.integer(0, 2),
      );
    });
  }

  #isTroubled(path: string): boolean {
    const times = (this.#deliveries.get(path) ?? 0) + 1;
    this.#deliveries.set(path, times);
    return times <= 2 && this.#random.chance(0.05);
  }

  #trouble(id: number, path: string, kind: number): Uint8Array {
    if (kind < 35) {
      this.counts.refused++;
      return h2.resetStream(id, 7);
    }
    if (kind < 70) {
      this.counts.reset++;
      return h2.resetStream(id, 2);
    }
    this.counts.cut++;
    return Buffer.concat([head(id, path), h2.data(id, path.slice(0, 3)), h2.resetStream(id, 2)]);
  }

  #destroy(socket: tls.TLSSocket): void {
    this.counts.destroyed++;
    socket.destroy();
  }
}

function head(id: number, path: string): Uint8Array {
  return h2.headers(id, [
    [":status", "200"],
    ["content-length", String(path.length)],
  ]);
}

function whole(id: number, path: string): Uint8Array {
  return Buffer.concat([head(id, path), h2.data(id, path, true)]);
}

describe("20,000 requests, 50 at once", () => {
  it("over a stock nginx, which says GOAWAY after every thousand", {
    skip: skipWithout("nginx"),
  }, async () => {
    const { options, ...its } = await identity();
    await using daemon = await nginxH2().start(its);
    await using manager = new PoolManager({ ...options, retries: false });
    await run(manager, `https://localhost:${daemon.ports[0]}`, () => ({}));
    const { created } = manager.stats();
    assert.ok(created >= 20 && created <= 45, `${created} connections`);
  });

  it("over nginx that is reloaded again and again", { skip: skipWithout("nginx") }, async () => {
    const { options, ...its } = await identity();
    await using daemon = await nginxH2({ keepAliveRequests: 100_000 }).start(its);
    // What a server has seen of a request when its old process ends is up to it: only proof makes a silent resend.
    await using manager = new PoolManager({ ...options, retries: false });
    const master = Number(await daemon.read("nginx.pid"));
    let over = false;
    const reloads = (async (): Promise<void> => {
      while (!over) {
        process.kill(master, "SIGHUP");
        await sleep(200);
      }
    })();
    const made = (): number => manager.stats().created;
    try {
      // A busy machine reloads nginx slowly: again, until that has happened twice.
      for (let i = 0; i < 5 && made() < 3; i++)
        await run(manager, `https://localhost:${daemon.ports[0]}`, () => ({}));
    } finally {
      over = true;
    }
    await reloads;
    assert.ok(made() >= 3, `${made()} connections`);
  });

  it("with aborts, over nginx that says GOAWAY after 500", {
    skip: skipWithout("nginx"),
  }, async () => {
    const { options, ...its } = await identity();
    await using daemon = await nginxH2({ keepAliveRequests: 500 }).start(its);
    await using manager = new PoolManager({ ...options, retries: false });
    const random = seededRandom();
    const tally = await run(manager, `https://localhost:${daemon.ports[0]}`, () => sometimesAborted(random));
    assert.ok(tally.aborted > REQUESTS / 100, `${tally.aborted} aborted`);
  });

  it("with aborts, over a server that refuses, resets and hangs up", async () => {
    const { options, ...its } = await identity();
    const troublemaker = new Troublemaker(its, seededRandom());
    troublemaker.server.listen(0, "127.0.0.1");
    await once(troublemaker.server, "listening");
    try {
      await using manager = new PoolManager({ ...options, maxsize: 4, retries: 20 });
      const { port } = troublemaker.server.address() as AddressInfo;
      const random = seededRandom();
      const tally = await run(manager, `https://localhost:${port}`, () => sometimesAborted(random));
      const { counts } = troublemaker;
      assert.ok(tally.aborted > REQUESTS / 100, `${tally.aborted} aborted`);
      for (const [what, count] of Object.entries(counts)) assert.ok(count > 0, `${count} ${what}`);
    } finally {
      troublemaker.stop();
    }
  });
});
