/** How values appear in messages. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { show } from "../../src/core/shown.ts";

describe("a value in a message", () => {
  class HTTPThing {}
  const rows: [value: unknown, shown: string][] = [
    [undefined, "undefined"],
    [null, "null"],
    ["x", '"x"'],
    ["http://me:secret@h/", '"http://h/"'],
    ["x".repeat(100), `"${"x".repeat(80)}"`],
    [5, "5"],
    [5n, "5n"],
    [Number.NaN, "NaN"],
    [true, "true"],
    [Symbol("x"), "Symbol(x)"],
    [[1, 2], "an array of 2"],
    [{ password: "secret" }, "an object"],
    [Object.create(null), "an object"],
    [() => "secret", "a function"],
    [new Date(0), "a Date"],
    [new URL("http://h/"), "a URL"],
    [new ArrayBuffer(2), "an ArrayBuffer"],
    [new HTTPThing(), "an HTTPThing"],
    [Promise.resolve(), "a Promise"],
    [(function* () {})(), "a Generator"],
    [["secret"].values(), "Iterator" in globalThis ? "an Iterator" : "an Array Iterator"],
  ];
  for (const [value, shown] of rows) it(shown, () => assert.equal(show(value), shown));
});
