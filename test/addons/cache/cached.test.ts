/** The cache in front of managers, pools and fetch. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import {
  type Cached,
  type CachedUrlopenOptions,
  type CacheOptions,
  cached,
  cacheStatus,
} from "../../../src/cache.ts";
import {
  createFetch,
  HTTPHeaderDict,
  HTTPResponse,
  LocationParseError,
  NewConnectionError,
  PoolManager,
  ReadTimeoutError,
  type UrlopenOptions,
} from "../../../src/index.ts";
import { type HttpOrigin, type OriginRequest, type ResponseSpec, startHttp } from "../../kit/http-origin.ts";

type Fields = Record<string, string>;

/** A base without a network: answers with what `say` gives, and counts. */
class Base {
  readonly asked: { method: string; url: string; headers: HTTPHeaderDict }[] = [];
  headers = {};
  now = 1_000_000;
  say: (asked: Base["asked"][number]) => HTTPResponse | Error | Promise<HTTPResponse> = () => answer("body");

  urlopen(method: string, url: string, options: UrlopenOptions = {}): Promise<HTTPResponse> {
    const asked = { method, url, headers: new HTTPHeaderDict(options.headers) };
    this.asked.push(asked);
    const said = this.say(asked);
    return said instanceof Error ? Promise.reject(said) : Promise.resolve(said);
  }

  cache(options: CacheOptions = {}): Cached {
    return cached(this, { clock: { wallNow: () => this.now }, ...options });
  }
}

const FRESH = { "Cache-Control": "max-age=60" };

function answer(body: string, headers: Fields = FRESH, status = 200): HTTPResponse {
  return new HTTPResponse({ body, headers, status, url: "http://a/" });
}

const get = async (
  cache: Cached,
  options: CachedUrlopenOptions = {},
  url = "http://a/",
): Promise<[string | null, string]> => {
  const response = await cache.urlopen("GET", url, options);
  return [cacheStatus(response), await response.text()];
};

describe("requests for the same", () => {
  it("wait for one another, and share the answer", async () => {
    const base = new Base();
    let release: (response: HTTPResponse) => void = () => {};
    base.say = () => new Promise((resolve) => (release = resolve));
    const cache = base.cache();
    const all = Array.from({ length: 10 }, () => get(cache));
    await turn();
    release(answer("one"));
    const seen = await Promise.all(all);
    assert.equal(base.asked.length, 1);
    assert.deepEqual(seen.map(([status]) => status).sort(), [...Array(9).fill("hit"), "miss"]);
  });

  it("go on their own if the answer is not kept", async () => {
    const base = new Base();
    base.say = () => answer(`${base.asked.length}`, { "Cache-Control": "no-store" });
    const cache = base.cache();
    const seen = await Promise.all([get(cache), get(cache), get(cache)]);
    assert.deepEqual(new Set(seen.map(([, body]) => body)).size, 3);
  });

  it("do not fail with the one that leads when its caller gives up", async () => {
    const base = new Base();
    let first = true;
    base.say = () => {
      if (!first) return answer("second");
      first = false;
      return new Promise((_resolve, reject) =>
        controller.signal.addEventListener("abort", () => reject(controller.signal.reason)),
      );
    };
    const controller = new AbortController();
    const cache = base.cache();
    const leader = get(cache, { signal: controller.signal });
    const follower = get(cache);
    await turn();
    controller.abort(new Error("gave up"));
    await assert.rejects(leader, /gave up/);
    assert.deepEqual(await follower, ["miss", "second"]);
  });

  it("can be given up while they wait", async () => {
    const base = new Base();
    base.say = () => new Promise(() => {});
    const cache = base.cache();
    void get(cache);
    await turn();
    const controller = new AbortController();
    const waiting = get(cache, { signal: controller.signal });
    controller.abort(new Error("no more"));
    await assert.rejects(waiting, /no more/);
  });
});

describe("an origin that fails", () => {
  const failures = {
    refused: new NewConnectionError("refused"),
    timeout: new ReadTimeoutError("slow"),
    503: answer("down", {}, 503),
    500: answer("broken", {}, 500),
  };
  for (const [name, failure] of Object.entries(failures)) {
    it(`is covered by a stale response that allows it: ${name}`, async () => {
      const base = new Base();
      base.say = () => answer("old", { "Cache-Control": "max-age=1, stale-if-error=100" });
      const cache = base.cache();
      await get(cache);
      base.now += 50_000;
      base.say = () => failure;
      assert.deepEqual(await get(cache), ["stale", "old"]);
      base.now += 100_000;
      if (failure instanceof Error) await assert.rejects(get(cache), failure);
      else assert.equal((await get(cache))[0], "miss");
    });
  }

  it("is not covered where must-revalidate forbids it, or nothing allows it", async () => {
    for (const control of ["max-age=1", "max-age=1, must-revalidate, stale-if-error=100"]) {
      const base = new Base();
      base.say = () => answer("old", { "Cache-Control": control });
      const cache = base.cache();
      await get(cache);
      base.now += 50_000;
      base.say = () => failures.refused;
      await assert.rejects(get(cache), failures.refused);
    }
  });
});

describe("stale-while-revalidate", () => {
  it("answers at once and asks behind it, once", async () => {
    const base = new Base();
    base.say = () =>
      answer(`${base.asked.length}`, {
        "Cache-Control": "max-age=1, stale-while-revalidate=60",
        ETag: '"1"',
      });
    const cache = base.cache();
    await get(cache);
    base.now += 5_000;
    assert.deepEqual(await Promise.all([get(cache), get(cache)]), [
      ["stale", "1"],
      ["stale", "1"],
    ]);
    await cache.settled();
    assert.equal(base.asked.length, 2);
    assert.equal(base.asked[1]!.headers.get("if-none-match"), '"1"');
    assert.deepEqual(await get(cache), ["hit", "2"]);
  });

  it("keeps the old one if the question fails", async () => {
    const base = new Base();
    base.say = () => answer("old", { "Cache-Control": "max-age=1, stale-while-revalidate=60" });
    const cache = base.cache();
    await get(cache);
    base.now += 5_000;
    base.say = () => new NewConnectionError("refused");
    assert.deepEqual(await get(cache), ["stale", "old"]);
    await cache.settled();
    assert.deepEqual(await get(cache), ["stale", "old"]);
  });
});

describe("what is kept, and what is not", () => {
  const kept = async (control: string, options: CachedUrlopenOptions = {}): Promise<boolean> => {
    const base = new Base();
    base.say = () => answer("x", { "Cache-Control": control });
    const cache = base.cache();
    await get(cache, options);
    await get(cache, options);
    return base.asked.length === 1;
  };

  it("private responses are, also with Authorization and Set-Cookie", async () => {
    assert.ok(await kept("private, max-age=60", { headers: { Authorization: "x", Cookie: "a=1" } }));
  });

  it("requests and responses with no-store are not", async () => {
    assert.equal(await kept("no-store, max-age=60"), false);
    assert.equal(await kept("max-age=60", { headers: { "Cache-Control": "no-store" } }), false);
  });

  it("ranges and conditions of the caller's pass through", async () => {
    for (const name of ["Range", "If-Range", "If-Match", "If-Modified-Since"]) {
      assert.equal(await kept("max-age=60", { headers: { [name]: "x" } }), false, name);
    }
  });

  it("bodies above the limit, and raw ones, are not", async () => {
    const base = new Base();
    const cache = base.cache({ maxEntrySize: 3 });
    assert.deepEqual(await get(cache), ["miss", "body"]);
    assert.deepEqual(await get(cache), ["miss", "body"]);
    assert.equal(await kept("max-age=60", { decodeContent: false }), false);
    assert.equal(await kept("max-age=60", { into: new Uint8Array(10) }), false);
  });

  it("a store that fails costs a warning, not the request", async () => {
    const base = new Base();
    const store = base.cache().store;
    store.put = () => Promise.reject(new Error("disk full"));
    const warned = once(process, "warning");
    assert.deepEqual(await get(base.cache({ store })), ["miss", "body"]);
    const [warning] = (await warned) as [Error];
    assert.match(warning.message, /disk full/);
  });

  it("an unsafe method that succeeds deletes it, and what it names", async () => {
    const base = new Base();
    const cache = base.cache();
    for (const url of ["http://a/", "http://a/other", "http://b/"]) await get(cache, {}, url);
    base.say = () => answer("", { Location: "/other", "Content-Location": "http://b/" }, 201);
    await cache.urlopen("POST", "http://a/");
    base.say = () => answer("new");
    assert.equal((await get(cache, {}, "http://a/"))[0], "miss");
    assert.equal((await get(cache, {}, "http://a/other"))[0], "miss");
    assert.equal((await get(cache, {}, "http://b/"))[0], "hit");
  });

  it("HEAD is answered from a GET", async () => {
    const base = new Base();
    const cache = base.cache();
    await get(cache);
    const head = await cache.urlopen("HEAD", "http://a/");
    assert.deepEqual([cacheStatus(head), head.data.length, base.asked.length], ["hit", 0, 1]);
  });

  describe("HEAD, asked of the origin, of a stored answer to GET (RFC 9111 §4.3.5)", () => {
    const stored = { ...FRESH, ETag: '"1"', "Content-Length": "4", "X-Kept": "1" };
    const cases: [what: string, head: Fields, expected: [string, string, string | null]][] = [
      ["makes it fresh", { ...FRESH, ETag: '"1"', "X-New": "2" }, ["hit", "body", "2"]],
      ["makes it fresh without validators", FRESH, ["hit", "body", null]],
      ["deletes it with another entity tag", { ...FRESH, ETag: '"2"' }, ["miss", "new!", null]],
      ["deletes it with another length", { ...FRESH, "Content-Length": "5" }, ["miss", "new!", null]],
      ["deletes it where it is not to be stored", { "Cache-Control": "no-store" }, ["miss", "new!", null]],
    ];
    for (const [what, fields, expected] of cases) {
      it(what, async () => {
        const base = new Base();
        base.say = () => answer("body", stored);
        const cache = base.cache();
        await get(cache);
        base.now += 2000;
        base.say = ({ method }) =>
          answer(method === "HEAD" ? "" : "new!", method === "HEAD" ? fields : FRESH);
        const head = await cache.urlopen("HEAD", "http://a/", { cache: "no-cache" });
        assert.equal(cacheStatus(head), "miss");
        if (expected[0] === "hit") base.now += 59_000;
        const next = await cache.urlopen("GET", "http://a/");
        const seen = [cacheStatus(next), await next.text(), next.headers.get("x-new")];
        assert.deepEqual(seen, expected);
        if (expected[0] === "hit") assert.equal(next.headers.get("x-kept"), "1");
      });
    }

    it("an answer that is no 200 says nothing of it", async () => {
      const base = new Base();
      base.say = () => answer("body", { ...stored, "Cache-Control": "max-age=1, stale-while-revalidate=9" });
      const cache = base.cache();
      await get(cache);
      base.now += 2000;
      base.say = () => answer("", {}, 404);
      await cache.urlopen("HEAD", "http://a/", { cache: "no-cache" });
      assert.deepEqual(await get(cache), ["stale", "body"]);
    });
  });

  describe("a Location", () => {
    const redirected = (location: string): Base => {
      const base = new Base();
      base.say = ({ url }) =>
        url.endsWith("from") ? answer("", { Location: location }, 301) : answer(`at ${url}`);
      return base;
    };

    for (const [location, url] of [
      ["/to", "http://a/to"],
      ["http://user:secret@b/to", "http://b/to"],
      ["/\xc3\xa9", "http://a/%C3%A9"],
    ] as const) {
      it(`${location} leads to ${url}`, async () => {
        assert.deepEqual(await get(redirected(location).cache(), {}, "http://a/from"), ["miss", `at ${url}`]);
      });
    }

    it("that is no URL is an error that names it, without its password", async () => {
      const asking = redirected("http://u:secret@[b/to").cache().urlopen("GET", "http://a/from");
      await assert.rejects(asking, (error: Error) => {
        assert.ok(error instanceof LocationParseError);
        assert.match(error.message, /\[b/);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    });

    it("is followed from a URL without a scheme", async () => {
      assert.deepEqual(await get(redirected("/to").cache(), {}, "a/from"), ["miss", "at http://a/to"]);
    });
  });

  it("a fragment and a spelling make no difference, a query does", async () => {
    const base = new Base();
    const cache = base.cache();
    await get(cache, {}, "http://a/#x");
    assert.equal((await get(cache, {}, "HTTP://A:80"))[0], "hit");
    assert.equal((await get(cache, {}, "http://a/#y"))[0], "hit");
    assert.equal((await get(cache, {}, "http://a/?y"))[0], "miss");
  });
});

describe("the modes", () => {
  it("do what fetch says of them", async () => {
    const base = new Base();
    base.say = () => answer(`${base.asked.length}`, { "Cache-Control": "max-age=1" });
    const cache = base.cache();
    const missing = await cache.urlopen("GET", "http://a/", { cache: "only-if-cached" });
    assert.deepEqual([missing.status, base.asked.length], [504, 0]);
    await get(cache);
    base.now += 5_000;
    assert.deepEqual(await get(cache, { cache: "force-cache" }), ["hit", "1"]);
    assert.deepEqual(await get(cache, { cache: "only-if-cached" }), ["hit", "1"]);
    assert.deepEqual(await get(cache, { cache: "no-store" }), ["bypass", "2"]);
    assert.deepEqual(await get(cache, { cache: "reload" }), ["miss", "3"]);
    assert.deepEqual(await get(cache, { cache: "no-cache" }), ["miss", "4"]);
    assert.deepEqual(await get(cache), ["hit", "4"]);
  });

  it("cacheFor overrules what responses say", async () => {
    const base = new Base();
    base.say = () => answer(`${base.asked.length}`, { "Cache-Control": "no-store" });
    const cache = base.cache();
    assert.deepEqual(await get(cache, { cacheFor: 10 }), ["miss", "1"]);
    base.now += 9_000;
    assert.deepEqual(await get(cache, { cacheFor: 10 }), ["hit", "1"]);
    base.now += 2_000;
    assert.deepEqual(await get(cache, { cacheFor: 10 }), ["miss", "2"]);
  });
});

describe("over a manager", () => {
  let origin: HttpOrigin;
  let manager: PoolManager;
  let reply: (request: OriginRequest) => ResponseSpec;
  before(async () => {
    origin = await startHttp((request) => reply(request));
    manager = new PoolManager({ retries: 2 });
  });
  after(async () => {
    manager.clear();
    await origin.close();
  });

  it("request, with fields, and a 304 that refreshes", async () => {
    const cache = cached(manager);
    const before = origin.received.length;
    reply = (request) =>
      request.header("if-none-match") === '"v"'
        ? { status: 304, headers: { "Cache-Control": "max-age=60" } }
        : { headers: { ETag: '"v"', "Cache-Control": "max-age=0" }, body: "of the origin" };
    for (const status of ["miss", "revalidated", "hit"]) {
      const response = await cache.request("GET", `${origin.url}/x`, { fields: { a: "1" } });
      assert.deepEqual([cacheStatus(response), await response.text()], [status, "of the origin"]);
    }
    assert.equal(origin.received.length - before, 2);
  });

  it("a pool, which takes paths", async () => {
    const cache = cached(manager.connectionFromUrl(origin.url));
    reply = () => ({ headers: FRESH, body: "of a pool" });
    for (const [url, status] of [
      ["/pooled", "miss"],
      ["/pooled", "hit"],
      [`${origin.url}/pooled`, "hit"],
    ] as const) {
      const response = await cache.request("GET", url);
      assert.deepEqual(
        [cacheStatus(response), response.url, await response.text()],
        [status, `${origin.url}/pooled`, "of a pool"],
      );
    }
  });

  it("redirects are kept hop by hop", async () => {
    const cache = cached(manager);
    const before = origin.received.length;
    reply = ({ target }) =>
      target === "/from"
        ? { status: 301, headers: { ...FRESH, Location: "/to" } }
        : { headers: FRESH, body: "there" };
    for (const status of ["miss", "hit"]) {
      const response = await cache.request("GET", `${origin.url}/from`);
      assert.deepEqual(
        [cacheStatus(response), response.url, await response.text()],
        [status, `${origin.url}/to`, "there"],
      );
    }
    assert.equal(origin.received.length - before, 2);
    await assert.rejects(cache.request("GET", `${origin.url}/from`, { retries: 0 }), {
      code: "ERR_URLPOOL_MAX_RETRY",
    });
    assert.equal((await cache.request("GET", `${origin.url}/from`, { redirect: false })).status, 301);
  });

  it("a streamed body is kept once it was read, whatever the way", async () => {
    const body = "x".repeat(300_000);
    reply = () => ({ headers: FRESH, body, chunked: 10_000 });
    const ways: Record<string, (response: HTTPResponse) => Promise<number>> = {
      read: async (response) => (await response.read()).length,
      read1: async (response) => {
        let size = 0;
        for (let part = await response.read1(); part.length > 0; part = await response.read1())
          size += part.length;
        return size;
      },
      readInto: async (response) => {
        let size = 0;
        const memory = new Uint8Array(7000);
        for (let length = 1; length > 0; size += length) length = await response.readInto(memory);
        return size;
      },
      text: async (response) => (await response.text()).length,
      iteration: async (response) => {
        let size = 0;
        for await (const part of response) size += part.length;
        return size;
      },
      body: async (response) => (await new Response(response.body as never).arrayBuffer()).byteLength,
      readable: async (response) => {
        let size = 0;
        for await (const part of response.readable()) size += (part as Buffer).length;
        return size;
      },
    };
    for (const [name, way] of Object.entries(ways)) {
      const cache = cached(manager);
      for (const status of ["miss", "hit"]) {
        const response = await cache.urlopen("GET", `${origin.url}/${name}`, { preloadContent: false });
        assert.deepEqual([name, cacheStatus(response), await way(response)], [name, status, body.length]);
        await turn();
      }
    }
  });

  it("a streamed body that breaks off, or is left, is not kept", async () => {
    const cache = cached(manager);
    reply = () => ({ headers: FRESH, body: "x".repeat(300_000), chunked: 10_000 });
    const response = await cache.urlopen("GET", `${origin.url}/left`, { preloadContent: false });
    for await (const _part of response) break;
    await turn();
    assert.deepEqual(await cache.store.find(`${origin.url}/left`), []);
    reply = () => ({ headers: FRESH, body: "half", contentLength: 400_000, close: true });
    const broken = await cache.urlopen("GET", `${origin.url}/broken`, { preloadContent: false });
    await assert.rejects(broken.text(), { code: "ERR_URLPOOL_INCOMPLETE_READ" });
    assert.deepEqual(await cache.store.find(`${origin.url}/broken`), []);
  });

  it("fetch takes the modes, and answers from the store", async () => {
    const fetch = createFetch(cached(manager));
    let count = 0;
    reply = () => ({
      headers: { ...FRESH, "Content-Type": "application/json" },
      body: `{"count":${++count}}`,
    });
    const url = `${origin.url}/fetched`;
    const seen = async (init?: object): Promise<unknown> => (await fetch(url, init as RequestInit)).json();
    assert.deepEqual([await seen(), await seen()], [{ count: 1 }, { count: 1 }]);
    assert.deepEqual(await seen({ cache: "reload" }), { count: 2 });
    assert.deepEqual(await seen({ cache: "no-store" }), { count: 3 });
    assert.deepEqual(await seen({ cache: "force-cache" }), { count: 2 });
    const missing = await fetch(`${origin.url}/nothing`, {
      cache: "only-if-cached",
      mode: "same-origin",
    } as RequestInit);
    assert.equal(missing.status, 504);
  });
});

type RequestInit = NonNullable<Parameters<typeof globalThis.fetch>[1]>;

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
