/** HTTP/2 with real servers that are restarted: most of them say GOAWAY, nghttpd and Hypercorn just end. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PoolManager } from "../../src/index.ts";
import { skipWithout } from "../kit/daemon.ts";
import { H2_SERVERS, type RunningH2Server, SMALL, startAll } from "../kit/h2-servers.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

describe("a restart while requests come and go loses none of them", () => {
  let running: ReadonlyMap<string, RunningH2Server>;

  before(async () => {
    running = await startAll(H2_SERVERS.filter(({ commands }) => skipWithout(...commands) === false));
  });

  after(async () => {
    await Promise.all(Array.from(running.values(), ({ daemon }) => daemon.stop()));
  });

  for (const server of H2_SERVERS) {
    it(server.name, { skip: skipWithout(...server.commands) }, async () => {
      const { url, options, daemon } = running.get(server.name)!;
      // Between its two lives nobody listens.
      const retries = { total: 1000, backoffFactor: 0.02, backoffMax: 0.1 };
      await using manager = new PoolManager({ ...options, retries });
      let restarting = true;
      let answers = 0;
      const worker = async (): Promise<void> => {
        while (restarting) {
          const { data } = await manager.request("GET", `${url}/small.txt`);
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
  }
});
