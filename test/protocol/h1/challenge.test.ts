/** Challenges: schemes and parameters, in every form that the grammar has. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseChallenges } from "../../../src/protocol/h1/challenge.ts";

const VECTORS: readonly (readonly [string, unknown])[] = [
  ["", []],
  ["Basic", [["basic", {}]]],
  ['Basic realm="a"', [["basic", { realm: "a" }]]],
  ["BASIC REALM=a", [["basic", { realm: "a" }]]],
  ['Basic realm = "a b, c=\\"d\\""', [["basic", { realm: 'a b, c="d"' }]]],
  ["Negotiate", [["negotiate", {}]]],
  ["Negotiate YII=", [["negotiate", {}]]],
  [
    "Negotiate abc==, Basic realm=x",
    [
      ["negotiate", {}],
      ["basic", { realm: "x" }],
    ],
  ],
  [
    'Digest realm="r", nonce="n", qop="auth,auth-int", algorithm=SHA-256, Basic realm="b"',
    [
      ["digest", { realm: "r", nonce: "n", qop: "auth,auth-int", algorithm: "SHA-256" }],
      ["basic", { realm: "b" }],
    ],
  ],
  [
    'Basic realm="x", Newauth realm="y", type=1, title="Login"',
    [
      ["basic", { realm: "x" }],
      ["newauth", { realm: "y", type: "1", title: "Login" }],
    ],
  ],
  [
    ", ,Basic,,NTLM,",
    [
      ["basic", {}],
      ["ntlm", {}],
    ],
  ],
  ['Digest nonce="first", nonce="second"', [["digest", { nonce: "first" }]]],
  ['realm="no scheme"', []],
  ['Basic realm="unclosed', [["basic", {}]]],
  ["Basic @garbage", [["basic", {}]]],
];

for (const [value, expected] of VECTORS) {
  test(`challenges in ${JSON.stringify(value)}`, () => {
    const found = parseChallenges(value).map(({ scheme, params }) => [scheme, Object.fromEntries(params)]);
    assert.deepEqual(found, expected);
  });
}
