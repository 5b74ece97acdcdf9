/** Files from disk in a form: streamed as they are, with a Content-Length wherever the length can be known. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createReadStream, openAsBlob, truncateSync } from "node:fs";
import { open } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { after, before, describe, it } from "node:test";
import { type Fields, InvalidArgumentError, PoolManager, RequestField } from "../../../src/index.ts";
import { TemporaryFolder } from "../../dial/tls/temporary-folder.ts";
import { leakGate } from "../../kit/leak-gate.ts";

const folder = new TemporaryFolder();
const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on("error", () => {});
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    got = { headers: request.headers, body: Buffer.concat(parts) };
    response.end("ok");
  });
});
let got: { headers: IncomingHttpHeaders; body: Buffer } = { headers: {}, body: Buffer.alloc(0) };
let url = "";

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
after(() => {
  server.closeAllConnections();
  server.close();
  folder[Symbol.dispose]();
});

async function send(fields: Fields): Promise<FormData> {
  await using manager = new PoolManager();
  await manager.request("POST", url, { fields, retries: 0 });
  const type = got.headers["content-type"]!;
  return new Response(new Uint8Array(got.body), { headers: { "content-type": type } }).formData();
}

async function fileOf(form: FormData, name: string): Promise<[name: string, type: string, data: string]> {
  const file = form.get(name) as unknown as File;
  return [file.name, file.type, Buffer.from(await file.arrayBuffer()).toString("latin1")];
}

describe("a file in a form", () => {
  leakGate();
  const data = randomBytes(300_000);
  const text = data.toString("latin1");
  const path = folder.write("lake.jpg", data);

  it("FileHandle: named by the caller, and left open", async () => {
    const file = await open(path);
    for (const value of [["a.jpg", file], { filename: "a.jpg", data: file }] as const) {
      const form = await send({ title: "A lake", file: value as never });
      assert.deepEqual(await fileOf(form, "file"), ["a.jpg", "image/jpeg", text]);
      assert.equal(form.get("title"), "A lake");
      assert.equal(Number(got.headers["content-length"]), got.body.length);
      assert.equal(got.headers["transfer-encoding"], undefined);
    }
    assert.equal((await file.stat()).size, data.length);
    await file.close();
  });

  it("fs.createReadStream: name, type and length are the file's", async () => {
    const form = await send({ file: createReadStream(path), note: "x" });
    assert.deepEqual(await fileOf(form, "file"), ["lake.jpg", "image/jpeg", text]);
    assert.equal(Number(got.headers["content-length"]), got.body.length);
    const part = await send({ file: createReadStream(path, { start: 10, end: 19 }) });
    assert.deepEqual(await fileOf(part, "file"), ["lake.jpg", "image/jpeg", text.slice(10, 20)]);
    assert.equal(Number(got.headers["content-length"]), got.body.length);
  });

  it("streams of unknown length make the form chunked: Node's, the web's, one that has begun", async () => {
    const begun = createReadStream(path, { highWaterMark: 10 });
    await new Promise<void>((resolve) => begun.once("readable", () => resolve()));
    begun.read(10);
    for (const [stream, expected] of [
      [Readable.from([data]), text],
      [new Blob([data]).stream(), text],
      [begun, text.slice(10)],
    ] as const) {
      const form = await send({ file: { filename: "s.bin", data: stream as Readable, contentType: "x/y" } });
      assert.deepEqual(await fileOf(form, "file"), ["s.bin", "x/y", expected]);
      assert.equal(got.headers["transfer-encoding"], "chunked");
    }
  });

  it("a RequestField with a file", async () => {
    const file = await open(path);
    const field = new RequestField("file", file, { filename: "r.jpg" }).makeMultipart({ contentType: "x/y" });
    assert.deepEqual(await fileOf(await send([field]), "file"), ["r.jpg", "x/y", text]);
    await file.close();
  });

  it("is not loaded into memory", async () => {
    const large = folder.write("large", Buffer.alloc(0));
    truncateSync(large, 150_000_000);
    let most = 0;
    const counting = createServer((request, response) => {
      request.on("data", () => {
        most = Math.max(most, process.memoryUsage().arrayBuffers);
      });
      request.on("end", () => response.end());
    });
    await new Promise<void>((resolve) => counting.listen(0, "127.0.0.1", () => resolve()));
    const target = `http://127.0.0.1:${(counting.address() as AddressInfo).port}/`;
    const file = await open(large);
    globalThis.gc?.();
    const before = process.memoryUsage().arrayBuffers;
    {
      await using manager = new PoolManager();
      await manager.request("POST", target, { fields: { a: ["a", file], b: createReadStream(large) } });
    }
    await file.close();
    counting.close();
    // The server's own buffers, which wait for the garbage collector, are among them.
    assert.ok(most - before < 120_000_000, `${most - before} bytes`);
  });
});

describe("a file in a form, by the platform's own means", () => {
  // The platform closes what a Blob reads from whenever it collects garbage.
  it("fs.openAsBlob", async () => {
    const data = randomBytes(300_000);
    const path = folder.write("blob.jpg", data);
    const blob = await openAsBlob(path, { type: "image/jpeg" });
    const form = await send({ file: ["b.jpg", blob] });
    assert.deepEqual(await fileOf(form, "file"), ["b.jpg", "image/jpeg", data.toString("latin1")]);
    assert.equal(Number(got.headers["content-length"]), got.body.length);
  });
});

describe("a file in a form that cannot be sent", () => {
  leakGate();
  const path = folder.write("x.txt", "text");

  it("is refused before anything is sent, and named", async () => {
    await using manager = new PoolManager();
    const closed = await open(path);
    await closed.close();
    const read = createReadStream(path);
    for await (const _part of read);
    for (const data of [closed, read]) {
      const fields = { report: ["x.txt", data] } as never;
      await assert.rejects(manager.request("POST", url, { fields }), (error: Error) => {
        assert.ok(error instanceof InvalidArgumentError);
        assert.match(
          error.message,
          /the data of field "report" is a (file handle that was closed|stream that was read)/,
        );
        return true;
      });
    }
  });

  it("a missing file rejects the request, and the other streams are closed", async () => {
    await using manager = new PoolManager();
    const other = createReadStream(path);
    const missing = createReadStream(`${path}.missing`);
    const fields = { missing, other };
    await assert.rejects(manager.request("POST", url, { fields }), /ENOENT/);
    assert.equal(other.destroyed, true);
  });

  it("streams after one that fails in the middle are closed", async () => {
    await using manager = new PoolManager();
    const other = createReadStream(path);
    const broken = new Readable({
      read() {
        this.push("a");
        this.destroy(new Error("disk gone"));
      },
    });
    await assert.rejects(manager.request("POST", url, { fields: { broken, other } as never }), /disk gone/);
    assert.equal(other.destroyed, true);
  });

  it("a stalled stream is closed at once when the request is aborted", async () => {
    await using manager = new PoolManager();
    const other = createReadStream(path);
    const abort = new AbortController();
    const stalled = new Readable({
      read() {
        abort.abort();
      },
    });
    const { signal } = abort;
    await assert.rejects(manager.request("POST", url, { fields: { stalled, other } as never, signal }), {
      name: "AbortError",
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([stalled.destroyed, other.destroyed], [true, true]);
  });
});

describe("lists in a form", () => {
  leakGate();
  it("of several values repeat their field, instead of becoming a file", async () => {
    const lists: (string | number | boolean)[][] = [
      ["red", "blue"],
      ["a", "b", "c"],
      ["one.example.com", "two.example.com"],
      ["x"],
      ["a", "b", "c", "d"],
      [1, 2],
      [1, "a.txt", true],
    ];
    for (const list of lists) {
      const form = await send({ first: "1", tags: list, last: "2" });
      assert.deepEqual([...form.keys()], ["first", ...list.map(() => "tags"), "last"]);
      assert.deepEqual(form.getAll("tags"), list.map(String));
    }
    assert.deepEqual([...(await send({ none: [], a: "1" })).keys()], ["a"]);
  });

  it("[filename, text] stays a file", async () => {
    const form = await send({ a: ["a.txt", "one two"], b: ["", "x"], c: ["name", "x", "text/x"] });
    assert.deepEqual(await fileOf(form, "a"), ["a.txt", "text/plain", "one two"]);
    assert.equal((await fileOf(form, "c"))[1], "text/x");
  });

  it("{ filename, data, contentType } names what it does not know", async () => {
    const form = await send({ a: { filename: "a", data: "x" }, b: { data: new File(["y"], "y.json") } });
    assert.deepEqual(await fileOf(form, "a"), ["a", "application/octet-stream", "x"]);
    assert.deepEqual(await fileOf(form, "b"), ["y.json", "application/json", "y"]);
    await using manager = new PoolManager();
    const fields = { a: { name: "a", data: "x" } };
    await assert.rejects(manager.request("POST", url, { fields }), /and has no "name"/);
  });

  it("uses the last part of a stream's path as its name", async () => {
    const path = folder.write("deep.txt", "x");
    assert.equal((await fileOf(await send({ f: createReadStream(path) }), "f"))[0], basename(path));
  });
});

describe("fields that are no fields", () => {
  leakGate();

  it("are refused, not left out in silence", async () => {
    await using manager = new PoolManager();
    const bad = [
      new Blob(["x"]),
      new Date(),
      new URL("http://a.test"),
      Promise.resolve({}),
      () => ({}),
      5,
      "a=b",
      true,
    ];
    for (const fields of bad) {
      for (const method of ["GET", "POST"]) {
        await assert.rejects(manager.request(method, url, { fields: fields as object }), (error: Error) => {
          assert.ok(error instanceof InvalidArgumentError, String(error));
          assert.match(
            error.message,
            /fields must be an object, a form, or an iterable of pairs of name and value, not /,
          );
          return true;
        });
      }
    }
  });

  it("none at all send no body", async () => {
    await using manager = new PoolManager();
    for (const fields of [{}, [], Object.create(null) as object, null, undefined]) {
      await manager.request("POST", url, { fields });
      assert.deepEqual([got.headers["content-type"], got.body.length], [undefined, 0]);
    }
  });

  it("a FormData may be given as fields, of another make too", async () => {
    const form = new FormData();
    form.append("a", "1");
    form.append("f", new File(["x"], "f.txt", { type: "x/y" }));
    const foreign = {
      get [Symbol.toStringTag]() {
        return "FormData";
      },
      entries: () => form.entries(),
    };
    for (const fields of [form, foreign]) {
      const sent = await send(fields);
      assert.equal(sent.get("a"), "1");
      assert.deepEqual(await fileOf(sent, "f"), ["f.txt", "x/y", "x"]);
    }
  });

  it("an instance of a class with properties is a mapping", async () => {
    class Query {
      q = "x";
      page: number | undefined = undefined;
    }
    assert.deepEqual([...(await send(new Query())).entries()], [["q", "x"]]);
  });
});
