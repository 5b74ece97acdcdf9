/** The channels: which messages, with what in them, in which order; what they cost; and `NODE_DEBUG`. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { trace } from "../../src/core/trace.ts";
import { type HTTPError, PoolManager, Retry } from "../../src/index.ts";
import { answer, ok } from "../kit/answers.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { startHttp } from "../kit/http-origin.ts";
import { withLeakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";
import { script, World } from "../kit/world.ts";

type Message = Record<string, unknown>;

/** Every message on every channel, from now on. */
class Listener implements Disposable {
  readonly messages: [name: string, message: Message][] = [];
  readonly #listener = (message: unknown, name: string | symbol): void => {
    this.messages.push([String(name), { ...(message as Message) }]);
  };
  readonly #names = Object.values(trace).map(({ name }) => String(name));

  constructor() {
    for (const name of this.#names) subscribe(name, this.#listener);
  }

  /** The messages with their numbers counted from 1, and errors as their names; ends of attempts have tests of their own. */
  get told(): [string, Message][] {
    const [requests, connections] = [new Set<unknown>(), new Set<unknown>()];
    const number = (seen: Set<unknown>, id: unknown): number => [...seen.add(id)].indexOf(id) + 1;
    const shown = this.messages.filter(([name]) => name !== "urlpool:attempt:end");
    return shown.map(([name, message]) => {
      const { request, connection, error } = message;
      return [
        name.replace("urlpool:", ""),
        {
          ...message,
          ...(request === undefined ? {} : { request: number(requests, request) }),
          ...(connection === undefined || connection === null
            ? {}
            : { connection: number(connections, connection) }),
          ...(error === undefined || error === null ? {} : { error: (error as Error).name }),
        },
      ];
    });
  }

  [Symbol.dispose](): void {
    for (const name of this.#names) unsubscribe(name, this.#listener);
  }
}

describe("messages", () => {
  it("of a request: refused, retried, redirected, answered; then closed", async () => {
    using world = new World();
    world.host("a.test", "ECONNREFUSED", script(answer(302, "", "Location: http://b.test/x"))).http("b.test");
    using listener = new Listener();
    const manager = world.manager({ retries: new Retry({ total: 3 }) });
    await world.run(manager.request("POST", "http://user:secret@a.test/?q=1#part", { body: "x" }));
    await world.rest();
    manager.clear();
    await world.rest();
    const request = { request: 1, method: "POST", url: "http://a.test/?q=1" };
    const there = { ...request, url: "http://b.test/x" };
    const setup = { dns: 0, connect: 0, tls: null };
    assert.deepEqual(listener.told, [
      ["pool:open", { origin: "http://a.test:80" }],
      ["request:start", request],
      ["attempt:start", { ...request, attempt: 1, reason: "first" }],
      ["connection:error", { route: "a.test:80", error: "NewConnectionError" }],
      ["attempt:start", { ...request, attempt: 2, reason: "retry" }],
      ["connection:open", { connection: 1, route: "a.test:80", ...setup }],
      ["pool:open", { origin: "http://b.test:80" }],
      ["attempt:start", { ...there, attempt: 3, reason: "redirect" }],
      ["connection:open", { connection: 2, route: "b.test:80", ...setup }],
      ["request:end", { ...there, status: 200, attempts: 3 }],
      ["connection:close", { connection: 1, route: "a.test:80", exchanges: 1 }],
      ["pool:close", { origin: "http://a.test:80" }],
      ["connection:close", { connection: 2, route: "b.test:80", exchanges: 1 }],
      ["pool:close", { origin: "http://b.test:80" }],
    ]);
  });

  it("of a resend, and of requests that fail or are given up", async () => {
    using world = new World();
    world.host(
      "a.test",
      script(ok(), ok(), (connection) => connection.close()),
      script(ok(), (connection) => connection.close()),
      "ECONNREFUSED",
    );
    using listener = new Listener();
    const manager = world.manager({ retries: false });
    const urls = ["/1", "/2", "/3", "/4"].map((path) => `http://a.test${path}`);
    for (const url of urls) await world.run(manager.request("GET", url).catch(() => {}));
    const reason = new Error("enough");
    const given = manager.request("GET", "http://a.test/5", { signal: AbortSignal.abort(reason) });
    assert.equal(await world.failure(given), reason);
    const facts = (n: number): Message => ({ request: n, method: "GET", url: `http://a.test/${n}` });
    const told = listener.told.filter(([name]) => !name.startsWith("connection") && !name.startsWith("pool"));
    assert.deepEqual(told, [
      ["request:start", facts(1)],
      ["attempt:start", { ...facts(1), attempt: 1, reason: "first" }],
      ["request:end", { ...facts(1), status: 200, attempts: 1 }],
      ["request:start", facts(2)],
      ["attempt:start", { ...facts(2), attempt: 1, reason: "first" }],
      ["request:end", { ...facts(2), status: 200, attempts: 1 }],
      ["request:start", facts(3)],
      ["attempt:start", { ...facts(3), attempt: 1, reason: "first" }],
      ["attempt:start", { ...facts(3), attempt: 2, reason: "resend" }],
      ["request:end", { ...facts(3), status: 200, attempts: 2 }],
      ["request:start", facts(4)],
      ["attempt:start", { ...facts(4), attempt: 1, reason: "first" }],
      ["attempt:start", { ...facts(4), attempt: 2, reason: "resend" }],
      ["request:error", { ...facts(4), error: "NewConnectionError", attempts: 2 }],
      ["request:start", facts(5)],
      ["request:error", { ...facts(5), error: "Error", attempts: 0 }],
    ]);
    const closed = listener.told.filter(([name]) => name === "connection:close");
    assert.deepEqual(
      closed.map(([, message]) => message.exchanges),
      [3, 2],
    );
    const failed = listener.messages.find(([name]) => name === "urlpool:request:error")![1]
      .error as HTTPError;
    assert.deepEqual([failed.method, failed.url, failed.attempt], ["GET", "http://a.test/4", 2]);
  });

  it("of a pool's own request, which has no pool channel; a TLS connection with its time", async (t) => {
    withLeakGate(t);
    const authority = await makeAuthority();
    await using origin = await startHttp(() => "ok", { tls: await authority.issue({ ips: ["127.0.0.1"] }) });
    using listener = new Listener();
    await using manager = new PoolManager({ caCertData: authority.cert });
    const pool = manager.connectionFromUrl(origin.url);
    await pool.request("GET", "/");
    const names = listener.told.map(([name]) => name);
    assert.deepEqual(names, [
      "pool:open",
      "request:start",
      "attempt:start",
      "connection:open",
      "request:end",
    ]);
    const { tls, connect, dns, route } = listener.told[3]![1];
    assert.ok(
      (tls as number) > 0 && (connect as number) > 0 && (dns as number) >= 0,
      `${tls} ${connect} ${dns}`,
    );
    assert.equal(route, `127.0.0.1:${origin.port}`);
  });

  it("numbers are unique over all managers and pools", async () => {
    using world = new World().http("a.test").http("b.test");
    using listener = new Listener();
    const clients = [world.manager(), world.manager()];
    const all = clients.flatMap((one) => [
      one.request("GET", "http://a.test/"),
      one.request("GET", "http://b.test/"),
    ]);
    await world.run(Promise.all(all));
    const numbers = (name: string, key: string): Set<unknown> =>
      new Set(
        listener.messages.filter(([one]) => one === `urlpool:${name}`).map(([, message]) => message[key]),
      );
    assert.equal(numbers("request:start", "request").size, 4);
    assert.equal(numbers("connection:open", "connection").size, 4);
    for (const client of clients) client.clear();
  });
});

describe("what it costs", () => {
  it("nothing is published, and so no message made, while nobody listens", async (t) => {
    using world = new World();
    // The kit's own listeners.
    world[Symbol.dispose]();
    world.host(
      "a.test",
      "ECONNREFUSED",
      script(answer(302, "", "Location: /x"), ok(), (one) => one.close()),
    );
    world.host("b.test", "ECONNREFUSED");
    const published = Object.values(trace).map((channel) => t.mock.method(channel, "publish", () => {}));
    const manager = world.manager();
    await world.run(manager.request("GET", "http://a.test/"));
    await world.run(manager.request("GET", "http://a.test/").catch(() => {}));
    await world.failure(manager.request("GET", "http://b.test/"));
    manager.clear();
    await world.rest();
    assert.deepEqual(
      published.map(({ mock }) => mock.callCount()),
      published.map(() => 0),
    );
  });
});

/** Runs a module with these variables; `index` is the library. */
async function child(script: string, env: NodeJS.ProcessEnv): Promise<{ out: string; err: string }> {
  const index = new URL("../../src/index.js", import.meta.url).href;
  const source = `import * as urlpool from ${JSON.stringify(index)};\n${script}`;
  const running = spawn(process.execPath, ["--input-type=module", "-e", source], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_OPTIONS: "", NODE_DEBUG: "", ...env },
  });
  const closed = once(running, "close");
  const [out, err] = await Promise.all([text(running.stdout), text(running.stderr)]);
  assert.deepEqual((await closed)[0], 0, err);
  return { out, err };
}

describe("NODE_DEBUG", () => {
  const requests = (url: string): string => `
    const manager = new urlpool.PoolManager({ retries: 1 });
    const url = ${JSON.stringify(url)}.replace("//", "//user:secret1@");
    await manager.request("GET", url, { headers: { Authorization: "secret2", Cookie: "secret3" } });
    await manager.request("POST", url + "gone", { body: "secret4" }).catch(() => {});
    await manager.request("GET", "http://user:secret5@127.0.0.1:1/").catch(() => {});
    await manager.close();`;

  it("urlpool: each message as a line on stderr, without a secret", async (t) => {
    withLeakGate(t);
    await using origin = await startHttp(({ target }) => {
      const away = target === "/" ? `http://user:secret6@127.0.0.1:${origin.port}/there` : null;
      if (away !== null) return { status: 302, headers: { Location: away, "Set-Cookie": "secret7" } };
      return target === "/gone" ? { status: 500, body: "secret8" } : "ok";
    });
    const { out, err } = await child(requests(`${origin.url}/`), { NODE_DEBUG: "urlpool" });
    assert.equal(out, "");
    assert.ok(!/secret|user/.test(err), err);
    const here = `127.0.0.1:${origin.port}`;
    const lines = err
      .trimEnd()
      .split("\n")
      .map((line) => line.replace(/^URLPOOL \d+: /, "").replace(/(dns|connect)=[\d.]+/g, "$1=n"));
    const ends = lines.filter((line) => line.startsWith("attempt:end"));
    assert.equal(ends.length, 5);
    assert.match(
      ends[0]!,
      /request=1 attempt=1 method=GET .* reused=false requestHeadBytes=\d+ requestBytes=\d+ responseHeadBytes=\d+ status=302 bytes=0/,
    );
    assert.deepEqual(
      lines
        .filter((line) => !ends.includes(line))
        .map((line) => line.replaceAll(here, "HERE").replace(/ error=.*/, " error")),
      [
        "pool:open origin=http://HERE",
        "request:start request=1 method=GET url=http://HERE/",
        "attempt:start request=1 method=GET url=http://HERE/ attempt=1 reason=first",
        "connection:open connection=1 route=HERE dns=n connect=n tls=null",
        "attempt:start request=1 method=GET url=http://HERE/there attempt=2 reason=redirect",
        "request:end request=1 method=GET url=http://HERE/there status=200 attempts=2",
        "request:start request=2 method=POST url=http://HERE/gone",
        "attempt:start request=2 method=POST url=http://HERE/gone attempt=1 reason=first",
        "request:end request=2 method=POST url=http://HERE/gone status=500 attempts=1",
        "pool:open origin=http://127.0.0.1:1",
        "request:start request=3 method=GET url=http://127.0.0.1:1/",
        "attempt:start request=3 method=GET url=http://127.0.0.1:1/ attempt=1 reason=first",
        "connection:error route=127.0.0.1:1 error",
        "attempt:start request=3 method=GET url=http://127.0.0.1:1/ attempt=2 reason=retry",
        "connection:error route=127.0.0.1:1 error",
        "request:error request=3 method=GET url=http://127.0.0.1:1/ error",
        "connection:close connection=1 route=HERE exchanges=3",
        "pool:close origin=http://HERE",
        "pool:close origin=http://127.0.0.1:1",
      ],
    );
    assert.match(
      err,
      /request:error .* error="MaxRetryError: GET http:\/\/127\.0\.0\.1:1\/: Max retries .*ECONNREFUSED/,
    );
  });

  it("something else, or nothing: silence", async (t) => {
    withLeakGate(t);
    await using origin = await startOrigin(ok());
    for (const debug of ["", "other", "url"]) {
      const { out, err } = await child(requests(`${origin.url}/`), { NODE_DEBUG: debug });
      assert.deepEqual([out, err], ["", ""]);
    }
  });
});

describe("fault 50: a subscriber that throws", () => {
  it("is an uncaught exception of the program's; requests do not notice", async (t) => {
    withLeakGate(t);
    await using origin = await startOrigin(ok("good"));
    const names = Object.values(trace)
      .map(({ name }) => String(name))
      // Told only where there is a cookie jar.
      .filter((name) => name !== "urlpool:cookie:rejected");
    const script = `
      import { subscribe } from "node:diagnostics_channel";
      const caught = [];
      process.on("uncaughtException", (error) => caught.push(error.message));
      for (const name of ${JSON.stringify(names)}) subscribe(name, () => { throw new Error(name); });
      const manager = new urlpool.PoolManager({ retries: 1 });
      const texts = [];
      for (let i = 0; i < 3; i++) texts.push(await (await manager.request("GET", ${JSON.stringify(origin.url)})).text());
      const error = await manager.request("GET", "http://127.0.0.1:1/").catch((thrown) => thrown);
      const { pools } = manager.stats();
      await manager.close();
      await new Promise((resolve) => setImmediate(resolve));
      const busy = pools.map(({ busy, queued }) => busy + queued);
      console.log(JSON.stringify({ texts, error: error.name, busy, caught: [...new Set(caught)].sort() }));`;
    const { out } = await child(script, {});
    assert.deepEqual(JSON.parse(out), {
      texts: ["good", "good", "good"],
      error: "MaxRetryError",
      busy: [0, 0],
      caught: names.sort(),
    });
    assert.equal(origin.accepted, 1);
  });
});
