/** `ProxyManager` as its users meet it: what goes to the proxy, in which form, over which pool. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  HTTPConnectionPool,
  HTTPHeaderDict,
  InvalidHeader,
  LocationParseError,
  PoolManager,
  ProxyManager,
  type ProxyManagerOptions,
  ProxySchemeUnknown,
  proxyFromUrl,
  type RequestOptions,
  SKIP_HEADER,
  URLSchemeUnknown,
} from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { behave, startRogueProxy } from "../kit/rogue-proxy.ts";

leakGate();

const authority = await makeAuthority();
const identity = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1", "::1"] });
const trust = { caCertData: authority.cert };

describe("the URL of the proxy", () => {
  it("PX-02, PX-03, PX-43: ports, and letters of any case", () => {
    const names: Record<string, string> = {
      "http://proxy": "http://proxy:80",
      "https://proxy": "https://proxy:443",
      "http://proxy:0": "http://proxy:0",
      "HTTP://PROXY:8080/path?query": "http://proxy:8080",
      "http://[::1]:3128": "http://[::1]:3128",
      "http://user:password@proxy:1": "http://proxy:1",
    };
    for (const [url, name] of Object.entries(names)) {
      const manager = proxyFromUrl(url);
      assert.equal(manager.connectionFromUrl("http://origin.test/").proxy, name);
      assert.equal(manager.connectionFromUrl("https://origin.test/").proxy, name);
      assert.equal(manager.proxy.auth, null);
    }
    assert.equal(proxyFromUrl(new URL("http://proxy:1")).proxy.host, "proxy");
  });

  it("PX-04, PX-44: another scheme, or none", () => {
    for (const url of ["127.0.0.1", "a", "", "localhost:8080", "proxy:3128/path"])
      assert.throws(() => new ProxyManager(url), { name: "ProxySchemeUnknown", message: /had no scheme/ });
    for (const scheme of ["ftp", "socks5", "ws"]) {
      const message = new RegExp(`unsupported scheme ${scheme}`);
      assert.throws(() => new ProxyManager(`${scheme}://host:1`), { name: "ProxySchemeUnknown", message });
    }
    assert.throws(() => new ProxyManager("socks5://host:1"), /SOCKSProxyManager/);
    assert.throws(() => new ProxyManager("http://"), /host/);
    assert.ok(new ProxySchemeUnknown("x") instanceof URLSchemeUnknown);
  });

  it("a password that ends the authority is named as the fault, and not shown", () => {
    for (const sign of ["/", "?", "#", "\\"]) {
      for (const url of [
        `http://user:hunter${sign}2@proxy.test:3128`,
        `https://user:1${sign}hunter2@proxy.test`,
      ]) {
        for (const make of [() => new ProxyManager(url), () => new PoolManager({ proxy: url })]) {
          assert.throws(make, (error: Error) => {
            assert.ok(error instanceof LocationParseError, String(error));
            return /%2F/.test(error.message) && !/hunter/.test(error.stack!);
          });
        }
      }
    }
    const encoded = new ProxyManager("http://user:hunter%2F2@proxy.test:3128/path");
    assert.equal(encoded.proxy.host, "proxy.test");
  });

  it("PX-25: a pool in its place", async () => {
    await using proxy = await startRogueProxy();
    await using manager = new ProxyManager(new HTTPConnectionPool("127.0.0.1", proxy.port));
    assert.equal((await manager.request("GET", "http://origin.test/")).status, 200);
  });

  it("PX-45: an IPv6 address, and one as origin", async () => {
    await using origin = await startHttp(() => "inside", { tls: identity, host: "::1" });
    await using proxy = await startRogueProxy(undefined, { host: "::1" });
    await using manager = new ProxyManager(proxy.url, trust);
    assert.equal((await manager.request("GET", "http://origin.test/")).status, 200);
    assert.equal((await manager.request("GET", `${origin.url}/`)).status, 200);
    assert.deepEqual(proxy.connects, [`[::1]:${origin.port}`]);
  });
});

describe("a forwarded request", () => {
  const heads: [
    name: string,
    url: string,
    options: RequestOptions,
    settings: ProxyManagerOptions,
    head: string[],
  ][] = [
    [
      "PX-51: in full",
      "http://origin.test/a%20b?c=d",
      {},
      {},
      [
        "GET http://origin.test/a%20b?c=d HTTP/1.1",
        "Host: origin.test",
        "Accept-Encoding: gzip, deflate, br",
        "User-Agent: urlpool",
        "Accept: */*",
      ],
    ],
    [
      "PX-06: without fragment and credentials, with a path and the port it had",
      "HTTP://User:Pass@Origin.test:8080?x#fragment",
      { headers: { "User-Agent": "me", "Accept-Encoding": SKIP_HEADER } },
      {},
      ["GET http://origin.test:8080/?x HTTP/1.1", "Host: origin.test:8080", "Accept: */*", "User-Agent: me"],
    ],
    [
      "PX-01: the caller's Host and Accept, however they are spelt",
      "http://origin.test/",
      { headers: { "User-Agent": "me", "accept-encoding": SKIP_HEADER, hOST: "other", accept: "a/b" } },
      {},
      ["GET http://origin.test/ HTTP/1.1", "User-Agent: me", "hOST: other", "accept: a/b"],
    ],
    [
      "PX-33, PX-36: proxyHeaders over the caller's fields",
      "http://origin.test/",
      { headers: { "User-Agent": "me", "Accept-Encoding": SKIP_HEADER, "x-both": "mine", "X-Mine": "1" } },
      {
        proxyHeaders: new HTTPHeaderDict([
          ["X-Both", "a"],
          ["X-Both", "b"],
        ]),
      },
      [
        "GET http://origin.test/ HTTP/1.1",
        "Host: origin.test",
        "Accept: */*",
        "User-Agent: me",
        "X-Mine: 1",
        "X-Both: a",
        "X-Both: b",
      ],
    ],
  ];
  for (const [name, url, options, settings, head] of heads) {
    it(name, async () => {
      await using proxy = await startRogueProxy();
      await using manager = new ProxyManager(proxy.url, settings);
      const response = await manager.request("GET", url, options);
      assert.equal(response.url, await response.text());
      const lines = proxy.received[0]!.headText.replace(/(?<=urlpool)\/\S+|, zstd/g, "").split("\r\n");
      assert.deepEqual(lines, [...head, "", ""]);
    });
  }

  it("PX-29, PX-68: redirects to other hosts stay on the connection, and Host follows", async () => {
    await using proxy = await startRogueProxy((request) =>
      request.target === "http://two.test/x"
        ? behave(request)
        : { status: 302, headers: { Location: "http://two.test/x" } },
    );
    await using manager = new ProxyManager(proxy.url);
    const headers = { Host: "virtual.test" };
    const response = await manager.request("GET", "http://one.test/", { headers });
    assert.equal(response.url, "http://two.test/x");
    assert.deepEqual(
      proxy.received.map((request) => request.header("host")),
      ["virtual.test", "two.test"],
    );
    assert.equal(proxy.connections.length, 1);
  });

  it("a relative redirect is relative to the origin", async () => {
    await using proxy = await startRogueProxy((request) =>
      request.target.endsWith("/start") ? { status: 303, headers: { Location: "end" } } : behave(request),
    );
    await using manager = new ProxyManager(proxy.url);
    assert.equal((await manager.request("POST", "http://one.test/a/start")).url, "http://one.test/a/end");
  });

  it("OPTIONS, HEAD, bodies and trailers go as without a proxy", async () => {
    await using proxy = await startRogueProxy((request) => ({ body: request.body, chunked: 3 }));
    await using manager = new ProxyManager(proxy.url);
    const url = "http://origin.test/up";
    assert.equal(await (await manager.request("POST", url, { json: { a: 1 } })).text(), '{"a":1}');
    const parts = (async function* () {
      yield "one ";
      yield "two";
    })();
    assert.equal(await (await manager.request("PUT", url, { body: parts })).text(), "one two");
    assert.equal((await manager.request("HEAD", url)).data.length, 0);
    assert.equal(proxy.connections.length, 1);
  });
});

describe("pools", () => {
  it("PX-37, PX-38: one for all http origins, one for each https origin", () => {
    const manager = new ProxyManager("http://proxy:3128");
    const http = manager.connectionFromUrl("http://a.test/");
    assert.equal(manager.connectionFromUrl("http://b.test:81/x"), http);
    assert.equal(manager.connectionFromHost("c.test"), http);
    assert.deepEqual([http.scheme, http.host, http.port], ["http", "proxy", 3128]);
    const https = manager.connectionFromUrl("https://a.test/");
    assert.equal(manager.connectionFromHost("a.test", 443, "https"), https);
    assert.notEqual(manager.connectionFromUrl("https://b.test/"), https);
    assert.notEqual(manager.connectionFromUrl("https://a.test:444/"), https);
    assert.equal(manager.pools.size, 4);
    assert.throws(() => manager.connectionFromUrl("ftp://a.test/"), URLSchemeUnknown);
  });

  it("one of them takes absolute URLs of any host", async () => {
    await using proxy = await startRogueProxy();
    await using manager = new ProxyManager(proxy.url);
    const pool = manager.connectionFromUrl("http://a.test/");
    const response = await pool.request("GET", "http://b.test/x", { assertSameHost: false });
    assert.equal(await response.text(), "http://b.test/x");
    assert.equal(proxy.received[0]!.header("host"), "b.test");
  });

  it("the proxy and its settings are part of the key", () => {
    const manager = new ProxyManager("http://proxy:1", { proxyHeaders: { a: "1" } });
    const key = (kwargs: ProxyManagerOptions & { proxy?: string } = {}): unknown =>
      manager.connectionFromUrl("https://a.test/", kwargs);
    const same = key();
    assert.equal(key({ proxyHeaders: { a: "1" } }), same);
    assert.equal(key({ proxy: "http://proxy:1" }), same);
    for (const other of [
      { proxyHeaders: { a: "2" } },
      { proxy: "http://proxy:2" },
      { proxy: "https://proxy:1" },
      { proxy: "http://carol@proxy:1" },
    ])
      assert.notEqual(key(other), same);
  });

  it("a zone stays here: not in the target, not in Host, not in CONNECT", async () => {
    await using proxy = await startRogueProxy(() => ({ status: 200, body: "x" }));
    await using manager = new ProxyManager(proxy.url, { retries: false });
    for (const path of ["/", "/a%20b?c"]) {
      await manager.request("GET", `http://[fe80::1%25eth0]:8080${path}`);
      await manager.request("GET", `http://[fe80::1%eth0]${path}`, { headers: { Accept: "*/*" } });
    }
    await manager.request("GET", "https://[fe80::1%eth0]/").catch(() => {});
    assert.deepEqual(
      proxy.received.map(({ target, header }) => `${target} ${header("host")}`),
      [
        "http://[fe80::1]:8080/ [fe80::1]:8080",
        "http://[fe80::1]/ [fe80::1]",
        "http://[fe80::1]:8080/a%20b?c [fe80::1]:8080",
        "http://[fe80::1]/a%20b?c [fe80::1]",
        "[fe80::1]:443 [fe80::1]:443",
      ],
    );
    assert.doesNotMatch(proxy.bytes(), /eth0/);
  });

  it("PX-07, PX-08, PX-61: what must not be in a CONNECT is refused before anything is sent", async () => {
    await using proxy = await startRogueProxy();
    await using manager = new ProxyManager(proxy.url, { retries: false });
    for (const host of ["a\nb", "a\u0000b", "a b", "a%0ab", "a%zz", "a%2"])
      await assert.rejects(manager.request("GET", `https://${host}/`), LocationParseError, host);
    for (const proxyHeaders of [
      { "a b": "c" },
      { "": "c" },
      { "a:": "c" },
      { a: "b\r\nc: d" },
      { a: "b\nc" },
    ]) {
      await using bad = new ProxyManager(proxy.url, { proxyHeaders, retries: false });
      for (const url of ["https://a.test/", "http://a.test/"])
        await assert.rejects(bad.request("GET", url), InvalidHeader, JSON.stringify(proxyHeaders));
    }
    assert.deepEqual(proxy.received, []);
  });
});
