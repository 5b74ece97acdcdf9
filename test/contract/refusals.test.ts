/** What is refused before anything is sent: as a rejection, and with the request it was about. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ClosedPoolError,
  HostChangedError,
  HTTPConnectionPool,
  HTTPError,
  InvalidArgumentError,
  InvalidHeader,
  LocationParseError,
  LocationValueError,
  PoolManager,
  URLSchemeUnknown,
} from "../../src/index.ts";
import { type HttpOrigin, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

type ErrorClass = new (...args: never[]) => Error;

/** The error of `request`: of this class, and with method and URL in its message and its facts, but no secret. */
async function refusal(request: Promise<unknown>, Class: ErrorClass, begin: string): Promise<HTTPError> {
  const error = await request.then(
    () => assert.fail("not refused"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Class, String(error));
  assert.ok(error instanceof HTTPError);
  const [method = "", url = ""] = begin.split(" ");
  assert.deepEqual([error.method, error.url], [method, url]);
  assert.ok(error.message.startsWith(`${begin}: `), error.message);
  for (const text of [error.message, error.stack, JSON.stringify(error)]) {
    assert.doesNotMatch(String(text), /secret/);
  }
  return error;
}

const MANAGER_ROWS: [url: string, Class: ErrorClass, shown: string][] = [
  ["ftp://me:secret@h/x", URLSchemeUnknown, "ftp://h/x"],
  ["http://me:secret@h:99999/x", LocationParseError, "http://h:99999/x"],
  ["http://me:sec/secret@h:99999/x", LocationParseError, "http://h:99999/x"],
  ["http:///x", LocationValueError, "http:///x"],
  ["/x?y", LocationValueError, "/x?y"],
];

describe("a manager's refusals name method and URL", () => {
  for (const [url, Class, shown] of MANAGER_ROWS) {
    it(`of ${url}`, async () => {
      using manager = new PoolManager();
      await refusal(manager.request("post", url), Class, `POST ${shown}`);
      await refusal(manager.urlopen("GET", url), Class, `GET ${shown}`);
    });
  }

  it("of a header that must not go on the wire", async () => {
    using manager = new PoolManager();
    const headers = { "X-A": "secret\r\nX-B: 1" };
    await refusal(manager.request("GET", "http://h/x#y", { headers }), InvalidHeader, "GET http://h/x");
    assert.equal(manager.connectionFromHost("h").numRequests, 0);
  });

  it("of a form's field with a line break in its header", async () => {
    using manager = new PoolManager();
    const fields = { a: ["n", "d", "text/plain\r\nX: 1"] as const };
    await refusal(manager.request("POST", "http://h/x", { fields }), InvalidHeader, "POST http://h/x");
  });
});

describe("a pool's refusals name method and URL", () => {
  it("of another host, however its credentials are spelt", async () => {
    using pool = new HTTPConnectionPool("h");
    for (const url of [
      "http://me:secret@other/x",
      "http://m e:a secret@other/x",
      "http://me:\tsecret@other/x",
    ]) {
      const error = await refusal(pool.request("GET", url), HostChangedError, "GET http://other/x");
      assert.match(error.message, /Tried to open a foreign host with url: http:\/\/other\/x$/);
    }
    assert.equal(pool.numRequests, 0);
  });

  it("after it was closed, by the absolute URL", async () => {
    const pool = new HTTPConnectionPool("h", 8080);
    pool.close();
    const error = await refusal(pool.request("GET", "/x"), ClosedPoolError, "GET http://h:8080/x");
    assert.match(error.message, /Pool is closed/);
  });
});

describe("redirects that lead nowhere name the request that was redirected", () => {
  const BAD: [location: string, Class: ErrorClass][] = [
    ["ftp://me:secret@h/", URLSchemeUnknown],
    ["http://me:secret@h:99999/", LocationParseError],
  ];
  for (const [location, Class] of BAD) {
    it(location, async () => {
      await using origin = await redirecting(location);
      using manager = new PoolManager();
      await refusal(manager.request("GET", `${origin.url}/x`), Class, `GET ${origin.url}/x`);
    });

    it(`${location}: not looked at where redirects are not followed`, async () => {
      await using origin = await redirecting(location);
      using manager = new PoolManager();
      for (const options of [{ retries: false }, { redirect: false }] as const) {
        const response = await manager.request("GET", `${origin.url}/x`, options);
        assert.deepEqual([response.status, response.redirectLocation()], [302, location]);
      }
    });
  }

  it("to another host, for a pool", async () => {
    await using origin = await redirecting("http://other/x");
    using pool = new HTTPConnectionPool(origin.host, origin.port);
    await refusal(pool.request("GET", "/x"), HostChangedError, `GET ${origin.url}/x`);
  });
});

describe("every refusal is a rejection", () => {
  it("of a method or URL that is none", async () => {
    using manager = new PoolManager();
    using pool = new HTTPConnectionPool("h");
    for (const client of [manager, pool]) {
      for (const bad of [null, undefined, 5, {}]) {
        await assert.rejects(client.request(bad as unknown as string, "http://h/"), InvalidArgumentError);
        await assert.rejects(client.request("GET", bad as unknown as string), InvalidArgumentError);
        await assert.rejects(client.urlopen("GET", bad as unknown as string), InvalidArgumentError);
      }
    }
  });
});

function redirecting(location: string): Promise<HttpOrigin> {
  return startHttp(() => ({ status: 302, headers: { Location: location } }));
}
