/** `npm start [-- arguments]`: the demo, from a fresh clone. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { compileAll, ensureBuild, ensureDependencies, newest, ROOT } from "./ensure.mjs";

const main = join(ROOT, ".build/demo/main.js");

const HELP = `npm start                 requests, pools and keys, against servers of its own
npm start -- URL...       requests each URL twice, and shows what the pools did
npm start -- --help       this text

The command for the shell is in cli/: see cli/README.md.`;

const flag = process.argv.slice(2).find((each) => each.startsWith("-"));
if (flag === "--help" || flag === "-h") {
  console.log(HELP);
  process.exit(0);
}
if (flag !== undefined) {
  console.error(`unknown option ${flag}\n\n${HELP}`);
  process.exit(2);
}

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
