import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import {
  BasePoolKey,
  defaultKeyNormalizer,
  HTTPPoolKey,
  HTTPSPoolKey,
  keyFnByScheme,
  type PoolContext,
  type PoolKeyFunction,
} from "../../src/manager/pool-key.ts";
import { RecentlyUsedContainer } from "../../src/manager/recently-used.ts";

const SEED = { seed: 20260101 };

/** Stands for `Timeout`, `Retry` and whatever else says what its value is. */
class Valued {
  readonly parts: unknown;
  constructor(parts: unknown) {
    this.parts = parts;
  }
  keyParts(): unknown {
    return this.parts;
  }
}

class OtherValued extends Valued {}

/** Stands for the URL class. */
class UrlLike {
  readonly url: string;
  readonly scheme = "http";
  constructor(url: string) {
    this.url = url;
  }
}

function http(options: Record<string, unknown> = {}): HTTPPoolKey {
  return defaultKeyNormalizer(HTTPPoolKey, { scheme: "http", host: "a.test", port: 80, ...options });
}

function https(options: Record<string, unknown> = {}): HTTPSPoolKey {
  return defaultKeyNormalizer(HTTPSPoolKey, { scheme: "https", host: "a.test", port: 443, ...options });
}

function assertSame(a: BasePoolKey, b: BasePoolKey): void {
  assert.equal(a.canonical, b.canonical);
  assert.ok(a.equals(b));
}

function assertOther(a: BasePoolKey, b: BasePoolKey): void {
  assert.notEqual(a.canonical, b.canonical);
  assert.ok(!a.equals(b));
}

const HTTP_OPTIONS: Record<string, [unknown, unknown]> = {
  timeout: [1000, new Valued([1000, 1000])],
  retries: [3, false],
  maxsize: [1, 2],
  block: [true, false],
  poolTimeout: [1, 2],
  keepAliveTimeout: [1, 2],
  connectionMaxAge: [1, 2],
  headers: [{ a: "1" }, { a: "2" }],
  sourceAddress: ["127.0.0.1", "127.0.0.2"],
  socketOptions: [{ noDelay: true }, { noDelay: false }],
  socketPath: ["/run/a", "/run/b"],
  lookup: [() => {}, () => {}],
  connect: [() => {}, () => {}],
  http2: [true, false],
  h2MaxStreams: [10, 20],
  pingInterval: [1000, 2000],
  dnsCache: [1000, 2000],
  addressFilter: [() => true, () => true],
  decodeContent: [true, false],
  preloadContent: [true, false],
  enforceContentLength: [true, false],
  maxHeaderSize: [1024, 2048],
  maxDecodedSize: [1024, 2048],
  proxy: [new UrlLike("http://p.test:1"), new UrlLike("http://p.test:2")],
  proxyHeaders: [{ a: "1" }, { a: "2" }],
  proxyConfig: [{ useForwardingForHttps: true }, { useForwardingForHttps: false }],
  socksOptions: [{ host: "s.test" }, { host: "t.test" }],
  redirect: [true, false],
  deadline: [1, 2],
  signal: [new AbortController().signal, new AbortController().signal],
  mergeHeaders: [true, false],
  allowUnknownOptions: [true, false],
  onRequest: [() => {}, () => {}],
  onResponse: [() => {}, () => {}],
  cookieJar: [{ jar: Symbol("a") }, { jar: Symbol("b") }],
};

const TLS_OPTIONS: Record<string, [unknown, unknown]> = {
  certReqs: ["CERT_REQUIRED", "CERT_NONE"],
  caCerts: ["/a.pem", "/b.pem"],
  caCertDir: ["/a", "/b"],
  caCertData: ["pem a", Buffer.from("pem a")],
  certFile: ["/a", "/b"],
  keyFile: ["/a", "/b"],
  keyPassword: ["secret", "other"],
  assertHostname: ["a.test", false],
  assertFingerprint: ["aa", "bb"],
  serverHostname: ["a.test", "b.test"],
  sslMinimumVersion: ["TLSv1.2", "TLSv1.3"],
  sslMaximumVersion: ["TLSv1.2", "TLSv1.3"],
  sslContext: [{ context: Symbol("a") }, { context: Symbol("b") }],
};

test("each class names its fields, those of its parent first", () => {
  assert.deepEqual(BasePoolKey.fields, ["scheme", "host", "port"]);
  assert.deepEqual(HTTPPoolKey.fields, [...BasePoolKey.fields, ...Object.keys(HTTP_OPTIONS)]);
  assert.deepEqual(HTTPSPoolKey.fields, [...HTTPPoolKey.fields, ...Object.keys(TLS_OPTIONS)]);
  assert.ok(https() instanceof HTTPPoolKey && http() instanceof BasePoolKey);
  for (const KeyClass of [BasePoolKey, HTTPPoolKey, HTTPSPoolKey])
    assert.ok(Object.isFrozen(KeyClass.fields));
});

for (const [option, [a, b]] of Object.entries(HTTP_OPTIONS)) {
  test(`${option} is part of every key`, () => {
    for (const make of [http, https]) {
      assertSame(make({ [option]: a }), make({ [option]: a }));
      assertOther(make({ [option]: a }), make({ [option]: b }));
      assertOther(make({ [option]: a }), make());
    }
  });
}

for (const [option, [a, b]] of Object.entries(TLS_OPTIONS)) {
  test(`${option} is part of https keys, and does not split http pools`, () => {
    assertSame(https({ [option]: a }), https({ [option]: a }));
    assertOther(https({ [option]: a }), https({ [option]: b }));
    assertOther(https({ [option]: a }), https());
    assertSame(http({ [option]: a }), http({ [option]: b }));
  });
}

test("what no field names is ignored", () => {
  assertSame(http({ myField: "wheat", maxConnections: 1, numPools: 2 }), http({ myField: "barley" }));
  assert.equal(http({ myField: "wheat" }).myField, undefined);
});

test("scheme, host and port are always part of the key", () => {
  const keys = [
    { scheme: "http", host: "a.test", port: 80 },
    { scheme: "https", host: "a.test", port: 80 },
    { scheme: "http", host: "b.test", port: 80 },
    { scheme: "http", host: "a.test.", port: 80 },
    { scheme: "http", host: "a.test", port: 81 },
    { scheme: "http", host: "a.test", port: 0 },
    { scheme: "http", host: "a.test" },
  ].map((context) => new BasePoolKey(context).canonical);
  assert.equal(new Set(keys).size, keys.length);
});

test("scheme and host compare without case", () => {
  for (const KeyClass of [BasePoolKey, HTTPPoolKey, HTTPSPoolKey]) {
    const lower = defaultKeyNormalizer(KeyClass, { scheme: "http", host: "example.test", port: 80 });
    const upper = defaultKeyNormalizer(KeyClass, { scheme: "HTTP", host: "EXAMPLE.Test", port: 80 });
    assertSame(lower, upper);
    assert.equal(upper.scheme, "http");
    assert.equal(upper.host, "example.test");
  }
});

test("the order of properties does not matter, at any depth", () => {
  assertSame(
    defaultKeyNormalizer(HTTPPoolKey, { scheme: "http", host: "h", port: 1, maxsize: 2, block: true }),
    defaultKeyNormalizer(HTTPPoolKey, { block: true, maxsize: 2, port: 1, host: "h", scheme: "http" }),
  );
  assertSame(
    http({ proxyConfig: { a: { x: 1, y: [1, 2] }, b: 2 } }),
    http({ proxyConfig: { b: 2, a: { y: [1, 2], x: 1 } } }),
  );
});

test("undefined, null and absent are the same", () => {
  assertSame(http({ timeout: null }), http({ timeout: undefined }));
  assertSame(http({ timeout: null }), http());
  assertSame(http({ proxyConfig: { a: undefined, b: 1 } }), http({ proxyConfig: { b: 1, c: null } }));
  assert.equal(http({ timeout: null }).timeout, undefined);
  assertOther(http({ timeout: false }), http());
  assertOther(http({ socketPath: "" }), http());
  assertOther(http({ socketOptions: [null] }), http({ socketOptions: [] }));
});

test("headers are an unordered set of pairs with names in their case, whatever holds them", () => {
  const pairs: [string, string][] = [
    ["B", "2"],
    ["a", "1"],
  ];
  for (const field of ["headers", "proxyHeaders", "socksOptions"]) {
    const plain = http({ [field]: { a: "1", B: "2" } });
    for (const same of [{ B: "2", a: "1" }, new Map(pairs), pairs, { B: ["2"], a: "1", c: undefined }]) {
      assertSame(plain, http({ [field]: same }));
    }
    for (const other of [{ A: "1", B: "2" }, { a: "1" }, { a: "2", B: "1" }, [["a", "1"]], {}]) {
      assertOther(plain, http({ [field]: other }));
    }
  }
  assertSame(http({ headers: new Headers({ a: "1", b: "2" }) }), http({ headers: { b: "2", a: "1" } }));
});

test("headers with several values of a name count each, in any order", () => {
  const several = http({ headers: { a: ["1", "2"] } });
  assertSame(
    several,
    http({
      headers: [
        ["a", "1"],
        ["a", "2"],
      ],
    }),
  );
  assertSame(
    several,
    http({
      headers: [
        ["a", "2"],
        ["a", "1"],
      ],
    }),
  );
  assertOther(several, http({ headers: { a: "1, 2" } }));
  assertOther(
    several,
    http({
      headers: [
        ["a", "1"],
        ["a", "2"],
        ["a", "2"],
      ],
    }),
  );
});

test("headers that can be read once only compare by identity and stay unread", () => {
  const once = (function* () {
    yield ["a", "1"];
  })();
  assertSame(http({ headers: once }), http({ headers: once }));
  assert.deepEqual([...once], [["a", "1"]]);
  const bytes = Buffer.from("a");
  assertOther(http({ headers: bytes }), http({ headers: Buffer.from("a") }));
});

test("arrays compare by their items in order", () => {
  assertSame(
    http({
      socketOptions: [
        ["a", 1],
        ["b", 2],
      ],
    }),
    http({
      socketOptions: [
        ["a", 1],
        ["b", 2],
      ],
    }),
  );
  assertOther(
    http({
      socketOptions: [
        ["a", 1],
        ["b", 2],
      ],
    }),
    http({
      socketOptions: [
        ["b", 2],
        ["a", 1],
      ],
    }),
  );
  assertOther(http({ socketOptions: [["a"], 1] }), http({ socketOptions: [["a", 1]] }));
});

test("values of different types differ", () => {
  // biome-ignore format: a table
  const values = [
    1, "1", 1n, "1n", true, "true", [1], ["1"], [[1]], { 0: 1 }, "[1]", "null", "", [], {}, "{}",
    false, 0, [null], Number.NaN, "NaN", Number.POSITIVE_INFINITY, new Map(), new Set(),
    new Date(1), new Date(Number.NaN), "Date(1)", new URL("http://h/"), "http://h/", Symbol.for("1"),
    "Symbol(1)", '"', '\\"', "\0", "@1", new Valued(1), new OtherValued(1), new Valued("1"),
    new UrlLike("http://h/"), new Map([[1, 2]]), new Map([["1", 2]]), { 1: 2 }, new Set([1]),
    new Set(["1"]), new Headers(), new Headers({ a: "1" }),
  ];
  const texts = values.map((value) => http({ timeout: value }).canonical);
  assert.deepEqual(
    values.filter((_, index) => texts.indexOf(texts[index] as string) !== index),
    [],
  );
});

test("values of their own compare by value", () => {
  const makers: (() => unknown)[] = [
    () => new Valued([1000, new Set(["b", "a"]), { x: new Valued(1) }]),
    () => new UrlLike("http://p.test:3128"),
    () => new URL("http://p.test:3128"),
    () => new Date(5),
    () => Symbol.for("shared"),
    () => new Set([1, 2]),
    () => new Map([["a", { b: 1 }]]),
    () => Object.assign(Object.create(null) as object, { a: 1 }),
    () => new Headers({ a: "1" }),
    () => -0,
  ];
  for (const make of makers) assertSame(http({ retries: make() }), http({ retries: make() }));
  assertSame(http({ retries: new Set([1, 2]) }), http({ retries: new Set([2, 1]) }));
  assertSame(http({ retries: 0 }), http({ retries: -0 }));
});

test("everything else compares by identity", () => {
  const makers: (() => unknown)[] = [
    () => () => 1,
    () => Buffer.from("a"),
    () => new Uint8Array([1]),
    () => new (class Agent {})(),
    () => Symbol("a"),
    () => new WeakMap(),
    () => Object("text"),
    () => ({ [Symbol("hidden")]: 1 }),
  ];
  for (const make of makers) {
    const value = make();
    assertSame(http({ lookup: value }), http({ lookup: value }));
    assertSame(http({ lookup: [value] }), http({ lookup: [value] }));
    assertOther(http({ lookup: value }), http({ lookup: make() }));
  }
});

test("a cycle is told from another", () => {
  const ring = (): unknown => {
    const object: Record<string, unknown> = { a: 1 };
    object.self = [object];
    return object;
  };
  const one = ring();
  assertSame(http({ proxyConfig: one }), http({ proxyConfig: one }));
  assertOther(http({ proxyConfig: one }), http({ proxyConfig: ring() }));
  const shared = { a: 1 };
  assertSame(http({ proxyConfig: [shared, shared] }), http({ proxyConfig: [{ a: 1 }, { a: 1 }] }));
});

test("fields are properties that cannot be changed", () => {
  const headers = { a: "1" };
  const key = http({ maxsize: 5, headers });
  assert.equal(key.scheme, "http");
  assert.equal(key.port, 80);
  assert.equal(key.maxsize, 5);
  assert.equal(key.headers, headers);
  assert.deepEqual(Object.keys(key), HTTPPoolKey.fields);
  assert.throws(() => Object.assign(key, { port: 81 }), TypeError);
  const { canonical } = key;
  headers.a = "2";
  assert.equal(key.canonical, canonical);
});

test("a key prints its origin and no secret", () => {
  const key = https({ keyPassword: "hunter2", proxyHeaders: { "proxy-authorization": "Basic hunter2" } });
  for (const text of [inspect(key), String(key), `${key}`, inspect({ nested: [key] })]) {
    assert.match(text, /HTTPSPoolKey\(https, a\.test, 443\)/);
    assert.doesNotMatch(text, /hunter2/);
  }
  assert.equal(JSON.stringify(key), '{"scheme":"https","host":"a.test","port":443}');
});

for (const context of [{ scheme: 1, host: "h" }, { scheme: "http" }, { scheme: "http", host: null }, {}]) {
  test(`a context ${JSON.stringify(context)} has no key`, () => {
    assert.throws(() => new BasePoolKey(context as unknown as PoolContext), InvalidArgumentError);
  });
}

test("extend makes a class with fields more and leaves its parent as it was", () => {
  const CustomKey = HTTPPoolKey.extend("myField", "other");
  assert.deepEqual(CustomKey.fields, [...HTTPPoolKey.fields, "myField", "other"]);
  assert.equal(HTTPPoolKey.fields.includes("myField"), false);
  const wheat = new CustomKey({ scheme: "http", host: "a", myField: "wheat" });
  assert.ok(wheat instanceof HTTPPoolKey);
  assert.equal(wheat.myField, "wheat");
  assertOther(wheat, new CustomKey({ scheme: "http", host: "a", myField: "barley" }));
  assertSame(wheat, new CustomKey({ myField: "wheat", scheme: "http", host: "a", unnamed: 1 }));
  const Deeper = CustomKey.extend("third", "myField", "maxsize");
  assert.deepEqual(Deeper.fields, [...CustomKey.fields, "third"]);
  assert.match(String(new Deeper({ scheme: "http", host: "a" })), /^HTTPPoolKey\(/);
});

for (const field of ["", "constructor", "canonical", "equals", "toString", "toJSON", "__proto__", 5]) {
  test(`extend refuses a field named ${JSON.stringify(field)}`, () => {
    assert.throws(() => HTTPPoolKey.extend(field as string), InvalidArgumentError);
  });
}

test("a class may name its fields itself", () => {
  class MyKey extends BasePoolKey {
    static override readonly fields: readonly string[] = [...BasePoolKey.fields, "myField"];
  }
  const key = defaultKeyNormalizer(MyKey, { scheme: "http", host: "a", myField: 1, maxsize: 2 });
  assert.ok(key instanceof MyKey);
  assert.equal(key.myField, 1);
  assert.equal(key.maxsize, undefined);
});

test("there is a key function for http and for https", () => {
  const context = { scheme: "http", host: "a", port: 1, keyPassword: "x" };
  assert.deepEqual(Object.keys(keyFnByScheme), ["http", "https"]);
  assert.equal(keyFnByScheme.http?.(context).constructor, HTTPPoolKey);
  assert.equal(keyFnByScheme.https?.(context).constructor, HTTPSPoolKey);
  assert.throws(() => Object.assign(keyFnByScheme, { http: () => "mine" }), TypeError);
});

/** How many pools there are after looking for one with each value of a field of the user's own. */
function poolsFor(keyFunction: PoolKeyFunction, ...values: string[]): number {
  const pools = new RecentlyUsedContainer<unknown, object>();
  for (const myField of values) {
    const key = keyFunction({ scheme: "http", host: "example.com", port: 80, myField });
    if (!pools.has(key)) pools.set(key, {});
  }
  return pools.size;
}

test("a field of one's own splits pools only with a key class that has it", () => {
  const CustomKey = HTTPPoolKey.extend("myField");
  assert.equal(poolsFor(keyFnByScheme.http as PoolKeyFunction, "wheat", "barley"), 1);
  assert.equal(
    poolsFor((context) => defaultKeyNormalizer(CustomKey, context), "wheat", "barley", "wheat"),
    2,
  );
  assert.equal(
    poolsFor((context) => context.host, "wheat", "barley"),
    1,
  );
});

/** Values that try to break out of the text they are written in. */
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    tie("leaf"),
    fc.array(tie("any"), { maxLength: 3 }),
    fc.dictionary(tie("text") as fc.Arbitrary<string>, tie("any"), { maxKeys: 3 }),
    fc.tuple(tie("any")).map(([parts]) => new Valued(parts)),
    fc
      .dictionary(tie("text") as fc.Arbitrary<string>, tie("any"), { maxKeys: 2 })
      .map((o) => new Map(Object.entries(o))),
  ),
  leaf: fc.oneof(tie("text"), fc.constantFrom(null, undefined, true, false, 0, 1, 1n, 10, -1, Number.NaN)),
  text: fc
    .array(
      fc.constantFrom(
        '"',
        "\\",
        ",",
        ":",
        "{",
        "}",
        "[",
        "]",
        "a",
        "1",
        "null",
        "@",
        "(",
        ")",
        "\0",
        "\ud800",
      ),
      {
        maxLength: 3,
      },
    )
    .map((parts) => parts.join("")),
})).any;

/** Whether two values are the same by the rules of keys, found without writing them down. */
function same(a: unknown, b: unknown): boolean {
  if (a === undefined || a === null) return b === undefined || b === null;
  if (typeof a !== "object" || typeof b !== "object" || b === null) return Object.is(a, b);
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b))
    return isPlain(a) && isPlain(b) && sameObjects(a, b);
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => same(item, b[index]));
  }
  if (a instanceof Valued && b instanceof Valued) return same(a.parts, b.parts);
  if (a instanceof Map && b instanceof Map) {
    return a.size === b.size && [...a].every(([name, item]) => b.has(name) && same(item, b.get(name)));
  }
  return sameObjects(a, b);
}

function isPlain(a: object): boolean {
  return [null, Object.prototype].includes(Object.getPrototypeOf(a));
}

function sameObjects(a: object, b: object): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => same(Reflect.get(a, name), Reflect.get(b, name)));
}

/** The same value with every object's properties the other way round. */
function reversed(a: unknown): unknown {
  if (Array.isArray(a)) return a.map(reversed);
  if (a instanceof Valued) return new Valued(reversed(a.parts));
  if (a instanceof Map) return new Map([...a].reverse().map(([name, item]) => [name, reversed(item)]));
  if (typeof a !== "object" || a === null) return a;
  const copy = Object.create(null) as Record<string, unknown>;
  for (const [name, item] of Object.entries(a).reverse()) copy[name] = reversed(item);
  return copy;
}

test("two keys are equal exactly when their fields are", () => {
  let equal = 0;
  fc.assert(
    fc.property(value, value, value, (a, b, c) => {
      const one = http({ timeout: a, retries: b, proxyConfig: { x: c } });
      const two = http({ timeout: b, retries: a, proxyConfig: { x: a } });
      const expected = same(a, b) && same(c, a);
      if (expected) equal += 1;
      assert.equal(one.equals(two), expected);
      assertSame(one, http({ proxyConfig: { x: reversed(c) }, retries: reversed(b), timeout: reversed(a) }));
    }),
    { ...SEED, numRuns: 3000 },
  );
  assert.ok(equal > 0);
});

test("no text can pass for the end of its value and the beginning of another", () => {
  const joint = fc.constantFrom('","', '":"', '"],["', '"},{"', ",", '\\","', '","retries":"', '",');
  const text = fc.array(fc.constantFrom("a", '"', "\\"), { maxLength: 2 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, text, joint, (a, b, between) => {
      const joined = a + between + b;
      assertOther(http({ socketOptions: [a, b] }), http({ socketOptions: [joined] }));
      assertOther(http({ socketOptions: [[a], [b]] }), http({ socketOptions: [[joined]] }));
      assertOther(http({ proxyConfig: { [a]: b } }), http({ proxyConfig: { [joined]: b } }));
      assertOther(http({ proxyConfig: { x: a, y: b } }), http({ proxyConfig: { x: `${a}","y":"${b}` } }));
      assertOther(http({ headers: { x: a, y: b } }), http({ headers: { x: `${a}","y":"${b}` } }));
      assertOther(http({ timeout: a, retries: b }), http({ timeout: `${a}","retries":"${b}` }));
      assertOther(http({ host: `${a}","port":80,"timeout":"${b}` }), http({ host: a, timeout: b }));
      assertOther(http({ timeout: a }), http({ timeout: `"${a}"` }));
    }),
    { ...SEED, numRuns: 300 },
  );
});

const headerText = fc
  .array(fc.constantFrom('"', ":", ",", "a", "A", "}", "\\"), { maxLength: 3 })
  .map((p) => p.join(""));

test("two keys are equal exactly when their headers hold the same pairs", () => {
  const pairs = fc.array(fc.tuple(headerText, headerText), { maxLength: 4 });
  const sorted = (list: [string, string][]): string =>
    JSON.stringify(list.map((pair) => JSON.stringify(pair)).sort());
  fc.assert(
    fc.property(pairs, pairs, (a, b) => {
      assert.equal(http({ headers: a }).equals(http({ headers: b })), sorted(a) === sorted(b));
      assertSame(http({ headers: a }), http({ headers: [...a].reverse() }));
    }),
    { ...SEED, numRuns: 2000 },
  );
});
