/**
 * What the front door (fetch, the agent, cookies) costs those who import the root only: bytes of program text that Node
 * reads and compiles, counted in the bundle that is published, and modules of Node's own. No stopwatch: it differs from
 * machine to machine.
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";

const ROOT = findRoot(dirname(fileURLToPath(import.meta.url)));

/** Modules that are there for the front door alone. */
const FRONT_DOOR = /^src\/(?:adapters\/|dial\/wire\.ts$|client\/cookies\.ts$)/;

/** Most of what it may add, as a part of the rest. */
const MOST = 0.1;

describe("importing the root", () => {
  let metafile: Metafile;
  before(async () => {
    ({ metafile } = await build({
      entryPoints: ["src/index.ts"],
      absWorkingDir: ROOT,
      bundle: true,
      platform: "node",
      format: "esm",
      external: ["socks"],
      metafile: true,
      write: false,
    }));
  });

  it("grows by no more than 10 % by the front door", () => {
    const [{ inputs }] = Object.values(metafile.outputs) as [Metafile["outputs"][string]];
    let own = 0;
    let rest = 0;
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      if (FRONT_DOOR.test(path)) own += bytesInOutput;
      else rest += bytesInOutput;
    }
    // Otherwise it counts nothing.
    assert.ok(own > 20_000 && rest > 200_000, `${own} and ${rest} bytes`);
    assert.ok(own <= MOST * rest, `${own} bytes on ${rest}: ${((own / rest) * 100).toFixed(1)} %`);
  });

  it("loads neither the cache, the archives nor the testing kit", () => {
    const others = Object.keys(metafile.inputs).filter((path) => /^src\/(?:addons|testing)\//.test(path));
    assert.deepEqual(others, []);
  });

  it("loads no module of Node's for the front door's sake", () => {
    const loaded = (wanted: boolean): string[] =>
      Object.entries(metafile.inputs)
        .filter(([path]) => FRONT_DOOR.test(path) === wanted)
        .flatMap(([, { imports }]) => imports.filter(({ kind }) => kind === "import-statement"))
        .filter(({ path }) => path.startsWith("node:"))
        .map(({ path }) => path);
    // Node has loaded events before any program begins.
    const rest = new Set([...loaded(false), "node:events"]);
    assert.ok(rest.has("node:net"));
    assert.deepEqual(
      loaded(true).filter((name) => !rest.has(name)),
      [],
    );
  });
});

function findRoot(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : findRoot(dirname(folder));
}
