import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { JsonLineParser, LineParser, type RecordParser } from "../../../src/body/response/lines.ts";
import { ProtocolError } from "../../../src/core/errors.ts";

function parse<T>(pieces: Iterable<Buffer>, parser: RecordParser<T>): T[] {
  const records: T[] = [];
  for (const piece of pieces) for (const record of parser.push(piece)) records.push(record);
  return records.concat(parser.end());
}

/** The same however the bytes are cut. */
function parseAnyhow<T>(text: string, make: () => RecordParser<T>): T[] {
  const bytes = Buffer.from(text);
  const whole = parse([bytes], make());
  for (let cut = 0; cut <= bytes.length; cut++)
    assert.deepEqual(parse([bytes.subarray(0, cut), bytes.subarray(cut)], make()), whole, `cut at ${cut}`);
  assert.deepEqual(
    parse(
      Array.from(bytes, (byte) => Buffer.from([byte])),
      make(),
    ),
    whole,
  );
  return whole;
}

describe("lines", () => {
  const cases: [text: string, lines: string[]][] = [
    ["", []],
    ["a", ["a"]],
    ["a\n", ["a"]],
    ["a\nb", ["a", "b"]],
    ["a\r\nb\rc\nd", ["a", "b", "c", "d"]],
    ["\n", [""]],
    ["\n\n\r\n\r", ["", "", "", ""]],
    ["a\n\rb", ["a", "", "b"]],
    ["\r\r\n", ["", ""]],
    ["\u00e9\u20ac\u{1f600}\n\u2028x\u0085y", ["\u00e9\u20ac\u{1f600}", "\u2028x\u0085y"]],
    ["\ufeffa\n\ufeffb", ["a", "\ufeffb"]],
  ];
  for (const [text, lines] of cases) {
    test(JSON.stringify(text), () =>
      assert.deepEqual(
        parseAnyhow(text, () => new LineParser()),
        lines,
      ),
    );
  }

  test("a line that is too long is refused before it is kept", () => {
    const make = () => new LineParser(10);
    assert.deepEqual(parseAnyhow("0123456789\n0123456789", make), ["0123456789", "0123456789"]);
    for (const text of ["0123456789x\n", "0123456789x", "a\n0123456789x\n"]) {
      assert.throws(() => parse([Buffer.from(text)], make()), ProtocolError);
      assert.throws(
        () =>
          parse(
            Array.from(Buffer.from(text), (byte) => Buffer.from([byte])),
            make(),
          ),
        ProtocolError,
      );
    }
  });

  test("time is linear: many short lines, one long line in small pieces", () => {
    const begin = performance.now();
    assert.equal(parse([Buffer.from("x\n".repeat(500_000))], new LineParser()).length, 500_000);
    assert.equal(parse([Buffer.from("x\r".repeat(500_000))], new LineParser()).length, 500_000);
    assert.equal(parse(Array<Buffer>(50_000).fill(Buffer.from("x")), new LineParser())[0]?.length, 50_000);
    assert.ok(performance.now() - begin < 10_000);
  });
});

describe("JSON lines", () => {
  const cases: [text: string, records: unknown[]][] = [
    ['{"a":1}\n[2]\n"3"\nnull', [{ a: 1 }, [2], "3", null]],
    ['{"a":1}\r\n\r\n  \n{"b":2}\r\n', [{ a: 1 }, { b: 2 }]],
    ['\x1e{"a":1}\n\x1e{"b":2}\n', [{ a: 1 }, { b: 2 }]],
    ['\ufeff{"a":"\u20ac"}', [{ a: "\u20ac" }]],
    ["", []],
    ["\n\n", []],
  ];
  for (const [text, records] of cases) {
    test(JSON.stringify(text), () =>
      assert.deepEqual(
        parseAnyhow(text, () => new JsonLineParser()),
        records,
      ),
    );
  }

  test("what is no JSON names its line, and shows nothing of it", () => {
    assert.throws(
      () => parse([Buffer.from('1\n\n{"password": hunter2}\n')], new JsonLineParser()),
      (error: Error) => error instanceof SyntaxError && error.message === "Line 3 of the body is no JSON",
    );
    assert.throws(() => parse([Buffer.from('{"cut":')], new JsonLineParser()), /Line 1/);
  });

  test("a line that is too long is refused", () => {
    assert.throws(() => parse([Buffer.from(`"${"x".repeat(20)}"\n`)], new JsonLineParser(10)), ProtocolError);
  });
});
