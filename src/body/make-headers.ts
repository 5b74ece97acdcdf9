/** Headers for common wishes (urllib3's `make_headers`). */

import { InvalidArgumentError } from "../core/errors.ts";
import { checkOptionsObject, refuseUnknown } from "../core/options.ts";
import { kindOf } from "../core/shown.ts";
import { supportedCodings } from "./response/coders.ts";

/** Encoding of credentials before base64; also in the spellings `latin-1`, `utf8`, `iso-8859-1`. */
export type CredentialsEncoding =
  | "latin1"
  | "latin-1"
  | "iso-8859-1"
  | "utf-8"
  | "utf8"
  | "ascii"
  | "us-ascii";

/** What `makeHeaders` is asked for. Whatever is falsy adds nothing. */
export interface MakeHeadersOptions {
  /** `connection: keep-alive` */
  keepAlive?: boolean | null | undefined;
  /** True: all that can be decoded here; a list is joined with `,`; a string stands as it is. */
  acceptEncoding?: boolean | string | readonly string[] | null | undefined;
  userAgent?: string | null | undefined;
  /** `user:password`, not percent-encoded, for `authorization: Basic`. */
  basicAuth?: string | null | undefined;
  /** `user:password`, not percent-encoded, for `proxy-authorization: Basic`. */
  proxyBasicAuth?: string | null | undefined;
  /** `cache-control: no-cache` */
  disableCache?: boolean | null | undefined;
  /** Default Latin-1. */
  basicAuthEncoding?: CredentialsEncoding | undefined;
  /** Default Latin-1. */
  proxyBasicAuthEncoding?: CredentialsEncoding | undefined;
}

let acceptedByDefault: string | undefined;

/** The Accept-Encoding of requests that bring none: what this runtime can decode, as in `gzip, deflate, br`. */
export function defaultAcceptEncoding(): string {
  acceptedByDefault ??= supportedCodings().join(", ");
  return acceptedByDefault;
}

/**
 * A plain object of headers with lower-case names. Throws `InvalidArgumentError` for credentials that their encoding
 * cannot express, and for an encoding that is not known.
 */
export function makeHeaders(options: MakeHeadersOptions = {}): Record<string, string> {
  checkOptions(options);
  const headers: Record<string, string> = {};
  const acceptEncoding = acceptEncodingOf(options.acceptEncoding);
  if (acceptEncoding !== "") headers["accept-encoding"] = acceptEncoding;
  if (options.userAgent) headers["user-agent"] = options.userAgent;
  if (options.keepAlive) headers.connection = "keep-alive";
  if (options.basicAuth) headers.authorization = basic(options.basicAuth, options.basicAuthEncoding);
  if (options.proxyBasicAuth) {
    headers["proxy-authorization"] = basic(options.proxyBasicAuth, options.proxyBasicAuthEncoding);
  }
  if (options.disableCache) headers["cache-control"] = "no-cache";
  return headers;
}

const TEXT = ["a string", (value: unknown) => typeof value === "string"] as const;
const FLAG = ["true or false", (value: unknown) => typeof value === "boolean"] as const;

const WANTED: {
  readonly [Name in keyof MakeHeadersOptions]-?: readonly [string, (value: unknown) => boolean];
} = {
  keepAlive: FLAG,
  acceptEncoding: [
    "true, a string or a list of them",
    (value) => typeof value === "boolean" || typeof value === "string" || isTexts(value),
  ],
  userAgent: TEXT,
  basicAuth: ["a string such as user:password", TEXT[1]],
  proxyBasicAuth: ["a string such as user:password", TEXT[1]],
  disableCache: FLAG,
  basicAuthEncoding: TEXT,
  proxyBasicAuthEncoding: TEXT,
};

/** Values are not shown: they may be credentials. */
function checkOptions(options: unknown): void {
  checkOptionsObject(options, "makeHeaders");
  refuseUnknown("makeHeaders", options, Object.keys(WANTED));
  for (const [name, value] of Object.entries(options)) {
    const [wanted, fits] = WANTED[name as keyof MakeHeadersOptions];
    if (value && !fits(value)) {
      throw new InvalidArgumentError(`makeHeaders: ${name} must be ${wanted}, not ${kindOf(value)}`);
    }
  }
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function acceptEncodingOf(wish: MakeHeadersOptions["acceptEncoding"]): string {
  if (!wish) return "";
  if (wish === true) return supportedCodings().join(",");
  return typeof wish === "string" ? wish : wish.join(",");
}

function basic(credentials: string, encoding: CredentialsEncoding = "latin1"): string {
  return `Basic ${encodeCredentials(credentials, encoding).toString("base64")}`;
}

/** The message must not show the credentials. */
function encodeCredentials(credentials: string, encoding: CredentialsEncoding): Buffer {
  switch (String(encoding).toLowerCase().replace(/[-_]/g, "")) {
    case "utf8":
      return Buffer.from(credentials, "utf8");
    case "latin1":
    case "iso88591":
      return encodeSingleBytes(credentials, 0xff, encoding);
    case "ascii":
    case "usascii":
      return encodeSingleBytes(credentials, 0x7f, encoding);
    default:
      throw new InvalidArgumentError(`unknown encoding of credentials: ${encoding}`);
  }
}

function encodeSingleBytes(credentials: string, highest: number, encoding: CredentialsEncoding): Buffer {
  for (let at = 0; at < credentials.length; at++) {
    if (credentials.charCodeAt(at) > highest) {
      throw new InvalidArgumentError(
        `credentials have a character at ${at} that ${encoding} cannot express; give another encoding, such as utf-8`,
      );
    }
  }
  return Buffer.from(credentials, "latin1");
}
