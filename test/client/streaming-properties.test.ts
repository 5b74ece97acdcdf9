/** However a body was cut on its way, every way of reading gives the same bytes. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { HTTPResponse } from "../../src/index.ts";
import { ENCODERS } from "../body/response/codings.ts";
import { renderResponse } from "../kit/http-origin.ts";
import type { OriginConnection } from "../kit/origin-connection.ts";
import { World } from "../kit/world.ts";

type Coding = (typeof ENCODERS)[number];

/** Reads a response to its end, in amounts that `amount` gives. */
type Way = (response: HTTPResponse, amount: () => number) => Promise<Uint8Array>;

const ways: Record<string, Way> = {
  "read()": (response) => response.read(),
  "read(n)": (response, amount) => untilEmpty(() => response.read(amount())),
  "read1(n)": (response, amount) => untilEmpty(() => response.read1(amount())),
  "stream(n)": (response, amount) => joined(response.stream(amount())),
  "stream()": (response) => joined(response.stream()),
  "for await": (response) => joined(response),
  body: (response) => joined(response.body),
  BYOB: readByob,
  "readable()": (response) => joined(response.readable()),
  "bytes()": (response) => response.bytes(),
  "arrayBuffer()": async (response) => new Uint8Array(await response.arrayBuffer()),
  "blob()": async (response) => new Uint8Array(await (await response.blob()).arrayBuffer()),
  // The bodies are bytes below 0x80.
  "text()": async (response) => Buffer.from(await response.text()),
  "data, preloaded": async (response) => response.data,
  "read(n), preloaded": (response, amount) => untilEmpty(() => response.read(amount())),
  "BYOB, preloaded": readByob,
  "readChunked(n) or stream(n)": (response, amount) =>
    joined(
      response.headers.has("transfer-encoding") ? response.readChunked(amount()) : response.stream(amount()),
    ),
  "read and read1 in turn": async (response, amount) => {
    let sized = false;
    return untilEmpty(() => {
      sized = !sized;
      return sized ? response.read(amount()) : response.read1(amount());
    });
  },
  "a bit, then the rest": async (response, amount) =>
    Buffer.concat([await response.read(amount()), await response.read()]),
};

/** Bodies that compress well and ones that do not, around the sizes of the buffers inside. */
const bodies = fc.record({
  length: fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 60_000, max: 140_000 })),
  period: fc.integer({ min: 1, max: 5000 }),
});

const cases = fc.record({
  body: bodies,
  /** Content codings in the order in which they were applied. */
  codings: fc.oneof(
    fc.constant([]),
    fc.array(fc.constantFrom(...ENCODERS), { minLength: 1, maxLength: 1 }),
    fc.array(fc.constantFrom(...ENCODERS), { minLength: 2, maxLength: 3 }),
  ),
  chunk: fc.option(fc.integer({ min: 1, max: 5000 }), { nil: null }),
  /** Bytes of each write on the wire, over and over. */
  cuts: fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 6 }),
  /** Bytes of each read, over and over. */
  amounts: fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 4 }),
});

describe("any split of any body", () => {
  for (const [name, read] of Object.entries(ways)) {
    it(name, async () => {
      const property = fc.asyncProperty(
        cases,
        async ({ body: { length, period }, codings, chunk, cuts, amounts }) => {
          using world = new World();
          const body = Buffer.alloc(
            length,
            Buffer.from(Uint8Array.from({ length: period }, (_unused, i) => ((i * 7919) >> 3) & 0x7f)),
          );
          // Not hundreds of thousands of chunks: they only cost time.
          const wire = wireBytes(body, codings, chunk === null ? null : Math.max(chunk, length >> 8));
          world.host("a", async (connection) => {
            await connection.readHead();
            await sendInParts(connection, wire, cuts);
          });
          const pool = world.pool("a", { maxsize: 1 });
          // Decoding is done by threads, which virtual time knows nothing of: so no time passes.
          const response = await pool.request("GET", "/", { preloadContent: name.includes("preloaded") });
          const bytes = await read(response, inTurn(amounts));
          assert.equal(Buffer.compare(bytes, body), 0);
          assert.deepEqual([response.isClosed, pool.numIdle, pool.numBusy], [true, 1, 0]);
          pool.close();
          await world.rest();
          assert.deepEqual(world.leftovers(), []);
        },
      );
      await fc.assert(property, { seed: 20260101, numRuns: 50 });
    });
  }

  it("readChunked() gives the chunks as they were sent", async () => {
    const property = fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 3000 }), { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 6 }),
      async (sizes, cuts) => {
        using world = new World();
        const chunks = sizes.map((size, i) => `${size.toString(16)}\r\n${String(i % 10).repeat(size)}\r\n`);
        const wire = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks.join("")}0\r\n\r\n`;
        world.host("a", async (connection) => {
          await connection.readHead();
          await sendInParts(connection, Buffer.from(wire), cuts);
        });
        const pool = world.pool("a");
        const response = await world.run(pool.request("GET", "/", { preloadContent: false }));
        const lengths = async (): Promise<number[]> => {
          const all: number[] = [];
          for await (const piece of response.readChunked()) all.push(piece.length);
          return all;
        };
        assert.deepEqual(await world.run(lengths()), sizes);
        pool.close();
      },
    );
    await fc.assert(property, { seed: 20260101, numRuns: 100 });
  });
});

function wireBytes(body: Buffer, codings: readonly Coding[], chunk: number | null): Buffer {
  const names = codings.map(({ coding }) => coding).join(", ");
  return renderResponse({
    body: codings.reduce((encoded, { encode }) => encode(encoded), body),
    headers: names === "" ? {} : { "Content-Encoding": names },
    ...(chunk === null ? {} : { chunked: chunk }),
  });
}

/** Small writes first: a cut of one byte does its harm in the head and in the first chunk, not 100,000 times. */
async function sendInParts(
  connection: OriginConnection,
  wire: Buffer,
  cuts: readonly number[],
): Promise<void> {
  const next = inTurn(cuts);
  for (let at = 0, writes = 0; at < wire.length; writes++) {
    const length = writes < 100 ? next() : 10_007;
    await connection.send(wire.subarray(at, at + length));
    at += length;
  }
}

function inTurn(values: readonly number[]): () => number {
  let index = 0;
  return () => values[index++ % values.length]!;
}

async function untilEmpty(read: () => Promise<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let piece = await read(); piece.length > 0; piece = await read()) parts.push(piece);
  return Buffer.concat(parts);
}

async function joined(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const piece of source) parts.push(piece);
  return Buffer.concat(parts);
}

async function readByob(response: HTTPResponse, amount: () => number): Promise<Buffer> {
  const reader = response.body.getReader({ mode: "byob" });
  const parts: Uint8Array[] = [];
  for (;;) {
    const { value, done } = await reader.read(new Uint8Array(amount()));
    if (done) return Buffer.concat(parts);
    parts.push(value);
  }
}
