/** Cookie jars: asked for each try, told of each answer, and never the reason that a request fails. */

import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { after, before, describe, it } from "node:test";
import { cached } from "../../src/cache.ts";
import { siteContext } from "../../src/client/cookies.ts";
import {
  type CookieJarLike,
  type CookieJarOptions,
  type CookieRejectedMessage,
  createFetch,
  HTTPConnectionPool,
  PoolManager,
  Retry,
} from "../../src/index.ts";
import { type HttpOrigin, type OriginRequest, type ResponseSpec, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

type Said = [call: string, url: string, options?: CookieJarOptions];

/** Gives what was set for a host and port; async unless told otherwise. */
class Jar implements CookieJarLike {
  readonly said: Said[] = [];
  readonly #cookies = new Map<string, Map<string, string>>();

  getCookieString(url: string, options?: CookieJarOptions): Promise<string> {
    return new Promise((resolve) => setTimeout(() => resolve(this.read(url, options)), 2));
  }

  setCookie(cookie: string, url: string, options?: CookieJarOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      setTimeout(() => {
        try {
          resolve(this.keep(cookie, url, options));
        } catch (error) {
          reject(error);
        }
      }, 2);
    });
  }

  read(url: string, options?: CookieJarOptions): string {
    this.said.push(["get", url, ...(options === undefined ? [] : [options])] as Said);
    return [...(this.#cookies.get(new URL(url).host) ?? [])].map((pair) => pair.join("=")).join("; ");
  }

  keep(cookie: string, url: string, options?: CookieJarOptions): void {
    this.said.push([cookie, url, ...(options === undefined ? [] : [options])] as Said);
    if (cookie.startsWith("bad")) throw new Error("no cookie");
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!;
    const { host } = new URL(url);
    this.#cookies.set(host, (this.#cookies.get(host) ?? new Map<string, string>()).set(name!, value!));
  }
}

class SyncJar extends Jar {
  readonly store = { synchronous: true };
  getCookieStringSync(url: string, options?: CookieJarOptions): string {
    return this.read(url, options);
  }
  setCookieSync(cookie: string, url: string, options?: CookieJarOptions): void {
    this.keep(cookie, url, options);
  }
  override getCookieString(): never {
    throw new Error("asked the slow way");
  }
  override setCookie(): never {
    throw new Error("told the slow way");
  }
}

let origin: HttpOrigin;
let other: HttpOrigin;
let flaky = 0;

function answer({ target }: OriginRequest): ResponseSpec | string {
  const set = (value: string, more: ResponseSpec = {}): ResponseSpec => ({
    ...more,
    headers: { "Set-Cookie": value, ...more.headers },
  });
  if (target === "/set") return set("a=1", { body: "x" });
  if (target === "/two")
    return { headers: { "Set-Cookie": ["a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT", "b=2"] } };
  if (target === "/hop") return set("hop=1", { status: 302, headers: { Location: "/end" } });
  if (target === "/away") return set("home=1", { status: 307, headers: { Location: `${other.url}/end` } });
  if (target === "/flaky") return set(`try=${++flaky}`, { status: flaky < 3 ? 503 : 200, body: "x" });
  if (target === "/bad") return { headers: { "Set-Cookie": ["bad", "good=1"] } };
  if (target === "/401") return set("asked=1", { status: 401 });
  return "x";
}

before(async () => {
  origin = await startHttp(answer);
  other = await startHttp(answer);
});
after(async () => {
  await origin.close();
  await other.close();
});

for (const [name, make] of [
  ["a jar that promises", () => new Jar()],
  ["a synchronous jar", () => new SyncJar()],
] as const) {
  describe(name, () => {
    const cookies = (of: HttpOrigin = origin): (string | null)[] =>
      of.received.splice(0).map(({ header }) => header("cookie"));

    it("gets and gives cookies, over redirects and tries", async () => {
      flaky = 0;
      await using manager = new PoolManager({
        cookieJar: make(),
        retries: new Retry({ statusForcelist: [503] }),
      });
      await manager.request("GET", `${origin.url}/set`);
      await manager.request("GET", `${origin.url}/hop`);
      await manager.request("GET", `${origin.url}/flaky`);
      await manager.request("GET", `${origin.url}/401`);
      await manager.request("GET", `${origin.url}/last`);
      assert.deepEqual(cookies(), [
        null,
        "a=1",
        "a=1; hop=1",
        "a=1; hop=1",
        "a=1; hop=1; try=1",
        "a=1; hop=1; try=2",
        "a=1; hop=1; try=3",
        "a=1; hop=1; try=3; asked=1",
      ]);
    });

    it("merges with the caller's own, whose names count, and writes no empty field", async () => {
      await using manager = new PoolManager({ cookieJar: make() });
      const headers = { Cookie: "a=mine; c=3" };
      await manager.request("GET", `${origin.url}/two`, { headers });
      await manager.request("GET", `${origin.url}/x`, { headers });
      await manager.request("GET", `${other.url}/x`);
      assert.deepEqual(cookies(), ["a=mine; c=3", "b=2; a=mine; c=3"]);
      assert.deepEqual(cookies(other), [null]);
      assert.deepEqual(headers, { Cookie: "a=mine; c=3" });
    });

    it("gives nothing of the caller's or of one host to another", async () => {
      await using manager = new PoolManager({ cookieJar: make() });
      await manager.request("GET", `${origin.url}/away`, { headers: { Cookie: "mine=1" } });
      assert.deepEqual([cookies(), cookies(other)], [["mine=1"], [null]]);
      await manager.request("GET", `${origin.url}/x`);
      assert.deepEqual(cookies(), ["home=1"]);
    });

    it("may refuse a cookie: that is traced, and fails nothing", async () => {
      const seen: CookieRejectedMessage[] = [];
      const note = (message: unknown): void => void seen.push(message as CookieRejectedMessage);
      subscribe("urlpool:cookie:rejected", note);
      await using manager = new PoolManager({ cookieJar: make() });
      await manager.request("GET", `${origin.url}/bad`);
      await manager.request("GET", `${origin.url}/x`);
      unsubscribe("urlpool:cookie:rejected", note);
      assert.deepEqual(
        seen.map(({ url, error }) => [url, (error as Error).message]),
        [[`${origin.url}/bad`, "no cookie"]],
      );
      assert.deepEqual(cookies(), [null, "good=1"]);
    });

    it("is the manager's, the pool's or the request's; null is none", async () => {
      const jar = make();
      await using manager = new PoolManager({ cookieJar: jar });
      await manager.request("GET", `${origin.url}/set`);
      await manager.request("GET", `${origin.url}/x`, { cookieJar: null });
      await manager.request("GET", `${origin.url}/x`, { cookieJar: make() });
      using pool = new HTTPConnectionPool(origin.host, origin.port, { cookieJar: jar });
      await pool.request("GET", "/x");
      assert.deepEqual(cookies(), [null, null, null, "a=1"]);
    });

    it("serves fetch, unless credentials are omitted", async () => {
      await using manager = new PoolManager();
      const fetch = createFetch(manager, { cookieJar: make() });
      await (await fetch(`${origin.url}/hop`)).text();
      await (await fetch(`${origin.url}/x`, { credentials: "omit" })).text();
      await (await fetch(`${origin.url}/x`, { headers: { Cookie: "own=1" } })).text();
      assert.deepEqual(cookies(), [null, "hop=1", null, "hop=1; own=1"]);
    });

    it("is told how a hop stands to what the caller asked for", async () => {
      const jar = make();
      await using manager = new PoolManager({ cookieJar: jar });
      await manager.request("GET", `${origin.url}/hop`);
      assert.deepEqual(jar.said, [
        ["get", `${origin.url}/hop`, { sameSiteContext: "strict" }],
        ["hop=1", `${origin.url}/hop`, { ignoreError: true, sameSiteContext: "strict" }],
        ["get", `${origin.url}/end`, { sameSiteContext: "strict" }],
      ]);
      cookies();
    });
  });
}

describe("a redirect to another site", () => {
  type Ask = (url: string, method: string) => Promise<unknown>;
  /** Over a manager that has the jar, or over one without and with it as their own. */
  const ways: Record<string, (manager: PoolManager, without: PoolManager, jar: Jar) => Ask> = {
    request: (manager) => (url, method) => manager.request(method, url),
    fetch: (manager) => async (url, method) => (await createFetch(manager)(url, { method })).text(),
    "fetch with a jar": (_, without, cookieJar) => async (url, method) =>
      (await createFetch(without, { cookieJar })(url, { method })).text(),
    "a cache": (manager) => (url, method) => cached(manager).request(method, url),
    "a cache, asked with a jar": (_, without, cookieJar) => (url, method) =>
      cached(without).request(method, url, { cookieJar }),
    "fetch over a cache": (manager) => async (url, method) =>
      (await createFetch(cached(manager))(url, { method })).text(),
  };
  for (const [way, make] of Object.entries(ways)) {
    for (const method of ["GET", "POST"]) {
      it(`tells the jar so: ${way}, ${method}`, async () => {
        await using origin = await startHttp(({ target }) =>
          target === "/end"
            ? { headers: { "Set-Cookie": "a=1" }, body: "end" }
            : { status: 307, headers: { Location: `http://localhost:${origin.port}/end` } },
        );
        const jar = new Jar();
        await using manager = new PoolManager({ cookieJar: jar });
        await using without = new PoolManager();
        await make(manager, without, jar)(`${origin.url}/start`, method);
        const context = { sameSiteContext: method === "GET" ? "lax" : "none" };
        const end = `http://localhost:${origin.port}/end`;
        assert.deepEqual(jar.said, [
          ["get", `${origin.url}/start`, { sameSiteContext: "strict" }],
          ["get", end, context],
          ["a=1", end, { ignoreError: true, ...context }],
        ]);
      });
    }
  }
});

describe("sites", () => {
  for (const [from, to, context] of [
    ["http://a.test/", "http://b.a.test/", "strict"],
    ["http://a.test/", "http://b.test/", "lax"],
    ["http://a.test./", "http://a.test/", "strict"],
    ["http://a.test./", "http://b.test./", "lax"],
    ["http://a.co.uk/", "http://www.a.co.uk/", "strict"],
    ["http://a.co.uk/", "http://b.co.uk/", "lax"],
    ["http://1.2.3.4/", "http://9.9.3.4/", "lax"],
    ["http://[::1]/", "http://[::2]/", "lax"],
    ["http://localhost/", "http://localhost:81/", "strict"],
  ] as const) {
    it(`${from} leads to ${to}: ${context}`, () => assert.equal(siteContext(from, to, "GET"), context));
  }
});

describe("a jar that cannot be asked", () => {
  it("fails the request with its own error", async () => {
    const jar = { getCookieString: () => Promise.reject(new Error("store down")), setCookie: () => {} };
    await using manager = new PoolManager({ cookieJar: jar });
    await assert.rejects(manager.request("GET", origin.url), /store down/);
  });

  it("does not hold up an abort", async () => {
    const jar = { getCookieString: () => new Promise<string>(() => {}), setCookie: () => {} };
    await using manager = new PoolManager({ cookieJar: jar });
    await assert.rejects(manager.request("GET", origin.url, { signal: AbortSignal.timeout(20) }), {
      name: "TimeoutError",
    });
  });

  it("has no cookies where it gives nothing", async () => {
    for (const none of [undefined, null, Promise.resolve(undefined)]) {
      const jar = { getCookieString: () => none as never, setCookie: () => {} };
      await using manager = new PoolManager({ cookieJar: jar });
      assert.equal((await manager.request("GET", origin.url)).status, 200);
    }
  });

  it("is refused at the call if it is none", () => {
    assert.throws(() => new PoolManager({ cookieJar: {} as never }), /cookieJar/);
  });
});
