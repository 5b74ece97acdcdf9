import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LARGE, teacher } from "../../src/core/body-memory.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { measuredClient } from "../kit/measured-client.ts";
import { startOrigin } from "../kit/origin.ts";

leakGate();

const MIB = 1024 * 1024;

/** Sizes of the blocks that are freed when bodies of `sizes` come. */
function freed(platform: NodeJS.Platform, ...sizes: number[]): number[] {
  const blocks: number[] = [];
  const expect = teacher(platform, (size) => blocks.push(size));
  for (const size of sizes) expect(size);
  return blocks;
}

describe("what the allocator is taught", () => {
  it("once, at the first large body", () => {
    assert.deepEqual(freed("linux", 0, LARGE - 1), []);
    const blocks = freed("linux", LARGE - 1, LARGE, LARGE, 100 * MIB);
    assert.equal(blocks.length, 1);
    // glibc learns from nothing larger than 32 MiB.
    assert.ok(blocks[0]! > 31 * MIB && blocks[0]! < 32 * MIB - 4096, `${blocks[0]} bytes`);
  });

  it("only on Linux", () => {
    for (const platform of ["darwin", "win32", "freebsd"] as const)
      assert.deepEqual(freed(platform, MIB), []);
  });
});

describe("page faults of large bodies", { skip: !hasGlibc() && "not glibc" }, () => {
  it("bodies of 1 MiB come into memory that the process has", async () => {
    await using origin = await startOrigin(async (connection) => {
      const answer = Buffer.concat([
        Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${MIB}\r\n\r\n`),
        Buffer.alloc(MIB, "x"),
      ]);
      for (;;) {
        await connection.readHead();
        await connection.send(answer);
      }
    });
    const { faults } = await measuredClient(`
      const get = async (count) => {
        for (let done = 0; done < count; done++) await manager.request("GET", ${JSON.stringify(origin.url)});
      };
      await get(200);
      const before = process.resourceUsage().minorPageFault;
      await get(200);
      report({ faults: (process.resourceUsage().minorPageFault - before) / 200 });`);
    // 256 pages are 1 MiB; the engine has some of its own.
    assert.ok(Number(faults) < 64, `${faults} page faults for each body`);
  });
});

function hasGlibc(): boolean {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime !== undefined;
}
