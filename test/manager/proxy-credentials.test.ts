/** Credentials of proxies and origins: each goes to whom it is for, and is in no text that anybody reads. */

import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import {
  makeHeaders,
  PoolManager,
  type PoolManagerOptions,
  ProxyManager,
  proxyFromEnv,
  SOCKSProxyManager,
} from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { skipWithout } from "../kit/daemon.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";
import {
  behave,
  challenge,
  type RogueHandler,
  type RogueProxy,
  startRogueProxy,
} from "../kit/rogue-proxy.ts";
import { startSquid } from "../kit/squid.ts";

leakGate();

const authority = await makeAuthority();
const identity = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
const trust = { caCertData: authority.cert };

/** For the proxy. */
const NAME = "alice-name";
const PASSWORD = "s3cret-password";
const BASIC = basic(NAME, PASSWORD);
/** For origins. */
const TOKEN = "t0ken-of-the-origin";
const COOKIE = "c00kie-of-the-origin";
const FIELDS = { Authorization: `Bearer ${TOKEN}`, Cookie: COOKIE };

/** The texts of a name and a password: none may be found where they do not belong. */
const PROXY_SECRETS = [NAME, PASSWORD, BASIC];
const ORIGIN_SECRETS = [TOKEN, COOKIE];

describe("through a tunnel", () => {
  const settings: [name: string, options: PoolManagerOptions, userinfo: string][] = [
    ["from the URL", {}, `${NAME}:${PASSWORD}@`],
    ["from proxyHeaders", { proxyHeaders: makeHeaders({ proxyBasicAuth: `${NAME}:${PASSWORD}` }) }, ""],
  ];
  for (const [name, options, userinfo] of settings) {
    it(`the proxy gets its credentials ${name}, and the origin only its own`, async () => {
      await using origin = await startHttp(() => "inside", { tls: identity });
      await using proxy = await startRogueProxy();
      await using manager = new ProxyManager(withUser(proxy.url, userinfo), { ...trust, ...options });
      const url = origin.url.replace("//", "//urluser:urlpass@");
      for (const method of ["GET", "POST"])
        assert.equal((await manager.request(method, `${url}/the/path?q#f`, { headers: FIELDS })).status, 200);
      const [connect] = proxy.received;
      assert.equal(connect!.header("proxy-authorization"), `Basic ${BASIC}`);
      assertLacks(connect!.headText, [...ORIGIN_SECRETS, "the/path", "urluser", "urlpass", "Cookie"]);
      assertLacks(proxy.bytes(), [...ORIGIN_SECRETS, "urluser", "urlpass"]);
      assert.equal(origin.requests.length, 2);
      for (const head of origin.requests) {
        assertLacks(head, [...PROXY_SECRETS, "Proxy-", "urluser", "urlpass"]);
        for (const secret of ORIGIN_SECRETS) assert.ok(head.includes(secret), head);
      }
    });
  }

  it("the caller's own Proxy-Authorization does not go to the origin", async () => {
    await using origin = await startHttp(() => "inside", { tls: identity });
    await using proxy = await startRogueProxy();
    await using manager = new ProxyManager(proxy.url, trust);
    await manager.request("GET", `${origin.url}/`, { headers: { "proxy-authorization": `Basic ${BASIC}` } });
    assertLacks(origin.requests.join(""), PROXY_SECRETS);
  });

  it("in TLS, nobody on the way to the proxy sees anything", async () => {
    await using origin = await startHttp(() => "inside", { tls: identity });
    await using proxy = await startRogueProxy(undefined, { tls: identity });
    const wire: Buffer[] = [];
    proxy.server.on("connection", (socket) => socket.on("data", (chunk: Buffer) => wire.push(chunk)));
    await using manager = new ProxyManager(withUser(proxy.url, `${NAME}:${PASSWORD}@`), trust);
    await manager.request("GET", `${origin.url}/`, { headers: FIELDS });
    assertLacks(Buffer.concat(wire).toString("latin1"), [...PROXY_SECRETS, ...ORIGIN_SECRETS]);
    assertLacks(proxy.bytes(), ORIGIN_SECRETS);
    assertLacks(origin.requests.join(""), PROXY_SECRETS);
  });
});

describe("forwarded", () => {
  it("the proxy gets both, and squid keeps its own", { skip: skipWithout("squid") }, async () => {
    await using origin = await startHttp(() => "inside");
    await using squid = await startSquid({ auth: { scheme: "basic", user: NAME, password: PASSWORD } });
    await using manager = new ProxyManager(withUser(squid.url, `${NAME}:${PASSWORD}@`));
    const url = origin.url.replace("//", "//urluser:urlpass@");
    assert.equal((await manager.request("GET", `${url}/`, { headers: FIELDS })).status, 200);
    const [head] = origin.requests;
    assertLacks(head!, [...PROXY_SECRETS, "urluser", "urlpass"]);
    for (const secret of ORIGIN_SECRETS) assert.ok(head!.includes(secret), head);
  });

  it("two origins over one connection: what was for one is not sent for the other", async () => {
    await using proxy = await startRogueProxy();
    await using manager = new ProxyManager(withUser(proxy.url, `${NAME}:${PASSWORD}@`));
    await manager.request("GET", "http://one.test/", { headers: FIELDS });
    await manager.request("GET", "http://two.test/");
    assert.equal(proxy.connections.length, 1);
    const [one, two] = proxy.received.map(({ headText }) => headText);
    for (const secret of [...ORIGIN_SECRETS, BASIC]) assert.ok(one!.includes(secret), one);
    assertLacks(two!, ORIGIN_SECRETS);
    assert.ok(two!.includes(BASIC));
  });
});

describe("a redirect", () => {
  const hops = ["http to http", "http to https", "https to http", "https to https"];
  for (const hop of hops) {
    it(`from ${hop}: the next origin gets nothing, the proxy only its own`, async () => {
      const [from, to] = hop.split(" to ") as [string, string];
      await using second = await startHttp(() => "second", { tls: identity });
      await using first = await startHttp(() => ({ status: 302, headers: { Location: next } }), {
        tls: identity,
      });
      const next = to === "https" ? `https://localhost:${second.port}/next` : "http://second.test/next";
      const forward: RogueHandler = (request) =>
        request.target === "http://first.test/"
          ? { status: 302, headers: { Location: next } }
          : behave(request);
      await using proxy = await startRogueProxy(forward);
      await using manager = new ProxyManager(withUser(proxy.url, `${NAME}:${PASSWORD}@`), trust);
      const headers = { ...FIELDS, "Proxy-Authorization": "Bearer of-the-caller" };
      const start = from === "https" ? `https://127.0.0.1:${first.port}/` : "http://first.test/";
      const response = await manager.request("GET", start, { headers });
      assert.deepEqual([response.status, response.url], [200, next]);

      const last = proxy.received.at(-1)!;
      assertLacks(last.headText, [...ORIGIN_SECRETS, "of-the-caller"]);
      assert.equal(last.header("proxy-authorization"), `Basic ${BASIC}`);
      for (const origin of [first, second])
        assertLacks(origin.requests.join(""), [...PROXY_SECRETS, "of-the-caller"]);
      assertLacks(second.requests.join(""), ORIGIN_SECRETS);
      assert.equal(second.requests.length, to === "https" ? 1 : 0);
    });
  }

  it("to an origin without a proxy", async () => {
    await using second = await startHttp(() => "second");
    await using proxy = await startRogueProxy(() => ({
      status: 307,
      headers: { Location: `${second.url}/` },
    }));
    await using manager = new PoolManager({
      proxy: (url) => (url.startsWith(second.url) ? null : withUser(proxy.url, `${NAME}:${PASSWORD}@`)),
      proxyHeaders: { "X-Proxy": "for-the-proxy" },
    });
    assert.equal((await manager.request("GET", "http://first.test/", { headers: FIELDS })).status, 200);
    assertLacks(second.requests.join(""), [...PROXY_SECRETS, ...ORIGIN_SECRETS, "for-the-proxy"]);
    assert.equal(proxy.received[0]!.header("proxy-authorization"), `Basic ${BASIC}`);
  });
});

it("of two proxies each gets its own credentials", async () => {
  await using one = await startRogueProxy();
  await using two = await startRogueProxy();
  const urls = new Map([
    ["one", withUser(one.url, "first:1st-password@")],
    ["two", withUser(two.url, "second:2nd-password@")],
  ]);
  await using manager = new PoolManager({ proxy: async (url) => urls.get(new URL(url).hostname) });
  for (const host of ["one", "two", "one"]) await manager.request("GET", `http://${host}/`);
  const seen = ({ received }: RogueProxy): (string | null)[] =>
    received.map((request) => request.header("proxy-authorization"));
  assert.deepEqual(seen(one), Array(2).fill(`Basic ${basic("first", "1st-password")}`));
  assert.deepEqual(seen(two), [`Basic ${basic("second", "2nd-password")}`]);
});

describe("no text has credentials of the proxy", () => {
  const handlers: Record<string, RogueHandler> = {
    "a refusal": () => ({ status: 403 }),
    "a challenge": () => challenge("Basic realm=r"),
    "a Digest challenge": () => challenge('Digest realm="r", nonce="n"'),
    "an echo of the credentials": ({ headText }) => ({ status: 500, reason: "No", body: headText }),
    garbage: () => async (connection) => {
      await connection.send("garbage\r\n\r\n");
      connection.close();
    },
    "a good answer": behave,
  };
  for (const [name, handler] of Object.entries(handlers)) {
    for (const scheme of ["http", "https"]) {
      it(`${name}, ${scheme}`, async () => {
        await using origin = await startHttp(() => "inside", { tls: identity });
        await using proxy = await startRogueProxy(handler);
        const url = scheme === "https" ? `${origin.url}/` : "http://origin.test/";
        const proxied = withUser(proxy.url, `${NAME}:${PASSWORD}@`);
        await inspectAll(url, [
          new ProxyManager(proxied, { ...trust, retries: 1 }),
          new PoolManager({ ...trust, proxy: () => proxied, retries: false }),
          proxyFromEnv({ ALL_PROXY: proxied }, { ...trust, retries: 0 }),
          new ProxyManager(proxy.url, {
            ...trust,
            proxyHeaders: makeHeaders({ proxyBasicAuth: `${NAME}:${PASSWORD}` }),
          }),
        ]);
      });
    }
  }

  it("no way to the proxy, and SOCKS", async () => {
    await using silent = await startOrigin((connection) => connection.close());
    for (const port of [1, silent.port]) {
      const address = `${NAME}:${PASSWORD}@127.0.0.1:${port}`;
      const username = NAME;
      await inspectAll("https://origin.test/", [
        new ProxyManager(`http://${address}`, { retries: false }),
        new ProxyManager(`https://${address}`, { retries: false }),
        new SOCKSProxyManager(`socks5h://${address}`, { retries: false }),
        new SOCKSProxyManager(`socks4a://127.0.0.1:${port}`, { username, password: PASSWORD, retries: 0 }),
      ]);
    }
  });

  for (const url of [
    "http://USER@",
    "ftp://USER@host",
    "USER@host:1",
    "http://USER@[zz]",
    "http://USER@host:99999",
  ]) {
    it(`a bad URL: ${url}`, async () => {
      for (const make of [
        () => new ProxyManager(url.replace("USER", `${NAME}:${PASSWORD}`)),
        () => new SOCKSProxyManager(url.replace("USER", `${NAME}:${PASSWORD}`).replace("http", "socks5")),
        () =>
          new PoolManager({ proxy: url.replace("USER", `${NAME}:${PASSWORD}`) }).connectionFromHost("a.test"),
      ]) {
        assert.throws(make, (error: Error) => {
          assertLacks(`${error.stack} ${JSON.stringify(error)} ${show(error)}`, PROXY_SECRETS);
          return true;
        });
      }
    });
  }
});

/** One request by each manager: the answer or error, the manager and what is published have no secrets. */
async function inspectAll(url: string, managers: readonly PoolManager[]): Promise<void> {
  const texts: string[] = [];
  const listen = (message: unknown): void => void texts.push(show(message), JSON.stringify(message));
  const channels = ["request:start", "request:end", "request:error", "attempt:start", "connection:open"];
  const names = [...channels, "connection:close", "connection:error", "pool:open", "pool:close"];
  for (const name of names) subscribe(`urlpool:${name}`, listen);
  for (const manager of managers) {
    const answer = await manager.request("GET", url).catch((error: unknown) => error);
    texts.push(String(answer), show(answer), JSON.stringify(answer), (answer as Error).stack ?? "");
    const pools = manager.pools.keys().map((key) => [key, manager.pools.get(key)]);
    for (const seen of [manager, manager.stats(), pools])
      texts.push(String(seen), show(seen), JSON.stringify(seen));
    await manager.close();
  }
  for (const name of names) unsubscribe(`urlpool:${name}`, listen);
  assert.ok(texts.length > 10);
  for (const text of texts) assertLacks(text, PROXY_SECRETS);
}

function show(value: unknown): string {
  return inspect(value, { depth: 8 });
}

function assertLacks(text: string | undefined, secrets: readonly string[]): void {
  for (const secret of secrets) assert.ok(!text?.includes(secret), `${secret} is in ${text}`);
}

function basic(name: string, password: string): string {
  return Buffer.from(`${name}:${password}`).toString("base64");
}

function withUser(url: string, userinfo: string): string {
  return url.replace("//", `//${userinfo}`);
}
