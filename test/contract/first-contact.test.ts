/** What strangers and their servers do that the rest of the tests has no place for. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  HTTPError,
  HTTPHeaderDict,
  InvalidArgumentError,
  PoolManager,
  ReadTimeoutError,
  Retry,
} from "../../src/index.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";

leakGate();

async function failure(promise: Promise<unknown>): Promise<HTTPError | InvalidArgumentError> {
  const error = await promise.then(
    () => assert.fail("not refused"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof HTTPError || error instanceof InvalidArgumentError, String(error));
  return error;
}

describe("Location on several lines", () => {
  const moved = (...places: string[]): object => ({
    status: 302,
    headers: places.map((place): [string, string] => ["Location", place]),
  });

  it("counts once if all of them say the same", async () => {
    await using origin = await startHttp(({ target }) => (target === "/" ? moved("/b", "/b") : "there"));
    await using manager = new PoolManager();
    const response = await manager.request("GET", `${origin.url}/`);
    assert.deepEqual([response.url, await response.text()], [`${origin.url}/b`, "there"]);
  });

  it("is refused if they differ", async () => {
    await using origin = await startHttp(({ target }) => (target === "/" ? moved("/b", "/c") : "there"));
    await using manager = new PoolManager({ retries: 1 });
    const { message } = await failure(manager.request("GET", `${origin.url}/`));
    assert.match(message, /Location/);
    assert.equal(origin.received.length, 1);
  });
});

describe("the read timeout of an upload", () => {
  it("a stalled upload ends: the server takes no more, and says nothing", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      connection.socket.pause();
      await connection.closed;
    });
    await using manager = new PoolManager({ retries: false });
    const body = new Uint8Array(32 * 1024 * 1024);
    const error = await failure(manager.request("PUT", origin.url, { body, timeout: { read: 150 } }));
    assert.ok(error instanceof ReadTimeoutError, String(error));
  });

  it("a slow source does not end it", async () => {
    await using origin = await startHttp(({ body }) => body);
    await using manager = new PoolManager({ retries: false });
    const body = async function* (): AsyncGenerator<string> {
      for (let piece = 0; piece < 3; piece += 1) {
        await new Promise((resolve) => setTimeout(resolve, 250));
        yield "x";
      }
    };
    const response = await manager.request("PUT", origin.url, { body, timeout: { read: 120 } });
    assert.equal(await response.text(), "xxx");
  });
});

describe("classes of other packages", () => {
  /** As the platform's, and no instance of it. */
  class ForeignHeaders {
    readonly #pairs: [string, string][];
    constructor(pairs: [string, string][]) {
      this.#pairs = pairs;
    }
    get(name: string): string | null {
      return this.#pairs.find(([key]) => key === name.toLowerCase())?.[1] ?? null;
    }
    entries(): IterableIterator<[string, string]> {
      return this.#pairs.values();
    }
    forEach(each: (value: string, name: string) => void): void {
      for (const [name, value] of this.#pairs) each(value, name);
    }
    [Symbol.iterator](): IterableIterator<[string, string]> {
      return this.entries();
    }
    get [Symbol.toStringTag](): string {
      return "Headers";
    }
  }

  it("their Headers are header fields", async () => {
    await using origin = await startHttp();
    await using manager = new PoolManager();
    const headers = new ForeignHeaders([["x-a", "1"]]);
    await manager.request("GET", origin.url, { headers });
    assert.equal(origin.received[0]!.header("x-a"), "1");
    assert.equal(new HTTPHeaderDict(headers).get("X-A"), "1");
  });

  it("their Requests are taken by fetch", async () => {
    await using origin = await startHttp();
    await using manager = new PoolManager();
    const own = new Request(`${origin.url}/x`, { method: "PUT", body: "some text", headers: { "X-A": "1" } });
    /** All that a Request has, on no prototype of the platform's. */
    const foreign = new Proxy(Object.create({ [Symbol.toStringTag]: "Request" }) as Request, {
      get: (target, name) => {
        if (name === Symbol.toStringTag) return Reflect.get(target, name);
        const value: unknown = Reflect.get(own, name, own);
        return typeof value === "function" ? value.bind(own) : value;
      },
      has: (_target, name) => Reflect.has(own, name),
    });
    assert.ok(!(Object.getPrototypeOf(foreign) === Request.prototype));
    const response = await manager.fetch(foreign);
    assert.equal(response.status, 200);
    const [seen] = origin.received;
    assert.deepEqual([seen!.method, seen!.target, seen!.header("x-a")], ["PUT", "/x", "1"]);
    assert.equal(seen!.body.toString(), "some text");
  });
});

describe("options that look right", () => {
  it('statusForcelist: ["503"] is refused, with what it must be', () => {
    for (const statusForcelist of [["503"], new Set(["503"])]) {
      assert.throws(
        () => new Retry({ statusForcelist: statusForcelist as never }),
        (error: Error) => error instanceof InvalidArgumentError && /statusForcelist/.test(error.message),
      );
    }
  });

  it("foreign names say what they are called here, at the call", async () => {
    using manager = new PoolManager();
    for (const [name, own] of [
      ["params", "fields"],
      ["query", "fields"],
      ["searchParams", "fields"],
      ["data", "body"],
      ["form", "fields"],
    ] as const) {
      const error = await failure(manager.request("GET", "http://127.0.0.1:1/", { [name]: {} }));
      assert.match(error.message, new RegExp(`${name}.*${own}`, "s"));
    }
    assert.throws(() => new PoolManager({ num_pools: 3 } as object), /num_pools.*numPools/s);
  });
});
