/** Against a real server: nginx, over HTTP and HTTPS. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { PoolManager, type PoolManagerOptions } from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { GZIP_TEXT, type Nginx, SMALL_TEXT, skipWithoutNginx, startNginx } from "../kit/nginx.ts";

leakGate();

const BIG = 10_485_760;

for (const scheme of ["http", "https"] as const) {
  describe(`nginx over ${scheme}`, { skip: skipWithoutNginx() }, () => {
    let nginx: Nginx;
    let url: string;
    let options: PoolManagerOptions;

    before(async () => {
      const authority = await makeAuthority();
      const tls = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
      nginx = await startNginx({ tls, bigSize: BIG });
      url = scheme === "http" ? nginx.url : nginx.httpsUrl;
      options = { caCertData: authority.cert };
    });

    after(() => nginx?.stop());

    it("serves small, gzip, chunked, big, redirect, HEAD and statuses over one connection", async () => {
      await using manager = new PoolManager(options);
      const seen = (await nginx.accessLog()).length;
      const get = async (path: string, method = "GET") => await manager.request(method, url + path);

      const small = await get("/");
      assert.equal(await small.text(), SMALL_TEXT);
      assert.match(small.headers.get("server")!, /^nginx/);
      assert.equal(small.headers.get("content-length"), String(SMALL_TEXT.length));

      const gzip = await get("/gzip");
      assert.equal(gzip.headers.get("content-encoding"), "gzip");
      assert.equal(await gzip.text(), GZIP_TEXT);
      const raw = await manager.request("GET", `${url}/gzip`, {
        decodeContent: false,
        // Nothing is asked for that nobody would undo.
        headers: { "Accept-Encoding": "gzip" },
      });
      assert.deepEqual([...raw.data.subarray(0, 2)], [0x1f, 0x8b]);

      const chunked = await get("/chunked");
      assert.equal(chunked.headers.get("transfer-encoding"), "chunked");
      assert.equal(await chunked.text(), SMALL_TEXT);

      const big = await get("/big");
      assert.equal(sha256(big.data), sha256(Buffer.alloc(BIG, "0123456789abcdef")));

      const redirected = await get("/redirect");
      assert.deepEqual([redirected.status, redirected.url], [200, `${url}/`]);
      assert.equal(await redirected.text(), SMALL_TEXT);
      assert.equal(redirected.retries!.history.length, 1);

      const head = await get("/big", "HEAD");
      assert.deepEqual([head.status, head.data.length], [200, 0]);
      assert.equal(head.headers.get("content-length"), String(BIG));

      for (const status of [404, 503, 204, 304])
        assert.equal((await get(`/status/${status}`)).status, status);
      assert.equal(await (await get("/echo/a%20b?c=d", "DELETE")).text(), "DELETE /echo/a%20b?c=d");

      const log = (await nginx.accessLog(seen + 14)).slice(seen);
      assert.equal(new Set(log.map(({ connection }) => connection)).size, 1);
      assert.ok(
        log.every(({ userAgent, protocol }) => /^urlpool\//.test(userAgent) && protocol === "HTTP/1.1"),
      );
      const [pool] = manager.stats().pools;
      assert.deepEqual([pool!.numConnections, pool!.numRequests, pool!.idle], [1, log.length, 1]);
    });

    it("closes where nginx closes", async () => {
      await using manager = new PoolManager(options);
      const seen = (await nginx.accessLog()).length;
      for (let i = 0; i < 3; i += 1) {
        const response = await manager.request("GET", `${url}/close`);
        assert.equal(await response.text(), SMALL_TEXT);
      }
      const [pool] = manager.stats().pools;
      assert.deepEqual([pool!.numConnections, pool!.idle], [3, 0]);
      // Its lines come late, and the next test counts from the last one.
      const log = (await nginx.accessLog(seen + 3)).slice(seen);
      assert.equal(new Set(log.map(({ connection }) => connection)).size, 3);
    });

    it("20 requests, one after the other: one connection", async () => {
      await using manager = new PoolManager(options);
      const seen = (await nginx.accessLog()).length;
      for (let i = 0; i < 20; i += 1) await manager.request("GET", `${url}/`);
      const log = (await nginx.accessLog(seen + 20)).slice(seen);
      assert.deepEqual(
        log.map(({ connectionRequests }) => connectionRequests),
        Array.from({ length: 20 }, (_unused, i) => i + 1),
      );
    });

    it("100 parallel requests at maxsize 5: five connections", async () => {
      await using manager = new PoolManager({ ...options, maxsize: 5 });
      const seen = (await nginx.accessLog()).length;
      // Five unread bodies hold the five connections: without them, two that are open early may serve everyone.
      const held = await Promise.all(
        [1, 2, 3, 4, 5].map(() => manager.request("GET", `${url}/big`, { preloadContent: false })),
      );
      const asked = Promise.all(
        Array.from({ length: 95 }, (_unused, i) => manager.request("GET", `${url}/echo/${i}`)),
      );
      for (const response of held) assert.equal((await response.bytes()).length, BIG);
      for (const [i, answer] of (await asked).entries()) assert.equal(await answer.text(), `GET /echo/${i}`);
      const log = (await nginx.accessLog(seen + 100)).slice(seen);
      assert.equal(new Set(log.map(({ connection }) => connection)).size, 5);
      const [pool] = manager.stats().pools;
      assert.deepEqual([pool!.numConnections, pool!.numRequests, pool!.idle], [5, 100, 5]);
    });

    it("parallel big bodies arrive whole", async () => {
      await using manager = new PoolManager({ ...options, maxsize: 3 });
      const expected = sha256(Buffer.alloc(BIG, "0123456789abcdef"));
      const answers = await Promise.all([1, 2, 3, 4].map(() => manager.request("GET", `${url}/big`)));
      for (const { data } of answers) assert.equal(sha256(data), expected);
    });

    it("an upload of which nginx knows the end", async () => {
      await using manager = new PoolManager({ ...options, maxsize: 1 });
      for (const chunked of [false, true]) {
        const response = await manager.request("POST", `${url}/echo/up`, {
          body: Buffer.alloc(300_000),
          chunked,
        });
        assert.equal(await response.text(), "POST /echo/up");
      }
      assert.equal(await (await manager.request("GET", `${url}/`)).text(), SMALL_TEXT);
    });
  });
}

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
