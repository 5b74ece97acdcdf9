import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  HTTPConnectionPool,
  HTTPHeaderDict,
  InvalidArgumentError,
  InvalidHeader,
  PoolManager,
  type RequestOptions,
  SKIP_HEADER,
} from "../../src/index.ts";
import { type Field, type HttpOrigin, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

describe("header fields on the wire", () => {
  it("CN-16, CN-17, CN-20: the caller's fields keep order, case and lines", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    const headers = new HTTPHeaderDict({ "x-B": "1", "X-a": "2", foo: "3" });
    headers.add("X-A", "4");
    headers.add("Foo", "5", { combine: true });
    await pool.request("GET", "/", { headers });
    assert.deepEqual(own(origin), [
      ["x-B", "1"],
      ["X-a", "2"],
      ["X-a", "4"],
      ["foo", "3, 5"],
    ]);
  });

  it("CN-12: the caller's headers are never modified", async () => {
    await using origin = await startHttp(({ target }) =>
      target === "/" ? { status: 303, headers: { Location: "/next" } } : "",
    );
    using pool = poolOf(origin);
    const headers = Object.freeze({ "user-agent": SKIP_HEADER, "Content-Type": "a/b", "X-Own": "1" });
    const dict = new HTTPHeaderDict(headers);
    await pool.request("POST", "/", { headers, body: "x" });
    await pool.request("POST", "/", { headers: dict, fields: { a: "b" } });
    assert.deepEqual(Object.fromEntries(dict), headers);
    assert.deepEqual(
      origin.received.map((got) => got.header("x-own")),
      ["1", "1", "1", "1"],
    );
  });

  it("CN-09, CN-10: defaults give way to the caller's, in any case", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    await pool.request("GET", "/", {
      headers: { "user-AGENT": "me", "accept-encoding": "identity", hOST: "other" },
    });
    assert.deepEqual(origin.received[0]!.headers, [
      ["user-AGENT", "me"],
      ["accept-encoding", "identity"],
      ["hOST", "other"],
    ]);
  });

  const skippable = ["Host", "Accept-Encoding", "User-Agent"];
  it("CN-07, CN-11: SKIP_HEADER suppresses Accept-Encoding, Host and User-Agent", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    for (const skipped of skippable) {
      for (const name of [skipped, skipped.toLowerCase()]) {
        for (const method of ["GET", "POST"]) {
          await pool.request(method, "/", { headers: { [name]: SKIP_HEADER } });
          const names = origin.received.at(-1)!.headers.map(([sent]) => sent);
          assert.deepEqual(
            names.filter((sent) => sent !== "Content-Length"),
            skippable.filter((other) => other !== skipped),
          );
        }
      }
    }
    assert.ok(origin.requests.every((head) => !head.includes("@@@")));
  });

  it("CN-08: SKIP_HEADER elsewhere", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    for (const name of ["Content-Length", "X-Own", "Authorization"]) {
      await assert.rejects(pool.request("GET", "/", { headers: { [name]: SKIP_HEADER } }));
    }
    assert.equal(origin.accepted, 0);
  });

  it("CN-13: values are Latin-1; numbers become text; spaces at the ends do no harm", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    await pool.request("GET", "/", {
      headers: { "X-Latin": "Sch\u00f6nfelder", "X-Number": 5, "X-Empty": "" },
    });
    assert.deepEqual(own(origin), [
      ["X-Latin", "Sch\u00f6nfelder"],
      ["X-Number", "5"],
      ["X-Empty", ""],
    ]);
  });
});

describe("framing", () => {
  type Case = [title: string, method: string, options: RequestOptions, fields: Field[], body: string];
  const chunked: Field = ["Transfer-Encoding", "chunked"];
  const cases: Case[] = [
    ...["GET", "HEAD", "DELETE", "OPTIONS", "TRACE"].map(
      (method): Case => [`bare ${method}`, method, {}, [], ""],
    ),
    ...["POST", "PUT", "PATCH", "FOO"].map(
      (method): Case => [`CN-24: bare ${method}`, method, {}, [["Content-Length", "0"]], ""],
    ),
    ["CN-25: chunked body", "POST", { body: "hello", chunked: true }, [chunked], "hello"],
    ["CN-25: chunked GET", "GET", { body: "hello", chunked: true }, [chunked], "hello"],
    ["CN-32: chunked without body", "POST", { chunked: true }, [chunked], ""],
    ["CN-32: chunked with an empty body", "PUT", { body: "", chunked: true }, [chunked], ""],
    ["CN-32: chunked GET without body", "GET", { chunked: true }, [chunked], ""],
    [
      "CN-27: the caller's Content-Length",
      "POST",
      { body: "hello", headers: { "content-length": "5" } },
      [["content-length", "5"]],
      "hello",
    ],
    [
      "CN-27, CN-34: the caller's Transfer-Encoding",
      "POST",
      { body: "hello", headers: { "transfer-Encoding": "chunked" } },
      [["transfer-Encoding", "chunked"]],
      "hello",
    ],
    [
      "CN-34: both ways of asking for chunks give one field",
      "POST",
      { body: "hello", chunked: true, headers: { "transfer-encoding": "test, chunked" } },
      [["transfer-encoding", "test, chunked"]],
      "hello",
    ],
  ];
  for (const [title, method, options, fields, body] of cases) {
    it(title, async () => {
      await using origin = await startHttp(() => "");
      using pool = poolOf(origin);
      await pool.request(method, "/", options);
      // The next request shows that the last one ended where the server thinks.
      await pool.request("GET", "/next");
      const [got, next] = origin.received;
      const framing = got!.headers.filter(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
      assert.deepEqual(framing, fields);
      assert.equal(got!.body.toString(), body);
      assert.equal(next!.target, "/next");
      assert.equal(got!.headers.filter(([name]) => name === "Host").length, 1);
    });
  }

  const contradictions: [string, RequestOptions][] = [
    ["a length that is not the body's", { body: "hello", headers: { "Content-Length": "4" } }],
    ["a length without body", { headers: { "Content-Length": "4" } }],
    ["a length that is none", { body: "hello", headers: { "Content-Length": "+5" } }],
    [
      "two lengths",
      {
        body: "hello",
        headers: [
          ["Content-Length", "5"],
          ["content-length", "6"],
        ],
      },
    ],
    ["length and chunked", { body: "hello", chunked: true, headers: { "Content-Length": "5" } }],
    [
      "length and Transfer-Encoding",
      { body: "a", headers: { "Content-Length": "1", "Transfer-Encoding": "chunked" } },
    ],
    ["a coding that does not end in chunked", { body: "a", headers: { "Transfer-Encoding": "gzip" } }],
    ["chunked twice over", { body: "a", headers: { "Transfer-Encoding": "chunked, gzip" } }],
  ];
  for (const [title, options] of contradictions) {
    it(`refused: ${title}`, async () => {
      await using origin = await startHttp(() => "");
      using pool = poolOf(origin);
      await assert.rejects(pool.request("POST", "/", options), InvalidArgumentError);
      assert.equal(origin.accepted, 0);
    });
  }
});

describe("injection", () => {
  const attacks = ["\r\nX-Evil: 1", "\n", "\r", "\0", "a\r\n\r\nGET /evil HTTP/1.1"];
  const cases: [where: string, (text: string) => [method: string, options: RequestOptions]][] = [
    ["CN-14: method", (text) => [`GET${text}`, {}]],
    ["CN-14: method with other fields", (text) => [`GET${text}`, { headers: { a: "b" } }]],
    ["CN-47: header name", (text) => ["GET", { headers: { [`X${text}`]: "v" } }]],
    ["CN-47: header value", (text) => ["GET", { headers: { "X-Own": `v${text}` } }]],
    ["CN-47: Host", (text) => ["GET", { headers: { Host: `v${text}` } }]],
    ["CN-47: Content-Type", (text) => ["POST", { json: 1, headers: { "Content-Type": `a/b${text}` } }]],
    ["CN-47: boundary", (text) => ["POST", { fields: { a: "b" }, multipartBoundary: `b${text}` }]],
  ];
  for (const [where, build] of cases) {
    it(`${where}: refused before anything is sent, and no connection is lost`, async () => {
      await using origin = await startHttp(() => "");
      await using manager = new PoolManager({ maxsize: 1 });
      await manager.request("GET", `${origin.url}/`);
      for (const text of attacks) {
        const [method, options] = build(text);
        await assert.rejects(
          manager.request(method, `${origin.url}/`, options),
          (error: Error) => error instanceof InvalidArgumentError || error instanceof InvalidHeader,
          JSON.stringify(text),
        );
      }
      await manager.request("GET", `${origin.url}/`);
      assert.deepEqual([origin.accepted, origin.received.length], [1, 2]);
    });
  }

  it("CN-14: methods that are no tokens", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    for (const method of ["", " ", "GET ", "G ET", "GE\u00c9T", "GET\x01", "a(b)", "\ud83d\ude00"]) {
      await assert.rejects(pool.request(method, "/"), InvalidArgumentError, JSON.stringify(method));
    }
    for (const name of ["", " x", "x ", "a b", "a:b", "\u00e9"]) {
      await assert.rejects(pool.request("GET", "/", { headers: { [name]: "v" } }), JSON.stringify(name));
    }
    assert.equal(origin.accepted, 0);
  });

  it("values that Latin-1 does not have are refused, and not shown", async () => {
    await using origin = await startHttp(() => "");
    using pool = poolOf(origin);
    await assert.rejects(
      pool.request("GET", "/", { headers: { Authorization: "secret\u20ac" } }),
      (error: Error) => {
        assert.ok(!String(error).includes("secret"));
        return true;
      },
    );
    assert.equal(origin.accepted, 0);
  });

  it("targets are encoded where they are understood, else refused", async () => {
    await using origin = await startHttp(() => "");
    await using manager = new PoolManager();
    manager.poolClassesByScheme["x+http"] = HTTPConnectionPool;
    manager.keyFnByScheme["x+http"] = manager.keyFnByScheme.http!;
    using pool = poolOf(origin);
    const path = "/a\r\nX-Evil: 1\r\n\r\nb c";
    await manager.request("GET", origin.url + path);
    await pool.request("GET", path);
    const refused = await Promise.allSettled([
      manager.request("GET", `x+http://127.0.0.1:${origin.port}${path}`),
      pool.urlopen("GET", `ftp://127.0.0.1:${origin.port}${path}`, { assertSameHost: false }),
      pool.urlopen("GET", `ftp://other${path}`, { assertSameHost: false }),
    ]);
    for (const { headText } of origin.received) assert.doesNotMatch(headText, /^X-Evil/m);
    for (const result of refused)
      assert.ok(result.status === "rejected" && result.reason instanceof InvalidArgumentError);
    await pool.urlopen("GET", "?a\r\nX-Evil: 1", { assertSameHost: false });
    for (const { headText } of origin.received) assert.doesNotMatch(headText, /^X-Evil/m);
  });
});

function poolOf(
  origin: HttpOrigin,
  options: ConstructorParameters<typeof HTTPConnectionPool>[2] = {},
): HTTPConnectionPool {
  return new HTTPConnectionPool("127.0.0.1", origin.port, options);
}

/** The last request's fields but for the defaults. */
function own(origin: HttpOrigin): Field[] {
  return origin.received
    .at(-1)!
    .headers.filter(([name]) => !["Host", "Accept-Encoding", "User-Agent"].includes(name)) as Field[];
}
