/**
 * `src/` -> `dist/`. The files directly in `src/` are the package's entries: `src/cache.ts` is `urlpool/cache`. Each
 * becomes one ES module, because importing a hundred small modules takes a process several times as long as one large
 * one; a subpath takes the core from the root entry and has no copy of it.
 *
 * CommonJS: `require` loads the ES modules too where it can, so that a process has one copy of the library: neither
 * `instanceof` nor private fields nor the shared manager would survive a second one. Where it cannot, as in Jest, it
 * takes a translation of them.
 */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { build, transform } from "esbuild";

const TARGET = "node20.19";

/** Optional peers in CommonJS: Jest knows no `import()`, and in a bundle `module` has no `require`. */
const LOAD_PEER = `
async function loadPeer(name) {
  const call = "require";
  return module[call]?.(name) ?? import(/* webpackIgnore: true */ /* @vite-ignore */ name);
}
`;

const entries = readdirSync("src")
  .filter((name) => name.endsWith(".ts"))
  .map((name) => basename(name, ".ts"));

mkdirSync("dist/commonjs", { recursive: true });
const core = await bundle("index");
for (const entry of entries.filter((name) => name !== "index")) {
  const copies = (await bundle(entry)).filter((input) => core.includes(input));
  if (copies.length > 0) {
    throw new Error(`urlpool/${entry} has copies of ${copies.join(", ")}: import their names from index.ts`);
  }
}
for (const path of filesBelow("dist", ".d.ts")) {
  const text = withoutImplements(readFileSync(path, "utf8"));
  writeFileSync(path, text);
  writeFileSync(path.replace(/\.ts$/, ".cts"), commonJsTypes(text));
}

/** Writes the files of an entry; gives the paths of the sources in them. */
async function bundle(entry) {
  const { metafile, outputFiles } = await build({
    entryPoints: [`src/${entry}.ts`],
    bundle: true,
    platform: "node",
    format: "esm",
    target: TARGET,
    legalComments: "none",
    logLevel: "warning",
    plugins: entry === "index" ? [] : [coreFromRoot()],
    metafile: true,
    write: false,
  });
  const text = withOwnNames(outputFiles[0].text);
  const [{ exports }] = Object.values(metafile.outputs);
  writeFileSync(`dist/${entry}.js`, text);
  writeFileSync(`dist/${entry}.cjs`, chooserOf(entry, exports));
  writeFileSync(`dist/commonjs/${entry}.cjs`, withOwnNames(await commonJs(outputFiles[0].text)));
  return Object.keys(metafile.inputs);
}

/** What a subpath imports from `src/index.ts` it gets from the root entry. */
function coreFromRoot() {
  return {
    name: "core-from-root",
    setup: ({ onResolve }) =>
      onResolve({ filter: /\/index\.ts$/ }, ({ path, resolveDir }) =>
        join(resolveDir, path) === join(process.cwd(), "src/index.ts")
          ? { path: "./index.js", external: true }
          : undefined,
      ),
  };
}

/** Loads the ES module, else the translation. In a bundle `module` has no `require`, and the translation is there. */
function chooserOf(entry, names) {
  return `"use strict";
const name = "require";
try {
  module.exports = { ...module[name]("./${entry}.js") };
} catch {
  module.exports = require("./commonjs/${entry}.cjs");
}
// The names, for those who import this file.
0 && (module.exports = { ${names.join(", ")} });
`;
}

/** A bundled ES module as CommonJS, with plain properties on `module.exports`: test runners can replace those. */
async function commonJs(text) {
  const { code } = await transform(text, { format: "cjs", platform: "node", target: TARGET });
  const [line, names] = /^module\.exports = __toCommonJS\((\w+)\);\n/m.exec(code);
  const body = code
    .replace(line, "")
    .replaceAll('require("./index.js")', 'require("./index.cjs")')
    .replaceAll(/\bawait import\([^)]*?(\w+)\s*\)/g, "await loadPeer($1)");
  const loader = body.includes("loadPeer(") ? LOAD_PEER : "";
  return `${body}module.exports = { ...${names} };\n${loader}`;
}

/** What a class implements may be internal, and is not in its declaration then: that would be an error. */
function withoutImplements(text) {
  return text.replace(/^(export declare (?:abstract )?class .*?) implements [^{]*\{$/gm, "$1 {");
}

/** Declarations whose relative imports lead to other `.d.cts`. */
function commonJsTypes(text) {
  return text.replace(/(\b(?:from|import)\s*\(?\s*"\.{1,2}\/[^"]*)\.[jt]s"/g, '$1.cjs"');
}

/** A class that names itself comes out as `_Name`, and errors and logs would show that. */
function withOwnNames(text) {
  const renamed = new Set(Array.from(text.matchAll(/^var (\w+) = class _\1 /gm), ([, name]) => name));
  return text.replace(/\b_(\w+)\b/g, (whole, name) => (renamed.has(name) ? name : whole));
}

function filesBelow(folder, suffix) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => path.endsWith(suffix));
}
