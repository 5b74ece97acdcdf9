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
