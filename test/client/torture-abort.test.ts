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
import { ProtocolError } from "../../src/index.ts";
import type { World } from "../kit/world.ts";
import { play, RETRIES, type Scenario, scenarios } from "./scenarios.ts";

/**
 * Plays the scenario, aborted when `prepare` says so: all that is rejected is rejected with the reason, nobody listens any
 * more, and nothing was begun afterwards. Says whether the abort came before the end.
 */
async function playAborted(
  scenario: Scenario,
  what: string,
  prepare: (world: World, abort: () => void) => void,
): Promise<boolean> {
  const controller = new AbortController();
  const { signal } = controller;
  const outcomes = await play(scenario, { retries: RETRIES, signal }, (world) => {
    const begun = (): number => world.events(/^attempt/).length;
    let atAbort = -1;
    prepare(world, () => {
      atAbort = begun();
      // An error that would be retried if it were the request's own.
      controller.abort(new ProtocolError(`abort ${what}`));
    });
    return () => assert.equal(begun(), signal.aborted ? atAbort : begun(), `begun after the abort ${what}`);
  });
  const rejected = outcomes.filter((outcome) => outcome.status === "rejected");
  for (const outcome of rejected) assert.equal(outcome.reason, signal.reason, what);
  assert.equal(getEventListeners(signal, "abort").length, 0, what);
  return rejected.length > 0;
}

type Moment = "before" | "after" | "in the tick of";

/** Aborts at the k-th event; says how many there were. */
async function playWithAbort(
  scenario: Scenario,
  k: number,
  moment: Moment,
): Promise<{ events: number; aborted: boolean }> {
  let events = 0;
  const aborted = await playAborted(scenario, `${moment} event ${k}`, (world, abort) => {
    world.step = (_name, run) => {
      const now = ++events === k;
      if (now && moment === "before") abort();
      run();
      if (now && moment === "after") abort();
      if (now && moment === "in the tick of") queueMicrotask(abort);
    };
  });
  return { events, aborted };
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
  let count = 0;
  const begun = new Set<number>();
  const ours: number[] = [];
  let abort = (): void => {};
  const hook = createHook({
    ...(k < 0 ? { init: (id: number) => void (isOurs(new Error().stack) && begun.add(id)) } : {}),
    before: (id) => {
      if (++count === k) abort();
      if (begun.has(id)) ours.push(count);
    },
  });
  try {
    const aborted = await playAborted(scenario, `before continuation ${k}`, (_world, doAbort) => {
      abort = doAbort;
      hook.enable();
    });
    return { ours, aborted };
  } finally {
    hook.disable();
  }
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
