/** `SOCKSProxyManager`: what the proxy is asked, and what its failures mean. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import type { LookupFunction } from "node:net";
import { describe, it } from "node:test";
import {
  AddressBlockedError,
  blockPrivateAddresses,
  ConnectTimeoutError,
  type HTTPError,
  MaxRetryError,
  NameResolutionError,
  NewConnectionError,
  PoolManager,
  ProxySchemeUnknown,
  SOCKSProxyManager,
  type SOCKSProxyManagerOptions,
  Timeout,
} from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { type SocksServer, type SocksServerOptions, startSocks } from "../kit/rogue-socks.ts";

leakGate();

const authority = await makeAuthority();
const tls = await authority.issue({ names: ["localhost", "origin.test"], ips: ["127.0.0.1"] });
const trust = { caCertData: authority.cert };
const toLoopback: LookupFunction = (_host, _options, done) =>
  done(null, [{ address: "127.0.0.1", family: 4 }]);
const CAROL = { user: "carol", password: "p@ss:w\u00f6rd" };

function address(server: { port: number }, scheme = "socks5", userinfo = ""): string {
  return `${scheme}://${userinfo}127.0.0.1:${server.port}`;
}

describe("the URL", () => {
  it("SX-01: another scheme, or none", () => {
    for (const url of ["http://host:1", "socks://host:1", "socks6://host:1"])
      assert.throws(() => new SOCKSProxyManager(url), /Unable to determine SOCKS version/);
    assert.throws(() => new SOCKSProxyManager("host:1080"), ProxySchemeUnknown);
  });

  it("the port is 1080 if there is none, and the proxy is part of the key", () => {
    const manager = new SOCKSProxyManager("SOCKS5H://Proxy");
    const pool = manager.connectionFromUrl("http://a.test/");
    assert.equal(pool.proxy, "socks5h://proxy:1080");
    assert.notEqual(manager.connectionFromUrl("http://b.test/"), pool);
    assert.equal(manager.connectionFromUrl("http://A.test:80/"), pool);
  });
});

describe("what the proxy is asked", () => {
  const cases: [scheme: string, version: number, host: string, named: boolean][] = [
    ["socks5", 5, "127.0.0.1", false],
    ["socks5h", 5, "origin.test", true],
    ["socks4", 4, "127.0.0.1", false],
    ["socks4a", 4, "origin.test", true],
  ];
  for (const [scheme, version, host, named] of cases) {
    for (const secure of [false, true]) {
      it(`SX-02, SX-03, SX-04: ${scheme}, ${secure ? "https" : "http"}`, async () => {
        await using origin = await startHttp(() => "inside", secure ? { tls } : {});
        await using server = await startSocks({
          target: { host: "127.0.0.1", port: origin.port },
          bytewise: true,
        });
        await using manager = new SOCKSProxyManager(address(server, scheme), {
          ...trust,
          lookup: toLoopback,
        });
        const url = `http${secure ? "s" : ""}://origin.test.:${origin.port}/a?b#c`;
        for (let i = 0; i < 3; i += 1)
          assert.equal(await (await manager.request("GET", url)).text(), "inside");
        const nobody = version === 4 ? "" : null;
        assert.deepEqual(server.asked, [
          { version, host, named, port: origin.port, user: nobody, password: null },
        ]);
        const [request] = origin.received;
        assert.equal(request!.target, "/a?b");
        assert.match(request!.header("host")!, /^origin\.test/);
        assert.equal(request!.header("accept"), null);
      });
    }
  }

  it("an IPv6 address", async () => {
    await using origin = await startHttp(() => "inside");
    await using server = await startSocks({ target: { host: "127.0.0.1", port: origin.port } });
    for (const scheme of ["socks5", "socks5h"]) {
      await using manager = new SOCKSProxyManager(address(server, scheme));
      await manager.request("GET", "http://[2001:db8::1]:81/");
      const { host, port } = server.asked.at(-1)!;
      assert.deepEqual([host, port], ["2001:db8:0:0:0:0:0:1", 81]);
    }
    await using four = new SOCKSProxyManager(address(server, "socks4"), { retries: false });
    await assert.rejects(four.request("GET", "http://[2001:db8::1]:81/"), /SOCKS4 knows only IPv4/);
  });

  it("a zone stays here", async () => {
    await using origin = await startHttp(() => "inside");
    await using server = await startSocks({ target: { host: "127.0.0.1", port: origin.port } });
    for (const scheme of ["socks5", "socks5h"]) {
      await using manager = new SOCKSProxyManager(address(server, scheme));
      await manager.request("GET", "http://[fe80::1%25eth0]:81/");
      assert.equal(server.asked.at(-1)!.host, "fe80:0:0:0:0:0:0:1");
    }
    assert.equal(origin.received[0]!.header("host"), "[fe80::1]:81");
  });

  it("all addresses of a name that the client looks up, each on a connection of its own", async () => {
    await using origin = await startHttp(() => "inside");
    const reachable = new Set(["127.0.0.1"]);
    await using server = await startSocks({
      target: { host: "127.0.0.1", port: origin.port },
      refuse: ({ host }) => (reachable.has(host) ? null : 5),
    });
    const addresses = [
      { address: "127.0.0.8", family: 4 },
      { address: "127.0.0.9", family: 4 },
      { address: "2001:db8::1", family: 6 },
      { address: "127.0.0.1", family: 4 },
    ];
    const lookup: LookupFunction = (_host, _options, done) => done(null, addresses);
    for (const scheme of ["socks5", "socks4"]) {
      server.asked.length = 0;
      await using manager = new SOCKSProxyManager(address(server, scheme), { lookup, retries: false });
      assert.equal((await manager.request("GET", "http://origin.test/")).status, 200);
      const hosts = server.asked.map(({ host }) => host);
      const six = scheme === "socks5" ? ["2001:db8:0:0:0:0:0:1"] : [];
      assert.deepEqual(hosts, ["127.0.0.8", ...six, "127.0.0.9", "127.0.0.1"]);
    }
    reachable.clear();
    await using manager = new SOCKSProxyManager(address(server), { lookup, retries: false });
    await assert.rejects(manager.request("GET", "http://origin.test/"), (error: Error) => {
      assert.ok(error instanceof NewConnectionError);
      return /ConnectionRefused \(tried 127\.0\.0\.8, 2001:db8::1, 127\.0\.0\.9, 127\.0\.0\.1\)$/.test(
        error.message,
      );
    });
    // No address would do where the credentials are refused.
    server.asked.length = 0;
    await refused({ auth: CAROL }, "socks5", "carol:wr0ng@");
  });

  it("as a proxy option too, chosen for each request", async () => {
    await using origin = await startHttp(() => "inside");
    await using server = await startSocks();
    await using manager = new PoolManager({ proxy: () => address(server) });
    for (let i = 0; i < 2; i += 1) await manager.request("GET", `${origin.url}/`);
    assert.equal(server.asked.length, 1);
    assert.equal(server.asked[0]!.port, origin.port);
  });
});

describe("credentials", () => {
  const userinfo = `${CAROL.user}:${encodeURIComponent(CAROL.password)}@`;
  const given: [name: string, userinfo: string, options: SOCKSProxyManagerOptions][] = [
    ["SX-09: as options", "", { username: CAROL.user, password: CAROL.password }],
    ["SX-10, SX-11: in the URL, percent-encoded", userinfo, {}],
    ["options before the URL's", "dave:x@", { username: CAROL.user, password: CAROL.password }],
  ];
  for (const [name, user, options] of given) {
    it(name, async () => {
      await using origin = await startHttp(() => "inside");
      await using server = await startSocks({ auth: CAROL });
      await using manager = new SOCKSProxyManager(address(server, "socks5", user), options);
      assert.equal((await manager.request("GET", `${origin.url}/`)).status, 200);
      assert.equal(server.asked[0]!.password, CAROL.password);
    });
  }

  it("what the protocol cannot carry is refused before anything is dialled", async () => {
    await using server = await startSocks({ auth: CAROL });
    const long = "p".repeat(256);
    for (const [scheme, user, password, message] of [
      ["socks5", long, "p", /user name for a SOCKS5 proxy must have at most 255 bytes, not 256/],
      ["socks5h", "u", long, /password for a SOCKS5 proxy must have at most 255 bytes, not 256/],
      ["socks5", "u", "\u00fc".repeat(128), /password .* not 256/],
      ["socks4a", "u\0evil.test\0", "", /user name .* NUL/],
      ["socks5", "u", "p\0", /password .* NUL/],
    ] as const) {
      const given = { username: user, password };
      assert.throws(() => new SOCKSProxyManager(address(server, scheme), given), message);
      const encoded = `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`;
      assert.throws(() => new SOCKSProxyManager(address(server, scheme, encoded)), message);
      await using chosen = new PoolManager({ proxy: () => address(server, scheme, encoded), retries: false });
      await assert.rejects(chosen.request("GET", "http://origin.test/"), message);
    }
    await using manager = new SOCKSProxyManager(address(server, "socks5h"), { retries: false });
    await assert.rejects(
      manager.request("GET", `http://${`${"a".repeat(50)}.`.repeat(6)}/`),
      /longer than 255 bytes/,
    );
    assert.equal(server.accepted, 0);
    const most = { user: "u".repeat(255), password: "p".repeat(255) };
    await using roomy = await startSocks({ auth: most });
    await using origin = await startHttp(() => "inside");
    await using good = new SOCKSProxyManager(address(roomy), {
      username: most.user,
      password: most.password,
    });
    assert.equal((await good.request("GET", `${origin.url}/`)).status, 200);
  });

  it("SX-12: a wrong password, or none where one is needed", async () => {
    for (const user of ["carol:wr0ng@", ""]) {
      const error = await refused({ auth: CAROL }, "socks5", user);
      assert.match(error.message, /authenticat/i);
      assert.ok(!JSON.stringify(error).includes("wr0ng"));
    }
  });

  it("SX-14, SX-15: the user id of SOCKS 4", async () => {
    await using origin = await startHttp(() => "inside");
    await using server = await startSocks({ auth: CAROL });
    await using manager = new SOCKSProxyManager(address(server, "socks4", "carol@"));
    assert.equal((await manager.request("GET", `${origin.url}/`)).status, 200);
    assert.equal(server.asked[0]!.user, "carol");
    assert.match((await refused({ auth: CAROL }, "socks4", "dave@")).message, /different user-ids/);
  });
});

describe("failures", () => {
  it("SX-07: no way to the proxy", async () => {
    await using manager = new SOCKSProxyManager("socks5://127.0.0.1:1", { retries: 1 });
    await assert.rejects(manager.request("GET", "http://127.0.0.1/"), (error) => {
      assert.ok(error instanceof MaxRetryError && error.reason instanceof NewConnectionError, String(error));
      return /ECONNREFUSED/.test(error.reason.message);
    });
  });

  for (const [scheme, codes] of [
    ["socks5h", [1, 2, 3, 4, 5, 6, 7, 8, 99]],
    ["socks4a", [91, 92, 93]],
  ] as const) {
    it(`SX-08: ${scheme} refuses`, async () => {
      for (const refuse of codes) await refused({ refuse }, scheme);
    });
  }

  for (const [scheme, auth, length] of [
    ["socks5", undefined, 12],
    ["socks5", CAROL, 14],
    ["socks4", undefined, 8],
  ] as const) {
    it(`the proxy closes at every point: ${scheme}${auth === undefined ? "" : " with a password"}`, async () => {
      for (let closeAfter = 1; closeAfter < length; closeAfter += 1) {
        const options = {
          closeAfter,
          target: { port: 1 },
          refuse: 0,
          ...(auth === undefined ? {} : { auth }),
        };
        const userinfo = auth === undefined ? "" : `carol:${encodeURIComponent(CAROL.password)}@`;
        await refused({ ...options, refuse: scheme === "socks4" ? 90 : 0 }, scheme, userinfo);
      }
    });
  }

  it("what is no SOCKS proxy", async () => {
    await using http = await startHttp();
    await using manager = new SOCKSProxyManager(address(http), {
      retries: false,
      timeout: new Timeout({ connect: 500 }),
    });
    await assert.rejects(manager.request("GET", "http://127.0.0.1/"), ConnectTimeoutError);
  });

  it("SX-05: a handshake without end is a ConnectTimeoutError", async () => {
    await using server = await startSocks({ silent: true });
    await using manager = new SOCKSProxyManager(address(server), {
      retries: false,
      timeout: new Timeout({ connect: 60 }),
    });
    await assert.rejects(manager.request("GET", "https://127.0.0.1/"), (error) => {
      assert.ok(
        error instanceof ConnectTimeoutError && !(error instanceof NewConnectionError),
        String(error),
      );
      return /connect timeout=\d+/.test(error.message);
    });
  });

  it("an abort ends the handshake, with the pool at last", async () => {
    await using server = await startSocks({ silent: true });
    await using manager = new SOCKSProxyManager(address(server));
    const controller = new AbortController();
    const request = manager.request("GET", "https://127.0.0.1/", { signal: controller.signal });
    const connection = await server.connection(0);
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(request, reason);
    manager.clear();
    await connection.closed;
  });

  it("a name that only the client looks up, and does not find", async () => {
    const lookup: LookupFunction = (_host, _options, done) =>
      done(Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" }), []);
    await using server = await startSocks();
    await using manager = new SOCKSProxyManager(address(server), { lookup, retries: false });
    await assert.rejects(manager.request("GET", "http://no.such.test/"), NameResolutionError);
    assert.deepEqual(server.asked, []);
  });

  it("addressFilter judges the proxy, and origins that the client looks up", async () => {
    await using server = await startSocks();
    const asked: string[] = [];
    await using manager = new SOCKSProxyManager(address(server), {
      retries: false,
      lookup: (host, options, done) =>
        host === "internal.test"
          ? done(null, [{ address: "10.0.0.1", family: 4 }])
          : toLoopback(host, options, done),
      addressFilter: (ip, family) => {
        asked.push(ip);
        return ip === "127.0.0.1" || blockPrivateAddresses(ip, family);
      },
    });
    await assert.rejects(manager.request("GET", "http://internal.test/"), AddressBlockedError);
    assert.deepEqual(asked, ["127.0.0.1", "10.0.0.1"]);
    assert.deepEqual(server.asked, []);
  });
});

it("SX-13: sourceAddress is the client's", async () => {
  await using origin = await startHttp(() => "inside");
  await using server = await startSocks();
  const peers: (string | undefined)[] = [];
  server.server.on("connection", (socket) => peers.push(socket.remoteAddress));
  await using manager = new SOCKSProxyManager(address(server), { sourceAddress: "127.0.0.9" });
  await manager.request("GET", `${origin.url}/`);
  assert.deepEqual(peers, ["127.0.0.9"]);
});

it("a missing package is named", () => {
  const hook = `export async function resolve(name, context, next) {
    if (name === "socks") throw Object.assign(new Error("Cannot find package 'socks'"), { code: "ERR_MODULE_NOT_FOUND" });
    return next(name, context);
  }`;
  const program = `
    import { createServer } from "node:net";
    import { register } from "node:module";
    register("data:text/javascript," + encodeURIComponent(${JSON.stringify(hook)}));
    const { SOCKSProxyManager } = await import(${JSON.stringify(new URL("../../src/index.js", import.meta.url).href)});
    const server = createServer().listen(0, "127.0.0.1", async () => {
      const manager = new SOCKSProxyManager("socks5://127.0.0.1:" + server.address().port);
      const error = await manager.request("GET", "http://127.0.0.1/").catch((error) => error);
      console.log(error.code, error.message);
      process.exit();
    });`;
  const run = spawnSync(process.execPath, ["--input-type=module", "--eval", program], { encoding: "utf8" });
  assert.match(
    run.stdout,
    /^ERR_URLPOOL_MISSING_DEPENDENCY .*package 'socks': npm install socks/,
    run.stderr,
  );
});

/** The error of a request through a proxy that does so. */
async function refused(options: SocksServerOptions, scheme: string, userinfo = ""): Promise<HTTPError> {
  await using server: SocksServer = await startSocks(options);
  await using manager = new SOCKSProxyManager(address(server, scheme, userinfo), { retries: false });
  const error = await manager.request("GET", "http://127.0.0.1:9/").then(
    () => assert.fail("the request succeeded"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof NewConnectionError, String(error));
  assert.equal(error.phase, "proxy");
  assert.match(error.message, /Failed to establish a new connection through the SOCKS proxy/);
  assert.equal(manager.stats().openConnections, 0);
  return error;
}
