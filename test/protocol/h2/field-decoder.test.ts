import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { FieldDecoder } from "../../../src/protocol/h2/field-decoder.ts";
import { Violation } from "../../../src/protocol/h2/violation.ts";
import { type FieldPair, integer, literals, string } from "../../kit/h2-frames.ts";
import { SEED, seededRandom } from "../../kit/seed.ts";
import { asLines, decodeBlock, generousDecoder, linesOf, outcomeOf, tableLines } from "./decoding.ts";
import { appendixC, hpackCorpus } from "./material.ts";

const COMPRESSION_ERROR = "error 9";

describe("the vectors of RFC 7541", () => {
  for (const { section, maxTableSize, cases } of appendixC().stories) {
    it(`${section}`, () => {
      const decoder = generousDecoder(maxTableSize);
      for (const { wire, headers, table, tableSize } of cases) {
        assert.equal(linesOf(decodeBlock(decoder, wire)), asLines(headers));
        assert.equal(tableLines(decoder.table), asLines(table));
        assert.equal(decoder.table.size, tableSize);
      }
    });
  }

  it("C.1: integers", () => {
    for (const { prefix, value, wire } of appendixC().integers) {
      assert.equal(integer(0, prefix, value).toString("hex"), wire);
    }
    // 1337 as the length of a string, whose prefix has seven bits.
    const long = "x".repeat(1337);
    assert.equal(decodeBlock(generousDecoder(), literals([["a", long]])).text, `a: ${long}\r\n`);
  });
});

describe("the blocks of fourteen encoders", () => {
  const { lists, encoders } = hpackCorpus();
  for (const [encoder, stories] of Object.entries(encoders)) {
    it(encoder, () => {
      for (const [name, cases] of Object.entries(stories)) {
        const largest = Math.max(4096, ...cases.map(([, , size]) => size ?? 0));
        const decoder = generousDecoder(largest);
        for (const [wire, list] of cases) {
          assert.equal(linesOf(decodeBlock(decoder, wire)), asLines(lists[list]!), name);
        }
      }
    });
  }

  it("are 2,520", () => {
    const cases = Object.values(encoders).flatMap((stories) => Object.values(stories).flat());
    assert.equal(cases.length, 2520);
  });
});

describe("what does not decode is an error of the connection", () => {
  const rows: [string, string][] = [
    ["index 0", "80"],
    ["an index beyond the table", "be"],
    ["a name beyond the table", "7e 01 61"],
    ["an integer without its end", "ff ff"],
    ["an integer of more than four octets behind its prefix", "ff ff ff ff ff ff 00"],
    ["a string that is longer than the block", "00 01 61 05 61"],
    ["a block that ends before a string", "00 01 61"],
    ["a block that ends before a name", "00"],
    ["a length without its end", "00 7f"],
    ["Huffman padding that is not ones", "00 01 61 81 1e"],
    ["EOS in a string", "00 01 61 84 ff ff ff ff"],
    ["a size update behind a field", "88 20"],
    ["three size updates", "20 20 20"],
    ["a size update above our limit", "3f e2 1f"],
  ];
  for (const [what, block] of rows) {
    it(what, () => assert.equal(outcomeOf(generousDecoder(), block), COMPRESSION_ERROR));
  }

  it("but not two size updates before the first field, nor the largest size", () => {
    const decoder = generousDecoder();
    assert.equal(decodeBlock(decoder, "20 3f e1 1f 88").status, 200);
    assert.equal(decoder.table.limit, 4096);
    assert.equal(decodeBlock(decoder, "20").text, "");
    assert.equal(decoder.table.limit, 0);
  });

  it("a size update behind :status, which leaves no text, is late too", () => {
    assert.equal(outcomeOf(generousDecoder(), "88 3f 01"), COMPRESSION_ERROR);
  });
});

describe("malformed fields", () => {
  const status: FieldPair = [":status", "200"];
  const rows: [string, FieldPair[], RegExp][] = [
    ["an upper-case name", [status, ["Server", "x"]], /field name "Server"/],
    ["a name with a space", [status, ["a b", "x"]], /field name "a b"/],
    ["a name with a control character", [status, ["a\x00b", "x"]], /field name "a b"/],
    ["a name beyond ASCII", [status, ["caf\xe9", "x"]], /field name/],
    ["an empty name", [status, ["", "x"]], /field name ""/],
    ["a colon within a name", [status, ["a:b", "x"]], /field name "a:b"/],
    ["a bare colon", [status, [":", "x"]], /field name ":"/],
    ["CR in a value", [status, ["a", "x\ry"]], /invalid value of a$/],
    ["LF in a value", [status, ["a", "x\ny"]], /invalid value of a$/],
    ["NUL in a value", [status, ["a", "x\0y"]], /invalid value of a$/],
    ["another control character in a value", [status, ["a", "x\x7f"]], /invalid value of a$/],
    ["white space before a value", [status, ["a", " x"]], /invalid value of a$/],
    ["white space behind a value", [status, ["a", "x\t"]], /invalid value of a$/],
    ["connection", [status, ["connection", "close"]], /connection field connection/],
    ["proxy-connection", [status, ["proxy-connection", "x"]], /connection field/],
    ["keep-alive", [status, ["keep-alive", "timeout=5"]], /connection field/],
    ["transfer-encoding", [status, ["transfer-encoding", "chunked"]], /connection field/],
    ["upgrade", [status, ["upgrade", "h2c"]], /connection field/],
    ["te other than trailers", [status, ["te", "gzip"]], /field te/],
    ["a request's pseudo field", [status, [":path", "/"]], /pseudo field :path/],
    ["an unknown pseudo field", [status, [":x", "/"]], /pseudo field :x/],
    ["a pseudo field behind the others", [["a", "b"], status], /behind the others/],
    ["a second :status", [status, status], /second :status/],
    ["a :status of two digits", [[":status", "20"]], /three digits/],
    ["a :status of four digits", [[":status", "2000"]], /three digits/],
    ["a :status below 100", [[":status", "099"]], /three digits/],
    ["a :status with a letter", [[":status", "2x0"]], /three digits/],
    ["two different lengths", [status, ["content-length", "1"], ["content-length", "2"]], /two different/],
    ["different lengths in one field", [status, ["content-length", "1, 2"]], /invalid content-length/],
    ["a length with a sign", [status, ["content-length", "+1"]], /invalid content-length/],
    ["a length that is none", [status, ["content-length", ""]], /invalid content-length/],
    ["a length beyond all numbers", [status, ["content-length", "9".repeat(16)]], /invalid content-length/],
  ];
  for (const [what, fields, problem] of rows) {
    it(`${what} is noted, and the table stays right`, () => {
      const decoder = generousDecoder();
      assert.match(decodeBlock(decoder, literals(fields)).problem ?? "", problem);
      assert.equal(decodeBlock(decoder, literals([status, ["a", "b"]])).problem, null);
    });
  }

  it("the value of a field is never shown", () => {
    const block = decodeBlock(generousDecoder(), literals([status, ["set-cookie", "secret\n"]]));
    assert.doesNotMatch(block.problem ?? "", /secret/);
  });

  it("are malformed from the table as well", () => {
    const decoder = generousDecoder();
    const inserted = Buffer.concat([Buffer.of(0x88, 0x40), string("x"), string("bad\nvalue")]);
    assert.match(decodeBlock(decoder, inserted).problem ?? "", /value of x/);
    assert.match(decodeBlock(decoder, "88 be").problem ?? "", /value of x/);
    // Its name is right: with another value it is well formed.
    assert.equal(decodeBlock(decoder, "88 0f 2f 01 61").problem, null);
    const badName = Buffer.concat([Buffer.of(0x88, 0x40), string("X"), string("v")]);
    assert.match(decodeBlock(decoder, badName).problem ?? "", /name "X"/);
    assert.match(decodeBlock(decoder, "88 0f 2f 01 61").problem ?? "", /name "X"/);
  });

  it("no line of a block without problem can be taken for two", () => {
    const octets = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
      maxLength: 6,
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(octets, octets), { maxLength: 4 }), (fields) => {
        const block = decodeBlock(generousDecoder(), literals([status, ...fields]));
        if (block.problem !== null) return;
        const read = [...block.fields()];
        assert.equal(read.length, fields.length);
        assert.deepEqual(new Set(read.map(String)), new Set(fields.map(String)));
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });
});

describe("what is noted", () => {
  it("status, length and coding", () => {
    const fields: FieldPair[] = [
      [":status", "206"],
      ["content-length", "5, 5"],
      ["content-length", "5"],
      ["content-encoding", "gzip"],
      ["te", "trailers"],
    ];
    const block = decodeBlock(generousDecoder(), literals(fields));
    assert.equal(block.problem, null);
    assert.equal(block.status, 206);
    assert.equal(block.contentLength, 5);
    assert.equal(block.encoded, true);
    assert.equal(block.version, 20);
    assert.equal(block.reason, "");
    assert.equal(block.fields().get("Content-Encoding"), "gzip");
    assert.equal(block.fields().has(":status"), false);
    const size = fields.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
    assert.equal(block.size, size);
  });

  it("a :status that is a literal, or stands in the table", () => {
    const decoder = generousDecoder();
    assert.equal(decodeBlock(decoder, Buffer.concat([Buffer.of(0x48), string("418")])).status, 418);
    assert.equal(decodeBlock(decoder, "be").status, 418);
    assert.equal(decodeBlock(decoder, "be").text, "");
  });
});

describe("lists above the limit", () => {
  const bomb = (references: number): Buffer =>
    Buffer.concat([Buffer.of(0x40), string("a"), string("x".repeat(4000)), Buffer.alloc(references, 0xbe)]);

  it("keep no text, and the table stays right", () => {
    const decoder = new FieldDecoder(10_000);
    const block = decodeBlock(decoder, bomb(2));
    assert.equal(block.tooLarge, true);
    assert.equal(block.text, "");
    assert.equal(decodeBlock(decoder, "88 be").text, `a: ${"x".repeat(4000)}\r\n`);
  });

  it("of four times the limit end the connection", () => {
    assert.equal(outcomeOf(new FieldDecoder(10_000), bomb(10)), "error 11");
  });

  it("of one field that is larger than all of it too", () => {
    const block = literals([["a", "x".repeat(20_000)]]);
    assert.equal(decodeBlock(new FieldDecoder(10_000), block).tooLarge, true);
    assert.equal(outcomeOf(new FieldDecoder(1000), block), "error 11");
  });

  it("do not spoil the next block", () => {
    const decoder = new FieldDecoder(10_000);
    decodeBlock(decoder, bomb(2));
    const next = decodeBlock(decoder, literals([["a", "b"]]));
    assert.deepEqual([next.tooLarge, next.text], [false, "a: b\r\n"]);
  });
});

describe("the cache of blocks", () => {
  /** Blocks that come again, refer, insert, resize and are wrong. */
  function someBlocks(): Buffer[] {
    const random = seededRandom();
    return Array.from({ length: 12 }, () => {
      const parts: Buffer[] = random.chance(0.1) ? [integer(0x20, 5, random.integer(0, 300))] : [];
      parts.push(Buffer.of(0x88));
      for (let field = random.integer(0, 5); field > 0; field--) {
        const kind = random.integer(0, 3);
        if (kind === 0) parts.push(integer(0x80, 7, random.integer(1, 66)));
        else if (kind === 1)
          parts.push(integer(0x40, 6, random.integer(1, 61)), string(`v${random.integer(0, 9)}`));
        else if (kind === 2) parts.push(Buffer.of(0x40), string(`n${random.integer(0, 3)}`), string("1"));
        else parts.push(Buffer.of(0), string("lit"), string("1"));
      }
      return Buffer.concat(parts);
    });
  }

  it("changes nothing: each block of a long series gives what a decoder without it gives", () => {
    const blocks = someBlocks();
    const random = seededRandom();
    let cached = generousDecoder();
    let history: Buffer[] = [];
    for (let step = 0; step < 3000; step++) {
      const block = blocks[random.integer(0, random.chance() ? 2 : blocks.length - 1)]!;
      history.push(block);
      const outcome = outcomeOf(cached, block);
      // A decoder that has just begun knows no block: it is brought to the same table by literals that insert it.
      const fresh = freshDecoder(history);
      assert.equal(outcome, fresh.outcome, `step ${step}`);
      if (outcome.startsWith("error")) {
        cached = generousDecoder();
        history = [];
      } else assert.equal(tableLines(cached.table), fresh.table, `step ${step}`);
      if (history.length > 40) {
        cached = generousDecoder();
        history = [];
      }
    }
  });

  /** Every block but the last is decoded with a field behind it that is another each time: no block is known. */
  function freshDecoder(history: readonly Buffer[]): { outcome: string; table: string } {
    const decoder = generousDecoder();
    let outcome = "";
    for (const [at, block] of history.entries()) {
      const last = at === history.length - 1;
      const unknown = last ? block : Buffer.concat([block, Buffer.of(0), string("unique"), string(`${at}`)]);
      outcome = outcomeOf(decoder, unknown);
    }
    return { outcome, table: tableLines(decoder.table) };
  }

  it("gives one object for equal blocks", () => {
    const decoder = generousDecoder();
    const block = literals([
      [":status", "200"],
      ["a", "b"],
    ]);
    assert.equal(decodeBlock(decoder, block), decodeBlock(decoder, block));
  });
});

describe("any octets", () => {
  it("give fields or one error of the connection", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), (blocks) => {
        const decoder = new FieldDecoder(500);
        for (const block of blocks) {
          const outcome = outcomeOf(decoder, block);
          assert.ok(decoder.table.size <= decoder.table.limit && decoder.table.limit <= 4096);
          if (outcome.startsWith("error")) {
            assert.match(outcome, /^error (9|11)$/);
            return;
          }
        }
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });

  it("are read in linear time", () => {
    const random = seededRandom();
    const cost = (length: number, rounds: number): number => {
      const block = Buffer.from(Array.from({ length }, () => random.pick([0x88, 0x90, 0xa0, 0x82, 0xb0])));
      const times = Array.from({ length: 5 }, () => {
        const decoder = new FieldDecoder(100_000_000);
        const start = process.cpuUsage();
        for (let at = 0; at < rounds; at++) decoder.decode(block, 0, block.length);
        return process.cpuUsage(start).user;
      });
      return Math.min(...times);
    };
    // As many octets in sixteen blocks as in one: a quadratic reader would take sixteen times as long for the one.
    const [many, one] = [cost(10_000, 64), cost(160_000, 4)];
    assert.ok(one < 5 * many, `${one} and ${many} µs`);
  });

  it("of one violation have one type", () => {
    assert.throws(
      () => decodeBlock(generousDecoder(), "80"),
      (error) => error instanceof Violation && error.id === 0,
    );
  });
});
