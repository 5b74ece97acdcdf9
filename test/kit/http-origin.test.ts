import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";
import { test } from "node:test";
import { type HttpHandler, renderResponse, startHttp } from "./http-origin.ts";
import { leakGate } from "./leak-gate.ts";

leakGate();

/** What a server sends on one connection to these bytes. */
async function exchange(handler: HttpHandler | undefined, request: string): Promise<string> {
  await using origin = await startHttp(handler);
  const socket = net.connect(origin.port, origin.host);
  socket.write(request);
  return Buffer.concat((await socket.toArray()) as Buffer[]).toString("latin1");
}

test("requests are seen in the order and spelling they had", async () => {
  await using origin = await startHttp(() => "ok");
  const socket = net.connect(origin.port, origin.host);
  const head =
    "PUT /a?b HTTP/1.1\r\nhOsT: x\r\nX-A: 1\r\nx-a:  2 \r\nContent-Length: 2\r\nConnection: close\r\n\r\n";
  socket.write(`${head}hi`);
  await socket.toArray();
  const request = origin.received[0];
  assert.equal(request?.method, "PUT");
  assert.equal(request?.target, "/a?b");
  assert.equal(request?.headText, head);
  assert.deepEqual(request?.headers.slice(0, 3), [
    ["hOsT", "x"],
    ["X-A", "1"],
    ["x-a", "2"],
  ]);
  assert.equal(request?.header("X-a"), "1, 2");
  assert.equal(request?.body.toString(), "hi");
});

test("connections are kept alive until either side wishes otherwise", async () => {
  const keep = "GET / HTTP/1.1\r\n\r\n";
  const close = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
  const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
  assert.equal(await exchange(() => "ok", keep + close), `${ok}\r\nok${ok}Connection: close\r\n\r\nok`);
  assert.equal(
    await exchange(() => ({ body: "ok", close: true }), keep + keep),
    `${ok}Connection: close\r\n\r\nok`,
  );
  assert.match(await exchange(() => "ok", "GET / HTTP/1.0\r\n\r\n"), /Connection: close/);
});

test("an expectation is answered before the body is read", async () => {
  const head = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\n";
  assert.match(await exchange(() => "", `${head}x`), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
});

const rendered: [string, Parameters<typeof renderResponse>, string][] = [
  ["no body", [{ status: 204 }], "HTTP/1.1 204 No Content\r\n\r\n"],
  ["HEAD", [{ body: "abc" }, "HEAD"], "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"],
  ["a wrong length", [{ body: "abc", contentLength: 9 }], "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"],
  ["no length", [{ body: "abc", contentLength: null }], "HTTP/1.1 200 OK\r\n\r\nabc"],
  [
    "repeated fields",
    [{ headers: { A: ["1", "2"] } }],
    "HTTP/1.1 200 OK\r\nA: 1\r\nA: 2\r\nContent-Length: 0\r\n\r\n",
  ],
  [
    "chunks and trailers",
    [{ body: "abcde", chunked: 2, trailers: [["T", "1"]] }],
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n1\r\ne\r\n0\r\nT: 1\r\n\r\n",
  ],
  [
    "1xx before, and a reason",
    [{ status: 299, reason: "Odd", before: "HTTP/1.1 103 Early Hints\r\n\r\n" }],
    "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n",
  ],
];
for (const [name, args, expected] of rendered) {
  test(`answers are rendered: ${name}`, () => {
    assert.equal(renderResponse(...args).toString("latin1"), expected);
  });
}

test("Node's own client understands it", async () => {
  await using origin = await startHttp();
  const body = await new Promise<string>((resolve, reject) => {
    const request = http.request(`${origin.url}/x`, { method: "POST", agent: false }, async (response) => {
      resolve(Buffer.concat((await response.toArray()) as Buffer[]).toString());
    });
    request.on("error", reject);
    request.write("chun");
    request.end("ked");
  });
  const echoed = JSON.parse(body) as Record<string, unknown>;
  assert.equal(echoed.body, "chunked");
  assert.equal(echoed.target, "/x");
});
