/** All that `urlpool:attempt:end` tells of each try, and that a request ends once in the channels. */

import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";
import { type AttemptEndMessage, type RequestOptions, Retry } from "../../src/index.ts";
import type { OriginConnection } from "../kit/origin-connection.ts";
import { script, World } from "../kit/world.ts";

/** The ends of attempts, and how often each request was said to end. */
class Ends implements Disposable {
  readonly attempts: AttemptEndMessage[] = [];
  readonly requests: string[] = [];
  readonly #listeners: [name: string, listener: (message: unknown) => void][] = [
    ["urlpool:attempt:end", (message) => this.attempts.push({ ...(message as AttemptEndMessage) })],
    ["urlpool:request:end", () => this.requests.push("end")],
    ["urlpool:request:error", () => this.requests.push("error")],
  ];

  constructor() {
    for (const [name, listener] of this.#listeners) subscribe(name, listener);
  }

  [Symbol.dispose](): void {
    for (const [name, listener] of this.#listeners) unsubscribe(name, listener);
  }
}

const HEADERS = {
  Authorization: "Bearer s3cr3t",
  Cookie: "a=s3cr3t",
  "proxy-authorization": "s3cr3t",
  "User-Agent": "me",
  "Accept-Encoding": "identity",
};

/** What is not shown of its credentials, in bytes. */
const HIDDEN = "Bearer s3cr3t".length + "a=s3cr3t".length + "s3cr3t".length - 3 * "***".length;
const REQUEST = (target: string): string =>
  [
    `POST ${target} HTTP/1.1`,
    "Host: a.test",
    "Content-Length: 5",
    "Authorization: ***",
    "Cookie: ***",
    "proxy-authorization: ***",
    "User-Agent: me",
    "Accept-Encoding: identity",
    "",
    "",
  ].join("\r\n");

describe("urlpool:attempt:end", () => {
  it("tells heads without credentials, bytes and phases of a retried, a redirected and an answered try", async () => {
    using world = new World();
    const after = async (
      connection: OriginConnection,
      ...parts: [ms: number, text: string][]
    ): Promise<void> => {
      await connection.readBody(5);
      for (const [ms, text] of parts) {
        await world.sleep(ms);
        await connection.send(text);
      }
    };
    const BUSY = "HTTP/1.1 503 Busy\r\nSet-Cookie: s3cr3t\r\nContent-Length: 4\r\n\r\n";
    const AWAY = "HTTP/1.1 307 Away\r\nLocation: http://me:s3cr3t@a.test/there\r\nContent-Length: 0\r\n\r\n";
    const FINE = "HTTP/1.1 200 Fine\r\nContent-Length: 6\r\n\r\n";
    world.host(
      "a.test",
      script(
        (connection) => after(connection, [10, `${BUSY}busy`]),
        (connection) => after(connection, [20, AWAY]),
        (connection) => after(connection, [30, `${FINE}abc`], [40, "def"]),
      ),
    );
    using ends = new Ends();
    const manager = world.manager();
    world.clock.advance(1000);
    const retries = new Retry({ total: 3, statusForcelist: [503], allowedMethods: null });
    const response = await world.run(
      manager.request("POST", "http://a.test/here", { headers: HEADERS, body: "hello", retries }),
    );
    assert.equal(String(response.data), "abcdef");

    const [busy, away, fine] = ends.attempts;
    assert.equal(ends.attempts.length, 3);
    const { request, connection } = busy!;
    assert.ok(Number.isInteger(request) && Number.isInteger(connection));
    const common = {
      request,
      method: "POST",
      connection,
      route: "a.test:80",
      protocol: "http/1.1",
      error: null,
    };
    const sent = (target: string): object => ({
      url: `http://a.test${target}`,
      requestHead: REQUEST(target),
      // The credentials themselves are longer than what is shown in place of them.
      requestHeadBytes: REQUEST(target).length + HIDDEN,
      requestBytes: REQUEST(target).length + HIDDEN + 5,
    });
    const phases = (wait: number, receive: number, setup: number | null): object => ({
      queued: 0,
      dns: setup,
      connect: setup,
      tls: null,
      send: 0,
      wait,
      receive,
    });
    const shown = ({ address: _address, ...rest }: AttemptEndMessage): object => rest;
    assert.deepEqual(shown(busy!), {
      ...common,
      ...sent("/here"),
      attempt: 1,
      reused: false,
      responseHead: BUSY.replace("Set-Cookie: s3cr3t", "Set-Cookie: ***"),
      responseHeadBytes: BUSY.length,
      status: 503,
      bytes: 4,
      phases: phases(10, 0, 0),
    });
    assert.deepEqual(shown(away!), {
      ...common,
      ...sent("/here"),
      attempt: 2,
      reused: true,
      responseHead: AWAY.replace("me:s3cr3t@", ""),
      responseHeadBytes: AWAY.length,
      status: 307,
      bytes: 0,
      phases: phases(20, 0, null),
    });
    assert.deepEqual(shown(fine!), {
      ...common,
      ...sent("/there"),
      attempt: 3,
      reused: true,
      responseHead: FINE,
      responseHeadBytes: FINE.length,
      status: 200,
      bytes: 6,
      phases: phases(30, 40, null),
    });
    assert.deepEqual(ends.requests, ["end"]);
  });

  it("tells of a try without an answer why, and of one without a connection nothing that was not", async () => {
    using world = new World().host(
      "a.test",
      "ECONNREFUSED",
      script((connection) => connection.close()),
    );
    using ends = new Ends();
    const manager = world.manager();
    world.clock.advance(1000);
    for (const name of ["NewConnectionError", "ProtocolError"]) {
      const error = await world.failure(manager.request("GET", "http://a.test/", { retries: false }));
      assert.equal((error as Error).name, name);
      const {
        error: told,
        status,
        responseHead,
        bytes,
        phases,
        requestHead,
        requestBytes,
        connection,
      } = ends.attempts.at(-1)!;
      assert.equal(told, error);
      assert.deepEqual([status, responseHead, bytes, phases.receive], [null, null, 0, null]);
      const dialled = name === "ProtocolError";
      assert.deepEqual(
        [requestHead !== null, requestBytes > 0, connection !== null],
        [dialled, dialled, dialled],
      );
      assert.deepEqual([phases.send, phases.wait], dialled ? [0, 0] : [null, null]);
    }
    assert.deepEqual([ends.attempts.length, ends.requests], [2, ["error", "error"]]);
  });
});

describe("a request ends once in the channels, and so does each try", () => {
  const ENDS: Record<string, [told: string, (world: World, options: RequestOptions) => Promise<unknown>]> = {
    "its body is streamed": [
      "end",
      async (world, options) => {
        const response = await world.run(world.manager().request("GET", "http://a.test/", options));
        await world.run(response.text());
      },
    ],
    "its body breaks off": [
      "end",
      async (world, options) => {
        const response = await world.run(world.manager().request("GET", "http://broken.test/", options));
        await world.failure(response.text());
      },
    ],
    "its body is aborted": [
      "end",
      async (world, options) => {
        const controller = new AbortController();
        const { signal } = controller;
        const response = await world.run(
          world.manager().request("GET", "http://broken.test/", { ...options, signal }),
        );
        controller.abort("enough");
        await world.failure(response.text());
      },
    ],
    "it is aborted while it waits": [
      "error",
      async (world, options) => {
        const controller = new AbortController();
        const { signal } = controller;
        const asked = world.manager().request("GET", "http://silent.test/", { ...options, signal });
        await world.rest();
        controller.abort("enough");
        await world.failure(asked);
      },
    ],
    "its deadline is over": [
      "error",
      (world, options) =>
        world.failure(world.manager().request("GET", "http://silent.test/", { ...options, deadline: 100 })),
    ],
    "its manager is destroyed": [
      "error",
      async (world, options) => {
        const manager = world.manager();
        const asked = manager.request("GET", "http://silent.test/", options);
        await world.rest();
        await Promise.all([world.failure(asked), manager.destroy()]);
      },
    ],
  };
  for (const [how, [told, end]] of Object.entries(ENDS)) {
    it(how, async () => {
      using world = new World().http("a.test", () => "x");
      world.host("silent.test", (connection) => connection.readHead().then(() => {}));
      world.host(
        "broken.test",
        script(async (connection) => {
          await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx");
          await world.sleep(500);
          connection.close();
        }),
      );
      using ends = new Ends();
      await end(world, { preloadContent: false, retries: false });
      await world.clock.elapse(1000);
      assert.deepEqual([ends.requests, ends.attempts.length], [[told], 1]);
      const { error } = ends.attempts[0]!;
      assert.equal(error === null, how === "its body is streamed");
    });
  }
});
