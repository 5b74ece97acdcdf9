/** The types of the package fit programs with the DOM's types and without them. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const compiled = dirname(dirname(here));
const root = findRoot(here);

const PROGRAM = `
import { type ErrorCode, HTTPError, HTTPHeaderDict, type HTTPResponse, MaxRetryError, PoolManager } from "urlpool";

export async function run(manager: PoolManager): Promise<unknown> {
  const r: HTTPResponse = await manager.request("GET", new URL("http://x/"), { preloadContent: false });
  const again = new Response(r.body, { status: r.status, headers: new Headers([...r.headers]) });
  for await (const bytes of r.body) bytes.byteLength.toFixed();
  await manager.request("POST", "http://x/", { body: again.body, headers: again.headers });
  await manager.request("POST", "http://x/", { body: new Blob(["x"]), signal: AbortSignal.timeout(5) });
  await manager.request("POST", "http://x/", { body: new FormData(), timeout: { read: 5 }, retries: { total: 1 } });
  await manager.request("POST", "http://x/", { body: new URLSearchParams("a=1"), fields: null });
  const blob: Blob = await r.blob();
  const buffer: ArrayBuffer = await r.arrayBuffer();
  return [blob, buffer, new HTTPHeaderDict(new Headers())];
}

export function codeOf(error: unknown): ErrorCode | undefined {
  if (error instanceof MaxRetryError) error.response?.status.toFixed();
  // @ts-expect-error: no error has this code.
  if (error instanceof HTTPError && error.code === "ERR_URLPOOL_NO_SUCH") return undefined;
  return error instanceof HTTPError ? error.code : undefined;
}
`;

describe("a program of a user compiles", { concurrency: 1 }, () => {
  for (const [name, lib] of [
    ["without the DOM's types", ["es2023", "esnext.disposable"]],
    ["with them", ["es2023", "esnext.disposable", "dom", "dom.iterable"]],
  ] as const) {
    it(name, async () => {
      assert.equal(await compile(lib), "");
    });
  }
});

/** What the compiler has to say. */
async function compile(lib: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(compiled, "dom-types-"));
  const compilerOptions = {
    target: "es2023",
    lib,
    module: "nodenext",
    types: ["node"],
    typeRoots: [join(root, "node_modules/@types")],
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    paths: { urlpool: [join(compiled, "src/index.d.ts")] },
  };
  writeFileSync(join(folder, "program.ts"), PROGRAM);
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["program.ts"] }));
  try {
    return await new Promise((resolve) => {
      const tsc = join(root, "node_modules/typescript/bin/tsc");
      execFile(process.execPath, [tsc, "-p", relative(root, folder)], { cwd: root }, (_error, stdout) =>
        resolve(stdout),
      );
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function findRoot(start: string): string {
  return existsSync(join(start, "package.json")) ? start : findRoot(dirname(start));
}
