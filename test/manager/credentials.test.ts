/** Credentials in a URL: in no text that an error can give. */

import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import {
  type HTTPError,
  PoolManager,
  type PoolManagerOptions,
  type RequestOptions,
} from "../../src/index.ts";
import { type HttpHandler, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";

leakGate();

const USER = "alice";
const PASSWORD = "s3cret";
/** A port where nobody listens. */
const CLOSED = 1;

describe("a failing request with credentials in its URL shows them nowhere", () => {
  const nowhere: LookupFunction = (_host, _options, done) =>
    done(Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" }), []);
  const cases: [why: string, url: string, options?: RequestOptions, settings?: PoolManagerOptions][] = [
    ["refused", `http://USERINFO@127.0.0.1:${CLOSED}/x`],
    ["refused, without retries", `http://USERINFO@127.0.0.1:${CLOSED}/x`, { retries: false }],
    ["no such name", "http://USERINFO@no.such.example/x", {}, { lookup: nowhere }],
    ["unknown scheme", "ftp://USERINFO@127.0.0.1/x"],
    ["bad port", "http://USERINFO@127.0.0.1:99999/x"],
    ["bad host", "http://USERINFO@[zz]/x"],
    ["no host", "http://USERINFO@/x"],
    ["control character in the host", "http://USERINFO@a\nb/x"],
    ["bad option", `http://USERINFO@127.0.0.1:${CLOSED}/x`, { timeout: -1 }],
    ["bad header", `http://USERINFO@127.0.0.1:${CLOSED}/x`, { headers: { "a b": "c" } }],
    ["TLS set-up", `https://USERINFO@127.0.0.1:${CLOSED}/x`, {}, { caCerts: "/no/such/file" }],
  ];
  for (const userinfo of [
    `${USER}:${PASSWORD}`,
    `${USER}:@${PASSWORD}`,
    `${USER}:a:${PASSWORD}`,
    `${PASSWORD}`,
  ]) {
    for (const [why, url, options, settings] of cases) {
      it(`${why} (${userinfo})`, async () => {
        await using manager = new PoolManager(settings);
        await rejects(manager.request("GET", url.replace("USERINFO", userinfo), options));
      });
    }
  }

  for (const character of ["#", "?", "/", "\\", " ", "%", "[", "\u00e4"]) {
    it(`a password with ${JSON.stringify(character)}`, async () => {
      await using manager = new PoolManager({ retries: false });
      const userinfo = `${USER}:x${character}${PASSWORD}`;
      await rejects(manager.request("GET", `http://${userinfo}@127.0.0.1:${CLOSED}/x`));
    });
  }
});

describe("so does a server's answer", () => {
  const handlers: [why: string, handler: HttpHandler, options?: RequestOptions][] = [
    ["a redirect loop", ({ header }) => redirectTo(`http://${USER}:${PASSWORD}@${header("host")}/x`)],
    ["a redirect to nowhere", () => redirectTo(`http://${USER}:${PASSWORD}@127.0.0.1:${CLOSED}/x`)],
    ["a redirect to another scheme", () => redirectTo(`ftp://${USER}:${PASSWORD}@127.0.0.1/x`)],
    ["a redirect to no URL", () => redirectTo(`http://${USER}:${PASSWORD}@[zz]/x`)],
    ["a status", () => ({ status: 503, headers: { "Retry-After": "0" } }), { retries: 1 }],
    ["a broken body", () => ({ body: "x", headers: { "Content-Encoding": "gzip" } })],
  ];
  for (const [why, handler, options] of handlers) {
    it(why, async () => {
      await using origin = await startHttp(handler);
      await using manager = new PoolManager();
      const request = manager.request(
        "GET",
        `http://${USER}:${PASSWORD}@127.0.0.1:${origin.port}/x`,
        options,
      );
      if (why !== "a status") await rejects(request);
      else {
        const response = await request;
        assertClean(inspect(response, { depth: 9, showHidden: true }));
        assert.throws(() => response.raiseForStatus(), assertSafe);
      }
    });
  }

  it("one that breaks off, and one that is too slow", async () => {
    await using broken = await startOrigin((connection) => connection.close());
    await using slow = await startOrigin(() => {});
    await using manager = new PoolManager({ timeout: 50 });
    for (const { port } of [broken, slow]) {
      await rejects(manager.request("GET", `http://${USER}:${PASSWORD}@127.0.0.1:${port}/x`, { retries: 1 }));
    }
  });
});

function redirectTo(location: string): ReturnType<HttpHandler> {
  return { status: 302, headers: { Location: location } };
}

async function rejects(request: Promise<unknown>): Promise<void> {
  await assert.rejects(request, assertSafe);
}

function assertSafe(thrown: unknown): true {
  const error = thrown as HTTPError;
  const json = JSON.stringify(error);
  for (const text of [
    String(error),
    error.stack ?? "",
    json,
    inspect(error, { depth: 20, showHidden: true }),
  ])
    assertClean(text);
  return true;
}

function assertClean(text: string): void {
  assert.ok(!text.includes(PASSWORD), text);
  assert.ok(!text.includes(USER), text);
}
