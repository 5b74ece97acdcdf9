/**
 * The one table of options: who takes each of them, what values it may have, what holds without it, and whether it is
 * part of a pool's key. From here come the checks, the settings of calls, the fields of pool keys, the names for "did
 * you mean", and what the tests compare the tables of the documentation with.
 */

import { isIP } from "node:net";
import {
  DEFAULT_KEEP_ALIVE_TIMEOUT,
  DEFAULT_MAX_CONNECTIONS,
  DEFAULT_MAX_HEADER_SIZE,
  DEFAULT_MAXSIZE,
} from "../core/defaults.ts";
import { InvalidArgumentError } from "../core/errors.ts";
import { isHeaderSource } from "../core/header-source.ts";
import { isPlainObject, refuseUnknown } from "../core/options.ts";
import { kindOf, show } from "../core/shown.ts";
import type { PoolManagerOptions, RequestOptions, SocketOptions } from "./options.ts";
import type { ProxyConfig, SocksOptions } from "./proxy.ts";

/** Names of all options. */
export type OptionName = keyof PoolManagerOptions | keyof RequestOptions;

/**
 * Who takes an option: managers only; managers and pools; these and each request; each request; or only `request`, which
 * makes a body or a query of it for `urlopen`.
 */
export type OptionPlace = "manager" | "pool" | "pool+call" | "call" | "request";

/** What is known of one option. `undefined` is always as if it were not given. */
export interface OptionRule {
  readonly at: OptionPlace;
  /** The key class that names it; `null`: it says nothing about a pool. */
  readonly key: "http" | "https" | null;
  /** What is wanted, for the error's text. */
  readonly wanted: string;
  readonly fits: (value: unknown) => boolean;
  /** The value that holds where none is given. */
  readonly default: unknown;
  /** What `null` means where that is not the default. */
  readonly none?: unknown;
  /** The default as the documentation says it, where the value alone does not. */
  readonly shown?: string;
  /** What a plain object given as its value may have in it. */
  readonly parts?: Readonly<Record<string, Kind>>;
  /** Wrong values are not shown: they may be credentials. */
  readonly secret?: true;
}

type Kind = Pick<OptionRule, "wanted" | "fits"> & Partial<OptionRule>;

/** All that an option's object may have in it. */
type Parts<T> = { readonly [Name in keyof T]-?: Kind };

const UNLIMITED = Number.POSITIVE_INFINITY;

const FLAG: Kind = { wanted: "true or false", fits: (value) => typeof value === "boolean" };
const DURATION: Kind = {
  wanted: "a number of milliseconds above 0",
  fits: (value) => typeof value === "number" && value > 0,
  default: UNLIMITED,
  none: UNLIMITED,
};
/** 0 is for no wait at all. */
const WAIT: Kind = {
  ...DURATION,
  wanted: "a number of milliseconds of at least 0",
  fits: (value) => typeof value === "number" && value >= 0,
};
const TEXT: Kind = { wanted: "a string", fits: (value) => typeof value === "string" };
const NAME: Kind = {
  wanted: "a string that is not empty",
  fits: (value) => typeof value === "string" && value !== "",
};
const NAME_OR_FALSE: Kind = {
  wanted: "a name, or false for any",
  fits: (value) => value === false || NAME.fits(value),
};
const FUNCTION: Kind = { wanted: "a function", fits: (value) => typeof value === "function" };
const FIELDS: Kind = {
  wanted: "an object, a Headers, an HTTPHeaderDict or pairs of name and value",
  fits: isHeaderSource,
  secret: true,
};
const OBJECT: Kind = { wanted: "an object", fits: isPlainObject };
/** Checked where it is used, by a function that knows all its forms. */
const ANYTHING: Kind = { wanted: "", fits: () => true };
const TLS_VERSIONS = oneOf("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3");
const BYTES_OR_TEXT = "a string or bytes";

/** The options, in the order of their interfaces. */
export const OPTION_RULES: { readonly [Name in OptionName]: OptionRule } = {
  // PoolManagerOptions
  numPools: rule("manager", null, atLeast(0), { default: 10 }),

  // PoolOptions
  timeout: rule("pool+call", "http", ANYTHING, { shown: "connect 10 000, read 300 000" }),
  retries: rule("pool+call", "http", ANYTHING, { shown: "`Retry.DEFAULT` (3)" }),
  maxsize: rule("pool", "http", atLeast(1), { default: DEFAULT_MAXSIZE }),
  block: rule("pool", "http", FLAG, { default: true }),
  poolTimeout: rule("pool+call", "http", WAIT),
  maxConnections: rule("pool", null, atLeast(1), { default: DEFAULT_MAX_CONNECTIONS }),
  keepAliveTimeout: rule("pool", "http", WAIT, { default: DEFAULT_KEEP_ALIVE_TIMEOUT }),
  connectionMaxAge: rule("pool", "http", DURATION),
  headers: rule("pool+call", "http", FIELDS),
  sourceAddress: rule("pool", "http", {
    wanted: "an IP address, or { address, port }",
    fits: isSourceAddress,
  }),
  socketOptions: rule("pool", "http", OBJECT, {
    wanted: "an object with noDelay, keepAlive and keepAliveInitialDelay",
    shown: "`{ noDelay: true }`",
    parts: { noDelay: FLAG, keepAlive: FLAG, keepAliveInitialDelay: WAIT } satisfies Parts<SocketOptions>,
  }),
  socketPath: rule("pool", "http", NAME),
  lookup: rule("pool", "http", FUNCTION, { shown: "`dns.lookup`" }),
  connect: rule("pool", "http", FUNCTION),
  http2: rule(
    "pool",
    "http",
    {
      wanted: 'true, false or "prior-knowledge"',
      fits: (value) => typeof value === "boolean" || value === "prior-knowledge",
    },
    { default: false },
  ),
  h2MaxStreams: rule("pool", "http", atLeast(1), { default: 1000 }),
  pingInterval: rule("pool", "http", WAIT, { default: 0, none: 0 }),
  dnsCache: rule("pool", "http", {
    wanted: "a DnsCache",
    fits: (value) => hasMethods(value, "get", "set", "forget"),
  }),
  addressFilter: rule("pool", "http", FUNCTION),
  clock: rule("pool", null, {
    wanted: "a clock such as fakeClock() gives",
    fits: (value) => hasMethods(value, "now", "wallNow", "setTimer", "afterPoll"),
    shown: "the platform's",
  }),
  decodeContent: rule("pool+call", "http", FLAG, { default: true }),
  preloadContent: rule("pool+call", "http", FLAG, { default: true }),
  enforceContentLength: rule("pool+call", "http", FLAG, { default: true }),
  maxHeaderSize: rule("pool", "http", atLeast(1), { default: DEFAULT_MAX_HEADER_SIZE }),
  maxDecodedSize: rule("pool+call", "http", atLeast(0), { default: UNLIMITED, none: UNLIMITED }),
  proxy: rule("pool", "http", {
    wanted: "a URL, or for a manager a function that gives one",
    fits: (value) => typeof value === "string" || typeof value === "function" || isObject(value),
    secret: true,
  }),
  proxyHeaders: rule("pool", "http", FIELDS),
  proxyConfig: rule("pool", "http", OBJECT, {
    parts: {
      tls: OBJECT,
      useForwardingForHttps: FLAG,
      assertHostname: NAME_OR_FALSE,
      assertFingerprint: NAME,
      useTunnelForHttp: FLAG,
    } satisfies Parts<ProxyConfig>,
  }),
  socksOptions: rule("pool", "http", {
    wanted: "an object with socksVersion (4 or 5), proxyHost and proxyPort",
    fits: isSocksOptions,
    secret: true,
    parts: {
      socksVersion: ANYTHING,
      proxyHost: ANYTHING,
      proxyPort: ANYTHING,
      username: { ...TEXT, secret: true },
      password: { ...TEXT, secret: true },
      rdns: FLAG,
    } satisfies Parts<SocksOptions>,
  }),
  redirect: rule("pool+call", "http", FLAG, { default: true }),
  deadline: rule("pool+call", "http", DURATION),
  signal: rule("pool+call", "http", {
    wanted: "an AbortSignal",
    fits: (value) => hasMethods(value, "addEventListener", "removeEventListener"),
    none: null,
  }),
  mergeHeaders: rule("pool+call", "http", FLAG, { default: false }),
  allowUnknownOptions: rule("pool+call", "http", FLAG, { default: false }),
  onRequest: rule("pool+call", "http", FUNCTION, { none: null }),
  onResponse: rule("pool+call", "http", FUNCTION, { none: null }),
  cookieJar: rule("pool+call", "http", {
    wanted: "a cookie jar with getCookieString and setCookie",
    fits: (value) => hasMethods(value, "getCookieString", "setCookie"),
    none: null,
  }),

  // TlsOptions
  certReqs: rule(
    "pool",
    "https",
    oneOf("CERT_REQUIRED", "CERT_OPTIONAL", "CERT_NONE", "REQUIRED", "OPTIONAL", "NONE"),
    {
      wanted: '"CERT_REQUIRED", "CERT_OPTIONAL" or "CERT_NONE"',
      shown: '`"CERT_REQUIRED"`',
    },
  ),
  caCerts: rule("pool", "https", NAME, { wanted: "the path of a file", shown: "Node's roots" }),
  caCertDir: rule("pool", "https", NAME, { wanted: "the path of a directory", shown: "Node's roots" }),
  caCertData: rule("pool", "https", {
    wanted: `${BYTES_OR_TEXT}, or several of them`,
    fits: (value) => (Array.isArray(value) ? value.every(isBytesOrText) : isBytesOrText(value)),
    shown: "Node's roots",
  }),
  certFile: rule("pool", "https", NAME, { wanted: "the path of a file" }),
  keyFile: rule("pool", "https", NAME, { wanted: "the path of a file" }),
  keyPassword: rule("pool", "https", {
    wanted: BYTES_OR_TEXT,
    fits: isBytesOrText,
    secret: true,
  }),
  assertHostname: rule("pool", "https", NAME_OR_FALSE, { shown: "the host" }),
  assertFingerprint: rule("pool", "https", NAME, { wanted: "a fingerprint in hex" }),
  serverHostname: rule("pool", "https", NAME, { wanted: "a name", shown: "the host" }),
  sslMinimumVersion: rule("pool", "https", TLS_VERSIONS, { shown: '`"TLSv1.2"`, newest' }),
  sslMaximumVersion: rule("pool", "https", TLS_VERSIONS, { shown: '`"TLSv1.2"`, newest' }),
  sslContext: rule("pool", "https", {
    wanted: "what tls.createSecureContext() gives",
    fits: (value) => isObject(value) && "context" in value,
  }),

  // ProxyOptions
  proxyTls: rule("manager", null, OBJECT, { shown: "" }),
  useForwardingForHttps: rule("manager", null, FLAG, { default: false }),
  useTunnelForHttp: rule("manager", null, FLAG, { default: false }),
  proxyAssertHostname: rule("manager", null, NAME_OR_FALSE, { shown: "the proxy's host" }),
  proxyAssertFingerprint: rule("manager", null, NAME, { wanted: "a fingerprint in hex" }),

  // UrlopenOptions
  body: rule("call", null, ANYTHING),
  assertSameHost: rule("call", null, FLAG, { default: true }),
  releaseConn: rule("call", null, FLAG, { default: null, none: null, shown: "when the body was read" }),
  chunked: rule("call", null, FLAG, { default: false }),
  allowTruncated: rule("call", null, FLAG, { default: false }),
  bodyPos: rule("call", null, {
    wanted: "a whole number of bytes",
    fits: (value) => Number.isInteger(value) && (value as number) >= 0,
    default: 0,
  }),
  into: rule("call", null, ANYTHING),
  intoGrows: rule("call", null, FLAG, { default: false }),
  onUploadProgress: rule("call", null, FUNCTION, { none: null }),
  onDownloadProgress: rule("call", null, FUNCTION, { none: null }),
  onInformational: rule("call", null, FUNCTION, { none: null }),

  // RequestOptions
  fields: rule("request", null, ANYTHING),
  json: rule("request", null, ANYTHING),
  encodeMultipart: rule("request", null, FLAG, { default: true }),
  multipartBoundary: rule("request", null, TEXT, { shown: "random" }),
};

const BY_NAME: ReadonlyMap<string, OptionRule> = new Map(Object.entries(OPTION_RULES));

/** The rule for an option of this name; `undefined` if there is no such option. */
export function ruleOf(name: string): OptionRule | undefined {
  return BY_NAME.get(name);
}

/** Names of the options that the key class for `scheme` adds. */
export function keyFields(scheme: "http" | "https"): string[] {
  return Array.from(BY_NAME)
    .filter(([, { key }]) => key === scheme)
    .map(([name]) => name);
}

/**
 * Checks a value that is neither `undefined` nor `null`; `open`: there may be more in it than is known here.
 * Throws `InvalidArgumentError`.
 */
export function checkOption(name: string, rule: Kind, value: unknown, open = false): void {
  const { fits, parts, secret, wanted } = rule;
  if (parts !== undefined && isPlainObject(value)) checkParts(name, parts, value, open);
  if (fits(value)) return;
  throw new InvalidArgumentError(`${name} must be ${wanted}, not ${secret ? kindOf(value) : show(value)}`);
}

function checkParts(
  name: string,
  parts: Readonly<Record<string, Kind>>,
  given: Readonly<Record<string, unknown>>,
  open: boolean,
): void {
  if (!open) refuseUnknown(name, given, Object.keys(parts));
  for (const [part, kind] of Object.entries(parts)) {
    const value = given[part];
    if (value !== undefined && value !== null) checkOption(`${name}.${part}`, kind, value);
  }
}

/** The number that holds for an option whose value was checked. */
export function numberOption(options: object, name: OptionName): number {
  const value = (options as Record<string, unknown>)[name];
  const { default: fallback, none } = OPTION_RULES[name];
  if (value === undefined) return fallback as number;
  return (value ?? none ?? fallback) as number;
}

function rule(
  at: OptionPlace,
  key: OptionRule["key"],
  what: Kind,
  more: Partial<OptionRule> = {},
): OptionRule {
  return { default: null, ...what, ...more, at, key };
}

function atLeast(least: number): Kind {
  return {
    wanted: `a whole number of at least ${least}`,
    fits: (value) => value === UNLIMITED || (Number.isInteger(value) && (value as number) >= least),
  };
}

function oneOf(...values: string[]): Kind {
  return {
    wanted: `one of ${values.join(", ")}`,
    fits: (value) => values.includes(value as string),
  };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function hasMethods(value: unknown, ...names: string[]): boolean {
  return (
    isObject(value) && names.every((name) => typeof (value as Record<string, unknown>)[name] === "function")
  );
}

function isSourceAddress(value: unknown): boolean {
  if (typeof value === "string") return isIP(value) !== 0;
  if (!isObject(value)) return false;
  const [address, port] = Array.isArray(value)
    ? value
    : [(value as { address?: unknown }).address, (value as { port?: unknown }).port];
  return isIP(String(address)) !== 0 && (port === undefined || port === null || isPort(port));
}

function isSocksOptions(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { socksVersion, proxyHost, proxyPort } = value as Record<string, unknown>;
  return (socksVersion === 4 || socksVersion === 5) && NAME.fits(proxyHost) && isPort(proxyPort);
}

function isBytesOrText(value: unknown): boolean {
  return typeof value === "string" || ArrayBuffer.isView(value);
}

function isPort(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535;
}
