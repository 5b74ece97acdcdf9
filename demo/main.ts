/** `npm start`: the walk-through against origins of its own; `npm start -- URL...`: the same for real URLs. */

import { HTTPError, PoolManager } from "urlpool";
import { draw } from "./picture.ts";
import { print, style } from "./terminal.ts";
import { visit } from "./visit.ts";
import { walkThrough } from "./walk-through.ts";

const HELP = `npm start                 the walk-through, against servers that it starts itself
npm start -- URL...       requests each URL twice, and shows what was reused
npm start -- --help       this text

Both draw their requests, a lane for each connection, to urlpool-waterfall.svg in the system's temporary folder.`;

const args = process.argv.slice(2);
const unknown = args.find((arg) => arg.startsWith("-"));

try {
  if (args.includes("--help") || args.includes("-h")) print(HELP);
  else if (unknown !== undefined) {
    print(style("red", `unknown option: ${unknown}`));
    print(HELP);
    process.exitCode = 2;
  } else if (args.length === 0) await draw(walkThrough);
  else await draw(() => visit(new PoolManager(10), args));
} catch (error) {
  print(
    style(
      "red",
      error instanceof HTTPError ? `${error.name} (${error.code}): ${error.message}` : String(error),
    ),
  );
  process.exitCode = 1;
}
