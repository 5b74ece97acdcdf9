/**
 * Every scenario is run once to count its events, then once for each of them with an abort just before, just after, and
 * in the tick of it; and once for each continuation of a promise or callback. However it ends, it ends once, rightly, and
 * nothing is left.
 */

import assert from "node:assert/strict";
import { createHook } from "node:async_hooks";
import { getEventListeners } from "node:events";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { play, RETRIES, type Scenario, scenarios } from "./scenarios.ts";

type Moment = "before" | "after" | "in the tick of";

/** Aborts at the k-th event; says how many there were, and whether the abort came before the end. */
async function playWithAbort(
  scenario: Scenario,
  k: number,
  moment: Moment,
): Promise<{ events: number; aborted: boolean }> {
  const controller = new AbortController();
  const reason = new Error(`abort ${moment} ${k}`);
  let events = 0;
  const options = { retries: RETRIES, signal: controller.signal };
  const outcomes = await play(scenario, options, (world) => {
    world.step = (_name, run) => {
      const now = ++events === k;
      if (now && moment === "before") controller.abort(reason);
      run();
      if (now && moment === "after") controller.abort(reason);
      if (now && moment === "in the tick of") queueMicrotask(() => controller.abort(reason));
    };
  });
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") assert.equal(outcome.reason, reason, `event ${k}`);
  }
  assert.equal(getEventListeners(controller.signal, "abort").length, 0, `event ${k}`);
  return { events, aborted: outcomes.some(({ status }) => status === "rejected") };
}

describe("fault 49: an abort at every event", () => {
  for (const scenario of scenarios) {
    for (const moment of ["before", "after", "in the tick of"] as const) {
      it(`${scenario.name}: ${moment} it`, async () => {
        const { events } = await playWithAbort(scenario, -1, moment);
        let aborted = 0;
        for (let k = 1; k <= events; k++) if ((await playWithAbort(scenario, k, moment)).aborted) aborted++;
        assert.ok(aborted >= 3, `${aborted} of ${events}`);
      });
    }
  }
});

/**
 * Plays the scenario with an abort before the k-th continuation, which is what an `await` or a callback goes on with; says
 * which of them go on with something that the library, and not the test, has begun.
 */
async function playWithContinuation(
  scenario: Scenario,
  k: number,
): Promise<{ ours: number[]; aborted: boolean }> {
  const controller = new AbortController();
  const reason = new Error(`abort before ${k}`);
  let count = 0;
  const begun = new Set<number>();
  const ours: number[] = [];
  const hook = createHook({
    ...(k < 0 ? { init: (id: number) => void (isOurs(new Error().stack) && begun.add(id)) } : {}),
    before: (id) => {
      if (++count === k) controller.abort(reason);
      if (begun.has(id)) ours.push(count);
    },
  });
  const options = { retries: RETRIES, signal: controller.signal };
  let outcomes: PromiseSettledResult<unknown>[];
  try {
    outcomes = await play(scenario, options, () => hook.enable());
  } finally {
    hook.disable();
  }
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") assert.equal(outcome.reason, reason, `continuation ${k}`);
  }
  assert.equal(getEventListeners(controller.signal, "abort").length, 0, `continuation ${k}`);
  return { ours, aborted: outcomes.some(({ status }) => status === "rejected") };
}

const ROOT = resolve(import.meta.dirname, "../../..");

/** Whether a function of the library is among those at work. */
function isOurs(stack = ""): boolean {
  return stack.replaceAll(ROOT, "").includes("/src/");
}

describe("fault 49: an abort at every await", () => {
  for (const scenario of scenarios) {
    it(scenario.name, async () => {
      const { ours } = await playWithContinuation(scenario, -1);
      let aborted = 0;
      for (const k of ours) if ((await playWithContinuation(scenario, k)).aborted) aborted++;
      assert.ok(aborted >= 3, `${aborted} of ${ours.length}`);
    });
  }
});
