/** The options of `Retry`: their defaults, and the check that each makes sense. */

import { InvalidArgumentError } from "../core/errors.ts";
import { redact } from "../core/redact.ts";
import { show } from "../core/shown.ts";
import { IDEMPOTENT_METHODS, lockedSet } from "./repeatable.ts";
import type { RetryBudget } from "./retry-budget.ts";

/** How many failures of a kind are allowed: `null` any number, `false` none, and the error comes as it is. */
export type RetryCount = number | false | null;

/** Something that knows its members: a `Set`, or a range of one's own. */
export interface Membership<T> {
  has(value: T): boolean;
}

/** One failure or redirect that `Retry` has counted. */
export interface RetryHistoryEntry {
  readonly method: string | null;
  /** Request URL without credentials. */
  readonly url: string | null;
  readonly error: Error | null;
  readonly status: number | null;
  /** Value of Location as it came, without credentials. */
  readonly redirectLocation: string | null;
}

/** Options of `Retry`; times in ms. */
export interface RetryOptions {
  /** All retries and redirects together. `null`: only the other counts limit. `false`: disabled. Default 10. */
  total?: number | boolean | null | undefined;
  /** Failures before the request was sent. Default `null`. */
  connect?: number | boolean | null | undefined;
  /** Failures after the request was sent; only for allowed methods. Default `null`. */
  read?: number | boolean | null | undefined;
  /** Redirects. `false`: none, and the redirect itself is returned. Default `null`. */
  redirect?: number | boolean | null | undefined;
  /** Answers with a status that asks for another try. Default `null`. */
  status?: number | boolean | null | undefined;
  /** Failures of any other kind. Default `null`. */
  other?: number | boolean | null | undefined;
  /** Methods that may be repeated once the request was sent; `null` or none: every method. Default: the idempotent. */
  allowedMethods?: Iterable<string> | null | false | undefined;
  /** Statuses to retry, for allowed methods. Default: none. */
  statusForcelist?: Iterable<number> | Membership<number> | null | undefined;
  /** Wait after the second failure in a row is twice this, and doubles with each more. Default 0: no wait. */
  backoffFactor?: number | undefined;
  /** Longest back-off. Default 120_000. */
  backoffMax?: number | undefined;
  /** Up to this much is added to each back-off, at random. Default 0. */
  backoffJitter?: number | undefined;
  /** Wait a random time from 0 to the back-off instead, so that clients do not come back all at once. Default false. */
  fullJitter?: boolean | undefined;
  /** Whether too many redirects are an error, or the last redirect is returned. Default true. */
  raiseOnRedirect?: boolean | undefined;
  /** Whether too many error statuses are an error, or the last answer is returned. Default true. */
  raiseOnStatus?: boolean | undefined;
  /** What was counted so far. Default: nothing. */
  history?: Iterable<RetryHistoryEntry> | undefined;
  /** Whether Retry-After decides over 413, 429 and 503, and over the wait. Default true. */
  respectRetryAfterHeader?: boolean | undefined;
  /** Longest wait that Retry-After may ask for. Default 21_600_000 (6 hours). */
  retryAfterMax?: number | undefined;
  /** Fields that do not follow a redirect to another origin. Default Cookie, Authorization, Proxy-Authorization. */
  removeHeadersOnRedirect?: Iterable<string> | undefined;
  /** Shared by many requests: limits the retries of all. Default: none. */
  budget?: RetryBudget | null | undefined;
}

/** The options as `Retry` keeps them. */
export interface RetrySettings {
  readonly total: RetryCount;
  readonly connect: RetryCount;
  readonly read: RetryCount;
  readonly redirect: number | null;
  readonly status: RetryCount;
  readonly other: RetryCount;
  /** Upper-case; `null`: every method. */
  readonly allowedMethods: ReadonlySet<string> | null;
  readonly statusForcelist: Membership<number>;
  readonly backoffFactor: number;
  readonly backoffMax: number;
  readonly backoffJitter: number;
  readonly fullJitter: boolean;
  readonly raiseOnRedirect: boolean;
  readonly raiseOnStatus: boolean;
  readonly history: readonly RetryHistoryEntry[];
  readonly respectRetryAfterHeader: boolean;
  readonly retryAfterMax: number;
  /** Lower-case. */
  readonly removeHeadersOnRedirect: ReadonlySet<string>;
  readonly budget: RetryBudget | null;
}

/** Longest back-off in ms (urllib3's `DEFAULT_BACKOFF_MAX`). */
export const DEFAULT_BACKOFF_MAX: number = 120_000;

/** Longest wait in ms for Retry-After: 6 hours (urllib3's `DEFAULT_RETRY_AFTER_MAX`). */
export const DEFAULT_RETRY_AFTER_MAX: number = 21_600_000;

/** Credentials are for the origin they were given for (urllib3's `DEFAULT_REMOVE_HEADERS_ON_REDIRECT`). */
export const DEFAULT_REMOVE_HEADERS_ON_REDIRECT: ReadonlySet<string> = lockedSet([
  "cookie",
  "authorization",
  "proxy-authorization",
]);

const NO_STATUS: ReadonlySet<number> = lockedSet([]);
const NO_HISTORY: readonly RetryHistoryEntry[] = Object.freeze([]);

/** What other libraries call these options. */
export const OTHER_RETRY_NAMES: ReadonlyMap<string, keyof RetryOptions> = new Map([
  ["attempts", "total"],
  ["limit", "total"],
  ["maxRetries", "total"],
  ["retries", "total"],
  ["methods", "allowedMethods"],
  ["methodWhitelist", "allowedMethods"],
  ["statusCodes", "statusForcelist"],
  ["statuses", "statusForcelist"],
  ["backoff", "backoffFactor"],
  ["delay", "backoffFactor"],
  ["retryDelay", "backoffFactor"],
  ["minTimeout", "backoffFactor"],
  ["backoffLimit", "backoffMax"],
  ["maxTimeout", "backoffMax"],
  ["maxRetryAfter", "retryAfterMax"],
  ["retryAfter", "respectRetryAfterHeader"],
  ["jitter", "fullJitter"],
]);

/**
 * The options with their defaults, checked.
 * @throws {InvalidArgumentError} if one makes no sense.
 */
export function retrySettings(options: RetryOptions): RetrySettings {
  const total = count("total", options.total, 10);
  const redirect = count("redirect", options.redirect, null);
  const noRedirects = total === false || redirect === false;
  return {
    total,
    connect: count("connect", options.connect, null),
    read: count("read", options.read, null),
    redirect: noRedirects ? 0 : redirect,
    status: count("status", options.status, null),
    other: count("other", options.other, null),
    allowedMethods: methodSet(options.allowedMethods),
    statusForcelist: statusSet(options.statusForcelist),
    backoffFactor: amount("backoffFactor", options.backoffFactor, 0),
    backoffMax: amount("backoffMax", options.backoffMax, DEFAULT_BACKOFF_MAX, Number.POSITIVE_INFINITY),
    backoffJitter: amount("backoffJitter", options.backoffJitter, 0),
    fullJitter: flag("fullJitter", options.fullJitter, false),
    raiseOnRedirect: noRedirects ? false : flag("raiseOnRedirect", options.raiseOnRedirect, true),
    raiseOnStatus: flag("raiseOnStatus", options.raiseOnStatus, true),
    history: historyOf(options.history),
    respectRetryAfterHeader: flag("respectRetryAfterHeader", options.respectRetryAfterHeader, true),
    retryAfterMax: amount(
      "retryAfterMax",
      options.retryAfterMax,
      DEFAULT_RETRY_AFTER_MAX,
      Number.POSITIVE_INFINITY,
    ),
    removeHeadersOnRedirect: headerSet(options.removeHeadersOnRedirect),
    budget: budgetOf(options.budget),
  };
}

/** An entry of the history, with the credentials in its URLs removed. */
export function historyEntry(entry: RetryHistoryEntry): RetryHistoryEntry {
  const { method, url, error, status, redirectLocation } = entry;
  return Object.freeze({
    method,
    url: url === null ? null : redact(url),
    error,
    status,
    redirectLocation: redirectLocation === null ? null : redact(redirectLocation),
  });
}

/** Entries that were made here are kept as they are. */
function keptEntry(entry: unknown): RetryHistoryEntry {
  if (typeof entry !== "object" || entry === null)
    throw new InvalidArgumentError(`Retry history must hold entries, not ${show(entry)}`);
  return Object.isFrozen(entry) ? (entry as RetryHistoryEntry) : historyEntry(entry as RetryHistoryEntry);
}

function count<T extends RetryCount>(name: string, value: unknown, fallback: T): RetryCount {
  if (value === undefined) return fallback;
  if (value === null || value === false) return value;
  if (value === true) return 1; // As in urllib3, where True is a number.
  if (Number.isInteger(value) || value === Number.POSITIVE_INFINITY) return value as number;
  throw new InvalidArgumentError(
    `Retry ${name} must be a whole number, false or null (no limit), not ${show(value)}`,
  );
}

function amount(name: string, value: unknown, fallback: number, most: number = Number.MAX_VALUE): number {
  if (value === undefined) return fallback;
  if (typeof value === "number" && value >= 0 && value <= most) return value;
  throw new InvalidArgumentError(
    `Retry ${name} must be a number of milliseconds of at least 0, not ${show(value)}`,
  );
}

function flag(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value === "boolean") return value;
  throw new InvalidArgumentError(`Retry ${name} must be true or false, not ${show(value)}`);
}

function methodSet(methods: RetryOptions["allowedMethods"]): ReadonlySet<string> | null {
  if (methods === undefined || methods === IDEMPOTENT_METHODS) return IDEMPOTENT_METHODS;
  // urllib3: whatever is empty allows every method.
  if (!methods) return null;
  const set = lockedSet(strings("allowedMethods", methods).map((method) => method.toUpperCase()));
  return set.size === 0 ? null : set;
}

function headerSet(names: RetryOptions["removeHeadersOnRedirect"]): ReadonlySet<string> {
  if (names === undefined) return DEFAULT_REMOVE_HEADERS_ON_REDIRECT;
  return lockedSet(strings("removeHeadersOnRedirect", names).map((name) => name.toLowerCase()));
}

function strings(name: string, values: unknown): string[] {
  const list = isCollection(values) ? [...values] : [values];
  if (isCollection(values) && list.every((value) => typeof value === "string")) return list as string[];
  throw new InvalidArgumentError(`Retry ${name} must be an iterable of strings, not ${show(values)}`);
}

function statusSet(statuses: RetryOptions["statusForcelist"]): Membership<number> {
  if (statuses === undefined || statuses === null) return NO_STATUS;
  if (isCollection(statuses)) return lockedSet([...statuses].map(checkStatus));
  if (typeof statuses === "object" && typeof (statuses as Membership<number>).has === "function")
    return statuses as Membership<number>;
  throw new InvalidArgumentError(
    `Retry statusForcelist must be an iterable of numbers, or have a has(), not ${show(statuses)}`,
  );
}

function checkStatus(status: unknown): number {
  if (Number.isInteger(status) && (status as number) >= 100 && (status as number) <= 999)
    return status as number;
  throw new InvalidArgumentError(
    `Retry statusForcelist must hold statuses as numbers, such as 503, not ${show(status)}`,
  );
}

function historyOf(history: unknown): readonly RetryHistoryEntry[] {
  if (history === undefined) return NO_HISTORY;
  if (isCollection(history)) return Object.freeze([...history].map(keptEntry));
  throw new InvalidArgumentError(`Retry history must be an iterable of entries, not ${show(history)}`);
}

function budgetOf(budget: unknown): RetryBudget | null {
  if (budget === undefined || budget === null) return null;
  if (typeof (budget as RetryBudget).tryRetry === "function") return budget as RetryBudget;
  throw new InvalidArgumentError(`Retry budget must be a RetryBudget, not ${show(budget)}`);
}

/** Iterable, and not a string, whose parts are never what is meant. */
function isCollection(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}
