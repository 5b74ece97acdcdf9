/**
 * Every scenario is run once to count the calls that can fail, then once for each of them with that call failing. However
 * it ends, it ends once, rightly, and nothing is left.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type HTTPError,
  MaxRetryError,
  NameResolutionError,
  NewConnectionError,
  ProtocolError,
  type RequestOptions,
} from "../../src/index.ts";
import type { Fallible } from "../kit/world.ts";
import { play, RETRIES, type Scenario, scenarios } from "./scenarios.ts";

const CLASS_OF: Record<Fallible, new (...args: never[]) => Error> = {
  lookup: NameResolutionError,
  connect: NewConnectionError,
  write: ProtocolError,
  read: ProtocolError,
};

/** Makes the k-th call fail; says which one that was. */
async function playWithFailure(
  scenario: Scenario,
  options: RequestOptions,
  k: number,
): Promise<{ outcomes: PromiseSettledResult<unknown>[]; calls: Fallible[] }> {
  const calls: Fallible[] = [];
  const outcomes = await play(scenario, options, (world) => {
    world.fails = (call) => {
      calls.push(call);
      return calls.length === k;
    };
    return () => {};
  });
  return { outcomes, calls };
}

describe("the k-th call that can fail fails", () => {
  for (const scenario of scenarios) {
    it(`${scenario.name}: no retries`, async () => {
      const clean = await playWithFailure(scenario, { retries: RETRIES }, -1);
      assert.ok(
        clean.outcomes.every(({ status }) => status === "fulfilled"),
        String(clean.outcomes[0]),
      );
      let failures = 0;
      for (let k = 1; k <= clean.calls.length; k++) {
        const { outcomes, calls } = await playWithFailure(scenario, { retries: false }, k);
        const Class = CLASS_OF[calls[k - 1] ?? "read"];
        for (const outcome of outcomes) {
          if (outcome.status === "fulfilled") continue;
          failures++;
          const error = outcome.reason as Error;
          // Some scenarios have failures of their own.
          const own = error instanceof ProtocolError || error instanceof NewConnectionError;
          assert.ok(
            error instanceof Class || (scenario.name.includes("retries") && own),
            `call ${k}: ${error.stack}`,
          );
          const { phase, attempt, method } = error as HTTPError;
          assert.ok(phase && attempt && method, `call ${k}: ${phase} ${attempt} ${method}`);
        }
      }
      assert.ok(failures > 0);
    });

    it(`${scenario.name}: retries`, async () => {
      const clean = await playWithFailure(scenario, { retries: RETRIES }, -1);
      for (let k = 1; k <= clean.calls.length; k++) {
        const { outcomes, calls } = await playWithFailure(scenario, { retries: RETRIES }, k);
        for (const outcome of outcomes) {
          if (outcome.status === "fulfilled") continue;
          const error = outcome.reason as Error;
          // What had been written of a POST, and what had been given out of a body, cannot be taken back.
          const final = error instanceof ProtocolError || error instanceof MaxRetryError;
          assert.ok(final && /POST|stream/.test(scenario.name), `call ${k}, ${calls[k - 1]}: ${error.stack}`);
        }
      }
    });
  }
});
