import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  HTTPConnectionPool,
  HTTPResponse,
  PoolManager,
  type RequestOptions,
  ResponseError,
} from "../../../src/index.ts";
import type { ResponseSpec } from "../../kit/http-origin.ts";
import { startHttp } from "../../kit/http-origin.ts";
import { leakGate } from "../../kit/leak-gate.ts";
import { type OriginScript, startOrigin } from "../../kit/origin.ts";

leakGate();

describe("head", () => {
  it("status, reason, headers, url, method", async () => {
    const spec: ResponseSpec = {
      status: 418,
      reason: "I'm a teapot, really",
      headers: [
        ["X-B", "1"],
        ["x-a", "2"],
        ["Set-Cookie", "a=1"],
        ["set-cookie", "b=2"],
      ],
      body: "short and stout",
    };
    await using origin = await startHttp(() => spec);
    await using manager = new PoolManager();
    const response = await manager.request("put", `${origin.url}/a/../pot?x#f`);
    assert.deepEqual([response.status, response.reason, response.ok], [418, "I'm a teapot, really", false]);
    assert.deepEqual([response.method, response.url], ["PUT", `${origin.url}/pot?x`]);
    assert.deepEqual([response.version, response.versionString], [11, "HTTP/1.1"]);
    assert.deepEqual([...response.headers].slice(0, 4), [
      ["X-B", "1"],
      ["x-a", "2"],
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
    ]);
    assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
    assert.equal(String(response.data), "short and stout");
    assert.ok(Buffer.isBuffer(response.data));
    const { route, protocol, address, reused } = response.connection!;
    assert.deepEqual(
      [route, protocol, address, reused],
      [`127.0.0.1:${origin.port}`, "http/1.1", "127.0.0.1", false],
    );
    assert.equal(response.holdsConnection, false);
    assert.equal(response.isClosed, true);
    assert.equal(response.trailers.size, 0);
  });

  it("HTTP/1.0, without reason, until the connection ends", async () => {
    const response = await raw("HTTP/1.0 200 \r\nContent-Type: text/plain\r\n\r\nuntil the end");
    assert.deepEqual([response.version, response.versionString], [10, "HTTP/1.0"]);
    assert.equal(response.reason, "");
    assert.equal(String(response.data), "until the end");
  });

  it("trailers of a chunked body", async () => {
    await using origin = await startHttp(() => ({
      body: "chunky",
      chunked: 2,
      trailers: [
        ["X-Checksum", "abc"],
        ["X-More", "1"],
      ],
    }));
    await using manager = new PoolManager();
    const response = await manager.request("GET", `${origin.url}/`);
    assert.equal(String(response.data), "chunky");
    assert.equal(response.trailers.get("x-checksum"), "abc");
    assert.equal(response.trailers.size, 2);
    assert.equal(response.headers.get("x-checksum"), null);
  });

  for (const [status, ok, fails] of [
    [200, true, false],
    [299, true, false],
    [304, false, false],
    [400, false, true],
    [599, false, true],
  ] as const) {
    it(`ok and raiseForStatus of ${status}`, async () => {
      await using origin = await startHttp(() => ({ status, reason: "So It Is" }));
      await using manager = new PoolManager();
      const response = await manager.request("GET", `${origin.url}/x`);
      assert.equal(response.ok, ok);
      if (!fails) assert.equal(response.raiseForStatus(), response);
      else {
        assert.throws(
          () => response.raiseForStatus(),
          (error) => {
            assert.ok(error instanceof ResponseError);
            assert.equal(error.message, `GET ${origin.url}/x: ${status} So It Is`);
            assert.equal(error.status, status);
            return true;
          },
        );
      }
    });
  }

  it("redirectLocation is the raw Location; false where the status is no redirect", async () => {
    const locations: [status: number, location: string | null, expected: string | null | false][] = [
      [301, "../x#y", "../x#y"],
      [302, "", ""],
      [303, "http://other/", "http://other/"],
      [307, null, null],
      [308, "//a", "//a"],
      [300, "/x", false],
      [304, "/x", false],
      [200, "/x", false],
      [201, "/x", false],
    ];
    for (const [status, location, expected] of locations) {
      const headers = location === null ? {} : { Location: location };
      assert.equal(new HTTPResponse({ status, headers }).redirectLocation(), expected, String(status));
      await using origin = await startHttp(() => ({ status, headers }));
      await using manager = new PoolManager();
      const response = await manager.request("GET", `${origin.url}/`, { redirect: false });
      assert.equal(response.redirectLocation(), expected, String(status));
    }
  });

  it("timings go forward; a connection that was there has no set-up", async () => {
    await using origin = await startHttp(() => "x");
    await using manager = new PoolManager();
    const first = (await manager.request("GET", `http://localhost:${origin.port}/`)).timings!;
    const second = (await manager.request("GET", `http://localhost:${origin.port}/`)).timings!;
    for (const timings of [first, second]) {
      const order = [0, timings.queued, timings.sent, timings.firstByte, timings.bodyEnd!];
      assert.deepEqual(
        order,
        [...order].sort((a, b) => a - b),
      );
      assert.ok(timings.bodyEnd! < 5_000);
      assert.equal(timings.tls, null);
    }
    assert.ok(first.dns! >= 0 && first.connect! >= 0);
    assert.ok(first.dns! + first.connect! <= first.queued + 1);
    assert.deepEqual([second.dns, second.connect], [null, null]);
    assert.equal(new HTTPResponse().timings, null);
  });
});

describe("text", () => {
  const bom = "\ufeff";
  const cases: [contentType: string | null, body: Uint8Array, text: string][] = [
    [null, Buffer.from("h\u00e9\u20ac"), "h\u00e9\u20ac"],
    ["text/plain", Buffer.from("h\u00e9\u20ac"), "h\u00e9\u20ac"],
    ["text/plain; charset=utf-8", Buffer.from(`${bom}x`), "x"],
    ["text/plain; charset=iso-8859-1", Buffer.from("h\u00e9", "latin1"), "h\u00e9"],
    ['text/plain; charset="latin1"', Buffer.from("h\u00e9", "latin1"), "h\u00e9"],
    ["text/plain;a=b; CHARSET=ISO-8859-1 ;c=d", Buffer.from("h\u00e9", "latin1"), "h\u00e9"],
    ["text/plain; charset=utf-16le", Buffer.from("h\u00e9\u20ac", "utf16le"), "h\u00e9\u20ac"],
    ["text/plain; charset=utf-16", Buffer.from(`${bom}h\u00e9`, "utf16le"), "h\u00e9"],
    ["text/plain; charset=utf-16be", Buffer.from("h\u20ac", "utf16le").swap16(), "h\u20ac"],
    ["text/plain; charset=iso-8859-15", Buffer.from([0xa4]), "\u20ac"],
    ["text/plain; charset=no-such", Buffer.from("h\u00e9"), "h\u00e9"],
    ["text/plain; charset=", Buffer.from("h\u00e9"), "h\u00e9"],
    ["text/plain; charset=utf-8", Buffer.from([0x61, 0xff]), "a\ufffd"],
    ["text/plain; xcharset=latin1", Buffer.from("h\u00e9"), "h\u00e9"],
  ];
  for (const [contentType, body, text] of cases) {
    it(`${contentType}: ${JSON.stringify(text)}`, async () => {
      await using origin = await startHttp(() => ({
        headers: contentType === null ? [] : [["Content-Type", contentType]],
        body,
      }));
      await using manager = new PoolManager();
      const response = await manager.request("GET", `${origin.url}/`);
      assert.equal(await response.text(), text);
      assert.equal(await response.text(), text);
      assert.deepEqual(Buffer.compare(response.data, body), 0);
    });
  }
});

describe("json", () => {
  it("RS-46: parses UTF-8, with or without BOM", async () => {
    for (const body of ['{"a":["\u20ac",1]}', '\ufeff{"a":["\u20ac",1]}']) {
      assert.deepEqual(await new HTTPResponse({ body }).json(), { a: ["\u20ac", 1] });
    }
  });

  it("what is no JSON, or no UTF-8, is an error of this call", async () => {
    await assert.rejects(new HTTPResponse({ body: "<html>" }).json(), SyntaxError);
    await assert.rejects(new HTTPResponse({ body: "" }).json(), SyntaxError);
    await assert.rejects(new HTTPResponse({ body: Uint8Array.from([0x22, 0xff, 0x22]) }).json());
  });
});

describe("bytes", () => {
  it("bytes, arrayBuffer and blob are copies that own their memory", async () => {
    await using origin = await startHttp(() => ({ body: "abc", headers: { "Content-Type": "Text/X; a=b" } }));
    await using manager = new PoolManager();
    const response = await manager.request("GET", `${origin.url}/`);
    const [bytes, again] = [await response.bytes(), await response.bytes()];
    assert.deepEqual([bytes.constructor, bytes.byteOffset, bytes.buffer.byteLength], [Uint8Array, 0, 3]);
    const buffer = await response.arrayBuffer();
    assert.deepEqual([buffer instanceof ArrayBuffer, buffer.byteLength], [true, 3]);
    bytes[0] = 0;
    new Uint8Array(buffer)[1] = 0;
    assert.deepEqual([...again], [97, 98, 99]);
    assert.equal(String(response.data), "abc");
    const blob = await response.blob();
    assert.equal(blob.type, "text/x; a=b");
    assert.equal(await blob.text(), "abc");
  });

  it("bodyUsed tells whether somebody read it", async () => {
    const response = new HTTPResponse({ body: "x" });
    assert.equal(response.bodyUsed, false);
    await response.text();
    assert.equal(response.bodyUsed, true);
  });
});

describe("no body", () => {
  const requests: [title: string, method: string, head: string, length: string | null][] = [
    ["CN-43: HEAD with length", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "1000"],
    ["CN-43: HEAD with chunked", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", null],
    ["HEAD of something compressed", "HEAD", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", null],
    ["204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", null],
    ["304 with length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n", "1000"],
    ["length 0", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Encoding: gzip\r\n\r\n", "0"],
  ];
  for (const [title, method, head, length] of requests) {
    it(`${title}: no data, and the connection is kept`, async () => {
      await using origin = await startOrigin([head, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]);
      using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
      const response = await pool.request(method, "/");
      assert.equal(response.data.length, 0);
      assert.equal(response.headers.get("content-length"), length);
      assert.equal(await response.text(), "");
      assert.equal(String((await pool.request("GET", "/")).data), "ok");
      assert.equal(origin.accepted, 1);
    });
  }
});

/** The answer to one request, whatever it is. */
async function raw(script: OriginScript, options: RequestOptions = {}): Promise<HTTPResponse> {
  await using origin = await startOrigin(Array.isArray(script) ? script : [script as string]);
  using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { retries: false });
  return await pool.request("GET", "/", options);
}
