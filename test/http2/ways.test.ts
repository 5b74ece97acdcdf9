/** HTTP/2 with node:http2 and nginx: what only some servers do, and the ways to them. */

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
import { BIG, h2Server, identity, nginxH2, pieces, SMALL } from "../kit/h2-servers.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startMicrosocks, startTinyproxy } from "../kit/proxies.ts";
import { seededRandom } from "../kit/seed.ts";
import { startSquid } from "../kit/squid.ts";

leakGate();

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
    // squid writes a tunnel down when it ends.
    await manager.close();
    const tunnels = await squid.accessLog(1);
    assert.deepEqual(
      tunnels.map(({ method }) => method),
      ["CONNECT"],
    );
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
