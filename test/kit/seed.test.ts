import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "./seed.ts";

test("the same seed gives the same numbers, another seed others", () => {
  const draw = (seed: number): number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 5 }, () => random());
  };
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1), draw(2));
});

test("choices stay in range and reach its ends", () => {
  const random = seededRandom(7);
  const seen = new Set(Array.from({ length: 500 }, () => random.integer(-1, 3)));
  assert.deepEqual([...seen].sort(), [-1, 0, 1, 2, 3]);
  const picked = new Set(Array.from({ length: 200 }, () => random.pick(["a", "b", "c"])));
  assert.equal(picked.size, 3);
  const heads = Array.from({ length: 1000 }, () => random.chance(0.25)).filter(Boolean).length;
  assert.ok(heads > 180 && heads < 320, `${heads} of 1000 at a quarter`);
});
