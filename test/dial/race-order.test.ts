import assert from "node:assert/strict";
import { test } from "node:test";
import { FailedAddresses, interleave, orderAddresses } from "../../src/dial/race.ts";
import type { Address } from "../../src/dial/resolve.ts";

/** `4a 6b` -> addresses of these families. */
const parse = (text: string): Address[] =>
  text
    .split(" ")
    .filter((word) => word !== "")
    .map((word) => ({ address: word.slice(1), family: Number(word[0]) as 4 | 6 }));
const print = (addresses: readonly Address[]): string =>
  addresses.map(({ address, family }) => `${family}${address}`).join(" ");

for (const [given, expected] of [
  ["", ""],
  ["4a", "4a"],
  ["4a 4b", "4a 4b"],
  ["6a 6b 4c 4d", "6a 4c 6b 4d"],
  ["4a 6b 6c 6d", "4a 6b 6c 6d"],
  ["6a 6b 6c 4d", "6a 4d 6b 6c"],
  ["4a 6b 4c 6d", "4a 6b 4c 6d"],
] as const) {
  test(`families in turn: ${given || "none"}`, () => {
    assert.equal(print(interleave(parse(given))), expected);
  });
}

test("what has failed lately on that port comes last", () => {
  const failed = new FailedAddresses();
  const addresses = parse("6a 6b 4c 4d");
  failed.add("a", 80, 0);
  failed.add("c", 80, 0);
  failed.add("b", 81, 0);
  assert.equal(print(orderAddresses(addresses, 80, failed, 59_999)), "6b 4d 6a 4c");
  assert.equal(print(orderAddresses(addresses, 443, failed, 59_999)), "6a 4c 6b 4d");
  assert.equal(print(orderAddresses(addresses, 80, failed, 60_000)), "6a 4c 6b 4d");
});

test("a failure is forgotten after a minute, by success, or as the oldest of more than 512", () => {
  const failed = new FailedAddresses();
  failed.add("a", 80, 0);
  assert.equal(failed.has("a", 80, 60_000), false);
  assert.equal(failed.size, 0);
  failed.add("a", 80, 0);
  failed.delete("a", 80);
  assert.equal(failed.has("a", 80, 0), false);
  for (let port = 0; port < 513; port += 1) {
    failed.add("a", port, 0);
    // Failing again makes it the newest.
    failed.add("b", 80, 0);
  }
  assert.equal(failed.size, 512);
  assert.equal(failed.has("a", 0, 1), false);
  assert.equal(failed.has("a", 512, 1), true);
  assert.equal(failed.has("b", 80, 1), true);
});
