import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as zlib from "node:zlib";
import fc from "fast-check";
import { type DecodeOptions, parseCodings } from "../../../src/body/response/decode.ts";
import { DecodeError } from "../../../src/core/errors.ts";
import {
  constants,
  decodeWhole,
  ENCODERS,
  encodeChain,
  gzipWithFullHeader,
  sampleText,
  zstdCompressSync,
} from "./codings.ts";

const SEED = { seed: 20260101 };
const SMALL = sampleText(400);
const LARGE = sampleText(300_000);

async function decode(data: Buffer, codings: string[], options?: DecodeOptions): Promise<string> {
  return (await decodeWhole(data, codings, options)).toString("latin1");
}

function failure(codings: string, cause: RegExp = /./): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof DecodeError, String(error));
    assert.equal(
      error.message,
      `Received response with content-encoding: ${codings}, but failed to decode it.`,
    );
    assert.equal(error.phase, "decode");
    assert.match(String(error.cause), cause);
    return true;
  };
}

describe("parseCodings", () => {
  const table: [header: string | null, codings: string[] | null][] = [
    [null, null],
    ["", []],
    [" , ,", []],
    ["identity", []],
    ["gzip", ["gzip"]],
    ["GZip", ["gzip"]],
    ["x-gzip", ["gzip"]],
    ["X-GZIP, br", ["gzip", "br"]],
    [" deflate ", ["deflate"]],
    ["br", ["br"]],
    ["deflate, gzip", ["deflate", "gzip"]],
    ["gzip,gzip\t,gzip,gzip,gzip", ["gzip", "gzip", "gzip", "gzip", "gzip"]],
    ["identity, gzip", ["gzip"]],
    ["gzip,, identity", ["gzip"]],
    ["compress", []],
    ["constructor", []],
    ["identity, compress", []],
  ];
  for (const [header, codings] of table) {
    test(JSON.stringify(header), () => assert.deepEqual(parseCodings(header), codings));
  }

  test("more than five codings are refused, known or not", () => {
    for (const header of [Array(6).fill("gzip").join(", "), Array(6).fill("x").join()]) {
      assert.throws(
        () => parseCodings(header),
        (error: Error) =>
          error instanceof DecodeError &&
          error.message === "Too many content encodings in the chain: 6 > 5" &&
          error.phase === "decode",
      );
    }
  });

  test("an unknown part of a chain is refused", () => {
    assert.throws(() => parseCodings("gzip, compress"), failure("gzip, compress", /compress/));
    assert.throws(() => parseCodings("foo, bar"), failure("foo, bar", /foo/));
  });

  test("zstd counts as unknown where it cannot be undone", () => {
    assert.deepEqual(parseCodings("zstd"), zstdCompressSync === undefined ? [] : ["zstd"]);
  });
});

describe("a body that is wanted as a whole", () => {
  for (const { label, coding, encode } of ENCODERS) {
    test(`${label}: small, large, empty`, async () => {
      assert.equal(await decode(encode(SMALL), [coding]), SMALL.toString());
      assert.equal(await decode(encode(LARGE), [coding]), LARGE.toString());
      assert.equal(await decode(encode(Buffer.alloc(0)), [coding]), "");
      assert.equal(await decode(Buffer.alloc(0), [coding]), "");
    });

    test(`${label}: small data expanding far`, async () => {
      const zeros = Buffer.alloc(5_000_000);
      const decoded = await decodeWhole(encode(zeros), [coding]);
      assert.ok(decoded.equals(zeros));
    });

    test(`${label}: cut at every byte`, async () => {
      const whole = encode(SMALL);
      for (let length = 1; length < whole.length; length++) {
        const cut = whole.subarray(0, length);
        await assert.rejects(
          async () => decodeWhole(cut, [coding]),
          failure(coding, /unexpected end/),
          `${length}`,
        );
        const partial = await decode(cut, [coding], { allowTruncated: true });
        assert.ok(SMALL.toString().startsWith(partial), `${length}`);
      }
    });

    test(`${label}: cut data gives what it has if that is allowed`, async () => {
      const partial = await decode(encode(LARGE).subarray(0, -100), [coding], { allowTruncated: true });
      assert.ok(LARGE.toString().startsWith(partial));
      // zstd has nothing to give of a block of up to 128 KiB that is cut.
      assert.ok(partial.length > LARGE.length - (coding === "zstd" ? 140_000 : 20_000), `${partial.length}`);
    });

    test(`${label}: limit on the decoded size`, async () => {
      for (const [data, limit] of [
        [SMALL, 100],
        [SMALL, 0],
        [LARGE, 299_999],
        [Buffer.alloc(3_000_000), 2_000_000],
      ] as const) {
        await assert.rejects(
          async () => decodeWhole(encode(data), [coding], { maxDecodedSize: limit }),
          (error: Error) =>
            error instanceof DecodeError &&
            error.message.includes(`maxDecodedSize (${limit} bytes)`) &&
            error.phase === "decode",
        );
      }
      const exact = { maxDecodedSize: SMALL.length };
      assert.equal(await decode(encode(SMALL), [coding], exact), SMALL.toString());
      assert.equal(await decode(encode(LARGE), [coding], { maxDecodedSize: LARGE.length }), LARGE.toString());
      const unlimited = { maxDecodedSize: Number.POSITIVE_INFINITY };
      assert.equal(await decode(encode(SMALL), [coding], unlimited), SMALL.toString());
      assert.equal(await decode(encode(Buffer.alloc(0)), [coding], { maxDecodedSize: 0 }), "");
    });

    test(`${label}: wrong label`, async () => {
      for (const text of ["<html>no coding at all</html>", "\xff\xff\xff\xff\xff\xff\xff\xff"]) {
        const data = Buffer.from(text, "latin1");
        await assert.rejects(async () => decodeWhole(data, [coding]), failure(coding));
        await assert.rejects(
          async () => decodeWhole(Buffer.alloc(100_000, data), [coding], { allowTruncated: true }),
          failure(coding),
        );
      }
    });

    if (coding !== "zstd") {
      test(`${label}: what follows the end is ignored`, async () => {
        for (const garbage of ["x", "foobar", "\0\0\0\0", "\x1f\x00", "a".repeat(200_000)]) {
          const data = Buffer.concat([encode(SMALL), Buffer.from(garbage)]);
          assert.equal(await decode(data, [coding]), SMALL.toString(), JSON.stringify(garbage.slice(0, 9)));
        }
      });
    }
  }

  test("gzip and deflate: a wrong checksum is an error", async () => {
    const gzip = zlib.gzipSync(SMALL);
    gzip[gzip.length - 8]! ^= 1;
    await assert.rejects(async () => decodeWhole(gzip, ["gzip"]), failure("gzip", /incorrect data check/));
    const length = zlib.gzipSync(SMALL);
    length[length.length - 1]! ^= 1;
    await assert.rejects(
      async () => decodeWhole(length, ["gzip"]),
      failure("gzip", /incorrect length check/),
    );
    const deflate = zlib.deflateSync(SMALL);
    deflate[deflate.length - 1]! ^= 1;
    await assert.rejects(async () => decodeWhole(deflate, ["deflate"]), failure("deflate", /incorrect data/));
  });

  test("gzip: several members, with and without garbage behind them", async () => {
    const members = Buffer.concat([
      zlib.gzipSync("one "),
      gzipWithFullHeader(Buffer.from("two ")),
      zlib.gzipSync("three"),
    ]);
    for (const garbage of ["", "foo", "\x1f\x8b\x07 not deflate"]) {
      const data = Buffer.concat([members, Buffer.from(garbage, "latin1")]);
      assert.equal(await decode(data, ["gzip"]), "one two three");
      assert.equal(await decode(data, ["x-gzip"]), "one two three");
    }
  });

  test("gzip: a later member that is cut or broken is an error", async () => {
    const first = zlib.gzipSync("one ");
    const second = zlib.gzipSync("two");
    for (let length = 1; length < second.length; length++) {
      const data = Buffer.concat([first, second.subarray(0, length)]);
      await assert.rejects(async () => decodeWhole(data, ["gzip"]), failure("gzip", /unexpected end/));
      assert.ok("one two".startsWith(await decode(data, ["gzip"], { allowTruncated: true })));
    }
    second[12]! ^= 0xff;
    await assert.rejects(async () => decodeWhole(Buffer.concat([first, second]), ["gzip"]), failure("gzip"));
  });

  test("gzip: reserved flags are an error, a header of all parts is read", async () => {
    assert.equal(await decode(gzipWithFullHeader(SMALL), ["gzip"]), SMALL.toString());
    const reserved = zlib.gzipSync(SMALL);
    reserved[3] = 0x20;
    await assert.rejects(async () => decodeWhole(reserved, ["gzip"]), failure("gzip", /flags/));
  });

  test("deflate: other window sizes and levels are still seen as zlib data", async () => {
    for (const windowBits of [9, 12, 15]) {
      for (const level of [0, 1, 6, 9]) {
        for (const compress of [zlib.deflateSync, zlib.deflateRawSync]) {
          const data = compress(SMALL, { windowBits, level });
          assert.equal(await decode(data, ["deflate"]), SMALL.toString(), `${windowBits} ${level}`);
        }
      }
    }
  });

  test("deflate: a bare stream whose first byte could be a zlib header's", async () => {
    // A stored block with padding bits set (RFC 1951 §3.2.4), and an empty last one.
    const data = Buffer.from([0x78, 3, 0, 0xfc, 0xff, 97, 98, 99, 1, 0, 0, 0xff, 0xff]);
    assert.equal(await decode(data, ["deflate"]), "abc");
  });

  test("chains are undone from the right", async () => {
    for (const codings of [
      ["deflate", "gzip"],
      ["gzip", "deflate", "br"],
      ["gzip", "gzip", "gzip", "gzip", "gzip"],
      ENCODERS.filter(({ label }) => label !== "raw deflate").map(({ coding }) => coding),
    ]) {
      assert.equal(await decode(encodeChain(SMALL, codings), codings), SMALL.toString());
      assert.equal(await decode(encodeChain(LARGE, codings), codings), LARGE.toString());
      assert.equal(await decode(encodeChain(Buffer.alloc(0), codings), codings), "");
    }
    const wrong = encodeChain(SMALL, ["deflate", "gzip"]);
    await assert.rejects(async () => decodeWhole(wrong, ["gzip", "deflate"]), failure("gzip, deflate"));
  });

  test("chains: cut at every byte, garbage in between, limit on the outcome only", async () => {
    const codings = ["gzip", "deflate", "br"];
    const whole = encodeChain(SMALL, codings);
    for (let length = 1; length < whole.length; length++) {
      const cut = whole.subarray(0, length);
      await assert.rejects(
        async () => decodeWhole(cut, codings),
        failure("gzip, deflate, br", /unexpected end/),
      );
      const partial = await decode(cut, codings, { allowTruncated: true });
      assert.ok(SMALL.toString().startsWith(partial));
    }
    const inner = Buffer.concat([zlib.gzipSync(SMALL), Buffer.from("garbage")]);
    assert.equal(await decode(zlib.brotliCompressSync(inner), ["gzip", "br"]), SMALL.toString());
    const tiny = encodeChain(Buffer.from("abc"), codings);
    assert.equal(await decode(tiny, codings, { maxDecodedSize: 3 }), "abc");
    await assert.rejects(async () => decodeWhole(tiny, codings, { maxDecodedSize: 2 }), /maxDecodedSize/);
  });

  test("an unknown coding is an error", async () => {
    await assert.rejects(async () => decodeWhole(SMALL, ["compress"]), failure("compress", /compress/));
  });

  test("small data is decoded on the spot, large data elsewhere", async () => {
    assert.ok(Buffer.isBuffer(decodeWhole(zlib.gzipSync(SMALL), ["gzip"])));
    const elsewhere = decodeWhole(zlib.gzipSync(Buffer.alloc(5_000_000)), ["gzip"]);
    assert.ok(elsewhere instanceof Promise);
    await elsewhere;
  });

  test("property: any data comes back through any chain", async () => {
    const chain = fc.array(fc.constantFrom(...ENCODERS), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), chain, async (data, encoders) => {
        const encoded = encoders.reduce<Buffer>((bytes, { encode }) => encode(bytes), Buffer.from(data));
        const decoded = await decodeWhole(
          encoded,
          encoders.map(({ coding }) => coding),
        );
        assert.ok(decoded.equals(data));
      }),
      SEED,
    );
  });
});

describe("zstd", { skip: zstdCompressSync === undefined }, () => {
  const compress = zstdCompressSync!;
  const skippable = Buffer.concat([Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0]), Buffer.from("abc")]);

  test("several frames and skippable frames", async () => {
    const frames = [compress(Buffer.from("one ")), skippable, compress(LARGE), skippable];
    for (const order of [frames, [skippable, ...frames], [...frames, compress(SMALL)]]) {
      const expected = order.includes(frames[0]!) && order.length === 5 && order[4] !== skippable;
      const text = `one ${LARGE}${expected ? SMALL : ""}`;
      assert.equal(await decode(Buffer.concat(order), ["zstd"]), text);
    }
    assert.equal(await decode(skippable, ["zstd"]), "");
  });

  test("a later frame that is cut, or garbage, is an error", async () => {
    const first = compress(Buffer.from("one "));
    const second = compress(Buffer.from("two"));
    for (let length = 1; length < second.length; length++) {
      const data = Buffer.concat([first, second.subarray(0, length)]);
      await assert.rejects(async () => decodeWhole(data, ["zstd"]), failure("zstd", /unexpected end/));
      const partial = await decode(data, ["zstd"], { allowTruncated: true });
      assert.ok(partial.startsWith("one ") && "one two".startsWith(partial), partial);
    }
    const garbage = Buffer.concat([first, Buffer.from("garbage")]);
    await assert.rejects(async () => decodeWhole(garbage, ["zstd"]), failure("zstd", /unknown frame/));
  });

  test("frames of every make-up", async () => {
    const { ZSTD_c_checksumFlag, ZSTD_c_contentSizeFlag, ZSTD_c_windowLog, ZSTD_c_compressionLevel } =
      constants;
    for (const checksum of [0, 1]) {
      for (const contentSize of [0, 1]) {
        for (const data of [Buffer.alloc(0), SMALL, Buffer.alloc(1000), Buffer.alloc(400_000, "x"), LARGE]) {
          const params = {
            [ZSTD_c_checksumFlag!]: checksum,
            [ZSTD_c_contentSizeFlag!]: contentSize,
            [ZSTD_c_windowLog!]: 17,
            [ZSTD_c_compressionLevel!]: 1,
          };
          const frame = compress(data, { params });
          assert.ok((await decodeWhole(frame, ["zstd"])).equals(data));
          const twice = await decodeWhole(Buffer.concat([frame, frame]), ["zstd"]);
          assert.ok(twice.equals(Buffer.concat([data, data])));
        }
      }
    }
  });

  test("a wrong checksum is an error", async () => {
    const frame = compress(SMALL, { params: { [constants.ZSTD_c_checksumFlag!]: 1 } });
    frame[frame.length - 1]! ^= 1;
    await assert.rejects(async () => decodeWhole(frame, ["zstd"]), failure("zstd"));
  });

  test("a window above 8 MiB is refused (RFC 9659)", async () => {
    const { ZSTD_c_windowLog, ZSTD_c_contentSizeFlag } = constants;
    const frameOf = (log: number) =>
      compress(Buffer.alloc(17_000_000), {
        params: { [ZSTD_c_windowLog!]: log, [ZSTD_c_contentSizeFlag!]: 0 },
      });
    await assert.rejects(async () => decodeWhole(frameOf(24), ["zstd"]), failure("zstd", /memory/));
    assert.equal((await decodeWhole(frameOf(23), ["zstd"])).length, 17_000_000);
  });
});
