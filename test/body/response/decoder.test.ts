import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as zlib from "node:zlib";
import fc from "fast-check";
import { createDecoder, type DecodeOptions, type Decoder } from "../../../src/body/response/decode.ts";
import { DecodeError, InvalidArgumentError } from "../../../src/core/errors.ts";
import { ENCODERS, encodeChain, gzipWithFullHeader, sampleText } from "./codings.ts";

const SEED = { seed: 20260101 };
const EMPTY = Buffer.alloc(0);
const TEXT = sampleText(500);

/** Feeds the pieces, reading at most `most` bytes at a time, and checks that no call gives more. */
async function decodePieces(
  pieces: Iterable<Uint8Array>,
  codings: string[],
  most: number,
  options?: DecodeOptions,
): Promise<Buffer> {
  const decoder = createDecoder(codings, options);
  const parts: Buffer[] = [];
  const take = async (output: Buffer | Promise<Buffer>): Promise<void> => {
    const part = await output;
    assert.ok(part.length <= most, `${part.length} > ${most}`);
    parts.push(part);
  };
  for (const piece of pieces) {
    await take(decoder.decompress(piece, most));
    while (decoder.hasUnconsumedTail) await take(decoder.decompress(EMPTY, most));
  }
  do await take(decoder.flush(most));
  while (decoder.hasUnconsumedTail);
  return Buffer.concat(parts);
}

function* byteByByte(data: Buffer): Generator<Buffer> {
  for (let at = 0; at < data.length; at++) yield data.subarray(at, at + 1);
}

async function isRejected(action: () => unknown, pattern: RegExp): Promise<void> {
  await assert.rejects(
    async () => action(),
    (error: Error) => error instanceof DecodeError && pattern.test(error.message),
  );
}

const CASES: { label: string; codings: string[]; data: Buffer }[] = [
  ...ENCODERS.map(({ label, coding, encode }) => ({ label, codings: [coding], data: encode(TEXT) })),
  { label: "gzip with a full header", codings: ["gzip"], data: gzipWithFullHeader(TEXT) },
  {
    label: "two members",
    codings: ["gzip"],
    data: Buffer.concat([zlib.gzipSync(TEXT.subarray(0, 9)), zlib.gzipSync(TEXT.subarray(9))]),
  },
  { label: "chain", codings: ["deflate", "br", "gzip"], data: encodeChain(TEXT, ["deflate", "br", "gzip"]) },
];

describe("Decoder", () => {
  for (const { label, codings, data } of CASES) {
    test(`${label}: split at every byte`, async () => {
      for (let at = 0; at <= data.length; at++) {
        const decoded = await decodePieces([data.subarray(0, at), data.subarray(at)], codings, 64_000);
        assert.ok(decoded.equals(TEXT), `split at ${at}`);
      }
    });

    for (const most of [1, 7, 499, 500, 501, Number.POSITIVE_INFINITY]) {
      test(`${label}: at most ${most} bytes at a time`, async () => {
        assert.ok((await decodePieces([data], codings, most)).equals(TEXT));
        assert.ok((await decodePieces(byteByByte(data), codings, most)).equals(TEXT));
      });
    }

    test(`${label}: cut at every byte`, async () => {
      for (let length = 1; length < data.length; length++) {
        const cut = data.subarray(0, length);
        // Where the first of two members ends the data is whole.
        const whole = label === "two members" && length === zlib.gzipSync(TEXT.subarray(0, 9)).length;
        if (!whole) await isRejected(() => decodePieces([cut], codings, 100), /failed to decode it/);
        // Byte by byte takes a trip to the thread pool for each: only now and then.
        const pieces = length % 29 === 0 ? byteByByte(cut) : [cut];
        const partial = await decodePieces(pieces, codings, 100, { allowTruncated: true });
        assert.ok(TEXT.subarray(0, partial.length).equals(partial), `${length}`);
      }
    });

    test(`${label}: gives its bytes as soon as they can be known`, async () => {
      const decoder = createDecoder(codings);
      const output = await decoder.decompress(data);
      assert.ok(output.equals(TEXT));
      assert.equal((await decoder.flush()).length, 0);
      assert.equal(decoder.hasUnconsumedTail, false);
    });

    test(`${label}: exactly as many bytes as asked for while there are any`, async () => {
      const decoder = createDecoder(codings);
      assert.equal((await decoder.decompress(data, 0)).length, 0);
      assert.equal(decoder.hasUnconsumedTail, true);
      for (let at = 0; at < 500; at += 100) {
        const part = await decoder.decompress(EMPTY, 100);
        assert.ok(part.equals(TEXT.subarray(at, at + 100)));
      }
      assert.equal((await decoder.decompress(EMPTY, 100)).length, 0);
      assert.equal(decoder.hasUnconsumedTail, false);
    });
  }

  for (const { label, coding, encode } of ENCODERS) {
    test(`${label}: no input at all is no error`, async () => {
      const decoder = createDecoder([coding]);
      assert.equal(decoder.hasUnconsumedTail, false);
      assert.equal((await decoder.decompress(EMPTY, 10)).length, 0);
      assert.equal(decoder.hasUnconsumedTail, false);
      assert.equal((await decoder.flush()).length, 0);
      assert.equal((await decoder.flush()).length, 0);
    });

    if (coding !== "zstd") {
      test(`${label}: garbage behind the end is dropped, in one piece or many (CVE-2026-97688)`, async () => {
        const data = Buffer.concat([encode(TEXT), Buffer.from("garbage".repeat(50))]);
        assert.ok((await decodePieces([data], [coding], 50)).equals(TEXT));
        assert.ok((await decodePieces(byteByByte(data), [coding], 1)).equals(TEXT));
        const decoder = createDecoder([coding]);
        assert.ok((await decoder.decompress(data)).equals(TEXT));
        assert.equal(decoder.hasUnconsumedTail, false);
        assert.equal((await decoder.decompress(data, 10)).length, 0);
        assert.equal(decoder.hasUnconsumedTail, false);
        assert.equal((await decoder.flush()).length, 0);
      });
    }

    test(`${label}: wrong data is an error, and stays one`, async () => {
      const decoder = createDecoder([coding]);
      await isRejected(() => decoder.decompress(Buffer.alloc(40, 0xff), 10), /failed to decode it/);
      assert.equal(decoder.hasUnconsumedTail, false);
      await isRejected(() => decoder.decompress(EMPTY, 10), /failed to decode it/);
      await isRejected(() => decoder.flush(), /failed to decode it/);
    });

    test(`${label}: the limit counts over all calls`, async () => {
      const decoder = createDecoder([coding], { maxDecodedSize: 250 });
      assert.equal((await decoder.decompress(encode(TEXT), 100)).length, 100);
      assert.equal((await decoder.decompress(EMPTY, 150)).length, 150);
      await isRejected(() => decoder.decompress(EMPTY, 1), /maxDecodedSize \(250 bytes\)/);
      const exact = await decodePieces([encode(TEXT)], [coding], 100, { maxDecodedSize: 500 });
      assert.equal(exact.length, 500);
    });

    test(`${label}: a bomb is not held in memory`, async () => {
      const total = 50 * 1024 * 1024;
      const bomb = encode(Buffer.alloc(total, "a"));
      const before = process.memoryUsage().arrayBuffers;
      const held = (): number => process.memoryUsage().arrayBuffers - before;
      const decoder = createDecoder([coding]);
      assert.equal((await decoder.decompress(bomb, 1024 * 1024)).length, 1024 * 1024);
      assert.equal((await decoder.decompress(EMPTY, 1024)).length, 1024);
      assert.ok(held() < 10_000_000, `holds ${held()} bytes`);
      assert.equal(decoder.hasUnconsumedTail, true);
      const rest = await drain(decoder, 1024 * 1024);
      assert.equal(rest, total - 1024 * 1024 - 1024);
    });

    test(`${label}: close lets go of everything`, async () => {
      const decoder = createDecoder([coding]);
      await decoder.decompress(encode(TEXT), 10);
      decoder.close();
      assert.equal(decoder.hasUnconsumedTail, false);
      assert.equal((await decoder.decompress(EMPTY, 10)).length, 0);
      assert.equal((await decoder.flush()).length, 0);
    });
  }

  test("close ends a call that is under way", async () => {
    for (const { coding, encode } of ENCODERS) {
      const decoder = createDecoder([coding, "gzip"]);
      const output = decoder.decompress(zlib.gzipSync(encode(TEXT)));
      assert.ok(output instanceof Promise);
      decoder.close();
      assert.ok((await output).length <= TEXT.length);
      assert.equal((await decoder.flush()).length, 0);
    }
  });

  async function drain(decoder: Decoder, most: number): Promise<number> {
    let length = 0;
    while (decoder.hasUnconsumedTail) length += (await decoder.decompress(EMPTY, most)).length;
    return length + (await decoder.flush()).length;
  }

  test("a bomb inside a bomb goes through in steps", async () => {
    const inner = zlib.gzipSync(Buffer.alloc(20_000_000));
    const bomb = zlib.brotliCompressSync(zlib.gzipSync(inner));
    const decoder = createDecoder(["gzip", "gzip", "br"]);
    const before = process.memoryUsage().arrayBuffers;
    assert.equal((await decoder.decompress(bomb, 1024)).length, 1024);
    assert.ok(process.memoryUsage().arrayBuffers - before < 5_000_000);
    assert.equal(await drain(decoder, 500_000), 20_000_000 - 1024);
  });

  test("an endless gzip header is not kept", async () => {
    const decoder = createDecoder(["gzip"]);
    await decoder.decompress(Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]), 10);
    for (let round = 0; round < 10; round++) {
      assert.equal((await decoder.decompress(Buffer.alloc(100_000, "n"), 10)).length, 0);
      assert.equal(decoder.hasUnconsumedTail, false);
    }
    await isRejected(() => decoder.flush(), /failed/);
  });

  test("bad arguments are refused", () => {
    assert.throws(() => createDecoder([]), InvalidArgumentError);
    assert.throws(() => createDecoder(["gzip", "compress"]), DecodeError);
    for (const most of [-1, Number.NaN]) {
      assert.throws(() => createDecoder(["gzip"]).decompress(EMPTY, most), InvalidArgumentError);
    }
  });

  test("property: however the input is cut and the output asked for, it is the same", async () => {
    const data = sampleText(60_000);
    const chain = fc.array(fc.constantFrom(...ENCODERS), { minLength: 1, maxLength: 3 });
    const sizes = fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(chain, sizes, fc.integer({ min: 500, max: 100_000 }), async (encoders, cuts, most) => {
        const encoded = encoders.reduce<Buffer>((bytes, { encode }) => encode(bytes), data);
        const codings = encoders.map(({ coding }) => coding);
        const pieces: Buffer[] = [];
        for (let at = 0, round = 0; at < encoded.length; round++) {
          const size = cuts[round % cuts.length]! + 200;
          pieces.push(encoded.subarray(at, at + size));
          at += size;
        }
        assert.ok((await decodePieces(pieces, codings, most)).equals(data));
      }),
      { ...SEED, numRuns: 20 },
    );
  });
});
