import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type FieldValue,
  formatMultipartHeaderParam,
  guessContentType,
  RequestField,
} from "../../../src/body/request/fields.ts";
import { InvalidArgumentError, InvalidHeader } from "../../../src/core/errors.ts";

describe("guessContentType", () => {
  const table: [filename: string | null | undefined, type: string][] = [
    ["image.jpg", "image/jpeg"],
    ["IMAGE.JPEG", "image/jpeg"],
    ["a.b.txt", "text/plain"],
    ["page.html", "text/html"],
    ["data.json", "application/json"],
    ["archive.tar.gz", "application/gzip"],
    ["folder.txt/notes", "application/octet-stream"],
    ["folder.txt\\notes", "application/octet-stream"],
    ["notsure", "application/octet-stream"],
    ["a.constructor", "application/octet-stream"],
    ["trailing.", "application/octet-stream"],
    [".json", "application/json"],
    ["", "application/octet-stream"],
    [null, "application/octet-stream"],
    [undefined, "application/octet-stream"],
  ];
  for (const [filename, type] of table) {
    test(`${filename} -> ${type}`, () => assert.equal(guessContentType(filename), type));
  }

  test("the fallback can be named", () => {
    assert.equal(guessContentType("notsure", "x/y"), "x/y");
    assert.equal(guessContentType(undefined, "x/y"), "x/y");
    assert.equal(guessContentType("a.png", "x/y"), "image/png");
  });
});

describe("formatMultipartHeaderParam", () => {
  const table: [value: string, formatted: string][] = [
    ["plain", 'name="plain"'],
    ["", 'name=""'],
    ["na\u00efve \u{1f600}", 'name="na\u00efve \u{1f600}"'],
    ['hello "world"', 'name="hello %22world%22"'],
    ["a\nb\r\nc", 'name="a%0Ab%0D%0Ac"'],
    ["back\\slash", 'name="back\\slash"'],
    ["tab\t\x1b%22", 'name="tab\t\x1b%22"'],
  ];
  for (const [value, formatted] of table) {
    test(JSON.stringify(value), () => assert.equal(formatMultipartHeaderParam("name", value), formatted));
  }
});

describe("RequestField", () => {
  test("renders nothing without headers", () => {
    const field = new RequestField("somename", "data");
    assert.equal(field.renderHeaders(), "\r\n");
    assert.equal(field.name, "somename");
    assert.equal(field.data, "data");
    assert.equal(field.filename, undefined);
    assert.deepEqual(field.headers, {});
  });

  test("makeMultipart sets three headers in their order and returns the field", () => {
    const field = new RequestField("somename", "data", { filename: "f.txt" });
    const options = { contentLocation: "/test", contentType: "image/jpg", contentDisposition: "attachment" };
    assert.equal(field.makeMultipart(options), field);
    assert.equal(
      field.renderHeaders(),
      'Content-Disposition: attachment; name="somename"; filename="f.txt"\r\n' +
        "Content-Type: image/jpg\r\nContent-Location: /test\r\n\r\n",
    );
  });

  test("the disposition is form-data unless another is given", () => {
    assert.equal(
      new RequestField("n", "d").makeMultipart().renderHeaders(),
      'Content-Disposition: form-data; name="n"\r\n\r\n',
    );
  });

  test("an empty filename is kept, null is none", () => {
    assert.match(
      new RequestField("n", "d", { filename: "" }).makeMultipart().renderHeaders(),
      /; filename=""\r/,
    );
    assert.doesNotMatch(
      new RequestField("n", "d", { filename: null }).makeMultipart().renderHeaders(),
      /filename/,
    );
  });

  test("the well-known headers come first, empty ones not at all, the rest in its order", () => {
    const headers = {
      "X-B": "2",
      "content-type": "text/plain",
      "X-Empty": "",
      "X-Null": null,
      "X-A": "1",
      "Content-Disposition": "inline",
    };
    assert.equal(
      new RequestField("n", "d", { headers }).renderHeaders(),
      "Content-Disposition: inline\r\ncontent-type: text/plain\r\nX-B: 2\r\nX-A: 1\r\n\r\n",
    );
  });

  test("makeMultipart replaces another spelling, leaves what it is not given, removes for null", () => {
    const headers = { "content-disposition": "old", "content-type": "text/x", "content-location": "/old" };
    const field = new RequestField("n", "d", { headers }).makeMultipart({ contentLocation: null });
    assert.equal(
      field.renderHeaders(),
      'Content-Disposition: form-data; name="n"\r\ncontent-type: text/x\r\n\r\n',
    );
    assert.equal(headers["content-disposition"], "old", "the caller's object stays as it is");
  });

  const tuples: [value: FieldValue, rendered: string][] = [
    ["value", 'Content-Disposition: form-data; name="n"'],
    [["a.png", "x"], 'Content-Disposition: form-data; name="n"; filename="a.png"\r\nContent-Type: image/png'],
    [
      ["\u043c.bin2", "x"],
      'Content-Disposition: form-data; name="n"; filename="\u043c.bin2"\r\nContent-Type: application/octet-stream',
    ],
    [[null, "x"], 'Content-Disposition: form-data; name="n"\r\nContent-Type: application/octet-stream'],
    [["", "x", "x/y"], 'Content-Disposition: form-data; name="n"; filename=""\r\nContent-Type: x/y'],
    [["a.png", "x", null], 'Content-Disposition: form-data; name="n"; filename="a.png"'],
  ];
  for (const [value, rendered] of tuples) {
    test(`fromTuples ${JSON.stringify(value)}`, () => {
      const field = RequestField.fromTuples("n", value);
      assert.equal(field.renderHeaders(), `${rendered}\r\n\r\n`);
      assert.equal(field.data, Array.isArray(value) ? "x" : "value");
    });
  }

  test("fromTuples refuses lists of another length", () => {
    for (const value of [[], ["x"], ["a", "b", "c", "d"]]) {
      assert.throws(
        () => RequestField.fromTuples("n", value as unknown as FieldValue),
        (error: Error) => error instanceof InvalidArgumentError && /an array of \d/.test(error.message),
      );
    }
  });

  test("headers that would break out of their line are refused", () => {
    const bad: Record<string, string>[] = [
      { "X-A": "1\r\nX-B: 2" },
      { "X-A": "1\n" },
      { "X-A": "\r" },
      { "X-A": "a\0b" },
      { "X-A\r\nX-B": "1" },
      { "X A": "1" },
      { "X:A": "1" },
      { "": "1" },
    ];
    for (const headers of bad) {
      const field = new RequestField("n", "d", { headers });
      assert.throws(() => field.renderHeaders(), InvalidHeader, JSON.stringify(headers));
    }
    const options = [
      { contentDisposition: "x\r\ny" },
      { contentType: "x\r\ny: z" },
      { contentLocation: "x\ny" },
    ];
    for (const option of options) {
      assert.throws(() => new RequestField("n", "d").makeMultipart(option).renderHeaders(), InvalidHeader);
    }
    assert.throws(() => RequestField.fromTuples("n", ["a\0b", "x"]).renderHeaders(), InvalidHeader);
  });

  test("CR and LF in names and filenames are escaped, not refused", () => {
    const field = RequestField.fromTuples("a\r\nb", ['c"\nd', "x", null]);
    assert.equal(
      field.renderHeaders(),
      'Content-Disposition: form-data; name="a%0D%0Ab"; filename="c%22%0Ad"\r\n\r\n',
    );
  });
});
