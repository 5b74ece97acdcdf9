/** Options are checked where they are given: each by its rule, and names that nothing knows by what was meant. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { OPTION_RULES, type OptionName } from "../../src/client/options-table.ts";
import {
  DnsCache,
  defaultKeyNormalizer,
  HTTPConnectionPool,
  type HTTPError,
  HTTPPoolKey,
  InvalidArgumentError,
  NameResolutionError,
  PoolManager,
  type RequestOptions,
} from "../../src/index.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

const SECRET = "s3cr3t";

/** Values that an option of this name cannot have, of as many types as there are. */
const WRONG: Partial<Record<OptionName, readonly unknown[]>> = {
  numPools: [-1, 1.5, Number.NaN, "5", true, {}],
  maxsize: [0, -1, 1.5, Number.NaN, "5", true, {}],
  block: ["yes", 1, {}],
  poolTimeout: [-1, Number.NaN, "5", true, {}],
  maxConnections: [0, "5", {}],
  keepAliveTimeout: [-1, "5", true],
  connectionMaxAge: [0, -1, "5"],
  timeout: [true, "5", -1, 0, Number.NaN, [], { connect: "5" }, { conect: 5 }],
  retries: ["5", 1.5, Number.NaN, [], { total: "5" }, { totl: 5 }],
  headers: [5, "Authorization: s3cr3t", true, () => {}],
  sourceAddress: [5, "", {}, { address: 5 }, { address: "127.0.0.1", port: 70_000 }, [], [5]],
  socketOptions: [5, "x", [], { noDelay: 1 }, { keepAlive: "yes" }, { keepAliveInitialDelay: "5" }],
  socketPath: [5, "", {}],
  lookup: [42, "x", {}],
  http2: ["yes", 1, "prior"],
  h2MaxStreams: [0, 1.5, "5", true],
  pingInterval: [-1, "5", true],
  dnsCache: [5, {}, new Map([["a", 1]])],
  addressFilter: [5, "x", {}],
  connect: [5, "x", {}],
  clock: [5, "x", {}, Date, { now: () => 0 }],
  decodeContent: ["yes", 1],
  preloadContent: ["no", 0],
  enforceContentLength: ["no", 0],
  maxHeaderSize: [0, "5", 1.5],
  maxDecodedSize: [-1, "5", 1.5],
  redirect: ["no", 0],
  deadline: [0, -1, "5", true],
  signal: [5, "x", {}, new AbortController()],
  mergeHeaders: ["yes", 1],
  allowUnknownOptions: ["yes", 1],
  proxy: [5, true],
  proxyHeaders: [5, "Proxy-Authorization: s3cr3t"],
  proxyConfig: [5, "x", { tls: 5 }, { tls: { caCerts: 5 } }],
  socksOptions: [
    5,
    "s3cr3t",
    {},
    { socksVersion: 6, proxyHost: "p", proxyPort: 1 },
    { socksVersion: 5, proxyPort: 1 },
    { socksVersion: 5, proxyHost: "p", proxyPort: "1" },
  ],
  certReqs: ["CERT_MAYBE", 5, true],
  caCerts: [5, "", {}],
  caCertDir: [5, ""],
  caCertData: [5, {}, [5]],
  certFile: [5, ""],
  keyFile: [5, ""],
  keyPassword: [5, {}, true],
  assertHostname: [true, 5, ""],
  assertFingerprint: [5, ""],
  serverHostname: [5, "", false],
  sslMinimumVersion: ["1.2", 5],
  sslMaximumVersion: ["1.2", 5],
  sslContext: [5, "x"],
  proxyTls: [5, { certReqs: 5 }, { maxsize: 5 }],
  useForwardingForHttps: ["yes", 1],
  useTunnelForHttp: ["yes", 1],
  proxyAssertHostname: [true, 5],
  proxyAssertFingerprint: [5],
  assertSameHost: ["no", 0],
  releaseConn: ["no", 0],
  chunked: ["no", 0],
  allowTruncated: ["no", 0],
  bodyPos: [-1, 1.5, "5"],
  onRequest: [5, {}],
  onResponse: [5, {}],
  cookieJar: [5, {}, { getCookieString: 1 }],
  into: [5, "x", {}, [1]],
  intoGrows: ["yes", 1],
  onUploadProgress: [5, {}],
  onDownloadProgress: [5, {}],
  onInformational: [5, {}],
  encodeMultipart: ["no", 0],
};

/** What nothing can be wrong about, or what has tests of its own. */
const ELSEWHERE: readonly string[] = ["body", "fields", "json", "multipartBoundary"];

describe("every option of a wrong type is refused at the call or the constructor", () => {
  it("all are here", () => {
    const missing = Object.keys(OPTION_RULES).filter((name) => !(name in WRONG) && !ELSEWHERE.includes(name));
    assert.deepEqual(missing, []);
  });

  for (const [name, values] of Object.entries(WRONG)) {
    const { at } = OPTION_RULES[name as OptionName];
    it(name, async () => {
      for (const value of values) {
        const options = { [name]: value };
        if (at === "manager" || at.startsWith("pool")) {
          refused(() => new PoolManager(options), name);
          refused(() => new PoolManager(3, options), name);
        }
        if (at.startsWith("pool")) refused(() => new HTTPConnectionPool("h", 80, options), name);
        if (at === "manager" || at === "pool") continue;
        using manager = new PoolManager();
        using pool = new HTTPConnectionPool("h");
        for (const client of [manager, pool]) {
          const method = at === "request" ? "POST" : "GET";
          const body = at === "request" ? { fields: { a: "1" } } : {};
          const error = await client
            .request(method, "http://h/", { ...body, ...options } as RequestOptions)
            .then(
              () => null,
              (reason: unknown) => reason,
            );
          refused(() => {
            throw error;
          }, name);
        }
      }
    });
  }

  it("null is none given, whatever the option", () => {
    for (const name of Object.keys(OPTION_RULES)) {
      const { at } = OPTION_RULES[name as OptionName];
      if (at === "call" || at === "request") continue;
      new PoolManager({ [name]: null });
      if (at !== "manager") new HTTPConnectionPool("h", 80, { [name]: null });
    }
  });

  it("what is given instead of options", async () => {
    assert.throws(
      () => new PoolManager("http://h/" as never),
      /PoolManager takes a number of pools .*"http:\/\/h\/"/,
    );
    assert.doesNotMatch(
      message(() => new PoolManager("http://h/" as never)),
      /maxsize/,
    );
    for (const options of ["x", 5, [], true]) {
      assert.throws(() => new PoolManager(3, options as never), InvalidArgumentError);
      assert.throws(() => new HTTPConnectionPool("h", 80, options as never), InvalidArgumentError);
      using manager = new PoolManager();
      await assert.rejects(manager.request("GET", "http://h/", options as never), InvalidArgumentError);
    }
  });

  it("values written to connectionPoolKw too, at the next request", async () => {
    using manager = new PoolManager();
    manager.connectionPoolKw.lookup = 5 as never;
    await assert.rejects(manager.request("GET", "http://h/"), /lookup must be a function, not 5/);
  });

  it("the answer of a lookup that is no address rejects the request, and ends no process", async () => {
    for (const found of [
      [null],
      [undefined],
      [5],
      [{}],
      [{ address: null }],
      5,
      {},
      "no address",
      [["127.0.0.1"]],
    ]) {
      using manager = new PoolManager({
        retries: false,
        lookup: (_host, _options, done) => setImmediate(done, null, found as never),
      });
      await assert.rejects(manager.request("GET", "http://name.test/"), NameResolutionError, String(found));
    }
  });

  it("a lookup that is asynchronous and fails rejects the request, and ends no process", async () => {
    const boom = new Error("boom");
    using manager = new PoolManager({ lookup: () => Promise.reject(boom), retries: false });
    await assert.rejects(manager.request("GET", "http://h.test/"), (error: HTTPError) => {
      assert.equal(error.code, "ERR_URLPOOL_NAME_RESOLUTION");
      assert.equal(error.cause, boom);
      return true;
    });
  });

  it("a name for SOCKS that the protocol cannot carry is refused, given as a pool's option too", async () => {
    const socksOptions = {
      socksVersion: 5,
      proxyHost: "p.test",
      proxyPort: 1080,
      rdns: true,
      password: "p",
    } as const;
    using manager = new PoolManager({ socksOptions: { ...socksOptions, username: "n".repeat(256) } });
    await assert.rejects(manager.request("GET", "http://h.test/"), /user name .* at most 255 bytes, not 256/);
  });

  it("json is what JSON can express", async () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    using manager = new PoolManager();
    for (const json of [() => {}, 1n, circular]) {
      await assert.rejects(manager.request("POST", "http://h.test/", { json }), {
        name: "InvalidArgumentError",
        message: /^POST http:\/\/h.test\/: |^'json' must be/,
      });
    }
  });

  it("a dnsCache is a DnsCache", () => {
    new HTTPConnectionPool("h", 80, { dnsCache: new DnsCache() });
  });
});

describe("names that nothing knows", () => {
  const ROWS: [name: string, advice: RegExp][] = [
    ["prelaodContent", /did you mean "preloadContent"/],
    ["preload_content", /did you mean "preloadContent"/],
    ["field", /did you mean "fields"/],
    ["Headers", /did you mean "headers"/],
    ["time_out", /did you mean "timeout"/],
    ["params", /query parameters as `fields`/],
    ["query", /query parameters as `fields`/],
    ["searchParams", /query parameters as `fields`/],
    ["data", /`body`.*`json`.*`fields`/],
    ["form", /`body`.*`json`.*`fields`/],
    ["maxRedirects", /new Retry\(\{ redirect: number \}\)/],
    ["follow_redirects", /`redirect`/],
    ["allow_redirects", /`redirect`/],
    ["method", /first two arguments/],
    ["baseURL", /connectionFromUrl/],
    ["agent", /new PoolManager/],
    ["dispatcher", /new PoolManager/],
    ["verify", /certReqs/],
    ["rejectUnauthorized", /certReqs/],
    ["ca", /caCertData/],
    ["auth", /makeHeaders/],
    ["stream", /preloadContent: false/],
    ["responseType", /preloadContent: false/],
    ["headersTimeout", /new Timeout/],
    ["throwHttpErrors", /raiseForStatus/],
    ["validateStatus", /raiseForStatus/],
    ["digest", /downloadTo/],
    ["maxsize", /for managers and pools/],
    ["numPools", /for managers/],
    ["somethingOfMine", /allowUnknownOptions/],
    ["constructor", /allowUnknownOptions/],
    ["__proto__", /allowUnknownOptions/],
  ];
  for (const [name, advice] of ROWS) {
    it(`${name}, given to a request`, async () => {
      await using origin = await startHttp(() => "x");
      using manager = new PoolManager();
      const options = JSON.parse(`{ "${name}": 1 }`) as object;
      for (const request of [
        manager.request("GET", origin.url, options),
        manager.urlopen("GET", origin.url, options),
      ]) {
        await assert.rejects(request, (error: Error) => {
          assert.ok(error instanceof InvalidArgumentError);
          assert.match(error.message, advice);
          assert.ok(error.message.includes(JSON.stringify(name)), error.message);
          return true;
        });
      }
      assert.equal(origin.received.length, 0);
    });
  }

  it("fields and json are for request(), and urlopen says so", async () => {
    using manager = new PoolManager();
    for (const options of [{ fields: { a: 1 } }, { json: 1 }, { encodeMultipart: true }]) {
      await assert.rejects(
        manager.urlopen("GET", "http://h/", options as object),
        /is no request option: it is for request\(\)/,
      );
    }
  });

  it("given to a manager or a pool: foreign names and slips, but none of one's own", () => {
    const refusedNames: [name: string, advice: RegExp][] = [
      ["num_pools", /did you mean "numPools"/],
      ["maxSize", /did you mean "maxsize"/],
      ["keepAlive", /keepAliveTimeout/],
      ["maxSockets", /`maxsize`/],
      ["rejectUnauthorized", /certReqs/],
      ["header", /did you mean "headers"/],
      ["body", /for requests/],
      ["fields", /for request\(\)/],
      ["baseURL", /connectionFromUrl/],
    ];
    for (const [name, advice] of refusedNames) {
      assert.match(
        message(() => new PoolManager({ [name]: 1 })),
        advice,
        name,
      );
      assert.match(
        message(() => new HTTPConnectionPool("h", 80, { [name]: 1 })),
        advice,
        name,
      );
      new PoolManager({ [name]: 1, allowUnknownOptions: true } as object);
    }
    for (const name of ["myField", "tenant", "region", "priority", "session", "constructor"]) {
      new PoolManager({ [name]: 1 } as object);
      new HTTPConnectionPool("h", 80, { [name]: 1 });
    }
  });

  it("a name without a value is no option", async () => {
    await using origin = await startHttp(() => "x");
    using manager = new PoolManager({ num_pools: undefined } as object);
    const options = { params: undefined, maxsize: null, fields: undefined } as object;
    assert.equal((await manager.request("GET", origin.url, options)).status, 200);
  });

  it("one's own are accepted where a key class names them, or allowUnknownOptions", async () => {
    await using origin = await startHttp(() => "x");
    const options = { tenant: "barley" } as RequestOptions;
    using manager = new PoolManager();
    await assert.rejects(manager.request("GET", origin.url, options), /Unknown request option "tenant"/);
    const Key = HTTPPoolKey.extend("tenant");
    manager.keyFnByScheme.http = (context) => defaultKeyNormalizer(Key, context);
    assert.equal((await manager.request("GET", origin.url, options)).status, 200);
    await assert.rejects(manager.request("GET", origin.url, { tenants: 1 } as object), InvalidArgumentError);
    using lax = new PoolManager({ allowUnknownOptions: true });
    assert.equal((await lax.request("GET", origin.url, options)).status, 200);
    using strict = new PoolManager();
    assert.equal(
      (await strict.request("GET", origin.url, { ...options, allowUnknownOptions: true })).status,
      200,
    );
  });
});

/** `run` is refused with a message that names the option, and shows no credentials. */
function refused(run: () => unknown, name: string): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof InvalidArgumentError, String(error));
    assert.ok(
      error.message.toLowerCase().includes(name.toLowerCase().replace(/^(retries)$/, "retry")),
      error.message,
    );
    assert.ok(!error.message.includes(SECRET), error.message);
    assert.doesNotMatch(error.message, /\[object|\bNone\b|\bint\b/);
    return true;
  });
}

function message(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  return "nothing was refused";
}
