import assert from "node:assert/strict";
import { test } from "node:test";
import * as errors from "../../src/core/errors.ts";
import { type FailureKind, kindOf } from "../../src/policy/failure.ts";
import { isRetryable } from "../../src/policy/retry.ts";

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
