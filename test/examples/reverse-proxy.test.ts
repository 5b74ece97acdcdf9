/** The reverse proxy streams in both directions, keeps hop-by-hop fields on their connection, and says what failed. */

import assert from "node:assert/strict";
import http from "node:http";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { HTTPHeaderDict, PoolManager } from "urlpool";
import { type HttpOrigin, startHttp } from "../kit/http-origin.ts";
import { startOrigin } from "../kit/origin.ts";
import { dialRaw } from "../kit/raw-client.ts";
import { type Program, startProgram } from "./program.ts";

async function startProxy(
  upstream: string,
  ...args: string[]
): Promise<{ program: Program; port: number; url: string }> {
  const program = startProgram("reverse-proxy", [upstream, "--port", "0", ...args]);
  const [url, port] = await program.line(/^http:\/\/127\.0\.0\.1:(\d+)/);
  return { program, port: Number(port), url: url! };
}

describe("examples/reverse-proxy.ts", () => {
  it("passes requests and answers on, without the fields of one connection", async () => {
    await using origin: HttpOrigin = await startHttp(({ target }) => {
      if (target === "/base/moved") return { status: 302, headers: { Location: "/elsewhere" } };
      const headers = {
        "Set-Cookie": ["a=1", "b=2"],
        "Content-Encoding": "gzip",
        Connection: "X-Inner",
        "X-Inner": "1",
      };
      return { status: 203, reason: "Sort Of", headers, body: gzipSync("zipped") };
    });
    const { program, url, port } = await startProxy(`${origin.url}/base/`);
    await using _program = program;
    await using manager = new PoolManager();
    const headers = new HTTPHeaderDict({
      Connection: "X-Mine",
      "X-Mine": "1",
      "X-Kept": "2",
      "User-Agent": "me",
    });
    const response = await manager.request("POST", `${url}/x?y=1`, { headers, body: "some bytes" });
    assert.deepEqual([response.status, response.reason, await response.text()], [203, "Sort Of", "zipped"]);
    assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
    assert.deepEqual([response.headers.get("x-inner"), response.headers.get("via")], [null, "1.1 urlpool"]);
    const [seen] = origin.received;
    assert.deepEqual(
      [seen!.method, seen!.target, seen!.body.toString()],
      ["POST", "/base/x?y=1", "some bytes"],
    );
    const names = ["x-mine", "x-kept", "user-agent", "x-forwarded-for", "via", "host"];
    const values = [null, "2", "me", "127.0.0.1", "1.1 urlpool", `127.0.0.1:${port}`];
    assert.deepEqual(
      names.map((name) => seen!.header(name)),
      values,
    );

    const moved = await manager.request("GET", `${url}/moved`, { redirect: false });
    assert.deepEqual([moved.status, moved.redirectLocation()], [302, "/elsewhere"]);
    const head = await manager.request("HEAD", `${url}/x`);
    assert.deepEqual([head.status, head.data.length], [203, 0]);
  });

  it("adds nothing of its own where the client sends no fields", async () => {
    await using origin: HttpOrigin = await startHttp(() => "plain");
    const { program, port } = await startProxy(origin.url);
    await using _program = program;
    using client = await dialRaw(port);
    await client.say("GET / HTTP/1.1\r\nHost: own.test\r\n\r\n", "plain");
    const names = origin.received[0]!.headers.map(([name]) => name.toLowerCase()).sort();
    assert.deepEqual(names, ["host", "via", "x-forwarded-for"]);
    assert.equal(origin.received[0]!.header("host"), "own.test");
  });

  it("streams: each piece arrives before the next is sent", async () => {
    const pieces = ["one", "two", "three"];
    const next: (() => void)[] = [];
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (const piece of pieces) {
        await connection.send(`${piece.length}\r\n${piece}\r\n`);
        await new Promise<void>((resolve) => next.push(resolve));
      }
      await connection.send("0\r\n\r\n");
    });
    const { program, url } = await startProxy(origin.url);
    await using _program = program;
    await using manager = new PoolManager({ preloadContent: false });
    const got: string[] = [];
    for await (const piece of await manager.request("GET", `${url}/`)) {
      got.push(piece.toString());
      next.shift()!();
    }
    assert.deepEqual(got, pieces);
  });

  it("passes uploads of unknown length on as they come", async () => {
    await using origin: HttpOrigin = await startHttp(({ body }) => String(body.length));
    const { program, url } = await startProxy(origin.url);
    await using _program = program;
    await using manager = new PoolManager();
    const body = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < 40; at += 1) yield new Uint8Array(50_000);
    };
    assert.equal(await (await manager.request("PUT", `${url}/`, { body })).text(), "2000000");
    assert.equal(origin.received[0]!.header("transfer-encoding"), "chunked");
  });

  it("answers 502 and 504, and breaks off an answer that broke off", async () => {
    await using origin: HttpOrigin = await startHttp(({ target, connection }) => {
      if (target === "/half") {
        void connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        connection.halfClose();
      }
      return undefined;
    });
    const { program, url } = await startProxy(origin.url, "--timeout", "300");
    await using _program = program;
    await using manager = new PoolManager({ retries: false });
    assert.equal((await manager.request("GET", `${url}/silent`)).status, 504);
    await assert.rejects(manager.request("GET", `${url}/half`), { code: "ERR_URLPOOL_INCOMPLETE_READ" });
    const gone = await startProxy("http://127.0.0.1:1");
    await using _gone = gone.program;
    assert.equal((await manager.request("GET", `${gone.url}/`)).status, 502);
  });

  it("gives up the server's answer when the client goes", async () => {
    let hasGone = (): void => {};
    const gone = new Promise<void>((resolve) => {
      hasGone = resolve;
    });
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
      await connection.readHead().catch(hasGone);
    });
    const { program, url } = await startProxy(origin.url);
    await using _program = program;
    const request = http.get(url, (response) => response.once("data", () => request.destroy()));
    request.on("error", () => {});
    await gone;
    await program.line(/GET \/ failed: /);
  });

  it("ends when it is told to", { skip: process.platform === "win32" }, async () => {
    const { program } = await startProxy("http://127.0.0.1:1");
    await using _program = program;
    program.kill("SIGTERM");
    assert.equal((await program.end()).code, 0);
  });
});
