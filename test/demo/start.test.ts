/** `npm start`, as somebody does who has just cloned the repository. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

describe("npm start", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "urlpool-start-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function start(...args: string[]): { status: number | null; stdout: string; stderr: string } {
    return spawnSync(process.execPath, [join(ROOT, "scripts/start.mjs"), ...args], {
      encoding: "utf8",
      env: { ...process.env, TMPDIR: folder, TEMP: folder },
      timeout: 50_000,
    });
  }

  it("writes its waterfall to a folder that nobody could know beforehand, a new one each time", () => {
    const paths = [start(), start()].map(({ status, stdout, stderr }) => {
      assert.equal(status, 0, stderr);
      return /^ {2}(.*waterfall\.svg)$/m.exec(stdout)![1]!;
    });
    assert.notEqual(paths[0], paths[1]);
    for (const path of paths) {
      assert.equal(dirname(dirname(path)), folder);
      assert.match(readFileSync(path, "utf8"), /^<svg [\s\S]*<title>[\s\S]*<\/svg>\s*$/);
    }
  });

  it("has a --help that makes no request, and refuses what it does not know", () => {
    const help = start("--help");
    assert.deepEqual([help.status, help.stderr], [0, ""]);
    assert.match(help.stdout, /npm start -- URL\.\.\./);
    assert.doesNotMatch(help.stdout, /waterfall/);
    const wrong = start("--nope");
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /unknown option --nope/);
  });
});
