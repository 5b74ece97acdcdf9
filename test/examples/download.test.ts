/** The download goes through a real proxy, and the next run goes on where one broke off. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { TemporaryFolder } from "../dial/tls/temporary-folder.ts";
import { skipWithout } from "../kit/daemon.ts";
import { type HttpOrigin, renderResponse, startHttp } from "../kit/http-origin.ts";
import { startTinyproxy } from "../kit/proxies.ts";
import { startSquid } from "../kit/squid.ts";
import { runProgram, startProgram } from "./program.ts";

const BODY = Buffer.from(Array.from({ length: 200_000 }, (_, index) => String(index * 31)).join(","));
const SHA256 = createHash("sha256").update(BODY).digest("hex");

/** Serves ranges of the file; `lengths` are the bytes of the first answers after which the connection is closed. */
function startFiles(...lengths: number[]): Promise<HttpOrigin> {
  return startHttp(async ({ connection, header }) => {
    const from = Number(/^bytes=(\d+)-$/.exec(header("range") ?? "")?.[1] ?? 0);
    const range = { "Content-Range": `bytes ${from}-${BODY.length - 1}/${BODY.length}` };
    const headers = { ETag: '"v1"', ...(from > 0 ? range : {}) };
    const answer = renderResponse({ status: from > 0 ? 206 : 200, headers, body: BODY.subarray(from) });
    const length = lengths.shift();
    await connection.send(answer.subarray(0, length));
    if (length !== undefined) connection.halfClose();
  });
}

describe("examples/download.ts", () => {
  it("goes on in the next run, through squid", { skip: skipWithout("squid") }, async () => {
    using folder = new TemporaryFolder();
    await using squid = await startSquid();
    await using files = await startFiles(300_000);
    const proxy = `http://127.0.0.1:${squid.port}`;
    const args = [`${files.url}/data/big.txt`, "--proxy", proxy, "--sha256", SHA256, "--retries", "0"];
    const first = await runProgram("download", args, { cwd: folder.root });
    assert.equal(first.code, 1);
    assert.match(first.stderr, /The same command goes on\.\n$/);
    assert.ok(!(await readdir(folder.root)).includes("big.txt"));

    const second = await runProgram("download", args, { cwd: folder.root });
    assert.equal(second.code, 0, second.stderr);
    const [, bytes, before] =
      /big\.txt: (\d+) bytes, (\d+) of them from an earlier run/.exec(second.lines[0]!) ?? [];
    assert.equal(Number(bytes), BODY.length);
    assert.ok(Number(before) > 100_000 && Number(before) <= 300_000);
    assert.equal(second.lines[1], `sha256 ${SHA256}`);
    assert.deepEqual(await readFile(join(folder.root, "big.txt")), BODY);
    assert.deepEqual(await readdir(folder.root), ["big.txt"]);
    const statuses = (await squid.accessLog(2)).map(({ status }) => status);
    assert.deepEqual(statuses, [200, 206]);
  });

  it("goes on within a run, through the proxy that the environment names", {
    skip: skipWithout("tinyproxy"),
  }, async () => {
    using folder = new TemporaryFolder();
    await using tinyproxy = await startTinyproxy();
    await using files = await startFiles(300_000, 400_000);
    const env = { http_proxy: `http://127.0.0.1:${tinyproxy.port}`, no_proxy: "", NO_PROXY: "" };
    const { code, lines, stderr } = await runProgram("download", [`${files.url}/x`, "own-name"], {
      cwd: folder.root,
      env,
    });
    assert.equal(code, 0, stderr);
    assert.match(lines[0]!, new RegExp(`own-name: ${BODY.length} bytes$`));
    assert.match(stderr, /\(100 %\)/);
    assert.deepEqual(await readFile(join(folder.root, "own-name")), BODY);
    assert.ok((await tinyproxy.log(3)).length >= 3);
  });

  it("stops at Ctrl-C, and keeps what it has", { skip: process.platform === "win32" }, async () => {
    using folder = new TemporaryFolder();
    await using files = await startHttp(async ({ connection }) => {
      await connection.send(`HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Length: ${BODY.length}\r\n\r\n`);
      await connection.send(BODY.subarray(0, 200_000));
    });
    const env = { http_proxy: "", HTTP_PROXY: "", all_proxy: "", ALL_PROXY: "" };
    await using program = startProgram("download", [`${files.url}/f`], { cwd: folder.root, env });
    await files.connection(0);
    await program.errorLine(/of \d+ bytes/);
    program.kill("SIGINT");
    const { code, stderr } = await program.end();
    assert.equal(code, 1);
    assert.match(stderr, /interrupted\nThe same command goes on\.\n$/);
    assert.deepEqual((await readdir(folder.root)).sort(), ["f.part", "f.part.json"]);
  });

  it("refuses a file with another digest", async () => {
    using folder = new TemporaryFolder();
    await using files = await startFiles();
    const args = [`${files.url}/f`, "--sha256", "00".repeat(32)];
    const { code, stderr } = await runProgram("download", args, { cwd: folder.root, env: { NO_PROXY: "*" } });
    assert.equal(code, 1);
    assert.match(stderr, /The sha256 digest is/);
    assert.deepEqual(await readdir(folder.root), []);
  });
});
