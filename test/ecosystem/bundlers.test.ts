/** The package in bundles. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runNode } from "../docs/run-node.ts";
import { load, PRINTED, project, skip, WORKSHOP } from "./workshop.ts";

interface Stats {
  toJson(options: object): { errors: { message: string }[]; warnings: { message: string }[] };
}

type Webpack = (config: object, done: (error: Error | null, stats: Stats) => void) => void;

describe("bundlers", { skip }, () => {
  for (const [program, format] of [
    ["program.js", "esm"],
    ["program.cjs", "cjs"],
  ] as const) {
    it(`work without a warning: esbuild, minified, ${format}`, async () => {
      const { build } = await import("esbuild");
      const folder = project("bundle");
      const outfile = join(folder, `esbuild.${format === "esm" ? "mjs" : "cjs"}`);
      const options = { bundle: true, minify: true, platform: "node", format, logLevel: "silent" } as const;
      const { warnings } = await build({ ...options, entryPoints: [join(folder, program)], outfile });
      assert.deepEqual(warnings, []);
      await printsTheSame(outfile, format);
    });

    it(`work without a warning: webpack, ${format}`, async () => {
      const folder = project("bundle");
      const output = { path: folder, filename: "webpack.mjs", module: true, chunkFormat: "module" };
      const cjs = { path: folder, filename: "webpack.cjs" };
      const { errors, warnings } = await webpack({
        mode: "production",
        optimization: { minimize: false },
        target: "node20",
        context: folder,
        entry: `./${program}`,
        ...(format === "esm" ? { experiments: { outputModule: true }, output } : { output: cjs }),
      });
      assert.deepEqual(
        [...errors, ...warnings].map(({ message }) => message),
        [],
      );
      await printsTheSame(join(folder, format === "esm" ? "webpack.mjs" : "webpack.cjs"), format);
    });
  }
});

describe("minifiers", { skip }, () => {
  it("leave the names of all errors, and instanceof, as they are: esbuild", async () => {
    const { build } = await import("esbuild");
    const folder = project("bundle");
    const outfile = join(folder, "names.min.mjs");
    const entryPoints = [join(folder, "names.js")];
    await build({ bundle: true, minify: true, platform: "node", format: "esm", entryPoints, outfile });
    // Otherwise this proves nothing.
    assert.doesNotMatch(readFileSync(outfile, "utf8"), /class MaxRetryError/);
    const { stdout, stderr } = await runNode([outfile], WORKSHOP);
    assert.deepEqual([stdout, stderr], ["all names survive\n", ""]);
  });

  it("leave them as they are: webpack's, terser", async () => {
    const folder = project("bundle");
    const { errors, warnings } = await webpack({
      mode: "production",
      target: "node20",
      context: folder,
      entry: "./names.js",
      output: { path: folder, filename: "names.webpack.cjs" },
    });
    assert.deepEqual([...errors, ...warnings], []);
    const outfile = join(folder, "names.webpack.cjs");
    assert.doesNotMatch(readFileSync(outfile, "utf8"), /class MaxRetryError/);
    const { stdout, stderr } = await runNode([outfile], WORKSHOP);
    assert.deepEqual([stdout, stderr], ["all names survive\n", ""]);
  });
});

/** Minified, errors keep their names; the constructor's own is that of the class. */
async function printsTheSame(file: string, format: string): Promise<void> {
  const { code, stdout, stderr } = await runNode([file], WORKSHOP);
  assert.deepEqual(
    { code, stderr, stdout: stdout.trim().split("\n") },
    { code: 0, stderr: "", stdout: PRINTED },
    format,
  );
}

async function webpack(config: object): Promise<ReturnType<Stats["toJson"]>> {
  const { default: run } = await load<{ default: Webpack }>("webpack");
  return new Promise((resolve, reject) => {
    run(config, (error, stats) =>
      error ? reject(error) : resolve(stats.toJson({ all: false, errors: true, warnings: true })),
    );
  });
}
