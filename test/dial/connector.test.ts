/** Bare sockets over every kind of route, and what a connection that is being made says of itself. */

import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import http from "node:http";
import type { LookupFunction, Socket } from "node:net";
import { describe, it } from "node:test";
import type { Connection } from "../../src/connection/connection.ts";
import { ConnectTimeoutError, type HTTPError, ProxyError, ReadTimeoutError } from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";
import { startRogueProxy } from "../kit/rogue-proxy.ts";
import { startSocks } from "../kit/rogue-socks.ts";
import { connectorTo, opened } from "./open.ts";

leakGate();

const authority = await makeAuthority();
const tls = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
const trust = { caCertData: authority.cert };

const loopback: LookupFunction = (_host, _options, done) => {
  done(null, [{ address: "127.0.0.1", family: 4 }]);
};

/** The answer to a GET that node:http sends over `socket`. */
async function getOver(socket: Socket): Promise<string> {
  const request = http.get({ host: "origin.test", path: "/x", createConnection: () => socket });
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request.on("response", resolve).on("error", reject);
  });
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  socket.destroy();
  return text;
}

describe("openSocket", () => {
  for (const scheme of ["http", "https"] as const) {
    it(`${scheme}: directly, through CONNECT, through SOCKS`, async () => {
      await using origin = await startHttp(
        () => "inside",
        scheme === "https" ? { tls: { ...tls, ALPNProtocols: ["h2", "http/1.1"] } } : {},
      );
      await using proxy = await startRogueProxy();
      await using secure = await startRogueProxy(undefined, { tls });
      await using socks = await startSocks();
      const ways = [{}, { proxy: `socks5://127.0.0.1:${socks.port}` }];
      // Requests for http are forwarded by such a proxy, not tunnelled.
      if (scheme === "https") ways.push({ proxy: proxy.url }, { proxy: secure.url });
      for (const way of ways) {
        const connector = connectorTo(scheme, "127.0.0.1", origin.port, { ...trust, ...way });
        const { socket, wire, setup, address, protocol } = await opened(connector);
        assert.equal(await getOver(socket), "inside", JSON.stringify(way));
        assert.equal(address, "127.0.0.1");
        assert.equal(protocol, scheme === "https" ? "http/1.1" : null);
        assert.equal(setup.tls === null, scheme === "http");
        assert.equal(wire === socket, scheme === "http" || !("proxy" in way));
        wire.destroy();
      }
    });
  }

  it("gives a socket on which nobody listens, and reads nothing from it", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.send("hello");
      await connection.closed;
    });
    const connector = connectorTo("http", "127.0.0.1", origin.port);
    await new Promise<void>((resolve, reject) => {
      connector.openSocket({
        opened: ({ socket }) => {
          assert.deepEqual([socket.listenerCount("error"), socket.listenerCount("data")], [0, 0]);
          socket.on("error", reject).once("data", (bytes) => {
            assert.equal(bytes.toString(), "hello");
            socket.destroy();
            resolve();
          });
        },
        failed: reject,
      });
    });
  });

  it("fails as a connection does, and says nothing once it is given up", async () => {
    await assert.rejects(opened(connectorTo("http", "127.0.0.1", 1)), /ECONNREFUSED 127\.0\.0\.1:1/);
    await using origin = await startHttp();
    const never = () => assert.fail("it was given up");
    connectorTo("http", "127.0.0.1", origin.port).openSocket({ opened: never, failed: never }).abort();
    await new Promise((resolve) => setTimeout(resolve, 20));
  });
});

describe("timeoutError says where the connection stands", () => {
  it("at every step, and nobody hears of the connection once it is given up for it", async () => {
    await using silent = await startOrigin((connection) => connection.closed);
    await using silentSocks = await startSocks({ silent: true });
    await using proxy = await startRogueProxy(() => ({ tunnel: { port: silent.port } }));
    const at = `127.0.0.1:${silent.port}`;
    const steps: [
      name: string,
      scheme: string,
      options: object,
      error: unknown,
      text: RegExp,
      route: string,
    ][] = [
      [
        "dns",
        "http",
        { lookup: () => {} },
        ConnectTimeoutError,
        /^Connection to h\.test timed out\. \(connect timeout=51 ms\) \(its name is still being looked up\)$/,
        "h.test:80",
      ],
      [
        "TLS",
        "https",
        { lookup: loopback },
        ReadTimeoutError,
        /during the TLS handshake with 'h\.test'\. \(connect timeout=51 ms\)/,
        `h.test:${silent.port}`,
      ],
      [
        "CONNECT",
        "https",
        { proxy: `http://${at}` },
        ProxyError,
        /no answer to CONNECT\. \(connect timeout=51 ms\)/,
        at,
      ],
      [
        "TLS with the proxy",
        "https",
        { proxy: `https://${at}` },
        ProxyError,
        /proxy: Read timed out during the TLS handshake with '127\.0\.0\.1'/,
        at,
      ],
      [
        "TLS behind a proxy",
        "https",
        { proxy: proxy.url },
        ReadTimeoutError,
        /TLS handshake with 'h\.test'/,
        `127.0.0.1:${proxy.port}`,
      ],
      [
        "SOCKS",
        "http",
        { proxy: `socks5h://127.0.0.1:${silentSocks.port}` },
        ConnectTimeoutError,
        /SOCKS proxy timed out\. \(connect timeout=51 ms\)/,
        `127.0.0.1:${silentSocks.port}`,
      ],
    ];
    for (const [name, scheme, options, type, text, route] of steps) {
      const port = name === "dns" ? 80 : silent.port;
      const connector = connectorTo(scheme, "h.test", port, { ...trust, ...options });
      const seen: unknown[] = [];
      const note = (message: unknown): void => void seen.push((message as { error: unknown }).error);
      subscribe("urlpool:connection:error", note);
      const never = () => assert.fail("it was given up");
      const connecting = connector.connect({ owner: {} as never, connected: never, failed: never });
      await until(() => text.test(connecting.timeoutError(50.2).message));
      const error = connecting.timeoutError(50.2);
      assert.ok(error instanceof (type as typeof HTTPError), `${name}: ${error}`);
      assert.equal(error.route, route, name);
      // Others may still wait: asking gives nothing up.
      assert.deepEqual(seen, []);
      connecting.abort(error);
      assert.deepEqual(seen, [error]);
      unsubscribe("urlpool:connection:error", note);
    }
  });
});

describe("a connection", () => {
  it("knows the address at the other end of its socket", async () => {
    await using origin = await startHttp(() => "x", { tls });
    await using proxy = await startRogueProxy();
    for (const options of [{}, { proxy: proxy.url }]) {
      const connector = connectorTo("https", "localhost", origin.port, {
        ...trust,
        ...options,
        lookup: loopback,
      });
      const connection = await new Promise<Connection>((resolve, reject) => {
        connector.connect({
          owner: { idle() {}, dead() {}, capacityChanged() {}, unsent() {} } as never,
          connected: resolve,
          failed: reject,
        });
      });
      assert.equal(connection.info.address, "127.0.0.1");
      connection.close();
    }
  });
});

/** Waits for what a few turns of the event loop bring about. */
async function until(reached: () => boolean): Promise<void> {
  const end = performance.now() + 5000;
  while (!reached() && performance.now() < end) await new Promise((resolve) => setImmediate(resolve));
}
