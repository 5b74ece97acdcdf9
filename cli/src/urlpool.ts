#!/usr/bin/env node
/** The binary: arguments in, exit code out. */

import { EXIT } from "./failure.ts";
import { main } from "./main.ts";

// A reader that goes away early (`| head`) is no crash.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(EXIT.write);
});

process.exitCode = await main(process.argv.slice(2));
