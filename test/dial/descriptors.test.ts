/** A process that has no file descriptor left. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { startHttp } from "../kit/http-origin.ts";

const index = JSON.stringify(new URL("../../src/index.js", import.meta.url).href);

/** Runs `code` as a module in a process that may have `limit` files open; gives what it prints. */
async function runWith(limit: number, code: string): Promise<string> {
  const script = 'ulimit -n "$0" && exec "$1" --input-type=module -e "$2"';
  const { stdout } = await promisify(execFile)("sh", ["-c", script, `${limit}`, process.execPath, code]);
  return stdout.trim();
}

/** Enough for Node to load all modules at once. */
const LIMIT = 256;

const skip = process.platform === "linux" ? false : "needs ulimit and 127.0.0.0/8";

test("a look-up that fails for want of descriptors says so", { skip }, async () => {
  const printed = await runWith(
    LIMIT,
    `import { openSync } from "node:fs";
    import { PoolManager } from ${index};
    try { for (;;) openSync("/dev/null", "r"); } catch {}
    const manager = new PoolManager({ retries: false });
    const error = await manager.request("GET", "http://localhost:1/").catch((thrown) => thrown);
    console.log(error.name, error.cause?.code, /no file descriptor is left/.test(error.message));`,
  );
  assert.equal(printed, "NameResolutionError EMFILE true");
});

test("a certificate file that cannot be opened for want of descriptors may be opened at the next try", {
  skip,
}, async () => {
  const printed = await runWith(
    LIMIT,
    `import { openSync } from "node:fs";
    import { PoolManager } from ${index};
    const manager = new PoolManager({ retries: false, caCerts: process.execPath });
    const absent = new PoolManager({ retries: false, caCerts: "/no/such/file" });
    const told = [];
    for (const one of [absent, manager]) {
      const error = await one.request("GET", "https://127.0.0.1:1/").catch((thrown) => thrown);
      told.push(error.name, error.cause?.code, error.deterministic);
      try { for (;;) openSync("/dev/null", "r"); } catch {}
    }
    console.log(told.join(" "));`,
  );
  assert.equal(printed, "SSLError ENOENT true SSLError EMFILE false");
});

test("a look-up that fails although there are descriptors does not blame them", { skip }, async () => {
  const printed = await runWith(
    LIMIT,
    `import { PoolManager } from ${index};
    const manager = new PoolManager({ retries: false });
    const error = await manager.request("GET", "http://no.such.host.invalid:1/").catch((thrown) => thrown);
    console.log(error.name, /descriptor/.test(error.message));`,
  );
  assert.equal(printed, "NameResolutionError false");
});

test("idle connections make room for a look-up", { skip }, async () => {
  await using origin = await startHttp(() => "x", { host: "0.0.0.0" });
  const printed = await runWith(
    LIMIT,
    `import { PoolManager } from ${index};
    const manager = new PoolManager(500, { retries: false });
    for (let i = 0; i < 300; i++) {
      await manager.request("GET", "http://127.0." + (1 + i % 2) + "." + (1 + i / 2 | 0) + ":${origin.port}/");
    }
    const { status } = await manager.request("GET", "http://localhost:${origin.port}/");
    console.log(status);
    process.exit();`,
  );
  assert.equal(printed, "200");
});
