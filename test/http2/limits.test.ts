/** HTTP/2 with real servers that let few streams open at once. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { PoolManager } from "../../src/index.ts";
import { skipWithout } from "../kit/daemon.ts";
import { H2_SERVERS, type H2Server, type RunningH2Server, SMALL, startAll } from "../kit/h2-servers.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

function reasonToSkip({ commands, limits }: H2Server): string | false {
  return limits ? skipWithout(...commands) : "its limit cannot be set";
}

describe("of 8 streams no more than 8 are open at once, on no more than `maxsize` connections", () => {
  let running: ReadonlyMap<string, RunningH2Server>;

  before(async () => {
    running = await startAll(
      H2_SERVERS.filter((server) => reasonToSkip(server) === false),
      { streams: 8 },
    );
  });

  after(async () => {
    await Promise.all(Array.from(running.values(), ({ daemon }) => daemon.stop()));
  });

  for (const server of H2_SERVERS) {
    it(server.name, { skip: reasonToSkip(server) }, async () => {
      const { url, options } = running.get(server.name)!;
      await using manager = new PoolManager({ ...options, maxsize: 2 });
      await manager.request("GET", `${url}/small.txt`);
      const seen: number[] = [];
      const one = async (): Promise<void> => {
        const { data } = await manager.request("GET", `${url}/small.txt`);
        assert.equal(String(data), SMALL);
        const { streams = [], busy } = manager.stats().pools[0]!;
        assert.equal(
          streams.reduce((sum, open) => sum + open, 0),
          busy,
        );
        seen.push(...streams);
      };
      await Promise.all(Array.from({ length: 200 }, one));
      assert.equal(Math.max(...seen), 8);
      assert.ok(manager.stats().created <= 2);
      assert.deepEqual(new Set(manager.stats().pools[0]!.streams), new Set([0]));
    });
  }
});
