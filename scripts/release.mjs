/**
 * `npm run release -- VERSION`: both packages to npm, with provenance.
 *
 *     npm run release -- --prepare 1.2.0   writes the version everywhere and moves the changelog's entries under it
 *     npm run release -- 1.2.0             checks, tests, builds, packs, publishes
 *     npm run release -- 1.2.0 --dry-run   the same, but nothing is published
 *
 * Provenance needs a CI that npm knows, with an identity of its own (`id-token: write`); npm refuses elsewhere.
 * `--skip-tests` is for a commit that CI has tested.
 */

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const SEMVER = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/;

/** Where the version stands, and the line that holds it. */
const PLACES = [
  ["package.json", /(^ {2}"version": ")([^"]+)/m],
  ["cli/package.json", /(^ {2}"version": ")([^"]+)/m],
  ["cli/package.json", /("urlpool": "\^)([^"]+)/],
  ["src/core/defaults.ts", /(VERSION: string = ")([^"]+)/],
];

/** What keeps a version from being released, in words; empty if nothing does. */
export function obstacles(root, version) {
  const found = PLACES.map(([file, pattern]) => [file, pattern.exec(textOf(root, file))?.[2]])
    .filter(([, there]) => there !== version)
    .map(([file, there]) => `${file} says ${there}, not ${version}`);
  if (!SEMVER.test(version ?? "")) return [`not a version: ${version}`];
  const changes = textOf(root, "CHANGELOG.md");
  const entry = changes.split(/^## /m).find((part) => part.startsWith(`[${version}]`));
  if (entry === undefined) found.push(`CHANGELOG.md has no entry [${version}]`);
  else if (!/^- /m.test(entry)) found.push(`the entry [${version}] of CHANGELOG.md is empty`);
  if (/^## \[Unreleased\]\s+[^#\s]|^## \[Unreleased\]\s+###/m.test(changes)) {
    found.push("CHANGELOG.md has entries that are not under a version");
  }
  const status = git(root, "status", "--porcelain");
  if (status !== "") found.push(`the tree is not clean:\n${status}`);
  if (git(root, "tag", "--list", `v${version}`) !== "") found.push(`the tag v${version} is there already`);
  return found;
}

/** Writes the version to its places, and moves the changelog's entries under it. */
export function prepare(root, version, day = new Date().toISOString().slice(0, 10)) {
  if (!SEMVER.test(version ?? "")) throw new Error(`not a version: ${version}`);
  for (const [file, pattern] of PLACES) {
    writeFileSync(join(root, file), textOf(root, file).replace(pattern, `$1${version}`));
  }
  const heading = `## [Unreleased]\n\n## [${version}] - ${day}`;
  const changes = textOf(root, "CHANGELOG.md").replace("## [Unreleased]", heading);
  writeFileSync(join(root, "CHANGELOG.md"), changes);
}

function textOf(root, file) {
  return readFileSync(join(root, file), "utf8");
}

function git(root, ...args) {
  const { status, stdout, stderr } = spawnSync("git", args, { cwd: root, encoding: "utf8" });
  if (status !== 0) throw new Error(`git ${args[0]}: ${stderr}`);
  return stdout.trimEnd();
}

function npm(root, ...args) {
  console.log(`npm ${args.join(" ")}`);
  const { status } = spawnSync("npm", args, {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`failed: npm ${args.join(" ")}`);
}

/** The steps of a release, the root package first: the command depends on it. */
function release(root, version, { dryRun, skipTests }) {
  const found = obstacles(root, version);
  if (found.length > 0) throw new Error(`not released:\n${found.join("\n")}`);
  if (!skipTests) npm(root, "test");
  npm(root, "run", "build");
  const tag = version.includes("-") ? ["--tag", "next"] : [];
  const mode = dryRun ? ["--dry-run"] : ["--provenance"];
  for (const name of ["urlpool", "urlpool-cli"]) {
    npm(root, "publish", "--workspace", name, "--ignore-scripts", "--access", "public", ...tag, ...mode);
  }
  if (dryRun) return console.log("nothing was published (--dry-run)");
  git(root, "tag", `v${version}`);
  console.log(`published; now: git push origin v${version}`);
}

function main(args) {
  const version = args.find((each) => !each.startsWith("--"));
  try {
    if (args.includes("--prepare")) prepare(process.cwd(), version);
    else
      release(process.cwd(), version, {
        dryRun: args.includes("--dry-run"),
        skipTests: args.includes("--skip-tests"),
      });
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}

if (import.meta.filename === process.argv[1]) main(process.argv.slice(2));
