import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { InvalidHeader } from "../../../src/core/errors.ts";
import { type HeaderSource, HTTPHeaderDict, SKIP_HEADER } from "../../../src/core/headers.ts";
import {
  type HeadFacts,
  headProblem,
  requestFields,
  trailersProblem,
} from "../../../src/protocol/h2/fields.ts";
import { type FieldPair, literals } from "../../kit/h2-frames.ts";
import { decodeBlock, generousDecoder } from "./decoding.ts";

function fieldsOf(
  headers: HeaderSource | null,
  more: Partial<HeadFacts> = {},
): ReturnType<typeof requestFields> {
  return requestFields({
    method: "GET",
    scheme: "https",
    authority: "a.test",
    target: "/x",
    headers: headers === null ? null : new HTTPHeaderDict(headers),
    addedLength: null,
    defaults: { acceptEncoding: "gzip", userAgent: "u" },
    plain: null,
    ...more,
  });
}

const OURS = ["accept-encoding", "gzip", "user-agent", "u"];

describe("a request's fields in HTTP/2", () => {
  it("are the pseudo fields and the defaults", () => {
    assert.deepEqual(fieldsOf(null), {
      method: "GET",
      scheme: "https",
      authority: "a.test",
      path: "/x",
      lines: OURS,
    });
  });

  it("have the caller's Host as :authority, and never both", () => {
    const { authority, lines } = fieldsOf({ hOSt: "b.test:81" });
    assert.equal(authority, "b.test:81");
    assert.deepEqual(lines, OURS);
    assert.equal(fieldsOf({ host: SKIP_HEADER }).authority, "a.test");
    assert.throws(() => fieldsOf({ host: "user@b.test" }), InvalidHeader);
  });

  it("have lower-case names and trimmed values, in the caller's order", () => {
    assert.deepEqual(
      fieldsOf([
        ["X-B", " \t1\t "],
        ["a", "2"],
        ["x-b", "3"],
      ]).lines,
      [...OURS, ...["x-b", "1", "x-b", "3", "a", "2"]],
    );
  });

  it("leave out defaults that the caller has or skips", () => {
    const skipped = { "Accept-Encoding": SKIP_HEADER, "User-Agent": "me" };
    assert.deepEqual(fieldsOf(skipped).lines, ["user-agent", "me"]);
  });

  it("leave out what belongs to a connection, and what Connection names", () => {
    const connection = {
      Connection: "close, X-Hop, TE",
      "Keep-Alive": "timeout=5",
      "Proxy-Connection": "keep-alive",
      "HTTP2-Settings": "AAA",
      Upgrade: "h2c",
      "X-Hop": "1",
      TE: "trailers, deflate",
      "Transfer-Encoding": "chunked",
    };
    assert.deepEqual(fieldsOf(connection).lines, [...OURS, "te", "trailers"]);
    assert.deepEqual(fieldsOf({ TE: "deflate" }).lines, OURS);
  });

  it("cannot ask for a transfer coding or another protocol", () => {
    assert.throws(() => fieldsOf({ "Transfer-Encoding": "gzip, chunked" }), InvalidHeader);
    assert.throws(() => fieldsOf({ Upgrade: "websocket" }), InvalidHeader);
  });

  it("have a content-length where one is to be added", () => {
    const { lines } = fieldsOf(null, { method: "POST", addedLength: 12 });
    assert.deepEqual(lines, ["accept-encoding", "gzip", "content-length", "12", "user-agent", "u"]);
    assert.ok(fieldsOf({ "Content-Length": "7" }).lines.includes("content-length"));
  });

  it("are method and authority only for CONNECT", () => {
    const { scheme, path, authority } = fieldsOf(null, { method: "CONNECT", target: "b.test:443" });
    assert.deepEqual([scheme, path, authority], [null, null, "b.test:443"]);
  });

  it("have a path that begins with a slash, or the asterisk of OPTIONS", () => {
    assert.equal(fieldsOf(null, { method: "OPTIONS", target: "*" }).path, "*");
    assert.throws(() => fieldsOf(null, { target: "*" }), InvalidHeader);
    assert.throws(() => fieldsOf(null, { target: "https://a.test/x" }), InvalidHeader);
  });

  it("keep Expect, Cookie in one field, and Latin-1", () => {
    const { lines } = fieldsOf({ Expect: "100-continue", Cookie: "a=1; b=2", "X-L": "caf\xe9" });
    assert.deepEqual(lines.slice(4), ["expect", "100-continue", "cookie", "a=1; b=2", "x-l", "caf\xe9"]);
  });
});

describe("a response's fields in HTTP/2", () => {
  const block = (...fields: FieldPair[]): ReturnType<typeof decodeBlock> =>
    decodeBlock(generousDecoder(), literals(fields));

  it("need a :status", () => {
    assert.equal(headProblem(block([":status", "200"]), false), null);
    assert.equal(headProblem(block(["a", "b"]), false), "no :status");
  });

  it("have no 101, and no 1xx that ends the stream or has a length", () => {
    assert.match(headProblem(block([":status", "101"]), false) ?? "", /101/);
    assert.equal(headProblem(block([":status", "103"]), false), null);
    assert.match(headProblem(block([":status", "103"]), true) ?? "", /ends the stream/);
    assert.match(headProblem(block([":status", "100"], ["content-length", "0"]), false) ?? "", /length/);
  });

  it("may have a length of 0 with 204, any with 304", () => {
    assert.equal(headProblem(block([":status", "204"], ["content-length", "0"]), true), null);
    assert.match(headProblem(block([":status", "204"], ["content-length", "1"]), true) ?? "", /204/);
    assert.equal(headProblem(block([":status", "304"], ["content-length", "9"]), true), null);
  });

  it("of trailers end the stream and have no pseudo field", () => {
    assert.equal(trailersProblem(block(["a", "b"]), true), null);
    assert.match(trailersProblem(block(["a", "b"]), false) ?? "", /do not end/);
    assert.match(trailersProblem(block([":status", "200"]), true) ?? "", /pseudo/);
    assert.match(trailersProblem(block(["A", "b"]), true) ?? "", /field name/);
  });
});
