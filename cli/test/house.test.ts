/** The command keeps the rules of the house: public API only, nothing typed any, every export explained. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import * as rules from "../../test/kit/house-rules.ts";
import { ROOT } from "./kit.ts";

const folder = join(ROOT, "cli/src");
const sources: rules.SourceFile[] = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))
  .map((path) => ({ path: relative(folder, path).replaceAll("\\", "/"), text: readFileSync(path, "utf8") }));
const manifest = JSON.parse(readFileSync(join(ROOT, "cli/package.json"), "utf8")) as Record<
  string,
  object | string
>;

/** Optional packages, and the parts that load them when they are needed. */
const OPTIONAL: Readonly<Record<string, RegExp>> = {
  bullmq: /^queue\//,
  ioredis: /^queue\//,
  "tough-cookie": /^cookies\.ts$/,
};

test("every exported declaration has a doc comment, and nothing is typed any", () => {
  assert.ok(sources.length > 10);
  assert.deepEqual(sources.flatMap(rules.docBreaches), []);
  assert.deepEqual(sources.flatMap(rules.anyBreaches), []);
});

test("files are small", () => {
  assert.deepEqual(
    sources.filter(({ text }) => text.split("\n").length > 450).map(({ path }) => path),
    [],
  );
});

test("imports are the library's public names, Node's, and optional packages on use", () => {
  const breaches = sources.flatMap(({ path, text }) =>
    rules.importedModules(text).flatMap((name) => {
      if (name.startsWith("node:") || name === "urlpool" || name === "urlpool/har") return [];
      if (name.startsWith("."))
        return new URL(name, `file:///cli/src/${path}`).pathname.startsWith("/cli/src/") ? [] : [name];
      const isDynamic = text.includes(`import("${name}")`) || text.includes(`import type`);
      return name in { ...(manifest.dependencies as object) } || (OPTIONAL[name]?.test(path) && isDynamic)
        ? []
        : [`${path}: ${name}`];
    }),
  );
  assert.deepEqual(breaches, []);
});

test("what the package needs is optional or small", () => {
  assert.deepEqual(Object.keys(manifest.dependencies as object).sort(), ["robots-parser", "urlpool"]);
  assert.deepEqual(
    Object.keys(manifest.peerDependencies as object),
    Object.keys(manifest.peerDependenciesMeta as object),
  );
  assert.equal(manifest.version, JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).version);
});
