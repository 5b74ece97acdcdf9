/**
 * `npm test`: everything from a fresh clone to the verdict.
 *
 *     npm test                              all tests, after the lint check
 *     npm test -- core/url pool/            only test files whose path contains one of these
 *     npm test -- --test-name-pattern=LRU   passed on to Node's test runner, as every other --test-... option
 *     npm test -- --no-lint                 without the lint check
 *     npm test -- --verbose                 a line for every test, as on a terminal
 */

import { spawnSync } from "node:child_process";
import { realpathSync } from "node:fs";
import {
  compileAll,
  ensureBuild,
  ensureDependencies,
  ensureEcosystem,
  filesBelow,
  ROOT,
  run,
  runPackage,
} from "./ensure.mjs";

/** The flags that tests run with, on every Node version. On Node 20 the time limit is for a whole file, later for each test too; a soak gets its own on top. */
export const NODE_FLAGS = [
  "--expose-gc",
  "--enable-source-maps",
  "--test",
  `--test-timeout=${60_000 + Number(process.env.TEST_SOAK_MS ?? 0)}`,
  "--test-concurrency=2",
];

/** The compiled test files of the sources that exist now, so that a deleted test does not run on. */
export function compiledTests(filters = []) {
  return ["test", "cli/test"]
    .flatMap(filesBelow)
    .filter((path) => path.endsWith(".test.ts"))
    .filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)))
    .map((path) => `.build/${path.replace(/\.ts$/, ".js")}`);
}

/** A line for each test on a terminal; failures and the summary elsewhere. */
export function reporter(verbose) {
  return `--test-reporter=${verbose || process.stdout.isTTY ? "spec" : "./scripts/quiet-reporter.mjs"}`;
}

function main(args) {
  const filters = args.filter((arg) => !arg.startsWith("-"));
  const options = args.filter((arg) => arg.startsWith("--test-"));
  const known = ["--no-lint", "--verbose"];
  const unknown = args.filter((arg) => arg.startsWith("-") && !options.includes(arg) && !known.includes(arg));
  if (unknown.length > 0) fail(`unknown option: ${unknown.join(" ")} (write --test-...=value in one word)`);

  ensureDependencies();
  if (!args.includes("--no-lint")) runPackage("@biomejs/biome/bin/biome", "check", ".");
  ensureBuild();
  compileAll();
  if (process.platform === "linux") run("bash", ["scripts/system-packages.sh"]);

  const files = compiledTests(filters);
  if (files.some((file) => file.includes("/ecosystem/"))) ensureEcosystem();
  if (files.length === 0) fail(`no test file matches: ${filters.join(" ")}`);
  const flags = [...NODE_FLAGS, reporter(args.includes("--verbose")), ...options];
  process.exit(
    spawnSync(process.execPath, [...flags, ...files], { cwd: ROOT, stdio: "inherit" }).status ?? 1,
  );
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

if (import.meta.filename === realpathSync(process.argv[1])) main(process.argv.slice(2));
