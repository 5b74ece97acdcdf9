import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InvalidArgumentError } from "../../src/core/errors.ts";
import { RetryBudget, type RetryBudgetOptions } from "../../src/policy/retry-budget.ts";

function make(options: RetryBudgetOptions = {}) {
  const clock = { time: 5_250, now: () => clock.time };
  return { clock, budget: new RetryBudget({ clock, ...options }) };
}

/** Takes until nothing is left; how many that were. */
function drain(budget: RetryBudget, most = 10_000): number {
  let taken = 0;
  while (taken < most && budget.tryRetry()) taken++;
  return taken;
}

function record(budget: RetryBudget, times: number): void {
  for (let i = 0; i < times; i++) budget.recordRequest();
}

test("without traffic 10 retries a second are allowed, over 10 seconds", () => {
  assert.equal(drain(make().budget), 100);
});

test("with much traffic a fifth of it may be retried", () => {
  const { budget } = make();
  record(budget, 1_000);
  assert.equal(drain(budget), 200);
  record(budget, 4);
  assert.equal(budget.tryRetry(), false);
  record(budget, 1);
  assert.equal(budget.tryRetry(), true);
  assert.equal(budget.tryRetry(), false);
});

test("the floor is not added to the fraction", () => {
  const { budget } = make();
  record(budget, 499);
  assert.equal(drain(budget), 100);
});

test("ratio and minPerSecond can be set; 0 of both allows nothing", () => {
  const { budget } = make({ ratio: 0.5, minPerSecond: 0 });
  assert.equal(budget.tryRetry(), false);
  record(budget, 10);
  assert.equal(drain(budget), 5);
  const none = make({ ratio: 0, minPerSecond: 0 }).budget;
  record(none, 1_000);
  assert.equal(none.tryRetry(), false);
});

test("retries come back when they leave the window, and not before", () => {
  const { budget, clock } = make({ ratio: 0, minPerSecond: 0.3 });
  assert.equal(drain(budget), 3);
  clock.time += 9_000;
  assert.equal(budget.canRetry(), false);
  clock.time += 1_000;
  assert.equal(drain(budget), 3);
});

test("requests are forgotten when they leave the window", () => {
  const { budget, clock } = make({ minPerSecond: 0 });
  record(budget, 100);
  clock.time += 5_000;
  record(budget, 50);
  assert.equal(drain(budget, 1), 1);
  clock.time += 5_000;
  assert.equal(drain(budget), 9); // a fifth of 50, less the one taken
  clock.time += 60_000;
  assert.equal(budget.tryRetry(), false);
});

test("a long silence empties the whole window", () => {
  for (const silence of [10_000, 11_000, 19_000, 25_000, 1e9]) {
    const { budget, clock } = make({ ratio: 1, minPerSecond: 0 });
    for (let second = 0; second < 10; second++) {
      clock.time += second === 0 ? 0 : 1_000;
      budget.recordRequest();
    }
    clock.time += silence;
    assert.equal(budget.canRetry(), false, String(silence));
  }
});

test("a clock that goes back harms nothing", () => {
  const { budget, clock } = make({ ratio: 0, minPerSecond: 1 });
  assert.equal(drain(budget), 10);
  clock.time -= 3_000;
  assert.equal(budget.tryRetry(), false);
  clock.time += 13_000;
  assert.equal(drain(budget), 10);
});

test("canRetry takes nothing", () => {
  const { budget } = make({ ratio: 0, minPerSecond: 0.1 });
  for (let i = 0; i < 5; i++) assert.equal(budget.canRetry(), true);
  assert.equal(budget.tryRetry(), true);
  assert.equal(budget.canRetry(), false);
});

test("nonsense is refused", () => {
  for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY, "1" as unknown as number]) {
    assert.throws(() => new RetryBudget({ ratio: value }), InvalidArgumentError);
    assert.throws(() => new RetryBudget({ minPerSecond: value }), InvalidArgumentError);
  }
});

test("the platform's clock is the default", () => {
  assert.equal(new RetryBudget().tryRetry(), true);
});

test("property: it agrees with a count of everything since the window began", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("request" as const), times: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ kind: fc.constant("retry" as const), times: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ kind: fc.constant("wait" as const), times: fc.integer({ min: 1, max: 15_000 }) }),
  );
  const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const { budget, clock } = make({ ratio: 0.25, minPerSecond: 1 });
    const log: { kind: string; second: number }[] = [];
    const inWindow = (kind: string) =>
      log.filter((e) => e.kind === kind && e.second > Math.floor(clock.time / 1000) - 10).length;
    for (const { kind, times } of steps) {
      if (kind === "wait") clock.time += times;
      else {
        for (let i = 0; i < times; i++) {
          const second = Math.floor(clock.time / 1000);
          if (kind === "request") {
            budget.recordRequest();
            log.push({ kind, second });
            continue;
          }
          const expected = inWindow("retry") + 1 <= Math.max(10, 0.25 * inWindow("request"));
          assert.equal(budget.tryRetry(), expected);
          if (expected) log.push({ kind, second });
        }
      }
    }
  });
  fc.assert(property, { seed: 20260101 });
});
