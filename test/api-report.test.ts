/** The public surface is the one that the report shows. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The error of the check, or "". */
function report(...args: string[]): string {
  const script = join(ROOT, "scripts/api-report.mjs");
  const { stderr, status } = spawnSync(process.execPath, [script, ...args], { encoding: "utf8" });
  assert.equal(status === 0, stderr === "", stderr);
  return stderr;
}

describe("the report of the public surface", () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "urlpool-api-"));
    file = join(folder, "report.md");
    mkdirSync(join(folder, "inner"));
    write(
      "index.d.ts",
      'export { Pool, type Size as PoolSize } from "./inner/pool.ts";\nexport * from "./inner/more.ts";\n',
    );
    write(
      "inner/pool.d.ts",
      `import type { Limit } from "./limit.ts";
/** Comment. */
export declare class Pool {
    #private;
    /** Comment. */
    readonly size: Size;
    limit(): Limit;
}
export type Size = number;
export declare const hidden: string;
`,
    );
    write("inner/limit.d.ts", "export interface Limit {\n    most: number;\n}\n");
    write("inner/more.d.ts", "export declare function more(count: number): void;\n");
    report(folder, file);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function write(name: string, text: string): void {
    writeFileSync(join(folder, name), text);
  }

  it("is up to date", () => {
    assert.equal(report("--check"), "");
  });

  it("shows exported declarations and the types in them, without comments and private members", () => {
    const text = readFileSync(file, "utf8");
    assert.match(text, /class Pool \{\n {4}readonly size: Size;\n {4}limit\(\): Limit;\n\}/);
    assert.match(text, /\/\/ as PoolSize\nexport type Size = number;/);
    assert.match(text, /interface Limit \{\n {4}most: number;\n\}/);
    assert.match(text, /function more\(count: number\)/);
    assert.doesNotMatch(text, /Comment|private|hidden/);
  });

  for (const [what, name, text] of [
    ["a changed signature", "inner/more.d.ts", "export declare function more(count: string): void;\n"],
    [
      "a new export",
      "inner/more.d.ts",
      "export declare function more(count: number): void;\nexport type X = 1;\n",
    ],
    [
      "a changed type that is not exported",
      "inner/limit.d.ts",
      "export interface Limit {\n    least: number;\n}\n",
    ],
    [
      "an export that is gone",
      "index.d.ts",
      'export { Pool, type Size as PoolSize } from "./inner/pool.ts";\n',
    ],
  ] as const) {
    it(`is out of date after ${what}`, () => {
      assert.equal(report("--check", folder, file), "");
      write(name, text);
      assert.match(report("--check", folder, file), /public surface has changed .*\n.*npm run api/);
    });
  }

  it("does not change with a comment or an inner name", () => {
    write(
      "inner/limit.d.ts",
      "/** What for. */\nexport interface Limit {\n    most: number;\n}\nexport type Other = 1;\n",
    );
    assert.equal(report("--check", folder, file), "");
  });
});
