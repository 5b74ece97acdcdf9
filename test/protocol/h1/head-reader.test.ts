/** One reader of heads for the connections of a pool: what one is told never becomes another's. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HeadReader } from "../../../src/protocol/h1/head-reader.ts";
import { ResponseParser } from "../../../src/protocol/h1/response-parser.ts";
import type { ResponseHead } from "../../../src/protocol/response-head.ts";

/** A connection's parser over `reader`, and the heads that it gave. */
function parserOver(reader: HeadReader): {
  parser: ResponseParser;
  heads: ResponseHead[];
  body: () => string;
} {
  const heads: ResponseHead[] = [];
  let body = "";
  const parser = new ResponseParser(
    {
      onInformational: (head) => void heads.push(head),
      onHead: (head) => void heads.push(head),
      onBody: (bytes, start, end) => {
        body += bytes.toString("latin1", start, end);
      },
    },
    65_536,
    reader,
  );
  parser.start(false);
  return { parser, heads, body: () => body };
}

function feed({ parser }: { parser: ResponseParser }, text: string): void {
  const bytes = Buffer.from(text, "latin1");
  parser.execute(bytes, 0, bytes.length);
}

const CLOSING =
  "HTTP/1.1 201 Created\r\nConnection: close\r\nKeep-Alive: timeout=7\r\nContent-Length: 4\r\n\r\n";
const OTHER = "HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n";

describe("a reader of heads that parsers share", () => {
  it("keeps the facts of one answer apart from those of the next, wherever they are split", () => {
    for (let at = 1; at < CLOSING.length; at++) {
      const reader = new HeadReader();
      const one = parserOver(reader);
      const two = parserOver(reader);
      feed(one, CLOSING.slice(0, at));
      feed(two, OTHER);
      feed(one, `${CLOSING.slice(at)}ab`);
      feed(two, "3\r\nxyz\r\n");
      feed(one, "cd");
      feed(two, "0\r\n\r\n");
      const facts = [one, two].map(({ parser, heads, body }) => [
        ...heads.map(({ status, reason, version }) => `${version} ${status} ${reason}`),
        body(),
        parser.done,
        parser.persistent,
        parser.keepAlive,
        parser.framing,
      ]);
      assert.deepEqual(facts, [
        ["11 201 Created", "abcd", true, false, "timeout=7", "length"],
        ["10 404 Not Found", "xyz", true, false, null, "chunked"],
      ]);
    }
  });

  it("does not read a head again that another connection had", () => {
    const reader = new HeadReader();
    const one = parserOver(reader);
    const two = parserOver(reader);
    feed(one, `${CLOSING}abcd`);
    feed(two, `${CLOSING}efgh`);
    assert.equal(two.heads[0], one.heads[0]);
    assert.deepEqual([one.body(), two.body(), two.parser.keepAlive], ["abcd", "efgh", "timeout=7"]);
  });

  it("learns again from a server that begins to repeat itself", () => {
    const one = parserOver(new HeadReader());
    for (let i = 0; i < 1000; i++) {
      one.parser.start(false);
      feed(one, `HTTP/1.1 200 OK\r\nX-Id: ${i}\r\nContent-Length: 0\r\n\r\n`);
    }
    one.heads.length = 0;
    for (let i = 0; i < 1000; i++) {
      one.parser.start(false);
      feed(one, "HTTP/1.1 200 OK\r\nX-Id: same\r\nContent-Length: 0\r\n\r\n");
    }
    assert.ok(new Set(one.heads).size < 300, `${new Set(one.heads).size} of 1000 were read`);
  });
});
