import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import { type HeaderSource, HTTPHeaderDict, SKIP_HEADER, SKIPPABLE_HEADERS } from "../../src/core/headers.ts";

const SEED = 20260101;

function cookies(): HTTPHeaderDict {
  return new HTTPHeaderDict([
    ["Cookie", "foo"],
    ["X-Other", "1"],
    ["cookie", "bar"],
  ]);
}

const SOURCES: readonly [what: string, source: HeaderSource | null | undefined, items: string[][]][] = [
  ["nothing", undefined, []],
  ["null", null, []],
  [
    "an object",
    { A: "1", b: 2, C: ["3", 4], D: undefined, E: [] },
    [
      ["A", "1"],
      ["b", "2"],
      ["C", "3"],
      ["C", "4"],
    ],
  ],
  ["an object without prototype", Object.assign(Object.create(null), { A: "1" }), [["A", "1"]]],
  [
    "an object that repeats a name",
    { A: "1", a: "2" },
    [
      ["A", "1"],
      ["A", "2"],
    ],
  ],
  [
    "pairs",
    [
      ["A", "1"],
      ["B", "2"],
      ["a", ["3", 4]],
    ],
    [
      ["A", "1"],
      ["A", "3"],
      ["A", "4"],
      ["B", "2"],
    ],
  ],
  ["a Map", new Map([["A", "1"]]), [["A", "1"]]],
  [
    "Headers",
    new Headers([
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
      ["X", "1"],
      ["x", "2"],
    ]),
    [
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
      ["x", "1, 2"],
    ],
  ],
  [
    "a header dict",
    cookies(),
    [
      ["Cookie", "foo"],
      ["Cookie", "bar"],
      ["X-Other", "1"],
    ],
  ],
  [
    "a generator",
    (function* (): Generator<[string, string]> {
      yield ["A", "1"];
    })(),
    [["A", "1"]],
  ],
];

test("a header dict is made of many things", () => {
  for (const [what, source, items] of SOURCES) assert.deepEqual([...new HTTPHeaderDict(source)], items, what);
});

test("a header dict is not made of anything", () => {
  const sources = [
    "a: b",
    1,
    true,
    Symbol("s"),
    () => 1,
    [1],
    ["ab"],
    [["a"]],
    [["a", "b", "c"]],
    [[1, "b"]],
  ];
  sources.push(
    [["a", null]] as never,
    [["a", undefined]] as never,
    { a: null } as never,
    { a: [null] } as never,
  );
  sources.push({ a: {} } as never, { a: true } as never, { a: [["b"]] } as never, Buffer.from("ab") as never);
  for (const source of sources) {
    assert.throws(() => new HTTPHeaderDict(source as never), InvalidArgumentError, inspect(source));
  }
});

test("names and values are checked in every method", () => {
  const dict = cookies();
  const calls: ((name: never) => unknown)[] = [
    (name) => dict.get(name),
    (name) => dict.getList(name),
    (name) => dict.set(name, "x"),
    (name) => dict.add(name, "x"),
    (name) => dict.append(name, "x"),
    (name) => dict.delete(name),
    (name) => dict.discard(name),
    (name) => dict.pop(name),
    (name) => dict.setDefault(name, "x"),
  ];
  for (const call of calls) assert.throws(() => call(1 as never), InvalidArgumentError);
  for (const value of [null, undefined, {}, true]) {
    assert.throws(() => dict.set("x", value as never), InvalidArgumentError);
    assert.throws(() => dict.add("x", value as never), InvalidArgumentError);
  }
  for (const name of [1, null, undefined, Symbol("s"), {}]) assert.equal(dict.has(name), false);
  assert.ok(dict.equals(cookies()));
});

test("an error about a value does not show it", () => {
  assert.throws(
    () => new HTTPHeaderDict().set("Authorization", ["secret"] as never),
    (error: Error) => !error.message.includes("secret") && error.message.includes("Authorization"),
  );
});

test("get joins, getList does not, case does not matter", () => {
  const dict = cookies();
  assert.equal(dict.get("COOKIE"), "foo, bar");
  assert.deepEqual(dict.getList("cOOkie"), ["foo", "bar"]);
  assert.equal(dict.get("none"), null);
  assert.deepEqual(dict.getList("none"), []);
  assert.equal(dict.get("constructor"), null);
  dict.getList("cookie").push("more");
  assert.deepEqual(dict.getList("cookie"), ["foo", "bar"]);
});

test("set replaces values and spelling and keeps the place", () => {
  const dict = cookies();
  dict.set("COOKIE", 1);
  assert.deepEqual(
    [...dict],
    [
      ["COOKIE", "1"],
      ["X-Other", "1"],
    ],
  );
});

test("add keeps the first spelling, and combines when asked", () => {
  const dict = cookies();
  dict.add("COOKIE", "baz");
  dict.append("X-New", 5);
  dict.add("cookie", "qux", { combine: true });
  dict.add("X-Combined", "a", { combine: true });
  dict.append("x-combined", "b", { combine: true });
  assert.deepEqual(dict.getList("cookie"), ["foo", "bar", "baz, qux"]);
  assert.deepEqual([...dict.keys()], ["Cookie", "X-Other", "X-New", "X-Combined"]);
  assert.deepEqual(dict.getList("X-Combined"), ["a, b"]);
});

test("delete, discard, pop, clear", () => {
  const dict = cookies();
  assert.equal(dict.pop("COOKIE"), "foo, bar");
  assert.equal(dict.pop("cookie"), null);
  assert.equal(dict.delete("x-other"), true);
  assert.equal(dict.delete("x-other"), false);
  assert.equal(dict.discard("x-other"), false);
  assert.equal(dict.size, 0);
  dict.set("a", "b");
  dict.clear();
  assert.deepEqual([...dict], []);
});

test("setDefault sets what is not there", () => {
  const dict = cookies();
  assert.equal(dict.setDefault("cookie", "x"), "foo, bar");
  assert.equal(dict.setDefault("New", "x"), "x");
  assert.equal(dict.setDefault("Empty"), "");
  assert.equal(dict.get("new"), "x");
});

test("extend adds, also from itself", () => {
  const dict = cookies();
  dict.extend({ cookie: ["baz"] });
  dict.extend([["X-Other", "2"]]);
  assert.equal(dict.get("cookie"), "foo, bar, baz");
  assert.equal(dict.get("x-other"), "1, 2");
  const twice = new HTTPHeaderDict({ a: ["1", "2"] });
  twice.extend(twice);
  assert.deepEqual(twice.getList("a"), ["1", "2", "1", "2"]);
  assert.throws(() => dict.extend(undefined as never), InvalidArgumentError);
});

test("update replaces", () => {
  const dict = cookies();
  dict.update({ cookie: "with, comma", new: ["1", "2"], "x-other": [] });
  assert.deepEqual(dict.getList("cookie"), ["with, comma"]);
  assert.deepEqual(dict.getList("new"), ["1", "2"]);
  assert.equal(dict.has("x-other"), false);
  dict.update([
    ["a", "1"],
    ["A", "2"],
  ]);
  assert.deepEqual([...dict.keys()], ["cookie", "new", "A"]);
  assert.equal(dict.get("a"), "2");
  dict.update(dict);
  assert.deepEqual(dict.getList("new"), ["1, 2"]);
});

test("update from a multi-map joins the values of a name, except Set-Cookie", () => {
  const source = new HTTPHeaderDict({ A: ["1", "2"], "Set-Cookie": ["a=1", "b=2"] });
  for (const from of [source, new Headers([...source])]) {
    const dict = new HTTPHeaderDict({ a: "0", "set-cookie": "c=3" });
    dict.update(from);
    assert.deepEqual(dict.getList("a"), ["1, 2"]);
    assert.deepEqual(dict.getSetCookie(), ["a=1", "b=2"]);
  }
});

test("copy and merge leave the original alone", () => {
  const dict = cookies();
  const copy = dict.copy();
  const merged = dict.merge({ COOKIE: "baz", New: "1" });
  copy.add("cookie", "more");
  assert.ok(dict.equals(cookies()));
  assert.deepEqual(
    [...merged],
    [
      ["Cookie", "foo"],
      ["Cookie", "bar"],
      ["Cookie", "baz"],
      ["X-Other", "1"],
      ["New", "1"],
    ],
  );
  assert.throws(() => dict.merge(3 as never), InvalidArgumentError);
});

test("equals compares names without case and joined values", () => {
  const dict = cookies();
  const same: unknown[] = [
    dict,
    cookies(),
    { COOKIE: "foo, bar", "x-other": "1" },
    [
      ["x-other", "1"],
      ["cookie", ["foo", "bar"]],
    ],
    new Map([
      ["Cookie", "foo, bar"],
      ["X-OTHER", "1"],
    ]),
    new Headers({ cookie: "foo, bar", "x-other": "1" }),
  ];
  for (const other of same) assert.equal(dict.equals(other), true, inspect(other));
  const different: unknown[] = [
    { cookie: "foo, bar" },
    { cookie: "foo, bar", "x-other": "2" },
    { cookie: "foo, bar", "x-other": "1", more: "1" },
    { cookie: "foo, bar", "x-else": "1" },
    { cookie: "bar, foo", "x-other": "1" },
    { cookie: "foo, bar", "x-other": null },
    [1],
    "Cookie",
    2,
    null,
    undefined,
  ];
  for (const other of different) assert.equal(dict.equals(other), false, inspect(other));
  assert.equal(new HTTPHeaderDict().equals(null), false);
});

test("the iterators", () => {
  const dict = cookies();
  assert.equal(dict.size, 2);
  assert.deepEqual([...dict.keys()], ["Cookie", "X-Other"]);
  assert.deepEqual([...dict.values()], ["foo, bar", "1"]);
  const items = [
    ["Cookie", "foo"],
    ["Cookie", "bar"],
    ["X-Other", "1"],
  ];
  assert.deepEqual([...dict.items()], items);
  assert.deepEqual([...dict.entries()], items);
  assert.deepEqual([...dict], items);
  assert.deepEqual(
    [...dict.itermerged()],
    [
      ["Cookie", "foo, bar"],
      ["X-Other", "1"],
    ],
  );
  const seen: unknown[] = [];
  dict.forEach(function (this: unknown, value, name, whole) {
    seen.push([this, name, value, whole === dict]);
  }, "self");
  assert.deepEqual(
    seen,
    items.map((item) => ["self", ...item, true]),
  );
  for (const [name] of dict) dict.delete(name);
  assert.equal(dict.size, 0);
});

test("the platform's Headers can be made of a header dict", () => {
  const dict = new HTTPHeaderDict({ "Set-Cookie": ["a=1", "b=2"], X: ["1", "2"] });
  const headers = new Headers([...dict]);
  assert.deepEqual(headers.getSetCookie(), dict.getSetCookie());
  assert.equal(headers.get("x"), dict.get("x"));
});

test("prepareForMethodChange removes what describes the content, and its framing", () => {
  const gone =
    "Content-Encoding Content-Language Content-Location Content-Type Content-Length Digest Last-Modified Transfer-Encoding";
  const dict = new HTTPHeaderDict(gone.split(" ").map((name) => [name.toUpperCase(), "x"] as const));
  dict.set("Accept", "*/*");
  assert.equal(dict.prepareForMethodChange(), dict);
  assert.deepEqual([...dict], [["Accept", "*/*"]]);
});

test("toJSON is data; what is printed holds no credentials", () => {
  const secrets = {
    Authorization: "s1",
    "Proxy-authorization": "s2",
    COOKIE: "s3",
    "Set-Cookie": ["s4", "s5"],
  };
  const dict = new HTTPHeaderDict({ ...secrets, Accept: ["a", "b"] });
  assert.equal(
    JSON.stringify(dict),
    '{"Authorization":"s1","Proxy-authorization":"s2","COOKIE":"s3","Set-Cookie":"s4, s5","Accept":"a, b"}',
  );
  assert.equal(
    inspect(dict, { breakLength: Number.POSITIVE_INFINITY }),
    "HTTPHeaderDict { Authorization: '[redacted]', 'Proxy-authorization': '[redacted]', " +
      "COOKIE: '[redacted]', 'Set-Cookie': '[redacted]', Accept: 'a, b' }",
  );
  assert.equal(inspect(new HTTPHeaderDict()), "HTTPHeaderDict {}");
  assert.equal(inspect({ a: dict }, { depth: -1 }), "[Object]");
  assert.equal(inspect([[dict]], { depth: 1 }), "[ [ [HTTPHeaderDict] ] ]");
});

test("names that objects have already are names like others", () => {
  const dict = new HTTPHeaderDict([
    ["__proto__", "1"],
    ["constructor", "2"],
  ]);
  assert.equal(dict.get("__PROTO__"), "1");
  assert.deepEqual(Object.entries(dict.toJSON()), [
    ["__proto__", "1"],
    ["constructor", "2"],
  ]);
});

test("SKIP_HEADER is urllib3's marker", () => {
  assert.equal(SKIP_HEADER, "@@@SKIP_HEADER@@@");
  assert.deepEqual([...SKIPPABLE_HEADERS].sort(), ["accept-encoding", "host", "user-agent"]);
});

const HEADS: readonly [head: string, items: string[][]][] = [
  ["", []],
  ["\r\n", []],
  ["A: 1", [["A", "1"]]],
  ["A: 1\r\n\r\nB: 2\r\n", [["A", "1"]]],
  [
    "A: 1\nB:2\n\nC: 3",
    [
      ["A", "1"],
      ["B", "2"],
    ],
  ],
  [
    "A:\r\nB: \t \r\nC:\t 1:2 \t\r\n\r\n",
    [
      ["A", ""],
      ["B", ""],
      ["C", "1:2"],
    ],
  ],
  [
    "Set-Cookie: a\r\nX: 1\r\nset-cookie: b\r\n",
    [
      ["Set-Cookie", "a"],
      ["Set-Cookie", "b"],
      ["X", "1"],
    ],
  ],
  [
    "A: 1 \r\n  2\r\n\t3\t\r\nB: 4\r\n\r\n",
    [
      ["A", "1 2 3"],
      ["B", "4"],
    ],
  ],
  ["A:\r\n 1\r\n \t\r\n 2\r\n", [["A", "1 2"]]],
  [
    "A: 1\r\na: 2\r\n 3\r\n",
    [
      ["A", "1"],
      ["A", "2 3"],
    ],
  ],
  [" lost\r\nno colon\r\n lost\r\nA: \xa0\xe9\xa0\r\n", [["A", "\xa0\xe9\xa0"]]],
];

test("fromHead reads the field lines of a head", () => {
  for (const [head, items] of HEADS) {
    assert.deepEqual([...HTTPHeaderDict.fromHead(head, 0)], items, JSON.stringify(head));
    const status = "HTTP/1.1 200 OK\r\n";
    assert.deepEqual([...HTTPHeaderDict.fromHead(status + head, status.length)], items, JSON.stringify(head));
  }
});

const token = fc.string({ unit: fc.constantFrom(..."aBc-_1"), minLength: 1, maxLength: 4 });
const fieldValue = fc
  .string({ unit: fc.constantFrom(..."xY ,:\t\xe9"), maxLength: 6 })
  .map((text) => text.replace(/^[ \t]+|[ \t]+$/g, ""));

test("property: fromHead gives what was written", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(token, fieldValue)), fc.constantFrom("\n", "\r\n"), (fields, end) => {
      const head = fields.map(([name, value]) => `${name}: ${value} ${end}`).join("") + end;
      assert.deepEqual([...HTTPHeaderDict.fromHead(head, 0)], [...new HTTPHeaderDict(fields)]);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

/** Field lines in a plain list, searched from the start: slow and plainly right. */
class Model {
  fields: { name: string; values: string[] }[] = [];

  find(name: string): { name: string; values: string[] } | undefined {
    return this.fields.find((field) => field.name.toLowerCase() === name.toLowerCase());
  }
  add(name: string, value: string, combine = false): void {
    const field = this.find(name);
    if (field === undefined) this.fields.push({ name, values: [value] });
    else if (combine) field.values[field.values.length - 1] += `, ${value}`;
    else field.values.push(value);
  }
  set(name: string, value: string): void {
    const field = this.find(name);
    if (field === undefined) this.add(name, value);
    else Object.assign(field, { name, values: [value] });
  }
  delete(name: string): void {
    this.fields = this.fields.filter((field) => field !== this.find(name));
  }
  joined(name: string): string | null {
    return this.find(name)?.values.join(", ") ?? null;
  }
}

const NAMES = ["A", "a", "B", "b", "Content-Type", "content-type", "Digest", "Set-Cookie", "SET-cookie"];
const anyName = fc.constantFrom(...NAMES);
const pairs = fc.array(fc.tuple(anyName, fieldValue), { maxLength: 3 });

type Step = (dict: HTTPHeaderDict, model: Model) => HTTPHeaderDict | undefined;

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(anyName, fieldValue, fc.boolean()).map(
    ([name, value, combine]): Step =>
      (dict, model) => {
        dict.add(name, value, { combine });
        model.add(name, value, combine);
        return undefined;
      },
  ),
  fc.tuple(anyName, fieldValue).map(
    ([name, value]): Step =>
      (dict, model) => {
        dict.set(name, value);
        model.set(name, value);
        return undefined;
      },
  ),
  anyName.map(
    (name): Step =>
      (dict, model) => {
        assert.equal(dict.delete(name), model.find(name) !== undefined);
        model.delete(name);
        return undefined;
      },
  ),
  anyName.map(
    (name): Step =>
      (dict, model) => {
        assert.equal(dict.pop(name), model.joined(name));
        model.delete(name);
        return undefined;
      },
  ),
  fc.tuple(anyName, fieldValue).map(
    ([name, value]): Step =>
      (dict, model) => {
        if (model.find(name) === undefined) model.add(name, value);
        assert.equal(dict.setDefault(name, value), model.joined(name));
        return undefined;
      },
  ),
  pairs.map(
    (source): Step =>
      (dict, model) => {
        dict.extend(source);
        for (const [name, value] of source) model.add(name, value);
        return undefined;
      },
  ),
  pairs.map(
    (source): Step =>
      (dict, model) => {
        dict.update(source);
        for (const [name, value] of source) model.set(name, value);
        return undefined;
      },
  ),
  pairs.map(
    (source): Step =>
      (dict, model) => {
        const merged = dict.merge(source);
        dict.clear();
        for (const [name, value] of source) model.add(name, value);
        return merged;
      },
  ),
  fc.constant<Step>((dict, model) => {
    dict.prepareForMethodChange();
    for (const name of ["content-type", "digest"]) model.delete(name);
    return undefined;
  }),
);

function assertAlike(dict: HTTPHeaderDict, model: Model): void {
  const items = model.fields.flatMap(({ name, values }) => values.map((value) => [name, value]));
  assert.deepEqual([...dict.items()], items);
  assert.deepEqual(
    [...dict.itermerged()],
    model.fields.map(({ name, values }) => [name, values.join(", ")]),
  );
  assert.equal(dict.size, model.fields.length);
  for (const name of NAMES) {
    assert.equal(dict.get(name), model.joined(name));
    assert.equal(dict.has(name), model.find(name) !== undefined);
    assert.deepEqual(dict.getList(name), model.find(name)?.values ?? []);
  }
  assert.ok(dict.equals(dict.copy()));
}

test("property: any sequence of operations does what it does to a plain list", () => {
  fc.assert(
    fc.property(pairs, fc.array(step, { maxLength: 15 }), (start, steps) => {
      let dict = new HTTPHeaderDict(start);
      const model = new Model();
      for (const [name, value] of start) model.add(name, value);
      for (const run of steps) {
        dict = run(dict, model) ?? dict;
        assertAlike(dict, model);
      }
    }),
    { seed: SEED, numRuns: 500 },
  );
});

test("Headers of another make count by their shape, those without an iterator too", () => {
  const fields: [string, string][] = [
    ["accept", "a, b"],
    ["set-cookie", "c=1"],
    ["set-cookie", "d=2"],
  ];
  class OldHeaders {
    get(name: string): string | null {
      return fields.find(([other]) => other === name)?.[1] ?? null;
    }
    forEach(callback: (value: string, name: string) => void): void {
      for (const [name, value] of fields) callback(value, name);
    }
  }
  class IterableHeaders extends OldHeaders {
    [Symbol.iterator](): Iterator<[string, string]> {
      return fields.values();
    }
  }
  for (const source of [new OldHeaders(), new IterableHeaders()]) {
    const dict = new HTTPHeaderDict(source as never);
    assert.equal(dict.get("accept"), "a, b");
    assert.deepEqual(dict.getSetCookie(), ["c=1", "d=2"]);
    assert.equal(dict.size, 2);
  }
  // A plain object may have fields of these names.
  assert.equal(new HTTPHeaderDict({ get: "1", forEach: "2" }).get("foreach"), "2");
});
