/** `cli/src/` -> `cli/dist/urlpool.js`, one file: parts that a command does not need are loaded, but not run. */

import { rmSync } from "node:fs";
import { build } from "esbuild";

rmSync("cli/dist", { recursive: true, force: true });
await build({
  entryPoints: ["cli/src/urlpool.ts"],
  outfile: "cli/dist/urlpool.js",
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  legalComments: "none",
  external: ["urlpool", "urlpool/har", "robots-parser", "bullmq", "ioredis", "tough-cookie"],
  logLevel: "warning",
});
