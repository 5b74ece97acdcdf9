/** The states of a body on its way, as its text shows them. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { BodySource } from "../../../src/client/response/body-source.ts";
import type { Stream } from "../../../src/connection/connection.ts";
import { VirtualClock } from "../../kit/clock.ts";

class Bench implements Stream {
  readonly calls: string[] = [];
  readonly clock: VirtualClock = new VirtualClock();
  readonly source: BodySource;

  constructor(length: number | null = 10) {
    this.source = new BodySource(this, length, this.clock, () => this.calls.push("ended"));
  }

  pause(): void {
    this.calls.push("pause");
  }
  resume(): void {
    this.calls.push("resume");
  }
  release(): void {
    this.calls.push("release");
  }
  cancel(): void {
    this.calls.push("cancel");
  }

  push(length: number): boolean {
    return this.source.push(Buffer.alloc(length), false);
  }

  get state(): string {
    return `${this.source}`;
  }
}

it("flowing, and complete", async () => {
  const bench = new Bench();
  assert.equal(bench.state, "flowing read=0/10");
  assert.equal(bench.push(10), true);
  bench.source.end(null, false);
  assert.equal(bench.state, "complete read=10/10");
  assert.deepEqual([bench.source.finished, bench.source.unread], [false, true]);
  assert.equal((await bench.source.next())!.bytes.length, 10);
  assert.equal(await bench.source.next(), null);
  assert.deepEqual([bench.source.finished, bench.source.unread], [true, false]);
  assert.deepEqual(bench.calls, ["ended"]);
});

it("paused while enough is unread, and flowing again", () => {
  const bench = new Bench(null);
  assert.equal(bench.push(300_000), false);
  assert.equal(bench.state, "paused read=300000/?");
  bench.source.take();
  assert.equal(bench.state, "flowing read=300000/?");
  assert.deepEqual(bench.calls, ["resume"]);
});

it("parked: all has come, and the stream waits for its reader", () => {
  const bench = new Bench();
  bench.push(10);
  bench.source.end(null, true);
  assert.equal(bench.state, "complete read=10/10 parked");
  bench.source.take();
  assert.equal(bench.state, "complete read=10/10");
  assert.deepEqual(bench.calls, ["ended", "release"]);
});

it("failed, by the other side or by this one", async () => {
  const broken = new Bench();
  broken.push(4);
  broken.source.fail(new Error("reset"));
  assert.equal(broken.state, "failed read=4/10");
  assert.equal((await broken.source.next())!.bytes.length, 4);
  await assert.rejects(broken.source.next(), /reset/);
  assert.deepEqual(broken.calls, ["ended"]);
  const stopped = new Bench();
  stopped.source.destroy("enough");
  assert.equal(stopped.state, "failed read=0/10");
  await assert.rejects(stopped.source.next(), (reason) => reason === "enough");
  assert.deepEqual(stopped.calls, ["cancel", "ended"]);
});

it("draining when it is given up, then dropped: by its end, after 50 ms, or above 256 KiB", () => {
  const ended = new Bench();
  ended.source.abandon();
  assert.equal(ended.state, "draining read=0/10");
  ended.push(10);
  ended.source.end(null, false);
  assert.equal(ended.state, "dropped read=10/10");
  const late = new Bench();
  late.source.abandon();
  late.clock.advance(50);
  assert.equal(late.state, "dropped read=0/10");
  const large = new Bench(null);
  large.source.abandon();
  large.push(262_145);
  assert.equal(large.state, "dropped read=262145/?");
  assert.deepEqual(
    [ended.calls, late.calls, large.calls],
    [
      ["resume", "ended"],
      ["resume", "cancel", "ended"],
      ["resume", "cancel", "ended"],
    ],
  );
  for (const { clock } of [ended, late, large]) assert.equal(clock.pending, 0);
});
