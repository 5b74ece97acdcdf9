/** What one call goes by: the pool's options, with the request's own over them. Checked once, before anything is sent. */

import type { OnProgress } from "../body/request/progress.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { checkOptionsObject, refuseUnknown as refuseParts } from "../core/options.ts";
import { Retry } from "../policy/retry.ts";
import { Timeout } from "../policy/timeout.ts";
import type { CookieJarLike } from "./cookies.ts";
import type { OnRequest, OnResponse } from "./hooks.ts";
import { refuseUnknown } from "./option-names.ts";
import type { PoolManagerOptions, PoolOptions, UrlopenOptions } from "./options.ts";
import { checkOption, keyFields, OPTION_RULES, ruleOf } from "./options-table.ts";
import { CallerMemory } from "./response/caller-memory.ts";
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
  /** Memory of the caller's for the body of the answer. */
  readonly into: CallerMemory | null;
  readonly mergeHeaders: boolean;
  readonly allowUnknownOptions: boolean;
  readonly signal: AbortSignal | null;
  readonly onRequest: OnRequest | null;
  readonly onResponse: OnResponse | null;
  readonly cookieJar: CookieJarLike | null;
  readonly onInformational: ((response: Informational) => void) | null;
  readonly onUploadProgress: OnProgress | null;
  readonly onDownloadProgress: OnProgress | null;
  /** Options of the caller's own that requests may have. */
  readonly ownOptions: ReadonlySet<string>;
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };
type Given = Readonly<Record<string, unknown>>;

const NONE_OWN: ReadonlySet<string> = new Set();

/** The settings of calls without any options. */
const DEFAULTS: CallSettings = settingsOf(defaults(), {
  timeout: Timeout.DEFAULT,
  ...limits(Timeout.DEFAULT),
  retries: Retry.DEFAULT,
  into: null,
  ownOptions: NONE_OWN,
} as CallSettings);

function defaults(): Given {
  return Object.fromEntries(Object.entries(OPTION_RULES).map(([name, rule]) => [name, rule.default]));
}

/**
 * The settings of a pool's calls; `ownOptions` may grow. The options were checked by {@link checkPoolOptions}.
 * Throws `InvalidArgumentError`.
 */
export function poolSettings(options: PoolOptions, ownOptions: ReadonlySet<string> = NONE_OWN): CallSettings {
  const settings = settingsOf(options as Given, { ...DEFAULTS, ownOptions });
  // Requests may ask for redirects all the same: a number does not become a Retry that refuses them.
  return derive(settings, DEFAULTS, options, true);
}

/**
 * The settings of one call with `options`, each of which is looked at once. Throws `InvalidArgumentError` for wrong
 * values, and for names that nothing knows.
 */
export function callSettings(base: CallSettings, options: UrlopenOptions): CallSettings {
  checkOptionsObject(options, "a request");
  const given = options as Given;
  for (const name in given) {
    const value = given[name];
    if (value === undefined) continue;
    const rule = ruleOf(name);
    if (rule === undefined || (rule.at !== "call" && rule.at !== "pool+call")) {
      if (!isOwn(name, base, given)) refuseUnknown(name, "call", value);
    } else if (value !== null) checkOption(name, rule, value);
  }
  const settings = settingsOf(given, base);
  if (options.into !== undefined && options.into !== null) settings.into = memoryOf(options, settings);
  return derive(settings, base, options, settings.redirect);
}

/** The memory that `options` give for the body. Throws `InvalidArgumentError`. */
function memoryOf({ into, intoGrows }: UrlopenOptions, { preloadContent }: CallSettings): CallerMemory {
  if (preloadContent) return new CallerMemory(into, intoGrows === true);
  const advice = "a streamed body is read by response.readInto(buffer)";
  throw new InvalidArgumentError(`into is not for requests with preloadContent: false: ${advice}`);
}

/** Checks what `options` of a pool there are. Throws `InvalidArgumentError`. */
export function checkPoolOptions(options: PoolOptions): void {
  check(options, "pool");
}

/** Checks what `options` of a manager there are. Throws `InvalidArgumentError`. */
export function checkManagerOptions(options: PoolManagerOptions): void {
  check(options, "manager");
  derive({ ...DEFAULTS }, DEFAULTS, options, true);
}

function check(options: object, level: "pool" | "manager"): void {
  checkOptionsObject(options, level === "pool" ? "a pool" : "a PoolManager");
  const { allowUnknownOptions } = options as PoolOptions;
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const rule = ruleOf(name);
    const taken = rule?.at === "pool" || rule?.at === "pool+call" || rule?.at === level;
    if (rule === undefined || !taken) {
      if (allowUnknownOptions !== true) refuseUnknown(name, level, value);
    } else if (value !== null) {
      checkOption(name, rule, value, allowUnknownOptions);
      if (name === "proxyTls") checkTls(name, value);
      if (name === "proxyConfig") checkTls("proxyConfig.tls", (value as { tls?: unknown }).tls);
    }
  }
}

/** TLS options inside of another option. */
function checkTls(option: string, options: unknown): void {
  if (options === undefined || options === null) return;
  checkOptionsObject(options, option);
  refuseParts(option, options, keyFields("https"));
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && value !== null) checkOption(`${option}.${name}`, ruleOf(name)!, value);
  }
}

function isOwn(name: string, base: CallSettings, options: Given): boolean {
  return (options.allowUnknownOptions ?? base.allowUnknownOptions) === true || base.ownOptions.has(name);
}

/** The options that were checked over `base`. Written out: one object of one shape, made at once. */
function settingsOf(given: Given, base: CallSettings): Mutable<CallSettings> {
  const options = given as Partial<CallSettings>;
  return {
    timeout: base.timeout,
    connectTimeout: base.connectTimeout,
    readTimeout: base.readTimeout,
    poolTimeout: limit(options.poolTimeout, base.poolTimeout),
    deadline: limit(options.deadline, base.deadline),
    retries: base.retries,
    redirect: options.redirect ?? base.redirect,
    assertSameHost: options.assertSameHost ?? base.assertSameHost,
    chunked: options.chunked ?? base.chunked,
    preloadContent: options.preloadContent ?? base.preloadContent,
    releaseConn: orNone(options.releaseConn, base.releaseConn),
    decodeContent: options.decodeContent ?? base.decodeContent,
    enforceContentLength: options.enforceContentLength ?? base.enforceContentLength,
    allowTruncated: options.allowTruncated ?? base.allowTruncated,
    maxDecodedSize: limit(options.maxDecodedSize, base.maxDecodedSize),
    into: base.into,
    mergeHeaders: options.mergeHeaders ?? base.mergeHeaders,
    allowUnknownOptions: options.allowUnknownOptions ?? base.allowUnknownOptions,
    signal: orNone(options.signal, base.signal),
    onRequest: orNone(options.onRequest, base.onRequest),
    onResponse: orNone(options.onResponse, base.onResponse),
    cookieJar: orNone(options.cookieJar, base.cookieJar),
    onInformational: orNone(options.onInformational, base.onInformational),
    onUploadProgress: orNone(options.onUploadProgress, base.onUploadProgress),
    onDownloadProgress: orNone(options.onDownloadProgress, base.onDownloadProgress),
    ownOptions: base.ownOptions,
  };
}

/** `null` is no limit. */
function limit(value: number | null | undefined, fallback: number): number {
  return value === undefined ? fallback : (value ?? Number.POSITIVE_INFINITY);
}

/** `null` takes away what holds by default. */
function orNone<T>(value: T | undefined, fallback: T): T {
  return value === undefined ? fallback : value;
}

/** The settings that are more than a value: how long, and how often. */
function derive(
  settings: Mutable<CallSettings>,
  base: CallSettings,
  { timeout, retries }: Pick<PoolOptions, "timeout" | "retries">,
  redirect: boolean,
): CallSettings {
  if (timeout !== undefined) {
    settings.timeout = Timeout.from(timeout, base.timeout);
    const { connectTimeout, readTimeout } = limits(settings.timeout);
    settings.connectTimeout = connectTimeout;
    settings.readTimeout = readTimeout;
  }
  if (retries !== undefined) settings.retries = Retry.from(retries, { redirect });
  return settings;
}

function limits(timeout: Timeout): { connectTimeout: number; readTimeout: number } {
  const unlimited = Number.POSITIVE_INFINITY;
  // With a total the time left for reading is only known once the connection stands: see attempt.ts.
  const readTimeout = timeout.total === null ? (timeout.readTimeout ?? unlimited) : unlimited;
  return { connectTimeout: timeout.connectTimeout ?? unlimited, readTimeout };
}
