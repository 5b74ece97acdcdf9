import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { describe, it } from "node:test";
import {
  AddressBlockedError,
  blockPrivateAddresses,
  HTTPConnectionPool,
  type HTTPError,
  MaxRetryError,
  NameResolutionError,
  NewConnectionError,
  PoolManager,
} from "../../src/index.ts";
import { TemporaryFolder } from "../dial/tls/temporary-folder.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";

leakGate();

describe("where connections go", () => {
  it("a Unix-domain socket, whatever the host", async () => {
    using folder = new TemporaryFolder();
    await using origin = await startHttp(undefined, { path: folder.path("socket") });
    await using manager = new PoolManager({ socketPath: origin.host });
    const response = await manager.request("GET", "http://no.such.host.invalid/x");
    assert.equal(response.status, 200);
    await manager.request("GET", "http://no.such.host.invalid/y");
    assert.equal(origin.received[0]!.header("host"), "no.such.host.invalid");
    assert.equal(response.url, "http://no.such.host.invalid/x");
    assert.equal(origin.accepted, 1);
  });

  it("a Unix-domain socket that is not there", async () => {
    using pool = new HTTPConnectionPool("x", 80, { socketPath: "/no/such/socket" });
    await assert.rejects(pool.request("GET", "/", { retries: false }), (error: NewConnectionError) => {
      assert.ok(error instanceof NewConnectionError);
      assert.match(error.message, /\/no\/such\/socket/);
      assert.equal(error.route, "/no/such/socket");
      return true;
    });
  });

  it("CP-55: sourceAddress", async () => {
    const from: string[] = [];
    await using origin = await startHttp(({ connection }) => {
      from.push((connection.socket as unknown as RemoteSocket).remoteAddress);
      return "x";
    });
    for (const sourceAddress of ["127.0.0.2", { address: "127.0.0.3" }]) {
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { sourceAddress });
      await pool.request("GET", "/");
    }
    assert.deepEqual(from, ["127.0.0.2", "127.0.0.3"]);
  });

  it("CP-56: a source address that is not ours", async () => {
    using pool = new HTTPConnectionPool("127.0.0.1", 1, { sourceAddress: "192.0.2.1", retries: false });
    await assert.rejects(pool.request("GET", "/"), NewConnectionError);
  });

  it("CP-40, CP-58: refused, after the retries; no place is lost", async () => {
    const origin = await startOrigin("");
    const { port } = origin;
    await origin.close();
    using pool = new HTTPConnectionPool("127.0.0.1", port, { maxsize: 1 });
    for (let round = 0; round < 3; round += 1) {
      await assert.rejects(pool.request("GET", "/", { retries: 1 }), (error) => {
        assert.ok(error instanceof MaxRetryError);
        assert.ok(error.reason instanceof NewConnectionError);
        assert.equal(error.cause, error.reason);
        assert.match(error.message, new RegExp(`GET http://127.0.0.1:${port}/`));
        return true;
      });
    }
    assert.deepEqual([pool.numRequests, pool.numBusy, pool.numIdle, pool.numQueued], [6, 0, 0, 0]);
  });

  it("CP-46: a name that does not resolve", async () => {
    const lookup: LookupFunction = (_host, _options, done) =>
      done(Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" }), []);
    using pool = new HTTPConnectionPool("nowhere.example", 80, { lookup });
    await assert.rejects(pool.request("GET", "/", { retries: 0 }), (error) => {
      assert.ok(error instanceof MaxRetryError);
      assert.ok(error.reason instanceof NameResolutionError);
      assert.match(error.message, /nowhere\.example/);
      return true;
    });
  });

  it("a lookup of one's own", async () => {
    await using origin = await startHttp(() => "x");
    const asked: string[] = [];
    using pool = new HTTPConnectionPool("made.up.example", origin.port, { lookup: to("127.0.0.1", asked) });
    assert.equal((await pool.request("GET", "/")).status, 200);
    await pool.request("GET", "/");
    assert.deepEqual(asked, ["made.up.example"]);
    assert.equal(origin.received[0]!.header("host"), `made.up.example:${origin.port}`);
  });

  it("CP-37, CP-38: TCP_NODELAY unless it is switched off", async () => {
    const { Socket } = await import("node:net");
    const original = Socket.prototype.connect;
    const seen: unknown[] = [];
    Socket.prototype.connect = function (this: unknown, ...args: unknown[]) {
      const [options] = (Array.isArray(args[0]) ? args[0] : args) as [
        { noDelay?: boolean; keepAlive?: boolean },
      ];
      seen.push([options.noDelay, options.keepAlive]);
      return Reflect.apply(original, this, args);
    } as typeof original;
    try {
      await using origin = await startHttp(() => "x");
      for (const socketOptions of [undefined, null, { noDelay: false }, { keepAlive: true }]) {
        using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { socketOptions });
        await pool.request("GET", "/");
      }
    } finally {
      Socket.prototype.connect = original;
    }
    assert.deepEqual(seen, [
      [true, undefined],
      [true, undefined],
      [false, undefined],
      [true, true],
    ]);
  });
});

describe("addressFilter: blockPrivateAddresses", () => {
  const hosts: [host: string, address?: string][] = [
    ["127.0.0.1"],
    ["localhost"],
    ["2130706433"],
    ["0x7f.1"],
    ["[::1]"],
    ["[::ffff:127.0.0.1]"],
    ["rebound.example", "127.0.0.1"],
    ["metadata.example", "169.254.169.254"],
    ["intranet.example", "10.0.0.1"],
  ];
  for (const [host, address] of hosts) {
    it(`refuses ${host}${address ? ` at ${address}` : ""}`, async () => {
      await using origin = await startHttp(() => "secret");
      await using manager = new PoolManager({
        addressFilter: blockPrivateAddresses,
        ...(address === undefined ? {} : { lookup: to(address) }),
      });
      const url = `http://${host}:${origin.port}/`;
      await assert.rejects(manager.request("GET", url, { retries: 2 }), (error: HTTPError) => {
        const reason = error instanceof MaxRetryError ? error.reason : error;
        assert.ok(reason instanceof AddressBlockedError, String(error));
        return true;
      });
      assert.equal(origin.accepted, 0);
    });
  }

  it("also for the target of a redirect", async () => {
    await using inside = await startHttp(() => "secret");
    await using outside = await startHttp(() => ({
      status: 302,
      headers: { Location: `http://127.0.0.2:${inside.port}/` },
    }));
    await using manager = new PoolManager({ addressFilter: (address) => address === "127.0.0.1" });
    await assert.rejects(manager.request("GET", `${outside.url}/`), (error: HTTPError) => {
      const reason = error instanceof MaxRetryError ? error.reason : error;
      assert.ok(reason instanceof AddressBlockedError, String(error));
      return true;
    });
    assert.equal(inside.accepted, 0);
  });
});

interface RemoteSocket {
  remoteAddress: string;
}

/** A look-up that answers every question with one address. */
function to(address: string, asked: string[] = []): LookupFunction {
  return (host, options, done) => {
    asked.push(host);
    if (options.all) done(null, [{ address, family: 4 }]);
    else done(null, address, 4);
  };
}
