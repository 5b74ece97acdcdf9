import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import {
  type DownloadOptions,
  type DownloadResult,
  downloadTo,
  HTTPConnectionPool,
  IncompleteRead,
  InvalidArgumentError,
  PoolManager,
  ProtocolError,
  ResponseError,
} from "../../src/index.ts";
import { TemporaryFolder } from "../dial/tls/temporary-folder.ts";
import { type HttpOrigin, type OriginRequest, renderResponse, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

const BODY = Buffer.from(Array.from({ length: 50_000 }, (_unused, i) => String(i)).join(","));
const SHA256 = createHash("sha256").update(BODY).digest("hex");
const DATE = "Mon, 01 Jan 2024 00:00:10 GMT";
const MODIFIED = "Mon, 01 Jan 2024 00:00:00 GMT";

/** A server of one file, which may break off. */
class FileServer {
  body: Buffer = BODY;
  headers: Record<string, string> = { ETag: '"v1"' };
  /** Body bytes after which the connection is closed. */
  breakAfter: number | null = null;
  ranges = true;
  /** Most bytes of an answer to a range. */
  rangeLimit: number = Number.POSITIVE_INFINITY;
  origin!: HttpOrigin;

  async answer(request: OriginRequest): Promise<undefined> {
    const { connection } = request;
    const start = this.#start(request);
    let answer: Buffer;
    if (start > 0 && start >= this.body.length) answer = this.#unsatisfied();
    else if (start > 0) answer = this.#partial(start);
    else answer = renderResponse({ headers: this.headers, body: this.body });
    if (this.breakAfter === null) return void (await connection.send(answer));
    const bodyAt = answer.indexOf("\r\n\r\n") + 4;
    await connection.send(answer.subarray(0, bodyAt + this.breakAfter));
    connection.halfClose();
  }

  #start(request: OriginRequest): number {
    const range = /^bytes=(\d+)-$/.exec(request.header("range") ?? "");
    const validators = [this.headers.ETag, this.headers["Last-Modified"]];
    if (range === null || !this.ranges || !validators.includes(request.header("if-range") ?? "")) return 0;
    return Number(range[1]);
  }

  #partial(start: number): Buffer {
    const body = this.body.subarray(start, start + this.rangeLimit);
    const range = `bytes ${start}-${start + body.length - 1}/${this.body.length}`;
    return renderResponse({ status: 206, headers: { ...this.headers, "Content-Range": range }, body });
  }

  #unsatisfied(): Buffer {
    return renderResponse({ status: 416, headers: { "Content-Range": `bytes */${this.body.length}` } });
  }

  /** Range of each request so far. */
  get asked(): (string | null)[] {
    return this.origin.received.map((request) => request.header("range"));
  }
}

let server: FileServer;
let manager: PoolManager;
let folder: TemporaryFolder;
let path: string;

beforeEach(async () => {
  server = new FileServer();
  server.origin = await startHttp((request) => server.answer(request));
  manager = new PoolManager({ retries: false });
  folder = new TemporaryFolder();
  path = folder.path("file.bin");
});

afterEach(async () => {
  manager.clear();
  folder[Symbol.dispose]();
  await server.origin.close();
});

// After the hooks above: it looks at what they have left.
leakGate();

const get = (options?: DownloadOptions): Promise<DownloadResult> =>
  manager.downloadTo(`${server.origin.url}/f?a=1`, path, options);
const names = async (): Promise<string[]> => (await readdir(folder.root)).sort();

/** Breaks a download off after 1000 bytes. */
async function interrupt(options?: DownloadOptions): Promise<void> {
  server.breakAfter = 1000;
  await assert.rejects(get(options), IncompleteRead);
  server.breakAfter = null;
}

async function assertComplete(body: Buffer = server.body): Promise<void> {
  assert.equal(Buffer.compare(await readFile(path), body), 0);
  assert.deepEqual(await names(), ["file.bin"]);
}

describe("in one go", () => {
  it("gives path, size and response; asks for no coding", async () => {
    const { response, ...rest } = await get({ digest: { algorithm: "sha256", value: SHA256.toUpperCase() } });
    assert.deepEqual(rest, { path, bytes: BODY.length, resumedFrom: 0, digest: SHA256 });
    assert.deepEqual([response.status, response.isClosed], [200, true]);
    assert.equal(server.origin.received[0]!.header("accept-encoding"), "identity");
    assert.equal(manager.stats().pools[0]!.idle, 1);
    await assertComplete();
  });

  it("replaces the file that is there, not before it is complete", async () => {
    await writeFile(path, "old");
    await interrupt();
    assert.equal(String(await readFile(path)), "old");
    assert.deepEqual(await names(), ["file.bin", "file.bin.part", "file.bin.part.json"]);
    await get();
    await assertComplete();
  });

  it("an empty file; a file without length or validators", async () => {
    server.body = Buffer.alloc(0);
    assert.equal((await get()).bytes, 0);
    await assertComplete();
    await using chunked = await startHttp(() => ({ body: BODY, chunked: 1000 }));
    assert.equal((await manager.downloadTo(`${chunked.url}/`, path)).bytes, BODY.length);
    await assertComplete(BODY);
  });

  it("mode is that of the new file", async () => {
    await get({ mode: 0o600 });
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  it("over a pool, with fields and headers of the caller's", async () => {
    using pool = new HTTPConnectionPool("127.0.0.1", server.origin.port);
    await downloadTo(pool, "/f", path, { fields: { b: "2" }, headers: { "X-A": "1" } });
    const [request] = server.origin.received;
    assert.deepEqual([request!.target, request!.header("x-a")], ["/f?b=2", "1"]);
    await assertComplete();
  });

  it("what comes encoded is stored decoded", async () => {
    server.body = gzipSync(BODY);
    server.headers["Content-Encoding"] = "gzip";
    for (const options of [{}, { headers: { "Accept-Encoding": "gzip" } }]) {
      assert.equal(
        (await get({ ...options, digest: { algorithm: "sha256", value: SHA256 } })).bytes,
        BODY.length,
      );
      await assertComplete(BODY);
      await interrupt(options).catch(() => {});
      assert.deepEqual(await names(), ["file.bin"]);
    }
  });
});

describe("resuming", () => {
  for (const headers of [{ ETag: '"v1"' }, { "Last-Modified": MODIFIED, Date: DATE }]) {
    it(`asks for the rest only, by ${Object.keys(headers)[0]}`, async () => {
      server.headers = headers;
      await interrupt();
      const result = await get({ digest: { algorithm: "sha256", value: SHA256 } });
      assert.deepEqual([result.bytes, result.resumedFrom, result.response.status], [BODY.length, 1000, 206]);
      assert.deepEqual(server.asked, [null, "bytes=1000-"]);
      assert.equal(server.origin.received[1]!.header("if-range"), Object.values(headers)[0]);
      await assertComplete();
    });
  }

  it("again and again", async () => {
    for (let round = 0; round < 3; round++) await interrupt();
    assert.equal((await get()).resumedFrom, 3000);
    assert.deepEqual(server.asked, [null, "bytes=1000-", "bytes=2000-", "bytes=3000-"]);
    await assertComplete();
  });

  it("a server that gives less than was asked for is asked again", async () => {
    await interrupt();
    server.rangeLimit = 150_000;
    const { resumedFrom } = await get({ digest: { algorithm: "sha256", value: SHA256 } });
    assert.equal(resumedFrom, 1000);
    assert.deepEqual(server.asked, [null, "bytes=1000-", "bytes=151000-"]);
    await assertComplete();
  });

  it("another version starts over: 200", async () => {
    await interrupt();
    server.headers = { ETag: '"v2"' };
    server.body = Buffer.from(BODY).reverse();
    const { resumedFrom, response } = await get();
    assert.deepEqual([resumedFrom, response.status], [0, 200]);
    await assertComplete();
  });

  it("no range support starts over", async () => {
    await interrupt();
    server.ranges = false;
    assert.equal((await get({ digest: { algorithm: "sha256", value: SHA256 } })).resumedFrom, 0);
    assert.deepEqual(server.asked, [null, "bytes=1000-"]);
    await assertComplete();
  });

  const strange: [name: string, part: Buffer][] = [
    ["416", renderResponse({ status: 416 })],
    ["206 of another place", partial({ "Content-Range": `bytes 999-${BODY.length - 1}/${BODY.length}` })],
    ["206 of another length", partial({ "Content-Range": "bytes 1000-1005/1006" })],
    ["206 of another version", partial({ "Content-Range": `bytes 1000-1005/${BODY.length}`, ETag: '"v2"' })],
    ["206 without Content-Range", partial({})],
    [
      "206 in a coding",
      partial({ "Content-Range": `bytes 1000-1005/${BODY.length}`, "Content-Encoding": "gzip" }),
    ],
  ];
  for (const [name, part] of strange) {
    it(`${name} starts over`, async () => {
      await interrupt();
      const { answer } = server;
      server.answer = async (request) => {
        server.answer = answer;
        await request.connection.send(part);
      };
      assert.equal((await get()).resumedFrom, 0);
      assert.deepEqual(server.asked, [null, "bytes=1000-", null]);
      await assertComplete();
    });
  }

  it("a part that is whole: its last byte is asked for again", async () => {
    await interrupt();
    await writeFile(`${path}.part`, BODY);
    const { resumedFrom } = await get({ digest: { algorithm: "sha256", value: SHA256 } });
    assert.equal(resumedFrom, BODY.length - 1);
    await assertComplete();
  });

  it("a part that is longer than the whole starts over through 416 or is cut", async () => {
    await interrupt();
    await writeFile(`${path}.part`, Buffer.concat([BODY, BODY]));
    await get();
    await assertComplete();
  });

  const useless: [name: string, spoil: () => Promise<void>][] = [
    ["of another URL", () => editSidecar({ url: "http://other/" })],
    ["without validator", () => editSidecar({ etag: null })],
    ["with a weak tag", () => editSidecar({ etag: 'W/"v1"' })],
    ["with a tag of two lines", () => editSidecar({ etag: '"v1"\r\nX: 1' })],
    ["with a length of text", () => editSidecar({ length: "1" })],
    ["that is no JSON", () => writeFile(`${path}.part.json`, "{")],
    ["that is null", () => writeFile(`${path}.part.json`, "null")],
  ];
  for (const [name, spoil] of useless) {
    it(`a sidecar ${name} counts as none`, async () => {
      await interrupt();
      await spoil();
      assert.equal((await get()).resumedFrom, 0);
      assert.deepEqual(server.asked, [null, null]);
      await assertComplete();
    });
  }

  it("resume: false starts over", async () => {
    await interrupt();
    assert.equal((await get({ resume: false })).resumedFrom, 0);
    assert.deepEqual(server.asked, [null, null]);
    await assertComplete();
  });

  it("weak and missing validators leave nothing to resume", async () => {
    const unsafe = [
      {},
      { ETag: 'W/"v1"' },
      { "Last-Modified": MODIFIED },
      { "Last-Modified": DATE, Date: DATE },
    ];
    for (const headers of unsafe) {
      server.headers = headers as Record<string, string>;
      await interrupt();
      assert.deepEqual(await names(), []);
    }
  });

  it("credentials of the URL are not written down", async () => {
    server.breakAfter = 1000;
    const url = server.origin.url.replace("//", "//user:secret@");
    await assert.rejects(manager.downloadTo(url, path), IncompleteRead);
    assert.doesNotMatch(String(await readFile(`${path}.part.json`)), /secret/);
  });
});

describe("failure", () => {
  it("an error status: ResponseError; nothing is left, and a part that was there stays", async () => {
    await using broken = await startHttp(() => ({ status: 404, body: "no such thing" }));
    await assert.rejects(manager.downloadTo(`${broken.url}/x`, path), {
      code: "ERR_URLPOOL_RESPONSE",
      status: 404,
      message: `GET ${broken.url}/x: 404 Not Found`,
    });
    assert.deepEqual(await names(), []);
    await interrupt();
    server.answer = async ({ connection }) => void (await connection.send(renderResponse({ status: 503 })));
    await assert.rejects(get(), ResponseError);
    assert.equal((await readFile(`${path}.part`)).length, 1000);
    assert.equal(manager.stats().pools.at(-1)!.busy, 0);
  });

  it("other statuses are no file", async () => {
    for (const status of [204, 206, 304]) {
      await using strange = await startHttp(() => ({ status, body: "x" }));
      await assert.rejects(manager.downloadTo(`${strange.url}/`, path), { name: "ResponseError", status });
      assert.deepEqual(await names(), []);
    }
  });

  it("a wrong digest: ResponseError, and the bytes are not kept for another try", async () => {
    const digest = { algorithm: "sha256", value: "00" };
    await interrupt();
    await assert.rejects(get({ digest }), {
      name: "ResponseError",
      message: new RegExp(`digest is ${SHA256}, not 00`),
    });
    assert.deepEqual(await names(), []);
  });

  it("shorter than announced: IncompleteRead with figures, also with enforceContentLength: false", async () => {
    server.breakAfter = 1000;
    await assert.rejects(get({ enforceContentLength: false }), (error) => {
      assert.ok(error instanceof IncompleteRead);
      assert.deepEqual([error.partial, error.expected], [1000, BODY.length - 1000]);
      return true;
    });
    assert.deepEqual(await names(), ["file.bin.part", "file.bin.part.json"]);
  });

  it("a 206 longer than its range: ProtocolError, nothing is kept", async () => {
    await interrupt();
    server.answer = async ({ connection }) => {
      const headers = { ETag: '"v1"', "Content-Range": `bytes 1000-1001/${BODY.length}` };
      await connection.send(renderResponse({ status: 206, headers, body: "abcdef" }));
    };
    await assert.rejects(get(), ProtocolError);
    assert.deepEqual(await names(), []);
  });

  it("an abort rejects with its reason and keeps the part", async () => {
    const abort = new AbortController();
    server.answer = async ({ connection }) => {
      const head = `HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Length: ${BODY.length}\r\n\r\n`;
      await connection.send(Buffer.concat([Buffer.from(head), BODY.subarray(0, 5000)]));
    };
    const reason = new Error("enough");
    const download = get({ signal: abort.signal });
    download.catch(() => {});
    while ((await readFile(`${path}.part`).catch(() => "")).length < 5000) await new Promise(setImmediate);
    abort.abort(reason);
    await assert.rejects(download, (error) => error === reason);
    server.answer = FileServer.prototype.answer;
    assert.equal((await get()).resumedFrom, 5000);
    await assertComplete();
  });

  it("what cannot be", async () => {
    const url = server.origin.url;
    const bad: [string, string, DownloadOptions][] = [
      [url, folder.root, {}],
      [url, path, { digest: { algorithm: "md6", value: "00" } }],
      [url, path, { digest: { algorithm: "md5", value: "xyz" } }],
      [url, path, { headers: { Range: "bytes=0-1" } }],
      [url, path, { headers: { "if-range": '"x"' } }],
    ];
    for (const [from, to, options] of bad) {
      await assert.rejects(manager.downloadTo(from, to, options), InvalidArgumentError);
    }
    await assert.rejects(manager.downloadTo(url, folder.path("no/such/folder")), { code: "ENOENT" });
    assert.deepEqual([server.origin.received.length, await names()], [0, []]);
  });

  it("two downloads of one target at once are refused, one after the other not", async () => {
    const first = get();
    await assert.rejects(get(), InvalidArgumentError);
    await first;
    await get();
    await assertComplete();
  });

  it("a target that cannot be replaced: the error of the file system, and the part stays", async () => {
    const { answer } = server;
    server.answer = async (request) => {
      await mkdir(path);
      return answer.call(server, request);
    };
    await assert.rejects(get(), { syscall: "rename" });
    assert.deepEqual(await names(), ["file.bin", "file.bin.part", "file.bin.part.json"]);
  });
});

function partial(headers: Record<string, string>): Buffer {
  return renderResponse({ status: 206, headers, body: "abcdef" });
}

async function editSidecar(changes: Record<string, unknown>): Promise<void> {
  const sidecar = JSON.parse(String(await readFile(`${path}.part.json`))) as Record<string, unknown>;
  await writeFile(`${path}.part.json`, JSON.stringify({ ...sidecar, ...changes }));
}
