import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { BodyCollector } from "../../src/connection/collector.ts";

describe("BodyCollector", () => {
  it("property: collects what was added, of known length or not", () => {
    const sizes = fc.array(
      fc.oneof(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 4000, max: 70_000 })),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(sizes, fc.boolean(), (lengths, known) => {
        const total = lengths.reduce((sum, length) => sum + length, 0);
        const body = Buffer.from(Uint8Array.from({ length: total }, (_unused, i) => i * 7));
        const collector = new BodyCollector(known ? total : null);
        let at = 0;
        for (const length of lengths) {
          // What is added lies somewhere in a larger buffer that is used again.
          const shared = Buffer.concat([Buffer.alloc(3, 1), body.subarray(at, at + length), Buffer.alloc(5)]);
          collector.add(shared, 3, 3 + length);
          shared.fill(255);
          at += length;
        }
        assert.ok(collector.finish().equals(body));
      }),
      { seed: 20260101, numRuns: 100 },
    );
  });

  it("a body that broke off is as long as what came; of unknown length nothing is read directly", () => {
    const collector = new BodyCollector(100_000);
    collector.rest()!.fill("a", 0, 7);
    collector.filled(7);
    assert.equal(String(collector.finish()), "aaaaaaa");
    assert.equal(new BodyCollector(null).rest(), null);
    assert.equal(new BodyCollector(null).finish().length, 0);
  });

  it("property: fills the caller's memory from its start, and only what it takes; more than fits goes elsewhere", () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 20 });
    fc.assert(
      fc.property(sizes, fc.boolean(), fc.integer({ min: 0, max: 300 }), (lengths, known, room) => {
        const total = lengths.reduce((sum, length) => sum + length, 0);
        const body = Buffer.from(Uint8Array.from({ length: total }, (_unused, i) => i * 7));
        const memory = Buffer.alloc(room + 2, 0xee);
        const into = memory.subarray(1, room + 1);
        const collector = new BodyCollector(known ? total : null, into);
        let at = 0;
        for (const length of lengths) {
          collector.add(body, at, at + length);
          at += length;
        }
        const collected = collector.finish();
        assert.ok(collected.equals(body));
        const inPlace = total > 0 && total <= room;
        if (inPlace) assert.equal(collected.byteOffset, into.byteOffset);
        if (total > 0) assert.equal(collected.buffer === into.buffer, inPlace);
        if (inPlace) assert.ok(memory.subarray(total + 1).every((byte) => byte === 0xee));
        assert.deepEqual([memory[0], memory.at(-1)], [0xee, 0xee]);
      }),
      { seed: 20260101, numRuns: 300 },
    );
  });

  it("large bodies of known length are read straight into the caller's memory", () => {
    const into = Buffer.alloc(100_000);
    const collector = new BodyCollector(90_000, into);
    const rest = collector.rest()!;
    assert.deepEqual([rest.buffer === into.buffer, rest.length], [true, 90_000]);
    collector.filled(80_000);
    assert.equal(collector.rest(), null);
    collector.add(Buffer.alloc(10_000, "b"), 0, 10_000);
    assert.equal(collector.finish().length, 90_000);
    assert.deepEqual([into[80_000], into[90_000]], [98, 0]);
  });

  it("memory that was transferred on the way gives nothing, and no error from within", () => {
    for (const length of [90_000, null]) {
      const into = new Uint8Array(100_000);
      const collector = new BodyCollector(length, Buffer.from(into.buffer));
      collector.add(Buffer.from("abc"), 0, 3);
      structuredClone(into, { transfer: [into.buffer] });
      assert.equal(collector.rest(), null);
      collector.add(Buffer.alloc(200_000), 0, 200_000);
      collector.filled(5);
      collector.finish();
    }
  });

  it("a million additions of one byte take a megabyte, not a hundred", () => {
    const collector = new BodyCollector(null);
    const byte = Buffer.from("x");
    const before = process.memoryUsage();
    for (let i = 0; i < 1_000_000; i++) collector.add(byte, 0, 1);
    const after = process.memoryUsage();
    const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
    assert.ok(grown < 10e6, `${grown} bytes`);
    assert.equal(collector.finish().length, 1_000_000);
  });
});
