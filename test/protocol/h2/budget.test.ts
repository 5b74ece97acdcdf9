import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Budget } from "../../../src/protocol/h2/budget.ts";

describe("the budget of senseless frames", () => {
  it("is a thousand, and 33 more each second", () => {
    const budget = new Budget(0);
    assert.equal(budget.spend(1000, 0), true);
    assert.equal(budget.spend(1, 0), false);
    assert.equal(budget.spend(33, 1100), true);
    assert.equal(budget.spend(4, 1100), false);
  });

  it("is never more than a thousand", () => {
    const budget = new Budget(0);
    budget.earn();
    assert.equal(budget.spend(1, 10_000_000), true);
    assert.equal(budget.left, 999);
  });

  it("earns one for a frame that carries something", () => {
    const budget = new Budget(0);
    budget.spend(10, 0);
    budget.earn();
    assert.equal(budget.left, 991);
  });

  it("does not go back when the clock does", () => {
    const budget = new Budget(1000);
    assert.equal(budget.spend(1, 0), true);
    assert.equal(budget.left, 999);
  });
});
