import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { appendQuery, type QuerySource, urlencode } from "../../../src/body/request/urlencode.ts";
import { InvalidArgumentError } from "../../../src/core/errors.ts";

const SEED = { seed: 20260101 };

describe("urlencode", () => {
  const table: [name: string, fields: QuerySource, encoded: string][] = [
    ["a mapping", { a: "1", b: "2" }, "a=1&b=2"],
    [
      "pairs, repeated",
      [
        ["a", "1"],
        ["b", "2"],
        ["a", "3"],
      ],
      "a=1&b=2&a=3",
    ],
    ["a map", new Map([["k", "v"]]), "k=v"],
    ["nothing", {}, ""],
    ["no pairs", [], ""],
    ["space is a plus, plus is not", { "a b": "c+d" }, "a+b=c%2Bd"],
    ["unreserved characters stay", { a: "AZaz09_.-~" }, "a=AZaz09_.-~"],
    [
      "all others go",
      { a: "!*'();:@&=$,/?#[]%\"<>\\^`{|}" },
      "a=%21%2A%27%28%29%3B%3A%40%26%3D%24%2C%2F%3F%23%5B%5D%25%22%3C%3E%5C%5E%60%7B%7C%7D",
    ],
    ["controls", { a: "\0\r\n\x7f" }, "a=%00%0D%0A%7F"],
    ["UTF-8", { "\u00e9": "\u20ac\u{1f600}" }, "%C3%A9=%E2%82%AC%F0%9F%98%80"],
    ["a lone surrogate is replaced", { a: "\ud800" }, "a=%EF%BF%BD"],
    ["raw bytes", [[Uint8Array.of(0xff, 0x20), Uint8Array.of(0x80, 0x41).buffer]], "%FF+=%80A"],
    ["a view only its own bytes", { a: Uint8Array.of(1, 65, 66, 2).subarray(1, 3) }, "a=AB"],
    [
      "numbers and booleans; null and undefined are left out",
      { a: 1, b: -1.5, c: true, d: null, e: undefined, f: 10n },
      "a=1&b=-1.5&c=true&f=10",
    ],
    ["empty texts", { "": "" }, "="],
    ["lists repeat the name", { "a b": ["x", 2, "y z"], c: "3" }, "a+b=x&a+b=2&a+b=y+z&c=3"],
    ["also within a list", { a: [1, null, undefined, 2], b: [null] }, "a=1&a=2"],
    ["a URL", { to: new URL("http://h/?q#f") }, "to=http%3A%2F%2Fh%2F%3Fq%23f"],
    [
      "any view of bytes",
      { a: new DataView(Uint8Array.of(65, 66).buffer), b: Uint16Array.of(0x4141) },
      "a=AB&b=AA",
    ],
    ["an empty list gives nothing", { a: [], b: "1" }, "b=1"],
    ["numbers as names", [[1, 2]], "1=2"],
  ];
  for (const [name, fields, encoded] of table) {
    test(name, () => assert.equal(urlencode(fields), encoded));
  }

  test("what is no list of fields is refused", () => {
    const bad: unknown[] = ["a=b", 7, null, undefined, [["a"]], [["a", "b", "c"]], ["ab"], Buffer.from("a")];
    for (const fields of bad) {
      assert.throws(() => urlencode(fields as QuerySource), InvalidArgumentError, String(fields));
    }
  });

  test("values that would become [object Object] are refused, with advice", () => {
    const bad: [value: unknown, advice: RegExp][] = [
      [new Blob(["data"]), /not a Blob: send a file in a multipart form/],
      [new File(["data"], "a.txt"), /not a File: send a file in a multipart form/],
      [{ a: 1 }, /not an object: give its JSON.stringify\(\)/],
      [new Map([["a", 1]]), /not a Map/],
      [new Date(0), /not a Date: give its toISOString\(\)/],
      [() => 1, /not a function/],
      [Symbol("x"), /not a symbol/],
      [["nested"], /not an array of 1/],
    ];
    for (const [value, advice] of bad) {
      for (const fields of [{ f: [value] }, [["f", [value]]], [[value, "x"]]]) {
        assert.throws(
          () => urlencode(fields as QuerySource),
          (error: Error) => error instanceof InvalidArgumentError && advice.test(error.message),
        );
      }
    }
    assert.throws(() => urlencode({ secret: { password: "hunter2" } } as never), /^(?!.*hunter2)/);
  });

  test("property: URLSearchParams reads back what was written", () => {
    const text = fc.string({ unit: "grapheme" });
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text)), (pairs) => {
        const encoded = urlencode(pairs);
        assert.match(encoded, /^[A-Za-z0-9_.~+%&=-]*$/);
        assert.deepEqual([...new URLSearchParams(encoded)], pairs);
      }),
      SEED,
    );
  });
});

describe("appendQuery", () => {
  const table: [url: string, encoded: string, result: string][] = [
    ["http://h/", "a=1", "http://h/?a=1"],
    ["http://h", "a=1", "http://h?a=1"],
    ["/p", "a=1", "/p?a=1"],
    ["http://h/?b=2", "a=1", "http://h/?b=2&a=1"],
    ["http://h/?", "a=1", "http://h/?a=1"],
    ["http://h/?b=2&", "a=1", "http://h/?b=2&a=1"],
    ["http://h/#f", "a=1", "http://h/?a=1#f"],
    ["http://h/?b#f?g", "a=1", "http://h/?b&a=1#f?g"],
    ["http://h/#f?g", "a=1", "http://h/?a=1#f?g"],
    ["http://h/#", "a=1", "http://h/?a=1#"],
    ["http://h/?b#f", "", "http://h/?b#f"],
    ["http://h/?", "", "http://h/?"],
    ["", "a=1", "?a=1"],
  ];
  for (const [url, encoded, result] of table) {
    test(`${url} + ${encoded}`, () => assert.equal(appendQuery(url, encoded), result));
  }
});
