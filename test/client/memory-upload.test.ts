/**
 * Ceilings of memory of uploads and of decoding: the client runs in a process of its own, and says what it took at most.
 * `TEST_LARGE=1` makes all of it as large as the first.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { describe, it } from "node:test";
import zlib from "node:zlib";
import { TemporaryFolder } from "../dial/tls/temporary-folder.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { measuredClient } from "../kit/measured-client.ts";
import { type OriginConnection, startOrigin } from "../kit/origin.ts";

leakGate();

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** Of what takes long: all of a gibibyte with TEST_LARGE=1. */
const LARGE = process.env.TEST_LARGE === "1" ? GIB : GIB / 8;
const CEILING = 120e6;

describe("peak memory of uploads", () => {
  const sources: [name: string, size: number, body: string, known: boolean][] = [
    ["a file handle", GIB, "file", true],
    ["a file's stream, in chunks", LARGE, "file.createReadStream({ autoClose: false })", false],
    ["a web stream", LARGE, "file.readableWebStream()", false],
  ];
  for (const [name, size, body, known] of sources) {
    it(`${size / MIB} MiB from ${name} stay under 120 MB`, async () => {
      using folder = new TemporaryFolder();
      const path = folder.write("sparse", "");
      const file = await open(path, "r+");
      await file.truncate(size);
      await file.close();
      let head = "";
      await using origin = await startOrigin(async (connection) => {
        head = await connection.readHead();
        // To the end: Node 20 aborts where `readableWebStream()` is cancelled, as an early answer does, and its file closed.
        if (known) await swallow(connection, size);
        else assert.equal(await connection.swallowChunkedBody(), size);
        await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        connection.halfClose();
      });
      const { status, peak } = await measuredClient(`
        import { open } from "node:fs/promises";
        const file = await open(${JSON.stringify(path)});
        const response = await manager.request("PUT", ${JSON.stringify(origin.url)}, { body: ${body} });
        report({ status: response.status });
        await file.close();`);
      assert.equal(status, 200);
      assert.match(
        head,
        known ? new RegExp(`content-length: ${size}\r\n`, "i") : /transfer-encoding: chunked\r\n/i,
      );
      assert.ok(peak < CEILING, `${peak} bytes at most`);
    });
  }
});

describe("peak memory of bombs", () => {
  const bombs: [coding: string, make: () => Promise<Buffer>][] = [
    ["gzip", () => compress(zlib.createGzip({ level: 1 }))],
    [
      "br",
      () => compress(zlib.createBrotliCompress({ params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } })),
    ],
  ];
  for (const [coding, make] of bombs) {
    it(`${LARGE / MIB} MiB of zeros in ${coding}, read in steps of 64 KiB, stay flat; .data is stopped by maxDecodedSize`, async () => {
      const bomb = await make();
      await using origin = await startOrigin(
        Buffer.concat([
          Buffer.from(
            `HTTP/1.1 200 OK\r\nContent-Encoding: ${coding}\r\nContent-Length: ${bomb.length}\r\n\r\n`,
          ),
          bomb,
        ]),
      );
      const { read, limited, peak } = await measuredClient(`
        const url = ${JSON.stringify(origin.url)};
        const response = await manager.request("GET", url, { preloadContent: false });
        let read = 0;
        const zeros = Buffer.alloc(65_536);
        for (let piece; (piece = await response.read(65_536)).length > 0; ) {
          if (!piece.equals(zeros.subarray(0, piece.length))) throw new Error("not zero");
          read += piece.length;
        }
        const limited = await manager.request("GET", url, { maxDecodedSize: 1e6 }).catch((error) => error.code);
        report({ read, limited });`);
      assert.deepEqual([read, limited], [LARGE, "ERR_URLPOOL_DECODE"]);
      // Flat: newer versions of Node collect the garbage of node:zlib later.
      assert.ok(peak < 1.5 * CEILING, `${peak} bytes at most`);
    });
  }
});

/** `LARGE` zeros, compressed. */
async function compress(stream: zlib.Gzip | zlib.BrotliCompress): Promise<Buffer> {
  const parts: Buffer[] = [];
  stream.on("data", (part: Buffer) => parts.push(part));
  const zeros = Buffer.alloc(MIB);
  for (let at = 0; at < LARGE; at += MIB) if (!stream.write(zeros)) await once(stream, "drain");
  stream.end();
  await once(stream, "end");
  return Buffer.concat(parts);
}

/** Takes at least `length` bytes off the connection without keeping them. */
async function swallow(connection: OriginConnection, length: number): Promise<void> {
  while (length > 0) length -= (await connection.readBody(Math.min(length, MIB))).length;
}
