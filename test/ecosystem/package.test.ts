/** The package in the hands of its users' compilers, and by import and require at once. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runNode } from "../docs/run-node.ts";
import { load, PRINTED, project, skip, WORKSHOP } from "./workshop.ts";

const OWN = join(WORKSHOP, "node_modules/urlpool");

interface Publint {
  publint(options: object): Promise<{ messages: { code: string; type: string }[] }>;
}

describe("the package's shape", { skip }, () => {
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

  for (const flag of ["--experimental-require-module", "--no-experimental-require-module"]) {
    it(`subpaths share the core, with ${flag}`, async () => {
      const script = `
        const { PoolManager, RequestMethods } = require("urlpool");
        const { cached, FileStore } = require("urlpool/cache");
        const { install } = require("urlpool/fetch");
        const { recordHar } = require("urlpool/har");
        const manager = new PoolManager();
        console.log(cached(manager) instanceof RequestMethods, typeof FileStore, typeof install, recordHar(manager).entries.length);`;
      const { stdout, stderr } = await runNode(["--no-warnings", flag, "-e", script], WORKSHOP);
      assert.deepEqual([stdout, stderr], ["true function function 0\n", ""]);
    });
  }

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

const PROGRAM = `
import type { Agent } from "node:http";
import { HTTPError, HTTPResponse, PoolManager, Retry, type CookieJarLike, type PoolAgent, type PoolOptions } from "urlpool";
import { cached, FileStore, MemoryStore, type CacheStatus } from "urlpool/cache";
import { install } from "urlpool/fetch";
import { recordHar, type Har } from "urlpool/har";
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
export const agent: Agent = manager.agent;
export const own: PoolAgent = manager.agent;
export const fetched: Promise<Response> = manager.fetch("http://example.com/");
export const cache = cached(manager, { store: process.env.X ? new FileStore("x") : new MemoryStore() });
export const answer: Promise<HTTPResponse> = cache.request("GET", "http://example.com/", { cacheFor: 1 });
export const status: CacheStatus = "hit";
export const har: Har = recordHar(manager).toJSON();
export const restore: () => void = install(manager);
export const jar: CookieJarLike = { getCookieString: () => "", setCookie: () => {} };
`;
