/** Bodies of every kind, the platform's and of other makes; and those that cannot be sent (any more). */

import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { encodeBody, type Payload } from "../../../src/body/request/encode.ts";
import { InvalidArgumentError, UnrewindableBodyError } from "../../../src/core/errors.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "encode-"));
});
after(() => rm(folder, { recursive: true }));

async function text(payload: Payload | Promise<Payload>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of (await payload).open()) parts.push(Buffer.from(part as Uint8Array));
  return Buffer.concat(parts).toString();
}

function refuses(body: unknown, message: RegExp): void {
  assert.throws(
    () => encodeBody(body),
    (error: Error) => {
      assert.ok(error instanceof InvalidArgumentError, String(error));
      assert.match(error.message, message);
      return true;
    },
  );
}

describe("bytes", () => {
  test("any view, any buffer, of any realm", async () => {
    const bytes = Uint8Array.of(65, 66, 67, 68);
    const realm = runInContext("({ buffer: new Uint8Array([65, 66, 67, 68]).buffer })", createContext()) as {
      buffer: ArrayBuffer;
    };
    for (const body of [
      bytes,
      bytes.buffer,
      new DataView(bytes.buffer),
      new Uint16Array(bytes.buffer),
      realm.buffer,
      new Uint8Array(realm.buffer),
    ]) {
      const payload = await encodeBody(body);
      assert.equal(payload.length, 4);
      assert.equal(await text(payload), "ABCD");
    }
    assert.equal(await text(encodeBody(new DataView(bytes.buffer, 1, 2))), "BC");
  });
});

/** What the packages that bring classes of their own have in common with the platform's. */
class ForeignBlob {
  readonly #text: string;
  readonly type: string;
  constructor(content: string, type = "") {
    this.#text = content;
    this.type = type;
  }
  get [Symbol.toStringTag](): string {
    return "Blob";
  }
  get size(): number {
    return Buffer.byteLength(this.#text);
  }
  stream(): AsyncIterable<Uint8Array> {
    return Readable.from([Buffer.from(this.#text)]);
  }
}

class ForeignFile extends ForeignBlob {
  readonly name: string;
  constructor(content: string, name: string, type?: string) {
    super(content, type);
    this.name = name;
  }
  override get [Symbol.toStringTag](): string {
    return "File";
  }
}

class ForeignFormData {
  readonly #entries: [string, unknown][];
  constructor(entries: [string, unknown][]) {
    this.#entries = entries;
  }
  get [Symbol.toStringTag](): string {
    return "FormData";
  }
  entries(): Iterable<[string, unknown]> {
    return this.#entries.values();
  }
}

class ForeignParams {
  get [Symbol.toStringTag](): string {
    return "URLSearchParams";
  }
  getAll(): string[] {
    return [];
  }
  toString(): string {
    return "a=1";
  }
}

describe("classes of other makes count by their shape", () => {
  test("Blob", async () => {
    const payload = await encodeBody(new ForeignBlob("abc", "text/x"));
    assert.deepEqual([payload.length, payload.contentType, await text(payload)], [3, "text/x", "abc"]);
  });

  test("URLSearchParams", async () => {
    const payload = await encodeBody(new ForeignParams());
    assert.match(payload.contentType ?? "", /^application\/x-www-form-urlencoded/);
    assert.equal(await text(payload), "a=1");
  });

  test("FormData, with files of its make", async () => {
    const form = new ForeignFormData([
      ["title", "a lake"],
      ["file", new ForeignFile("abc", "l.txt", "text/x")],
    ]);
    const payload = await encodeBody(form);
    const boundary = /boundary=(.*)$/.exec(payload.contentType ?? "")?.[1];
    const sent = await text(payload);
    assert.equal(
      sent,
      `--${boundary}\r\nContent-Disposition: form-data; name="title"\r\n\r\na lake\r\n` +
        `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="l.txt"\r\nContent-Type: text/x\r\n\r\nabc\r\n` +
        `--${boundary}--\r\n`,
    );
    assert.equal(payload.length, sent.length);
  });

  test("a type that would break out of its line is refused", () => {
    const form = new ForeignFormData([["f", new ForeignFile("a", "n", "text/x\r\nX-Evil: 1")]]);
    assert.throws(() => encodeBody(form), { name: "InvalidHeader" });
  });

  test("the FormData of the package form-data: a stream that knows its boundary", async () => {
    class LegacyForm {
      getBoundary = (): string => "b";
      getHeaders = (): Record<string, string> => ({ "content-type": "multipart/form-data; boundary=b" });
      hasKnownLength = (): boolean => true;
      getLengthSync = (): number => 7;
      on = (): this => this;
      pipe(target: PassThrough): PassThrough {
        return target.end("--b--\r\n");
      }
    }
    const payload = await encodeBody(new LegacyForm());
    assert.deepEqual([payload.contentType, payload.length], ["multipart/form-data; boundary=b", 7]);
    assert.equal(await text(payload), "--b--\r\n");
    assert.equal(payload.replayable, false);
  });
});

test("a FormData is written as the platform writes it, line ends in names included", async () => {
  const form = new FormData();
  form.append("a\nb\rc\r\nd", "e\nf\rg\r\nh");
  form.append('quo"te', new File(["x\ny"], 'n\nm".txt'));
  form.append("typed", new File(["z"], "z.json", { type: "a/b" }));
  const ours = await encodeBody(form);
  const platform = new Response(form);
  const boundary = (type: string | null): string => /boundary=(.*)$/.exec(type ?? "")![1]!;
  const expected = (await platform.text()).replaceAll(
    boundary(platform.headers.get("content-type")),
    boundary(ours.contentType),
  );
  assert.equal((await text(ours)).trimEnd(), expected.trimEnd());
});

describe("sources that were used before are refused, not sent empty", () => {
  test("a Node stream that was read, or destroyed", async () => {
    const read = Readable.from(["a"]);
    for await (const _part of read);
    refuses(read, /'body' is a stream that was read to its end/);
    const destroyed = new PassThrough();
    destroyed.destroy();
    refuses(destroyed, /was destroyed/);
  });

  test("a web stream that was read, in part too, cancelled, or locked", async () => {
    const stream = (): ReadableStream => new Blob(["hello"]).stream();
    const read = stream();
    for await (const _part of read as unknown as AsyncIterable<unknown>);
    refuses(read, /was read or cancelled before/);
    const begun = stream();
    const reader = begun.getReader();
    refuses(begun, /locked/);
    await reader.read();
    reader.releaseLock();
    refuses(begun, /was read or cancelled before/);
    const cancelled = stream();
    await cancelled.cancel();
    refuses(cancelled, /was read or cancelled before/);
    const branch = stream();
    branch.tee();
    refuses(branch, /locked/);
  });

  test("a response whose body was read, of fetch too", async () => {
    refuses(
      { bodyUsed: true, async *[Symbol.asyncIterator]() {} },
      /a response whose body was read or given up already/,
    );
  });

  test("a stream or generator that was a body before", async () => {
    const sources: [source: () => unknown, message: RegExp][] = [
      [() => Readable.from(["a", "b"]), /is being sent already|read to its end/],
      [
        async function* () {
          yield "a";
        },
        /an iterator that was sent before: give a function/,
      ],
      [
        function* () {
          yield "a";
        },
        /an iterator that was sent before/,
      ],
      [() => ["a"].values(), /an iterator that was sent before/],
    ];
    for (const [make, message] of sources) {
      const source = make();
      const payload = await encodeBody(source);
      payload.open();
      refuses(source, message);
      assert.throws(() => payload.open(), UnrewindableBodyError);
    }
  });

  test("arrays, sets and iterables that begin anew can be sent again and again", async () => {
    for (const body of [
      ["a"],
      new Set(["a"]),
      {
        *[Symbol.iterator]() {
          yield "a";
        },
      },
    ]) {
      for (let time = 0; time < 2; time++) assert.equal(await text(encodeBody(body)), "a");
    }
  });

  test("a stream that failed says why once it is read, and never crashes the process meanwhile", async () => {
    const missing = createReadStream(join(folder, "missing"));
    const payload = await encodeBody(missing);
    await new Promise<void>((resolve) => missing.once("close", () => resolve()));
    await assert.rejects(text(payload), { code: "ENOENT" });
    const failed = createReadStream(join(folder, "missing")).on("error", () => {});
    await new Promise<void>((resolve) => failed.once("close", () => resolve()));
    await assert.rejects(text(encodeBody(failed)), { code: "ENOENT" });
  });
});

describe("other values are refused with advice", () => {
  for (const [value, message] of [
    [{ a: 1 }, /Instead was an object: give an object as 'json' or 'fields'/],
    [new Response("x"), /Instead was a Response: give its body, or what its bytes\(\) gives/],
    [5, /Instead was a number$/],
    [true, /Instead was a boolean$/],
    [Symbol("x"), /Instead was a symbol$/],
    [Promise.resolve("x"), /Instead was a Promise: await it first/],
    [new Map([["a", "b"]]), /Instead was a Map: give an object as 'json' or 'fields'/],
    [[1, 2], /Instead was a list with a number: give it as 'json'/],
    [["x", { a: 1 }], /Instead was a list with an object: give it as 'json'/],
    [[undefined], /Instead was a list with undefined/],
  ] as const) {
    test(String(message), () => refuses(value, message));
  }
});

test("bodyPos is for files: of anything else the whole would be sent", () => {
  for (const body of ["abc", Buffer.from("abc"), new Blob(["abc"])]) {
    assert.throws(
      () => encodeBody(body, { bodyPos: 1 }),
      /bodyPos is for a body that is a file handle, not for a /,
    );
    encodeBody(body, { bodyPos: 0 });
  }
});

describe("files", () => {
  test("from a position of its own, which stays the file's affair", async () => {
    const path = join(folder, "file");
    await writeFile(path, "hello world");
    const file = await open(path);
    const first = await encodeBody(file, { bodyPos: 6 });
    assert.deepEqual([first.length, first.contentType, first.replayable], [5, null, true]);
    await file.read(Buffer.alloc(3), 0, 3);
    assert.equal(await text(first), "world");
    assert.equal(await text(first), "world");
    const [one, other] = await Promise.all([text(encodeBody(file)), text(encodeBody(file))]);
    assert.deepEqual([one, other], ["hello world", "hello world"]);
    assert.equal((await file.read(Buffer.alloc(8), 0, 8)).buffer.toString(), "lo world");
    for (const bodyPos of [12, -1, 1.5, 1e15])
      await assert.rejects(
        async () => encodeBody(file, { bodyPos }),
        /must be a position in the file of 11 bytes/,
      );
    await file.close();
  });

  test("a closed one is refused at the call; one that fails while it is looked at is no unhandled rejection", async () => {
    const file = await open(join(folder, "file"));
    await file.close();
    refuses(file, /'body' is a file handle that was closed/);
    const unhandled: unknown[] = [];
    const note = (reason: unknown): number => unhandled.push(reason);
    process.on("unhandledRejection", note);
    const broken = { fd: 5, stat: () => Promise.reject(new Error("EIO")), read: () => {} };
    const payload = encodeBody(broken);
    await new Promise((resolve) => setTimeout(resolve, 10));
    process.off("unhandledRejection", note);
    assert.deepEqual(unhandled, []);
    await assert.rejects(async () => payload, /EIO/);
  });

  test("a pipe or device is no file to read from positions: an empty body would be sent", async () => {
    const file = await open("/dev/null");
    await assert.rejects(async () => encodeBody(file), /pipe or device/);
    await file.close();
  });
});
