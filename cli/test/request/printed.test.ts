/** What `urlpool get` and its brothers print. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { startHttp } from "../../../test/kit/http-origin.ts";
import { startOrigin } from "../../../test/kit/origin.ts";
import { run, runOnTerminal } from "../kit.ts";

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

  it("what -w asks for when no answer came, and from a file; it says which names mean nothing", async () => {
    await using closed = await startOrigin("");
    const url = closed.url;
    await closed.close();
    const format = "%{http_code} %{exitcode} %{url} %{errormsg}|%{nosuch}|";
    const { text, err, code } = await run(["get", "-w", "@-", url], { input: format });
    assert.equal(code, 7);
    assert.match(text, new RegExp(`^000 7 ${url} GET ${url}/?: [^|]*ECONNREFUSED[^|]*\\|\\|$`));
    assert.match(err, /^urlpool: --write-out has no %\{nosuch\}$/m);
    await using origin = await startHttp(() => "x");
    const facts = "%{remote_ip} %{scheme} %{num_headers} %{filename_effective}";
    assert.equal(
      (await run(["get", "-o", "/dev/null", "-w", facts, origin.url])).text,
      "127.0.0.1 http 1 /dev/null",
    );
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
