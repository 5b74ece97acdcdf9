import assert from "node:assert/strict";
import { test } from "node:test";
import * as errors from "../../src/core/errors.ts";
import {
  type FailureKind,
  hasIdempotencyKey,
  IDEMPOTENT_METHODS,
  isDeterministic,
  isRetryable,
  kindOf,
  mayResend,
  type ResendFacts,
} from "../../src/policy/repeatable.ts";

const refused = new errors.NewConnectionError("refused");

const retried: [error: Error, kind: FailureKind][] = [
  [new errors.ConnectTimeoutError("x"), "connect"],
  [refused, "connect"],
  [new errors.NameResolutionError("x"), "connect"],
  [new errors.ProxyError("x", { cause: refused }), "connect"],
  [new errors.ProxyError("x", { cause: new errors.ConnectTimeoutError("x") }), "connect"],
  [new errors.ProxyError("x", { cause: new errors.ProtocolError("x") }), "other"],
  [new errors.ProxyError("x", { cause: new errors.ReadTimeoutError("x") }), "other"],
  [new errors.ProxyError("x", { status: 503 }), "other"],
  [new errors.ProxyError("x"), "other"],
  [new errors.ReadTimeoutError("x"), "read"],
  [new errors.ProtocolError("x"), "read"],
  [new errors.IncompleteRead(1, 2), "read"],
  [new errors.InvalidChunkLength("x", 0), "read"],
  [new errors.SSLError("x"), "other"],
  [new errors.TimeoutError("x"), "other"],
];

test("failures of the way to the server are retried, each at the cost of its kind", () => {
  for (const [error, kind] of retried) {
    assert.equal(isRetryable(error), true, error.name);
    assert.equal(kindOf(error), kind, error.name);
  }
});

const never: unknown[] = [
  new errors.DeadlineError("x"),
  new errors.AddressBlockedError("x"),
  new errors.DecodeError("x"),
  new errors.InvalidHeader("x"),
  new errors.InvalidArgumentError("x"),
  new errors.LocationParseError("x"),
  new errors.LocationValueError("x"),
  new errors.URLSchemeUnknown("x"),
  new errors.ProxySchemeUnknown("x"),
  new errors.ClosedPoolError("x"),
  new errors.EmptyPoolError("x"),
  new errors.HostChangedError("x"),
  new errors.UnrewindableBodyError("x"),
  new errors.RequestBodyError("x"),
  new errors.TimeoutStateError("x"),
  new errors.BodyUsedError("x"),
  new errors.MaxRetryError("x"),
  new errors.ResponseError("x"),
  new errors.HTTPError("x"),
  new errors.ProxyError("x", { status: 400 }),
  new errors.ProxyError("x", { status: 407 }),
  new errors.ProxyError("x", { status: 499 }),
  new Error("x"),
  new TypeError("x"),
  new DOMException("x", "AbortError"),
  "x",
  null,
  undefined,
];

test("what another attempt would not change is not retried", () => {
  for (const error of never) assert.equal(isRetryable(error), false, String(error));
});

const BASE: ResendFacts = {
  reused: true,
  bytesWritten: 100,
  responseStarted: false,
  method: "GET",
  bodyReplayable: true,
};

const cases: [name: string, facts: Partial<ResendFacts>, expected: boolean][] = [
  ["GET on a reused connection that died before the answer", {}, true],
  ["a fresh connection", { reused: false }, false],
  ["a fresh connection, nothing written", { reused: false, bytesWritten: 0 }, false],
  ["a fresh connection, idempotency key", { reused: false, method: "POST", idempotencyKey: true }, false],
  ["the answer had begun", { responseStarted: true }, false],
  ["the answer had begun, idempotency key", { responseStarted: true, idempotencyKey: true }, false],
  ["POST, bytes written", { method: "POST" }, false],
  ["POST, one byte written", { method: "POST", bytesWritten: 1 }, false],
  ["POST, nothing written", { method: "POST", bytesWritten: 0 }, true],
  [
    "POST, nothing written, but bytes had come",
    { method: "POST", bytesWritten: 0, responseStarted: true },
    true,
  ],
  ["POST, nothing written, body is gone", { method: "POST", bytesWritten: 0, bodyReplayable: false }, false],
  ["POST with an idempotency key", { method: "POST", idempotencyKey: true }, true],
  [
    "POST with an idempotency key, body is gone",
    { method: "POST", idempotencyKey: true, bodyReplayable: false },
    false,
  ],
  ["PUT, body is gone", { method: "PUT", bodyReplayable: false }, false],
  ["PATCH", { method: "PATCH" }, false],
  ["CONNECT", { method: "CONNECT" }, false],
  ["a method that only looks like GET", { method: "get" }, false],
  ["a method of an object's prototype", { method: "constructor" }, false],
];

for (const [name, facts, expected] of cases) {
  test(`${name}: ${expected ? "may" : "may not"} be sent again`, () => {
    assert.equal(mayResend({ ...BASE, ...facts }), expected);
  });
}

test("the idempotent methods may go again", () => {
  assert.deepEqual([...IDEMPOTENT_METHODS].sort(), ["DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"]);
  for (const method of IDEMPOTENT_METHODS) assert.equal(mayResend({ ...BASE, method }), true, method);
});

test("an idempotency key is a field of either name", () => {
  const headers = (...names: string[]) => ({ has: (name: string) => names.includes(name) });
  assert.equal(hasIdempotencyKey(headers("idempotency-key")), true);
  assert.equal(hasIdempotencyKey(headers("accept", "x-idempotency-key")), true);
  assert.equal(hasIdempotencyKey(new Headers({ "Idempotency-Key": "1" })), true);
  assert.equal(hasIdempotencyKey(headers("accept")), false);
  assert.equal(hasIdempotencyKey(null), false);
  assert.equal(hasIdempotencyKey(undefined), false);
});

test("a failure is deterministic by the fact it carries, or its proxy's failure does", () => {
  const marked = Object.assign(new errors.SSLError("x"), { deterministic: true });
  assert.equal(isDeterministic(marked), true);
  assert.equal(isDeterministic(new errors.ProxyError("x", { cause: marked })), true);
  assert.equal(isDeterministic(new errors.SSLError("x")), false);
  assert.equal(isDeterministic(new errors.ProxyError("x", { cause: null })), false);
  assert.equal(isDeterministic(new errors.ProtocolError("x", { cause: marked })), false);
});
