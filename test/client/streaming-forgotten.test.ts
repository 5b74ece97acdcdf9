/** `NODE_DEBUG=urlpool`: a response that nobody reads or releases says where it came from; a process of its own each. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

const INDEX = new URL("../../src/index.js", import.meta.url).href;

/** Makes a response in a function named `careless`, which does `use` with it, and collects garbage. */
async function forget(url: string, use: string, debug: string): Promise<{ out: string; err: string }> {
  const script = `
    import { PoolManager } from ${JSON.stringify(INDEX)};
    const manager = new PoolManager({ maxsize: 1 });
    const warnings = [];
    process.on("warning", (warning) => warnings.push(warning));
    async function careless() {
      const response = await manager.request("GET", ${JSON.stringify(url)}, { preloadContent: false });
      ${use}
    }
    await careless();
    const busy = () => manager.stats().pools[0].busy;
    for (let round = 0; round < 100 && (round < 10 || busy() > 0); round++) {
      gc();
      await new Promise(setImmediate);
    }
    const facts = warnings.map(({ name, code, message, detail }) => ({ name, code, message, detail }));
    console.log(JSON.stringify({ busy: busy(), warnings: facts }));
    manager.clear();`;
  const child = spawn(process.execPath, ["--expose-gc", "--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_OPTIONS: "", NODE_DEBUG: debug },
  });
  const closed = once(child, "close");
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.deepEqual((await closed)[0], 0, err);
  return { out, err };
}

interface Outcome {
  busy: number;
  warnings: { name: string; code: string; message: string; detail: string }[];
}

describe("fault 44: a response forgotten", () => {
  const big = { body: Buffer.alloc(1_000_000) };

  it("warns with the request and the call, and its connection is freed", async () => {
    await using origin = await startHttp(() => big);
    const { out, err } = await forget(`${origin.url}/secret`, "await response.read(10);", "urlpool");
    const { busy, warnings } = JSON.parse(out) as Outcome;
    assert.equal(busy, 0);
    assert.deepEqual(
      warnings.map(({ name, code }) => [name, code]),
      [["ForgottenResponseWarning", "URLPOOL_FORGOTTEN_RESPONSE"]],
    );
    assert.ok(warnings[0]!.message.includes(`GET ${origin.url}/secret`), warnings[0]!.message);
    assert.match(warnings[0]!.detail, /at (async )?careless /);
    assert.match(err, /URLPOOL_FORGOTTEN_RESPONSE/);
  });

  it("a short body that was never looked at warns too, though its connection is long free", async () => {
    await using origin = await startHttp(() => "short");
    const { warnings } = JSON.parse((await forget(origin.url, "", "urlpool")).out) as Outcome;
    assert.equal(warnings.length, 1);
  });

  const careful: [name: string, use: string][] = [
    ["read to its end", "await response.text();"],
    ["broken off", "for await (const piece of response) break;"],
    ["released", "response.releaseConn();"],
    ["closed", "response.close();"],
    ["drained", "await response.drainConn();"],
    ["disposed of", "response[Symbol.dispose]();"],
  ];
  for (const [name, use] of careful) {
    it(`${name}: no warning`, async () => {
      await using origin = await startHttp(() => big);
      const { busy, warnings } = JSON.parse((await forget(origin.url, use, "urlpool")).out) as Outcome;
      assert.deepEqual([busy, warnings], [0, []]);
    });
  }

  it("without NODE_DEBUG: freed in silence", async () => {
    await using origin = await startHttp(() => big);
    const { out, err } = await forget(origin.url, "await response.read(10);", "");
    assert.deepEqual([JSON.parse(out), err], [{ busy: 0, warnings: [] }, ""]);
  });
});
