/** A release is refused unless everything agrees on it. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FILES = [
  "package.json",
  "cli/package.json",
  "src/core/defaults.ts",
  "README.md",
  "cli/README.md",
  "LICENSE",
];

describe("npm run release", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "urlpool-release-"));
    for (const file of FILES) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      cpSync(join(ROOT, file), join(folder, file));
    }
    change("package.json", /"build": "[^"]+"/, '"build": "node --version"');
    change("CHANGELOG.md", /^/, "# Changelog\n\n## [Unreleased]\n\n- Something new.\n");
    git("init", "-q");
    commit();
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function change(file: string, from: RegExp, to: string): void {
    const path = join(folder, file);
    const text = file === "CHANGELOG.md" ? "" : readFileSync(path, "utf8");
    assert.match(text, from);
    writeFileSync(path, text.replace(from, to));
  }

  function git(...args: string[]): void {
    const identity = ["-c", "user.name=x", "-c", "user.email=x@localhost"];
    const { status, stderr } = spawnSync("git", [...identity, ...args], { cwd: folder, encoding: "utf8" });
    assert.equal(status, 0, stderr);
  }

  function commit(): void {
    git("add", "-A");
    git("commit", "-q", "-m", "x");
  }

  function release(...args: string[]): { status: number | null; all: string } {
    const script = join(ROOT, "scripts/release.mjs");
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
      cwd: folder,
      encoding: "utf8",
      timeout: 50_000,
    });
    return { status, all: stdout + stderr };
  }

  it("prepares a version in every place, and then would publish both packages, but not in a dry run", () => {
    assert.equal(release("--prepare", "7.8.9").status, 0);
    assert.match(readFileSync(join(folder, "src/core/defaults.ts"), "utf8"), /VERSION: string = "7\.8\.9"/);
    assert.match(readFileSync(join(folder, "cli/package.json"), "utf8"), /"urlpool": "\^7\.8\.9"/);
    assert.match(
      readFileSync(join(folder, "CHANGELOG.md"), "utf8"),
      /## \[Unreleased\]\n\n## \[7\.8\.9\] - \d{4}-\d\d-\d\d\n\n- Something/,
    );
    commit();
    const { status, all } = release("7.8.9", "--dry-run", "--skip-tests");
    assert.equal(status, 0, all);
    assert.match(all, /\+ urlpool@7\.8\.9/);
    assert.match(all, /\+ urlpool-cli@7\.8\.9/);
    assert.match(all, /nothing was published/);
  });

  it("refuses a version that the files do not have, changes without a version, and a tree that is not clean", () => {
    writeFileSync(join(folder, "new.txt"), "x");
    const { status, all } = release("7.8.9", "--dry-run", "--skip-tests");
    assert.equal(status, 1);
    assert.match(all, /\npackage\.json says .*, not 7\.8\.9/);
    assert.match(all, /\ncli\/package\.json says /);
    assert.match(all, /\nsrc\/core\/defaults\.ts says /);
    assert.match(all, /no entry \[7\.8\.9\]/);
    assert.match(all, /not under a version/);
    assert.match(all, /the tree is not clean:\n\?\? new\.txt/);
    assert.doesNotMatch(all, /npm /);
  });

  it("refuses what is no version, and a tag that is there", () => {
    assert.match(release("seven").all, /not a version: seven/);
    assert.match(release("--prepare", "1.2").all, /not a version: 1\.2/);
    release("--prepare", "7.8.9");
    commit();
    git("tag", "v7.8.9");
    assert.match(release("7.8.9", "--dry-run").all, /the tag v7\.8\.9 is there already/);
  });
});

describe("the version", () => {
  it("is one for the library, the command and what they send", () => {
    const manifest = (file: string) =>
      JSON.parse(readFileSync(join(ROOT, file), "utf8")) as {
        version: string;
        dependencies?: Record<string, string>;
      };
    const { version } = manifest("package.json");
    const command = manifest("cli/package.json");
    assert.equal(command.version, version);
    assert.equal(command.dependencies!.urlpool, `^${version}`);
    assert.ok(
      readFileSync(join(ROOT, "src/core/defaults.ts"), "utf8").includes(`VERSION: string = "${version}"`),
    );
    const { stdout } = spawnSync(process.execPath, [join(ROOT, "cli/dist/urlpool.js"), "--version"], {
      encoding: "utf8",
    });
    assert.equal(stdout.trim(), version);
  });
});
