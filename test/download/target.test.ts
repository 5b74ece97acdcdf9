/** What a download may write to: never through links, never in place of a device, never beside another download. */

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { EventEmitter, once } from "node:events";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { chmod, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { afterEach, beforeEach, describe, it } from "node:test";
import { InvalidArgumentError, PoolManager } from "../../src/index.ts";
import { TemporaryFolder } from "../dial/tls/temporary-folder.ts";
import { type HttpOrigin, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

const POSIX = process.platform === "win32" ? "links and pipes of POSIX" : false;

let origin: HttpOrigin;
let manager: PoolManager;
let folder: TemporaryFolder;
let path: string;

beforeEach(async () => {
  origin = await startHttp(() => ({ body: "from the net", headers: { ETag: '"v1"' } }));
  manager = new PoolManager({ retries: false });
  folder = new TemporaryFolder();
  path = folder.path("out");
});

afterEach(async () => {
  manager.clear();
  folder[Symbol.dispose]();
  await origin.close();
});

leakGate();

const get = (to: string = path) => manager.downloadTo(`${origin.url}/f`, to);
const names = (): string[] => readdirSync(folder.root).sort();

describe("links that somebody put there", { skip: POSIX }, () => {
  for (const name of ["out.part", "out.part.json", "out.part.lock"]) {
    it(`${name} is not written through`, async () => {
      const victim = folder.write("victim", "precious");
      symlinkSync(victim, folder.path(name));
      await get();
      assert.equal(readFileSync(victim, "utf8"), "precious");
      assert.equal(readFileSync(path, "utf8"), "from the net");
      assert.deepEqual(names(), ["out", "victim"]);
      assert.ok(lstatSync(path).isFile());
    });
  }

  it("a part to go on with that is a link, soft or hard, is left alone", async () => {
    for (const link of [symlinkSync, linkSync]) {
      const victim = folder.write("victim", "precious");
      const url = `${origin.url}/f`;
      const origins = { url, etag: '"v1"', lastModified: null, length: 12 };
      writeFileSync(`${path}.part.json`, JSON.stringify(origins));
      link(victim, `${path}.part`);
      const { resumedFrom } = await get();
      assert.equal(resumedFrom, 0);
      assert.equal(readFileSync(victim, "utf8"), "precious");
      assert.equal(readFileSync(path, "utf8"), "from the net");
    }
  });

  it("a target that is a link stays one: what it leads to is replaced", async () => {
    mkdirSync(folder.path("elsewhere"));
    for (const there of [true, false]) {
      const real = folder.path(`elsewhere/real-${there}`);
      if (there) writeFileSync(real, "old");
      const link = folder.path(`link-${there}`);
      symlinkSync(`elsewhere/real-${there}`, link);
      assert.equal((await get(link)).path, link);
      assert.ok(lstatSync(link).isSymbolicLink());
      assert.equal(readFileSync(real, "utf8"), "from the net");
    }
    symlinkSync("loop", folder.path("loop"));
    await assert.rejects(get(folder.path("loop")), InvalidArgumentError);
  });
});

describe("targets that are no files", { skip: POSIX }, () => {
  it("pipes and devices are refused, and stay what they are", async () => {
    const fifo = folder.path("fifo");
    execFileSync("mkfifo", [fifo]);
    symlinkSync("/dev/null", folder.path("null"));
    for (const target of [fifo, folder.path("null"), "/dev/null"]) {
      await assert.rejects(get(target), (error: Error) => {
        assert.ok(error instanceof InvalidArgumentError);
        assert.match(error.message, /is a device or pipe.*read the response instead/);
        return true;
      });
    }
    assert.ok(lstatSync(fifo).isFIFO());
    assert.ok(statSync("/dev/null").isCharacterDevice());
    assert.equal(origin.received.length, 0);
  });

  it("a pipe in place of the part or its sidecar does not hang", async () => {
    for (const name of ["out.part", "out.part.json"]) execFileSync("mkfifo", [folder.path(name)]);
    await get();
    assert.deepEqual(names(), ["out"]);
  });

  it("a file that is replaced keeps its permissions", async () => {
    for (const mode of [0o600, 0o755, 0o444]) {
      writeFileSync(path, "old");
      await chmod(path, mode);
      await get();
      assert.equal(readFileSync(path, "utf8"), "from the net");
      assert.equal(statSync(path).mode & 0o7777, mode);
      await chmod(path, 0o600);
    }
  });
});

describe("two downloads into one file", () => {
  it("are refused over links to the file and to its folder", { skip: POSIX }, async () => {
    mkdirSync(folder.path("real"));
    symlinkSync("real", folder.path("folder-link"));
    symlinkSync("real/out", folder.path("file-link"));
    const events = new EventEmitter();
    await using slow = await startHttp(async () => {
      events.emit("asked");
      await once(events, "go on");
      return "from the net";
    });
    const first = manager.downloadTo(`${slow.url}/f`, folder.path("real/out"));
    await once(events, "asked");
    for (const other of ["folder-link/out", "file-link", "real/../real/out"])
      await assert.rejects(get(folder.path(other)), /is being downloaded already/);
    events.emit("go on");
    await first;
    await get(folder.path("file-link"));
  });

  it("are refused in another process, which is named", async () => {
    writeFileSync(`${path}.part.lock`, JSON.stringify({ pid: process.ppid, host: hostname() }));
    await assert.rejects(get(), (error: Error) => {
      assert.ok(error instanceof InvalidArgumentError);
      assert.match(
        error.message,
        new RegExp(`already, by process ${process.ppid} on .*delete .*out\\.part\\.lock`),
      );
      return true;
    });
    writeFileSync(`${path}.part.lock`, JSON.stringify({ pid: process.ppid, host: "another.example" }));
    await assert.rejects(get(), /on another\.example/);
  });

  it("... unless that process has ended, or the lock is none", async () => {
    const ended = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
    await new Promise((resolve) => ended.once("exit", resolve));
    for (const text of [
      JSON.stringify({ pid: ended.pid, host: hostname() }),
      JSON.stringify({ pid: process.pid, host: hostname() }),
      "",
      "null",
    ]) {
      writeFileSync(`${path}.part.lock`, text);
      const longAgo = new Date(Date.now() - 60_000);
      await utimes(`${path}.part.lock`, longAgo, longAgo);
      await get();
      assert.deepEqual(names(), ["out"]);
    }
  });

  it("an empty lock is being made, if it is new", async () => {
    writeFileSync(`${path}.part.lock`, "");
    await assert.rejects(get(), /already, by another process/);
  });

  it("leave no lock behind, whatever becomes of them", async () => {
    await using broken = await startHttp(() => ({ status: 500 }));
    await assert.rejects(manager.downloadTo(broken.url, path), { status: 500 });
    assert.deepEqual(names(), []);
    await get();
    assert.equal(createHash("md5").update(readFileSync(path)).digest("hex").length, 32);
    assert.deepEqual(names(), ["out"]);
  });
});
