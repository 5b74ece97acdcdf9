/** The Node versions to measure on. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { npm, ROOT } from "../../scripts/ensure.mjs";

const NEWER_MAJOR = 24;

/** `{ path, version }` of a version such as `24` or `22.12.0`, of a path to a binary, or of `current`. */
export function findNode(wanted) {
  const path = wanted === "current" ? process.execPath : wanted;
  const binary = /^\d+(\.\d+)*$/.test(path) ? installed(path) : path;
  const version = execFileSync(binary, ["-p", "process.versions.node"], { encoding: "utf8" }).trim();
  return { path: binary, version };
}

/** This Node, and one of at least 24. */
export function defaultNodes() {
  const current = findNode("current");
  return Number.parseInt(current.version, 10) >= NEWER_MAJOR
    ? [current]
    : [current, findNode(String(NEWER_MAJOR))];
}

/** The binary of a version from the npm registry, kept where `npm run test:nodes` keeps it. */
function installed(version) {
  if (`${process.versions.node}.`.startsWith(`${version}.`)) return process.execPath;
  const name = `node-linux-${process.arch}`;
  const folder = join(ROOT, "node_modules/.cache/nodes", version);
  const binary = join(folder, "node_modules", name, "bin/node");
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    npm("install", "--no-save", "--no-package-lock", "--prefix", folder, `${name}@${version}`);
  }
  return binary;
}
