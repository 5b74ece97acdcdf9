/** HTTP/2 with real servers that restart, and that let few streams open. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PoolManager, type PoolManagerOptions } from "../../src/index.ts";
import { type Daemon, skipWithout } from "../kit/daemon.ts";
import { H2_SERVERS, identity, SMALL } from "../kit/h2-servers.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

for (const server of H2_SERVERS) {
  describe(`HTTP/2 with ${server.name}`, { skip: skipWithout(...server.commands) }, () => {
    let daemon: Daemon;
    let options: PoolManagerOptions;
    let url: string;

    before(async () => {
      const { options: its, ...tls } = await identity();
      options = its;
      daemon = await server.start(tls, server.limits ? { streams: 8 } : {});
      url = `https://localhost:${daemon.ports[0]}/small.txt`;
    });

    after(() => daemon?.stop());

    it("of 8 streams gets no more than 8 at once, on no more than `maxsize` connections", {
      skip: server.limits ? false : "its limit cannot be set",
    }, async () => {
      await using manager = new PoolManager({ ...options, maxsize: 2 });
      await manager.request("GET", url);
      const seen: number[] = [];
      const one = async (): Promise<void> => {
        const { data } = await manager.request("GET", url);
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

    it("that is restarted while requests come and go loses none of them", async () => {
      // Between its two lives nobody listens.
      const retries = { total: 1000, backoffFactor: 0.02, backoffMax: 0.1 };
      await using manager = new PoolManager({ ...options, retries });
      let restarting = true;
      let answers = 0;
      const worker = async (): Promise<void> => {
        while (restarting) {
          const { data } = await manager.request("GET", url);
          assert.equal(String(data), SMALL);
          answers++;
        }
      };
      const answered = async (more: number): Promise<void> => {
        for (const wanted = answers + more; answers < wanted; ) await sleep(5);
      };
      const restart = async (): Promise<void> => {
        await answered(50);
        await daemon.restart(server.ending);
        await answered(50);
      };
      const workers = Array.from({ length: 10 }, worker);
      const restarted = restart().finally(() => {
        restarting = false;
      });
      await Promise.all([...workers, restarted]);
      assert.ok(manager.stats().created >= 2, `${manager.stats().created} connections`);
    });
  });
}
