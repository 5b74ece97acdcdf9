/** Ceilings of memory, seen from outside: the client runs in a process of its own, and says how much it took at most. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { createGzip } from "node:zlib";
import { leakGate } from "../kit/leak-gate.ts";
import { measuredClient } from "../kit/measured-client.ts";
import { type OriginConnection, startOrigin } from "../kit/origin.ts";

leakGate();

const MIB = 1024 * 1024;
/** Of a streamed body of any length. Newer engines free buffers later, most of all on a busy machine. */
const CEILING = Number.parseInt(process.versions.node, 10) >= 22 ? 180e6 : 120e6;

describe("peak memory", () => {
  it("1 GiB by async iteration stays under a ceiling", async () => {
    const total = 1024 * MIB;
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
      await sendBlocks(connection, total);
    });
    // A busy machine collects garbage late: the least of three is what it takes.
    let peak = Number.POSITIVE_INFINITY;
    for (let run = 0; run < 3 && peak >= CEILING; run++) {
      const outcome = await client(
        origin.url,
        `let read = 0;
        for await (const piece of response) read += piece.length;
        report({ read });`,
      );
      assert.equal(outcome.read, total);
      peak = Math.min(peak, outcome.peak);
    }
    assert.ok(peak < CEILING, `${peak} bytes at most`);
  });

  it("1 GiB as a web stream with a slow reader too", async () => {
    const total = 1024 * MIB;
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send("HTTP/1.1 200 OK\r\n\r\n");
      await sendBlocks(connection, total);
      connection.halfClose();
    });
    const outcome = await client(
      origin.url,
      `let read = 0;
      for await (const piece of response.body) {
        read += piece.length;
        if (read >= ${64 * MIB}) break;
        await new Promise(setImmediate);
      }
      report({ read });`,
    );
    assert.ok(Number(outcome.read) >= 64 * MIB);
    assert.ok(outcome.peak < CEILING, `${outcome.peak} bytes at most`);
  });

  it("a bomb of 50 MiB: no more is decoded than was asked for, and none to drain it", async () => {
    const bomb = await gzipOfOneByte(50 * MIB);
    await using origin = await startOrigin(async (connection) => {
      await connection.readHead();
      await connection.send(
        `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`,
      );
      await connection.send(bomb);
    });
    const outcome = await client(
      origin.url,
      `const before = process.memoryUsage.rss();
      const read = [(await response.read(${MIB})).length, (await response.read(1024)).length];
      await response.drainConn();
      const grown = peakMemory() - before;
      report({ read, wire: response.tell(), grown, left: (await response.read()).length });`,
    );
    assert.deepEqual(outcome.read, [MIB, 1024]);
    assert.deepEqual([outcome.wire, outcome.left], [bomb.length, 0]);
    assert.ok(Number(outcome.grown) < 16e6, `${outcome.grown} bytes more`);
  });
});

/** Runs `code` on the streamed `response` from `url`. */
function client(url: string, code: string): ReturnType<typeof measuredClient> {
  const get = `await manager.request("GET", ${JSON.stringify(url)}, { preloadContent: false })`;
  return measuredClient(`const response = ${get};\n${code}`);
}

async function sendBlocks(connection: OriginConnection, total: number): Promise<void> {
  const block = Buffer.alloc(MIB, "x");
  for (let sent = 0; sent < total && !connection.socket.destroyed; sent += block.length) {
    await connection.send(block);
  }
}

async function gzipOfOneByte(length: number): Promise<Buffer> {
  const gzip = createGzip();
  const parts: Buffer[] = [];
  gzip.on("data", (part: Buffer) => parts.push(part));
  for (let at = 0; at < length; at += MIB) gzip.write(Buffer.alloc(MIB, "x"));
  gzip.end();
  await once(gzip, "end");
  return Buffer.concat(parts);
}
