/**
 * The torture of real sockets, where every run is a little different: TLS, broken off or given up at every piece that
 * passes between client and server, and given up at every turn of the event loop; and a download into a file.
 */

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import {
  type HTTPError,
  PoolManager,
  type PoolManagerOptions,
  ProtocolError,
  type RequestOptions,
  SSLError,
} from "../../src/index.ts";
import { TemporaryFolder } from "../dial/tls/temporary-folder.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { type HttpOrigin, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { type Passage, type Relay, startRelay } from "../kit/relay.ts";

leakGate();

const authority = await makeAuthority();
const identity = await authority.issue({ ips: ["127.0.0.1"] });
const BODY = "hello ".repeat(2000);

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A server over TLS behind a relay, and a client of it. */
class SecureWorld {
  readonly relay: Relay;
  readonly manager: PoolManager;
  readonly url: string;
  readonly #origin: HttpOrigin;

  private constructor(origin: HttpOrigin, relay: Relay, options: PoolManagerOptions) {
    this.#origin = origin;
    this.relay = relay;
    this.url = `https://127.0.0.1:${relay.port}/`;
    this.manager = new PoolManager({ caCertData: authority.cert, ...options });
  }

  static async start(version: "TLSv1.2" | "TLSv1.3", options: PoolManagerOptions = {}): Promise<SecureWorld> {
    const tls = { ...identity, maxVersion: version };
    const origin = await startHttp(({ body }) => (body.length > 0 ? body : BODY), { tls });
    return new SecureWorld(origin, await startRelay(origin.port), options);
  }

  /** A GET, and a PUT over the same connection. */
  async two(options: RequestOptions = {}): Promise<void> {
    assert.equal(await (await this.manager.request("GET", this.url, options)).text(), BODY);
    const put = { ...options, body: "payload" };
    assert.equal(await (await this.manager.request("PUT", this.url, put)).text(), "payload");
  }

  /** Nothing is held, and the client still works. */
  async works(): Promise<void> {
    this.relay.onPiece = () => "pass";
    const held = (): number =>
      this.manager.stats().pools.reduce((sum, { busy, queued }) => sum + busy + queued, 0);
    for (let count = 0; held() > 0 && count < 1000; count++) await turn();
    assert.equal(held(), 0);
    await this.two();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.manager.close();
    // An upload may be written out a moment after its answer has come.
    for (let count = 0; this.manager.stats().openConnections > 0 && count < 1000; count++) await turn();
    assert.equal(this.manager.stats().openConnections, 0);
    await this.relay[Symbol.asyncDispose]();
    await this.#origin.close();
  }
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  describe(`${version}, broken off at every piece`, () => {
    for (const how of ["reset", "close"] satisfies Passage[]) {
      it(`${how}, without retries: the error says where`, async () => {
        const names = new Set<string>();
        for (let k = 1, reached = true; reached; k++) {
          await using world = await SecureWorld.start(version, { retries: false });
          reached = false;
          world.relay.onPiece = (number) => {
            if (number !== k) return "pass";
            reached = true;
            return how;
          };
          const error = (await world.two().catch((thrown: unknown) => thrown)) as HTTPError | undefined;
          if (error !== undefined) {
            assert.ok(
              error instanceof SSLError || error instanceof ProtocolError,
              `piece ${k}: ${error.stack}`,
            );
            assert.ok(
              error.phase && error.method && error.attempt && error.route,
              `piece ${k}: ${error.phase}`,
            );
            assert.equal(error instanceof SSLError, error.phase === "tls", `piece ${k}: ${error.stack}`);
            names.add(`${error.name} ${error.phase}`);
          }
          await world.works();
        }
        assert.deepEqual([...names].sort().slice(-1), ["SSLError tls"]);
        assert.ok(names.has("ProtocolError head"), [...names].join());
      });

      it(`${how}, with retries: never an error`, async () => {
        for (let k = 1, reached = true; reached; k++) {
          await using world = await SecureWorld.start(version, { retries: 2 });
          reached = false;
          world.relay.onPiece = (number) => {
            if (number !== k) return "pass";
            reached = true;
            return how;
          };
          await world.two();
          await world.works();
        }
      });
    }
  });
}

/** Rejected with the reason or done, and nobody listens any more. */
async function settled(request: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  const error = await request.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error !== null) assert.equal(error, signal.reason);
  assert.equal(getEventListeners(signal, "abort").length, 0);
  return error !== null;
}

describe("fault 49: TLS, given up", () => {
  it("at every piece", async () => {
    let aborted = 0;
    for (let k = 1, reached = true; reached; k++) {
      await using world = await SecureWorld.start("TLSv1.3");
      const controller = new AbortController();
      reached = false;
      world.relay.onPiece = (number) => {
        if (number === k) {
          reached = true;
          controller.abort(new Error(`piece ${k}`));
        }
        return "pass";
      };
      const { signal } = controller;
      if (await settled(world.two({ signal }), signal)) aborted++;
      await world.works();
    }
    assert.ok(aborted >= 4, String(aborted));
  });

  it("at every turn of the event loop", async () => {
    await using world = await SecureWorld.start("TLSv1.3", { keepAliveTimeout: 0 });
    let aborted = 0;
    for (let turns = 0, done = false; !done; turns++) {
      const controller = new AbortController();
      const { signal } = controller;
      const outcome = settled(world.two({ signal }), signal).then((stopped) => {
        done = !stopped;
        if (stopped) aborted++;
      });
      for (let count = 0; count < turns && !done; count++) await turn();
      controller.abort(new Error(`turn ${turns}`));
      await outcome;
    }
    assert.ok(aborted >= 4, String(aborted));
    await world.works();
  });
});

describe("fault 49: a download, given up at every turn of the event loop", () => {
  it("the file is whole or not there, and the next one can be had", async () => {
    using folder = new TemporaryFolder();
    await using origin = await startHttp(() => ({ body: BODY, headers: { ETag: '"1"' } }));
    await using manager = new PoolManager();
    let aborted = 0;
    for (let turns = 0, done = false; !done; turns++) {
      const path = folder.path(`file ${turns}`);
      const controller = new AbortController();
      const { signal } = controller;
      const outcome = settled(manager.downloadTo(`${origin.url}/`, path, { signal }), signal);
      for (let count = 0; count < turns; count++) await turn();
      controller.abort(new Error(`turn ${turns}`));
      const stopped = await outcome;
      if (stopped) aborted++;
      done = !stopped;
      const files = (await readdir(folder.root)).filter((name) => name.startsWith(`file ${turns}`));
      assert.equal(files.includes(`file ${turns}`), !stopped, files.join());
      await manager.downloadTo(`${origin.url}/`, path);
      assert.equal(await readFile(path, "latin1"), BODY);
      assert.equal(
        manager.stats().pools.reduce((sum, { busy, queued }) => sum + busy + queued, 0),
        0,
      );
    }
    assert.ok(aborted >= 4, String(aborted));
  });
});
