/** Lays out a folder with the package as its users have it and the smoke in it, and runs the smoke there with a runtime. */

import { spawn } from "node:child_process";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/** The optional peer, and what it needs. */
const PEER = ["socks", "ip-address", "smart-buffer"];

/** Puts the built package of the repository `root`, its optional peer and the smoke into `folder`. */
export function layOut(root, folder) {
  const own = join(folder, "node_modules/urlpool");
  mkdirSync(own, { recursive: true });
  for (const name of ["package.json", "dist"]) cpSync(join(root, name), join(own, name), { recursive: true });
  for (const name of PEER) {
    cpSync(join(root, "node_modules", name), join(folder, "node_modules", name), { recursive: true });
  }
  cpSync(join(root, "test/runtimes/smoke.mjs"), join(folder, "smoke.mjs"));
}

/** Runs `command ...args smoke.mjs` in `folder`; gives its exit code (`null` if it did not end by itself in time) and its lines. */
export function runSmoke(folder, where, command, ...args) {
  const { NODE_TEST_CONTEXT: _test, NODE_OPTIONS: _options, NODE_DEBUG: _debug, ...inherited } = process.env;
  const env = { ...inherited, SERVERS: where, NO_COLOR: "1" };
  const child = spawn(command, [...args, "smoke.mjs"], {
    cwd: folder,
    env,
    timeout: 55_000,
    killSignal: "SIGKILL",
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, lines: output.trimEnd().split("\n") }));
  });
}
