/**
 * What is tried again, how often and after how long (urllib3's `Retry`). A `Retry` is a value: each failure gives a
 * new one with one less to spend, until there is nothing left and the failure is thrown.
 */

import { inspect } from "node:util";
import { systemClock } from "../core/clock.ts";
import { InvalidArgumentError, InvalidHeader, MaxRetryError, ResponseError } from "../core/errors.ts";
import { isPlainObject, refuseUnknown } from "../core/options.ts";
import { show } from "../core/shown.ts";
import { IDEMPOTENT_METHODS, isDeterministic, kindOf, lockedSet } from "./repeatable.ts";
import { retryAfterDelay } from "./retry-after.ts";
import type { RetryBudget } from "./retry-budget.ts";
import {
  DEFAULT_BACKOFF_MAX,
  DEFAULT_REMOVE_HEADERS_ON_REDIRECT,
  DEFAULT_RETRY_AFTER_MAX,
  historyEntry,
  type Membership,
  OTHER_RETRY_NAMES,
  type RetryCount,
  type RetryHistoryEntry,
  type RetryOptions,
  type RetrySettings,
  retrySettings,
} from "./retry-options.ts";

export { isRetryable } from "./repeatable.ts";
export type { Membership, RetryCount, RetryHistoryEntry, RetryOptions } from "./retry-options.ts";

/** What `Retry` needs of a response. */
export interface RetryResponse {
  readonly status: number;
  /** Value of Location if the response is a redirect. */
  redirectLocation(): string | null | undefined | false;
  readonly headers: { get(name: string): string | null };
}

/** What happened to a request: an answer, an error, or neither if nothing is known. */
export interface RetryFailure {
  method?: string | null | undefined;
  url?: string | null | undefined;
  response?: RetryResponse | null | undefined;
  error?: Error | null | undefined;
  /** The request may be repeated whatever its method, as with an idempotency key. Default false. */
  idempotent?: boolean | undefined;
}

/** What a waiting time depends on. */
export interface WaitFacts {
  /** The answer that is being retried, if there was one. */
  response?: RetryResponse | null | undefined;
  /** ms since the epoch. Default: now. */
  wallNow?: number | undefined;
  /** Gives numbers in [0, 1). Default `Math.random`. */
  random?: (() => number) | undefined;
}

/** When an answer is judged: see {@link Retry.retriesAnswer}. */
export interface AnswerFacts {
  /** The request may be repeated whatever its method, as with an idempotency key. Default false. */
  idempotent?: boolean | undefined;
  /** ms since the epoch. Default: now. */
  wallNow?: number | undefined;
  /** ms until the deadline of the request. Default: no deadline. */
  timeLeft?: number | undefined;
  /** For the error. */
  url?: string | null | undefined;
}

/** What an option named `retries` may be: see {@link Retry.from}. */
export type RetryLike = number | boolean | Retry | RetryOptions | null | undefined;

/** What a number of retries means where it stands: see {@link Retry.fromInt}. */
export interface FromIntOptions {
  /** False: redirects are not followed, nor an error. Default true. */
  redirect?: boolean | undefined;
  /** What `null` and `undefined` stand for. Default {@link Retry.DEFAULT}. */
  default?: number | boolean | Retry | null | undefined;
}

/** Statuses whose Retry-After is an invitation to come back. */
const RETRY_AFTER_STATUS_CODES: ReadonlySet<number> = lockedSet([413, 429, 503]);

/** Every option, in the order of urllib3's arguments. */
const FIELDS = [
  "total",
  "connect",
  "read",
  "redirect",
  "status",
  "other",
  "allowedMethods",
  "statusForcelist",
  "backoffFactor",
  "backoffMax",
  "backoffJitter",
  "fullJitter",
  "raiseOnRedirect",
  "raiseOnStatus",
  "history",
  "respectRetryAfterHeader",
  "retryAfterMax",
  "removeHeadersOnRedirect",
  "budget",
] as const satisfies readonly (keyof RetrySettings)[];

/**
 * How often a request is tried again, what for, and after how long. Immutable, so one object serves any number of
 * requests. Counts: a number is what may still fail (0: the next failure is final), `null` is no limit, `false` is
 * none, and the error is thrown as it is instead of in a `MaxRetryError`. Every failure and every redirect costs one of
 * `total` and one of its kind.
 *
 * @throws {InvalidArgumentError} if an option makes no sense.
 */
export class Retry implements RetrySettings {
  /** @internal Minifiers change the names of classes. */
  static readonly name: string = "Retry";
  static readonly DEFAULT_ALLOWED_METHODS: ReadonlySet<string> = IDEMPOTENT_METHODS;
  static readonly RETRY_AFTER_STATUS_CODES: ReadonlySet<number> = RETRY_AFTER_STATUS_CODES;
  static readonly DEFAULT_REMOVE_HEADERS_ON_REDIRECT: ReadonlySet<string> =
    DEFAULT_REMOVE_HEADERS_ON_REDIRECT;
  /** ms */
  static readonly DEFAULT_BACKOFF_MAX: number = DEFAULT_BACKOFF_MAX;
  /** ms */
  static readonly DEFAULT_RETRY_AFTER_MAX: number = DEFAULT_RETRY_AFTER_MAX;
  /** What holds where the caller says nothing: a total of 3. */
  static readonly DEFAULT: Retry = new Retry({ total: 3 });

  declare readonly total: RetryCount;
  declare readonly connect: RetryCount;
  declare readonly read: RetryCount;
  declare readonly redirect: number | null;
  declare readonly status: RetryCount;
  declare readonly other: RetryCount;
  /** Upper-case; `null`: every method. */
  declare readonly allowedMethods: ReadonlySet<string> | null;
  declare readonly statusForcelist: Membership<number>;
  /** ms */
  declare readonly backoffFactor: number;
  /** ms */
  declare readonly backoffMax: number;
  /** ms */
  declare readonly backoffJitter: number;
  declare readonly fullJitter: boolean;
  declare readonly raiseOnRedirect: boolean;
  declare readonly raiseOnStatus: boolean;
  /** Oldest first. */
  declare readonly history: readonly RetryHistoryEntry[];
  declare readonly respectRetryAfterHeader: boolean;
  /** ms */
  declare readonly retryAfterMax: number;
  /** Lower-case. */
  declare readonly removeHeadersOnRedirect: ReadonlySet<string>;
  declare readonly budget: RetryBudget | null;

  constructor(options: RetryOptions = {}) {
    // A subclass may have options of its own.
    checkOptions(options);
    if (new.target === Retry) refuseUnknown("Retry", options, FIELDS, OTHER_RETRY_NAMES);
    Object.assign(this, retrySettings(options));
    if (new.target === Retry) Object.freeze(this);
    else lockFields(this); // A subclass may have fields to add.
  }

  /**
   * The `Retry` that an option named `retries` means: as {@link fromInt}, and a plain object stands for the options of
   * a new `Retry`.
   * @throws {InvalidArgumentError} for anything else, and for an option that is not known.
   */
  static from(retries: RetryLike, options: FromIntOptions = {}): Retry {
    if (!isPlainObject(retries)) {
      if (isCount(retries)) return this.fromInt(retries, options);
      const wanted = "a whole number, false for none at all, { total, ... } or a Retry";
      throw new InvalidArgumentError(`retries must be ${wanted}, not ${show(retries)}`);
    }
    return new this(options.redirect === false ? { redirect: false, ...retries } : retries);
  }

  /**
   * A `Retry` itself, a number a total, `true` one, `false` none at all; `null` and `undefined` the default (urllib3's
   * `from_int`).
   * @throws {InvalidArgumentError} for anything else.
   */
  static fromInt(
    retries: number | boolean | Retry | null | undefined,
    { redirect = true, default: fallback }: FromIntOptions = {},
  ): Retry {
    const value = retries ?? fallback ?? this.DEFAULT;
    if (value instanceof Retry) return value;
    return new this({ total: value, redirect: redirect ? null : false });
  }

  /** A copy of the same class with these options changed; those that are `undefined` stay. */
  new(overrides: RetryOptions = {}): this {
    const options: Record<string, unknown> = {};
    for (const field of FIELDS)
      options[field] = overrides[field] === undefined ? this[field] : overrides[field];
    const Class = this.constructor as new (options: RetryOptions) => this;
    return new Class(options);
  }

  /**
   * The `Retry` after one more failure or redirect. Which errors are retried at all is decided before. A retry that is allowed
   * is taken from the `budget`, if there is one.
   * @throws {MaxRetryError} if this was one too many; `reason` is the error, or a `ResponseError` about the answer.
   * @throws the error as it is, where its count is `false`, or the method may not be repeated.
   */
  increment(failure: RetryFailure = {}): this {
    const { response } = failure;
    const location = (!failure.error && response?.redirectLocation()) || null;
    const entry = historyEntry({
      method: failure.method ?? null,
      url: failure.url ?? null,
      error: failure.error ?? null,
      status: failure.error ? null : response?.status || null,
      redirectLocation: location,
    });
    const counts = this.#spend(failure, location !== null);
    if (this.other === null && isDeterministic(failure.error ?? {}))
      throw maxRetryError("Not retried, because every attempt would fail like this", entry);
    const next = this.new({ ...counts, history: [...this.history, entry] });
    if (next.isExhausted()) throw maxRetryError("Max retries exceeded", entry);
    if (location === null && this.budget?.tryRetry() === false)
      throw maxRetryError("Max retries exceeded: the retry budget is used up", entry);
    return next;
  }

  /** The counts after `failure`; throws its error where that is not to be counted. */
  #spend({ method, error, response, idempotent }: RetryFailure, redirected: boolean): RetryOptions {
    if (error && this.total === false) throw error;
    const total = less(this.total);
    if (!error) {
      if (redirected) return { total, redirect: less(this.redirect) };
      return response?.status ? { total, status: less(this.status) } : { total };
    }
    const kind = kindOf(error);
    if (kind === "other") return { total, other: less(this.other) };
    if (this[kind] === false) throw error;
    if (kind === "read" && !(method && this.#allows(method, idempotent))) throw error;
    return { total, [kind]: less(this[kind]) };
  }

  /**
   * Whether an answer with this status asks for another try: a status of `statusForcelist`, or one of 413, 429 and
   * 503 with a Retry-After. Only for methods that may be repeated, or an `idempotent` request.
   */
  isRetry(
    method: string,
    status: number,
    hasRetryAfter: boolean = false,
    idempotent: boolean = false,
  ): boolean {
    if (!this.#allows(method, idempotent)) return false;
    if (this.statusForcelist.has(status)) return true;
    if (!hasRetryAfter || !this.respectRetryAfterHeader || !RETRY_AFTER_STATUS_CODES.has(status))
      return false;
    // With nothing left to spend the answer stands, instead of being an error.
    return this.total !== false && this.total !== 0 && this.budget?.canRetry() !== false;
  }

  /**
   * Whether the answer to `method` asks for another try, as {@link isRetry}, with its headers: a malformed Retry-After
   * counts as none. Nothing waits beyond the deadline: where Retry-After asks for more than `timeLeft`, the answer
   * stands.
   * @throws {MaxRetryError} instead, if its status is of `statusForcelist` and `raiseOnStatus` is set.
   */
  retriesAnswer(method: string, response: RetryResponse, facts: AnswerFacts = {}): boolean {
    const { status } = response;
    const asked = this.retryAfter(response, facts.wallNow);
    if (!this.isRetry(method, status, asked !== null, facts.idempotent)) return false;
    const { timeLeft = Number.POSITIVE_INFINITY } = facts;
    if (asked === null || asked <= timeLeft) return true;
    if (!this.raiseOnStatus || !this.statusForcelist.has(status)) return false;
    const entry = { method, url: facts.url ?? null, error: null, status, redirectLocation: null };
    const left = Math.max(0, Math.round(timeLeft));
    throw maxRetryError(
      `Retry-After asks for ${asked} ms, and the deadline is in ${left} ms`,
      historyEntry(entry),
    );
  }

  /** Whether a count has gone below 0. */
  isExhausted(): boolean {
    const counts = [this.total, this.connect, this.read, this.redirect, this.status, this.other];
    return counts.some((count) => typeof count === "number" && count < 0);
  }

  /**
   * Back-off in ms before the next attempt: 0 after the first of the failures in a row, then `backoffFactor` doubled
   * with each more. A redirect ends a row.
   */
  getBackoffTime({ random = Math.random }: { random?: (() => number) | undefined } = {}): number {
    const failures =
      this.history.length - 1 - this.history.findLastIndex((entry) => entry.redirectLocation !== null);
    if (failures <= 1) return 0;
    // The exponent is bounded: 0 times infinity is not a number.
    let backoff = this.backoffFactor * 2 ** Math.min(failures - 1, 1000);
    if (this.backoffJitter !== 0) backoff += random() * this.backoffJitter;
    backoff = Math.min(this.backoffMax, backoff);
    return this.fullJitter ? random() * backoff : backoff;
  }

  /**
   * The wait in ms that the value of a Retry-After field asks for, seconds or an HTTP-date; at most `retryAfterMax`.
   * @throws {InvalidHeader} if it is neither.
   */
  parseRetryAfter(value: string, wallNow: number = systemClock.wallNow()): number {
    const delay = retryAfterDelay(value, wallNow);
    if (delay === null) throw new InvalidHeader(`Invalid Retry-After header: ${value}`);
    return Math.min(delay, this.retryAfterMax);
  }

  /** The wait in ms that a response asks for; `null` if it does not, it is malformed, or not respected. */
  retryAfter(response: RetryResponse, wallNow?: number | undefined): number | null {
    const value = this.respectRetryAfterHeader ? response.headers.get("retry-after") : null;
    if (value === null) return null;
    const delay = retryAfterDelay(value, wallNow ?? systemClock.wallNow());
    return delay === null ? null : Math.min(delay, this.retryAfterMax);
  }

  /** ms to wait before the next attempt: what Retry-After asks for, else the back-off (urllib3's `sleep`). */
  waitTime({ response, wallNow, random }: WaitFacts = {}): number {
    const asked = response ? this.retryAfter(response, wallNow) : null;
    return asked !== null && asked > 0 ? asked : this.getBackoffTime({ random });
  }

  /** Whether `other` is of the same class with the same options and history; a budget is itself only. */
  equals(other: unknown): boolean {
    if (other === this) return true;
    if (!(other instanceof Retry) || other.constructor !== this.constructor) return false;
    return FIELDS.every((field) => isSame(this[field], other[field]));
  }

  /** What a pool key compares. A subclass with fields of its own adds them. @internal */
  keyParts(): unknown {
    return FIELDS.map((field) => this[field]);
  }

  /** The counts, as in urllib3. */
  toString(): string {
    const { total, connect, read, redirect, status } = this;
    return `Retry(total=${total}, connect=${connect}, read=${read}, redirect=${redirect}, status=${status})`;
  }

  #allows(method: string, idempotent: boolean | undefined): boolean {
    return (
      idempotent === true || this.allowedMethods === null || this.allowedMethods.has(method.toUpperCase())
    );
  }
}

// Not a method: the compiler cannot declare one whose name comes from another module.
Object.defineProperty(Retry.prototype, inspect.custom, {
  value(this: Retry): string {
    return this.toString();
  },
});

/** One less to spend; `false` is 0, as in urllib3. */
function less(count: RetryCount): number | null {
  return count === null ? null : Number(count) - 1;
}

function lockFields(retry: Retry): void {
  for (const field of FIELDS) Object.defineProperty(retry, field, { writable: false, configurable: false });
}

function maxRetryError(text: string, entry: RetryHistoryEntry): MaxRetryError {
  const { method, url, error, status, redirectLocation } = entry;
  const reason = error ?? answerError(status, redirectLocation !== null);
  // The reason may begin with method and URL already: once is enough.
  const why = reason.message.replace(`${method} ${url}: `, "");
  const failure = new MaxRetryError(`${text} (Caused by ${reason.name}: ${why})`, { reason });
  return failure.describe({ method: method ?? undefined, url: url ?? undefined });
}

function answerError(status: number | null, redirected: boolean): ResponseError {
  if (redirected) return new ResponseError("too many redirects", { status: status ?? undefined });
  if (status === null) return new ResponseError("too many error responses");
  return new ResponseError(`too many ${status} error responses`, { status });
}

function isSame(one: unknown, other: unknown): boolean {
  if (one instanceof Set && other instanceof Set)
    return one.size === other.size && [...one].every((member) => other.has(member));
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((entry, index) => isSameEntry(entry, other[index]));
  return one === other;
}

function isSameEntry(one: RetryHistoryEntry, other: RetryHistoryEntry): boolean {
  return (Object.keys(one) as (keyof RetryHistoryEntry)[]).every((key) => one[key] === other[key]);
}

/** Whether `retries` is one of the short forms of a `Retry`. */
function isCount(retries: unknown): retries is number | boolean | Retry | null | undefined {
  if (retries === null || retries === undefined || typeof retries === "boolean") return true;
  return Number.isInteger(retries) || retries === Number.POSITIVE_INFINITY || retries instanceof Retry;
}

function checkOptions(options: unknown): void {
  if (typeof options === "object" && options !== null && !Array.isArray(options)) return;
  throw new InvalidArgumentError(`Retry takes an object of options, not ${show(options)}: see Retry.fromInt`);
}
