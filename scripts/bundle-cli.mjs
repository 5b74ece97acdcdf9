/**
 * `cli/src/` -> `cli/dist/urlpool.js`, and a file for each part that only some commands need: `--version` and `--help`
 * load neither the library nor the rest of the command.
 */

import { rmSync } from "node:fs";
import { build } from "esbuild";

rmSync("cli/dist", { recursive: true, force: true });
await build({
  entryPoints: ["cli/src/urlpool.ts"],
  outdir: "cli/dist",
  bundle: true,
  splitting: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  legalComments: "none",
  external: ["urlpool", "urlpool/har", "robots-parser", "bullmq", "ioredis", "tough-cookie"],
  logLevel: "warning",
});
