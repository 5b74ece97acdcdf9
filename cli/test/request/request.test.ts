/** `urlpool get` and its brothers against real servers. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { makeAuthority } from "../../../test/kit/certificates.ts";
import { type HttpHandler, startHttp } from "../../../test/kit/http-origin.ts";
import { startOrigin } from "../../../test/kit/origin.ts";
import { run, runOnTerminal, temporaryFolder } from "../kit.ts";

interface Echo {
  method: string;
  target: string;
  headers: [string, string][];
  body: string;
}

async function echoOf(
  args: readonly string[],
  input = "",
): Promise<Echo & { field(name: string): string | undefined }> {
  await using origin = await startHttp();
  const { text, err, code } = await run(
    args.map((arg) => arg.replace("URL", origin.url)),
    { input },
  );
  assert.deepEqual([code, err], [0, ""]);
  const echo = JSON.parse(text) as Echo;
  const field = (name: string): string | undefined =>
    echo.headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
  return { ...echo, field };
}

describe("what is sent", { concurrency: 2 }, () => {
  it("a plain get asks for nothing compressed", async () => {
    const { method, target, field } = await echoOf(["get", "URL/a?b=1"]);
    assert.deepEqual([method, target, field("accept-encoding")], ["GET", "/a?b=1", undefined]);
    assert.match(field("user-agent") ?? "", /^urlpool\//);
  });

  it("header fields: added, replaced, left out, empty, from a file", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "fields");
    await writeFile(file, "X-One: 1\r\nX-Two: 2\n");
    const args = [
      "get",
      "-H",
      "X-A: 1",
      "-HX-A: 2",
      "-H",
      "User-Agent:",
      "-H",
      "X-Empty;",
      "-H",
      `@${file}`,
      "URL",
    ];
    const { headers, field } = await echoOf(args);
    assert.deepEqual(
      headers.filter(([name]) => name === "X-A").map(([, value]) => value),
      ["1", "2"],
    );
    assert.deepEqual(
      [field("user-agent"), field("x-empty"), field("x-one"), field("x-two")],
      [undefined, "", "1", "2"],
    );
  });

  it("credentials and agent", async () => {
    const { field } = await echoOf(["get", "-u", "ada:se:cret", "-A", "me/1", "URL"]);
    assert.equal(field("authorization"), `Basic ${Buffer.from("ada:se:cret").toString("base64")}`);
    assert.equal(field("user-agent"), "me/1");
  });

  it("form data, joined, from files and standard input; in the query of a get", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "data");
    await writeFile(file, "b=2\r\n&c=3\n");
    const post = await echoOf(
      ["post", "-d", "a=1", "-d", `@${file}`, "--data-raw", "@x", "-d", "@-", "URL"],
      "z=9\n",
    );
    assert.deepEqual([post.method, post.body], ["POST", "a=1&b=2&c=3&z=9&@x"]);
    assert.equal(post.field("content-type"), "application/x-www-form-urlencoded");
    assert.equal(post.field("content-length"), String(post.body.length));
    const get = await echoOf(["get", "-d", "q=1 2", "-d", "r=3", "URL/s?a=0#part"]);
    assert.deepEqual([get.target, get.body], ["/s?a=0&q=1%202&r=3", ""]);
  });

  it("JSON with its content type", async () => {
    const { method, body, field } = await echoOf(["put", "--json", '{"a":1}', "URL"]);
    assert.deepEqual([method, body], ["PUT", '{"a":1}']);
    assert.deepEqual([field("content-type"), field("accept")], ["application/json", "application/json"]);
  });

  it("a file as it is, with its length, and standard input in chunks", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "data");
    await writeFile(file, "a\r\nb\0");
    const fromFile = await echoOf(["put", "--data-binary", `@${file}`, "URL"]);
    assert.deepEqual([fromFile.body, fromFile.field("content-length")], ["a\r\nb\0", "5"]);
    const streamed = await echoOf(["post", "--data-binary", "@-", "URL"], "streamed");
    assert.deepEqual([streamed.body, streamed.field("transfer-encoding")], ["streamed", "chunked"]);
  });

  it("multipart forms with files, types and names", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "lake.jpg");
    await writeFile(file, "JPEG");
    const args = [
      "post",
      "-F",
      "title=a lake",
      "-F",
      `photo=@${file}`,
      "-F",
      `x=@${file};type=text/x;filename=y.z`,
      "URL",
    ];
    const { body, field } = await echoOf(args);
    assert.match(field("content-type") ?? "", /^multipart\/form-data; boundary=/);
    assert.match(body, /name="title"\r\n\r\na lake\r\n/);
    assert.match(body, /name="photo"; filename="lake.jpg"\r\nContent-Type: image\/jpeg\r\n\r\nJPEG\r\n/);
    assert.match(body, /name="x"; filename="y.z"\r\nContent-Type: text\/x\r\n\r\nJPEG\r\n/);
  });
});

describe("what is printed", { concurrency: 2 }, () => {
  it("raw bytes in a pipe, whatever they are", async () => {
    const body = Buffer.from([0, 1, 2, 0xff, 0x1b, 10]);
    await using origin = await startHttp(() => ({ headers: { "Content-Type": "application/json" }, body }));
    const { out, err, code } = await run(["get", origin.url]);
    assert.deepEqual([out, err, code], [body, "", 0]);
  });

  it("a compressed answer is decoded with --compressed, and as it came without", async () => {
    const zipped = gzipSync("hello");
    const seen: (string | null)[] = [];
    await using origin = await startHttp((request) => {
      seen.push(request.header("accept-encoding"));
      return { headers: { "Content-Encoding": "gzip" }, body: zipped };
    });
    assert.equal((await run(["get", "--compressed", origin.url])).text, "hello");
    assert.deepEqual((await run(["get", origin.url])).out, zipped);
    assert.match(seen[0] ?? "", /gzip/);
    assert.equal(seen[1], null);
  });

  it("indented and coloured JSON on a terminal, with every number as it came", async () => {
    const body = '{"id":12345678901234567890,"list":[1.50,true,null],"empty":{},"s":"\\u001b[31m"}';
    await using origin = await startHttp(() => ({ headers: { "Content-Type": "application/json" }, body }));
    const { text } = await runOnTerminal(["get", origin.url]);
    assert.match(text, /\x1b\[/);
    const plain = text.replace(/\x1b\[\d+m/g, "").replaceAll("\r\n", "\n");
    assert.equal(
      plain,
      '{\n  "id": 12345678901234567890,\n  "list": [\n    1.50,\n    true,\n    null\n  ],\n  "empty": {},\n  "s": "\\u001b[31m"\n}\n',
    );
    assert.doesNotMatch(
      (await runOnTerminal(["get", origin.url], { env: { NO_COLOR: "1" } })).text,
      /\x1b\[/,
    );
  });

  it("a terminal is not steered by what a server sends, nor fed with binary data", async () => {
    await using origin = await startHttp(({ target }) =>
      target === "/bin" ? Buffer.from([1, 0, 2]) : "a\x1b]0;owned\x07b\n",
    );
    assert.equal((await runOnTerminal(["get", `${origin.url}/text`])).text, "a␛]0;owned␇b\r\n");
    assert.match((await runOnTerminal(["get", `${origin.url}/bin`])).text, /binary data/);
  });

  it("the head with -i, and alone with head and -I", async () => {
    await using origin = await startHttp(({ method }) => ({ headers: { "X-A": "1" }, body: method }));
    const head = "HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: ";
    assert.equal((await run(["get", "-i", origin.url])).text, `${head}3\r\n\r\nGET`);
    for (const args of [["head"], ["get", "-I"]]) {
      assert.equal((await run([...args, origin.url])).text, `${head}4\r\n\r\n`);
    }
  });

  it("what -w asks for", async () => {
    await using origin = await startHttp(({ target }) =>
      target === "/a"
        ? { status: 302, headers: { Location: "/b" } }
        : { headers: { "X-A": "one" }, body: "12345" },
    );
    const format = "\\n%{http_code} %{size_download} %{num_redirects} %{url_effective} %header{x-a} 100%%";
    const { text } = await run(["get", "-L", "-w", format, `${origin.url}/a`]);
    assert.equal(text, `12345\n200 5 1 ${origin.url}/b one 100%`);
    const json = JSON.parse((await run(["get", "-s", "-o", "/dev/null", "-w", "%{json}", origin.url])).text);
    assert.equal(json.num_connects, 1);
    assert.ok(json.time_total >= json.time_starttransfer && json.time_starttransfer >= json.time_connect);
  });

  it("connections and reuse with -v", async () => {
    await using origin = await startHttp(() => "x");
    const { err, text } = await run(["get", "-v", `${origin.url}/1`, `${origin.url}/2`]);
    assert.equal(text, "xx");
    assert.match(err, /\* connection #1 to 127\.0\.0\.1:\d+: dns [\d.]+ ms, connect [\d.]+ ms\n/);

    assert.equal(origin.connections.length, 1);
    assert.match(err, /\* connection #1; http\/1\.1 to 127\.0\.0\.1, [^\n]+\n> GET \/1 HTTP\/1\.1\n> Host: /);
    assert.match(
      err,
      /\* connection #1 used again; [^\n]+\n> GET \/2 HTTP\/1\.1\n[\s\S]*\n< HTTP\/1\.1 200 OK\n< Content-Length: 1\n/,
    );
    assert.doesNotMatch((await run(["get", "-v", "-u", "ada:secret", origin.url])).err, /secret|YWRh/);
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
});

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

  it("what cannot be written or read is said", async () => {
    await using folder = await temporaryFolder();
    await using origin = await startHttp(() => "x");
    const file = join(folder.path, "file");
    await writeFile(file, "");
    assert.equal((await run(["get", "-o", join(file, "below"), origin.url])).code, 23);
    const { code, err } = await run(["post", "--data-binary", "@/nowhere", origin.url]);
    assert.deepEqual([code, err.startsWith("urlpool: cannot read /nowhere")], [26, true]);
    assert.equal(origin.received.length, 1);
  });
});

describe("connections", { concurrency: 2 }, () => {
  it("redirects are followed with -L only, and so many", async () => {
    const handler: HttpHandler = ({ target }) => {
      const count = Number(target.slice(1));
      return count === 0 ? "end" : { status: 302, headers: { Location: `/${count - 1}` }, body: "moved" };
    };
    await using origin = await startHttp(handler);
    assert.equal((await run(["get", `${origin.url}/2`])).text, "moved");
    assert.equal((await run(["get", "-L", `${origin.url}/2`])).text, "end");
    assert.equal((await run(["get", "-L", "--max-redirs", "1", `${origin.url}/2`])).code, 47);
  });

  it("--retry repeats what may pass, and nothing is repeated without", async () => {
    const answers = [503, 500, 200];
    const handler =
      (statuses: number[]): HttpHandler =>
      () => ({ status: statuses.shift() ?? 200, body: "x" });
    await using origin = await startHttp(handler(answers));
    assert.equal(
      (await run(["get", "-w", "%{http_code} %{num_retries}", "-o", "/dev/null", "--retry", "2", origin.url]))
        .text,
      "200 2",
    );
    await using other = await startHttp(() => ({
      status: 503,
      headers: { "Retry-After": "9" },
      body: "busy",
    }));
    const { text, code } = await run(["get", other.url]);
    assert.deepEqual([text, code, other.received.length], ["busy", 0, 1]);
  });

  it("certificates are verified, unless -k or --cacert say how", async () => {
    await using folder = await temporaryFolder();
    const authority = await makeAuthority();
    const identity = await authority.issue({ names: ["localhost"] });
    await using origin = await startHttp(() => "safe", { tls: { cert: identity.cert, key: identity.key } });
    const url = `https://localhost:${origin.port}/`;
    const ca = join(folder.path, "ca.pem");
    await writeFile(ca, authority.cert);
    assert.equal((await run(["get", url])).code, 35);
    const insecure = await run(["get", "-k", url]);
    assert.deepEqual([insecure.text, insecure.err], ["safe", ""]);
    const verbose = await run(["get", "-v", "--cacert", ca, url]);
    assert.equal(verbose.text, "safe");
    assert.match(verbose.err, /connect [\d.]+ ms, tls [\d.]+ ms/);
  });

  it("names lead where --resolve says, -6 and -4 choose the family", async () => {
    await using origin = await startHttp(({ header }) => header("host") ?? "");
    const url = `http://shop.example:${origin.port}/`;
    const resolve = ["--resolve", `shop.example:${origin.port}:127.0.0.1`];
    assert.equal((await run(["get", ...resolve, url])).text, `shop.example:${origin.port}`);
    assert.equal((await run(["get", "-6", ...resolve, url])).code, 6);
    assert.equal((await run(["get", "--resolve", "*:*:127.0.0.1", url])).text, `shop.example:${origin.port}`);
    assert.equal((await run(["get", "-4", "-6", url])).code, 2);
  });

  it("a Unix-domain socket", { skip: process.platform === "win32" }, async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "s");
    await using origin = await startHttp(() => "over the socket", { path });
    const env = { http_proxy: "http://127.0.0.1:1" };
    assert.equal((await run(["get", "--unix-socket", path, "http://any/"], { env })).text, "over the socket");
    assert.equal(origin.received.length, 1);
  });

  it("proxies from -x and the environment, and exceptions", async () => {
    await using proxy = await startHttp(({ target }) => `proxied ${target}`);
    await using origin = await startHttp(() => "direct");
    const target = `proxied ${origin.url}/`;
    const env = { http_proxy: proxy.url };
    assert.equal((await run(["get", "-x", `127.0.0.1:${proxy.port}`, origin.url])).text, target);
    assert.equal((await run(["get", origin.url], { env })).text, target);
    assert.equal((await run(["get", "--noproxy", "127.0.0.1", origin.url], { env })).text, "direct");
    assert.equal((await run(["get", "-x", "", origin.url], { env })).text, "direct");
  });
});

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
    ]) {
      const { code, err, text } = await run(args);
      assert.deepEqual([code, text], [2, ""], args.join(" "));
      assert.match(err, /^urlpool: [^\n]+\n$/);
    }
  });

  it("an interrupted download ends with 130 and leaves nothing", async () => {
    await using folder = await temporaryFolder();
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin");
    });
    const { start, ended } = await import("../kit.ts");
    const child = start(["get", "-o", join(folder.path, "file"), origin.url]);
    const end = ended(child);
    while (!existsSync(join(folder.path, "file.part")))
      await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill("SIGINT");
    const { code, err } = await end;
    assert.deepEqual([code, err], [130, "urlpool: interrupted\n"]);
    assert.equal(existsSync(join(folder.path, "file.part")), false);
  });
});
