import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect, isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { InvalidArgumentError, TimeoutStateError } from "../../src/core/errors.ts";
import { Timeout, type TimeoutOptions } from "../../src/policy/timeout.ts";

/** A clock that stands still until it is told. */
class HandClock {
  time = 1_000;
  now(): number {
    return this.time;
  }
}

function started(options: TimeoutOptions, elapsed: number): Timeout {
  const clock = new HandClock();
  const timeout = new Timeout(options);
  timeout.startConnect(clock);
  clock.time += elapsed;
  return timeout;
}

const NOT_A_NUMBER = "must be a number of milliseconds above 0, or null for no limit";
const TOO_SMALL = "less than or equal to 0";

const invalid: [value: unknown, text: string][] = [
  [true, NOT_A_NUMBER],
  [false, NOT_A_NUMBER],
  ["10", NOT_A_NUMBER],
  ["foo", NOT_A_NUMBER],
  ["", NOT_A_NUMBER],
  [Number.NaN, NOT_A_NUMBER],
  [{}, NOT_A_NUMBER],
  [[5], NOT_A_NUMBER],
  [5n, NOT_A_NUMBER],
  [0, TOO_SMALL],
  [-0, TOO_SMALL],
  [-1, TOO_SMALL],
  [Number.NEGATIVE_INFINITY, TOO_SMALL],
];

test("TO-01: invalid values are refused, whichever limit they are for", () => {
  for (const name of ["total", "connect", "read"]) {
    for (const [value, text] of invalid) {
      const make = () => new Timeout({ [name]: value } as TimeoutOptions);
      assert.throws(make, (error: Error) => {
        assert.ok(error instanceof InvalidArgumentError);
        assert.ok(error.message.includes(text), `${name} ${String(value)}: ${error.message}`);
        assert.ok(error.message.includes(name));
        return true;
      });
    }
  }
  assert.throws(() => new Timeout({ connect: -1 }), {
    message:
      "Attempted to set connect timeout to -1, but the timeout cannot be set to a value less than or equal to 0.",
  });
  assert.throws(() => new Timeout({ read: "10" as unknown as number }), {
    message: 'Timeout read must be a number of milliseconds above 0, or null for no limit, not "10"',
  });
});

test("TO-01: fromNumber and from refuse the same", () => {
  for (const [value] of invalid) {
    assert.throws(() => Timeout.fromNumber(value as number), InvalidArgumentError);
    // An object holds the options of a Timeout.
    if (isDeepStrictEqual(value, {})) continue;
    assert.throws(() => Timeout.from(value as number, Timeout.DEFAULT), InvalidArgumentError);
  }
});

test("an object in place of a Timeout has its options", () => {
  const timeout = Timeout.from({ connect: 1000, total: 5000 }, Timeout.DEFAULT);
  assert.ok(timeout.equals(new Timeout({ connect: 1000, total: 5000 })));
  assert.ok(Timeout.from({}, Timeout.fromNumber(1)).equals(Timeout.DEFAULT));
  assert.throws(
    () => Timeout.from({ read: "5s" } as never, Timeout.DEFAULT),
    /Timeout read must be .* not "5s"/,
  );
  assert.throws(
    () => Timeout.from(new AbortController().signal as never, Timeout.DEFAULT),
    /timeout must be a number .* not an AbortSignal/,
  );
});

test("a limit that there is not is refused, with the one that is meant", () => {
  for (const [name, text] of [
    ["conect", "did you mean connect?"],
    ["pool", "its options are total, connect, read"],
    ["response", "did you mean read?"],
    ["request", "did you mean total, or the request option deadline?"],
    ["constructor", "its options are"],
  ] as const) {
    const make = () => Timeout.from({ [name]: 5 } as TimeoutOptions, Timeout.DEFAULT);
    assert.throws(
      make,
      (error: Error) => error instanceof InvalidArgumentError && error.message.includes(text),
    );
  }
  assert.ok(new Timeout({ response: undefined } as TimeoutOptions).equals(Timeout.DEFAULT));
});

test("messages use JavaScript's terms", () => {
  for (const value of [true, "5", {}, Number.NaN, [1]])
    for (const make of [
      () => new Timeout({ total: value as never }),
      () => Timeout.fromNumber(value as never),
    ])
      assert.throws(make, (error: Error) => !/int, float|None|object Object/.test(error.message));
});

test("a number or null in place of the options is refused", () => {
  for (const options of [5, null, "5"])
    assert.throws(() => new Timeout(options as never), InvalidArgumentError);
});

// [options, connectTimeout, readTimeout, and the latter after 5 s of connecting]
const arithmetic: [TimeoutOptions, number | null, number | null | "state", number | null][] = [
  [{}, 10_000, 300_000, 300_000],
  [{ total: undefined, connect: undefined, read: undefined }, 10_000, 300_000, 300_000],
  [{ connect: 3_000, read: 7_000 }, 3_000, 7_000, 7_000],
  [{ connect: null, read: null }, null, null, null],
  [{ total: null, connect: null, read: null }, null, null, null],
  [{ connect: Number.POSITIVE_INFINITY, read: Number.POSITIVE_INFINITY }, null, null, null],
  [{ total: Number.POSITIVE_INFINITY }, 10_000, 300_000, 300_000],
  [{ total: 3_000 }, 3_000, "state", 0],
  [{ total: 20_000 }, 20_000, "state", 15_000],
  [{ total: 400_000 }, 400_000, "state", 395_000],
  [{ total: 20_000, connect: null, read: null }, 20_000, "state", 15_000],
  [{ total: 3_000, connect: 2_000 }, 2_000, "state", 0],
  [{ total: 2_000, connect: 3_000 }, 2_000, "state", 0],
  [{ total: 10_000, read: 7_000 }, 10_000, 7_000, 5_000],
  [{ total: 13_000, read: 7_000 }, 13_000, 7_000, 7_000],
  [{ total: 4_000, read: 7_000 }, 4_000, 7_000, 0],
  [{ connect: 2 ** 31, read: 2 ** 40 }, 2 ** 31, 2 ** 40, 2 ** 40],
  [{ connect: 0.5, read: 0.25 }, 0.5, 0.25, 0.25],
];

test("TO-02: connect, read and total limit each other", () => {
  for (const [options, connect, read, readAfter5s] of arithmetic) {
    const timeout = new Timeout(options);
    const name = inspect(options);
    assert.equal(timeout.connectTimeout, connect, name);
    if (read === "state") assert.throws(() => timeout.readTimeout, TimeoutStateError, name);
    else assert.equal(timeout.readTimeout, read, name);
    assert.equal(started(options, 5_000).readTimeout, readAfter5s, name);
    assert.equal(started(options, 5_000).connectTimeout, connect, name);
  }
});

test("TO-03: what is not given is the default, null is no limit", () => {
  assert.equal(new Timeout({ connect: 1 }).readTimeout, 300_000);
  assert.equal(new Timeout({ read: 1 }).connectTimeout, 10_000);
  assert.equal(Timeout.DEFAULT.connectTimeout, 10_000);
  assert.equal(Timeout.DEFAULT.readTimeout, 300_000);
  assert.equal(Timeout.DEFAULT.total, null);
});

test("TO-04: string form", () => {
  const timeout = new Timeout({ connect: 1_000, read: null, total: 3_000 });
  assert.equal(String(timeout), "Timeout(connect=1000, read=null, total=3000)");
  assert.equal(inspect(timeout), String(timeout));
  assert.equal(String(new Timeout()), "Timeout(connect=10000, read=300000, total=null)");
});

test("TO-05: the clock is started once, and read after that only", () => {
  const clock = new HandClock();
  const timeout = new Timeout({ total: 3_000 });
  assert.throws(() => timeout.getConnectDuration(), TimeoutStateError);
  timeout.startConnect(clock);
  assert.throws(() => timeout.startConnect(clock), {
    name: "TimeoutStateError",
    message: "Timeout timer has already been started.",
  });
  clock.time += 8_000;
  assert.equal(timeout.getConnectDuration(), 8_000);
  assert.equal(timeout.readTimeout, 0);
});

test("startConnect takes the platform's clock by default", () => {
  const timeout = new Timeout({ total: 60_000 });
  timeout.startConnect();
  const duration = timeout.getConnectDuration();
  assert.ok(duration >= 0 && duration < 60_000);
});

test("a clone has the same limits and a clock of its own", () => {
  for (const [options] of arithmetic) {
    const timeout = started(options, 5_000);
    const clone = timeout.clone();
    assert.ok(clone.equals(timeout));
    assert.equal(clone.connectTimeout, timeout.connectTimeout);
    assert.throws(() => clone.getConnectDuration(), TimeoutStateError);
    clone.startConnect(new HandClock());
    assert.equal(clone.getConnectDuration(), 0);
    assert.equal(timeout.getConnectDuration(), 5_000);
  }
});

test("fromNumber sets connect and read, and no total", () => {
  assert.ok(Timeout.fromNumber(5).equals(new Timeout({ connect: 5, read: 5 })));
  assert.equal(Timeout.fromNumber(5).total, null);
  assert.ok(Timeout.fromNumber(null).equals(new Timeout({ connect: null, read: null })));
});

test("from: what an option named timeout means", () => {
  const fallback = new Timeout({ total: 1 });
  const own = new Timeout({ connect: 2 });
  assert.equal(Timeout.from(undefined, fallback), fallback);
  assert.equal(Timeout.from(own, fallback), own);
  assert.ok(Timeout.from(7, fallback).equals(Timeout.fromNumber(7)));
  assert.ok(Timeout.from(null, fallback).equals(Timeout.fromNumber(null)));
});

test("equals compares by value", () => {
  const timeout = new Timeout({ total: 1, connect: 2, read: 3 });
  assert.ok(timeout.equals(new Timeout({ read: 3, connect: 2, total: 1 })));
  assert.ok(new Timeout().equals(new Timeout({ connect: 10_000, read: 300_000 })));
  assert.ok(new Timeout({ connect: null }).equals(new Timeout({ connect: Number.POSITIVE_INFINITY })));
  for (const change of [{ total: 9 }, { connect: 9 }, { read: 9 }, { total: null }]) {
    assert.ok(!timeout.equals(new Timeout({ total: 1, connect: 2, read: 3, ...change })));
  }
  assert.ok(!timeout.equals({ total: 1, connect: 2, read: 3 }));
  assert.deepEqual(timeout.keyParts(), [1, 2, 3]);
});

test("property: no limit is ever longer than what it is made of, nor below 0", () => {
  const limit = fc.option(fc.integer({ min: 1, max: 1_000_000 }), { nil: null });
  const options = fc.record({ total: limit, connect: limit, read: limit });
  const property = fc.property(options, fc.integer({ min: 0, max: 2_000_000 }), (given, elapsed) => {
    const { connectTimeout, readTimeout } = started(given, elapsed);
    const within = (value: number | null, bound: number | null) =>
      bound === null || (value !== null && value <= bound);
    assert.ok(within(connectTimeout, given.connect) && within(connectTimeout, given.total));
    const left = given.total === null ? null : Math.max(0, given.total - elapsed);
    assert.ok(within(readTimeout, given.read) && within(readTimeout, left));
    assert.ok(readTimeout === null || readTimeout >= 0);
    assert.equal(readTimeout === null, given.read === null && given.total === null);
  });
  fc.assert(property, { seed: 20260101 });
});
