/** Tunnels that work: which answers open them, what CONNECT says, how long they are kept, what goes through them. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import type { TLSSocket } from "node:tls";
import { type HTTPError, IncompleteRead, type Progress, ProxyManager, SSLError } from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { type HttpHandler, type HttpOrigin, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";
import { startRogueProxy, type TunnelAnswer } from "../kit/rogue-proxy.ts";

leakGate();

const authority = await makeAuthority();
const tls = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
const trust = { caCertData: authority.cert };
const serve = (handler: HttpHandler = () => "inside"): Promise<HttpOrigin> => startHttp(handler, { tls });

describe("the answer to CONNECT", () => {
  const answers = {
    "200": "HTTP/1.1 200 Connection established\r\n\r\n",
    "HTTP/1.0": "HTTP/1.0 200 OK\r\n\r\n",
    "no reason": "HTTP/1.1 200\r\n\r\n",
    "201": "HTTP/1.1 201 Created\r\n\r\n",
    "204": "HTTP/1.1 204 No Content\r\n\r\n",
    "299": "HTTP/1.1 299 Whatever\r\n\r\n",
    "a length that means nothing": "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
    "chunked, which means nothing": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "close, which means nothing": "HTTP/1.1 200 OK\r\nConnection: close\r\nProxy-Connection: close\r\n\r\n",
    "fields of all kinds": `HTTP/1.1 200 OK\r\nProxy-Authenticate: Basic\r\nX: ${"x".repeat(60_000)}\r\n\r\n`,
    "informational answers before":
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
  };
  for (const [name, reply] of Object.entries(answers)) {
    it(`opens the tunnel: ${name}`, async () => {
      await using origin = await serve();
      await using proxy = await startRogueProxy(() => ({ tunnel: true, reply }));
      await using manager = new ProxyManager(proxy.url, { ...trust, retries: false });
      for (let i = 0; i < 2; i += 1)
        assert.equal(await (await manager.request("GET", `${origin.url}/`)).text(), "inside");
      assert.equal(proxy.connects.length, 1);
    });
  }

  it("byte by byte", async () => {
    await using origin = await serve();
    await using proxy = await startRogueProxy(() => async (connection) => {
      await connection.sendBytewise("HTTP/1.1 200 OK\r\nVia: 1.1 slow\r\n");
      await connection.sendBytewise("\r\n");
      await connection.ended;
    });
    await using manager = new ProxyManager(proxy.url, { ...trust, retries: false });
    const request = manager.request("GET", `${origin.url}/`).catch(() => "no origin behind it");
    const connection = await proxy.connection(0);
    // TLS begins: the answer was understood.
    while (!connection.unread.startsWith("\x16\x03")) await new Promise((resolve) => setImmediate(resolve));
    connection.close();
    assert.equal(await request, "no origin behind it");
  });

  it("bytes of the proxy's own, after the answer, are no TLS", async () => {
    await using proxy = await startRogueProxy(() => async (connection) => {
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
      await connection.readBody(5);
      await connection.send("hello");
    });
    await using manager = new ProxyManager(proxy.url, { ...trust, retries: false });
    await assert.rejects(manager.request("GET", "https://origin.test/"), SSLError);
  });
});

it("CONNECT in full, with proxyHeaders and without anything of the request", async () => {
  await using origin = await serve();
  await using proxy = await startRogueProxy();
  const proxyHeaders = { "X-Proxy": "1", "User-Agent": "to-proxy" };
  await using manager = new ProxyManager(proxy.url, { ...trust, proxyHeaders });
  await manager.request("POST", `https://LocalHost:${origin.port}/`, {
    headers: { "X-Mine": "1" },
    body: "b",
  });
  const authorityForm = `localhost:${origin.port}`;
  assert.deepEqual(proxy.received[0]!.headText.split("\r\n"), [
    `CONNECT ${authorityForm} HTTP/1.1`,
    `Host: ${authorityForm}`,
    "X-Proxy: 1",
    "User-Agent: to-proxy",
    "",
    "",
  ]);
  const [request] = origin.received;
  assert.equal(request!.target, "/");
  assert.equal(request!.header("x-mine"), "1");
  assert.equal(request!.header("x-proxy"), null);
  assert.equal(request!.header("accept"), null);
});

it("PX-26, PX-60: SNI and ALPN are those of a direct connection, and a name with a dot at its end", async () => {
  const seen: unknown[] = [];
  await using origin = await startOrigin(
    async (connection) => {
      const { servername, alpnProtocol } = connection.socket as unknown as TLSSocket & { servername: string };
      seen.push([servername, alpnProtocol]);
      await connection.readHead();
      await connection.send("HTTP/1.1 204 No Content\r\n\r\n");
    },
    { tls: { ...tls, ALPNProtocols: ["h2", "http/1.1"] } },
  );
  await using proxy = await startRogueProxy(() => ({ tunnel: { port: origin.port } }));
  await using manager = new ProxyManager(proxy.url, trust);
  for (const host of ["localhost", "localhost."]) await manager.request("GET", `https://${host}/`);
  assert.deepEqual(seen, [
    ["localhost", "http/1.1"],
    ["localhost", "http/1.1"],
  ]);
  assert.equal(proxy.connects[0], "localhost:443");
});

describe("a tunnel that ends", () => {
  it("PX-53, row 38: one that was idle is replaced silently", async () => {
    await using origin = await serve();
    await using proxy = await startRogueProxy();
    await using manager = new ProxyManager(proxy.url, { ...trust, retries: 0 });
    const seen: (number | undefined)[] = [];
    for (const end of ["close", "halfClose", "reset", "none"] as const) {
      const response = await manager.request("GET", `${origin.url}/`);
      seen.push(response.retries?.history.length);
      const connection = proxy.connections.at(-1)!;
      if (end === "none") continue;
      connection[end]();
      connection.close();
      await connection.closed;
    }
    assert.deepEqual(seen, [0, 0, 0, 0]);
    assert.equal(proxy.connects.length, 4);
  });

  const breaks: [name: string, answer: TunnelAnswer, error: new (...args: never[]) => HTTPError][] = [
    ["before TLS", { tunnel: true, breakAfter: 0 }, SSLError],
    ["in the middle of TLS", { tunnel: true, breakAfter: 100 }, SSLError],
    ["in the middle of a body", { tunnel: true, breakAfter: 100_000 }, IncompleteRead],
  ];
  for (const [name, answer, error] of breaks) {
    it(name, async () => {
      await using origin = await serve(() => Buffer.alloc(1_000_000));
      await using proxy = await startRogueProxy(() => answer);
      await using manager = new ProxyManager(proxy.url, { ...trust, retries: false });
      await assert.rejects(manager.request("GET", `${origin.url}/`), error);
      assert.equal(manager.stats().openConnections, 0);
    });
  }
});

describe("through a tunnel", () => {
  it("uploads, downloads and their progress are those of a direct connection", async () => {
    const bytes = Buffer.alloc(3_000_000, "0123456789");
    await using origin = await serve(({ body }) => ({ body, chunked: 100_000 }));
    await using proxy = await startRogueProxy(undefined, { tls });
    await using manager = new ProxyManager(proxy.url, trust);
    const up: Progress[] = [];
    const down: Progress[] = [];
    const source = (async function* () {
      for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
    })();
    const response = await manager.request("POST", `${origin.url}/`, {
      body: source,
      preloadContent: false,
      onUploadProgress: (progress) => void up.push(progress),
      onDownloadProgress: (progress) => void down.push(progress),
    });
    const hash = createHash("sha256");
    for await (const chunk of response.stream()) hash.update(chunk);
    assert.equal(hash.digest("hex"), createHash("sha256").update(bytes).digest("hex"));
    assert.equal(up.at(-1)?.transferred, bytes.length);
    assert.equal(down.at(-1)?.transferred, bytes.length);
    assert.equal(response.url, `${origin.url}/`);
    assert.ok(response.timings!.tls! >= 0);
  });

  it("a request that is aborted takes its tunnel with it, and no other", async () => {
    await using origin = await serve(({ target }) => (target === "/slow" ? undefined : "fast"));
    await using proxy = await startRogueProxy();
    await using manager = new ProxyManager(proxy.url, trust);
    const controller = new AbortController();
    const slow = manager.request("GET", `${origin.url}/slow`, { signal: controller.signal });
    const connection = await origin.connection(0);
    while (connection.requestCount === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await (await manager.request("GET", `${origin.url}/`)).text(), "fast");
    controller.abort(new Error("enough"));
    await assert.rejects(slow, /enough/);
    await connection.closed;
    assert.equal(await (await manager.request("GET", `${origin.url}/`)).text(), "fast");
    assert.equal(proxy.connects.length, 2);
  });

  it("a 503 and its Retry-After are the origin's", async () => {
    let asked = 0;
    await using origin = await serve(() =>
      ++asked === 1 ? { status: 503, headers: { "Retry-After": "0" } } : "second",
    );
    await using proxy = await startRogueProxy();
    await using manager = new ProxyManager(proxy.url, trust);
    assert.equal(await (await manager.request("GET", `${origin.url}/`)).text(), "second");
    assert.equal(proxy.connects.length, 1);
  });
});

describe("useTunnelForHttp", () => {
  for (const scheme of ["http", "https"] as const) {
    it(`goes to http origins through tunnels of an ${scheme} proxy, and the origin sees the request as a direct one`, async () => {
      await using origin = await startHttp(
        (request) => `${request.target} ${request.header("proxy-authorization")}`,
      );
      await using proxy = await startRogueProxy(undefined, scheme === "https" ? { tls } : {});
      await using manager = new ProxyManager(proxy.url.replace("//", "//u:p@"), {
        ...trust,
        useTunnelForHttp: true,
        retries: false,
      });
      for (let i = 0; i < 3; i += 1)
        assert.equal(await (await manager.request("GET", `${origin.url}/x`)).text(), "/x null");
      assert.deepEqual(proxy.connects, [`127.0.0.1:${origin.port}`]);
      assert.equal(proxy.received.length, 1);
      assert.deepEqual(
        manager.stats().pools.map((pool) => pool.origin),
        [origin.url],
      );
    });
  }
});
