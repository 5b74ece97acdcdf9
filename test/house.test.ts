/** The plan of the house, enforced: who may import whom, where time comes from, and what the package promises. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as rules from "./kit/house-rules.ts";

const root = findRoot(dirname(fileURLToPath(import.meta.url)));
const sources = readSources(join(root, "src"));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<string, unknown>;

const RULES: Record<string, (file: rules.SourceFile) => string[]> = {
  "imports go down the stairs only": rules.importBreaches,
  "time comes from core/clock.ts only": rules.timeBreaches,
  "nothing is typed any": rules.anyBreaches,
  "every exported declaration has a doc comment": rules.docBreaches,
  "no file is longer than 450 lines": rules.lengthBreaches,
};

for (const [name, rule] of Object.entries(RULES)) {
  test(name, () => {
    assert.ok(sources.length > 0);
    assert.deepEqual(sources.flatMap(rule), []);
  });
}

test("no files of one floor import each other in a ring", () => {
  assert.deepEqual(rules.cycleBreaches(sources), []);
});

test("the package has no runtime dependencies but optional peers, and no side effects", () => {
  for (const kind of ["dependencies", "optionalDependencies", "bundleDependencies"]) {
    assert.equal(manifest[kind], undefined, kind);
  }
  const peers = Object.keys(manifest.peerDependencies as object);
  const meta = manifest.peerDependenciesMeta as Record<string, { optional?: boolean }>;
  for (const peer of peers) assert.equal(meta[peer]?.optional, true, peer);
  assert.equal(manifest.sideEffects, false);
  assert.equal(manifest.type, "module");
});

test("every file that the package's exports name is built", { skip: notBuilt() }, () => {
  const targets = [manifest.main, manifest.types, ...leaves(manifest.exports)] as string[];
  const missing = targets.filter((target) => !existsSync(join(root, target)));
  assert.deepEqual(missing, []);
});

test("the built package loads by its name, as a module and by require", { skip: notBuilt() }, async () => {
  const name = "urlpool";
  const module = (await import(name)) as Record<string, unknown>;
  assert.deepEqual(Object.keys(createRequire(import.meta.url)(name)).sort(), Object.keys(module).sort());
});

function notBuilt(): string | false {
  return existsSync(join(root, "dist/index.js")) ? false : "the package is not built: npm run build";
}

function findRoot(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : findRoot(dirname(folder));
}

function readSources(folder: string): rules.SourceFile[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({
      path: relative(folder, path).replaceAll("\\", "/"),
      text: readFileSync(path, "utf8"),
    }));
}

function leaves(value: unknown): string[] {
  return typeof value === "object" && value !== null
    ? Object.values(value).flatMap(leaves)
    : [value as string];
}
