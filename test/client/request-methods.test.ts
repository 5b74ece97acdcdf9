import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  HTTPConnectionPool,
  HTTPHeaderDict,
  InvalidArgumentError,
  PoolManager,
  type RequestOptions,
} from "../../src/index.ts";
import { type HttpOrigin, type OriginRequest, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

const URL_METHODS = ["GET", "HEAD", "DELETE", "OPTIONS"];
const BODY_METHODS = ["POST", "PUT", "PATCH", "FOO"];
const PAIRS = [
  ["foo", "a"],
  ["foo", "b c"],
  ["\u00e4&=", "\u20ac"],
] as const;
const ENCODED = "foo=a&foo=b+c&%C3%A4%26%3D=%E2%82%AC";

describe("fields", () => {
  it("RQ-01: into the query for GET, HEAD, DELETE and OPTIONS, in any case", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    for (const method of [...URL_METHODS, "get"]) {
      await pool.request(method, "/x", { fields: PAIRS });
      const got = origin.received.at(-1)!;
      assert.equal(got.method, method.toUpperCase());
      assert.equal(got.target, `/x?${ENCODED}`);
      assert.equal(got.header("content-type"), null);
      assert.equal(got.body.length, 0);
    }
  });

  it("RQ-04: as multipart into the body for all others", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    for (const method of [...BODY_METHODS, "post"]) {
      await pool.request(method, "/x", { fields: { foo: "a" }, multipartBoundary: "BOUNDARY" });
      const got = origin.received.at(-1)!;
      assert.deepEqual([got.method, got.target], [method.toUpperCase(), "/x"]);
      assert.equal(got.header("content-type"), "multipart/form-data; boundary=BOUNDARY");
      assert.equal(
        got.body.toString(),
        '--BOUNDARY\r\nContent-Disposition: form-data; name="foo"\r\n\r\na\r\n--BOUNDARY--\r\n',
      );
      assert.equal(got.header("content-length"), String(got.body.length));
    }
  });

  it("RQ-03: as a form with encodeMultipart: false", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    await pool.request("POST", "/", { fields: PAIRS, encodeMultipart: false });
    const [got] = origin.received;
    assert.equal(got!.body.toString(), ENCODED);
    assert.equal(got!.header("content-type"), "application/x-www-form-urlencoded");
  });

  it("FP-13: numbers and an upload", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    const data = "I'm in ur multipart form-data, hazing a cheezburgr";
    const fields = {
      upload_param: "filefield",
      upload_size: data.length,
      filefield: ["lolcat.txt", data],
    } as const;
    await pool.request("POST", "/upload", { fields, multipartBoundary: "b" });
    const text = origin.received[0]!.body.toString();
    assert.ok(text.includes(`name="upload_size"\r\n\r\n${data.length}\r\n`));
    const head =
      'Content-Disposition: form-data; name="filefield"; filename="lolcat.txt"\r\nContent-Type: text/plain';
    assert.ok(text.includes(`${head}\r\n\r\n${data}\r\n--b--`), text);
  });

  it("RQ-11: join a query that is there, before the fragment", async () => {
    await using origin = await startHttp(() => "");
    await using manager = new PoolManager();
    for (const [path, target] of [
      ["/x?a=1", "/x?a=1&f=v"],
      ["/x?", "/x?f=v"],
      ["/x#frag", "/x?f=v"],
      ["/x?a#frag?", "/x?a&f=v"],
      ["", "/?f=v"],
    ] as const) {
      await manager.request("GET", origin.url + path, { fields: { f: "v" } });
      assert.equal(origin.received.at(-1)!.target, target, path);
    }
  });

  it("none at all change nothing", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    for (const fields of [{}, [], null, undefined]) {
      await pool.request("GET", "/x", { fields });
      await pool.request("POST", "/x", { fields });
      const [get, post] = origin.received.slice(-2);
      assert.equal(get!.target, "/x");
      assert.deepEqual([post!.header("content-type"), post!.header("content-length")], [null, "0"]);
    }
  });

  it("requestEncodeUrl and requestEncodeBody whatever the method", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    await pool.requestEncodeUrl("POST", "/x", { fields: { a: "1" }, body: "body" });
    await pool.requestEncodeBody("DELETE", "/x", { fields: { a: "1" }, encodeMultipart: false });
    assert.deepEqual(origin.received.map(summary), ["POST /x?a=1 body", "DELETE /x a=1"]);
  });
});

describe("json", () => {
  it("RQ-06: compact UTF-8 with its Content-Type, for all methods", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    for (const method of ["POST", "GET"])
      await pool.request(method, "/", { json: { a: [1, "\u00fc"], b: null } });
    for (const got of origin.received) {
      assert.equal(got.body.toString(), '{"a":[1,"\u00fc"],"b":null}');
      assert.equal(got.header("content-type"), "application/json");
      assert.equal(got.header("content-length"), "23");
    }
    for (const [json, body] of [
      [0, "0"],
      [false, "false"],
      ["", '""'],
      [null, "null"],
      [[], "[]"],
    ] as const) {
      await pool.request("POST", "/", { json });
      assert.equal(origin.received.at(-1)!.body.toString(), body);
    }
  });

  it("RQ-05, RQ-06: the caller's Content-Type wins, whatever its case; the headers are not modified", async () => {
    await using origin = await startHttp(() => "");
    const own = { "content-TYPE": "application/vnd.api+json" };
    const dict = new HTTPHeaderDict({ "X-Other": "1" });
    using pool = poolOf(origin, { headers: { "X-Default": "1" } });
    await pool.request("POST", "/", { json: {}, headers: own });
    await pool.request("POST", "/", { json: {}, headers: dict });
    await pool.request("POST", "/", { json: {} });
    await pool.request("POST", "/", { fields: { a: "b" }, headers: own });
    await pool.request("POST", "/", { fields: { a: "b" }, headers: dict, multipartBoundary: "b" });
    assert.deepEqual(
      origin.received.map((got) => got.headers.filter(([name]) => name.toLowerCase() === "content-type")),
      [
        [["content-TYPE", "application/vnd.api+json"]],
        [["Content-Type", "application/json"]],
        [["Content-Type", "application/json"]],
        [["content-TYPE", "application/vnd.api+json"]],
        [["Content-Type", "multipart/form-data; boundary=b"]],
      ],
    );
    assert.equal(origin.received[2]!.header("x-default"), "1");
    assert.deepEqual(own, { "content-TYPE": "application/vnd.api+json" });
    assert.deepEqual([...dict], [["X-Other", "1"]]);
  });
});

describe("bodies", () => {
  const bytes = Uint8Array.from([0, 1, 254, 255]);
  const bodies: [
    kind: string,
    body: RequestOptions["body"],
    sent: Uint8Array | string,
    type: string | null,
  ][] = [
    ["string", "h\u00e9\u20ac", "h\u00e9\u20ac", null],
    ["empty string", "", "", null],
    ["Uint8Array", bytes, bytes, null],
    ["Buffer", Buffer.from("abc"), "abc", null],
    ["part of a buffer", bytes.subarray(1, 3), bytes.slice(1, 3), null],
    ["ArrayBuffer", bytes.slice().buffer as ArrayBuffer, bytes, null],
    ["DataView", new DataView(bytes.buffer, 2, 2) as unknown as Uint8Array, bytes.slice(2), null],
    [
      "URLSearchParams",
      new URLSearchParams(PAIRS as unknown as [string, string][]),
      ENCODED,
      "application/x-www-form-urlencoded;charset=UTF-8",
    ],
  ];
  for (const [kind, body, sent, type] of bodies) {
    it(`CN-26, CN-29: ${kind}`, async () => {
      await using origin = await startHttp(() => "");
      using pool = poolOf(origin);
      await pool.request("POST", "/", { body });
      await pool.request("POST", "/", { body, headers: { "Content-Type": "x/y" } });
      const [plain, typed] = origin.received;
      assert.deepEqual(Buffer.compare(plain!.body, Buffer.from(sent as string)), 0);
      assert.equal(plain!.header("content-length"), String(Buffer.from(sent as string).length));
      assert.equal(plain!.header("content-type"), type);
      assert.equal(typed!.header("content-type"), "x/y");
    });
  }

  it("a GET may have a body; an empty one counts", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    await pool.request("GET", "/", { body: "x" });
    await pool.request("GET", "/", { body: "" });
    assert.deepEqual(
      origin.received.map((got) => [got.header("content-length"), got.body.toString()]),
      [
        ["1", "x"],
        ["0", ""],
      ],
    );
  });
});

describe("what excludes each other", () => {
  const wrong: [why: string, method: string, options: RequestOptions][] = [
    ["RQ-02: body and fields", "POST", { body: "x", fields: { a: "b" } }],
    ["RQ-07: body and json", "POST", { body: "x", json: {} }],
    ["RQ-07: body and json in a GET", "GET", { body: "", json: 0 }],
    ["json and fields", "POST", { json: {}, fields: { a: "b" } }],
    ["json that is none", "POST", { json: () => 1 }],
    ["encodeMultipart in a URL", "GET", { fields: { a: "b" }, encodeMultipart: true }],
    ["multipartBoundary in a URL", "GET", { fields: { a: "b" }, multipartBoundary: "x" }],
    ["CN-38: a number as body", "POST", { body: 5 as never }],
    ["CN-38: a plain object as body", "POST", { body: { a: 1 } as never }],
    ["a method that is no string", 5 as unknown as string, {}],
    ["headers that are none", "GET", { headers: "a: b" as never }],
    ["a header that is null", "GET", { headers: { a: null } as never }],
  ];
  for (const [why, method, options] of wrong) {
    it(`${why}: a rejection, and nothing is sent`, async () => {
      await using origin = await startHttp(() => "");
      await using manager = new PoolManager();
      using pool = poolOf(origin);
      await assert.rejects(pool.request(method, "/", options), InvalidArgumentError);
      await assert.rejects(manager.request(method, `${origin.url}/`, options), InvalidArgumentError);
      assert.equal(origin.accepted, 0);
    });
  }

  it("null and undefined are as if not given", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    await pool.request("POST", "/", {
      body: null,
      fields: null,
      json: undefined,
      headers: null,
      timeout: undefined,
    });
    await pool.request("POST", "/", { body: undefined, json: 1 });
    assert.deepEqual(origin.received.map(summary), ["POST / ", "POST / 1"]);
  });
});

function poolOf(
  origin: HttpOrigin,
  options: ConstructorParameters<typeof HTTPConnectionPool>[2] = {},
): HTTPConnectionPool {
  return new HTTPConnectionPool("127.0.0.1", origin.port, options);
}

function summary({ method, target, body }: OriginRequest): string {
  return `${method} ${target} ${body}`;
}
