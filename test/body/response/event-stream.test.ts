import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EventStreamParser, type ServerSentEvent } from "../../../src/body/response/event-stream.ts";
import { ProtocolError } from "../../../src/core/errors.ts";

type Expected = Partial<ServerSentEvent>[];

function parse(
  pieces: Iterable<Buffer>,
  parser: EventStreamParser = new EventStreamParser(),
): ServerSentEvent[] {
  const events: ServerSentEvent[] = [];
  for (const piece of pieces) events.push(...parser.push(piece));
  return [...events, ...parser.end()];
}

const BOM = "\ufeff";

/** Streams and what the HTML standard makes of them. */
const CASES: [name: string, stream: string, events: Expected][] = [
  ["one event", "data: a\n\n", [{ event: "message", data: "a", id: "", retry: null }]],
  ["several lines of data", "data: a\ndata: b\ndata\ndata: c\n\n", [{ data: "a\nb\n\nc" }]],
  ["the space is optional, and only one is taken", "data:a\ndata:  b\ndata: \n\n", [{ data: "a\n b\n" }]],
  ["data without value is an event", "data\n\n", [{ data: "" }]],
  ["data: without value too", "data:\n\n", [{ data: "" }]],
  [
    "a type, for one event only",
    "event: add\ndata: 1\n\ndata: 2\n\n",
    [{ event: "add", data: "1" }, { event: "message" }],
  ],
  ["an empty type is message", "event:\ndata: 1\n\n", [{ event: "message" }]],
  ["a type without data is no event", "event: add\n\ndata: 1\n\n", [{ event: "message", data: "1" }]],
  ["an id stays for the events after it", "id: 7\ndata: a\n\ndata: b\n\n", [{ id: "7" }, { id: "7" }]],
  ["an empty id resets it", "id: 7\ndata: a\n\nid\ndata: b\n\n", [{ id: "7" }, { id: "" }]],
  ["an id counts without data", "id: 7\n\ndata: a\n\n", [{ data: "a", id: "7" }]],
  ["an id with NUL is ignored", "id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n", [{ id: "1" }, { id: "1" }]],
  ["retry in digits", "retry: 2500\ndata: a\n\n", [{ retry: 2500 }]],
  ["retry otherwise is ignored", "retry: 1s\nretry: -1\nretry: 1.5\nretry:\ndata: a\n\n", [{ retry: null }]],
  ["comments", ": hello\n:\ndata: a\n: more\ndata: b\n\n:\n\n", [{ data: "a\nb" }]],
  [
    "fields that are not known, or spelled otherwise",
    "Data: x\nfoo: y\n data: z\ndata : q\ndata: a\n\n",
    [{ data: "a" }],
  ],
  ["a colon in the value", "data: a: b::c\n\n", [{ data: "a: b::c" }]],
  ["a BOM once", `${BOM}data: a\n\n${BOM}data: b\n\ndata: c\n\n`, [{ data: "a" }, { data: "c" }]],
  ["two BOMs are one too many", `${BOM}${BOM}data: a\n\ndata: b\n\n`, [{ data: "b" }]],
  ["CRLF", "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", [{ data: "a\nb" }, { data: "c" }]],
  ["CR", "data: a\rdata: b\r\rdata: c\r\r", [{ data: "a\nb" }, { data: "c" }]],
  [
    "line ends of all kinds",
    "data: a\rdata: b\r\ndata: c\n\r\ndata: d\n\r",
    [{ data: "a\nb\nc" }, { data: "d" }],
  ],
  ["empty lines are no events", "\n\r\n\rdata: a\n\n\n\n", [{ data: "a" }]],
  ["what no empty line ends is dropped", "data: a\n\ndata: b\n", [{ data: "a" }]],
  ["nor what no line ends", "data: a\n\ndata: b", [{ data: "a" }]],
  [
    "characters of several bytes",
    "event: \u00e9\ndata: \u20ac \u{1f600}\n\n",
    [{ event: "\u00e9", data: "\u20ac \u{1f600}" }],
  ],
  ["names of an object's prototype", "constructor: 1\n__proto__: 2\ndata: a\n\n", [{ data: "a" }]],
];

describe("server-sent events, whole, cut at every byte, and byte by byte", () => {
  for (const [name, stream, expected] of CASES) {
    test(name, () => {
      const bytes = Buffer.from(stream);
      const whole = parse([bytes]);
      assert.equal(whole.length, expected.length);
      for (const [index, event] of expected.entries())
        assert.deepEqual({ ...whole[index], ...event }, whole[index]);
      for (let cut = 0; cut <= bytes.length; cut++) {
        // Empty pieces may come in between.
        const pieces = [bytes.subarray(0, cut), Buffer.alloc(0), bytes.subarray(cut)];
        assert.deepEqual(parse(pieces), whole, `cut at ${cut}`);
      }
      assert.deepEqual(parse(Array.from(bytes, (byte) => Buffer.from([byte]))), whole);
    });
  }

  test("bytes that are no UTF-8 become U+FFFD", () => {
    const bytes = Buffer.concat([Buffer.from("data: a"), Buffer.from([0xff]), Buffer.from("b\n\n")]);
    assert.equal(parse([bytes])[0]?.data, "a\ufffdb");
  });

  test("an event is given as soon as its empty line has come, a CR at the end of a piece included", () => {
    const parser = new EventStreamParser();
    assert.equal(parser.push(Buffer.from("data: a\r\r")).length, 1);
    assert.equal(parser.push(Buffer.from("\ndata: b\r\n\r")).length, 1);
    assert.equal(parser.push(Buffer.from("\n")).length, 0);
  });

  test("last id and reconnection time can be read for a reconnection", () => {
    const parser = new EventStreamParser();
    assert.deepEqual([parser.lastEventId, parser.retry], ["", null]);
    parser.push(Buffer.from("retry: 100\n\nid: 5\ndata: x\n\nid: 6\ndata: not ended\n"));
    assert.deepEqual([parser.lastEventId, parser.retry], ["5", 100]);
  });
});

describe("what is too large is refused before it is kept", () => {
  const tooLarge = (stream: string, maxSize: number, size: number): void => {
    const bytes = Buffer.from(stream);
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_unused, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    );
    assert.throws(
      () => parse(pieces, new EventStreamParser(maxSize)),
      ProtocolError,
      `${maxSize}, in pieces of ${size}`,
    );
  };

  test("a line, and many lines", () => {
    for (const size of [1, 7, 10_000]) {
      tooLarge(`data: ${"x".repeat(100)}\n\n`, 100, size);
      tooLarge(`data: ${"x".repeat(200)}`, 100, size);
      tooLarge("data: x\n".repeat(50), 100, size);
      tooLarge("unknown: x\n".repeat(50), 100, size);
    }
  });

  test("not: many events, comments, what just fits", () => {
    const events = parse([Buffer.from("data: x\n\n".repeat(500))], new EventStreamParser(10));
    assert.equal(events.length, 500);
    const comments = parse([Buffer.from(`${": ping\n".repeat(500)}data: x\n\n`)], new EventStreamParser(10));
    assert.equal(comments.length, 1);
    assert.equal(parse([Buffer.from("data: xxxx\n\n")], new EventStreamParser(10)).length, 1);
  });

  test("by default 1 MiB", () => {
    const parser = new EventStreamParser();
    const piece = Buffer.alloc(65_536, "x");
    assert.throws(() => {
      for (let i = 0; i < 17; i++) parser.push(piece);
    }, ProtocolError);
  });
});
