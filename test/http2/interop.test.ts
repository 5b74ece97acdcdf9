/** HTTP/2 with real servers: what every user does with every one of them. */

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PoolManager, type PoolManagerOptions } from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { type Daemon, skipWithout } from "../kit/daemon.ts";
import { BIG, H2_SERVERS, h2Server, nginxH2, SMALL } from "../kit/h2-servers.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startMicrosocks, startTinyproxy } from "../kit/proxies.ts";
import { seededRandom } from "../kit/seed.ts";
import { startSquid } from "../kit/squid.ts";

leakGate();

async function identity(): Promise<{ cert: string; key: string; options: PoolManagerOptions }> {
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
  return { ...tls, options: { http2: true, caCertData: authority.cert, retries: false } };
}

for (const server of H2_SERVERS) {
  describe(`HTTP/2 with ${server.name}`, { skip: skipWithout(...server.commands) }, () => {
    let daemon: Daemon;
    let tls: { cert: string; key: string };
    let options: PoolManagerOptions;
    let url: string;

    before(async () => {
      ({ options, ...tls } = await identity());
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

    it("of 8 streams gets no more than 8 at once, on no more than `maxsize` connections", {
      skip: server.limits ? false : "its limit cannot be set",
    }, async () => {
      const limited = await server.start(tls, { streams: 8 });
      try {
        await using manager = new PoolManager({ ...options, maxsize: 2 });
        const target = `https://localhost:${limited.ports[0]}/small.txt`;
        await manager.request("GET", target);
        const seen: number[] = [];
        const one = async (): Promise<void> => {
          const { data } = await manager.request("GET", target);
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
      } finally {
        await limited.stop();
      }
    });

    it("that is restarted while requests come and go loses none of them", async () => {
      // Between the two of it nobody listens.
      const retries = { total: 60, backoffFactor: 0.02, backoffMax: 0.1 };
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
      const workers = Promise.all(Array.from({ length: 10 }, worker));
      const answered = async (more: number): Promise<void> => {
        for (const wanted = answers + more; answers < wanted; ) await sleep(5);
      };
      const restarts = (async (): Promise<void> => {
        for (let round = 0; round < 2; round++) {
          await answered(50);
          await daemon.restart(server.ending);
        }
        await answered(50);
      })().finally(() => {
        restarting = false;
      });
      await Promise.all([workers, restarts]);
      assert.ok(manager.stats().created >= 3, `${manager.stats().created} connections`);
    });
  });
}

async function* pieces(): AsyncGenerator<Buffer> {
  for (let at = 0; at < BIG.length; at += 50_000) yield BIG.subarray(at, at + 50_000);
}

describe("HTTP/2 with node:http2", () => {
  let daemon: Daemon;
  let options: PoolManagerOptions;
  let url: string;

  before(async () => {
    const { options: its, ...tls } = await identity();
    options = its;
    daemon = await h2Server("node-http2").start(tls);
    url = `https://localhost:${daemon.ports[0]}`;
  });

  after(() => daemon?.stop());

  it("trailers, early hints, echoes and Expect", async () => {
    await using manager = new PoolManager(options);
    const trailers = await manager.request("GET", `${url}/trailers`);
    assert.equal(trailers.trailers?.get("x-sum"), "abc");
    const seen: number[] = [];
    const hinted = await manager.request("GET", `${url}/early-hints`, {
      onInformational: ({ status }) => seen.push(status),
    });
    assert.deepEqual([seen, String(hinted.data)], [[103], "hinted"]);
    const echo = await manager.request("PUT", `${url}/echo`, {
      body: pieces(),
      headers: { Expect: "100-continue" },
    });
    assert.ok(echo.data.equals(BIG));
    assert.equal(manager.stats().created, 1);
  });

  it("without `http2` the same server is spoken to in HTTP/1.1", async () => {
    await using manager = new PoolManager({ ...options, http2: false });
    const answer = await manager.request("GET", `${url}/`, { headers: { "X-A": "1" } });
    assert.deepEqual([answer.version, String(answer.data)], [11, "1.1 1"]);
  });

  it("a request that it wants in HTTP/1.1 gets that, and so does the next one", async () => {
    await using manager = new PoolManager(options);
    assert.equal((await manager.request("GET", `${url}/`)).version, 20);
    const answer = await manager.request("POST", `${url}/http11`, { body: "x" });
    assert.deepEqual([answer.version, String(answer.data)], [11, "1.1 "]);
    assert.equal((await manager.request("GET", `${url}/`)).version, 11);
  });

  it("a plain server has its answer in the error of prior knowledge", async () => {
    await using manager = new PoolManager({ ...options, http2: "prior-knowledge" });
    const plain = http.createServer((_request, response) => response.end("hello")).listen(0, "127.0.0.1");
    await once(plain, "listening");
    const { port } = plain.address() as AddressInfo;
    await assert.rejects(
      manager.request("GET", `http://127.0.0.1:${port}/`),
      /answered in HTTP\/1\.1 although h2 was agreed: HTTP\/1\.1 400/,
    );
    plain.closeAllConnections();
    plain.close();
  });

  it("a server that offers HTTP/1.1 alone gets it, unless HTTP/2 is insisted on", async () => {
    const { cert, key } = await identity();
    const plain = https
      .createServer({ cert, key }, (_request, response) => response.end("one"))
      .listen(0, "127.0.0.1");
    await once(plain, "listening");
    const target = `https://localhost:${(plain.address() as AddressInfo).port}/`;
    await using manager = new PoolManager(options);
    const answers = await Promise.all(Array.from({ length: 20 }, () => manager.request("GET", target)));
    assert.ok(answers.every(({ version }) => version === 11));
    await using insisting = new PoolManager({ ...options, http2: "prior-knowledge" });
    await assert.rejects(insisting.request("GET", target), /SSL|ALPN|alert|agree/i);
    plain.closeAllConnections();
    plain.close();
  });

  it("through an HTTP proxy's tunnel and a SOCKS proxy", {
    skip: skipWithout("tinyproxy", "microsocks"),
  }, async () => {
    await using tinyproxy = await startTinyproxy();
    await using microsocks = await startMicrosocks();
    for (const proxy of [`http://127.0.0.1:${tinyproxy.port}`, `socks5h://127.0.0.1:${microsocks.port}`]) {
      await using manager = new PoolManager({ ...options, proxy });
      const answers = await Promise.all(Array.from({ length: 30 }, () => manager.request("GET", `${url}/`)));
      assert.ok(answers.every(({ version }) => version === 20));
      assert.equal(manager.stats().created, 1);
      const echo = await manager.request("POST", `${url}/echo`, { body: BIG });
      assert.ok(echo.data.equals(BIG));
    }
  });

  it("through the tunnel of an HTTPS proxy: TLS within TLS", { skip: skipWithout("squid") }, async () => {
    const authority = await makeAuthority();
    const its = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
    await using squid = await startSquid({ tls: its });
    const proxyOptions = { proxy: squid.httpsUrl, proxyTls: { caCertData: authority.cert } };
    await using manager = new PoolManager({ ...options, ...proxyOptions });
    const answers = await Promise.all(Array.from({ length: 30 }, () => manager.request("GET", `${url}/`)));
    assert.ok(answers.every(({ version }) => version === 20));
    const echo = await manager.request("POST", `${url}/echo`, { body: BIG });
    assert.ok(echo.data.equals(BIG));
    assert.equal(manager.stats().created, 1);
    const tunnels = await squid.accessLog(0);
    assert.ok(tunnels.every(({ method }) => method === "CONNECT"));
  });

  it("a GOAWAY while requests come and go loses none of them", async () => {
    await using manager = new PoolManager(options);
    let open = true;
    let answers = 0;
    const worker = async (): Promise<void> => {
      while (open) {
        const { status } = await manager.request("GET", `${url}/`);
        assert.equal(status, 200);
        answers++;
      }
    };
    const workers = Array.from({ length: 20 }, worker);
    // As long as it takes on this machine, and not for ever.
    for (let round = 0; round < 20 || (answers <= 100 && round < 1000); round++) {
      await sleep(10);
      daemon.signal("SIGUSR2");
    }
    open = false;
    await Promise.all(workers);
    assert.ok(answers > 100, `${answers} answers`);
    assert.ok(manager.stats().created > 5, `${manager.stats().created} connections`);
  });
});

describe("HTTP/2 with a stock nginx", { skip: skipWithout("nginx") }, () => {
  it("loses none, and settles each once, while one request in ten is aborted", async () => {
    const { options, ...tls } = await identity();
    await using daemon = await nginxH2({ keepAliveRequests: 200 }).start(tls);
    await using manager = new PoolManager(options);
    const base = `https://localhost:${daemon.ports[0]}`;
    const random = seededRandom();
    const counts = { begun: 0, answered: 0, aborted: 0 };
    const one = async (): Promise<void> => {
      const abort = random.chance(0.1) ? new AbortController() : null;
      if (abort !== null) setImmediate(() => abort.abort());
      const path = random.chance(0.05) ? "/big.bin" : "/small.txt";
      const signal = abort?.signal ?? null;
      const outcome = await manager.request("GET", base + path, { signal }).catch((error: Error) => error);
      if (outcome instanceof Error) {
        assert.equal(outcome.name, "AbortError");
        counts.aborted++;
      } else {
        assert.equal(outcome.data.length, path === "/big.bin" ? BIG.length : SMALL.length);
        counts.answered++;
      }
    };
    const worker = async (): Promise<void> => {
      while (counts.begun++ < 4000) await one();
    };
    await Promise.all(Array.from({ length: 40 }, worker));
    assert.equal(counts.answered + counts.aborted, 4000);
    assert.ok(counts.aborted > 50, `${counts.aborted} aborted`);
    const { pools } = manager.stats();
    assert.deepEqual(
      pools.map(({ busy, queued }) => [busy, queued]),
      [[0, 0]],
    );
  });

  it("is spoken to over plain TCP by prior knowledge through a tunnel, never through a proxy that forwards", {
    skip: skipWithout("tinyproxy"),
  }, async () => {
    const { options, ...tls } = await identity();
    await using daemon = await nginxH2({ plain: true }).start(tls);
    await using tinyproxy = await startTinyproxy();
    const proxy = `http://127.0.0.1:${tinyproxy.port}`;
    const url = `http://127.0.0.1:${daemon.ports[0]}/small.txt`;
    const known = { ...options, proxy, http2: "prior-knowledge" } as const;
    await using tunnelled = new PoolManager({ ...known, useTunnelForHttp: true });
    assert.equal((await tunnelled.request("GET", url)).version, 20);
    await using forwarded = new PoolManager(known);
    await assert.rejects(forwarded.request("GET", url), {
      name: "InvalidArgumentError",
      message: /forwards speaks HTTP\/1\.1/,
    });
  });

  it("is spoken to over plain TCP by prior knowledge", async () => {
    const { options, ...tls } = await identity();
    await using daemon = await nginxH2({ plain: true }).start(tls);
    await using manager = new PoolManager({ ...options, http2: "prior-knowledge" });
    const answer = await manager.request("GET", `http://127.0.0.1:${daemon.ports[0]}/small.txt`);
    assert.deepEqual([answer.version, String(answer.data)], [20, SMALL]);
  });
});
