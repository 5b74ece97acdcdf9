/** A real origin: what clients get of it, byte by byte, and what they make of it. */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { describe, it } from "node:test";
import { IncompleteRead, NewConnectionError, PoolManager, ProtocolError, Retry } from "../../src/index.ts";
import { fakeClock, startOrigin, UnexpectedRequestError } from "../../src/testing.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

/** What comes back on a socket for one GET, and how it ended. */
async function rawGet(port: number): Promise<{ text: string; code: string | null }> {
  const socket = net.connect({ port, host: "127.0.0.1" });
  let text = "";
  let code: string | null = null;
  socket.on("data", (data) => (text += data.toString("latin1")));
  socket.on("error", (error: NodeJS.ErrnoException) => (code = error.code ?? ""));
  socket.write("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  await new Promise((resolve) => socket.on("close", resolve));
  return { text, code };
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => assert.fail("did not fail"),
    (reason: unknown) => reason as Error,
  );
}

const HEAD = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";

describe("startOrigin", () => {
  it("answers by routes, in turn, keeps connections, and records what came", async () => {
    await using origin = await startOrigin();
    const route = origin.get("/users/:id", [{ status: 503 }, { json: { a: 1 } }]);
    origin.post("/echo", ({ body, headers }) => ({ text: `${headers.get("x-a")} ${body}` }));
    await using manager = new PoolManager({
      retries: new Retry({ statusForcelist: [503], backoffFactor: 0 }),
    });
    assert.deepEqual(await (await manager.request("GET", `${origin.url}/users/7?q`)).json(), { a: 1 });
    const options = { headers: { "X-A": "b" }, body: "hello" };
    assert.equal(await (await manager.request("POST", `${origin.url}/echo`, options)).text(), "b hello");
    async function* parts(): AsyncGenerator<string> {
      yield "in ";
      yield "parts";
    }
    const streamed = await manager.request("POST", `${origin.url}/echo`, { ...options, body: parts() });
    assert.equal(await streamed.text(), "b in parts");
    assert.deepEqual(route.calls[0]?.params, { id: "7" });
    assert.equal(origin.requests[0]?.url, `${origin.url}/users/7?q`);
    assert.deepEqual(origin.connections, [{ requests: 4, closedBy: null }]);
    await manager.close();
    while (origin.connections[0]?.closedBy === null) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(origin.connections[0]?.closedBy, "client");
    origin.verify();
  });

  it("tells of requests that no route takes, and of routes left over", async () => {
    await using origin = await startOrigin();
    origin.get("/one", 200).once();
    await using manager = new PoolManager();
    const response = await manager.request("GET", `${origin.url}/two`);
    assert.equal(response.status, 501);
    assert.match(await response.text(), /Nearest routes:\n {2}GET \/one: path is \/two/);
    assert.throws(() => origin.verify(), UnexpectedRequestError);
    await using other = await startOrigin();
    other.get("/", 200).once();
    assert.throws(() => other.verify(), /not used up: GET \//);
  });

  it("resets before the head, within it, and after any byte of the body", async () => {
    for (const [answer, sent] of [
      [{ fault: "reset" }, ""],
      [{ fault: "reset", after: 15 }, HEAD.slice(0, 15)],
      [{ fault: "reset", at: "head", after: 999 }, HEAD],
      [{ fault: "reset", at: "body", after: 0 }, HEAD],
      [{ fault: "reset", at: "body", after: 3 }, `${HEAD}012`],
      [{ fault: "reset", at: "body" }, `${HEAD}01234`],
    ] as const) {
      await using origin = await startOrigin();
      origin.script({ text: "0123456789", ...answer });
      assert.deepEqual(await rawGet(origin.port), { text: sent, code: "ECONNRESET" }, JSON.stringify(answer));
      assert.deepEqual(origin.connections, [{ requests: 1, closedBy: "origin" }]);
    }
  });

  it("closes early, says a wrong length, sends anything at all", async () => {
    for (const [answer, sent] of [
      [{ text: "0123456789", fault: "close", at: "body", after: 1 }, `${HEAD}0`],
      [{ text: "0123456789", fault: "close" }, ""],
      [{ text: "012", contentLength: 10, fault: "close", at: "body", after: 3 }, `${HEAD}012`],
      [{ text: "x", contentLength: null }, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nx"],
      [{ raw: "HTTP/9 what\r\n", fault: "close" }, "HTTP/9 what\r\n"],
      [{ raw: Buffer.from("abc"), fault: "close", after: 2 }, "ab"],
      [
        { text: "012", chunked: 2, fault: "close", at: "body", after: 99 },
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n01\r\n1\r\n2\r\n0\r\n\r\n",
      ],
    ] as const) {
      await using origin = await startOrigin();
      origin.script(answer);
      assert.deepEqual(await rawGet(origin.port), { text: sent, code: null }, JSON.stringify(answer));
    }
  });

  it("makes the library's errors, which it retries as it would", async () => {
    await using origin = await startOrigin();
    origin.script([
      { fault: "reset" },
      { text: "0123456789", fault: "close", at: "body", after: 4 },
      { text: "ab", chunked: true },
    ]);
    await using manager = new PoolManager({ retries: { total: 3, backoffFactor: 0 } });
    const response = await manager.request("GET", `${origin.url}/`);
    assert.equal(await response.text(), "ab");
    const [reset, cut] = response.retries!.history.map(({ error }) => error);
    assert.ok(reset instanceof ProtocolError, String(reset));
    assert.ok(cut instanceof IncompleteRead || cut?.cause instanceof IncompleteRead, String(cut));
    assert.equal(origin.connections.length, 3);
  });

  it("refuses connections, and accepts them again on the same port", async () => {
    await using origin = await startOrigin();
    origin.script({ text: "ok" });
    await using manager = new PoolManager({ retries: false });
    const { url } = origin;
    await origin.refuse();
    await origin.refuse();
    const error = await failure(manager.request("GET", url));
    assert.ok(error instanceof NewConnectionError, String(error));
    await origin.accept();
    assert.equal(origin.url, url);
    assert.equal(await (await manager.request("GET", url)).text(), "ok");
  });

  it("stalls where it is told to: the read timeout ends it", async () => {
    await using origin = await startOrigin();
    origin.script({ text: "0123456789", fault: "stall", at: "body", after: 2 });
    const clock = fakeClock();
    await using manager = new PoolManager({ clock, retries: false, timeout: { read: 60_000 } });
    const response = await manager.request("GET", origin.url, { preloadContent: false });
    const reading = failure(response.text());
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(61_000);
    assert.match(String(await reading), /Read timed out/);
  });

  it("trickles on a clock", async () => {
    const clock = fakeClock();
    await using origin = await startOrigin({ clock });
    origin.script({ text: "0123456789", trickle: { bytes: 5, every: 10_000 } });
    await using manager = new PoolManager();
    const answer = manager.request("GET", origin.url).then((response) => response.text());
    const pieces = Math.ceil((HEAD.length + 10) / 5);
    for (let piece = 1; piece < pieces; piece += 1) {
      while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(10_000);
    }
    assert.equal(await answer, "0123456789");
    assert.equal(clock.now(), (pieces - 1) * 10_000);
  });

  it("speaks TLS with a certificate of its own, valid for its names only", async () => {
    await using origin = await startOrigin({ tls: true, names: ["api.test"] });
    origin.script([{ text: "ok" }, { text: "ok" }, { fault: "reset", at: "body", text: "12", after: 1 }]);
    const certificate = new X509Certificate(origin.ca!);
    assert.ok(certificate.verify(certificate.publicKey));
    for (const name of ["api.test", "localhost"]) assert.ok(certificate.checkHost(name), name);
    for (const address of ["127.0.0.1", "::1"]) assert.ok(certificate.checkIP(address), address);
    assert.equal(certificate.checkHost("other.test"), undefined);
    await using manager = new PoolManager({ caCertData: origin.ca!, retries: false });
    assert.equal(await (await manager.request("GET", origin.url)).text(), "ok");
    const [response] = (await once(https.get(origin.url, { ca: origin.ca! }), "response")) as [
      http.IncomingMessage,
    ];
    assert.equal(await response.setEncoding("utf8").toArray().then(String), "ok");
    const error = await failure(manager.request("GET", origin.url));
    assert.match(String(error.cause ?? error), /ECONNRESET|reset|IncompleteRead/);
    await using stranger = new PoolManager({ retries: false });
    await failure(stranger.request("GET", origin.url));
  });

  it("asks for the body of who expects 100, and serves HTTP/1.0", async () => {
    await using origin = await startOrigin();
    origin.script(({ body }) => ({ text: `got ${body}` }));
    const sent = http.request(origin.url, { method: "PUT", headers: { Expect: "100-continue" } });
    sent.flushHeaders();
    await once(sent, "continue");
    sent.end("it");
    const [response] = (await once(sent, "response")) as [http.IncomingMessage];
    assert.equal(await response.setEncoding("utf8").toArray().then(String), "got it");
    const socket = net.connect({ port: origin.port, host: "127.0.0.1" });
    socket.end("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab");
    const parts = await socket.setEncoding("latin1").toArray();
    assert.match(parts.join(""), /Connection: close\r\n\r\ngot ab$/);
  });
});
