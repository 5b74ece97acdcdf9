import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { bytewise, cut, type Outcome, parse } from "./parse.ts";
import { ACCEPTED, REFUSED, TRUNCATED, type Vector } from "./response-vectors.ts";

const SEED = 20_260_101;

function bytesOf(vector: Vector): Buffer {
  return Buffer.from(vector.bytes, "latin1");
}

function check(vector: Vector, outcome: Outcome): void {
  if (vector.error !== undefined) {
    assert.match(outcome.error ?? "no error", vector.error);
    return;
  }
  assert.equal(outcome.error, null);
  const statuses = outcome.events.map((event) => Number(event.split(" ")[1]));
  assert.deepEqual(statuses.slice(0, -1), vector.informational ?? []);
  if (vector.head !== undefined)
    assert.ok(outcome.events.at(-1)?.startsWith(vector.head), outcome.events.at(-1));
  assert.equal(outcome.done, vector.done ?? true);
  if (vector.body !== undefined) assert.equal(outcome.body, vector.body);
  if (vector.persistent !== undefined) assert.equal(outcome.persistent, vector.persistent);
  assert.equal(outcome.trailers.replace(/^\r\n$/, ""), vector.trailers ?? "");
  assert.equal(outcome.leftover, vector.leftover ?? "");
}

for (const [title, vectors] of [
  ["accepted", ACCEPTED],
  ["refused", REFUSED],
  ["truncated", TRUNCATED],
] as const) {
  describe(`responses that are ${title}`, () => {
    for (const vector of vectors) {
      it(vector.name, () => {
        const bytes = bytesOf(vector);
        const whole = parse([bytes], vector);
        check(vector, whole);
        check(vector, parse(bytewise(bytes), vector));
        for (let place = 1; place < Math.min(bytes.length, 400); place++) {
          check(vector, parse(cut(bytes, place), vector));
        }
      });
    }
  });
}

describe("limits", () => {
  const head = (size: number): Buffer =>
    Buffer.from(`HTTP/1.1 200 OK\r\nX: ${"y".repeat(size)}\r\nContent-Length: 0\r\n\r\n`);

  it("a head of exactly maxHeaderSize passes, one byte more does not", () => {
    const exact = head(100).length;
    assert.equal(parse([head(100)], { limit: exact }).error, null);
    assert.match(parse([head(101)], { limit: exact }).error ?? "", /larger than \d+ bytes \(maxHeaderSize\)/);
    assert.match(parse(bytewise(head(101)), { limit: exact }).error ?? "", /larger than/);
  });

  it("an endless line is refused while it comes", () => {
    const piece = Buffer.from("y".repeat(1000));
    const outcome = parse([Buffer.from("HTTP/1.1 200 OK\r\nX: "), ...Array<Buffer>(200).fill(piece)]);
    assert.match(outcome.error ?? "", /response head is larger than 65536/);
  });

  it("all 1xx heads share the budget of the final one", () => {
    const early = Buffer.from("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n");
    const outcome = parse(Array<Buffer>(5000).fill(early));
    assert.match(outcome.error ?? "", /larger than 65536/);
    assert.ok(outcome.events.length <= 65_536 / early.length);
  });

  it("endless trailers are refused", () => {
    const start = Buffer.from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    const outcome = parse([start, ...Array<Buffer>(5000).fill(Buffer.from("A: bcdefghijklmnopq\r\n"))]);
    assert.match(outcome.error ?? "", /trailer section is larger than/);
  });

  it("costs linear time however the bytes come", () => {
    const bytes = head(60_000);
    const begin = process.hrtime.bigint();
    parse(bytewise(bytes));
    const milliseconds = Number(process.hrtime.bigint() - begin) / 1e6;
    // Quadratic work would be 60_000 squared: far more than a second.
    assert.ok(milliseconds < 1000, `${milliseconds} ms`);
  });
});

describe("any bytes at all", () => {
  it("give an outcome or a ProtocolError, the same in every split", () => {
    const part = fc.constantFrom(
      "HTTP/1.1 200 OK\r\n",
      "HTTP/1.0 404 No\r\n",
      "HTTP/1.1 100 C\r\n\r\n",
      "Content-Length: 3\r\n",
      "Connection: close\r\n",
      "Transfer-Encoding: chunked\r\n",
      "X: y\r\n",
      "\r\n",
      "3\r\nabc\r\n",
      "0\r\n\r\n",
      "abc",
      " ",
      "\n",
      "\r",
      "\0",
      ":",
      "5",
    );
    const text = fc.array(fc.oneof({ weight: 6, arbitrary: part }, fc.string({ maxLength: 3 })), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(text, fc.array(fc.nat(200), { maxLength: 4 }), (parts, places) => {
        const bytes = Buffer.from(parts.join(""), "latin1");
        const whole = parse([bytes], { eof: true });
        const sorted = places.filter((place) => place <= bytes.length).sort((a, b) => a - b);
        const split = parse(cut(bytes, ...sorted), { eof: true });
        assert.equal(split.error?.split(":")[0], whole.error?.split(":")[0]);
        if (whole.error === null) assert.deepEqual(split, whole);
      }),
      { seed: SEED, numRuns: 5000 },
    );
  });
});
