/** `npm start [-- arguments]`: the demo, from a fresh clone. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { compileAll, ensureBuild, ensureDependencies, newest, ROOT } from "./ensure.mjs";

const main = join(ROOT, ".build/demo/main.js");

ensureDependencies();
ensureBuild();
const sources = ["src", "cli/src", "demo", "examples", "package.json", "tsconfig.json"];
if (newest(".build/demo/main.js") <= Math.max(...sources.map(newest))) compileAll();
if (!existsSync(main)) {
  console.error("the demo is missing: demo/main.ts is not there, or was not compiled to .build/demo/main.js");
  process.exit(1);
}
process.argv[1] = main;
process.setSourceMapsEnabled(true);
await import(pathToFileURL(main).href);
