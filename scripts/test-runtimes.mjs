/**
 * `npm run test:runtimes [runtimes]`: the smoke of `test/runtimes/` on Bun and Deno, with what `npm test` has built.
 *
 *     npm run test:runtimes              Bun and Deno
 *     npm run test:runtimes -- deno@2    this
 *
 * The binaries come from the npm registry, as parts of the packages `bun` and `deno`. They are kept in
 * node_modules/.cache/runtimes/.
 */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layOut, runSmoke } from "../test/runtimes/run.mjs";
import { npm, ROOT } from "./ensure.mjs";

const CACHE = join(ROOT, "node_modules/.cache/runtimes");
const DEFAULT = ["bun", "deno"];

/** What stands before the program's name. */
const ARGUMENTS = { bun: ["run"], deno: ["run", "--allow-all", "--node-modules-dir=manual"] };

/** What is not as on Node, and told in docs/platforms.md. */
const DIFFERENCES = { bun: ["the caller's frame in a stack"], deno: [] };

/** Whether exactly these behaviours differ. */
function hasOnly(lines, differences) {
  const failed = lines.flatMap((line) => /^FAIL (.*?): /.exec(line)?.[1] ?? []);
  return /^\d+ of \d+$/.test(lines.at(-1)) && failed.join() === differences.join();
}

/** How the parts of the packages are named. */
const PARTS = {
  bun: () => [
    `@oven/bun-${process.platform}-${process.arch === "arm64" ? "aarch64" : process.arch}`,
    "bin/bun",
  ],
  deno: () => [
    `@deno/${process.platform}-${process.arch}${process.platform === "linux" ? "-glibc" : ""}`,
    "deno",
  ],
};

/** The path of a runtime's binary, installed on first use. */
function binaryOf(name, version) {
  const folder = join(CACHE, `${name}-${version}`);
  const [part, file] = PARTS[name]();
  const binary = join(folder, "node_modules", part, file + (process.platform === "win32" ? ".exe" : ""));
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    // The part is enough; the package itself would copy it once more.
    npm(
      "install",
      "--no-save",
      "--no-package-lock",
      "--ignore-scripts",
      "--prefix",
      folder,
      `${part}@${version}`,
    );
  }
  return binary;
}

async function tryOn(given) {
  const [name, version = "latest"] = given.split("@");
  if (!(name in PARTS)) throw new TypeError(`unknown runtime: ${name} (bun or deno)`);
  const binary = binaryOf(name, version);
  const [exact] = execFileSync(binary, ["--version"], { encoding: "utf8" }).split("\n");
  const title = exact.startsWith(name) ? exact : `${name} ${exact}`;
  console.log(`\n== ${title}`);
  // Outside the repository: below it Deno would take `urlpool` for a member of our workspace.
  const folder = mkdtempSync(join(tmpdir(), "urlpool-smoke-"));
  layOut(ROOT, folder);
  const servers = await startServers(folder);
  const { code, lines } = await runSmoke(folder, servers.where, binary, ...ARGUMENTS[name]);
  await servers[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
  for (const line of lines) if (!line.startsWith("ok ")) console.log(line);
  if (code === null) console.log("it did not end by itself");
  return { title, passed: code !== null && hasOnly(lines, DIFFERENCES[name]) };
}

const built = join(ROOT, ".build/test/runtimes/servers.js");
if (!existsSync(built) || !existsSync(join(ROOT, "dist/index.js"))) {
  console.error("the tests are not built: run `npm test` first");
  process.exit(1);
}
const { startServers } = await import(built);
const given = process.argv.slice(2);
const results = [];
for (const runtime of given.length > 0 ? given : DEFAULT) results.push(await tryOn(runtime));
console.log("");
for (const { title, passed } of results) console.log(`${title}: ${passed ? "passed" : "FAILED"}`);
process.exit(results.every(({ passed }) => passed) ? 0 : 1);
