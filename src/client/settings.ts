/** What one call goes by: the pool's options, with the request's own over them. Checked once, before anything is sent. */

import type { OnProgress } from "../body/request/progress.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { Retry } from "../policy/retry.ts";
import { Timeout } from "../policy/timeout.ts";
import type { PoolOptions, UrlopenOptions } from "./options.ts";
import type { Informational } from "./response/response.ts";

/** The settings of one call; times are ms, `Infinity` for no limit. */
export interface CallSettings {
  readonly timeout: Timeout;
  readonly connectTimeout: number;
  readonly readTimeout: number;
  readonly poolTimeout: number;
  readonly deadline: number;
  readonly retries: Retry;
  readonly redirect: boolean;
  readonly assertSameHost: boolean;
  readonly chunked: boolean;
  readonly preloadContent: boolean;
  /** `null`: as soon as the body was read. */
  readonly releaseConn: boolean | null;
  readonly decodeContent: boolean;
  readonly enforceContentLength: boolean;
  readonly allowTruncated: boolean;
  /** bytes */
  readonly maxDecodedSize: number;
  readonly signal: AbortSignal | null;
  readonly onInformational: ((response: Informational) => void) | null;
  readonly onUploadProgress: OnProgress | null;
  readonly onDownloadProgress: OnProgress | null;
}

/** The settings of a pool's calls. Throws `InvalidArgumentError`. */
export function poolSettings(options: PoolOptions): CallSettings {
  const timeout = Timeout.from(options.timeout, Timeout.DEFAULT);
  return {
    timeout,
    ...limits(timeout),
    poolTimeout: wait("poolTimeout", options.poolTimeout),
    deadline: Number.POSITIVE_INFINITY,
    retries: Retry.fromInt(options.retries),
    redirect: true,
    assertSameHost: true,
    chunked: false,
    preloadContent: flag("preloadContent", options.preloadContent, true),
    releaseConn: null,
    decodeContent: flag("decodeContent", options.decodeContent, true),
    enforceContentLength: flag("enforceContentLength", options.enforceContentLength, true),
    allowTruncated: false,
    maxDecodedSize: size("maxDecodedSize", options.maxDecodedSize),
    signal: null,
    onInformational: null,
    onUploadProgress: null,
    onDownloadProgress: null,
  };
}

/** The settings of one call with `options`. Throws `InvalidArgumentError`. */
export function callSettings(base: CallSettings, options: UrlopenOptions): CallSettings {
  const timeout = options.timeout === undefined ? base.timeout : Timeout.from(options.timeout, base.timeout);
  const redirect = flag("redirect", options.redirect, true);
  return {
    timeout,
    ...(timeout === base.timeout
      ? { connectTimeout: base.connectTimeout, readTimeout: base.readTimeout }
      : limits(timeout)),
    poolTimeout:
      options.poolTimeout === undefined ? base.poolTimeout : wait("poolTimeout", options.poolTimeout),
    deadline: duration("deadline", options.deadline),
    retries:
      options.retries === undefined
        ? Retry.fromInt(base.retries, { redirect })
        : Retry.fromInt(options.retries, { redirect }),
    redirect,
    assertSameHost: flag("assertSameHost", options.assertSameHost, base.assertSameHost),
    chunked: flag("chunked", options.chunked, false),
    preloadContent: flag("preloadContent", options.preloadContent, base.preloadContent),
    releaseConn: options.releaseConn == null ? null : flag("releaseConn", options.releaseConn, true),
    decodeContent: flag("decodeContent", options.decodeContent, base.decodeContent),
    enforceContentLength: flag(
      "enforceContentLength",
      options.enforceContentLength,
      base.enforceContentLength,
    ),
    allowTruncated: flag("allowTruncated", options.allowTruncated, false),
    maxDecodedSize:
      options.maxDecodedSize === undefined
        ? base.maxDecodedSize
        : size("maxDecodedSize", options.maxDecodedSize),
    signal: checkSignal(options.signal),
    onInformational: options.onInformational ?? null,
    onUploadProgress: options.onUploadProgress ?? null,
    onDownloadProgress: options.onDownloadProgress ?? null,
  };
}

/** A number of ms above 0; `Infinity` where it is not given. Throws `InvalidArgumentError`. */
export function duration(
  name: string,
  value: number | null | undefined,
  fallback: number = Number.POSITIVE_INFINITY,
): number {
  if (value === undefined) return fallback;
  if (value === null) return Number.POSITIVE_INFINITY;
  if (typeof value === "number" && value > 0) return value;
  throw new InvalidArgumentError(`${name} must be a number of milliseconds above 0, not ${show(value)}`);
}

/** As {@link duration}; 0 is for no wait at all. */
export function wait(name: string, value: number | null | undefined, fallback?: number): number {
  return value === 0 ? 0 : duration(name, value, fallback);
}

/** A whole number of at least `least`. Throws `InvalidArgumentError`. */
export function count(name: string, value: number | undefined, fallback: number, least: number): number {
  if (value === undefined || value === null) return fallback;
  if (value === Number.POSITIVE_INFINITY || (Number.isInteger(value) && value >= least)) return value;
  throw new InvalidArgumentError(`${name} must be a whole number of at least ${least}, not ${show(value)}`);
}

/** A boolean. Throws `InvalidArgumentError`. */
export function flag(name: string, value: boolean | null | undefined, fallback: boolean): boolean {
  if (value === undefined || value === null) return fallback;
  if (typeof value === "boolean") return value;
  throw new InvalidArgumentError(`${name} must be true or false, not ${show(value)}`);
}

function size(name: string, value: number | null | undefined): number {
  return count(name, value ?? undefined, Number.POSITIVE_INFINITY, 0);
}

function checkSignal(signal: AbortSignal | null | undefined): AbortSignal | null {
  if (signal === undefined || signal === null) return null;
  if (typeof signal.addEventListener === "function") return signal;
  throw new InvalidArgumentError("signal must be an AbortSignal");
}

function limits(timeout: Timeout): { connectTimeout: number; readTimeout: number } {
  const unlimited = Number.POSITIVE_INFINITY;
  // With a total the time left for reading is only known once the connection stands: see attempt.ts.
  const readTimeout = timeout.total === null ? (timeout.readTimeout ?? unlimited) : unlimited;
  return { connectTimeout: timeout.connectTimeout ?? unlimited, readTimeout };
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
