/** Which answers `Retry` repeats, what it makes of the options it is given, and failures that would repeat themselves. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  InvalidArgumentError,
  MaxRetryError,
  ProxyError,
  ResponseError,
  SSLError,
} from "../../src/core/errors.ts";
import { Retry, type RetryOptions, type RetryResponse } from "../../src/policy/retry.ts";

const NOW = Date.UTC(2026, 0, 1);

function answer(status: number, retryAfter?: string): RetryResponse {
  const headers = new Headers(retryAfter === undefined ? {} : { "retry-after": retryAfter });
  return { status, headers, redirectLocation: () => false };
}

for (const value of [
  "64.57",
  "soon",
  "-1",
  "1e3",
  "+5",
  "0x10",
  "5 s",
  "Thu, 32 Jan 2026 00:00:00 GMT",
  ",",
  "",
]) {
  test(`a malformed Retry-After counts as none: ${JSON.stringify(value)}`, () => {
    for (const status of [413, 429, 503]) {
      assert.equal(new Retry().retriesAnswer("GET", answer(status, value)), false);
      const listed = new Retry({ statusForcelist: [status], backoffFactor: 10 });
      assert.equal(listed.retriesAnswer("GET", answer(status, value)), true);
      assert.equal(listed.waitTime({ response: answer(status, value) }), 0);
    }
  });
}

test("a Retry-After that can be read asks for another try, of methods that may be repeated", () => {
  for (const value of ["0", "5", "Thu, 01 Jan 2026 00:00:05 GMT"]) {
    assert.equal(new Retry().retriesAnswer("GET", answer(429, value), { wallNow: NOW }), true, value);
    assert.equal(new Retry().retriesAnswer("POST", answer(429, value)), false);
    assert.equal(new Retry().retriesAnswer("POST", answer(429, value), { idempotent: true }), true);
    assert.equal(new Retry().retriesAnswer("GET", answer(500, value)), false);
    assert.equal(
      new Retry({ respectRetryAfterHeader: false }).retriesAnswer("GET", answer(429, value)),
      false,
    );
  }
});

test("a Retry-After beyond the deadline is not waited for", () => {
  const late = answer(503, "60");
  const facts = { timeLeft: 1000, wallNow: NOW, url: "http://user:secret@a.test/" };
  assert.equal(new Retry().retriesAnswer("GET", late, facts), false);
  assert.equal(new Retry().retriesAnswer("GET", late, { timeLeft: 60_000 }), true);
  const kept = new Retry({ statusForcelist: [503], raiseOnStatus: false });
  assert.equal(kept.retriesAnswer("GET", late, facts), false);
  assert.throws(
    () => new Retry({ statusForcelist: [503] }).retriesAnswer("GET", late, facts),
    (error: Error) => {
      assert.ok(error instanceof MaxRetryError && error.reason instanceof ResponseError);
      assert.equal(error.reason.status, 503);
      assert.match(
        error.message,
        /^GET http:\/\/a\.test\/: Retry-After asks for 60000 ms, .* deadline is in 1000 ms/,
      );
      return true;
    },
  );
  // Capped, it fits.
  assert.equal(new Retry({ retryAfterMax: 500 }).retriesAnswer("GET", late, facts), true);
  // Without Retry-After the wait is the back-off's, which the caller chose.
  assert.equal(new Retry({ statusForcelist: [503] }).retriesAnswer("GET", answer(503), facts), true);
});

test("a status that is no number is refused, with advice", () => {
  for (const status of ["503", "5xx", 503.5, 0, 1000, null, Number.NaN]) {
    const make = () => new Retry({ statusForcelist: [500, status] as number[] });
    assert.throws(make, (error: Error) => {
      assert.ok(error instanceof InvalidArgumentError);
      assert.match(error.message, /statusForcelist must hold statuses as numbers, such as 503, not /);
      return true;
    });
    assert.throws(
      () => new Retry({ statusForcelist: new Set([status]) as Set<number> }),
      InvalidArgumentError,
    );
  }
});

test("a plain object in place of a Retry has its options", () => {
  const retry = Retry.from({ total: 2, backoffFactor: 50 });
  assert.ok(retry.equals(new Retry({ total: 2, backoffFactor: 50 })));
  assert.equal(Retry.from({}).total, 10);
  assert.equal(Retry.from({ total: 2 }, { redirect: false }).redirect, 0);
  assert.equal(Retry.from({ redirect: 1 }, { redirect: false }).redirect, 1);
  assert.equal(Retry.from(3, { redirect: false }).total, 3);
  assert.equal(Retry.from(undefined), Retry.DEFAULT);
  assert.equal(Retry.from(retry), retry);
  for (const value of [[], "3", new Map(), () => 1, Number.NaN])
    assert.throws(() => Retry.from(value as never), InvalidArgumentError);
});

test("an option that Retry does not have is refused, with the one that is meant", () => {
  for (const [name, text] of [
    ["limit", "did you mean total?"],
    ["backoff_factor", "did you mean backoffFactor?"],
    ["status_forcelist", "did you mean statusForcelist?"],
    ["statusCodes", "did you mean statusForcelist?"],
    ["methods", "did you mean allowedMethods?"],
    ["method_whitelist", "did you mean allowedMethods?"],
    ["totl", "did you mean total?"],
    ["statusForceList", "did you mean statusForcelist?"],
    ["nonsense", "its options are total, connect, read"],
    ["toString", "its options are"],
  ] as const) {
    for (const make of [Retry.from, (options: object) => new Retry(options as RetryOptions)])
      assert.throws(
        () => make.call(Retry, { [name]: 1 }),
        (error: Error) => error instanceof InvalidArgumentError && error.message.includes(text),
        name,
      );
  }
  assert.equal(new Retry({ limit: undefined } as RetryOptions).total, 10);
});

test("a subclass may have options of its own", () => {
  class Labelled extends Retry {
    readonly label: string;
    constructor(options: RetryOptions & { label?: string } = {}) {
      super(options);
      this.label = options.label ?? "";
    }
  }
  assert.equal(new Labelled({ total: 1, label: "x" }).label, "x");
});

test("where only a number is given no redirect is counted by itself", () => {
  const redirect: RetryResponse = { ...answer(302), redirectLocation: () => "/next" };
  let retry = Retry.from(5);
  assert.equal(retry.redirect, null);
  retry = retry.increment({ method: "GET", url: "/", response: redirect });
  assert.deepEqual([retry.total, retry.redirect], [4, null]);
});

const broken = Object.assign(new SSLError("certificate for another name"), { deterministic: true });

test("a failure that every attempt would meet is final at once", () => {
  for (const error of [broken, new ProxyError("tunnel", { cause: broken })]) {
    for (const retry of [new Retry(), new Retry({ total: null }), new Retry({ connect: 5, read: 5 })]) {
      assert.throws(
        () => retry.increment({ method: "GET", url: "https://a.test/", error }),
        (failure: Error) => {
          assert.ok(failure instanceof MaxRetryError);
          assert.equal(failure.reason, error);
          assert.match(failure.message, /Not retried, because every attempt would fail like this/);
          return true;
        },
      );
    }
  }
});

test("... unless `other` was given, or retries are off", () => {
  const counted = new Retry({ other: 1 }).increment({ method: "GET", url: "/", error: broken });
  assert.deepEqual([counted.total, counted.other], [9, 0]);
  assert.throws(() => new Retry({ total: false }).increment({ method: "GET", error: broken }), broken);
  const plain = new SSLError("handshake broke off");
  assert.equal(new Retry().increment({ method: "GET", url: "/", error: plain }).total, 9);
});

test("the history shows no credentials, whoever wrote it", () => {
  const entry = {
    method: "GET",
    url: "http://user:secret@a.test/",
    error: null,
    status: 302,
    redirectLocation: "//user:secret@b.test/",
  };
  for (const retry of [new Retry({ history: [entry] }), new Retry({ history: [entry] }).increment(entry)])
    assert.doesNotMatch(JSON.stringify(retry.history), /secret/);
  assert.equal(entry.url, "http://user:secret@a.test/");
  assert.throws(() => new Retry({ history: [null] as never }), InvalidArgumentError);
});
