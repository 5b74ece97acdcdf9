/** The built package, as its users load it. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const root = findRoot(dirname(fileURLToPath(import.meta.url)));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const skip = existsSync(join(root, "dist/index.js")) ? false : "the package is not built";

const DOCUMENTED = `
  PoolManager HTTPConnectionPool HTTPSConnectionPool connectionFromUrl request HTTPResponse
  BasePoolKey HTTPPoolKey HTTPSPoolKey defaultKeyNormalizer RecentlyUsedContainer
  Retry Timeout HTTPHeaderDict SKIP_HEADER SKIPPABLE_HEADERS makeHeaders parseUrl Url
  RequestField encodeMultipartFormdata blockPrivateAddresses
`;

const ERRORS = `
  HTTPError MaxRetryError ConnectTimeoutError ReadTimeoutError NewConnectionError NameResolutionError ProxyError
  SSLError ProtocolError IncompleteRead InvalidChunkLength DecodeError LocationParseError LocationValueError
  URLSchemeUnknown HostChangedError EmptyPoolError ClosedPoolError FullPoolError ResponseError UnrewindableBodyError
  InvalidHeader ProxySchemeUnknown PoolError RequestError TimeoutError InvalidArgumentError AddressBlockedError
`;

type Names = Record<string, unknown>;
type ErrorClass = new (...args: unknown[]) => Error & { code: string };

describe("the package", { skip }, () => {
  it("exports what is documented, under its own name", async () => {
    const names = (await import("urlpool")) as Names;
    const missing = [...words(DOCUMENTED), ...words(ERRORS)].filter((name) => names[name] === undefined);
    assert.deepEqual(missing, []);
    assert.equal(names.default, undefined);
  });

  it("hides its insides", async () => {
    for (const path of ["urlpool/dist/index.js", "urlpool/pool/pool.js"]) {
      await assert.rejects(import(path), { code: "ERR_PACKAGE_PATH_NOT_EXPORTED" });
    }
  });

  it("has no character that would make the engine keep the source at two bytes for each", () => {
    for (const entry of ["index", "cache", "fetch", "har", "testing"]) {
      const text = readFileSync(join(root, `dist/${entry}.js`), "utf8");
      assert.deepEqual(text.match(/.*[^\0-\xff].*/), null, `dist/${entry}.js`);
    }
  });

  it("loads with require where the runtime can", (t) => {
    if (!(process.features as { require_module?: boolean }).require_module) return t.skip("no require(esm)");
    const script =
      "const { PoolManager } = require('urlpool'); console.log(typeof PoolManager, require('urlpool/package.json').version)";
    assert.equal(run("commonjs", script).stdout.trim(), `function ${manifest.version}`);
  });

  it("sends its own version as User-Agent", async () => {
    const { USER_AGENT, VERSION } = (await import("../src/core/defaults.ts")) as Names;
    assert.equal(USER_AGENT, `urlpool/${manifest.version}`);
    if (VERSION !== undefined) assert.equal(VERSION, manifest.version);
  });

  it("imports without side effects: no listeners, timers, handles or globals, and the program ends at once", () => {
    const script = `
      const before = Object.getOwnPropertyNames(globalThis).length;
      const listeners = () => process.eventNames().map((name) => [name, process.listenerCount(name)]);
      const events = JSON.stringify(listeners());
      const timers = [];
      for (const name of ["setTimeout", "setInterval", "setImmediate"]) {
        const original = globalThis[name];
        globalThis[name] = (...args) => { timers.push(name); return original(...args); };
      }
      await import("urlpool");
      console.log(JSON.stringify({
        globals: Object.getOwnPropertyNames(globalThis).length - before,
        events: JSON.stringify(listeners()) === events,
        timers,
        resources: process.getActiveResourcesInfo().filter((name) => !/^(TTY|Pipe|FS|Close)/.test(name)),
      }));
      process.on("exit", () => { if (performance.now() > 20_000) process.exitCode = 7; });
    `;
    const { stdout, stderr, status } = run("module", script);
    assert.deepEqual(JSON.parse(stdout), { globals: 0, events: true, timers: [], resources: [] });
    assert.deepEqual([stderr, status], ["", 0]);
  });

  it("lets a program end whose connections are idle", () => {
    const script = `
      import http from "node:http";
      import { PoolManager } from "urlpool";
      const server = http.createServer((request, response) => response.end("x")).listen(0, "127.0.0.1", async () => {
        const manager = new PoolManager();
        await manager.request("GET", "http://127.0.0.1:" + server.address().port + "/");
        console.log(manager.stats().pools[0].idle);
        server.unref();
        server.on("connection", (socket) => socket.unref());
      });
      server.on("connection", (socket) => socket.unref());
    `;
    const { stdout, status } = run("module", script);
    assert.deepEqual([stdout.trim(), status], ["1", 0]);
  });

  it("gives every class and function the name it is exported by", async () => {
    for (const [name, value] of Object.entries((await import("urlpool")) as Names)) {
      if (typeof value === "function") assert.equal(value.name, name);
    }
  });

  it("gives every error class a code of its own", async () => {
    const names = (await import("urlpool")) as Names;
    const classes = Object.values(names).filter(isErrorClass);
    const codes = classes.map((Class) => new Class("x", {}).code);
    for (const code of codes) assert.match(code, /^ERR_URLPOOL_[A-Z_]+$/);
    assert.equal(new Set(codes).size, codes.length);
    assert.ok(classes.length >= words(ERRORS).length);
    for (const Class of classes) assert.equal(new Class("x", {}).name, Class.name);
  });
});

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

function isErrorClass(value: unknown): value is ErrorClass {
  return typeof value === "function" && value.prototype instanceof Error;
}

/** Runs a script in a process of its own, in the package's folder. */
function run(
  type: "module" | "commonjs",
  script: string,
): { stdout: string; stderr: string; status: number | null } {
  const args = ["--no-warnings", `--input-type=${type}`, "--eval", script];
  const env = { ...process.env, NODE_OPTIONS: "", NODE_DEBUG: "" };
  const result = spawnSync(process.execPath, args, { cwd: root, env, encoding: "utf8", timeout: 20_000 });
  assert.equal(result.error, undefined);
  assert.equal(result.status, 0, result.stderr);
  return result;
}

/** The folder of package.json, from the compiled test up. */
function findRoot(folder: string): string {
  const path = join(folder, "package.json");
  return existsSync(path) && createRequire(path)(path).name === "urlpool"
    ? folder
    : findRoot(dirname(folder));
}
