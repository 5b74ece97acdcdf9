/** Which name somebody may have meant. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { closest, editDistance } from "../../src/core/spelling.ts";

describe("the distance between two words", () => {
  const rows: [a: string, b: string, distance: number][] = [
    ["", "", 0],
    ["abc", "abc", 0],
    ["abc", "ab", 1],
    ["abc", "acb", 1],
    ["abc", "xbc", 1],
    ["prelaodcontent", "preloadcontent", 1],
    ["kitten", "sitting", 3],
    ["a", "zzzzzz", 4],
  ];
  for (const [a, b, distance] of rows) {
    it(`${a} and ${b}: ${distance}`, () => {
      assert.equal(editDistance(a, b, 4), distance);
      assert.equal(editDistance(b, a, 4), distance);
    });
  }
});

describe("closest", () => {
  const NAMES = ["timeout", "retries", "body", "read"];
  const rows: [name: string, meant: string | undefined][] = [
    ["time_out", "timeout"],
    ["TIMEOUT", "timeout"],
    ["timout", "timeout"],
    ["retreis", "retries"],
    ["bdoy", "body"],
    ["raed", "read"],
    ["data", undefined],
    ["nothing", undefined],
    ["", undefined],
  ];
  for (const [name, meant] of rows) {
    it(`${JSON.stringify(name)}: ${meant}`, () => assert.equal(closest(name, NAMES), meant));
  }
});
