/** The tools and clients of `workshop/package.json`, which `npm test` installs, and programs that run with them. */

import { cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Outcome, runNode } from "../docs/run-node.ts";

const root = findRoot(dirname(fileURLToPath(import.meta.url)));

/** The folder whose `node_modules` has them, and urlpool as users get it. */
export const WORKSHOP: string = join(root, "node_modules/.cache/ecosystem");

/** Why tests with them cannot run; `false` if they can. */
export const skip: string | false = existsSync(join(WORKSHOP, "node_modules/urlpool/dist/index.cjs"))
  ? false
  : "the ecosystem is not installed: npm test -- ecosystem/";

/** What the programs of `projects/bundle` print. */
export const PRINTED: readonly string[] = [
  "{ a: 1 }",
  "true NewConnectionError NewConnectionError ERR_URLPOOL_NEW_CONNECTION",
  "function",
];

/** A copy of `projects/NAME`, from where the installed packages are found. */
export function project(name: string): string {
  const folder = join(WORKSHOP, "projects", name);
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, "test/ecosystem/projects", name), folder, { recursive: true });
  return folder;
}

/** Loads an installed package as a module. */
export async function load<T = Record<string, unknown>>(name: string): Promise<T> {
  return (await import(pathToFileURL(resolvePath(name)).href)) as T;
}

/** The file that `import` finds for a package's name. */
export function resolvePath(name: string): string {
  const { exports, module, main } = manifestOf(name);
  const target = exportTarget(typeof exports === "string" ? exports : (exports?.["."] ?? exports));
  return join(WORKSHOP, "node_modules", name, target ?? module ?? main ?? "index.js");
}

/** Runs an installed tool's script. */
export function runTool(script: string, args: readonly string[], cwd: string): Promise<Outcome> {
  return runNode([join(WORKSHOP, "node_modules", script), ...args], cwd);
}

interface Manifest {
  exports?: string | Record<string, unknown>;
  module?: string;
  main?: string;
}

function manifestOf(name: string): Manifest {
  return JSON.parse(readFileSync(join(WORKSHOP, "node_modules", name, "package.json"), "utf8")) as Manifest;
}

function exportTarget(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return undefined;
  for (const [condition, target] of Object.entries(value)) {
    if (!["node", "import", "module-sync", "default"].includes(condition)) continue;
    const found = exportTarget(target);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** `require` as a program in the workshop has it. */
export const requireThere: NodeJS.Require = createRequire(join(WORKSHOP, "program.cjs"));

function findRoot(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : findRoot(dirname(folder));
}
