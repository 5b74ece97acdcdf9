/** The package in the hands of test runners, bundlers and the compilers of its users. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runNode } from "../docs/run-node.ts";
import { load, project, runTool, skip, WORKSHOP } from "./workshop.ts";

const OWN = join(WORKSHOP, "node_modules/urlpool");
const PRINTED = [
  "{ a: 1 }",
  "true NewConnectionError NewConnectionError ERR_URLPOOL_NEW_CONNECTION",
  "function",
];

/** Jest passes over node_modules, where the projects lie. */
const JEST = ["--rootDir=.", "--ci", "--testPathIgnorePatterns=never", '--haste={"retainAllFiles":true}'];

interface Problem {
  kind: string;
}

interface Attw {
  createPackageFromTarballData(data: Uint8Array): unknown;
  checkPackage(pkg: unknown): Promise<{ types: unknown; problems: Problem[] }>;
}

interface Publint {
  publint(options: object): Promise<{ messages: { code: string; type: string }[] }>;
}

interface Stats {
  toJson(options: object): { errors: { message: string }[]; warnings: { message: string }[] };
}

type Webpack = (config: object, done: (error: Error | null, stats: Stats) => void) => void;

describe("the package's shape", { skip }, () => {
  it("has types that resolve in every mode of TypeScript (attw)", async () => {
    const attw = await load<Attw>("@arethetypeswrong/core");
    const found = await attw.checkPackage(attw.createPackageFromTarballData(packed()));
    assert.ok(found.types);
    // Subpaths need TypeScript's node16 or bundler resolution, as in most packages.
    const serious = found.problems.filter(({ kind }) => kind !== "NoResolution");
    assert.deepEqual(serious, []);
  });

  it("has a manifest without faults (publint)", async () => {
    const { publint } = await load<Publint>("publint");
    const { messages } = await publint({ pkgDir: OWN, strict: true, pack: false });
    assert.deepEqual(messages, []);
  });

  for (const module of ["commonjs", "module"]) {
    it(`compiles a ${module} program of a user's`, async () => {
      const folder = join(WORKSHOP, "projects", `types-${module}`);
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "package.json"), JSON.stringify({ type: module }));
      writeFileSync(join(folder, "program.ts"), PROGRAM);
      const tsc = createRequire(import.meta.url)
        .resolve("typescript/package.json")
        .replace("package.json", "bin/tsc");
      const options = [
        "--strict",
        "--noEmit",
        "--module",
        "node16",
        "--target",
        "es2022",
        "--ignoreConfig",
        "--skipLibCheck",
        "false",
      ];
      const lib = [
        "--lib",
        "es2023,esnext.disposable",
        "--types",
        "node",
        "--typeRoots",
        join(WORKSHOP, "node_modules/@types"),
      ];
      const { code, stdout } = await runNode([tsc, ...options, ...lib, "program.ts"], folder);
      assert.deepEqual([stdout, code], ["", 0]);
    });
  }
});

describe("one copy of the library in a process", { skip }, () => {
  it("has the same classes by import and by require, whichever comes first", async () => {
    const compare =
      "const same = Object.keys(a).filter((name) => a[name] !== b[name]); console.log(same, new a.HTTPError('x') instanceof b.HTTPError);";
    for (const script of [
      `const a = require("urlpool"); import("urlpool").then((b) => { ${compare} });`,
      `import("urlpool").then((a) => { const b = require("urlpool"); ${compare} });`,
    ]) {
      const { stdout, stderr } = await runNode(["-e", script], WORKSHOP);
      assert.deepEqual([stdout, stderr], ["[] true\n", ""]);
    }
  });

  it("works as a translation where require knows no modules", async () => {
    const { code, stdout } = await runNode(
      [
        "-e",
        `${readFileSync(join(project("bundle"), "program.cjs"), "utf8")}`,
        "--no-experimental-require-module",
      ],
      WORKSHOP,
    );
    assert.deepEqual([stdout.trim().split("\n"), code], [PRINTED, 0]);
  });
});

describe("test runners", { skip }, () => {
  it("work: Jest in its default mode, CommonJS", async () => {
    const { code, stdout, stderr } = await runTool(
      "jest/bin/jest.js",
      ["--rootDir", ".", "--ci"],
      project("jest"),
    );
    assert.equal(code, 0, stdout + stderr);
    assert.match(stderr, /Tests: +2 passed, 2 total/);
  });

  it("work: vitest", async () => {
    const args = ["run", "--root=.", "--no-color"];
    const { code, stdout, stderr } = await runTool("vitest/vitest.mjs", args, project("vitest"));
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /Tests +1 passed/);
  });
});

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

const PROGRAM = `
import { HTTPError, HTTPResponse, PoolManager, Retry, type PoolOptions } from "urlpool";
const options: PoolOptions = { retries: new Retry({ total: 1 }) };
export const manager: PoolManager = new PoolManager(10, options);
export async function get(): Promise<string> {
  try {
    const response: HTTPResponse = await manager.request("GET", "http://example.com/");
    return await response.text();
  } catch (error) {
    return error instanceof HTTPError ? error.code : "";
  }
}
`;
