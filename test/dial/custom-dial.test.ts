/** The option `connect`: a way to the first hop that the caller opens. */

import assert from "node:assert/strict";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { Duplex, duplexPair } from "node:stream";
import { describe, it } from "node:test";
import type { Connection } from "../../src/connection/connection.ts";
import {
  type ConnectFunction,
  type ConnectTarget,
  ConnectTimeoutError,
  NewConnectionError,
  PoolManager,
  ProxyError,
  SSLError,
  Timeout,
} from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { settle } from "../kit/clock.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startRogueProxy } from "../kit/rogue-proxy.ts";
import { startSocks } from "../kit/rogue-socks.ts";
import { connectorTo, opened } from "./open.ts";

leakGate();

const authority = await makeAuthority();
const identity = await authority.issue({ names: ["inside.test"] });
const trust = { caCertData: authority.cert };

/** Connections to a server that listens nowhere. */
function inMemory(server: http.Server): {
  connect: ConnectFunction;
  targets: ConnectTarget[];
  streams: Duplex[];
} {
  const targets: ConnectTarget[] = [];
  const streams: Duplex[] = [];
  const connect: ConnectFunction = (target) => {
    const [ours, theirs] = duplexPair();
    targets.push(target);
    streams.push(ours);
    server.emit("connection", theirs);
    return ours;
  };
  return { connect, targets, streams };
}

const answer: http.RequestListener = (request, response) => {
  response.end(`${request.method} ${request.headers.host} ${request.url}`);
};

describe("a stream", () => {
  it("in memory: no look-up, no socket, kept open and closed as a socket", async () => {
    const { connect, targets, streams } = inMemory(http.createServer(answer));
    const lookup = () => assert.fail("nothing is looked up");
    const manager = new PoolManager({ connect, lookup, retries: false });
    for (let i = 0; i < 2; i += 1) {
      const response = await manager.request("GET", "http://inside.test:8080/x");
      assert.equal(await response.text(), "GET inside.test:8080 /x");
    }
    const body = "x".repeat(300_000);
    assert.equal((await manager.request("POST", "http://inside.test:8080/y", { body })).status, 200);
    const [{ host, port, socketPath, origin }] = targets as [ConnectTarget];
    assert.deepEqual([targets.length, host, port, socketPath], [1, "inside.test", 8080, null]);
    assert.deepEqual(origin, { scheme: "http", host: "inside.test", port: 8080 });
    assert.equal(manager.stats().openConnections, 1);
    await manager.close();
    // A connection that was used rests before it is idle, and then is not kept.
    await settle();
    assert.equal(streams[0]!.destroyed, true);
  });

  it("promised, for https: TLS runs on it, and the certificate counts", async () => {
    const { connect, streams } = inMemory(https.createServer(identity, answer));
    await using manager = new PoolManager({
      ...trust,
      connect: async (target) => connect(target),
      retries: false,
    });
    const response = await manager.request("GET", "https://inside.test/x");
    assert.equal(await response.text(), "GET inside.test /x");
    assert.notEqual(response.timings?.tls, null);
    await assert.rejects(manager.request("GET", "https://other.test/x"), SSLError);
    assert.equal(streams[1]!.destroyed, true);
  });

  it("leads to the proxy where there is one: CONNECT and SOCKS run on it", async () => {
    await using origin = await startHttp(() => "inside", { tls: identity });
    await using proxy = await startRogueProxy((request) =>
      request.method === "CONNECT" ? { tunnel: { port: origin.port } } : { body: request.target },
    );
    await using socks = await startSocks({ target: { host: "127.0.0.1", port: origin.port } });
    const hops: unknown[] = [];
    const connect: ConnectFunction = ({ host, port, origin }) => {
      hops.push([host, port, origin.host]);
      return net.connect(host === "proxy.test" ? proxy.port : socks.port, "127.0.0.1");
    };
    for (const [url, hop] of [
      ["http://proxy.test:3128", ["proxy.test", 3128, "inside.test"]],
      ["socks5h://socks.test:1080", ["socks.test", 1080, "inside.test"]],
    ] as const) {
      await using manager = new PoolManager({ ...trust, proxy: url, connect, retries: false });
      assert.equal(await (await manager.request("GET", "https://inside.test/")).text(), "inside");
      assert.deepEqual(hops.at(-1), hop);
    }
    await using forwarding = new PoolManager({ proxy: "http://proxy.test:3128", connect });
    assert.equal(await (await forwarding.request("GET", "http://a.test/")).text(), "http://a.test/");
    await using refused = new PoolManager({
      proxy: "http://proxy.test",
      connect: () => closedStream(),
      retries: false,
    });
    await assert.rejects(refused.request("GET", "https://inside.test/"), ProxyError);
  });

  it("a socket that still connects is waited for", async () => {
    await using origin = await startHttp(() => "inside");
    await using manager = new PoolManager({ connect: () => net.connect(origin.port, "127.0.0.1") });
    assert.equal(await (await manager.request("GET", "http://a.test/")).text(), "inside");
    await using refused = new PoolManager({ connect: () => net.connect(1, "127.0.0.1"), retries: false });
    await assert.rejects(refused.request("GET", "http://a.test/"), (error: Error) => {
      assert.ok(error instanceof NewConnectionError);
      return (error.cause as NodeJS.ErrnoException).code === "ECONNREFUSED";
    });
  });
});

function closedStream(): Duplex {
  return new Duplex({ read() {}, write() {} }).destroy();
}

describe("a failure", () => {
  const cause = new Error("no way in");
  const kinds: [name: string, connect: ConnectFunction, text: RegExp][] = [
    [
      "is thrown",
      () => {
        throw cause;
      },
      /Failed to establish a new connection: no way in/,
    ],
    ["is promised", () => Promise.reject(cause), /Failed to establish a new connection: no way in/],
    ["is a stream that was closed already", closedStream, /closed already/],
    ["is no stream", () => 5 as never, /connect must give a Duplex or a Connection, not a number/],
    [
      "is nothing",
      async () => undefined as never,
      /connect must give a Duplex or a Connection, not undefined/,
    ],
  ];
  for (const [name, connect, text] of kinds) {
    it(name, async () => {
      const manager = new PoolManager({ connect, retries: false });
      await assert.rejects(manager.request("GET", "http://a.test/"), text);
      await manager.close();
      assert.equal(manager.stats().openConnections, 0);
    });
  }

  it("that is the function's fault is no failure of the proxy", async () => {
    await using manager = new PoolManager({
      proxy: "http://proxy.test",
      connect: () => 5 as never,
      retries: false,
    });
    await assert.rejects(manager.request("GET", "http://a.test/"), TypeError);
  });

  it("counts as one of connecting", async () => {
    let calls = 0;
    const { connect } = inMemory(http.createServer(answer));
    await using manager = new PoolManager({
      connect: (target) => (++calls < 3 ? Promise.reject(cause) : connect(target)),
      retries: 2,
    });
    assert.equal((await manager.request("POST", "http://a.test/")).status, 200);
    assert.equal(calls, 3);
  });
});

describe("time", () => {
  it("runs out: the signal is aborted, and a stream that comes late is closed", async () => {
    const { connect, streams } = inMemory(http.createServer(answer));
    // Something else keeps the program alive.
    await using _origin = await startHttp();
    const signals: AbortSignal[] = [];
    let late = (): void => {};
    const waiting = new Promise<void>((resolve) => {
      late = resolve;
    });
    await using manager = new PoolManager({
      connect: async (target) => {
        signals.push(target.signal);
        await waiting;
        return connect(target);
      },
      timeout: new Timeout({ connect: 30 }),
      retries: false,
    });
    await assert.rejects(manager.request("GET", "http://a.test/"), (error: Error) => {
      assert.ok(
        error instanceof ConnectTimeoutError && !(error instanceof NewConnectionError),
        String(error),
      );
      return /Connection to a\.test:80 timed out: connect had not ended/.test(error.message);
    });
    assert.deepEqual([signals.length, signals[0]!.aborted], [1, true]);
    late();
    await settle();
    assert.deepEqual(
      streams.map(({ destroyed }) => destroyed),
      [true],
    );
  });
});

describe("a Connection", () => {
  const fake = (): Connection & { closed: boolean } => {
    const info = { id: -1, protocol: "http/1.1", route: "fake:1", address: null };
    const made = {
      closed: false,
      info,
      setup: { dns: 0, connect: 0, tls: null },
      start() {},
      ref() {},
      unref() {},
    };
    return Object.assign(made, {
      close: () => {
        made.closed = true;
      },
    }) as never;
  };

  it("is used as it is, whatever the route, and knows whom to report to", async () => {
    const connection = fake();
    const owners: unknown[] = [];
    const connect: ConnectFunction = ({ owner }) => {
      owners.push(owner);
      return connection;
    };
    const owner = { capacityChanged() {}, unsent() {}, dead() {} } as never;
    const connector = connectorTo("https", "a.test", 443, { connect, proxy: "http://proxy.test" });
    const given = await new Promise((resolve, reject) => {
      connector.connect({ owner, connected: resolve, failed: reject });
    });
    assert.equal(given, connection);
    assert.deepEqual(owners, [owner]);
  });

  it("that nobody wants any more, or that is no stream, is closed", async () => {
    const connections = [fake(), fake()];
    const next = connections.values();
    const connector = connectorTo("http", "a.test", 80, { connect: () => next.next().value! });
    const never = () => assert.fail("it was given up");
    connector.connect({ owner: {} as never, connected: never, failed: never }).abort();
    await assert.rejects(opened(connector), /where a stream is needed/);
    assert.deepEqual(
      connections.map(({ closed }) => closed),
      [true, true],
    );
  });
});
