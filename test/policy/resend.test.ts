import assert from "node:assert/strict";
import { test } from "node:test";
import { hasIdempotencyKey, IDEMPOTENT_METHODS } from "../../src/policy/idempotency.ts";
import { mayResend, type ResendFacts } from "../../src/policy/resend.ts";

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
