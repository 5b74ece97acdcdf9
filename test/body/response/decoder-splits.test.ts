/** Every coding with its input cut at every byte, read at every limit: always the same bytes, never more than asked for. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { createDecoder, type Decoder } from "../../../src/body/response/decode.ts";
import { ENCODERS, encodeChain, gzipWithFullHeader, sampleText } from "./codings.ts";

const EMPTY = Buffer.alloc(0);
const TEXT = sampleText(24);

const CASES: { label: string; codings: string[]; data: Buffer }[] = [
  ...ENCODERS.map(({ label, coding, encode }) => ({ label, codings: [coding], data: encode(TEXT) })),
  { label: "gzip with a full header", codings: ["gzip"], data: gzipWithFullHeader(TEXT) },
  {
    label: "three gzip members, one of them empty",
    codings: ["gzip"],
    data: Buffer.concat([gzipSync(TEXT.subarray(0, 9)), gzipSync(EMPTY), gzipSync(TEXT.subarray(9))]),
  },
  { label: "a chain of two", codings: ["deflate", "gzip"], data: encodeChain(TEXT, ["deflate", "gzip"]) },
  {
    label: "a chain of three",
    codings: ["gzip", "br", "deflate"],
    data: encodeChain(TEXT, ["gzip", "br", "deflate"]),
  },
];

async function take(decoder: Decoder, input: Buffer, most: number, into: Buffer[]): Promise<void> {
  for (let next = input; ; next = EMPTY) {
    const output = await decoder.decompress(next, most);
    assert.ok(output.length <= most, `${output.length} bytes though ${most} were asked for`);
    // Fewer than asked for only where no more can come.
    if (output.length < most) assert.equal(decoder.hasUnconsumedTail, false);
    into.push(output);
    if (!decoder.hasUnconsumedTail) return;
  }
}

describe("input cut at every byte, output at every limit", () => {
  for (const { label, codings, data } of CASES) {
    it(label, async () => {
      for (let most = 1; most <= TEXT.length + 1; most++) {
        // Every cut with some limits, every limit with some cuts: all with all takes a minute of thread hops.
        const step = [1, 2, 3, 7, TEXT.length - 1, TEXT.length, TEXT.length + 1].includes(most) ? 1 : 9;
        for (let cut = most % step; cut <= data.length; cut += step) {
          const decoder = createDecoder(codings);
          const parts: Buffer[] = [];
          if (cut > 0) await take(decoder, data.subarray(0, cut), most, parts);
          if (cut < data.length) await take(decoder, data.subarray(cut), most, parts);
          assert.equal((await decoder.flush(most)).length, 0);
          assert.equal(Buffer.concat(parts).toString(), TEXT.toString(), `cut at ${cut}, limit ${most}`);
        }
      }
    });
  }
});
