/**
 * URLs: parsing as urllib3's `parse_url` does it (RFC 3986, with its normalisation for http and https), resolving of
 * references (RFC 3986 §5.2), and request targets. Everything takes time linear in the text.
 */

import { isUtf8 } from "node:buffer";
import { InvalidArgumentError, LocationParseError } from "./errors.ts";
import { isIPLiteral, isNormalized, normalizeHost } from "./host.ts";
import { encodeInvalid, hasStrayPercent, PATH, percentDecode, QUERY, USERINFO } from "./percent.ts";
import { kindOf } from "./shown.ts";

export { bracketHost, normalizeHost, withoutZone } from "./host.ts";

/**
 * Default port of each scheme (urllib3's `port_by_scheme`). Entries can be added for schemes of one's own. It has no
 * prototype: the scheme `constructor` has no port.
 */
export const DEFAULT_PORTS: Record<string, number> = Object.assign(Object.create(null), {
  http: 80,
  https: 443,
});

/** What a {@link Url} is made of; what is absent or `null` is not in the URL. */
export interface UrlParts {
  scheme?: string | null;
  /** `user:password`, percent-encoded. */
  auth?: string | null;
  host?: string | null;
  port?: number | null;
  path?: string | null;
  query?: string | null;
  fragment?: string | null;
}

/** A text that would be read with a scheme, or with an authority that it does not have. */
const NEEDS_AUTHORITY_MARK = /^(?:[a-z][a-z0-9+-]*:|\/\/)/i;

/** A URL taken apart, immutable (urllib3's `Url`). A part that is not in the URL is `null`, an empty one is `""`. */
export class Url {
  /** In lower case. */
  readonly scheme: string | null;
  /** `user:password`, percent-encoded; never sent by this library. */
  readonly auth: string | null;
  /** IPv6 addresses stand in brackets, with their zone. */
  readonly host: string | null;
  readonly port: number | null;
  readonly path: string | null;
  /** Without the "?". */
  readonly query: string | null;
  /** Without the "#". */
  readonly fragment: string | null;

  /** Takes the parts as they are, but for the scheme's case and a path's missing "/" in front. */
  constructor(parts: UrlParts = {}) {
    const path = parts.path ?? null;
    this.scheme = parts.scheme?.toLowerCase() ?? null;
    this.auth = parts.auth ?? null;
    this.host = parts.host ?? null;
    this.port = parts.port ?? null;
    this.path = path === null || path === "" || path.startsWith("/") ? path : `/${path}`;
    this.query = parts.query ?? null;
    this.fragment = parts.fragment ?? null;
    Object.freeze(this);
  }

  /** The same as `host`. */
  get hostname(): string | null {
    return this.host;
  }

  /** Path, or "/" where it is empty, and query: the origin-form of a request target. */
  get requestUri(): string {
    return (this.path || "/") + (this.query === null ? "" : `?${this.query}`);
  }

  /** `host[:port]`; `null` without a host. */
  get netloc(): string | null {
    if (this.host === null) return null;
    return this.port === null ? this.host : `${this.host}:${this.port}`;
  }

  /** `[auth@]host[:port]`; `null` without a host. */
  get authority(): string | null {
    return this.auth === null || this.netloc === null ? this.netloc : `${this.auth}@${this.netloc}`;
  }

  /** User and password, percent-decoded as UTF-8; the password is `null` if there is no colon. */
  get authDecoded(): readonly [user: string | null, password: string | null] {
    if (this.auth === null) return [null, null];
    const colon = this.auth.indexOf(":");
    if (colon === -1) return [percentDecode(this.auth), null];
    return [percentDecode(this.auth.slice(0, colon)), percentDecode(this.auth.slice(colon + 1))];
  }

  /** `user:password`, percent-decoded, as Basic credentials want it; `null` without auth. */
  get authDecodedJoined(): string | null {
    const [user, password] = this.authDecoded;
    return user === null ? null : `${user}:${password ?? ""}`;
  }

  /** The whole as text, with the credentials in it; {@link parseUrl} reads it back to the same text. */
  get url(): string {
    let text = this.authority ?? "";
    text += this.path ?? "";
    if (this.query !== null) text += `?${this.query}`;
    if (this.fragment !== null) text += `#${this.fragment}`;
    if (this.scheme !== null) return `${this.scheme}://${text}`;
    return NEEDS_AUTHORITY_MARK.test(text) ? `//${text}` : text;
  }

  /** The same as `url`. */
  toString(): string {
    return this.url;
  }

  /** The parts, without the credentials: what is written to logs. */
  toJSON(): Record<string, string | number | null> {
    const { scheme, auth, host, port, path, query, fragment } = this;
    return { scheme, auth: auth === null ? null : "[redacted]", host, port, path, query, fragment };
  }
}

// Not a method: this module knows nothing of Node's.
Object.defineProperty(Url.prototype, Symbol.for("nodejs.util.inspect.custom"), {
  value(this: Url, _depth: number, options: unknown, inspect: (value: unknown, options: unknown) => string) {
    return `Url ${inspect(this.toJSON(), options)}`;
  },
});

/** A URL as callers give it. */
export type UrlLike = string | URL | Url;

const EMPTY = new Url();

/** A URL reference split as by RFC 3986 appendix B, nothing looked at yet. */
interface Components {
  scheme: string | undefined;
  authority: string | undefined;
  path: string;
  query: string | undefined;
  fragment: string | undefined;
}

const STARTS_WITH_SCHEME_OR_SLASH = /^(?:[a-z][a-z0-9+-]*:|\/)/i;
// A backslash ends the authority too: some clients take it for a slash, and would see another host.
const COMPONENTS = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^\\/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/is;
const REG_NAME = /^[^[\]:/?#]*$/;
const PORT = /:([0-9]*)$/;

/**
 * Parses `text` as urllib3's `parse_url` does. What does not start with a scheme or a slash is taken to start with the
 * host: `google.com:80` (but `localhost:80` has the scheme `localhost`). For http, https and no scheme, all parts are
 * normalised: host in lower case and A-labels, dot segments removed, characters that a URL cannot hold
 * percent-encoded. The empty text gives a `Url` of nothing, a `Url` itself. Throws `LocationParseError`;
 * `InvalidArgumentError` for what is neither a string nor a URL.
 */
export function parseUrl(url: UrlLike): Url {
  if (url === "" || url === null || url === undefined) return EMPTY;
  if (url instanceof Url) return url;
  const text = url instanceof URL ? url.href : url;
  checkText("A URL", text);
  const components = split(STARTS_WITH_SCHEME_OR_SLASH.test(text) ? text : `//${text}`);
  return orParseError(text, components, () => assemble(components));
}

/** `url` as text. Throws `InvalidArgumentError` for what is neither a string nor a URL. */
export function urlText(url: UrlLike): string {
  if (typeof url === "string") return url;
  if (url instanceof URL) return url.href;
  if (url instanceof Url) return url.url;
  throw new InvalidArgumentError(`url must be a string or a URL, not ${kindOf(url)}`);
}

/** `url`, whatever it is, as a message may show it: without userinfo, also where it cannot be parsed. */
export function shownUrl(url: unknown): string {
  try {
    const parsed = parseUrl(url as UrlLike);
    // `user:password@host` without a scheme has a scheme `user`, and no host.
    if (parsed.host === null) return String(url).replace(/^[^/?#]*@/, "");
    return new Url({ ...parsed, auth: null }).url;
  } catch (error) {
    return error instanceof LocationParseError ? error.location : "";
  }
}

/**
 * Resolves `reference`, such as the value of Location, against `base` (RFC 3986 §5.2). A reference without fragment
 * gets that of `base` (RFC 9110 §10.2.2). Scheme without authority, where the scheme is that of `base`, counts as
 * relative (RFC 3986 §5.2.2, as in Python's `urljoin`). Throws `LocationParseError` for a malformed reference, or one
 * that leads to an http or https URL without host.
 */
export function resolveUrl(base: Url, reference: string): Url {
  checkText("A URL reference", reference);
  const components = split(reference);
  const scheme = components.scheme?.toLowerCase() ?? base.scheme;
  const relative = components.authority === undefined && scheme === base.scheme;
  const resolved = orParseError(reference, components, () =>
    relative ? resolveRelative(base, components) : assemble({ ...components, scheme: scheme ?? undefined }),
  );
  if (resolved.scheme !== null && isNormalized(resolved.scheme) && !resolved.host) {
    throw new LocationParseError(reference);
  }
  return resolved.fragment === null && base.fragment !== null
    ? withPath({ ...resolved, fragment: base.fragment })
    : resolved;
}

/**
 * A field value that was read as Latin-1, decoded as UTF-8 if its bytes are valid UTF-8: servers put raw UTF-8 into
 * Location. Other values stay as they are.
 */
export function decodeLocation(latin1: string): string {
  if (!/[^\0-\x7f]/.test(latin1) || /[^\0-\xff]/.test(latin1)) return latin1;
  const bytes = Buffer.from(latin1, "latin1");
  return isUtf8(bytes) ? bytes.toString("utf8") : latin1;
}

/**
 * An origin-form target `/path?query` with its invalid characters percent-encoded and its fragment cut off. Dot
 * segments stay, and `//v:h` is a path (urllib3's `_encode_target`). Throws `LocationParseError` unless it starts
 * with "/".
 */
export function encodeTarget(target: string): string {
  checkText("A request target", target);
  if (!target.startsWith("/")) throw new LocationParseError(target);
  const [hierarchy = ""] = target.split("#", 1);
  const mark = hierarchy.indexOf("?");
  if (mark === -1) return encodeInvalid(hierarchy, PATH);
  return `${encodeInvalid(hierarchy.slice(0, mark), PATH)}?${encodeInvalid(hierarchy.slice(mark + 1), QUERY)}`;
}

/**
 * Whether both URLs have the same scheme (http if none is given), host and effective port (RFC 9110 §4.3.1). A URL
 * without host has no origin: it is never the same.
 */
export function sameOrigin(a: Url, b: Url): boolean {
  if (!a.host || a.host !== b.host) return false;
  const scheme = a.scheme ?? "http";
  return (
    scheme === (b.scheme ?? "http") && (a.port ?? DEFAULT_PORTS[scheme]) === (b.port ?? DEFAULT_PORTS[scheme])
  );
}

function checkText(what: string, text: unknown): void {
  if (typeof text !== "string")
    throw new InvalidArgumentError(`${what} must be a string, not ${kindOf(text)}`);
}

function split(text: string): Components {
  const [, scheme, authority, path = "", query, fragment] = COMPONENTS.exec(text) ?? [];
  return { scheme, authority, path, query, fragment };
}

/**
 * Turns the error about a part into one about the whole, without its userinfo. A password with a "/", "?" or "#" ends
 * the authority early: then an "@" comes behind it, and the part that failed is not named either.
 */
function orParseError(text: string, { authority, path, query, fragment }: Components, parse: () => Url): Url {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof LocationParseError)) throw cause;
    const begin = text.indexOf(authority ?? "");
    const end = text.lastIndexOf("@") + 1;
    const behind = [path, query, fragment].some((part) => part?.includes("@"));
    throw new LocationParseError(
      end > begin ? text.slice(0, begin) + text.slice(end) : text,
      behind ? {} : { cause },
    );
  }
}

function assemble({ scheme, authority, path, query, fragment }: Components): Url {
  const lowered = scheme?.toLowerCase() ?? null;
  const normalized = isNormalized(lowered);
  const encoded = normalized ? encodeInvalid(removeDotSegments(path), PATH) : path;
  return withPath({
    scheme: lowered,
    ...(authority ? parseAuthority(authority, lowered) : {}),
    path: encoded,
    query: encodeQuery(query, normalized),
    fragment: encodeQuery(fragment, normalized),
  });
}

/** An empty path is `null`, but `""` in front of a query or fragment, as in urllib3. */
function withPath(parts: UrlParts): Url {
  const alone = (parts.query ?? null) === null && (parts.fragment ?? null) === null;
  return new Url({ ...parts, path: parts.path || (alone ? null : "") });
}

function encodeQuery(text: string | undefined, normalized: boolean): string | null {
  if (text === undefined) return null;
  return normalized ? encodeInvalid(text, QUERY) : text;
}

function parseAuthority(authority: string, scheme: string | null): UrlParts {
  const at = authority.lastIndexOf("@");
  const auth = authority.slice(0, Math.max(at, 0));
  const hostPort = authority.slice(at + 1);
  const port = PORT.exec(hostPort);
  const host = port === null ? hostPort : hostPort.slice(0, port.index);
  if (!isHost(host)) throw new LocationParseError(`${JSON.stringify(hostPort)} is not a valid host or port`);
  return {
    auth: auth === "" ? null : isNormalized(scheme) ? encodeInvalid(auth, USERINFO) : auth,
    host: normalizeHost(host, scheme),
    port: parsePort(port?.[1] ?? ""),
  };
}

function isHost(text: string): boolean {
  if (text.startsWith("[") && text.endsWith("]")) return isIPLiteral(text.slice(1, -1));
  return REG_NAME.test(text) && !hasStrayPercent(text);
}

function parsePort(digits: string): number | null {
  if (digits === "") return null;
  const port = Number(digits);
  if (port > 65_535) throw new LocationParseError(`port ${digits} is greater than 65535`);
  return port;
}

function resolveRelative(base: Url, { path, query, fragment }: Components): Url {
  const normalized = isNormalized(base.scheme);
  return withPath({
    ...base,
    // Encoded before it is merged: a stray "%" in the reference says nothing about the base.
    path: path === "" ? base.path : mergePaths(base, normalized ? encodeInvalid(path, PATH) : path),
    query: path === "" && query === undefined ? base.query : encodeQuery(query, normalized),
    fragment: encodeQuery(fragment, normalized),
  });
}

function mergePaths(base: Url, path: string): string {
  if (path.startsWith("/")) return removeDotSegments(path);
  const directory = base.path?.slice(0, base.path.lastIndexOf("/") + 1) || "/";
  return removeDotSegments(directory + path);
}

/** RFC 3986 §5.2.4, but `/..//x` gives `/x`, as in urllib3. */
function removeDotSegments(path: string): string {
  if (!path.includes(".")) return path;
  const output: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") output.pop();
    else if (segment !== ".") output.push(segment);
  }
  if (path.startsWith("/") && output[0] !== "") output.unshift("");
  if (/\/\.\.?$/.test(path)) output.push("");
  return output.join("/");
}
