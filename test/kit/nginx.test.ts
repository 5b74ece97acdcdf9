import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import { GZIP_TEXT, type Nginx, SMALL_TEXT, skipWithoutNginx, startNginx } from "./nginx.ts";

interface Answer {
  status: number | undefined;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

function get(nginx: Nginx, path: string, options: http.RequestOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(nginx.url + path, { agent: false, ...options }, async (response) => {
      const body = Buffer.concat((await response.toArray()) as Buffer[]);
      resolve({ status: response.statusCode, headers: response.headers, body });
    });
    request.on("error", reject).end();
  });
}

test("nginx serves each location as described", { skip: skipWithoutNginx() }, async () => {
  await using nginx = await startNginx({ bigSize: 300_000 });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const small = await get(nginx, "/", { agent });
  assert.equal(small.body.toString(), SMALL_TEXT);
  assert.equal(small.headers["content-length"], String(SMALL_TEXT.length));

  const chunked = await get(nginx, "/chunked", { agent });
  assert.equal(chunked.body.toString(), SMALL_TEXT);
  assert.equal(chunked.headers["transfer-encoding"], "chunked");

  const gzip = await get(nginx, "/gzip", { agent, headers: { "Accept-Encoding": "gzip" } });
  assert.equal(gzip.headers["content-encoding"], "gzip");
  assert.equal((await get(nginx, "/gzip", { agent })).body.toString(), GZIP_TEXT);

  assert.equal((await get(nginx, "/big", { agent })).body.length, 300_000);
  assert.equal((await get(nginx, "/redirect", { agent })).headers.location, `${nginx.url}/`);
  assert.equal(
    (await get(nginx, "/echo/a?b", { agent, method: "DELETE" })).body.toString(),
    "DELETE /echo/a?b",
  );
  assert.equal((await get(nginx, "/status/503", { agent })).status, 503);
  assert.equal((await get(nginx, "/close", { agent })).headers.connection, "close");
  agent.destroy();

  const log = await nginx.accessLog(9);
  assert.deepEqual(
    log.map(({ connectionRequests }) => connectionRequests),
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  assert.deepEqual(log[6], {
    ...log[6],
    scheme: "http",
    method: "DELETE",
    uri: "/echo/a?b",
    status: 200,
    bytes: 16,
  });
});

test("a faulty configuration fails with nginx's own words", { skip: skipWithoutNginx() }, async () => {
  await assert.rejects(startNginx({ extraServerConfig: "nonsense;" }), /unknown directive "nonsense"/);
});
