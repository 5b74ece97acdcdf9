import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import { HTTPPoolKey, hashKey } from "../../src/manager/pool-key.ts";
import { RecentlyUsedContainer } from "../../src/manager/recently-used.ts";

const SEED = { seed: 20260101 };

/** A container of `maxsize` and the list of what it has disposed of. */
function recording<K, V>(maxsize: number): { container: RecentlyUsedContainer<K, V>; disposed: V[] } {
  const disposed: V[] = [];
  const container = new RecentlyUsedContainer<K, V>({
    maxsize,
    disposeFunc: (value) => disposed.push(value),
  });
  return { container, disposed };
}

function filled(maxsize: number, count: number): ReturnType<typeof recording<number, string>> {
  const made = recording<number, string>(maxsize);
  for (let i = 0; i < count; i += 1) made.container.set(i, `v${i}`);
  return made;
}

test("keeps at most maxsize entries, 10 by default", () => {
  const container = new RecentlyUsedContainer<number, number>();
  assert.equal(container.maxsize, 10);
  for (let i = 0; i < 15; i += 1) container.set(i, i);
  assert.equal(container.size, 10);
  assert.deepEqual(container.keys(), [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
  assert.equal(new RecentlyUsedContainer({ maxsize: undefined }).maxsize, 10);
});

test("maxsize 0 keeps nothing and disposes each new value at once", () => {
  const { container, disposed } = filled(0, 3);
  assert.equal(container.size, 0);
  assert.deepEqual(container.keys(), []);
  assert.equal(container.get(2), undefined);
  assert.deepEqual(disposed, ["v0", "v1", "v2"]);
});

test("maxsize Infinity never evicts", () => {
  const { container, disposed } = filled(Number.POSITIVE_INFINITY, 1000);
  assert.equal(container.size, 1000);
  assert.deepEqual(disposed, []);
});

for (const maxsize of [-1, 1.5, Number.NaN, Number.NEGATIVE_INFINITY, "5", null]) {
  test(`maxsize ${String(maxsize)} (${typeof maxsize}) is refused`, () => {
    assert.throws(() => new RecentlyUsedContainer({ maxsize: maxsize as number }), InvalidArgumentError);
  });
}

test("get, has and set make an entry the most recent; peek, size and keys do not", () => {
  const { container } = filled(3, 3);
  assert.equal(container.get(0), "v0");
  assert.deepEqual(container.keys(), [1, 2, 0]);
  assert.equal(container.has(1), true);
  assert.deepEqual(container.keys(), [2, 0, 1]);
  container.set(2, "new");
  assert.deepEqual(container.keys(), [0, 1, 2]);
  assert.equal(container.peek(0), "v0");
  assert.deepEqual(container.keys(), [0, 1, 2]);
  container.set(3, "v3");
  assert.deepEqual(container.keys(), [1, 2, 3]);
});

test("what is not there is undefined, false and no use", () => {
  const { container, disposed } = filled(3, 3);
  assert.equal(container.get(7), undefined);
  assert.equal(container.peek(7), undefined);
  assert.equal(container.has(7), false);
  assert.equal(container.delete(7), false);
  assert.deepEqual(container.keys(), [0, 1, 2]);
  assert.deepEqual(disposed, []);
});

test("a value of undefined is an entry like any other", () => {
  const container = new RecentlyUsedContainer<string, undefined>({ maxsize: 2 });
  container.set("a", undefined).set("b", undefined);
  assert.equal(container.has("a"), true);
  assert.deepEqual(container.keys(), ["b", "a"]);
});

test("the same key overwrites in place, and the old value is disposed", () => {
  const { container, disposed } = filled(5, 5);
  for (let i = 0; i < 10; i += 1) container.set(3, `again${i}`);
  assert.equal(container.size, 5);
  assert.equal(container.get(3), "again9");
  assert.deepEqual(disposed, ["v3", ...Array.from({ length: 9 }, (_, i) => `again${i}`)]);
});

test("an object stored again under its own key is not disposed while it is in", () => {
  const { container, disposed } = recording<string, object>(2);
  const pool = {};
  container.set("a", pool).set("b", {}).set("a", pool);
  assert.deepEqual(disposed, []);
  assert.deepEqual(container.keys(), ["b", "a"]);
  container.clear();
  assert.equal(disposed.filter((value) => value === pool).length, 1);
});

test("eviction, deletion and clear dispose once, least recent first", () => {
  const { container, disposed } = filled(5, 5);
  container.set(5, "v5");
  assert.deepEqual(disposed, ["v0"]);
  assert.equal(container.delete(3), true);
  assert.deepEqual(disposed, ["v0", "v3"]);
  container.get(1);
  container.clear();
  assert.equal(container.size, 0);
  assert.deepEqual(disposed, ["v0", "v3", "v2", "v4", "v5", "v1"]);
  container.clear();
  assert.equal(disposed.length, 6);
});

test("after the most recent entry went, the next one is looked up afresh", () => {
  const { container } = filled(3, 3);
  container.delete(2);
  assert.equal(container.get(2), undefined);
  assert.equal(container.get(1), "v1");
  container.clear();
  assert.equal(container.get(1), undefined);
});

test("without disposeFunc values leave silently", () => {
  const container = new RecentlyUsedContainer<number, number>({ maxsize: 1 });
  container.set(1, 1).set(2, 2).set(2, 3);
  container.delete(2);
  container.clear();
  assert.equal(container.size, 0);
});

test("iterating entries or values is refused", () => {
  const { container } = filled(3, 2);
  assert.throws(() => [...(container as Iterable<unknown>)], InvalidArgumentError);
  assert.throws(() => container.values(), InvalidArgumentError);
  assert.throws(() => container.entries(), InvalidArgumentError);
  assert.throws(() => container.forEach(() => {}), /keys\(\)/);
  assert.deepEqual(container.keys(), [0, 1]);
});

test("keys() is a snapshot", () => {
  const { container } = filled(3, 2);
  const keys = container.keys();
  container.clear();
  assert.deepEqual(keys, [0, 1]);
});

test("clear disposes all values even if some throw, and throws the first error", () => {
  const disposed: number[] = [];
  const container = new RecentlyUsedContainer<number, number>({
    disposeFunc: (value) => {
      disposed.push(value);
      if (value > 1) throw new Error(`cannot dispose ${value}`);
    },
  });
  for (const i of [1, 2, 3]) container.set(i, i);
  assert.throws(() => container.clear(), { message: "cannot dispose 2" });
  assert.deepEqual(disposed, [1, 2, 3]);
  assert.equal(container.size, 0);
});

test("an error from disposeFunc reaches the caller and leaves the container as asked for", () => {
  const container = new RecentlyUsedContainer<string, number>({
    maxsize: 2,
    disposeFunc: () => {
      throw new Error("no");
    },
  });
  container.set("a", 1).set("b", 2);
  assert.throws(() => container.set("c", 3), { message: "no" });
  assert.deepEqual(container.keys(), ["b", "c"]);
  assert.throws(() => container.set("b", 4), { message: "no" });
  assert.equal(container.get("b"), 4);
  assert.throws(() => container.delete("b"), { message: "no" });
  assert.deepEqual(container.keys(), ["c"]);
});

test("disposeFunc may use the container", () => {
  const seen: unknown[] = [];
  const container: RecentlyUsedContainer<string, number> = new RecentlyUsedContainer({
    maxsize: 2,
    disposeFunc: (value: number) => {
      seen.push([value, container.keys()]);
      if (value === 1) container.delete("b");
      if (value === 3) container.set("back", 9);
    },
  });
  container.set("a", 1).set("b", 2).set("c", 3);
  assert.deepEqual(seen, [
    [1, ["b", "c"]],
    [2, ["c"]],
  ]);
  container.clear();
  assert.deepEqual(container.keys(), ["back"]);
});

test("pool keys compare by value, and never equal a string", () => {
  const context = { scheme: "http", host: "a.test", port: 80, headers: { a: "1" } };
  const key = new HTTPPoolKey(context);
  const { container, disposed } = recording<unknown, string>(5);
  container.set(key, "pool");
  assert.equal(container.get(new HTTPPoolKey({ ...context, host: "A.test" })), "pool");
  assert.equal(container.get(new HTTPPoolKey({ ...context, port: 81 })), undefined);
  assert.equal(container.get(key.canonical), undefined);
  container.set(key.canonical, "text").set(new HTTPPoolKey(context), "pool 2");
  assert.equal(container.get(key), "pool 2");
  assert.equal(container.get(key.canonical), "text");
  assert.deepEqual(disposed, ["pool"]);
});

test("other keys compare as in a Map, objects with a canonical text by it", () => {
  const { container } = recording<unknown, number>(10);
  const object = {};
  container.set(object, 1).set(1, 2).set("1", 3).set(Number.NaN, 4).set({ canonical: "c" }, 5);
  assert.equal(container.get(object), 1);
  assert.equal(container.get({}), undefined);
  assert.equal(container.get(1), 2);
  assert.equal(container.get("1"), 3);
  assert.equal(container.get(Number.NaN), 4);
  assert.equal(container.get({ canonical: "c" }), 5);
  assert.equal(container.get("c"), undefined);
  assert.equal(container.get(null), undefined);
});

test("no two different keys have one hash", () => {
  const text = fc
    .array(fc.constantFrom("\0", "key ", "string ", "object ", "a"), { maxLength: 5 })
    .map((parts) => parts.join(""));
  const key = fc.oneof(
    text,
    text.map((canonical) => ({ canonical })),
  );
  const same = (a: unknown, b: unknown): boolean =>
    typeof a === typeof b && JSON.stringify(a) === JSON.stringify(b);
  fc.assert(
    fc.property(key, key, (a, b) => (hashKey(a) === hashKey(b)) === same(a, b)),
    { ...SEED, numRuns: 2000 },
  );
});

test("hash says which keys are equal", () => {
  const container = new RecentlyUsedContainer<string, number>({ hash: (key) => key.toLowerCase() });
  container.set("A", 1).set("a", 2);
  assert.deepEqual([container.size, container.get("A"), container.keys()], [1, 2, ["a"]]);
  assert.equal(container.delete("A"), true);
});

type Step = ["get" | "has" | "peek" | "delete", number] | ["set", number, object] | ["clear"];

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.constantFrom("get" as const, "has" as const, "peek" as const, "delete" as const), fc.nat(6)),
  fc.tuple(
    fc.constant("set" as const),
    fc.nat(6),
    fc.nat().map((id) => ({ id })),
  ),
  fc.tuple(fc.constant("clear" as const)),
);

/** The plainest container that could work: an array of pairs in order of use. */
class Model {
  pairs: [number, object][] = [];
  readonly disposed: object[] = [];
  readonly maxsize: number;

  constructor(maxsize: number) {
    this.maxsize = maxsize;
  }

  run([name, key, value]: Step): unknown {
    if (name === "clear") {
      this.disposed.push(...this.pairs.splice(0).map((pair) => pair[1]));
      return undefined;
    }
    const at = this.pairs.findIndex((pair) => pair[0] === key);
    const found = this.pairs[at];
    if (name === "peek") return found?.[1];
    if (found !== undefined) this.pairs.splice(at, 1);
    if (name === "set") return this.#set(key as number, value as object, found);
    if (name === "delete" && found !== undefined) this.disposed.push(found[1]);
    if (name !== "delete" && found !== undefined) this.pairs.push(found);
    return name === "get" ? found?.[1] : found !== undefined;
  }

  #set(key: number, value: object, found: [number, object] | undefined): undefined {
    if (found !== undefined) this.disposed.push(found[1]);
    this.pairs.push([key, value]);
    if (this.pairs.length > this.maxsize) this.disposed.push((this.pairs.shift() as [number, object])[1]);
  }
}

function runStep(container: RecentlyUsedContainer<number, object>, [name, key, value]: Step): unknown {
  if (name === "clear") return container.clear();
  if (name === "set") {
    container.set(key as number, value as object);
    return undefined;
  }
  return container[name](key as number);
}

test("behaves as an array in order of use, whatever is done to it", () => {
  fc.assert(
    fc.property(fc.nat(4), fc.array(step, { maxLength: 60 }), (maxsize, steps) => {
      const { container, disposed } = recording<number, object>(maxsize);
      const model = new Model(maxsize);
      for (const one of steps) {
        assert.equal(runStep(container, one), model.run(one));
        assert.deepEqual(
          container.keys(),
          model.pairs.map((pair) => pair[0]),
        );
        assert.equal(container.size, model.pairs.length);
      }
      assert.deepEqual(disposed, model.disposed);
    }),
    { ...SEED, numRuns: 300 },
  );
});
