import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Progress, ProgressMeter } from "../../../src/body/request/progress.ts";
import { VirtualClock } from "../../kit/clock.ts";

/** A meter with what it told, and when. */
function metered(total: number | null): {
  clock: VirtualClock;
  meter: ProgressMeter;
  told: [number, Progress][];
} {
  const clock = new VirtualClock();
  const told: [number, Progress][] = [];
  const meter = new ProgressMeter((progress) => told.push([clock.now(), progress]), total, clock);
  return { clock, meter, told };
}

describe("ProgressMeter", () => {
  it("tells at once, then at most 20 times a second, and the last figure in any case", () => {
    const { clock, meter, told } = metered(10_000);
    for (let ms = 1; ms <= 10_000; ms++) {
      clock.advance(1);
      meter.at(ms);
    }
    meter.end();
    assert.equal(told[0]![0], 1);
    assert.equal(told.at(-1)![1].transferred, 10_000);
    for (let second = 0; second <= 9000; second += 250) {
      const within = told.slice(0, -1).filter(([at]) => at >= second && at < second + 1000);
      assert.ok(within.length <= 20, `${within.length} calls from ${second} ms`);
      assert.ok(within.length >= 19, `${within.length} calls from ${second} ms`);
    }
  });

  it("does not tell the same end twice, but tells the end of nothing", () => {
    const { meter, told } = metered(5);
    meter.at(5);
    meter.end();
    meter.end();
    assert.equal(told.length, 1);
    const nothing = metered(0);
    nothing.meter.at(0);
    nothing.meter.end();
    assert.deepEqual(nothing.told, [[0, { transferred: 0, total: 0, percent: 1, bytesPerSecond: 0 }]]);
    const unseen = metered(null);
    unseen.meter.end();
    assert.equal(unseen.told.length, 1);
  });

  it("percent is a share of the total, the rate a mean since the beginning", () => {
    const { clock, meter, told } = metered(4000);
    clock.advance(500);
    meter.at(1000);
    clock.advance(1500);
    meter.at(4000);
    meter.end();
    assert.deepEqual(
      told.map(([, progress]) => progress),
      [
        { transferred: 1000, total: 4000, percent: 0.25, bytesPerSecond: 2000 },
        { transferred: 4000, total: 4000, percent: 1, bytesPerSecond: 2000 },
      ],
    );
  });

  it("without a total there is no percentage", () => {
    const { meter, told } = metered(null);
    meter.at(7);
    assert.deepEqual([told[0]![1].total, told[0]![1].percent], [null, null]);
  });
});
