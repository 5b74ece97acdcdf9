/** Charsets of JSON, and the type of a Blob. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HTTPConnectionPool, HTTPResponse } from "../../src/index.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";

leakGate();

const TEXT = '{"a":"\u00e9"}';

describe("json() reads the charset of Content-Type, else UTF-8", () => {
  const cases: [contentType: string, body: Buffer][] = [
    ["application/json", Buffer.from(TEXT)],
    ["application/json", Buffer.from(`\ufeff${TEXT}`)],
    ["application/json; charset=iso-8859-1", Buffer.from(TEXT, "latin1")],
    ["application/json; charset=utf-16le", Buffer.from(`\ufeff${TEXT}`, "utf16le")],
    ["application/json; charset=klingon", Buffer.from(TEXT)],
  ];
  for (const [contentType, body] of cases) {
    for (const preloadContent of [true, false]) {
      it(`${contentType}, ${body.length} bytes, ${preloadContent ? "preloaded" : "streamed"}`, async () => {
        const head = `HTTP/1.1 200 OK\r\nContent-Type: ${contentType}\r\nContent-Length: ${body.length}\r\n\r\n`;
        await using origin = await startOrigin(Buffer.concat([Buffer.from(head), body]));
        using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
        const response = await pool.request("GET", "/", { preloadContent });
        assert.deepEqual(await response.json(), { a: "\u00e9" });
      });
    }
  }

  it("what is no text in its charset is a TypeError, what is no JSON a SyntaxError", async () => {
    const bytes = Buffer.from(TEXT, "latin1");
    await assert.rejects(new HTTPResponse({ body: bytes }).json(), TypeError);
    const utf8 = { "Content-Type": "application/json; charset=utf-8" };
    await assert.rejects(new HTTPResponse({ body: bytes, headers: utf8 }).json(), TypeError);
    await assert.rejects(new HTTPResponse({ body: "" }).json(), SyntaxError);
  });
});

describe("blob()", () => {
  it("has the type of Content-Type, none where there is none", async () => {
    const headers = { "Content-Type": "image/png" };
    assert.equal((await new HTTPResponse({ body: "x", headers }).blob()).type, "image/png");
    assert.equal((await new HTTPResponse({ body: "x" }).blob()).type, "");
  });
});
