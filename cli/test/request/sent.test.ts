/** What `urlpool get` and its brothers send. */

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { startHttp } from "../../../test/kit/http-origin.ts";
import { run, temporaryFolder } from "../kit.ts";

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
    assert.deepEqual([post.method, post.body], ["POST", "a=1&b=2&c=3&@x&z=9"]);
    assert.equal(post.field("content-type"), "application/x-www-form-urlencoded");
    assert.equal(post.field("content-length"), String(post.body.length));
    const get = await echoOf(["get", "-d", "q=1 2", "-d", "r=3", "URL/s?a=0#part"]);
    assert.deepEqual([get.target, get.body], ["/s?a=0&q=1%202&r=3", ""]);
  });

  it("form data from a file byte for byte, whatever it is", async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, "data");
    await writeFile(file, Buffer.from([0xff, 0xfe, 0, 10, 0x80]));
    await using origin = await startHttp();
    assert.equal((await run(["post", "-d", "a=", "-d", `@${file}`, origin.url])).code, 0);
    assert.deepEqual(origin.received[0]!.body, Buffer.from([...Buffer.from("a=&"), 0xff, 0xfe, 0x80]));
  });

  it("JSON in pieces, joined", async () => {
    assert.equal((await echoOf(["post", "--json", '{"a":', "--json", "1}", "URL"])).body, '{"a":1}');
  });

  it("a body with DELETE, and none with POST unless one is given", async () => {
    const gone = await echoOf(["delete", "-d", "why=old", "URL/7"]);
    assert.deepEqual([gone.method, gone.target, gone.body], ["DELETE", "/7", "why=old"]);
    const empty = await echoOf(["post", "URL"]);
    assert.deepEqual([empty.method, empty.body, empty.field("content-length")], ["POST", "", "0"]);
  });

  it("credentials of the URL, those of --user before them, and none to another origin", async () => {
    const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;
    await using other = await startHttp();
    await using origin = await startHttp(({ target, header }) =>
      target === "/away"
        ? { status: 302, headers: { Location: other.url } }
        : `${target} ${header("authorization")}`,
    );
    const url = (path: string): string => `${origin.url.replace("//", "//ada:p%40ss@")}${path}`;
    assert.equal((await run(["get", url("/a")])).text, `/a ${basic("ada:p@ss")}`);
    assert.equal((await run(["get", "-u", "bob:x", url("/b")])).text, `/b ${basic("bob:x")}`);
    const away = await run(["get", "-L", "-v", url("/away")]);
    assert.doesNotMatch(away.text + away.err, /YWRh|p%40ss|p@ss/);
    assert.deepEqual(
      other.received.map(({ header }) => header("authorization")),
      [null],
    );
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
