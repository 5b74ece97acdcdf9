import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ByteQueue } from "../../../src/body/response/byte-queue.ts";

describe("ByteQueue", () => {
  it("property: what comes out is what went in, whatever the sizes, and what was given stays as it was", () => {
    const size = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 500, max: 20_000 }));
    const step = fc.record({ put: size, get: fc.option(size, { nil: null }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new ByteQueue();
        const given: Buffer[] = [];
        const put: Buffer[] = [];
        let next = 0;
        for (const { put: length, get } of steps) {
          const bytes = Buffer.from(Uint8Array.from({ length }, () => next++));
          put.push(bytes);
          queue.put(bytes);
          if (get === null) continue;
          const before = queue.length;
          given.push(queue.get(get));
          assert.equal(given.at(-1)!.length, Math.min(get, before));
        }
        given.push(queue.getAll());
        assert.equal(queue.length, 0);
        assert.ok(Buffer.concat(given).equals(Buffer.concat(put)));
      }),
      { seed: 20260101, numRuns: 300 },
    );
  });

  it("does not copy what is asked for whole, and does not keep a buffer for each of many bytes", () => {
    const queue = new ByteQueue();
    const bytes = Buffer.alloc(1000);
    queue.put(bytes);
    assert.equal(queue.get(1000), bytes);
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 1_000_000; i++) queue.put(bytes.subarray(0, 1));
    globalThis.gc?.();
    assert.ok(process.memoryUsage().heapUsed - before < 10e6);
    assert.equal(queue.get(999_999).length, 999_999);
    assert.equal(queue.length, 1);
  });
});
