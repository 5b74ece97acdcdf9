import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeHuffman, encodeHuffman, huffmanLength } from "../../../src/protocol/h2/huffman.ts";
import { SEED } from "../../kit/seed.ts";

function encode(text: string): Buffer {
  const target = Buffer.alloc(huffmanLength(text) + 1, 0xaa);
  const end = encodeHuffman(text, target, 0);
  assert.equal(end, huffmanLength(text));
  assert.equal(target[end], 0xaa, "nothing is written behind the end");
  return target.subarray(0, end);
}

function decode(bytes: Uint8Array): string | null {
  const target = Buffer.alloc(2 * bytes.length + 2);
  const end = decodeHuffman(bytes, 0, bytes.length, target, 0);
  return end === -1 ? null : target.toString("latin1", 0, end);
}

describe("the Huffman code", () => {
  it("is that of RFC 7541", () => {
    assert.equal(encode("www.example.com").toString("hex"), "f1e3c2e5f23a6ba0ab90f4ff");
    assert.equal(
      encode("Mon, 21 Oct 2013 20:13:21 GMT").toString("hex"),
      "d07abe941054d444a8200595040b8166e082a62d1bff",
    );
    // The longest words: appendix B gives 0x0a, 0x0d, 0x16 and 0xf9 as 3ffffffc, 3ffffffd, 3ffffffe and ffffffe.
    assert.equal(encode("\n").toString("hex"), "fffffff3");
    assert.equal(encode("\r").toString("hex"), "fffffff7");
    assert.equal(encode("\x16").toString("hex"), "fffffffb");
    assert.equal(encode("\xf9").toString("hex"), "ffffffef");
  });

  it("takes every octet there and back, alone and between others", () => {
    for (let octet = 0; octet < 256; octet++) {
      const char = String.fromCharCode(octet);
      assert.equal(decode(encode(char)), char);
      assert.equal(decode(encode(`a${char}~${char}`)), `a${char}~${char}`);
    }
  });

  it("takes any text there and back", () => {
    const text = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    });
    fc.assert(
      fc.property(text, (value) => assert.equal(decode(encode(value)), value)),
      { seed: SEED, numRuns: 500 },
    );
  });

  it("accepts no padding but the first bits of EOS, at most seven", () => {
    assert.equal(decode(Buffer.from("1f", "hex")), "a"); // 00011 111
    assert.equal(decode(Buffer.from("1e", "hex")), null);
    assert.equal(decode(Buffer.from("18", "hex")), null);
    assert.equal(decode(Buffer.from("1fff", "hex")), null); // eleven bits
    assert.equal(decode(Buffer.from("ff", "hex")), null); // eight bits, no symbol
    assert.equal(decode(Buffer.alloc(0)), "");
  });

  it("refuses EOS, at the end or within", () => {
    assert.equal(decode(Buffer.from("ffffffff", "hex")), null);
    assert.equal(decode(Buffer.from("1fffffffe1", "hex")), null);
    assert.equal(decode(Buffer.from("fffffffc1f", "hex")), null);
  });

  it("any octets are text that encodes to them, or refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = decode(bytes);
        if (text !== null) assert.deepEqual(Uint8Array.from(encode(text)), Uint8Array.from(bytes));
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });
});
