/** `downloadTo` over redirects, retries, breaks in the middle, and beside other downloads. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  type DownloadOptions,
  type DownloadResult,
  IncompleteRead,
  PoolManager,
  Retry,
} from "../../src/index.ts";
import { TemporaryFolder } from "../dial/tls/temporary-folder.ts";
import { type HttpOrigin, type OriginRequest, renderResponse, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

const BODY = Buffer.from(Array.from({ length: 60_000 }, (_unused, i) => String(i * 31)).join(","));
const SHA256 = createHash("sha256").update(BODY).digest("hex");

type Answer = (request: OriginRequest) => unknown;

/** The whole, or the rest if that is what is asked for; `length` bytes of it, then the end of the connection. */
const file =
  (length: number = Number.POSITIVE_INFINITY): Answer =>
  async ({ connection, header }) => {
    const range = /^bytes=(\d+)-$/.exec(header("range") ?? "");
    const from = range !== null && header("if-range") === '"v1"' ? Number(range[1]) : 0;
    const headers: Record<string, string> = { ETag: '"v1"' };
    if (from > 0) headers["Content-Range"] = `bytes ${from}-${BODY.length - 1}/${BODY.length}`;
    const answer = renderResponse({ status: from > 0 ? 206 : 200, headers, body: BODY.subarray(from) });
    const head = answer.indexOf("\r\n\r\n") + 4;
    await connection.send(answer.subarray(0, head + length));
    if (length < BODY.length - from) connection.halfClose();
  };

/** The same in pieces, each in a read of its own and slowly enough that progress is told of each. */
const slowFile: Answer = async (request) => {
  const { connection, header } = request;
  const from = Number(/^bytes=(\d+)-$/.exec(header("range") ?? "")?.[1] ?? 0);
  const range = from > 0 ? `Content-Range: bytes ${from}-${BODY.length - 1}/${BODY.length}\r\n` : "";
  const line = from > 0 ? "206 Partial Content" : "200 OK";
  await connection.send(
    `HTTP/1.1 ${line}\r\nETag: "v1"\r\n${range}Content-Length: ${BODY.length - from}\r\n\r\n`,
  );
  for (let at = from; at < BODY.length && !connection.socket.destroyed; at += 20_000) {
    await connection.send(BODY.subarray(at, at + 20_000));
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
};

const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  ({ connection }) =>
    connection.send(renderResponse({ status: code, headers, body: "not the file" }));

const reset: Answer = ({ connection }) => connection.reset();

let origin: HttpOrigin;
/** One for each request, the last for all further ones. */
let answers: Answer[];
let manager: PoolManager;
let folder: TemporaryFolder;
let path: string;

beforeEach(async () => {
  answers = [file()];
  origin = await startHttp(async (request) => {
    await (answers.length > 1 ? answers.shift()! : answers[0]!)(request);
    return undefined;
  });
  manager = new PoolManager();
  folder = new TemporaryFolder();
  path = folder.path("file.bin");
});

afterEach(async () => {
  manager.clear();
  folder[Symbol.dispose]();
  await origin.close();
});

leakGate();

const get = (options?: DownloadOptions): Promise<DownloadResult> =>
  manager.downloadTo(`${origin.url}/f`, path, { digest: { algorithm: "sha256", value: SHA256 }, ...options });
const ranges = (): (string | null)[] => origin.received.map((request) => request.header("range"));
const names = async (): Promise<string[]> => (await readdir(folder.root)).sort();

async function interrupt(length = 1000): Promise<void> {
  answers = [file(length)];
  await assert.rejects(get({ retries: false }), IncompleteRead);
  assert.equal((await stat(`${path}.part`)).size, length);
}

async function assertComplete(): Promise<void> {
  assert.equal(Buffer.compare(await readFile(path), BODY), 0);
  assert.deepEqual(await names(), ["file.bin"]);
}

describe("redirects and retries on the way", () => {
  it("a redirect takes Range and If-Range along, to another origin too", async () => {
    await interrupt();
    await using elsewhere = await startHttp(async (request) => void (await file()(request)) as undefined);
    answers = [status(302, { Location: "/g" }), status(307, { Location: `${elsewhere.url}/h` })];
    const { resumedFrom, response } = await get();
    assert.deepEqual([resumedFrom, response.url, response.status], [1000, `${elsewhere.url}/h`, 206]);
    assert.deepEqual(ranges(), [null, "bytes=1000-", "bytes=1000-"]);
    assert.equal(elsewhere.received[0]!.header("if-range"), '"v1"');
    await assertComplete();
  });

  it("a 503 with Retry-After, and a connection that breaks before the answer, are tried again", async () => {
    await interrupt();
    answers = [status(503, { "Retry-After": "0" }), reset, file()];
    const { resumedFrom, response } = await get({ retries: new Retry({ total: 5 }) });
    assert.equal(resumedFrom, 1000);
    assert.deepEqual(
      response.retries!.history.map(({ status }) => status),
      [503],
      "the reset came on a used connection: that is a resend, not a retry",
    );
    assert.deepEqual(ranges().slice(1), ["bytes=1000-", "bytes=1000-", "bytes=1000-"]);
    await assertComplete();
  });

  it("retries that are used up leave the part", async () => {
    await interrupt();
    answers = [reset];
    await assert.rejects(get({ retries: 2 }), { name: "MaxRetryError" });
    assert.deepEqual(await names(), ["file.bin.part", "file.bin.part.json"]);
    answers = [file()];
    assert.equal((await get()).resumedFrom, 1000);
    await assertComplete();
  });

  it("404 and 410 for the rest are errors that leave the part; 416 begins anew", async () => {
    await interrupt();
    for (const code of [404, 410]) {
      answers = [status(code)];
      await assert.rejects(get(), { name: "ResponseError", status: code });
      assert.deepEqual(await names(), ["file.bin.part", "file.bin.part.json"]);
    }
    answers = [status(416, { "Content-Range": `bytes */${BODY.length}` }), file()];
    assert.equal((await get()).resumedFrom, 0);
    await assertComplete();
  });

  it("a 416 for the whole is no endless loop", async () => {
    answers = [status(416)];
    await assert.rejects(get(), { name: "ResponseError", status: 416 });
    await interrupt();
    answers = [status(416)];
    await assert.rejects(get(), { name: "ResponseError", status: 416 });
    assert.deepEqual(await names(), []);
  });
});

describe("the end of the file is known, or the download begins anew", () => {
  it("a range of unknown total after a body of unknown length", async () => {
    answers = [
      async ({ connection }) => {
        const head = 'HTTP/1.1 200 OK\r\nETag: "v1"\r\nTransfer-Encoding: chunked\r\n\r\n';
        await connection.send(`${head}3e8\r\n${BODY.subarray(0, 1000)}\r\n`);
        connection.halfClose();
      },
    ];
    await assert.rejects(get({ retries: false }), IncompleteRead);
    answers = [
      ({ connection }) =>
        connection.send(
          renderResponse({
            status: 206,
            headers: { ETag: '"v1"', "Content-Range": "bytes 1000-1009/*" },
            body: BODY.subarray(1000, 1010),
          }),
        ),
      file(),
    ];
    assert.equal((await get()).bytes, BODY.length);
    assert.deepEqual(ranges(), [null, "bytes=1000-", null]);
    await assertComplete();
  });
});

describe("never half-written under the final name", () => {
  it("whatever goes wrong, the file is the old one or the whole new one", async () => {
    await writeFile(path, "old");
    const digest = { algorithm: "sha256", value: "00" };
    const steps: [answers: Answer[], options?: DownloadOptions][] = [
      [[file(0)]],
      [[file(1)]],
      [[file(5)]],
      [[status(500)], { retries: false }],
      [[reset], { retries: false }],
      [[file()], { digest }],
    ];
    for (const [wrong, options] of steps) {
      answers = wrong;
      await assert.rejects(get(options));
      assert.equal(String(await readFile(path)), "old");
    }
    answers = [file()];
    await get();
    await assertComplete();
  });

  it("an abort between any two parts leaves a part that the next call completes", async () => {
    for (let round = 0; round < 5; round++) {
      const abort = new AbortController();
      let parts = 0;
      const onDownloadProgress = (): void => {
        if (parts++ === round) abort.abort(new Error("enough"));
      };
      answers = [slowFile];
      await assert.rejects(get({ signal: abort.signal, onDownloadProgress }), /enough/);
      assert.ok(!(await names()).includes("file.bin"));
    }
    answers = [file()];
    const { resumedFrom } = await get();
    assert.ok(resumedFrom > 0);
    await assertComplete();
  });

  it("two targets from one URL at once do not meet; one target twice is refused however it is spelled", async () => {
    const other = folder.path("other.bin");
    // Which of the two comes first is the file system's to say.
    const same = [get(), manager.downloadTo(`${origin.url}/f`, `${folder.root}/./file.bin`)];
    const [outcomes] = await Promise.all([
      Promise.allSettled<unknown>(same),
      manager.downloadTo(`${origin.url}/f`, other),
    ]);
    const refused = outcomes.filter((outcome) => outcome.status === "rejected");
    assert.equal(refused.length, 1);
    assert.match(String(refused[0]!.reason), /already/);
    assert.equal(Buffer.compare(await readFile(other), BODY), 0);
    assert.deepEqual(await names(), ["file.bin", "other.bin"]);
  });
});
