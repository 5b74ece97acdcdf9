/** A program does not end while a request of its own is pending, and ends by itself when none is. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { startFrames, wholeAnswer } from "../kit/h2-service.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

/** What a program prints that has nothing else to do. `later` waits without keeping it alive. */
async function printed(code: string): Promise<string> {
  const index = new URL("../../src/index.js", import.meta.url).href;
  const program = `
    import { PoolManager } from ${JSON.stringify(index)};
    const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms).unref());
    const show = (request) => request.then(({ data }) => console.log(String(data)), ({ name }) => console.log(name));
    ${code}`;
  const options = { timeout: 20_000, env: { ...process.env, NODE_OPTIONS: "", NODE_DEBUG: "" } };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "-e", program],
    options,
  );
  return stdout.trim();
}

/** The programs, which get the URL of a server that answers "fine", and what each of them prints. */
const PENDING: Record<string, [program: (url: string) => string, printed: string]> = {
  "a place in the pool": [
    (url) => `
      const manager = new PoolManager({ maxsize: 1, poolTimeout: 300 });
      const first = await manager.request("GET", "${url}large", { preloadContent: false });
      await show(manager.request("GET", "${url}"));
      first.close();`,
    "EmptyPoolError",
  ],
  "a place of maxConnections": [
    (url) => `
      const manager = new PoolManager({ maxConnections: 1 });
      const first = await manager.request("GET", "${url}large", { preloadContent: false });
      await show(manager.request("GET", "${url}".replace("127.0.0.1", "127.0.0.2"), { deadline: 300 }));
      first.close();`,
    "DeadlineError",
  ],
  "a slow look-up": [
    (url) => `
      const lookup = (_name, _options, done) => later(300).then(() => done(null, "127.0.0.1", 4));
      await show(new PoolManager({ lookup }).request("GET", "${url}".replace("127.0.0.1", "slow.test")));`,
    "fine",
  ],
  "a look-up that never ends": [
    () => `
      const manager = new PoolManager({ lookup: () => {}, retries: false, timeout: 300 });
      await show(manager.request("GET", "http://slow.test/"));`,
    "ConnectTimeoutError",
  ],
  "a proxy that is named late": [
    (url) => `
      const manager = new PoolManager({ proxy: () => later(300).then(() => null) });
      await show(manager.request("GET", "${url}"));`,
    "fine",
  ],
  "a proxy that is never named": [
    (url) => `
      const manager = new PoolManager({ proxy: () => new Promise(() => {}) });
      await show(manager.request("GET", "${url}", { deadline: 300 }));`,
    "DeadlineError",
  ],
  "a body that its function never gives": [
    (url) => `
      const body = () => new Promise(() => {});
      await show(new PoolManager().request("POST", "${url}", { body, deadline: 300 }));`,
    "DeadlineError",
  ],
  "a body whose source is slow": [
    (url) => `
      async function* body() { yield "x"; await later(300); yield "y"; }
      await show(new PoolManager().request("POST", "${url}", { body: body() }));`,
    "fine",
  ],
  "the back-off before another try": [
    () => `
      const retries = { total: 1, backoffFactor: 300 };
      await show(new PoolManager().request("GET", "http://127.0.0.1:1/", { retries }));`,
    "MaxRetryError",
  ],
  "the rest of a large body, which its reader had paused": [
    (url) => `
      const response = await new PoolManager().request("GET", "${url}large", { preloadContent: false });
      // A body that nobody reads is no reason to stay: this waits by itself.
      await new Promise((resolve) => setTimeout(resolve, 300));
      console.log((await response.read()).length);`,
    "4000000",
  ],
};

describe("a program ended silently while its request waited for", () => {
  for (const [what, [program, expected]] of Object.entries(PENDING)) {
    it(what, async () => {
      await using origin = await startHttp(
        ({ target }) => (target === "/large" ? Buffer.alloc(4_000_000) : "fine"),
        { host: "0.0.0.0" },
      );
      assert.equal(await printed(program(`http://127.0.0.1:${origin.port}/`)), expected);
    });
  }
});

it("a program with an idle HTTP/2 connection ends by itself, and one whose request waits does not", async () => {
  await using server = await startFrames((path, id) =>
    path === "/silence" ? Buffer.alloc(0) : wholeAnswer(id, Buffer.from("fine"), true),
  );
  const began = performance.now();
  const program = `
    const manager = new PoolManager({ http2: "prior-knowledge", keepAliveTimeout: 60_000 });
    const url = "http://127.0.0.1:${server.port}";
    await show(manager.request("GET", url + "/"));
    await show(manager.request("GET", url + "/silence", { deadline: 300 }));
    await show(manager.request("GET", url + "/"));`;
  assert.equal(await printed(program), "fine\nDeadlineError\nfine");
  // Sooner than the limit for the acknowledgement of settings.
  assert.ok(performance.now() - began < 9000);
});

it("a program with idle connections, and with timers of limits that are far, ends by itself", async () => {
  await using origin = await startHttp(() => "fine");
  const began = performance.now();
  const program = `
    const manager = new PoolManager({ keepAliveTimeout: 60_000 });
    await show(manager.request("GET", "${origin.url}/", { deadline: 60_000, poolTimeout: 60_000, timeout: 60_000 }));`;
  assert.equal(await printed(program), "fine");
  assert.ok(performance.now() - began < 15_000);
});
