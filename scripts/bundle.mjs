/**
 * `src/` -> `dist/index.js`, one file: importing seventy small modules takes a process several times as long as one
 * large one. The declarations beside it are the compiler's.
 */

import { build } from "esbuild";

await build({
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
});
