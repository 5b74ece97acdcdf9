/** Files that the methods write: bodies, cookies, pictures. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { lstat, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { startHttp } from "../../../test/kit/http-origin.ts";
import { run, temporaryFolder } from "../kit.ts";

describe("files", { concurrency: 2 }, () => {
  it("-o for each URL, -O by the last part of the URL, --output-dir", async () => {
    await using folder = await temporaryFolder();
    await using origin = await startHttp(({ target }) => target);
    const inside = (name: string): Promise<string> => readFile(join(folder.path, name), "utf8");
    await run([
      "get",
      "-o",
      "one",
      "-o",
      "deep/two",
      "--output-dir",
      folder.path,
      `${origin.url}/1`,
      `${origin.url}/2`,
    ]);
    await run([
      "get",
      "-O",
      "--output-dir",
      folder.path,
      `${origin.url}/x/three.txt?y`,
      `${origin.url}/..%2f..%2fup`,
    ]);
    assert.deepEqual(
      [
        await inside("one"),
        await inside("deep/two"),
        await inside("three.txt"),
        await inside("..%2F..%2Fup"),
      ],
      ["/1", "/2", "/x/three.txt?y", "/..%2F..%2Fup"],
    );
  });

  it("a body that breaks off leaves no file, and the old one in its place", async () => {
    await using folder = await temporaryFolder();
    await using origin = await startHttp(() => ({ body: "half", contentLength: 10, close: true }));
    const file = join(folder.path, "file");
    await writeFile(file, "old");
    const { code, err } = await run(["get", "-o", file, origin.url]);
    assert.equal(code, 18);
    assert.match(err, /^urlpool: .*IncompleteRead/);
    assert.deepEqual([await readFile(file, "utf8"), existsSync(`${file}.part`)], ["old", false]);
  });

  it("-i and -I put the head into the file too", async () => {
    await using folder = await temporaryFolder();
    await using origin = await startHttp(() => ({ headers: { "X-A": "1" }, body: "body" }));
    const file = join(folder.path, "file");
    const head = "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 4\r\n\r\n";
    const { text } = await run(["get", "-i", "-o", file, "-w", "%{size_download}", origin.url]);
    assert.deepEqual([text, await readFile(file, "utf8")], ["4", `${head}body`]);
    assert.equal((await run(["get", "-I", "-o", file, origin.url])).text, "");
    assert.equal(await readFile(file, "utf8"), head);
  });

  it("a link stays a link: its file is written", { skip: process.platform === "win32" }, async () => {
    await using folder = await temporaryFolder();
    await using origin = await startHttp(() => "new");
    const [file, link] = [join(folder.path, "file"), join(folder.path, "link")];
    await writeFile(file, "old");
    await symlink("file", link);
    assert.equal((await run(["get", "-o", link, origin.url])).code, 0);
    assert.deepEqual([await readFile(file, "utf8"), (await lstat(link)).isSymbolicLink()], ["new", true]);
  });

  it("what cannot be written or read is said", async () => {
    await using folder = await temporaryFolder();
    await using origin = await startHttp(({ target }) =>
      target === "/moved" ? { status: 307, headers: { Location: "/there" } } : "x",
    );
    const file = join(folder.path, "file");
    await writeFile(file, "");
    assert.equal((await run(["get", "-o", join(file, "below"), origin.url])).code, 23);
    const { code, err } = await run(["post", "--data-binary", "@/nowhere", origin.url]);
    assert.deepEqual([code, err.startsWith("urlpool: cannot read /nowhere")], [26, true]);
    for (const option of ["--cacert", "-E", "--key", "-w", "-H"]) {
      const named = option === "-w" || option === "-H" ? "@/nowhere" : "/nowhere";
      assert.equal((await run(["get", option, named, origin.url])).code, 26, option);
    }
    const again = await run(["post", "-L", "--data-binary", "@-", `${origin.url}/moved`], { input: "x" });
    assert.deepEqual([again.code, again.err.includes("standard input can be read only once")], [26, true]);
    assert.equal(origin.received.length, 2);
  });
});

describe("cookies", { concurrency: 2 }, () => {
  it("are kept in curl's file format between runs, and go where they belong", async () => {
    await using folder = await temporaryFolder();
    const jar = join(folder.path, "jar");
    await using origin = await startHttp(({ target, header }) => {
      if (target === "/set") {
        const cookies = ["s=1; HttpOnly", "p=2; Path=/deep; Max-Age=3600", "d=3; Domain=other.example"];
        return { headers: { "Set-Cookie": cookies } };
      }
      return header("cookie") ?? "none";
    });
    const here = ["--resolve", "*:*:127.0.0.1"];
    const at = (host: string, path: string): string => `http://${host}:${origin.port}${path}`;
    const { code, err } = await run(["get", ...here, "-c", jar, at("a.example", "/set")]);
    assert.deepEqual([code, err], [0, ""]);
    const file = await readFile(jar, "utf8");
    assert.match(file, /^# Netscape HTTP Cookie File\n/);
    assert.match(file, /^#HttpOnly_a\.example\tFALSE\t\/\tFALSE\t0\ts\t1$/m);
    assert.match(file, /^a\.example\tFALSE\t\/deep\tFALSE\t\d{10}\tp\t2$/m);
    assert.doesNotMatch(file, /other/);
    const sent = async (host: string, path: string): Promise<string> =>
      (await run(["get", ...here, "--cookie-jar", jar, at(host, path)])).text;
    assert.deepEqual(
      [await sent("a.example", "/"), await sent("a.example", "/deep/x"), await sent("b.a.example", "/")],
      ["s=1", "p=2; s=1", "none"],
    );
  });
});

describe("pictures", { concurrency: 2 }, () => {
  it("of real requests: a lane for the connection, a bar for each try; an archive without credentials", async () => {
    await using folder = await temporaryFolder();
    const [svg, har] = [join(folder.path, "w.svg"), join(folder.path, "h.har")];
    await using origin = await startHttp(({ target }) =>
      target === "/a" ? { status: 302, headers: { Location: "/b" } } : target,
    );
    const args = [
      "get",
      "-L",
      "-u",
      "ada:secret",
      "--waterfall",
      svg,
      "--har",
      har,
      `${origin.url}/a`,
      `${origin.url}/c`,
    ];
    assert.equal((await run(args)).code, 0);
    const picture = await readFile(svg, "utf8");
    assert.match(picture, /Waterfall: 3 requests in /);
    const titles = [...picture.matchAll(/<title>(GET [^<]*)<\/title>/g)].map(([, title]) =>
      title!.split("\n"),
    );
    assert.deepEqual(
      titles.map(([url]) => url!.slice(-2)),
      ["/a", "/b", "/c"],
    );
    assert.match(titles[0]![2]!, /^connection #1, new; .*connect /);
    assert.match(titles[2]![2]!, /^connection #1, used again; /);
    const archive = await readFile(har, "utf8");
    const { log } = JSON.parse(archive) as {
      log: { version: string; entries: { response: { status: number } }[] };
    };
    assert.deepEqual(
      [log.version, log.entries.map(({ response }) => response.status)],
      ["1.2", [302, 200, 200]],
    );
    assert.doesNotMatch(archive + picture, /secret|YWRh/);
    assert.equal((await run(["get", "--waterfall", join(svg, "below"), origin.url])).code, 23);
  });

  it("--har-secrets: an archive with credentials, which only its owner can read", async () => {
    await using folder = await temporaryFolder();
    await using origin = await startHttp(() => "a");
    const har = join(folder.path, "h.har");
    const args = ["get", "-s", "-u", "ada:secret", "--har", har, origin.url];
    for (const [more, shown, mode] of [
      [[], false, 0o044],
      [["--har-secrets"], true, 0],
    ] as const) {
      assert.equal((await run([...args, ...more])).code, 0);
      const credentials = Buffer.from("ada:secret").toString("base64");
      assert.equal((await readFile(har, "utf8")).includes(credentials), shown);
      assert.equal((await stat(har)).mode & 0o044 & ~process.umask(), mode & ~process.umask());
    }
  });
});
