/**
 * What the other scripts need before they can start: installed dependencies, the built package, compiled tests.
 * Silent when there is nothing to do; ends the process with the failing tool's exit code.
 */

import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Runs a command in the repository with our stdio; the process ends when it fails. */
export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: ROOT, stdio: "inherit", ...options });
  if (error) throw error;
  if (status !== 0) {
    console.error(`failed: ${command} ${args.join(" ")}`);
    process.exit(status ?? 1);
  }
}

/** Runs npm quietly; Windows finds `npm.cmd` only through a shell. */
export function npm(...args) {
  run("npm", [...args, "--no-audit", "--no-fund", "--loglevel=error"], {
    shell: process.platform === "win32",
  });
}

/** Runs the JavaScript entry of an installed package, such as `typescript/bin/tsc`. */
export function runPackage(entry, ...args) {
  run(process.execPath, [join("node_modules", entry), ...args]);
}

/** `npm ci` when nothing is installed or the lock file has changed since. */
export function ensureDependencies() {
  const installed = changed("node_modules/.package-lock.json");
  if (installed !== 0 && installed >= changed("package-lock.json")) return;
  npm("ci", "--include=dev");
}

/** Builds `dist/` and `cli/dist/` when they are missing or older than what they are made of. */
export function ensureBuild() {
  const sources = ["src", "package.json", "tsconfig.json", "tsconfig.build.json", "scripts/bundle.mjs"];
  if (oldest("dist") <= Math.max(...sources.map(newest))) build();
  const command = ["cli/src", "cli/package.json", "scripts/bundle-cli.mjs"];
  if (oldest("cli/dist") <= Math.max(...command.map(newest))) buildCommand();
}

/** Builds `dist/`: declarations by the compiler, which checks the types, and the bundle. */
export function build() {
  // A file whose source is gone must not be published.
  rmSync(join(ROOT, "dist"), { recursive: true, force: true });
  runPackage("typescript/bin/tsc", "-p", "tsconfig.build.json", "--noEmitOnError");
  run(process.execPath, ["scripts/bundle.mjs"]);
}

/** Builds `cli/dist/`: the bundle of the command. */
export function buildCommand() {
  run(process.execPath, ["scripts/bundle-cli.mjs"]);
}

/** Where the tools and clients of `test/ecosystem/workshop/package.json` are installed. */
export const ECOSYSTEM = join(ROOT, "node_modules/.cache/ecosystem");

/** The tools and clients that `test/ecosystem/` tries the package with, and the package beside them as users get it. */
export function ensureEcosystem() {
  mkdirSync(ECOSYSTEM, { recursive: true });
  const lock = readFileSync(join(ROOT, "test/ecosystem/workshop/package-lock.json"), "utf8");
  const installed = join(ECOSYSTEM, "installed.json");
  if (!existsSync(installed) || readFileSync(installed, "utf8") !== lock) {
    for (const name of ["package.json", "package-lock.json"])
      cpSync(join(ROOT, "test/ecosystem/workshop", name), join(ECOSYSTEM, name));
    npm("ci", "--prefix", ECOSYSTEM);
    writeFileSync(installed, lock);
  }
  const own = join(ECOSYSTEM, "node_modules/urlpool");
  rmSync(own, { recursive: true, force: true });
  for (const name of ["package.json", "dist"]) cpSync(join(ROOT, name), join(own, name), { recursive: true });
}

/** Compiles sources, tests, demo and examples into `.build/`. */
export function compileAll() {
  runPackage("typescript/bin/tsc", "-p", "tsconfig.json");
}

/** Paths (relative to the repository, with forward slashes) of all files below a folder; none if it is missing. */
export function filesBelow(folder) {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length).replaceAll("\\", "/"))
    .sort();
}

/** When the newest file at or below a path was changed; 0 if there is none. */
export function newest(path) {
  return changeTimes(path).reduce((a, b) => Math.max(a, b), 0);
}

/** When the oldest file at or below a path was changed; 0 if there is none. */
function oldest(path) {
  const times = changeTimes(path);
  return times.length === 0 ? 0 : times.reduce((a, b) => Math.min(a, b));
}

function changeTimes(path) {
  const isFolder = statSync(join(ROOT, path), { throwIfNoEntry: false })?.isDirectory();
  return (isFolder ? filesBelow(path) : [path]).map(changed).filter((time) => time !== 0);
}

function changed(path) {
  return statSync(join(ROOT, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
