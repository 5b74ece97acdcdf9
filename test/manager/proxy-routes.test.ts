/** Proxies chosen for each request: by a function, and from the environment. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  PoolManager,
  ProxyError,
  type ProxyFunction,
  ProxySchemeUnknown,
  proxyFromEnv,
} from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startRogueProxy } from "../kit/rogue-proxy.ts";

leakGate();

const authority = await makeAuthority();
const tls = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
const trust = { caCertData: authority.cert };

describe("proxy as a function", () => {
  it("is asked for every request and redirect, by the absolute URL without credentials and fragment", async () => {
    await using origin = await startHttp(({ target }) =>
      target === "/start" ? { status: 302, headers: { Location: "/end" } } : "end",
    );
    const asked: string[] = [];
    await using manager = new PoolManager({
      proxy: (url) => {
        asked.push(url);
        return null;
      },
    });
    await manager.request("GET", `http://user:password@127.0.0.1:${origin.port}/start#x`);
    await manager.request("GET", `${origin.url}?q`);
    assert.deepEqual(asked, [`${origin.url}/start`, `${origin.url}/end`, `${origin.url}/?q`]);
  });

  const kinds: [name: string, wrap: (proxy: ProxyFunction) => ProxyFunction][] = [
    ["that answers at once", (choose) => choose],
    ["that promises", (choose) => async (url) => await choose(url)],
  ];
  for (const [name, wrap] of kinds) {
    it(`rotates ${name}: each proxy has its own pools, which are used again`, async () => {
      await using origin = await startHttp(() => "origin", { tls });
      await using one = await startRogueProxy();
      await using two = await startRogueProxy();
      let count = 0;
      const choose: ProxyFunction = () => [one.url, new URL(two.url), null][count++ % 3];
      await using manager = new PoolManager({ ...trust, proxy: wrap(choose) });
      for (let i = 0; i < 9; i += 1)
        assert.equal(await (await manager.request("GET", `${origin.url}/`)).text(), "origin");
      for (const proxy of [one, two]) assert.equal(proxy.connects.length, 1);
      assert.equal(origin.connections.length, 3);
      assert.equal(manager.pools.size, 3);
      assert.deepEqual(
        manager.stats().pools.map(({ proxy }) => proxy),
        [one.url, two.url, null],
      );
    });
  }

  it("the least recently used pool goes, over all proxies", async () => {
    await using proxy = await startRogueProxy();
    let name = "";
    await using manager = new PoolManager(2, { proxy: () => proxy.url.replace("//", `//${name}@`) });
    for (name of ["a", "b", "a", "c", "a", "b"]) await manager.request("GET", "http://origin.test/");
    assert.equal(manager.pools.size, 2);
    assert.equal(manager.stats().evicted, 2);
    assert.equal(proxy.connections.length, 4);
  });

  it("its failure is the request's", async () => {
    const error = new Error("no idea");
    const thrower: ProxyFunction = () => {
      throw error;
    };
    for (const proxy of [thrower, (async () => await Promise.reject(error)) as ProxyFunction]) {
      await using manager = new PoolManager({ proxy });
      await assert.rejects(manager.request("GET", "http://origin.test/"), error);
    }
    for (const answer of ["ftp://proxy", "proxy:3128", "socks6://proxy"]) {
      await using manager = new PoolManager({ proxy: () => answer });
      await assert.rejects(manager.request("GET", "http://origin.test/"), ProxySchemeUnknown);
    }
  });

  it("an empty answer is none: direct", async () => {
    await using origin = await startHttp(() => "direct");
    for (const proxy of [() => "", async () => ""]) {
      await using manager = new PoolManager({ proxy });
      assert.equal(await (await manager.request("GET", origin.url)).text(), "direct");
    }
  });

  it("an abort does not wait for it", async () => {
    await using manager = new PoolManager({ proxy: () => new Promise<null>(() => {}) });
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await assert.rejects(manager.request("GET", "http://origin.test/", { signal }), reason);
    const controller = new AbortController();
    const request = manager.request("GET", "http://origin.test/", { signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(request, reason);
  });

  it("one proxy's failure does not touch the other's requests", async () => {
    await using good = await startRogueProxy();
    await using manager = new PoolManager({
      retries: false,
      proxy: (url) => (url.includes("bad") ? "http://127.0.0.1:1" : good.url),
    });
    const [bad, fine] = await Promise.allSettled([
      manager.request("GET", "http://bad.test/"),
      manager.request("GET", "http://good.test/"),
    ]);
    assert.ok(bad.status === "rejected" && bad.reason instanceof ProxyError);
    assert.equal(fine.status, "fulfilled");
  });
});

describe("proxyFromEnv", () => {
  it("follows the variables, NO_PROXY included", async () => {
    await using origin = await startHttp(() => "direct", { tls });
    await using plain = await startHttp(() => "direct");
    await using http = await startRogueProxy();
    await using https = await startRogueProxy();
    const env = {
      HTTP_PROXY: http.url,
      https_proxy: https.url.replace("//", "//a:b@"),
      NO_PROXY: "127.0.0.1, .test",
    };
    await using manager = proxyFromEnv(env, trust);
    assert.equal(await (await manager.request("GET", "http://one.example/")).text(), "http://one.example/");
    assert.equal(await (await manager.request("GET", `${plain.url}/`)).text(), "direct");
    assert.equal(http.received.length, 1);

    assert.equal((await manager.request("GET", `https://localhost:${origin.port}/`)).status, 200);
    assert.equal((await manager.request("GET", `${origin.url}/`)).status, 200);
    assert.deepEqual(https.connects, [`localhost:${origin.port}`]);
    assert.equal(https.received[0]!.header("proxy-authorization"), "Basic YTpi");
  });

  it("reads them once", async () => {
    await using proxy = await startRogueProxy();
    const env: Record<string, string> = { all_proxy: proxy.url };
    await using manager = proxyFromEnv(env);
    env.no_proxy = "*";
    await manager.request("GET", "http://origin.test/");
    assert.equal(proxy.received.length, 1);
  });

  it("a redirect from a host with a proxy to one without", async () => {
    await using plain = await startHttp(() => "direct");
    await using proxy = await startRogueProxy(() => ({
      status: 302,
      headers: { Location: `${plain.url}/` },
    }));
    await using manager = proxyFromEnv({ http_proxy: proxy.url, no_proxy: "127.0.0.0/8" });
    assert.equal(await (await manager.request("GET", "http://origin.test/")).text(), "direct");
  });

  it("a value that cannot be used fails the requests it is for, and shows nothing of itself", async () => {
    await using plain = await startHttp(() => "direct");
    await using manager = proxyFromEnv({ http_proxy: "nonsense://user:secret@", no_proxy: "127.0.0.1" });
    await assert.rejects(manager.request("GET", "http://origin.test/"), (error: Error) => {
      assert.match(error.message, /http_proxy/);
      return !error.message.includes("secret");
    });
    assert.equal((await manager.request("GET", `${plain.url}/`)).status, 200);
  });
});
