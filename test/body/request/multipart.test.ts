import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type FieldValue, RequestField } from "../../../src/body/request/fields.ts";
import {
  chooseBoundary,
  encodeMultipartFormdata,
  type Fields,
  multipartPayload,
} from "../../../src/body/request/multipart.ts";
import { InvalidArgumentError, InvalidHeader } from "../../../src/core/errors.ts";

const SEED = { seed: 20260101 };
const B = "!! test boundary !!".replaceAll("!", "-");

/** Parts of a form, read naively. */
function parse(body: Buffer, boundary: string): { headers: string[]; data: Buffer }[] {
  const text = body.toString("latin1");
  const pieces = `\r\n${text}`.split(`\r\n--${boundary}`);
  assert.equal(pieces.shift(), "");
  assert.equal(pieces.pop(), "--\r\n");
  return pieces.map((piece) => {
    assert.ok(piece.startsWith("\r\n"));
    const end = piece.indexOf("\r\n\r\n");
    return {
      headers: piece
        .slice(2, end)
        .split("\r\n")
        .map((line) => Buffer.from(line, "latin1").toString()),
      data: Buffer.from(piece.slice(end + 4), "latin1"),
    };
  });
}

describe("encodeMultipartFormdata", () => {
  test("exact bytes of every form of a value", () => {
    const fields: Fields = [
      ["text", "h\u00e9"],
      ["number", 42],
      ["bytes", Uint8Array.of(0, 255, 13, 10)],
      ["buffer", Uint8Array.of(1, 2).buffer],
      ["file", ["a.txt", "x"]],
      ["typed", ["a.txt", Buffer.from("y"), "image/jpeg"]],
      new RequestField("own", "z", { headers: { "X-A": "1" } }),
    ];
    const { body, contentType } = encodeMultipartFormdata(fields, "b");
    const expected = Buffer.concat([
      Buffer.from('--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nh\u00e9\r\n'),
      Buffer.from('--b\r\nContent-Disposition: form-data; name="number"\r\n\r\n42\r\n'),
      Buffer.from('--b\r\nContent-Disposition: form-data; name="bytes"\r\n\r\n'),
      Buffer.from([0, 255, 13, 10]),
      Buffer.from('\r\n--b\r\nContent-Disposition: form-data; name="buffer"\r\n\r\n\x01\x02\r\n'),
      Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'),
      Buffer.from("Content-Type: text/plain\r\n\r\nx\r\n"),
      Buffer.from('--b\r\nContent-Disposition: form-data; name="typed"; filename="a.txt"\r\n'),
      Buffer.from("Content-Type: image/jpeg\r\n\r\ny\r\n"),
      Buffer.from("--b\r\nX-A: 1\r\n\r\nz\r\n--b--\r\n"),
    ]);
    assert.equal(body.toString("latin1"), expected.toString("latin1"));
    assert.equal(contentType, "multipart/form-data; boundary=b");
  });

  test("mappings, pairs, maps and generators give the same", () => {
    const pairs: [string, string][] = [
      ["k", "v"],
      ["k2", "v2"],
    ];
    const expected = encodeMultipartFormdata({ k: "v", k2: "v2" }, "b").body.toString();
    assert.equal(encodeMultipartFormdata(pairs, "b").body.toString(), expected);
    assert.equal(encodeMultipartFormdata(new Map(pairs), "b").body.toString(), expected);
    assert.equal(encodeMultipartFormdata(new URLSearchParams(pairs), "b").body.toString(), expected);
    assert.equal(encodeMultipartFormdata(pairs.values(), "b").body.toString(), expected);
  });

  test("names repeat, and no fields give an empty form", () => {
    const { body } = encodeMultipartFormdata(
      [
        ["a", "1"],
        ["a", "2"],
      ],
      "b",
    );
    assert.deepEqual(
      parse(body, "b").map((part) => part.data.toString()),
      ["1", "2"],
    );
    assert.equal(encodeMultipartFormdata({}, "b").body.toString(), "--b--\r\n");
  });

  test("a part of a larger buffer is sent without its surroundings", () => {
    const view = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
    assert.deepEqual([...parse(encodeMultipartFormdata({ v: view }, "b").body, "b")[0]!.data], [2, 3]);
  });

  test("each form has a boundary of its own", () => {
    const first = encodeMultipartFormdata({ a: "1" });
    const second = encodeMultipartFormdata({ a: "1" });
    assert.notEqual(first.contentType, second.contentType);
    const boundary = /^multipart\/form-data; boundary=([0-9a-f]{32})$/.exec(first.contentType)?.[1];
    assert.ok(boundary);
    assert.equal(parse(first.body, boundary).length, 1);
    assert.match(chooseBoundary(), /^[0-9a-f]{32}$/);
    assert.notEqual(chooseBoundary(), chooseBoundary());
  });

  const boundaries: [boundary: string, parameter: string][] = [
    ["x", "x"],
    ["a'+_-.9", "a'+_-.9"],
    ["a:b", '"a:b"'],
    ["(a)", '"(a)"'],
    ["a=?/,", '"a=?/,"'],
    [B, `"${B}"`],
    ["x".repeat(70), "x".repeat(70)],
  ];
  for (const [boundary, parameter] of boundaries) {
    test(`boundary ${boundary}`, () => {
      const { body, contentType } = encodeMultipartFormdata({ a: "1" }, boundary);
      assert.equal(contentType, `multipart/form-data; boundary=${parameter}`);
      assert.equal(parse(body, boundary).length, 1);
    });
  }

  test("a boundary that RFC 2046 does not allow is refused", () => {
    const bad = ["", "x".repeat(71), "a ", "a\r\nb", "a\n", "a\0", 'a"b', "a\\b", "a;b", "\u00e9", "a&b", 5];
    for (const boundary of bad) {
      assert.throws(
        () => encodeMultipartFormdata({}, boundary as string),
        InvalidArgumentError,
        JSON.stringify(boundary),
      );
    }
  });

  test("a File brings its name and type along; both can be said otherwise", async () => {
    const { File } = await import("node:buffer");
    const file = new File(["FF"], "n.txt", { type: "text/zz" });
    const untyped = new File(["FF"], "n.json");
    const values: [FieldValue, string][] = [
      [file, 'filename="n.txt"\r\nContent-Type: text/zz'],
      [untyped, 'filename="n.json"\r\nContent-Type: application/json'],
      [["o.json", file], 'filename="o.json"\r\nContent-Type: text/zz'],
      [["o.json", untyped], 'filename="o.json"\r\nContent-Type: application/json'],
      [["o.txt", file, "a/b"], 'filename="o.txt"\r\nContent-Type: a/b'],
    ];
    for (const [value, headers] of values) {
      const payload = multipartPayload({ f: value }, "b");
      const parts: Buffer[] = [];
      for await (const part of payload.open()) parts.push(Buffer.from(part as Uint8Array));
      const text = Buffer.concat(parts).toString();
      assert.equal(
        text,
        `--b\r\nContent-Disposition: form-data; name="f"; ${headers}\r\n\r\nFF\r\n--b--\r\n`,
      );
    }
  });

  test("data and fields of other kinds are refused", () => {
    const bad: unknown[] = [
      { a: Symbol("x") },
      { a: {} },
      { a: new Date() },
      { a: ["f", ["nested", "x"]] },
      { a: ["f", null] },
      [["a"]],
      ["ab"],
      [null],
      "a=b",
      null,
      7,
      Buffer.from("ab"),
    ];
    for (const fields of bad) {
      assert.throws(() => encodeMultipartFormdata(fields as Fields, "b"), InvalidArgumentError);
    }
  });

  test("null and undefined leave their field out", () => {
    const fields: Fields = { a: null, b: "1", c: undefined };
    const pairs: Fields = [
      ["a", undefined],
      ["b", "1"],
      ["c", null],
    ];
    const expected = encodeMultipartFormdata({ b: "1" }, "b").body.toString();
    for (const form of [fields, pairs])
      assert.equal(encodeMultipartFormdata(form, "b").body.toString(), expected);
  });

  test("the message of a refusal holds no data", () => {
    assert.throws(
      () => encodeMultipartFormdata([["password", "hunter2", "x"]] as unknown as Fields, "b"),
      (error: Error) => !error.message.includes("hunter2"),
    );
  });

  test("a header that breaks out of its line is refused", () => {
    assert.throws(() => encodeMultipartFormdata({ a: ["f", "x", "text/plain\r\nX: y"] }), InvalidHeader);
  });

  test("property: a naive parser gives back names, filenames, types and data", () => {
    const name = fc.string({ unit: "binary" }).filter((text) => !text.includes("\0"));
    const data = fc.oneof(fc.string({ unit: "binary" }), fc.uint8Array(), fc.integer());
    const value = fc.oneof(data, fc.tuple(name, data, fc.constantFrom("text/plain", "x/y")));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), (fields) => {
        const { body } = encodeMultipartFormdata(fields, B);
        const parts = parse(body, B);
        assert.equal(parts.length, fields.length);
        for (const [index, [fieldName, fieldValue]] of fields.entries()) {
          const [filename, sent, type] = Array.isArray(fieldValue) ? fieldValue : [null, fieldValue, null];
          const part = parts[index]!;
          const escaped = (text: string) =>
            Buffer.from(text.replace(/["\r\n]/g, (found) => encodeURIComponent(found))).toString();
          const file = filename === null ? "" : `; filename="${escaped(filename)}"`;
          const headers = [`Content-Disposition: form-data; name="${escaped(fieldName)}"${file}`];
          if (type !== null) headers.push(`Content-Type: ${type}`);
          assert.deepEqual(part.headers, headers);
          const bytes = sent instanceof Uint8Array ? Buffer.from(sent) : Buffer.from(String(sent));
          assert.ok(part.data.equals(bytes));
        }
      }),
      SEED,
    );
  });

  test("the platform's own parser reads it", async () => {
    const { body, contentType } = encodeMultipartFormdata([
      ["text", "h\u00e9llo\r\nthere"],
      ['a "quoted"\nname', "1"],
      ["file", ["na\u00efve.png", Uint8Array.of(0, 1, 255)]],
    ]);
    const form = await new Response(body, { headers: { "content-type": contentType } }).formData();
    assert.equal(form.get("text"), "h\u00e9llo\r\nthere");
    assert.equal(form.get('a "quoted"\nname'), "1");
    const file = form.get("file") as Exclude<ReturnType<typeof form.get>, string | null>;
    assert.equal(file.name, "na\u00efve.png");
    assert.equal(file.type, "image/png");
    assert.deepEqual([...new Uint8Array(await file.arrayBuffer())], [0, 1, 255]);
  });
});
