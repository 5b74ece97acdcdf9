/** `npm start`: the walk-through against origins of its own; `npm start -- URL...`: the same for real URLs. */

import { HTTPError, PoolManager } from "urlpool";
import { print, style } from "./terminal.ts";
import { visit } from "./visit.ts";
import { walkThrough } from "./walk-through.ts";

const urls = process.argv.slice(2);

try {
  if (urls.length === 0) await walkThrough();
  else await visit(new PoolManager(10), urls);
} catch (error) {
  print(
    style(
      "red",
      error instanceof HTTPError ? `${error.name} (${error.code}): ${error.message}` : String(error),
    ),
  );
  process.exitCode = 1;
}
