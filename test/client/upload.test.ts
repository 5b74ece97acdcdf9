import assert from "node:assert/strict";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import {
  PoolManager,
  type Progress,
  RequestBodyError,
  type RequestOptions,
  Retry,
  UnrewindableBodyError,
} from "../../src/index.ts";
import { type HttpHandler, type HttpOrigin, type OriginRequest, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";

leakGate();

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** What an origin saw of one POST. */
async function post(options: RequestOptions): Promise<OriginRequest> {
  await using origin = await startHttp(() => "ok");
  await using manager = new PoolManager();
  await manager.request("POST", `${origin.url}/`, options);
  return origin.received[0]!;
}

function framing({ headers }: OriginRequest): string {
  const found = headers.filter(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
  return found.map(([name, value]) => `${name.toLowerCase()}: ${value}`).join(", ");
}

async function* parts(...values: (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
  yield* values;
}

describe("kinds of bodies, their framing and type", () => {
  const cases: [name: string, body: () => RequestOptions["body"], framing: string, text: string][] = [
    ["string", () => "häl", "content-length: 4", "häl"],
    ["bytes", () => Buffer.from("abc"), "content-length: 3", "abc"],
    ["a view", () => new Uint8Array([0, 97, 98, 99]).subarray(1), "content-length: 3", "abc"],
    ["ArrayBuffer", () => new TextEncoder().encode("abc").buffer as ArrayBuffer, "content-length: 3", "abc"],
    ["URLSearchParams", () => new URLSearchParams({ a: "b c" }), "content-length: 5", "a=b+c"],
    ["Blob", () => new Blob(["ab", "c"]), "content-length: 3", "abc"],
    ["web stream", () => new Blob(["abc"]).stream() as never, "transfer-encoding: chunked", "abc"],
    [
      "Node stream",
      () => Readable.from([Buffer.from("ab"), Buffer.from("c")]),
      "transfer-encoding: chunked",
      "abc",
    ],
    ["array", () => ["a", Buffer.from("b"), "", "c"], "transfer-encoding: chunked", "abc"],
    ["generator", () => parts("ab", "c"), "transfer-encoding: chunked", "abc"],
    ["function of a string", () => () => "abc", "content-length: 3", "abc"],
    ["function of a stream", () => () => parts("ab", "c"), "transfer-encoding: chunked", "abc"],
    ["empty stream", () => parts(), "transfer-encoding: chunked", ""],
    ["empty string", () => "", "content-length: 0", ""],
  ];
  for (const [name, body, expected, text] of cases) {
    it(name, async () => {
      const request = await post({ body: body() });
      assert.equal(framing(request), expected);
      assert.equal(request.body.toString(), text);
    });
  }

  it("a file handle, from its start or from bodyPos, stays open and where it was", async () => {
    const folder = await mkdtemp(join(tmpdir(), "urlpool-"));
    const path = join(folder, "file");
    await writeFile(path, "0123456789");
    const file = await open(path);
    try {
      const whole = await post({ body: file });
      assert.deepEqual([framing(whole), String(whole.body)], ["content-length: 10", "0123456789"]);
      const rest = await post({ body: file, bodyPos: 7 });
      assert.deepEqual([framing(rest), String(rest.body)], ["content-length: 3", "789"]);
      assert.equal((await file.read(Buffer.alloc(2), 0, 2, 0)).bytesRead, 2);
    } finally {
      await file.close();
      await rm(folder, { recursive: true });
    }
  });

  it("FormData has a known length, and the boundary of its Content-Type", async () => {
    const form = new FormData();
    form.append("a", "one\ntwo");
    form.append("file", new Blob(["xyz"], { type: "text/x" }), 'na"me.txt');
    const request = await post({ body: form });
    assert.equal(framing(request), `content-length: ${request.body.length}`);
    const type = request.header("content-type") ?? "";
    const parsed = await new Response(new Uint8Array(request.body), {
      headers: { "content-type": type },
    }).formData();
    assert.equal(parsed.get("a"), "one\r\ntwo");
    assert.equal(await (parsed.get("file") as File).text(), "xyz");
    assert.equal((parsed.get("file") as File).type, "text/x");
  });

  it("multipart fields may be Blobs, and have a known length", async () => {
    const big = new Uint8Array(200_000).fill(120);
    const request = await post({ fields: { a: "1", file: ["x.bin", new Blob([big])], more: big } });
    assert.equal(framing(request), `content-length: ${request.body.length}`);
    const type = request.header("content-type") ?? "";
    const parsed = await new Response(new Uint8Array(request.body), {
      headers: { "content-type": type },
    }).formData();
    assert.equal((parsed.get("file") as File).size, big.length);
    assert.equal((parsed.get("more") as string).length, big.length);
  });

  it("a Blob's type is the Content-Type unless the caller has one", async () => {
    const body = new Blob(["x"], { type: "image/png" });
    assert.equal((await post({ body })).header("content-type"), "image/png");
    assert.equal(
      (await post({ body, headers: { "content-type": "own/type" } })).header("content-type"),
      "own/type",
    );
  });

  it("a caller's Content-Length for a stream is sent, and kept", async () => {
    const request = await post({ body: parts("ab", "c"), headers: { "Content-Length": "3" } });
    assert.deepEqual([framing(request), String(request.body)], ["content-length: 3", "abc"]);
  });
});

describe("sources that fail (fault 32)", () => {
  const sources: [name: string, body: () => RequestOptions["body"], message: RegExp][] = [
    [
      "throws",
      () =>
        (async function* () {
          yield "a";
          throw new Error("disk gone");
        })(),
      /source of the body failed: disk gone/,
    ],
    ["is shorter than declared", () => parts("ab"), /ended after 2 of its declared 3 bytes/],
    ["is longer than declared", () => parts("ab", "cd"), /longer than its declared 3 bytes/],
    ["gives no bytes", () => parts(1 as never), /neither a string nor bytes/],
  ];
  for (const [name, body, message] of sources) {
    it(name, async () => {
      await using origin = await startHttp(() => "ok");
      await using manager = new PoolManager();
      const headers = /declared/.test(message.source) ? { "Content-Length": "3" } : {};
      await assert.rejects(
        manager.request("PUT", `${origin.url}/`, { body: body(), headers }),
        (error: unknown) => {
          assert.ok(error instanceof RequestBodyError, String(error));
          assert.match(error.message, message);
          return true;
        },
      );
      assert.equal(manager.stats().openConnections, 0, "the connection is not used again");
    });
  }

  it("closes the source when the request is aborted", async () => {
    let began!: () => void;
    const sending = new Promise<void>((resolve) => {
      began = resolve;
    });
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.readUntil("\r\n");
      began();
    });
    await using manager = new PoolManager();
    let closed = false;
    const body = (async function* () {
      try {
        for (;;) {
          yield Buffer.alloc(1000);
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        closed = true;
      }
    })();
    const controller = new AbortController();
    const sent = manager.request("POST", `${origin.url}/`, { body, signal: controller.signal });
    await sending;
    controller.abort(new Error("enough"));
    await assert.rejects(sent, /enough/);
    for (let i = 0; i < 20 && !closed; i++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(closed, true);
  });
});

describe("bodies that are needed again", () => {
  async function twice(handler: HttpHandler, options: RequestOptions): Promise<string[]> {
    await using origin: HttpOrigin = await startHttp(handler);
    await using manager = new PoolManager();
    await manager.request("PUT", `${origin.url}/first`, options);
    return origin.received.map((request) => request.body.toString());
  }
  const redirect: HttpHandler = ({ target }) =>
    target === "/first" ? { status: 307, headers: { Location: "/second" } } : "ok";

  it("fault 40: are sent again over a redirect", async () => {
    assert.deepEqual(await twice(redirect, { body: "abc" }), ["abc", "abc"]);
    assert.deepEqual(await twice(redirect, { body: ["a", "bc"] }), ["abc", "abc"]);
    assert.deepEqual(await twice(redirect, { body: new Blob(["abc"]) }), ["abc", "abc"]);
    let calls = 0;
    assert.deepEqual(await twice(redirect, { body: () => parts(`call ${++calls}`) }), ["call 1", "call 2"]);
  });

  it("are sent again for a status", async () => {
    let answers = 0;
    const busy: HttpHandler = () => (answers++ === 0 ? { status: 503 } : "ok");
    assert.deepEqual(await twice(busy, { body: "abc", retries: new Retry({ statusForcelist: [503] }) }), [
      "abc",
      "abc",
    ]);
  });

  it("fault 40: cannot be had again from a stream: UnrewindableBodyError, never an empty body", async () => {
    await assert.rejects(twice(redirect, { body: parts("abc") }), UnrewindableBodyError);
  });

  it("do not matter to a 303", async () => {
    const see: HttpHandler = ({ target }) =>
      target === "/first" ? { status: 303, headers: { Location: "/second" } } : "ok";
    assert.deepEqual(await twice(see, { body: parts("abc") }), ["abc", ""]);
  });
});

describe("answers that come early", () => {
  it("are delivered while the upload goes on, and the connection dies if it does not end soon (fault 29)", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      connection.pause();
      connection.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    });
    await using manager = new PoolManager();
    const body = (async function* () {
      for (let i = 0; i < 1000; i++) yield Buffer.alloc(100_000);
    })();
    const response = await manager.request("POST", `${origin.url}/`, { body });
    assert.equal(response.status, 413);
    while (manager.stats().openConnections > 0) await new Promise((resolve) => setImmediate(resolve));
    (await origin.connection(0)).reset();
  });

  it("leave the connection usable if the upload ends within 50 ms (fault 30)", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      connection.send(OK);
      await connection.readChunkedBody();
      await connection.readHead();
      connection.send(OK);
    });
    await using manager = new PoolManager({ maxsize: 1 });
    let release!: () => void;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const body = (async function* () {
      yield "a";
      await gate;
      yield "b";
    })();
    assert.equal((await manager.request("POST", `${origin.url}/`, { body })).status, 200);
    release();
    assert.equal((await manager.request("GET", `${origin.url}/`)).status, 200);
    assert.equal(origin.accepted, 1);
  });
});

describe("Expect: 100-continue", () => {
  const options = { headers: { Expect: "100-continue" }, body: "body" };

  it("sends the body when the server says so", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      assert.equal(connection.unread.length, 0, "not before the 100");
      connection.send("HTTP/1.1 100 Continue\r\n\r\n");
      assert.equal(String(await connection.readBody(4)), "body");
      connection.send(OK);
    });
    await using manager = new PoolManager();
    assert.equal((await manager.request("POST", `${origin.url}/`, options)).status, 200);
    assert.equal(manager.stats().openConnections, 1);
  });

  it("sends it after a second of silence (fault 26)", async () => {
    const times: number[] = [];
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      times.push(performance.now());
      await connection.readBody(4);
      times.push(performance.now());
      connection.send(OK);
    });
    await using manager = new PoolManager();
    await manager.request("POST", `${origin.url}/`, options);
    assert.ok(times[1]! - times[0]! > 900 && times[1]! - times[0]! < 2500, String(times));
  });

  it("does not send it after a final answer, and retires the connection (fault 27)", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      connection.send("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n");
      await connection.ended;
      assert.equal(connection.unread.length, 0);
    });
    await using manager = new PoolManager();
    assert.equal((await manager.request("POST", `${origin.url}/`, options)).status, 401);
    assert.equal(manager.stats().openConnections, 0);
  });
});

describe("progress", () => {
  it("of an upload and a download: sums, totals and a last call", async () => {
    await using origin = await startHttp(() => ({ body: Buffer.alloc(500_000) }));
    await using manager = new PoolManager();
    const up: Progress[] = [];
    const down: Progress[] = [];
    await manager.request("POST", `${origin.url}/`, {
      body: parts(Buffer.alloc(100_000), Buffer.alloc(50_000)),
      onUploadProgress: (progress) => up.push(progress),
      onDownloadProgress: (progress) => down.push(progress),
    });
    assert.deepEqual([up.at(-1)!.transferred, up.at(-1)!.total, up.at(-1)!.percent], [150_000, null, null]);
    assert.deepEqual(
      [down.at(-1)!.transferred, down.at(-1)!.total, down.at(-1)!.percent],
      [500_000, 500_000, 1],
    );
    for (const list of [up, down]) {
      assert.ok(list.every((one, index) => index === 0 || one.transferred >= list[index - 1]!.transferred));
    }
  });

  it("fault 50: a callback that throws ends the request with its error", async () => {
    await using origin = await startHttp(() => "ok");
    await using manager = new PoolManager();
    const boom = new Error("boom");
    const throws = (): void => {
      throw boom;
    };
    for (const options of [{ onDownloadProgress: throws }, { body: "x", onUploadProgress: throws }]) {
      await assert.rejects(manager.request("POST", `${origin.url}/`, options), (error) => error === boom);
    }
  });
});
