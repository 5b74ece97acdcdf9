/** The forms in which managers, pools and requests take what they are given. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  connectionFromUrl,
  encodeMultipartFormdata,
  HTTPConnectionPool,
  HTTPHeaderDict,
  InvalidArgumentError,
  PoolManager,
  type PoolOptions,
  parseUrl,
  RequestField,
  type RequestOptions,
  URLSchemeUnknown,
} from "../../src/index.ts";
import { type OriginRequest, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

describe("URLs", () => {
  it("as URL or Url, wherever a text may stand", async () => {
    await using origin = await startHttp(() => "x");
    using manager = new PoolManager();
    using pool = new HTTPConnectionPool(origin.host, origin.port);
    const text = `http://me:secret@${origin.host}:${origin.port}/a?b=1#c`;
    for (const url of [new URL(text), parseUrl(text)]) {
      await manager.request("GET", url);
      await manager.request("GET", url, { fields: { d: 2 } });
      await manager.requestEncodeBody("POST", url, { fields: { d: 2 } });
      await manager.urlopen("GET", url);
      await pool.request("GET", url);
      assert.equal(manager.connectionFromUrl(url), manager.connectionFromHost(origin.host, origin.port));
      assert.equal(connectionFromUrl(url).port, origin.port);
      assert.equal(pool.isSameHost(url), true);
    }
    const targets = ["/a?b=1", "/a?b=1&d=2", "/a?b=1", "/a?b=1", "/a?b=1"];
    assert.deepEqual(
      origin.received.map((got) => got.target),
      [...targets, ...targets],
    );
    assert.ok(origin.received.every((got) => got.header("authorization") === null));
  });
});

describe("a manager", () => {
  it("takes the number of pools first, or among the options, or not at all", () => {
    const options = { numPools: 3, maxsize: 7 };
    const rows: [PoolManager, number, number | undefined][] = [
      [new PoolManager(), 10, undefined],
      [new PoolManager(5), 5, undefined],
      [new PoolManager(5, options), 5, 7],
      [new PoolManager(undefined, options), 3, 7],
      [new PoolManager(null as unknown as undefined, options), 3, 7],
      [new PoolManager(options), 3, 7],
    ];
    for (const [manager, numPools, maxsize] of rows) {
      assert.deepEqual([manager.pools.maxsize, manager.connectionPoolKw.maxsize], [numPools, maxsize]);
    }
    for (const bad of ["5", true, -1, 1.5]) {
      assert.throws(() => new PoolManager(bad as number), InvalidArgumentError);
    }
  });

  it("has headers to add to from the start, and so has a pool", async () => {
    await using origin = await startHttp((got) => got.header("x-a") ?? "none");
    using manager = new PoolManager();
    using pool = new HTTPConnectionPool(origin.host, origin.port);
    for (const client of [manager, pool]) {
      assert.deepEqual(client.headers, {});
      assert.equal((await client.request("GET", `${origin.url}/`)).data.toString(), "none");
      (client.headers as Record<string, string>)["X-A"] = "1";
      assert.equal((await client.request("GET", `${origin.url}/`)).data.toString(), "1");
    }
  });

  it("finds one pool for a host however it is written", () => {
    using manager = new PoolManager();
    for (const [host, url] of [
      ["b\u00fccher.de", "http://B\u00dcCHER.de/"],
      ["ex%61mple.com", "http://example.com"],
      ["[FE80::1%25eth0]", "http://[fe80::1%eth0]:80/"],
    ] as const) {
      assert.equal(manager.connectionFromHost(host), manager.connectionFromUrl(url));
    }
    assert.equal(manager.connectionFromHost("h", null, ""), manager.connectionFromHost("h"));
  });

  it("needs a scheme in a context", () => {
    using manager = new PoolManager();
    assert.throws(() => manager.connectionFromContext({ host: "h" } as never), URLSchemeUnknown);
  });

  it("takes null for every one of poolKwargs", () => {
    using manager = new PoolManager({ maxsize: 1, timeout: 5, retries: 2 });
    const none = { maxsize: null, timeout: null, retries: null };
    const bare = manager.connectionFromHost("h", null, "http", none);
    assert.equal(bare, manager.connectionFromUrl("http://h", none));
    assert.notEqual(bare, manager.connectionFromHost("h"));
  });

  it("keeps no idle connection with a keepAliveTimeout of 0", async () => {
    await using origin = await startHttp(() => "x");
    using manager = new PoolManager({ keepAliveTimeout: 0 });
    await manager.request("GET", `${origin.url}/`);
    await manager.request("GET", `${origin.url}/`);
    const pool = manager.connectionFromUrl(origin.url);
    assert.deepEqual([pool.numConnections, pool.numIdle], [2, 0]);
    const bad: PoolOptions = { keepAliveTimeout: -1 };
    assert.throws(() => new HTTPConnectionPool("h", 80, bad), InvalidArgumentError);
  });
});

describe("options of a request", () => {
  it("null is none", async () => {
    assert.equal((await sent("GET", null)).headText, (await sent("GET", {})).headText);
    const { header, body } = await sent("POST", {
      fields: { a: "1" },
      encodeMultipart: null,
      multipartBoundary: null,
    });
    assert.match(header("content-type") ?? "", /^multipart\/form-data; boundary=[0-9a-f]{32}$/);
    assert.match(body.toString(), /name="a"\r\n\r\n1\r\n/);
  });

  it("json counts in the two halves of request too", async () => {
    await using origin = await startHttp(() => "x");
    using manager = new PoolManager();
    await manager.requestEncodeBody("PUT", origin.url, { json: [1] });
    await manager.requestEncodeUrl("GET", origin.url, { json: [2], fields: { q: "1" } });
    assert.deepEqual(
      origin.received.map((got) => [got.target, got.body.toString(), got.header("content-type")]),
      [
        ["/", "[1]", "application/json"],
        ["/?q=1", "[2]", "application/json"],
      ],
    );
    await assert.rejects(
      manager.requestEncodeBody("PUT", origin.url, { json: 1, body: "x" }),
      InvalidArgumentError,
    );
  });

  it("fields of a query may be lists and booleans; null leaves one out", async () => {
    const fields = { a: [1, "2", true, 4], b: false, c: null };
    assert.equal((await sent("GET", { fields })).target, "/x?a=1&a=2&a=true&a=4&b=false");
  });
});

describe("forms", () => {
  it("booleans and big integers go out as their text", () => {
    const { body } = encodeMultipartFormdata({ yes: true, no: false, big: 12345678901234567890n }, "b");
    const values = body.toString().matchAll(/\r\n\r\n(.*)\r\n/g);
    assert.deepEqual(
      Array.from(values, ([, value]) => value),
      ["true", "false", "12345678901234567890"],
    );
  });

  it("a null boundary is none given", () => {
    assert.match(encodeMultipartFormdata({}, null).contentType, /; boundary=[0-9a-f]{32}$/);
  });

  it("a field takes its headers from whatever holds them", () => {
    for (const headers of [
      { "x-a": "1" },
      new Headers({ "x-a": "1" }),
      new HTTPHeaderDict({ "x-a": "1" }),
      [["x-a", "1"]],
    ]) {
      const field = new RequestField("n", "d", { headers: headers as Headers });
      assert.equal(field.renderHeaders(), "x-a: 1\r\n\r\n");
    }
  });
});

/** What arrives of a request. */
async function sent(method: string, options: RequestOptions | null): Promise<OriginRequest> {
  await using origin = await startHttp(() => "x");
  using manager = new PoolManager({ headers: { Host: "h" } });
  await manager.request(method, `${origin.url}/x`, options);
  return origin.received[0]!;
}
