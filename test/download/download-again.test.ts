/** `downloadTo` goes on by itself after a body that broke off, and tells of the whole file. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  type DownloadOptions,
  type DownloadResult,
  IncompleteRead,
  MaxRetryError,
  PoolManager,
  type Progress,
  Retry,
} from "../../src/index.ts";
import { TemporaryFolder } from "../dial/tls/temporary-folder.ts";
import { type HttpOrigin, renderResponse, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

const BODY = Buffer.from(Array.from({ length: 60_000 }, (_unused, i) => String(i * 17)).join(","));
const SHA256 = createHash("sha256").update(BODY).digest("hex");

let origin: HttpOrigin;
let headers: Record<string, string>;
/** Bytes of the body after which each answer breaks off, the last for all further ones. */
let breaks: number[];
let manager: PoolManager;
let folder: TemporaryFolder;
let path: string;

beforeEach(async () => {
  headers = { ETag: '"v1"' };
  breaks = [Number.POSITIVE_INFINITY];
  origin = await startHttp(async ({ connection, header }) => {
    const length = breaks.length > 1 ? breaks.shift()! : breaks[0]!;
    const range = /^bytes=(\d+)-$/.exec(header("range") ?? "");
    const from = range === null ? 0 : Number(range[1]);
    const fields =
      from === 0
        ? headers
        : { ...headers, "Content-Range": `bytes ${from}-${BODY.length - 1}/${BODY.length}` };
    const answer = renderResponse({
      status: from === 0 ? 200 : 206,
      headers: fields,
      body: BODY.subarray(from),
    });
    await connection.send(answer.subarray(0, answer.indexOf("\r\n\r\n") + 4 + length));
    if (length < BODY.length - from) connection.halfClose();
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
  manager.downloadTo(`${origin.url}/f`, path, options);
const ranges = (): (string | null)[] => origin.received.map((request) => request.header("range"));
const names = async (): Promise<string[]> => (await readdir(folder.root)).sort();

describe("a body that breaks off", () => {
  it("is gone on with in the same call, as often as retries allow", async () => {
    breaks = [1000, 2000, Number.POSITIVE_INFINITY];
    const result = await get({ digest: { algorithm: "sha256", value: SHA256 } });
    assert.deepEqual([result.bytes, result.resumedFrom, result.digest], [BODY.length, 0, SHA256]);
    assert.deepEqual(ranges(), [null, "bytes=1000-", "bytes=3000-"]);
    assert.deepEqual(
      result.response.retries?.history.map(({ error }) => error?.name),
      ["IncompleteRead", "IncompleteRead"],
    );
    assert.equal(Buffer.compare(await readFile(path), BODY), 0);
    assert.deepEqual(await names(), ["file.bin"]);
  });

  it("ends in a MaxRetryError once they are used up, and the part stays for the next call", async () => {
    breaks = [1000];
    await assert.rejects(get({ retries: 2 }), (error: Error) => {
      assert.ok(error instanceof MaxRetryError && error.reason instanceof IncompleteRead);
      return true;
    });
    assert.deepEqual(ranges(), [null, "bytes=1000-", "bytes=2000-"]);
    assert.equal((await stat(`${path}.part`)).size, 3000);
    breaks = [Number.POSITIVE_INFINITY];
    assert.equal((await get()).resumedFrom, 3000);
    assert.equal(Buffer.compare(await readFile(path), BODY), 0);
  });

  it("comes as it is with retries: false, or read: false", async () => {
    breaks = [1000];
    for (const retries of [false, new Retry({ read: false })])
      await assert.rejects(get({ retries, resume: false }), IncompleteRead);
    assert.equal(origin.received.length, 2);
  });

  it("begins anew where there is nothing to tell versions apart by", async () => {
    headers = {};
    breaks = [1000, Number.POSITIVE_INFINITY];
    const { bytes } = await get({ digest: { algorithm: "sha256", value: SHA256 } });
    assert.equal(bytes, BODY.length);
    assert.deepEqual(ranges(), [null, null]);
  });

  it("waits as Retry says, and no longer than signal and deadline let it", async () => {
    breaks = [1000];
    const retries = new Retry({ total: 9, backoffFactor: 60_000 });
    const begin = performance.now();
    await assert.rejects(get({ retries, deadline: 5000 }), IncompleteRead);
    const reason = new Error("enough");
    const abort = new AbortController();
    setTimeout(() => abort.abort(reason), 50);
    await assert.rejects(get({ retries, signal: abort.signal }), (error) => error === reason);
    assert.ok(performance.now() - begin < 3000);
    assert.deepEqual(await names(), ["file.bin.part", "file.bin.part.json"]);
  });

  it("the deadline is for the whole call", async () => {
    breaks = [1];
    const begin = performance.now();
    const retries = new Retry({ total: 1_000_000 });
    await assert.rejects(get({ retries, deadline: 200 }), { code: "ERR_URLPOOL_DEADLINE" });
    assert.ok(performance.now() - begin < 3000);
  });
});

it("a server that falls silent in the middle is asked for the rest", async () => {
  await using stalling = await startHttp(async ({ connection, header }) => {
    const range = header("range");
    const from = range === null ? 0 : Number(/\d+/.exec(range)![0]);
    const fields =
      from === 0
        ? headers
        : { ...headers, "Content-Range": `bytes ${from}-${BODY.length - 1}/${BODY.length}` };
    const answer = renderResponse({
      status: from === 0 ? 200 : 206,
      headers: fields,
      body: BODY.subarray(from),
    });
    await connection.send(from === 0 ? answer.subarray(0, 5000) : answer);
    if (from === 0) await connection.readAll();
    return undefined;
  });
  const result = await manager.downloadTo(stalling.url, path, {
    timeout: 150,
    digest: { algorithm: "sha256", value: SHA256 },
  });
  assert.deepEqual(
    result.response.retries?.history.map(({ error }) => error?.name),
    ["ReadTimeoutError"],
  );
  assert.equal(stalling.received.length, 2);
});

describe("progress", () => {
  it("counts the whole file after a break, and in the call after one that failed", async () => {
    breaks = [100_000];
    const told: Progress[] = [];
    const onDownloadProgress = (progress: Progress): void => void told.push(progress);
    await assert.rejects(get({ retries: false, onDownloadProgress }), IncompleteRead);
    breaks = [50_000, Number.POSITIVE_INFINITY];
    await get({ onDownloadProgress });
    assert.ok(told.length >= 3);
    for (const [index, { transferred, total }] of told.entries()) {
      assert.equal(total, BODY.length);
      assert.ok(index === 0 || transferred >= told[index - 1]!.transferred, "a bar would jump back");
    }
    assert.deepEqual([told.at(-1)!.transferred, told.at(-1)!.percent], [BODY.length, 1]);
    // The rate is that of the bytes that came, not of those that were there.
    assert.ok(told.every(({ bytesPerSecond }) => bytesPerSecond >= 0));
  });
});

it("a digest without a value is told", async () => {
  const { digest } = await get({ digest: { algorithm: "sha256" } });
  assert.equal(digest, SHA256);
  assert.equal((await get()).digest, null);
});

it("the URL may be an object", async () => {
  assert.equal((await manager.downloadTo(new URL(`${origin.url}/f`), path)).bytes, BODY.length);
  await assert.rejects(manager.downloadTo(5 as never, path), { name: "InvalidArgumentError" });
});
