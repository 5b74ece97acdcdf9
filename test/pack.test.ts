/** What `npm pack` would publish, for both packages. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The files of a package, with those of `dist/` as patterns of their kind. */
function packed(folder: string): string[] {
  const args = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const { stdout, stderr, status } = spawnSync("npm", args, {
    cwd: join(ROOT, folder),
    encoding: "utf8",
    shell: process.platform === "win32",
    timeout: 50_000,
  });
  assert.equal(status, 0, stderr);
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  return files.map(({ path }) => path).sort();
}

interface Manifest {
  main?: string;
  types?: string;
  bin?: Record<string, string>;
  exports?: object;
}

/** Every file that a package.json points to. */
function pointedTo(folder: string): string[] {
  const { main, types, bin, exports } = JSON.parse(
    readFileSync(join(ROOT, folder, "package.json"), "utf8"),
  ) as Manifest;
  const text = JSON.stringify([main, types, bin, exports]);
  return [...text.matchAll(/"\.\/([^"]+\.\w+)":?/g)]
    .filter(([all]) => !all.endsWith(":"))
    .map(([, path]) => path!);
}

describe("npm pack", () => {
  for (const [folder, others, kinds] of [
    [
      ".",
      ["CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", "package.json"],
      /^dist\/.*\.(c?js|d\.c?ts)$/,
    ],
    ["cli", ["LICENSE", "README.md", "package.json"], /^dist\/.*\.js$/],
  ] as const) {
    it(`of ${folder} holds what its package.json points to, and nothing that users have no use for`, () => {
      const files = packed(folder);
      assert.deepEqual(
        files.filter((path) => !path.startsWith("dist/")),
        others,
      );
      assert.deepEqual(
        files.filter((path) => path.startsWith("dist/") && !kinds.test(path)),
        [],
      );
      assert.deepEqual(
        pointedTo(folder).filter((path) => !files.includes(path)),
        [],
      );
      assert.ok(pointedTo(folder).length > 0);
    });
  }
});
