/** HTTP/2 with real servers: what every user does with every one of them. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { PoolManager, type PoolManagerOptions } from "../../src/index.ts";
import { type Daemon, skipWithout } from "../kit/daemon.ts";
import { BIG, H2_SERVERS, identity, pieces, SMALL } from "../kit/h2-servers.ts";
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
      daemon = await server.start(tls);
      url = `https://localhost:${daemon.ports[0]}`;
    });

    after(() => daemon?.stop());

    it("GET, HEAD, 404, and a body of 1 MiB, collected and streamed", async () => {
      await using manager = new PoolManager(options);
      const small = await manager.request("GET", `${url}/small.txt`);
      assert.equal(small.version, 20);
      assert.equal(small.reason, "");
      assert.equal(String(small.data), SMALL);
      assert.equal(small.trailers?.get("x-trailer") ?? null, server.name === "nghttpd" ? "yes" : null);
      const head = await manager.request("HEAD", `${url}/small.txt`);
      assert.deepEqual([head.status, head.data.length], [200, 0]);
      assert.ok((await manager.request("GET", `${url}/nothing`)).status >= 200);
      const big = await manager.request("GET", `${url}/big.bin`);
      assert.ok(big.data.equals(BIG));
      const streamed = await manager.request("GET", `${url}/big.bin`, { preloadContent: false });
      const parts: Buffer[] = [];
      for await (const part of streamed.stream(65_536)) parts.push(Buffer.from(part));
      assert.ok(Buffer.concat(parts).equals(BIG));
      assert.equal(manager.stats().created, 1);
    });

    it("an upload of 1 MiB, from memory and from a source", async () => {
      await using manager = new PoolManager(options);
      const { path, statuses, echoes } = server.upload;
      for (const [at, body] of [BIG, pieces()].entries()) {
        const answer = await manager.request("POST", url + path, { body });
        assert.equal(answer.status, statuses[at]);
        if (echoes) assert.ok(answer.data.equals(BIG));
      }
      const after = await manager.request("GET", `${url}/small.txt`);
      assert.equal(String(after.data), SMALL);
    });

    it("a hundred at once, and none of them gets another's answer", async () => {
      await using manager = new PoolManager({ ...options, maxsize: 4 });
      const paths = Array.from({ length: 100 }, (_unused, at) => (at % 10 === 0 ? "/big.bin" : "/small.txt"));
      const answers = await Promise.all(paths.map((path) => manager.request("GET", url + path)));
      for (const [at, { data }] of answers.entries()) {
        assert.equal(data.length, paths[at] === "/big.bin" ? BIG.length : SMALL.length);
      }
      assert.ok(manager.stats().created <= 4);
    });

    it("aborts in the middle of bodies leave the connection as good as before", async () => {
      await using manager = new PoolManager(options);
      await manager.request("GET", `${url}/small.txt`);
      for (let count = 0; count < 30; count++) {
        const answer = await manager.request("GET", `${url}/big.bin`, { preloadContent: false });
        await answer.close();
      }
      const last = await manager.request("GET", `${url}/big.bin`);
      assert.ok(last.data.equals(BIG));
    });
  });
}
