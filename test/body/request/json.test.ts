/** The option `json`. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { jsonText } from "../../../src/body/request/json.ts";
import { InvalidArgumentError } from "../../../src/index.ts";

describe("json", () => {
  const circle: Record<string, unknown> = {};
  circle.itself = circle;
  class Empty {}
  class Money {
    toJSON(): string {
      return "5 EUR";
    }
  }

  for (const value of [
    null,
    0,
    "",
    "x",
    [],
    {},
    [undefined],
    new Date(0),
    new URL("http://h/"),
    new Empty(),
    new Money(),
  ]) {
    it(`${JSON.stringify(value)} is itself`, () => assert.equal(jsonText(value), JSON.stringify(value)));
  }

  const refused: [value: unknown, text: RegExp][] = [
    [undefined, /not undefined/],
    [() => 1, /not a function/],
    [Symbol("x"), /not a symbol/],
    [5n, /BigInt/],
    [{ deep: [5n] }, /BigInt/],
    [circle, /circular/],
    [Promise.resolve({ a: 1 }), /not a Promise: await it first/],
    [new Map([["a", 1]]), /not a Map: give Object.fromEntries\(\) of it/],
    [new Set([1]), /not a Set: give an array of its values/],
    [new FormData(), /not a FormData/],
    [new URLSearchParams("a=1"), /not an? URLSearchParams/],
    [new Blob(["{}"]), /not a Blob/],
    [new ArrayBuffer(3), /not an ArrayBuffer/],
    [new Headers({ a: "1" }), /not a Headers/],
  ];
  for (const [value, text] of refused) {
    it(`refused: ${text.source}`, () => {
      assert.throws(
        () => jsonText(value),
        (error: Error) =>
          error instanceof InvalidArgumentError &&
          error.message.startsWith("'json' must be") &&
          text.test(error.message),
      );
    });
  }

  it("what a toJSON throws is the cause", () => {
    const own = new RangeError("mine");
    const value = {
      toJSON() {
        throw own;
      },
    };
    assert.throws(() => jsonText(value), { name: "InvalidArgumentError", cause: own });
  });
});
