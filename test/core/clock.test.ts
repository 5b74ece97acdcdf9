import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { LONGEST_TIMER, systemClock } from "../../src/core/clock.ts";
import { CoarseTimers, TimerEntry } from "../../src/core/timers.ts";
import { VirtualClock } from "../kit/clock.ts";

/** Node's timers and its monotonic clock, moved by hand. */
class Platform {
  readonly #t: TestContext;
  #now = 0;

  constructor(t: TestContext) {
    this.#t = t;
    t.mock.timers.enable({ apis: ["setTimeout"] });
    t.mock.method(performance, "now", () => this.#now);
  }

  pass(ms: number): void {
    this.#now += ms;
    this.#t.mock.timers.tick(ms);
  }
}

for (const delay of [LONGEST_TIMER + 1, 2 * LONGEST_TIMER + 5000, 2 ** 40]) {
  test(`a timer of ${delay} ms: never more than Node can bear, and not a moment early`, (t) => {
    const platform = new Platform(t);
    const set = t.mock.method(globalThis, "setTimeout");
    let fired = 0;
    systemClock.setTimer(() => fired++, delay);
    for (let left = delay - 2; left > 0; left -= LONGEST_TIMER) platform.pass(Math.min(left, LONGEST_TIMER));
    assert.equal(fired, 0);
    platform.pass(2);
    assert.equal(fired, 1);
    platform.pass(LONGEST_TIMER);
    assert.equal(fired, 1);
    const delays = set.mock.calls.map((call) => call.arguments[1] as number);
    assert.ok(Math.max(...delays) <= LONGEST_TIMER, String(delays));
  });
}

test("a long timer can be cancelled at any time", (t) => {
  const platform = new Platform(t);
  let fired = 0;
  const count = (): void => {
    fired++;
  };
  const [early, late] = [0, 0].map(() => systemClock.setTimer(count, LONGEST_TIMER + 1000));
  early!.cancel();
  platform.pass(LONGEST_TIMER);
  late!.cancel();
  platform.pass(LONGEST_TIMER);
  assert.equal(fired, 0);
});

test("an infinite timer never fires, not even early", (t) => {
  const platform = new Platform(t);
  let fired = 0;
  const timer = systemClock.setTimer(() => fired++, Number.POSITIVE_INFINITY);
  for (let round = 0; round < 5; round++) platform.pass(LONGEST_TIMER);
  timer.cancel();
  assert.equal(fired, 0);
});

test("whether a timer keeps the program alive", () => {
  const active = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = active();
  const loose = systemClock.setTimer(() => {}, 100_000);
  assert.equal(active(), before);
  const firm = systemClock.setTimer(() => {}, 100_000, true);
  assert.equal(active(), before + 1);
  loose.cancel();
  firm.cancel();
  assert.equal(active(), before);
});

test("coarse timers: one platform timer for each duration, none early, each once, in the order of arming", () => {
  const clock = new VirtualClock();
  const timers = new CoarseTimers(clock);
  const fired: string[] = [];
  const entry = (name: string): TimerEntry => new TimerEntry(() => fired.push(`${clock.now()} ${name}`));
  const [a, b, c, d] = ["a", "b", "c", "d"].map(entry) as [TimerEntry, TimerEntry, TimerEntry, TimerEntry];
  timers.arm(a, 100);
  timers.arm(b, 100);
  clock.advance(40);
  timers.arm(c, 100);
  timers.arm(d, 70);
  assert.equal(clock.pending, 2);
  timers.arm(a, 100);
  b.disarm();
  assert.deepEqual([a.armed, b.armed], [true, false]);
  clock.advance(99);
  assert.deepEqual(fired, ["110 d"]);
  clock.advance(1);
  assert.deepEqual(fired, ["110 d", "140 c", "140 a"]);
  assert.equal(clock.pending, 0);
});

test("coarse timers: what a timeout does may arm, disarm and throw", () => {
  const clock = new VirtualClock();
  const timers = new CoarseTimers(clock);
  const fired: string[] = [];
  const last = new TimerEntry(() => fired.push("last"));
  const again = new TimerEntry(() => {
    fired.push(`again at ${clock.now()}`);
    if (clock.now() === 10) timers.arm(again, 10);
    dropped.disarm();
  });
  const dropped = new TimerEntry(() => fired.push("dropped"));
  const throwing = new TimerEntry(() => {
    throw new Error("boom");
  });
  for (const one of [again, dropped, throwing, last]) timers.arm(one, 10);
  assert.throws(() => clock.advance(10), /boom/);
  clock.advance(100);
  assert.deepEqual(fired, ["again at 10", "last", "again at 20"]);
  assert.equal(clock.pending, 0);
});

test("coarse timers: infinity is never, and a sweep gives up the platform's timers that nobody waits for", () => {
  const clock = new VirtualClock();
  const timers = new CoarseTimers(clock);
  const entry = new TimerEntry(() => assert.fail("fired"));
  timers.arm(entry, Number.POSITIVE_INFINITY);
  assert.deepEqual([entry.armed, clock.pending], [false, 0]);
  timers.arm(entry, 2 ** 32);
  entry.disarm();
  assert.equal(clock.pending, 1);
  timers.sweep();
  assert.equal(clock.pending, 0);
});
