/** Bodies in both directions against a real server: nginx with gzip, chunked proxying, ranges and uploads to files. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { open, readFile, stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { after, before, describe, it } from "node:test";
import { type HTTPResponse, PoolManager, type Progress, type RequestOptions } from "../../src/index.ts";
import { TemporaryFolder } from "../dial/tls/temporary-folder.ts";
import { type HttpOrigin, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { GZIP_TEXT, type Nginx, skipWithoutNginx, startNginx } from "../kit/nginx.ts";

leakGate();

const BIG = 67_108_864;
const STREAMED: RequestOptions = { preloadContent: false };
const MIB = 1_048_576;

/** Each gives the body's SHA-256. */
const ways: [name: string, read: (response: HTTPResponse) => Promise<string>][] = [
  ["for await", hashed],
  ["stream()", (response) => hashed(response.stream())],
  ["read(n)", (response) => hashed(reads(() => response.read(100_000)))],
  ["read1()", (response) => hashed(reads(() => response.read1()))],
  ["body", (response) => hashed(response.body)],
  ["readable()", (response) => hashed(response.readable())],
  ["arrayBuffer()", async (response) => sha256(Buffer.from(await response.arrayBuffer()))],
];

describe("nginx", { skip: skipWithoutNginx() }, () => {
  let behind: HttpOrigin;
  let nginx: Nginx;
  let folder: TemporaryFolder;

  before(async () => {
    behind = await startHttp(({ target, method, body }) => {
      if (method === "POST") return JSON.stringify({ length: body.length, sha256: sha256(body) });
      return { body: Buffer.alloc(5 * MIB, "chunk"), chunked: target.endsWith("tiny") ? 100 : 60_000 };
    });
    folder = new TemporaryFolder();
    nginx = await startNginx({
      bigSize: BIG,
      extraServerConfig: `
        location /store/ {
          root ${folder.root};
          client_body_temp_path ${folder.root}/incoming;
          dav_methods PUT DELETE;
          create_full_put_path on;
        }
        location /proxy/ {
          proxy_pass http://127.0.0.1:${behind.port}/;
          proxy_http_version 1.1;
          proxy_buffering off;
        }
        location /buffered/ {
          proxy_pass http://127.0.0.1:${behind.port}/;
          proxy_http_version 1.1;
          gzip on;
          gzip_types *;
        }
        location /unbuffered/ {
          proxy_pass http://127.0.0.1:${behind.port}/;
          proxy_http_version 1.1;
          proxy_request_buffering off;
        }
        location = /slow { limit_rate 3m; try_files /big.bin =404; }`,
    });
  });

  after(async () => {
    await nginx?.stop();
    await behind?.close();
    folder?.[Symbol.dispose]();
  });

  describe("downloads", () => {
    for (const [name, read] of ways) {
      it(`${name}: 64 MiB, gzip, and chunks through a proxy, over one connection`, async () => {
        await using manager = new PoolManager({ maxsize: 1 });
        const expected: [path: string, sum: string][] = [
          ["/big", sha256(Buffer.alloc(BIG, "0123456789abcdef"))],
          ["/gzip", sha256(Buffer.from(GZIP_TEXT))],
          ["/proxy/x", sha256(Buffer.alloc(5 * MIB, "chunk"))],
          ["/proxy/tiny", sha256(Buffer.alloc(5 * MIB, "chunk"))],
          ["/buffered/x", sha256(Buffer.alloc(5 * MIB, "chunk"))],
        ];
        for (const [path, sum] of expected) {
          const response = await manager.request("GET", nginx.url + path, STREAMED);
          assert.equal(await read(response), sum, path);
          if (path !== "/big") assert.equal(response.headers.get("transfer-encoding"), "chunked");
          const coding = path === "/gzip" || path.startsWith("/buffered") ? "gzip" : null;
          assert.equal(response.headers.get("content-encoding"), coding, path);
        }
        assert.equal(manager.stats().pools[0]!.numConnections, 1);
      });
    }

    it("breaking off a large one costs its connection, a small one does not", async () => {
      await using manager = new PoolManager({ maxsize: 1 });
      for (const [path, connections] of [
        ["/gzip", 1],
        ["/big", 1],
        ["/gzip", 2],
      ] as const) {
        for await (const _piece of await manager.request("GET", nginx.url + path, STREAMED)) break;
        assert.equal(manager.stats().pools[0]!.numConnections, connections);
      }
    });
  });

  it("downloadTo is broken off again and again, and goes on with 206 to the same bytes", async () => {
    await using manager = new PoolManager();
    const path = folder.path("big.bin");
    const url = `${nginx.url}/slow`;
    let size = 0;
    for (let round = 0; round < 2; round++) {
      const abort = new AbortController();
      const onDownloadProgress = ({ transferred }: Progress): void => {
        if (transferred >= MIB) abort.abort(new Error("enough"));
      };
      const { signal } = abort;
      await assert.rejects(manager.downloadTo(url, path, { signal, onDownloadProgress }), /enough/);
      const now = (await stat(`${path}.part`)).size;
      assert.ok(now > size && now < BIG / 2, `${now} bytes after ${size}`);
      size = now;
    }
    // As if more had come before the break: the rest would take nginx a while.
    const part = await open(`${path}.part`, "r+");
    await part.write(Buffer.alloc(BIG - MIB, "0123456789abcdef"), 0, BIG - MIB, 0);
    await part.close();
    const digest = { algorithm: "sha256", value: sha256(Buffer.alloc(BIG, "0123456789abcdef")) };
    const { resumedFrom, bytes, response } = await manager.downloadTo(url, path, { digest });
    assert.deepEqual([resumedFrom, bytes, response.status], [BIG - MIB, BIG, 206]);
  });

  describe("uploads", () => {
    const data = Buffer.from(Array.from({ length: 400_000 }, (_unused, i) => String(i)).join(","));
    const pieces = function* (): Generator<Buffer> {
      for (let at = 0; at < data.length; at += 50_021) yield data.subarray(at, at + 50_021);
    };
    const kinds: [name: string, body: () => RequestOptions["body"]][] = [
      ["bytes", () => data],
      ["a string", () => data.toString()],
      ["a Blob", () => new Blob([data])],
      ["a generator, in chunks", () => pieces()],
      ["a Node stream, in chunks", () => Readable.from(pieces())],
      ["a web stream, in chunks", () => new Blob([data]).stream() as never],
      ["bytes of a function", () => () => data],
    ];
    for (const [name, body] of kinds) {
      it(`${name}: stored by nginx, taken by what is behind it, buffered or not`, async () => {
        await using manager = new PoolManager({ maxsize: 1 });
        const put = await manager.request("PUT", `${nginx.url}/store/file`, { body: body() });
        assert.ok([201, 204].includes(put.status), String(put.status));
        assert.equal(sha256(await readFile(folder.path("store/file"))), sha256(data));
        for (const path of ["/buffered/up", "/unbuffered/up"]) {
          const posted = await manager.request("POST", nginx.url + path, { body: body() });
          assert.deepEqual(await posted.json(), { length: data.length, sha256: sha256(data) });
        }
        assert.equal(manager.stats().pools[0]!.numConnections, 1);
      });
    }

    it("a file, with Expect: 100-continue and with progress", async () => {
      await using manager = new PoolManager();
      const file = await open(folder.write("source", data));
      try {
        let last: Progress | undefined;
        const response = await manager.request("PUT", `${nginx.url}/store/expected`, {
          body: file,
          headers: { Expect: "100-continue" },
          onUploadProgress: (progress) => {
            last = progress;
          },
        });
        assert.equal(response.status, 201);
        assert.deepEqual([last?.transferred, last?.percent], [data.length, 1]);
        assert.equal(sha256(await readFile(folder.path("store/expected"))), sha256(data));
      } finally {
        await file.close();
      }
    });

    it("what nginx refuses early is answered: 405 for a body it does not want", async () => {
      await using manager = new PoolManager();
      const endless = async function* (): AsyncGenerator<Buffer> {
        for (;;) {
          yield Buffer.alloc(60_000);
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      const response = await manager.request("POST", `${nginx.url}/big`, { body: endless() });
      assert.equal(response.status, 405);
    });
  });
});

async function* reads(read: () => Promise<Buffer>): AsyncGenerator<Buffer> {
  for (let piece = await read(); piece.length > 0; piece = await read()) yield piece;
}

async function hashed(source: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of source) hash.update(piece);
  return hash.digest("hex");
}

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
