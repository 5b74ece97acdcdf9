/** Credentials for proxies: Basic unasked, Digest as RFC 7616 has it. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { ProxyAuth } from "../../../src/dial/proxy/auth.ts";

const CREDENTIALS = { username: "Mufasa", password: "Circle of Life" };

function paramsOf(value: string): Record<string, string> {
  return Object.fromEntries([...value.matchAll(/(\w+)="?([^",]*)"?/g)].map(([, name, text]) => [name, text]));
}

function hash(algorithm: string, text: string): string {
  return createHash(algorithm).update(text).digest("hex");
}

test("Basic is sent unasked, in UTF-8", () => {
  const auth = new ProxyAuth({ username: "jos\u00e9", password: "a:b" });
  const [scheme, encoded = ""] = auth.authorize("GET", "http://h.test/").split(" ");
  assert.equal(scheme, "Basic");
  assert.equal(Buffer.from(encoded, "base64").toString(), "jos\u00e9:a:b");
  assert.equal(auth.changes, false);
});

test("a Basic challenge is no news", () => {
  assert.equal(new ProxyAuth(CREDENTIALS).accept(['Basic realm="r"']), false);
});

for (const [name, algorithm] of [
  ["MD5", "md5"],
  ["SHA-256", "sha256"],
] as const) {
  test(`Digest with ${name}: each answer counts the uses of the nonce`, () => {
    const auth = new ProxyAuth(CREDENTIALS);
    const challenge = `Digest realm="r", nonce="n", qop="auth", opaque="o\\"q", algorithm=${name}`;
    assert.equal(auth.accept([challenge]), true);
    for (const nc of ["00000001", "00000002"]) {
      const value = auth.authorize("CONNECT", "h.test:443");
      const params = paramsOf(value);
      const secret = hash(algorithm, "Mufasa:r:Circle of Life");
      const request = hash(algorithm, "CONNECT:h.test:443");
      const expected = hash(algorithm, `${secret}:n:${nc}:${params.cnonce}:auth:${request}`);
      assert.deepEqual([params.nc, params.response, params.uri], [nc, expected, "h.test:443"]);
      assert.match(value, /opaque="o\\"q"/);
    }
  });
}

test("Digest with -sess binds the secret to the nonces", () => {
  const auth = new ProxyAuth(CREDENTIALS);
  auth.accept(['Digest realm="r", nonce="n", qop="auth", algorithm=MD5-sess']);
  const { cnonce, response } = paramsOf(auth.authorize("GET", "/x"));
  const secret = hash("md5", `${hash("md5", "Mufasa:r:Circle of Life")}:n:${cnonce}`);
  assert.equal(response, hash("md5", `${secret}:n:00000001:${cnonce}:auth:${hash("md5", "GET:/x")}`));
});

test("Digest without qop is that of RFC 2069", () => {
  const auth = new ProxyAuth(CREDENTIALS);
  auth.accept(['Digest realm="r", nonce="n"']);
  const value = auth.authorize("GET", "/x");
  const secret = hash("md5", "Mufasa:r:Circle of Life");
  assert.equal(paramsOf(value).response, hash("md5", `${secret}:n:${hash("md5", "GET:/x")}`));
  assert.doesNotMatch(value, /cnonce|nc=|algorithm/);
});

test("the best of several challenges is answered", () => {
  const auth = new ProxyAuth(CREDENTIALS);
  auth.accept([
    'Basic realm="b", Digest realm="r", nonce="weak", algorithm=MD5',
    'Digest realm="r", nonce="strong", algorithm=SHA-256',
  ]);
  assert.equal(paramsOf(auth.authorize("GET", "/")).nonce, "strong");
});

const UNANSWERABLE = {
  "no nonce": "Digest realm=r",
  "an unknown algorithm": "Digest realm=r, nonce=n, algorithm=ROT13",
  "only auth-int": 'Digest realm=r, nonce=n, qop="auth-int"',
  "another scheme": "Negotiate",
};

for (const [what, challenge] of Object.entries(UNANSWERABLE)) {
  test(`${what} cannot be answered`, () => {
    const auth = new ProxyAuth(CREDENTIALS);
    assert.equal(auth.accept([challenge]), false);
    assert.equal(auth.changes, false);
  });
}

test("the nonce that was answered is not answered again, another one is", () => {
  const auth = new ProxyAuth(CREDENTIALS);
  assert.equal(auth.accept(["Digest realm=r, nonce=one"]), true);
  assert.equal(auth.accept(["Digest realm=r, nonce=one"]), false);
  assert.equal(auth.accept(["Digest realm=r, nonce=two, stale=true"]), true);
  assert.equal(paramsOf(auth.authorize("GET", "/")).nonce, "two");
});
