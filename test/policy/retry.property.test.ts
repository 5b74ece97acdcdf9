import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as errors from "../../src/core/errors.ts";
import { Retry, type RetryFailure, type RetryOptions, type RetryResponse } from "../../src/policy/retry.ts";

const SEED = { seed: 20260101 };
const COUNTS = ["total", "connect", "read", "redirect", "status", "other"] as const;

const count = fc.oneof(fc.constant(null), fc.constant(false as const), fc.integer({ min: -1, max: 8 }));

const options: fc.Arbitrary<RetryOptions> = fc.record({
  total: count,
  connect: count,
  read: count,
  redirect: count,
  status: count,
  other: count,
  backoffFactor: fc.integer({ min: 0, max: 5_000 }),
  backoffMax: fc.integer({ min: 0, max: 200_000 }),
  backoffJitter: fc.integer({ min: 0, max: 1_000 }),
  fullJitter: fc.boolean(),
  allowedMethods: fc.constantFrom(undefined, null, ["POST"]),
  retryAfterMax: fc.integer({ min: 0, max: 10_000_000 }),
});

const error = fc.constantFrom<Error>(
  new errors.ConnectTimeoutError("x"),
  new errors.NewConnectionError("x"),
  new errors.ReadTimeoutError("x"),
  new errors.ProtocolError("x"),
  new errors.SSLError("x"),
  new errors.ProxyError("x", { cause: new errors.NewConnectionError("x") }),
  new errors.ProxyError("x"),
);

const response: fc.Arbitrary<RetryResponse> = fc
  .record({ status: fc.constantFrom(302, 307, 429, 500, 503), location: fc.constantFrom(null, "/next") })
  .map(({ status, location }) => ({
    status,
    headers: new Headers(),
    redirectLocation: () => (status < 400 ? location : false),
  }));

const failure: fc.Arbitrary<RetryFailure> = fc.record(
  {
    method: fc.constantFrom("GET", "POST", "PUT", "get"),
    url: fc.constantFrom("http://a.test/", "/x"),
    error: fc.option(error),
    response: fc.option(response),
    idempotent: fc.boolean(),
  },
  { requiredKeys: [] },
);

const failures = fc.array(failure, { maxLength: 20 });

/** Every `Retry` from the first to the last before the end; what ended it. */
function play(first: Retry, events: readonly RetryFailure[]): { steps: Retry[]; end: unknown } {
  const steps = [first];
  for (const event of events) {
    try {
      steps.push((steps.at(-1) as Retry).increment(event));
    } catch (end) {
      return { steps, end };
    }
  }
  return { steps, end: undefined };
}

test("property: each step costs total one and at most one other count one; nothing grows but the history", () => {
  const property = fc.property(options, failures, (given, events) => {
    const { steps } = play(new Retry(given), events);
    for (const [index, step] of steps.slice(1).entries()) {
      const before = steps[index] as Retry;
      const spent = COUNTS.filter((name) => step[name] !== before[name]);
      for (const name of spent) assert.equal(step[name], Number(before[name]) - 1);
      assert.equal(spent.includes("total"), before.total !== null);
      assert.ok(spent.filter((name) => name !== "total").length <= 1);
      assert.equal(step.history.length, before.history.length + 1);
      assert.deepEqual(step.history.slice(0, -1), before.history);
      assert.equal(step.isExhausted(), false);
    }
  });
  fc.assert(property, SEED);
});

test("property: increment changes neither the Retry nor the failure, and gives the same again", () => {
  const property = fc.property(options, failure, (given, event) => {
    const retry = new Retry(given);
    const copy = new Retry(given);
    const first = play(retry, [event]);
    const second = play(retry, [event]);
    assert.ok(retry.equals(copy));
    assert.ok(Object.isFrozen(retry) && Object.isFrozen(retry.history));
    assert.equal(first.steps.length, second.steps.length);
    assert.ok((first.steps.at(-1) as Retry).equals(second.steps.at(-1)));
  });
  fc.assert(property, SEED);
});

test("property: a limited Retry ends, with MaxRetryError or the bare error", () => {
  const property = fc.property(
    options,
    fc.array(failure, { minLength: 12, maxLength: 12 }),
    (given, events) => {
      const { steps, end } = play(new Retry(given), events);
      const total = new Retry(given).total;
      if (total !== null) assert.ok(steps.length - 1 <= Math.max(0, Number(total)));
      if (end === undefined) return;
      const last = events[steps.length - 1] as RetryFailure;
      if (end instanceof errors.MaxRetryError) {
        if (last.error) assert.equal(end.reason, last.error);
        else assert.ok(end.reason instanceof errors.ResponseError);
      } else assert.equal(end, last.error);
    },
  );
  fc.assert(property, SEED);
});

test("property: waits are numbers from 0 to their limits", () => {
  const value = fc.oneof(fc.nat({ max: 20_000 }).map(String), fc.string());
  const property = fc.property(options, failures, value, (given, events, retryAfter) => {
    const retry = play(new Retry(given), events).steps.at(-1) as Retry;
    const backoff = retry.getBackoffTime();
    assert.ok(backoff >= 0 && backoff <= retry.backoffMax);
    const headers = { get: () => retryAfter };
    const wait = retry.waitTime({ response: { status: 503, headers, redirectLocation: () => false } });
    assert.ok(wait >= 0 && wait <= Math.max(retry.backoffMax, retry.retryAfterMax));
  });
  fc.assert(property, SEED);
});
