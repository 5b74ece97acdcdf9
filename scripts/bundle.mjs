/**
 * `src/` -> `dist/index.js`, one file: importing seventy small modules takes a process several times as long as one
 * large one. The declarations beside it are the compiler's.
 */

import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { build } from "esbuild";

const { outputFiles } = await build({
  entryPoints: ["src/index.ts"],
  outfile: "dist/index.js",
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  legalComments: "none",
  // Optional peers are looked for when they are needed.
  external: ["socks"],
  logLevel: "warning",
  write: false,
});

for (const { path, text } of outputFiles) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, withOwnNames(text));
}

/** A class that names itself comes out as `_Name`, and errors and logs would show that. */
function withOwnNames(text) {
  const renamed = new Set(Array.from(text.matchAll(/^var (\w+) = class _\1 /gm), ([, name]) => name));
  return text.replace(/\b_(\w+)\b/g, (whole, name) => (renamed.has(name) ? name : whole));
}
