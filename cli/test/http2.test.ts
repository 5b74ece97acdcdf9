/** `--http2` against a real HTTP/2 server, and how a waterfall shows its streams. */

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { createSecureServer, type Http2SecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { makeAuthority } from "../../test/kit/certificates.ts";
import { run, temporaryFolder } from "./kit.ts";

interface Origin extends AsyncDisposable {
  readonly url: string;
  readonly authority: string;
  /** HTTP/2 connections so far. */
  sessions(): number;
}

/** A server of both versions. `/wait/N` is answered when N requests wait at once. */
async function startBoth(): Promise<Origin> {
  const authority = await makeAuthority();
  const server: Http2SecureServer = createSecureServer({
    ...(await authority.issue({ ips: ["127.0.0.1"] })),
    allowHTTP1: true,
  });
  let sessions = 0;
  server.on("session", () => {
    sessions += 1;
  });
  const waiting: (() => void)[] = [];
  server.on("request", (request, response) => {
    const wanted = Number(/^\/wait\/(\d+)/.exec(request.url ?? "")?.[1] ?? 1);
    waiting.push(() => response.end(`HTTP/${request.httpVersion}`));
    if (waiting.length >= wanted) for (const answer of waiting.splice(0)) answer();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    authority: authority.cert,
    sessions: () => sessions,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

describe("--http2", () => {
  it("speaks HTTP/2 where the server does; HTTP/1.1 without it", async () => {
    await using origin = await startBoth();
    await using folder = await temporaryFolder();
    const cacert = join(folder.path, "ca.pem");
    await writeFile(cacert, origin.authority);
    const args = ["get", "--cacert", cacert, "-w", " %{http_version}", origin.url];
    assert.match((await run(args)).text, /^HTTP\/1\.1 1\.1$/);
    const { text, err, code } = await run([...args, "--http2", "-v"]);
    assert.match(text, /^HTTP\/2\.0 2/);
    assert.match(err, /h2 to 127\.0\.0\.1/);
    assert.equal(code, 0);
  });

  it("many requests share a connection, and stand below each other in its lane of the waterfall", async () => {
    await using origin = await startBoth();
    await using folder = await temporaryFolder();
    const [cacert, picture] = [join(folder.path, "ca.pem"), join(folder.path, "w.svg")];
    await writeFile(cacert, origin.authority);
    const urls = Array.from({ length: 6 }, (_, n) => `${origin.url}/wait/6?${n}\n`).join("");
    const args = ["fetch-all", "-i", "-", "--http2", "--cacert", cacert, "--waterfall", picture, "-m", "20"];
    const { code, err, text } = await run(args, { input: urls });
    assert.equal(code, 0, err);
    assert.equal(text.trim().split("\n").length, 6);
    assert.equal(origin.sessions(), 1);
    const bars = [...(await readFile(picture, "utf8")).matchAll(/<g><title>[\s\S]*?<\/g>/g)].map(String);
    assert.equal(bars.length, 6);
    assert.equal(new Set(bars.map((bar) => /connection #\d+/.exec(bar)?.[0])).size, 1);
    const rows = bars.map((bar) => /class="wait"[^>]* y="([\d.]+)"/.exec(bar)?.[1]);
    assert.equal(new Set(rows).size, 6, `rows at ${rows}`);
  });
});
