import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import {
  ConnectTimeoutError,
  InvalidArgumentError,
  InvalidHeader,
  MaxRetryError,
  ProtocolError,
  ProxyError,
  ReadTimeoutError,
  ResponseError,
  SSLError,
} from "../../src/core/errors.ts";
import { Retry, type RetryFailure, type RetryOptions, type RetryResponse } from "../../src/policy/retry.ts";
import { RetryBudget } from "../../src/policy/retry-budget.ts";

const connectError = new ConnectTimeoutError("connect timed out");
const readError = new ReadTimeoutError("read timed out");
const otherError = new SSLError("bad certificate");

const NOW = Date.UTC(2019, 5, 3, 11, 0, 0);

function answer(status: number, headers: Record<string, string> = {}): RetryResponse {
  const fields = new Headers(headers);
  const redirects = [301, 302, 303, 307, 308].includes(status);
  return { status, headers: fields, redirectLocation: () => (redirects ? fields.get("location") : false) };
}

const redirect = answer(303, { location: "/next" });

/** `retry` after as many failures. */
function after(retry: Retry, ...failures: RetryFailure[]): Retry {
  return failures.reduce((current, failure) => current.increment({ method: "GET", ...failure }), retry);
}

/** The error that ends it. */
function finalError(retry: Retry, failure: RetryFailure): Error {
  try {
    retry.increment(failure);
  } catch (error) {
    return error as Error;
  }
  throw new assert.AssertionError({ message: "increment() did not throw" });
}

/** The reason in the MaxRetryError that ends it. */
function finalReason(retry: Retry, failure: RetryFailure): Error {
  const error = finalError(retry, { method: "GET", ...failure });
  assert.ok(error instanceof MaxRetryError, String(error));
  assert.equal(error.cause, error.reason);
  return error.reason as Error;
}

test("RT-01: string form", () => {
  const text = "Retry(total=10, connect=null, read=null, redirect=null, status=null)";
  assert.equal(String(new Retry()), text);
  assert.equal(inspect(new Retry()), text);
  assert.equal(
    inspect({ retries: new Retry({ total: false, connect: 2 }) }).includes("total=false, connect=2"),
    true,
  );
});

test("defaults", () => {
  const retry = new Retry();
  assert.deepEqual(
    { ...retry },
    {
      total: 10,
      connect: null,
      read: null,
      redirect: null,
      status: null,
      other: null,
      allowedMethods: new Set(["HEAD", "GET", "PUT", "DELETE", "OPTIONS", "TRACE"]),
      statusForcelist: new Set(),
      backoffFactor: 0,
      backoffMax: 120_000,
      backoffJitter: 0,
      fullJitter: false,
      raiseOnRedirect: true,
      raiseOnStatus: true,
      history: [],
      respectRetryAfterHeader: true,
      retryAfterMax: 21_600_000,
      removeHeadersOnRedirect: new Set(["cookie", "authorization", "proxy-authorization"]),
      budget: null,
    },
  );
  assert.equal(Retry.DEFAULT.total, 3);
  assert.deepEqual([...Retry.RETRY_AFTER_STATUS_CODES], [413, 429, 503]);
  assert.equal(Retry.DEFAULT_BACKOFF_MAX, 120_000);
  assert.equal(Retry.DEFAULT_RETRY_AFTER_MAX, 21_600_000);
  assert.equal(Retry.DEFAULT_ALLOWED_METHODS, retry.allowedMethods);
  assert.equal(Retry.DEFAULT_REMOVE_HEADERS_ON_REDIRECT, retry.removeHeadersOnRedirect);
});

// [options, failures that are allowed, the failure that is one too many]
const limits: [name: string, RetryOptions, RetryFailure[], RetryFailure][] = [
  [
    "RT-02: total beats a larger count",
    { connect: 3, total: 2 },
    [{ error: connectError }, { error: connectError }],
    { error: connectError },
  ],
  [
    "RT-03: a smaller count beats total",
    { connect: 2, total: 3 },
    [{ error: connectError }, { error: connectError }],
    { error: connectError },
  ],
  [
    "RT-04: total null, connect",
    { connect: 2, total: null },
    [{ error: connectError }, { error: connectError }],
    { error: connectError },
  ],
  [
    "RT-04: total null, read",
    { read: 1, total: null },
    [{ error: connectError }, { error: readError }, { error: otherError }],
    { error: readError },
  ],
  ["RT-05: default total of 10", {}, Array(10).fill({ error: connectError }), { error: connectError }],
  ["RT-06: other", { other: 1 }, [{ error: readError }, { error: otherError }], { error: otherError }],
  ["RT-06: other false is as 0", { other: false }, [{ error: readError }], { error: otherError }],
  ["RT-07: read 0", { read: 0 }, [{ error: connectError }], { error: readError }],
  [
    "RT-08: status",
    { status: 2 },
    [{ response: answer(400) }, { response: answer(400) }],
    { response: answer(400) },
  ],
  ["status false is as 0", { status: false }, [{ error: readError }], { response: answer(500) }],
  ["redirect", { redirect: 1 }, [{ response: redirect }, { response: answer(500) }], { response: redirect }],
  ["redirect 0", { redirect: 0 }, [{ response: answer(500) }], { response: redirect }],
  ["RT-17: total 0", { total: 0 }, [], {}],
  ["RT-17: total -1", { total: -1 }, [], {}],
  [
    "total counts every kind",
    { total: 5 },
    [
      { error: connectError },
      { error: readError },
      { error: otherError },
      { response: redirect },
      { response: answer(500) },
    ],
    {},
  ],
  [
    "a proxy that is not reached is a connect error",
    { connect: 0 },
    [{ error: readError }],
    { error: new ProxyError("x", { cause: connectError }) },
  ],
  [
    "another failure of a proxy is not",
    { other: 0 },
    [{ error: connectError }],
    { error: new ProxyError("x", { cause: readError }) },
  ],
  [
    "a broken connection is a read error",
    { read: 0 },
    [{ error: otherError }],
    { error: new ProtocolError("x") },
  ],
  ["true is 1", { total: true }, [{ error: connectError }], { error: connectError }],
  [
    "a large total",
    { total: Number.POSITIVE_INFINITY, status: 1 },
    [...Array(50).fill({ error: connectError }), { response: answer(500) }],
    { response: answer(500) },
  ],
];

for (const [name, options, allowed, last] of limits) {
  test(name, () => {
    const retry = after(new Retry(options), ...allowed);
    const reason = finalReason(retry, last);
    if (last.error) assert.equal(reason, last.error);
  });
}

test("without a limit nothing ends it", () => {
  let retry = new Retry({ total: null });
  for (let i = 0; i < 100; i++)
    retry = retry.increment({ method: "GET", error: i % 2 ? readError : connectError });
  assert.equal(retry.history.length, 100);
  assert.equal(retry.total, null);
});

const exhaustion: [RetryOptions, boolean][] = [
  [{ total: 0 }, false],
  [{ total: -1 }, true],
  [{ total: 1 }, false],
  [{ total: null }, false],
  [{ total: false }, false],
  [{ total: 3, connect: -1 }, true],
  [{ total: 3, read: -1 }, true],
  [{ total: 3, redirect: -1 }, true],
  [{ total: 3, status: -1 }, true],
  [{ total: 3, other: -1 }, true],
  [{ total: 3, connect: 0, read: 0, redirect: 0, status: 0, other: 0 }, false],
];

test("RT-16: exhausted is below 0", () => {
  for (const [options, expected] of exhaustion)
    assert.equal(new Retry(options).isExhausted(), expected, inspect(options));
});

test("RT-18: the reason and the text of the end", () => {
  assert.equal(finalReason(new Retry({ total: 0 }), { error: readError }), readError);

  const generic = finalReason(new Retry({ total: 0 }), {});
  assert.ok(generic instanceof ResponseError);
  assert.equal(generic.message, "too many error responses");

  const specific = finalReason(new Retry({ total: 0 }), { response: answer(503) });
  assert.ok(specific instanceof ResponseError);
  assert.equal(specific.message, "too many 503 error responses");
  assert.equal(specific.status, 503);

  const redirects = finalReason(new Retry({ total: 0 }), { response: redirect });
  assert.ok(redirects instanceof ResponseError);
  assert.equal(redirects.message, "too many redirects");
  assert.equal(redirects.status, 303);
});

test("the text says method, URL without credentials, and why, each once", () => {
  const error = new ReadTimeoutError("Read timed out").describe({
    method: "GET",
    url: "http://u:p@a.test/x",
  });
  const end = finalError(new Retry({ total: 0 }), { method: "GET", url: "http://u:p@a.test/x", error });
  assert.ok(end instanceof MaxRetryError);
  assert.equal(
    end.message,
    "GET http://a.test/x: Max retries exceeded (Caused by ReadTimeoutError: Read timed out)",
  );
  assert.equal(end.method, "GET");
  assert.equal(end.url, "http://a.test/x");
});

test("RT-09: back-off doubles from the second failure in a row, up to the limit", () => {
  let retry = new Retry({ total: 100, backoffFactor: 200 });
  assert.equal(retry.getBackoffTime(), 0);
  const waits = [0, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400, 120_000, 120_000];
  for (const wait of waits) {
    retry = after(retry, {});
    assert.equal(retry.getBackoffTime(), wait);
  }
});

test("RT-10: backoffMax", () => {
  const retry = after(new Retry({ total: 100, backoffFactor: 200, backoffMax: 700 }), {}, {});
  assert.equal(retry.getBackoffTime(), 400);
  assert.equal(after(retry, {}).getBackoffTime(), 700);
});

test("back-off stays a number after very many failures", () => {
  const history = Array(5_000).fill({
    method: null,
    url: null,
    error: null,
    status: null,
    redirectLocation: null,
  });
  assert.equal(new Retry({ history }).getBackoffTime(), 0);
  assert.equal(new Retry({ history, backoffFactor: 1e308 }).getBackoffTime(), 120_000);
});

test("RT-12: jitter is added before the limit", () => {
  const retry = after(new Retry({ total: 100, backoffFactor: 200, backoffJitter: 400 }), {}, {});
  assert.equal(retry.getBackoffTime({ random: () => 0 }), 400);
  assert.equal(retry.getBackoffTime({ random: () => 0.5 }), 600);
  assert.equal(retry.new({ backoffMax: 500 }).getBackoffTime({ random: () => 0.5 }), 500);
  assert.equal(new Retry({ backoffJitter: 400 }).getBackoffTime({ random: () => 0.5 }), 0);
  assert.equal(after(new Retry({ backoffJitter: 400 }), {}).getBackoffTime({ random: () => 0.5 }), 0);
  assert.equal(after(new Retry({ backoffJitter: 400 }), {}, {}).getBackoffTime({ random: () => 0.5 }), 200);
  for (let i = 0; i < 20; i++) {
    const wait = retry.getBackoffTime();
    assert.ok(wait >= 400 && wait < 800);
  }
});

test("full jitter: from 0 to the back-off", () => {
  const retry = after(new Retry({ total: 100, backoffFactor: 200, fullJitter: true }), {}, {});
  assert.equal(retry.getBackoffTime({ random: () => 0 }), 0);
  assert.equal(retry.getBackoffTime({ random: () => 0.25 }), 100);
  const many = after(retry, ...Array(20).fill({}));
  assert.equal(many.getBackoffTime({ random: () => 0.5 }), 60_000);
});

test("RT-13: a redirect starts back-off anew", () => {
  let retry = after(new Retry({ total: 100, redirect: 5, backoffFactor: 200 }), {}, {});
  assert.equal(retry.getBackoffTime(), 400);
  retry = after(retry, { response: redirect });
  assert.equal(retry.getBackoffTime(), 0);
  retry = after(retry, {});
  assert.equal(retry.getBackoffTime(), 0);
  assert.equal(after(retry, {}).getBackoffTime(), 400);
});

const statuses: [
  name: string,
  RetryOptions,
  method: string,
  status: number,
  hasRetryAfter: boolean,
  expected: boolean,
][] = [
  ["RT-14: not in the list", { statusForcelist: range(500, 600) }, "GET", 200, false, false],
  ["RT-14: not in the list", { statusForcelist: range(500, 600) }, "GET", 400, false, false],
  ["RT-14: in the list", { statusForcelist: range(500, 600) }, "GET", 500, false, true],
  ["RT-14: number", { statusForcelist: [418] }, "GET", 418, false, true],
  ["RT-14: set", { statusForcelist: new Set([418]) }, "GET", 418, false, true],
  ["RT-14: null", { statusForcelist: null }, "GET", 418, false, false],
  [
    "RT-15: method of the list",
    { statusForcelist: [500], allowedMethods: ["POST"] },
    "POST",
    500,
    false,
    true,
  ],
  [
    "RT-15: method not of the list",
    { statusForcelist: [500], allowedMethods: ["POST"] },
    "GET",
    500,
    false,
    false,
  ],
  ["RT-15: POST by default", { statusForcelist: [500] }, "POST", 500, false, false],
  ["RT-15: every method, null", { statusForcelist: [500], allowedMethods: null }, "POST", 500, false, true],
  ["RT-15: every method, false", { statusForcelist: [500], allowedMethods: false }, "POST", 500, false, true],
  ["RT-15: every method, none", { statusForcelist: [500], allowedMethods: [] }, "PURGE", 500, false, true],
  [
    "RT-15: every method, other status",
    { statusForcelist: [500], allowedMethods: null },
    "POST",
    501,
    false,
    false,
  ],
  [
    "methods without regard to case",
    { statusForcelist: [500], allowedMethods: ["post"] },
    "Post",
    500,
    false,
    true,
  ],
  ["methods without regard to case", { statusForcelist: [500] }, "get", 500, false, true],
  ["RT-31: 413", {}, "GET", 413, true, true],
  ["RT-31: 429", {}, "GET", 429, true, true],
  ["RT-31: 503", {}, "GET", 503, true, true],
  ["RT-31: 500", {}, "GET", 500, true, false],
  ["RT-31: 200", {}, "GET", 200, true, false],
  ["RT-31: without the header", {}, "GET", 503, false, false],
  ["RT-31: POST", {}, "POST", 503, true, false],
  ["RT-31: not respected", { respectRetryAfterHeader: false }, "GET", 503, true, false],
  ["RT-31: nothing left", { total: 0 }, "GET", 503, true, false],
  ["RT-31: nothing left, but in the list", { total: 0, statusForcelist: [503] }, "GET", 503, true, true],
  ["RT-31: disabled", { total: false }, "GET", 503, true, false],
  ["RT-36: total null honours Retry-After", { total: null }, "GET", 503, true, true],
];

test("which answers ask for another try", () => {
  for (const [name, options, method, status, hasRetryAfter, expected] of statuses) {
    const actual = new Retry(options).isRetry(method, status, hasRetryAfter);
    assert.equal(actual, expected, `${name}: ${method} ${status}`);
  }
});

function range(from: number, to: number): { has(status: number): boolean } {
  return { has: (status) => status >= from && status < to };
}

test("an idempotent request may be repeated, whatever its method", () => {
  const retry = new Retry({ statusForcelist: [500] });
  assert.equal(retry.isRetry("POST", 500, false, true), true);
  assert.equal(retry.isRetry("POST", 501, false, true), false);
  assert.equal(retry.isRetry("POST", 503, true, true), true);
  assert.equal(retry.increment({ method: "POST", error: readError, idempotent: true }).total, 9);
  assert.equal(finalError(retry, { method: "POST", error: readError, idempotent: false }), readError);
});

test("RT-19: history", () => {
  let retry = new Retry({ total: 10 });
  assert.deepEqual(retry.history, []);
  retry = retry.increment({ method: "GET", url: "/test1", error: connectError });
  const first = { method: "GET", url: "/test1", error: connectError, status: null, redirectLocation: null };
  assert.deepEqual(retry.history, [first]);
  retry = retry.increment({ method: "GET", url: "/test2", error: readError });
  retry = retry.increment({ method: "GET", url: "/test3", response: answer(500) });
  retry = retry.increment({ method: "GET", url: "/test4", response: redirect });
  retry = retry.increment({ url: "/test5" });
  assert.deepEqual(retry.history, [
    first,
    { method: "GET", url: "/test2", error: readError, status: null, redirectLocation: null },
    { method: "GET", url: "/test3", error: null, status: 500, redirectLocation: null },
    { method: "GET", url: "/test4", error: null, status: 303, redirectLocation: "/next" },
    { method: null, url: "/test5", error: null, status: null, redirectLocation: null },
  ]);
});

test("an error beside a response is what counts", () => {
  const retry = new Retry({ redirect: 5, read: 5 }).increment({
    method: "GET",
    error: readError,
    response: redirect,
  });
  assert.equal(retry.redirect, 5);
  assert.equal(retry.read, 4);
  assert.equal(retry.history[0]?.redirectLocation, null);
});

test("a redirect status without Location is an error response", () => {
  const retry = new Retry({ redirect: 5, status: 5 }).increment({ method: "GET", response: answer(302) });
  assert.deepEqual([retry.redirect, retry.status], [5, 4]);
});

test("history holds no credentials", () => {
  const response = answer(302, { location: "http://u:secret@b.test/" });
  const { history } = new Retry().increment({ method: "GET", url: "http://u:secret@a.test/", response });
  assert.deepEqual([history[0]?.url, history[0]?.redirectLocation], ["http://a.test/", "http://b.test/"]);
  assert.ok(!JSON.stringify(history).includes("secret"));
});

// What is thrown is the very error.
const bare: [name: string, RetryOptions, RetryFailure][] = [
  ["RT-20: method not allowed", {}, { method: "POST", error: readError }],
  ["RT-20: method not allowed, broken connection", {}, { method: "POST", error: new ProtocolError("x") }],
  ["no method", {}, { error: readError }],
  ["no method, though every method is allowed", { allowedMethods: null }, { error: readError }],
  ["connect false", { connect: false }, { method: "GET", error: connectError }],
  ["read false", { read: false }, { method: "GET", error: readError }],
  ["RT-30: total false", { total: false }, { method: "GET", error: connectError }],
  ["RT-30: total false", { total: false }, { method: "GET", error: readError }],
  ["RT-30: total false", { total: false }, { method: "GET", error: otherError }],
  ["bare even when exhausted", { total: 0 }, { method: "POST", error: readError }],
];

test("errors that are not counted come as they are", () => {
  for (const [name, options, failure] of bare)
    assert.equal(finalError(new Retry(options), failure), failure.error, name);
});

test("connect and other errors are retried for every method", () => {
  const retry = new Retry({ total: 5 });
  for (const error of [connectError, otherError, new ProxyError("x", { cause: connectError })])
    assert.equal(retry.increment({ method: "POST", error }).total, 4);
});

test("disabled retries still count answers", () => {
  const retry = new Retry({ total: false, statusForcelist: [500] });
  assert.equal(finalReason(retry, { response: answer(500) }).message, "too many 500 error responses");
  assert.deepEqual([retry.redirect, retry.raiseOnRedirect], [0, false]);
});

test("redirect false is 0, and the redirect is returned", () => {
  const retry = new Retry({ redirect: false });
  assert.deepEqual([retry.redirect, retry.raiseOnRedirect, retry.total], [0, false, 10]);
  assert.equal(retry.new({ read: 2 }).raiseOnRedirect, false);
});

test("RT-21, RT-22: the fields that do not follow a redirect", () => {
  assert.deepEqual([...new Retry().removeHeadersOnRedirect].sort(), [
    "authorization",
    "cookie",
    "proxy-authorization",
  ]);
  const retry = new Retry({ removeHeadersOnRedirect: ["X-API-Secret", "COOKIE"] });
  assert.deepEqual([...retry.removeHeadersOnRedirect], ["x-api-secret", "cookie"]);
  assert.deepEqual([...retry.increment().removeHeadersOnRedirect], ["x-api-secret", "cookie"]);
  assert.equal(new Retry({ removeHeadersOnRedirect: [] }).removeHeadersOnRedirect.size, 0);
});

test("RT-23, RT-37: an invalid Retry-After is an error to parse, and ignored where it drives a wait", () => {
  const retry = after(new Retry({ backoffFactor: 100 }), {}, {});
  for (const value of ["-1", "+1", "1.0", "\u00b2", "\u0663", "soon", ""]) {
    assert.throws(() => retry.parseRetryAfter(value, NOW), {
      name: "InvalidHeader",
      message: `Invalid Retry-After header: ${value}`,
    });
    assert.throws(() => retry.parseRetryAfter(value), InvalidHeader);
  }
  assert.equal(retry.retryAfter(answer(503, { "retry-after": "soon" })), null);
  assert.equal(retry.waitTime({ response: answer(503, { "retry-after": "soon" }) }), 200);
});

test("RT-24: valid Retry-After, in ms", () => {
  assert.equal(new Retry().parseRetryAfter("0"), 0);
  assert.equal(new Retry().parseRetryAfter("3"), 3_000);
  assert.equal(new Retry().parseRetryAfter(" 1000 "), 1_000_000);
  assert.equal(new Retry().parseRetryAfter("Mon, 03 Jun 2019 11:30:12 GMT", NOW), 1_812_000);
  assert.equal(new Retry().parseRetryAfter("Mon, 03 Jun 2019 10:30:12 GMT"), 0);
  const soon = new Date(Date.now() + 60_000).toUTCString();
  const wait = new Retry().parseRetryAfter(soon);
  assert.ok(wait > 0 && wait <= 60_000);
});

test("RT-11: retryAfterMax", () => {
  assert.equal(new Retry().parseRetryAfter("999999999"), 21_600_000);
  assert.equal(new Retry().parseRetryAfter("9".repeat(400)), 21_600_000);
  assert.equal(new Retry({ retryAfterMax: 1_000 }).parseRetryAfter("2"), 1_000);
  assert.equal(new Retry({ retryAfterMax: 1_000 }).retryAfter(answer(503, { "retry-after": "2" })), 1_000);
  const date = "Mon, 03 Jun 2019 23:00:00 GMT";
  assert.equal(new Retry().parseRetryAfter(date, NOW), 21_600_000);
  assert.equal(new Retry({ retryAfterMax: Number.POSITIVE_INFINITY }).parseRetryAfter(date, NOW), 43_200_000);
});

test("RT-25: the flag survives new()", () => {
  for (const respectRetryAfterHeader of [true, false]) {
    const retry = new Retry({ respectRetryAfterHeader }).new();
    assert.equal(retry.respectRetryAfterHeader, respectRetryAfterHeader);
  }
  assert.equal(new Retry().respectRetryAfterHeader, true);
});

// [value of Retry-After, is it respected, wait in ms]; 400 is the back-off.
const waits: [value: string | null, respected: boolean, wait: number][] = [
  ["3600", true, 3_600_000],
  ["3600", false, 400],
  ["0", true, 400],
  [null, true, 400],
  ["", true, 400],
  ["Mon, 3 Jun 2019 12:00:00 UTC", true, 3_600_000],
  ["Mon, 3 Jun 2019 12:00:00 UTC", false, 400],
  ["Mon, 3 Jun 2019 11:00:00 UTC", true, 400],
  ["Mon, 3 Jun 2019 10:00:00 UTC", true, 400],
  ["Mon, 03 Jun 2019 11:30:12 GMT", true, 1_812_000],
  ["Monday, 03-Jun-19 11:30:12 GMT", true, 1_812_000],
  ["Mon Jun  3 11:30:12 2019", true, 1_812_000],
];

test("RT-26: the wait is what Retry-After asks for, else the back-off", () => {
  for (const [value, respectRetryAfterHeader, wait] of waits) {
    const retry = after(new Retry({ backoffFactor: 200, respectRetryAfterHeader }), {}, {});
    const response = answer(503, value === null ? {} : { "retry-after": value });
    assert.equal(retry.waitTime({ response, wallNow: NOW }), wait, String(value));
  }
  const retry = after(new Retry({ backoffFactor: 200, backoffJitter: 100 }), {}, {});
  assert.equal(retry.waitTime({ random: () => 0.5 }), 450);
  assert.equal(new Retry({ backoffFactor: 200 }).waitTime(), 0);
});

test("retryAfter: what a response asks for", () => {
  const retry = new Retry();
  assert.equal(retry.retryAfter(answer(302, { "retry-after": "1" })), 1_000);
  assert.equal(retry.retryAfter(answer(302, { "retry-after": "0" })), 0);
  assert.equal(retry.retryAfter(answer(302)), null);
  assert.equal(
    new Retry({ respectRetryAfterHeader: false }).retryAfter(answer(302, { "retry-after": "1" })),
    null,
  );
});

test("RT-27: the same object serves any number of requests", () => {
  const retry = new Retry({ total: 1 });
  for (let i = 0; i < 3; i++) {
    const next = retry.increment({ method: "GET", error: readError });
    assert.throws(() => next.increment({ method: "GET", error: readError }), MaxRetryError);
  }
  assert.equal(retry.total, 1);
  assert.deepEqual(retry.history, []);
});

test("new() changes what is given and keeps the rest", () => {
  const budget = new RetryBudget();
  const options: RetryOptions = {
    total: 4,
    connect: false,
    read: 3,
    redirect: 2,
    status: 1,
    other: 5,
    allowedMethods: ["POST"],
    statusForcelist: [418],
    backoffFactor: 1,
    backoffMax: 2,
    backoffJitter: 3,
    fullJitter: true,
    raiseOnRedirect: false,
    raiseOnStatus: false,
    history: [{ method: "GET", url: "/", error: readError, status: null, redirectLocation: null }],
    respectRetryAfterHeader: false,
    retryAfterMax: 4,
    removeHeadersOnRedirect: ["x-a"],
    budget,
  };
  const retry = new Retry(options);
  assert.deepEqual({ ...retry.new() }, { ...retry });
  assert.deepEqual({ ...retry.new({ total: undefined }) }, { ...retry });
  for (const [field, value] of Object.entries(new Retry())) {
    const changed = retry.new({ [field]: value });
    assert.deepEqual({ ...changed }, { ...retry, [field]: value }, field);
    assert.ok(!changed.equals(retry), field);
  }
});

test("immutable: nothing can be changed, added or taken away", () => {
  const retry = new Retry().increment({ method: "GET", url: "/", error: readError });
  assert.ok(Object.isFrozen(retry));
  assert.ok(Object.isFrozen(retry.history));
  assert.ok(Object.isFrozen(retry.history[0]));
  assert.throws(() => Object.assign(retry, { total: 5 }), TypeError);
});

test("the collections given are copied", () => {
  const statusForcelist = new Set([500]);
  const allowedMethods = ["POST"];
  const retry = new Retry({ statusForcelist, allowedMethods });
  statusForcelist.add(501);
  allowedMethods.push("GET");
  assert.equal(retry.isRetry("POST", 501), false);
  assert.equal(retry.isRetry("GET", 500), false);
});

class Counting extends Retry {
  readonly label: string = "mine";
  override getBackoffTime(): number {
    return 7;
  }
}

test("a subclass stays one, may have fields, and is as immutable in the others", () => {
  const retry = new Counting({ total: 3 }).increment({ method: "GET", error: readError });
  assert.ok(retry instanceof Counting);
  assert.equal(retry.label, "mine");
  assert.equal(retry.total, 2);
  assert.equal(retry.waitTime(), 7);
  assert.throws(() => Object.assign(retry, { total: 5 }), TypeError);
  assert.ok(Counting.fromInt(3) instanceof Retry);
  assert.ok(Counting.fromInt(3) instanceof Counting);
  assert.ok(!new Counting().equals(new Retry()));
});

test("fromInt: what an option named retries means", () => {
  const own = new Retry({ total: 7 });
  assert.equal(Retry.fromInt(undefined), Retry.DEFAULT);
  assert.equal(Retry.fromInt(null), Retry.DEFAULT);
  assert.equal(Retry.fromInt(null, { default: own }), own);
  assert.equal(Retry.fromInt(undefined, { default: 5 }).total, 5);
  assert.equal(Retry.fromInt(null, { default: null }), Retry.DEFAULT);
  assert.equal(Retry.fromInt(own, { redirect: false }), own);
  assert.equal(Retry.fromInt(0).total, 0);
  assert.equal(Retry.fromInt(5).total, 5);
  assert.equal(Retry.fromInt(true).total, 1);
  assert.equal(Retry.fromInt(5).redirect, null);
  const plain = Retry.fromInt(5, { redirect: false });
  assert.deepEqual([plain.total, plain.redirect, plain.raiseOnRedirect], [5, 0, false]);
  const none = Retry.fromInt(false);
  assert.deepEqual([none.total, none.redirect, none.raiseOnRedirect], [false, 0, false]);
});

const nonsense: Record<string, unknown>[] = [
  ...["total", "connect", "read", "redirect", "status", "other"].flatMap((name) =>
    [Number.NaN, 1.5, "3", {}, Number.NEGATIVE_INFINITY, 3n].map((value) => ({ [name]: value })),
  ),
  ...["backoffFactor", "backoffMax", "backoffJitter", "retryAfterMax"].flatMap((name) =>
    [Number.NaN, -1, "3", null, true].map((value) => ({ [name]: value })),
  ),
  { backoffFactor: Number.POSITIVE_INFINITY },
  { backoffJitter: Number.POSITIVE_INFINITY },
  ...["fullJitter", "raiseOnRedirect", "raiseOnStatus", "respectRetryAfterHeader"].flatMap((name) =>
    [0, 1, "true", null].map((value) => ({ [name]: value })),
  ),
  ...["allowedMethods", "removeHeadersOnRedirect"].flatMap((name) =>
    ["GET", 5, true, { has: () => true }, ["GET", 5], [null]].map((value) => ({ [name]: value })),
  ),
  { removeHeadersOnRedirect: null },
  ...["500", 500, true, {}].map((statusForcelist) => ({ statusForcelist })),
  ...["x", 5, null, {}].map((history) => ({ history })),
  ...[5, "x", {}, true].map((budget) => ({ budget })),
];

test("options that make no sense are refused", () => {
  for (const options of nonsense)
    assert.throws(() => new Retry(options as RetryOptions), InvalidArgumentError, inspect(options));
  for (const options of [3, false, "3", null])
    assert.throws(() => new Retry(options as RetryOptions), InvalidArgumentError);
  for (const retries of ["3", Number.NaN, { total: 3 }, []])
    assert.throws(() => Retry.fromInt(retries as unknown as number), InvalidArgumentError);
});

test("equals compares by value", () => {
  const make = (): Retry =>
    new Retry({ total: 4, statusForcelist: [500, 502], allowedMethods: ["GET", "PUT"] }).increment({
      method: "GET",
      url: "/",
      error: readError,
    });
  assert.ok(make().equals(make()));
  assert.ok(make().equals(make().new({ statusForcelist: [502, 500], allowedMethods: ["put", "get"] })));
  assert.ok(!make().equals(make().increment()));
  assert.ok(!make().equals(make().new({ statusForcelist: [500] })));
  assert.ok(!make().equals(make().new({ allowedMethods: null })));
  assert.ok(!new Retry({ budget: new RetryBudget() }).equals(new Retry({ budget: new RetryBudget() })));
  assert.ok(!new Retry({ connect: false }).equals(new Retry({ connect: 0 })));
  assert.ok(!make().equals({ ...make() }));
  assert.ok(!make().equals(null));
});

test("a budget pays for retries, and not for redirects", () => {
  const clock = { now: () => 0 };
  const budget = new RetryBudget({ ratio: 0, minPerSecond: 0.2, clock });
  const retry = new Retry({ budget, statusForcelist: [500] });
  retry.increment({ method: "GET", error: readError });
  retry.increment({ method: "GET", response: redirect });
  assert.equal(budget.canRetry(), true);
  retry.increment({ method: "GET", response: answer(500) });
  assert.equal(budget.canRetry(), false);
  retry.increment({ method: "GET", response: redirect });
  const end = finalError(retry, { method: "GET", url: "http://a.test/", error: readError });
  assert.ok(end instanceof MaxRetryError);
  assert.equal(end.reason, readError);
  assert.match(end.message, /the retry budget is used up/);
});

test("failures that are final cost the budget nothing", () => {
  const budget = new RetryBudget({ ratio: 0, minPerSecond: 0.1, clock: { now: () => 0 } });
  assert.throws(() => new Retry({ budget, total: 0 }).increment({ error: connectError }), MaxRetryError);
  assert.throws(
    () => new Retry({ budget, total: false }).increment({ error: connectError }),
    ConnectTimeoutError,
  );
  assert.throws(
    () => new Retry({ budget }).increment({ method: "POST", error: readError }),
    ReadTimeoutError,
  );
  assert.equal(budget.tryRetry(), true);
});

test("with an empty budget an answer with Retry-After stands", () => {
  const budget = new RetryBudget({ ratio: 0, minPerSecond: 0, clock: { now: () => 0 } });
  const retry = new Retry({ budget, statusForcelist: [500] });
  assert.equal(retry.isRetry("GET", 503, true), false);
  assert.equal(retry.isRetry("GET", 500), true);
});
