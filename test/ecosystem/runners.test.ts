/** The package in test runners. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { project, runTool, skip } from "./workshop.ts";

/** Jest passes over node_modules, where the projects lie. */
const JEST = ["--rootDir=.", "--ci", "--testPathIgnorePatterns=never", '--haste={"retainAllFiles":true}'];

describe("test runners", { skip }, () => {
  it("work: Jest in its default mode, CommonJS", async () => {
    const { code, stdout, stderr } = await runTool("jest/bin/jest.js", JEST, project("jest"));
    assert.equal(code, 0, stdout + stderr);
    assert.match(stderr, /Tests: +5 passed, 5 total/);
  });

  it("work: vitest", async () => {
    const args = ["run", "--root=.", "--no-color"];
    const { code, stdout, stderr } = await runTool("vitest/vitest.mjs", args, project("vitest"));
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /Tests +4 passed/);
  });
});
