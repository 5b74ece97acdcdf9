/** What is given by those who guess: each is refused at the call, in words that lead on. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  connectionFromUrl,
  downloadTo,
  HTTPHeaderDict,
  InvalidArgumentError,
  makeHeaders,
  PoolManager,
  ProxyManager,
  RecentlyUsedContainer,
  Retry,
  request,
  SOCKSProxyManager,
  Timeout,
} from "../../src/index.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

// biome-ignore lint/suspicious/noExplicitAny: what no type allows is what is tried here.
type Any = any;

const SECRET = "s3cr3t";
const METHOD_FIRST = /The arguments are method, URL and options/;

/** Throws, or rejects, with an error of ours that says `text` and tells no secret. */
async function refuses(run: () => unknown, text: RegExp): Promise<void> {
  await assert.rejects(
    async () => run(),
    (error: Error & { code?: string }) => {
      assert.match(String(error.code), /^ERR_URLPOOL_/, error.stack);
      assert.match(error.message, text);
      assert.doesNotMatch(String(error.stack), new RegExp(SECRET));
      return true;
    },
  );
}

describe("arguments of a request", () => {
  const rows: [name: string, args: Any[], text: RegExp][] = [
    ["a URL alone", ["http://h/"], METHOD_FIRST],
    ["a URL and options", ["http://h/", { headers: {} }], METHOD_FIRST],
    ["a URL object", [new URL("http://h/")], METHOD_FIRST],
    ["options alone", [{ url: "http://h/", method: "GET" }], METHOD_FIRST],
    ["nothing", [], METHOD_FIRST],
    ["no method", [undefined, "http://h/"], /Method must be a string, not undefined/],
    ["a number as method", [5, "http://h/"], /Method must be a string, not a number/],
    ["no URL", ["GET"], /url must be a string or a URL, not undefined/],
    ["null as URL", ["GET", null], /url must be a string or a URL, not null/],
    ["a Request", ["GET", new Request("http://h/")], /url must be a string or a URL, not a Request/],
    ["text as options", ["POST", "http://h/", "body"], /options of a request must be an object, not "body"/],
    [
      "a function as options",
      ["GET", "http://h/", () => {}],
      /options of a request must be an object, not a function/,
    ],
    ["a list as options", ["GET", "http://h/", [1]], /options of a request must be an object, not an array/],
  ];
  for (const [name, args, text] of rows) {
    it(name, async () => {
      using manager = new PoolManager();
      using pool = connectionFromUrl("http://h/");
      for (const client of [manager, pool] as Any[]) {
        for (const method of ["request", "requestEncodeUrl", "requestEncodeBody"]) {
          await refuses(() => client[method](...args), text);
        }
        if (typeof args[1] === "string") await refuses(() => client.urlopen(...args), text);
        else await refuses(() => client.urlopen(...args), /Method|url must be/);
      }
      await refuses(() => (request as Any)(...args), text);
    });
  }

  it("null as options is none, in every form of request", async () => {
    await using origin = await startHttp(() => "x");
    await using manager = new PoolManager();
    for (const method of ["request", "requestEncodeUrl", "requestEncodeBody", "urlopen"] as const) {
      assert.equal((await manager[method]("POST", origin.url, null)).status, 200, method);
    }
  });

  it("a host and port without http:// says what was read as the scheme, and shows no password", async () => {
    using manager = new PoolManager();
    const text =
      /^GET localhost:8080\/x: No host specified.*localhost is none: write http:\/\/ or https:\/\/ in front/;
    await refuses(() => manager.request("GET", "localhost:8080/x"), text);
    await refuses(() => manager.request("GET", `me:${SECRET}@h:80/x`), /^GET h:80\/x: No host specified/);
    await refuses(() => manager.request("GET", "mailto:joe@h"), /mailto is none/);
    await refuses(() => manager.request("GET", "/x"), /^GET \/x: No host specified\.$/);
  });
});

describe("values of options", () => {
  const rows: [options: Any, text: RegExp][] = [
    [{ headers: Promise.resolve({}) }, /headers must be .* not a Promise/],
    [{ headers: new Date() }, /headers must be .* not a Date/],
    [{ headers: Buffer.from("x") }, /headers must be .* not a Buffer/],
    [{ timeout: () => SECRET }, /timeout must be .* not a function/],
    [{ retries: "5" }, /^retries must be a whole number, .* not "5"/],
    [{ retries: 1.5 }, /^retries must be a whole number, .* not 1.5/],
    [{ retries: 5n }, /^retries must be a whole number, .* not 5n/],
    [{ retries: { statusForceList: [503] } }, /did you mean statusForcelist\?/],
    [{ retries: { minTimeout: 5 } }, /did you mean backoffFactor\?/],
    [{ timeout: { conect: 5 } }, /did you mean connect\?/],
    [{ body: () => undefined }, /function given as 'body' must give a body, not undefined/],
    [{ body: async () => null }, /function given as 'body' must give a body, not null/],
    [{ json: 5n }, /'json' must be a value that JSON can express/],
    [{ encodeMultipart: "no" }, /encodeMultipart must be true or false, not "no"/],
    [{ multipartBoundary: 5 }, /multipartBoundary must be a string, not 5/],
  ];
  for (const [options, text] of rows) {
    it(text.source, async () => {
      using manager = new PoolManager();
      await refuses(() => manager.request("POST", "http://h/", options), text);
    });
  }
});

describe("options of managers", () => {
  const rows: [name: string, run: () => unknown, text: RegExp][] = [
    ["socketOptions", () => manager({ socketOptions: { nodelay: true } }), /did you mean noDelay\?/],
    ["socketOptions", () => manager({ socketOptions: new Date() }), /socketOptions must be .* not a Date/],
    [
      "socketOptions",
      () => manager({ socketOptions: { noDelay: 1 } }),
      /socketOptions.noDelay must be true or false/,
    ],
    [
      "proxyConfig",
      () => manager({ proxyConfig: { useForwarding: true } }),
      /proxyConfig has no option useForwarding/,
    ],
    [
      "proxyConfig",
      () => manager({ proxyConfig: { assertHostname: 5 } }),
      /proxyConfig.assertHostname must be a name/,
    ],
    [
      "proxyTls",
      () => manager({ proxyTls: { ca_certs: "x" } }),
      /proxyTls has no option ca_certs: did you mean caCerts\?/,
    ],
    ["socksOptions", () => manager({ socksOptions: { user: "x" } }), /socksOptions has no option user/],
    [
      "socksOptions",
      () => manager({ socksOptions: { password: 5 } }),
      /socksOptions.password must be a string, not a number/,
    ],
    [
      "sourceAddress",
      () => manager({ sourceAddress: "eth0" }),
      /sourceAddress must be an IP address, .* not "eth0"/,
    ],
    [
      "sslContext",
      () => manager({ sslContext: { ca: SECRET } }),
      /sslContext must be what tls.createSecureContext/,
    ],
    ["proxy", () => manager({ proxy: "proxy.test:3128" }), /Proxy URL had no scheme.*"proxy.test:3128"/],
    ["proxy", () => manager({ proxy: `me:${SECRET}@proxy.test:3128` }), /Proxy URL had no scheme/],
    [
      "proxy",
      () => manager({ proxy: { host: "h", port: 1 } }),
      /proxy must be a string or a URL, .* not an object/,
    ],
    ["proxyAuth", () => manager({ proxyAuth: SECRET }), /stand in its URL, or in `proxyHeaders`/],
    ["allowH2", () => manager({ allowH2: true }), /it is `http2`/],
    [
      "a ProxyManager's second",
      () => new ProxyManager("http://h:1", 5 as Any),
      /options of a ProxyManager .* not 5/,
    ],
    [
      "user",
      () => new SOCKSProxyManager("socks5://h:1", { user: SECRET } as Any),
      /did you mean "username"\?/,
    ],
    [
      "passwd",
      () => new SOCKSProxyManager("socks5://h:1", { passwd: SECRET } as Any),
      /did you mean "password"\?/,
    ],
    [
      "userName",
      () => new SOCKSProxyManager("socks5://h:1", { userName: "x" } as Any),
      /did you mean "username"\?/,
    ],
  ];
  const manager = (options: Any): unknown => new PoolManager(options);
  for (const [name, run, text] of rows) it(`${name}: ${text.source}`, () => refuses(run, text));

  it("of one's own stay legal for a SOCKSProxyManager too", () => {
    using own = new SOCKSProxyManager("socks5://h:1", { tenant: "x" } as Any);
    assert.equal(own.connectionPoolKw.tenant, "x");
  });

  it("with names of one's own inside of others too, where they are asked for", () => {
    manager({ socketOptions: { mark: 5 }, allowUnknownOptions: true });
  });
});

describe("other arguments", () => {
  const rows: [name: string, run: () => unknown, text: RegExp][] = [
    [
      "makeHeaders",
      () => makeHeaders({ user_agent: "x" } as Any),
      /makeHeaders has no option user_agent: did you mean userAgent\?/,
    ],
    ["makeHeaders", () => makeHeaders({ bearer: SECRET } as Any), /its options are keepAlive/],
    [
      "makeHeaders",
      () => makeHeaders({ basicAuth: { user: SECRET } } as Any),
      /basicAuth must be a string such as user:password, not an object/,
    ],
    [
      "makeHeaders",
      () => makeHeaders({ acceptEncoding: 5 } as Any),
      /acceptEncoding must be true, a string or a list of them, not a number/,
    ],
    ["makeHeaders", () => makeHeaders("x" as Any), /options of makeHeaders must be an object, not "x"/],
    ["new Retry", () => new Retry("5" as Any), /Retry takes an object of options, not "5"/],
    ["new Retry", () => new Retry(null as Any), /Retry takes an object of options, not null/],
    ["new Timeout", () => new Timeout("5" as Any), /Timeout takes \{ total, connect, read \}, not "5"/],
    [
      "HTTPHeaderDict",
      () => new HTTPHeaderDict(Promise.resolve({}) as Any),
      /Header fields cannot be made of a Promise/,
    ],
    [
      "HTTPHeaderDict",
      () => new HTTPHeaderDict({ a: new Date() } as Any),
      /header a must be a string or number, not a Date/,
    ],
    [
      "a container",
      () => new RecentlyUsedContainer(5 as Any),
      /options of a RecentlyUsedContainer must be an object, not 5/,
    ],
    [
      "a container",
      () => new RecentlyUsedContainer({ maxsize: "5" } as Any),
      /maxsize must be a whole number .* not "5"/,
    ],
    [
      "a container",
      () => new RecentlyUsedContainer({ dispose_func: () => {} } as Any),
      /did you mean disposeFunc\?/,
    ],
    [
      "a container",
      () => new RecentlyUsedContainer({ disposeFunc: 5 } as Any),
      /disposeFunc must be a function, not 5/,
    ],
  ];
  for (const [name, run, text] of rows) it(`${name}: ${text.source}`, () => refuses(run, text));

  it("makeHeaders takes what is falsy for nothing", () => {
    assert.deepEqual(makeHeaders({ userAgent: undefined, basicAuth: null, keepAlive: false }), {});
  });
});

describe("arguments of a download", () => {
  const rows: [args: Any[], text: RegExp][] = [
    [[], /path must be the path of a file, not undefined/],
    [[{}], /path must be the path of a file, not an object/],
    [[""], /path must be the path of a file, not ""/],
    [["file", "x"], /options of a download must be an object, not "x"/],
    [["file", { resume: "no" }], /resume must be true or false, not "no"/],
    [["file", { mode: "0644" }], /mode must be a number such as 0o644, not "0644"/],
    [["file", { digest: "sha256" }], /options of digest must be an object, not "sha256"/],
    [["file", { digest: { algorithm: "sha256", sha: "x" } }], /digest has no option sha/],
    [["file", { digest: { algorithm: 5 } }], /unknown digest algorithm: 5/],
    [["file", { preloadcontent: true }], /did you mean "preloadContent"\?/],
  ];
  for (const [args, text] of rows) {
    it(text.source, async () => {
      using manager = new PoolManager();
      await refuses(() => (manager.downloadTo as Any)("http://127.0.0.1:1/", ...args), text);
      await refuses(() => (downloadTo as Any)(manager, "http://127.0.0.1:1/", ...args), text);
    });
  }

  it("no URL", async () => {
    using manager = new PoolManager();
    await refuses(
      () => (manager.downloadTo as Any)(undefined, "file"),
      /url must be a string or a URL, not undefined/,
    );
  });
});

it("all of them are of one class", () => {
  assert.throws(() => new PoolManager({ socketOptions: { nodelay: true } } as Any), InvalidArgumentError);
});
