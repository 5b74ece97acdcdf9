/** The types of the package in every mode in which TypeScript resolves modules. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { load, skip, WORKSHOP } from "./workshop.ts";

const OWN = join(WORKSHOP, "node_modules/urlpool");

interface Problem {
  kind: string;
}

interface Attw {
  createPackageFromTarballData(data: Uint8Array): unknown;
  checkPackage(pkg: unknown): Promise<{ types: unknown; problems: Problem[] }>;
}

describe("the types of the package", { skip }, () => {
  it("resolve in every mode of TypeScript (attw)", async () => {
    const attw = await load<Attw>("@arethetypeswrong/core");
    const found = await attw.checkPackage(attw.createPackageFromTarballData(packed()));
    assert.ok(found.types);
    // Subpaths need TypeScript's node16 or bundler resolution, as in most packages.
    const serious = found.problems.filter(({ kind }) => kind !== "NoResolution");
    assert.deepEqual(serious, []);
  });
});

/** The package as `npm publish` would send it. */
function packed(): Uint8Array {
  const folder = join(WORKSHOP, "pack");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(OWN, join(folder, "urlpool"), { recursive: true });
  const args = ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder];
  const npm = spawnSync("npm", args, {
    cwd: join(folder, "urlpool"),
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  assert.equal(npm.status, 0, npm.stderr);
  return new Uint8Array(readFileSync(join(folder, npm.stdout.trim())));
}
