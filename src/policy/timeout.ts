/** How long the parts of an attempt may take (urllib3's `Timeout`). */

import { inspect } from "node:util";
import { type Clock, systemClock } from "../core/clock.ts";
import { DEFAULT_CONNECT_TIMEOUT, DEFAULT_READ_TIMEOUT } from "../core/defaults.ts";
import { InvalidArgumentError, TimeoutStateError } from "../core/errors.ts";
import { isPlainObject, refuseUnknown } from "../core/options.ts";
import { show } from "../core/shown.ts";

/** Options of {@link Timeout}, in ms. `null` and `Infinity` are no limit. */
export interface TimeoutOptions {
  /** Connecting and the wait for the answer together. Default: no limit. */
  total?: number | null | undefined;
  /** Until a connection stands. Default 10_000, or with a `total` no limit beside it. */
  connect?: number | null | undefined;
  /** Each single wait for data. Default 300_000, or with a `total` no limit beside it. */
  read?: number | null | undefined;
}

/** What an option named `timeout` may be: see {@link Timeout.from}. */
export type TimeoutLike = number | Timeout | TimeoutOptions | null | undefined;

const NAMES = ["total", "connect", "read"] as const;

/** What other libraries call these options. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ["request", "total, or the request option deadline"],
  ["deadline", "total, or the request option deadline"],
  ["response", "read"],
  ["headersTimeout", "read"],
  ["bodyTimeout", "read"],
  ["socket", "read"],
  ["secureConnect", "connect"],
]);

type Reader = Pick<Clock, "now">;

/**
 * The time limits of an attempt. The values do not change; the clock of an object runs once, so each attempt takes a
 * {@link clone}, and one `Timeout` serves many requests. `total` covers connecting and the wait for the answer, not
 * the whole body: for that there is the `deadline` of a request.
 *
 * @throws {InvalidArgumentError} if a value is not a number above 0, `null` or `undefined`.
 */
export class Timeout {
  /** @internal Minifiers change the names of classes. */
  static readonly name: string = "Timeout";
  /** ms for each of connect and read, 10_000 and 300_000; no total. */
  static readonly DEFAULT: Timeout = new Timeout();

  /** ms, `null` for no limit. */
  readonly total: number | null;
  /** ms as given, without regard to `total`; `null` for no limit. */
  readonly connect: number | null;
  /** ms as given, without regard to `total`; `null` for no limit. */
  readonly read: number | null;
  /** Longest time in ms for a connection to stand: the shorter of `connect` and `total`; `null` for no limit. */
  readonly connectTimeout: number | null;
  #clock: Reader | null = null;
  #start = 0;

  constructor(options: TimeoutOptions = {}) {
    checkNames(options);
    this.total = limit("total", options.total, null);
    // A total alone rules: no default of ours cuts short what the caller allows.
    const alone = this.total !== null;
    this.connect = limit("connect", options.connect, alone ? null : DEFAULT_CONNECT_TIMEOUT);
    this.read = limit("read", options.read, alone ? null : DEFAULT_READ_TIMEOUT);
    this.connectTimeout = shorter(this.connect, this.total);
  }

  /** The same limit in ms for each of connect and read, no total (urllib3's `from_float`). */
  static fromNumber(ms: number | null): Timeout {
    return new Timeout({ connect: ms, read: ms });
  }

  /**
   * What an option named `timeout` means: a number of ms for each of connect and read, a plain object the options of a
   * new `Timeout`, `null` no limit, `undefined` the `fallback`.
   * @throws {InvalidArgumentError} for anything else.
   */
  static from(value: TimeoutLike, fallback: Timeout): Timeout {
    if (value === undefined) return fallback;
    if (value instanceof Timeout) return value;
    if (isPlainObject(value)) return new Timeout(value);
    if (typeof value !== "number" && value !== null)
      throw new InvalidArgumentError(
        `timeout must be a number of milliseconds above 0, null for no limit, { total, connect, read } or a Timeout, not ${show(value)}`,
      );
    return Timeout.fromNumber(value);
  }

  /**
   * Longest wait in ms for the next data; `null` for no limit. Once the clock runs, at most what `total` leaves.
   * @throws {TimeoutStateError} if there is only a `total` and the clock has not been started.
   */
  get readTimeout(): number | null {
    const { total, read } = this;
    if (total === null) return read;
    if (this.#clock === null && read !== null) return read;
    const left = Math.max(0, total - this.getConnectDuration());
    return shorter(left, read);
  }

  /**
   * Starts the clock of this object, at the beginning of the attempt.
   * @throws {TimeoutStateError} if it was started already.
   */
  startConnect(clock: Reader = systemClock): void {
    if (this.#clock !== null) throw new TimeoutStateError("Timeout timer has already been started.");
    this.#clock = clock;
    this.#start = clock.now();
  }

  /**
   * ms since {@link startConnect}.
   * @throws {TimeoutStateError} if the clock has not been started.
   */
  getConnectDuration(): number {
    if (this.#clock === null)
      throw new TimeoutStateError("Can't get connect duration for timer that has not started.");
    return this.#clock.now() - this.#start;
  }

  /** The same limits, with a clock that has not been started. */
  clone(): Timeout {
    return new Timeout({ total: this.total, connect: this.connect, read: this.read });
  }

  /** Whether `other` sets the same limits; the clocks do not matter. */
  equals(other: unknown): boolean {
    return (
      other instanceof Timeout &&
      other.total === this.total &&
      other.connect === this.connect &&
      other.read === this.read
    );
  }

  /** What a pool key compares. @internal */
  keyParts(): unknown {
    return [this.total, this.connect, this.read];
  }

  /** `Timeout(connect=.., read=.., total=..)`, in ms. */
  toString(): string {
    return `Timeout(connect=${this.connect}, read=${this.read}, total=${this.total})`;
  }
}

// Not a method: the compiler cannot declare one whose name comes from another module.
Object.defineProperty(Timeout.prototype, inspect.custom, {
  value(this: Timeout): string {
    return this.toString();
  },
});

function checkNames(options: TimeoutOptions): void {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new InvalidArgumentError(`Timeout takes { total, connect, read }, not ${show(options)}`);
  refuseUnknown("Timeout", options, NAMES, OTHER_NAMES);
}

function limit(name: string, value: unknown, fallback: number | null): number | null {
  if (value === undefined) return fallback;
  if (value === null) return null;
  if (typeof value !== "number" || Number.isNaN(value)) {
    throw new InvalidArgumentError(
      `Timeout ${name} must be a number of milliseconds above 0, or null for no limit, not ${show(value)}`,
    );
  }
  if (value <= 0)
    throw new InvalidArgumentError(
      `Attempted to set ${name} timeout to ${value}, but the timeout cannot be set to a value less than or equal to 0.`,
    );
  return value === Number.POSITIVE_INFINITY ? null : value;
}

function shorter(one: number | null, other: number | null): number | null {
  if (one === null) return other;
  return other === null ? one : Math.min(one, other);
}
