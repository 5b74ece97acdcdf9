/** How the methods end. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { startHttp } from "../../../test/kit/http-origin.ts";
import { startOrigin } from "../../../test/kit/origin.ts";
import { BINARY, type Ended, ended, ROOT, run, start, temporaryFolder } from "../kit.ts";

/** Runs with standard output in a file or device. */
async function intoFile(path: string, ...args: string[]): Promise<Pick<Ended, "code" | "err">> {
  const command = `exec "$0" "$@" > ${path}`;
  const child = spawn("sh", ["-c", command, process.execPath, BINARY, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let err = "";
  child.stderr.on("data", (piece: Buffer) => {
    err += piece;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, err };
}

describe("exit codes", { concurrency: 2 }, () => {
  it("of failures", async () => {
    await using silent = await startOrigin(async (connection) => {
      await connection.readHead();
    });
    await using closed = await startOrigin("");
    const free = closed.port;
    await closed.close();
    assert.equal((await run(["get", `http://127.0.0.1:${free}/`])).code, 7);
    assert.equal((await run(["get", "http://no-such-host.invalid/"])).code, 6);
    assert.equal((await run(["get", "-m", "0.2", silent.url])).code, 28);
    await using garbage = await startOrigin(["garbage\r\n\r\n"]);
    assert.equal((await run(["get", garbage.url])).code, 56);
    assert.equal((await run(["get", "-x", `http://127.0.0.1:${free}`, "http://a.example/"])).code, 5);
    assert.equal((await run(["get", "http://a b/"])).code, 2);
    await using coded = await startHttp(() => ({ headers: { "Content-Encoding": "gzip" }, body: "no gzip" }));
    assert.equal((await run(["get", "--compressed", coded.url])).code, 61);
  });

  it("of a proxy that cannot be reached is 5, whatever the kind of the proxy", async () => {
    await using closed = await startOrigin("");
    const free = closed.port;
    await closed.close();
    for (const scheme of ["http", "socks5", "socks5h", "socks4"]) {
      const proxied = await run(["get", "-x", `${scheme}://127.0.0.1:${free}`, "http://127.0.0.1:9/"]);
      assert.equal(proxied.code, 5, `${scheme}: ${proxied.err}`);
    }
  });

  it("of a connection that does not stand in time is 28; 0 is no limit", async () => {
    await using silent = await startOrigin(() => {});
    const url = silent.url.replace("http:", "https:");
    const { code, err } = await run(["get", "--connect-timeout", "0.2", url]);
    assert.deepEqual([code, /timed out|time/i.test(err)], [28, true], err);
    await using origin = await startHttp(() => "x");
    assert.equal((await run(["get", "--connect-timeout", "0", "-m", "0", origin.url])).text, "x");
  });

  it("of a package that is not installed is 4, with its name", async () => {
    await using folder = await temporaryFolder();
    await cp(join(ROOT, "cli/dist"), join(folder.path, "cli/dist"), { recursive: true });
    await cp(join(ROOT, "cli/package.json"), join(folder.path, "cli/package.json"));
    await mkdir(join(folder.path, "node_modules/urlpool"), { recursive: true });
    for (const name of ["dist", "package.json"])
      await cp(join(ROOT, name), join(folder.path, "node_modules/urlpool", name), { recursive: true });
    const binary = join(folder.path, "cli/dist/urlpool.js");
    const alone = (...args: string[]): Promise<Ended> => ended(start(args, { binary }));
    const jar = await alone("get", "-c", join(folder.path, "jar"), "http://127.0.0.1:9/");
    assert.deepEqual([jar.code, /npm install tough-cookie/.test(jar.err)], [4, true], jar.err);
    const queue = await alone("queue", "status", "--queue", "redis://127.0.0.1:9/0");
    assert.deepEqual([queue.code, /npm install bullmq/.test(queue.err)], [4, true], queue.err);
  });

  it("of statuses with --fail, the last failure counting", async () => {
    await using origin = await startHttp(({ target }) => ({ status: Number(target.slice(1)), body: "body" }));
    const { code, text, err } = await run(["get", "-f", `${origin.url}/404`, `${origin.url}/200`]);
    assert.deepEqual([code, text, err], [22, "body", `urlpool: 404 Not Found: ${origin.url}/404\n`]);
    assert.equal((await run(["get", `${origin.url}/404`])).code, 0);
    assert.equal((await run(["get", "-sf", `${origin.url}/404`])).err, "");
    assert.notEqual((await run(["get", "-sSf", `${origin.url}/404`])).err, "");
  });

  it("of wrong usage, before anything is sent", async () => {
    for (const args of [
      ["get"],
      ["got", "x"],
      ["get", "--nonsense", "x"],
      ["get", "-m", "soon", "x"],
      ["post", "-d", "a", "--json", "1", "x"],
      ["post", "--data-binary", "a", "--data-binary", "b", "x"],
      ["get", "-X", "PUT", "x"],
      ["get", "-x", "ftp://x", "x"],
      ["get", "-H", "X-A: b\r\nX-B: c", "http://127.0.0.1:9/"],
      ["get", "-H", "X(: b", "http://127.0.0.1:9/"],
    ]) {
      const { code, err, text } = await run(args);
      assert.deepEqual([code, text], [2, ""], args.join(" "));
      assert.match(err, /^urlpool: [^\n]+\n$/);
    }
  });

  for (const [signal, exitCode, message] of [
    ["SIGINT", 130, "interrupted"],
    ["SIGTERM", 143, "terminated"],
  ] as const) {
    it(`a download that ${signal} ends is ${message}: ${exitCode}, no file, and the archive of what was`, async () => {
      await using folder = await temporaryFolder();
      await using origin = await startOrigin(async (connection) => {
        await connection.readHead();
        await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin");
      });
      const [file, har] = [join(folder.path, "file"), join(folder.path, "h.har")];
      const child = start(["get", "-o", file, "--har", har, origin.url, origin.url]);
      const end = ended(child);
      while (!existsSync(`${file}.part`)) await new Promise((resolve) => setTimeout(resolve, 20));
      child.kill(signal);
      const { code, err } = await end;
      assert.deepEqual([code, err], [exitCode, `urlpool: ${message}\n`]);
      assert.deepEqual([existsSync(`${file}.part`), existsSync(file)], [false, false]);
      const { log } = JSON.parse(await readFile(har, "utf8")) as { log: { entries: unknown[] } };
      assert.equal(log.entries.length, 1);
    });
  }

  it("a reader that goes away early, and a full disk, end it with 23 and at most a line", async () => {
    await using origin = await startHttp(() => Buffer.alloc(4_000_000, "x"));
    const child = start(["get", origin.url]);
    child.stdin.end();
    child.stdout.once("data", () => child.stdout.destroy());
    const early = await new Promise<number | null>((resolve) => child.once("exit", resolve));
    assert.equal(early, 23);
    if (!existsSync("/dev/full")) return;
    for (const args of [
      ["get", origin.url],
      ["fetch-all", "-s", origin.url],
    ]) {
      const { code, err } = await intoFile("/dev/full", ...args);
      assert.deepEqual([code, err.match(/^urlpool: cannot write [^\n]+\n$/) !== null], [23, true], err);
    }
  });

  it("does not depend on anybody reading what it complains about", async () => {
    await using closed = await startOrigin("");
    const free = closed.port;
    await closed.close();
    const child = start(["get", `http://127.0.0.1:${free}/`]);
    child.stderr.destroy();
    assert.equal(await new Promise<number | null>((resolve) => child.once("exit", resolve)), 7);
  });
});
