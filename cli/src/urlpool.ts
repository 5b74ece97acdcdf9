#!/usr/bin/env node
/** The binary: arguments in, exit code out. */

import module from "node:module";
import { EXIT } from "./failure.ts";

// From Node 22.1 on: the compiled code of earlier starts.
(module as { enableCompileCache?: () => void }).enableCompileCache?.();

// A reader that goes away early (`| head`) is no crash, and a full disk is a line.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE")
    process.stderr.write(`urlpool: cannot write standard output: ${error.message}\n`);
  process.exit(EXIT.write);
});
// Nobody is left to be told; the exit code stays what it is.
process.stderr.on("error", () => {});

const { main } = await import("./main.ts");
process.exitCode = await main(process.argv.slice(2));
