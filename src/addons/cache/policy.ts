/** The rules of a private cache as functions of facts (RFC 9111, RFC 5861). Times are ms since the epoch. */

import type { HTTPHeaderDict } from "../../index.ts";
import { type Directives, parseAge, parseDate, parseDirectives, secondsOf } from "./directives.ts";
import { type CacheMeta, type FieldPairs, fieldOf } from "./meta.ts";

/** What a request says about caching. */
export interface RequestPolicy {
  readonly directives: Directives;
  /** A stored response must be asked about. */
  readonly noCache: boolean;
}

/** What may be done with a stored response. */
export type Verdict = "fresh" | "stale" | "stale-while-revalidate" | "must-validate";

/** Final statuses whose meaning this cache knows, for `must-understand`. */
const UNDERSTOOD = new Set([200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501]);
/** Those that may be stored without being told for how long (RFC 9110 §15.1). */
const HEURISTIC = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]);
/** They stand for an origin that is down (RFC 5861 §4). */
const DOWN = new Set([500, 502, 503, 504]);

/** They belong to one connection (RFC 9110 §7.6.1) or to a proxy. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
/** They describe the stored body, not that of a 304. */
const OF_THE_BODY = new Set(["content-length", "content-encoding", "content-range"]);

/** Reads a request's fields. */
export function requestPolicy(headers: HTTPHeaderDict): RequestPolicy {
  const directives = parseDirectives(headers.get("cache-control"));
  const pragma =
    !headers.has("cache-control") && /(^|,)\s*no-cache\s*(,|$)/i.test(headers.get("pragma") ?? "");
  return { directives, noCache: pragma || directives.has("no-cache") };
}

/** Whether the response to a GET may be stored (RFC 9111 §3). */
export function mayStore(status: number, headers: HTTPHeaderDict, now: number): boolean {
  const directives = parseDirectives(headers.get("cache-control"));
  if (status < 200 || status === 206 || status === 304) return false;
  if (directives.has("must-understand")) {
    if (!UNDERSTOOD.has(status)) return false;
  } else if (directives.has("no-store")) return false;
  if (varyNames(headers.get("vary")) === null) return false;
  const told = directives.has("max-age") || directives.has("public") || directives.has("private");
  if (told || parseDate(headers.get("expires"), now) !== null) return true;
  return HEURISTIC.has(status) && (headers.has("last-modified") || headers.has("etag"));
}

/** The names in a Vary field, lower-case and sorted; `null` if nothing matches it (`*`). */
export function varyNames(field: string | null): string[] | null {
  const names = (field ?? "")
    .toLowerCase()
    .split(",")
    .map((name) => name.trim());
  return names.includes("*") ? null : [...new Set(names.filter((name) => name !== ""))].sort();
}

/** A request's values of the fields that a response varies by, in a form in which equal ones are alike. */
export function varyValues(names: readonly string[], request: HTTPHeaderDict): Record<string, string | null> {
  return Object.fromEntries(names.map((name) => [name, normalized(request.get(name))]));
}

function normalized(value: string | null): string | null {
  return value === null
    ? null
    : value
        .split(",")
        .map((part) => part.trim().replace(/\s+/g, " "))
        .join(",");
}

/** Whether a stored response is the answer to a request with these fields (RFC 9111 §4.1). */
export function matchesVary(meta: CacheMeta, request: HTTPHeaderDict): boolean {
  return Object.entries(meta.vary).every(([name, value]) => normalized(request.get(name)) === value);
}

/** How old a stored response is, in seconds (RFC 9111 §4.2.3). */
export function currentAge(meta: CacheMeta, now: number): number {
  const date = parseDate(fieldOf(meta.headers, "date"), now) ?? meta.responseTime;
  const apparent = Math.max(0, meta.responseTime - date) / 1000;
  const delay = Math.max(0, meta.responseTime - meta.requestTime) / 1000;
  const corrected = parseAge(fieldOf(meta.headers, "age")) + delay;
  return Math.max(apparent, corrected) + Math.max(0, now - meta.responseTime) / 1000;
}

/** For how long it is fresh, in seconds (RFC 9111 §4.2.1). `heuristic` is the part of its time unchanged. */
export function freshFor(meta: CacheMeta, heuristic: number, now: number): number {
  const field = (name: string): string | null => fieldOf(meta.headers, name);
  const maxAge = secondsOf(parseDirectives(field("cache-control")), "max-age");
  if (maxAge !== null) return maxAge;
  const date = parseDate(field("date"), now) ?? meta.responseTime;
  const expires = field("expires");
  if (expires !== null) return ((parseDate(expires, now) ?? 0) - date) / 1000;
  const modified = parseDate(field("last-modified"), now);
  const usable = HEURISTIC.has(meta.status) || parseDirectives(field("cache-control")).has("public");
  return modified === null || !usable ? 0 : Math.max(0, (heuristic * (date - modified)) / 1000);
}

/** What may be done with `meta` for a request (RFC 9111 §4.2, §5.2.1). */
export function judge(
  meta: CacheMeta,
  { directives, noCache }: RequestPolicy,
  heuristic: number,
  now: number,
): Verdict {
  const own = parseDirectives(fieldOf(meta.headers, "cache-control"));
  if (noCache || own.get("no-cache") === true) return "must-validate";
  if (!fieldOf(meta.headers, "cache-control") && /no-cache/i.test(fieldOf(meta.headers, "pragma") ?? "")) {
    return "must-validate";
  }
  const age = currentAge(meta, now);
  const life = freshFor(meta, heuristic, now);
  const limit = Math.min(life, secondsOf(directives, "max-age") ?? Number.POSITIVE_INFINITY);
  if (age < limit - (secondsOf(directives, "min-fresh") ?? 0)) return "fresh";
  if (own.has("must-revalidate")) return "must-validate";
  const over = age - life;
  if (directives.has("max-stale") && age < (secondsOf(directives, "max-age") ?? Number.POSITIVE_INFINITY)) {
    const allowed =
      directives.get("max-stale") === true ? Number.POSITIVE_INFINITY : secondsOf(directives, "max-stale")!;
    if (over <= allowed) return "fresh";
  }
  const within = over < (secondsOf(own, "stale-while-revalidate") ?? 0) && limit === life;
  return within ? "stale-while-revalidate" : "stale";
}

/** Whether a stale response may stand in for an origin that failed (RFC 5861 §4). */
export function mayServeOnError(
  meta: CacheMeta,
  { directives, noCache }: RequestPolicy,
  heuristic: number,
  now: number,
): boolean {
  const own = parseDirectives(fieldOf(meta.headers, "cache-control"));
  if (noCache || own.has("no-cache") || own.has("must-revalidate")) return false;
  const allowed = secondsOf(own, "stale-if-error") ?? secondsOf(directives, "stale-if-error");
  return allowed !== null && currentAge(meta, now) - freshFor(meta, heuristic, now) <= allowed;
}

/** Whether a status means that the origin is down. */
export function isDown(status: number): boolean {
  return DOWN.has(status);
}

/** The fields that ask whether `meta` still holds; `null` if it has no validator (RFC 9111 §4.3.1). */
export function validators(meta: CacheMeta): Record<string, string> | null {
  const etag = fieldOf(meta.headers, "etag");
  const modified = fieldOf(meta.headers, "last-modified");
  if (etag === null && modified === null) return null;
  return {
    ...(etag === null ? {} : { "If-None-Match": etag }),
    ...(modified === null ? {} : { "If-Modified-Since": modified }),
  };
}

/** The fields worth keeping: those of one connection are not (RFC 9111 §3.1). */
export function storableFields(headers: HTTPHeaderDict): FieldPairs {
  const named = (headers.get("connection") ?? "")
    .toLowerCase()
    .split(",")
    .map((name) => name.trim());
  return [...headers].filter(
    ([name]) => !HOP_BY_HOP.has(name.toLowerCase()) && !named.includes(name.toLowerCase()),
  );
}

/** Stored fields with those of a 304 in their place (RFC 9111 §3.2). */
export function updatedFields(stored: FieldPairs, headers: HTTPHeaderDict): FieldPairs {
  const fresh = storableFields(headers).filter(([name]) => !OF_THE_BODY.has(name.toLowerCase()));
  const replaced = new Set(fresh.map(([name]) => name.toLowerCase()));
  // An age belongs to the answer it came with.
  replaced.add("age");
  return [...stored.filter(([name]) => !replaced.has(name.toLowerCase())), ...fresh];
}

/** Whether the fields of an answer to HEAD may be those of the stored response (RFC 9111 §4.3.5). */
export function describes(headers: HTTPHeaderDict, meta: CacheMeta): boolean {
  return ["etag", "last-modified", "content-length"].every((name) => {
    const [theirs, ours] = [headers.get(name), fieldOf(meta.headers, name)];
    return theirs === null || ours === null || theirs === ours;
  });
}

/** Whether an If-None-Match names the stored response (RFC 9110 §13.1.2, weak comparison). */
export function matchesEtag(condition: string, meta: CacheMeta): boolean {
  const etag = fieldOf(meta.headers, "etag");
  if (etag === null) return false;
  if (condition.trim() === "*") return true;
  const plain = (text: string): string => text.trim().replace(/^W\//, "");
  return (condition.match(/(?:W\/)?"[^"]*"/g) ?? []).some((one) => plain(one) === plain(etag));
}
