/**
 * Cookies: a jar of somebody's own, such as tough-cookie's, is asked for each try and told of each answer.
 *
 *  1. The jar is asked for the URL of each hop, after the rules of redirects; what it knows by then counts.
 *  2. Its cookies and the caller's own go in one field; the caller's cookie wins over one of the same name. Without cookies
 *     there is no field.
 *  3. Every answer's Set-Cookie fields go to the jar: redirects, statuses that are retried, 401.
 *  4. What the jar refuses is traced, and fails no request. A jar that cannot be asked does.
 */

import { HTTPHeaderDict } from "../core/headers.ts";
import { trace } from "../core/trace.ts";

/** In which relation a request stands to what caused it, as tough-cookie has it. */
export type SameSiteContext = "strict" | "lax" | "none";

/** What a jar is told besides the URL. */
export interface CookieJarOptions {
  sameSiteContext?: SameSiteContext;
  ignoreError?: boolean;
}

/**
 * A jar for cookies. tough-cookie's `CookieJar` is one; with a store that is synchronous its `...Sync` methods are used,
 * and requests wait for nothing.
 */
export interface CookieJarLike {
  /** The Cookie field for a request to `url`; empty for none. */
  getCookieString(url: string, options?: CookieJarOptions): string | Promise<string>;
  /** Keeps what one Set-Cookie field of an answer from `url` says. */
  setCookie(cookie: string, url: string, options?: CookieJarOptions): unknown;
}

interface SyncJar extends CookieJarLike {
  readonly store?: { readonly synchronous?: boolean | undefined };
  getCookieStringSync?(url: string, options?: CookieJarOptions): string;
  setCookieSync?(cookie: string, url: string, options?: CookieJarOptions): unknown;
}

/** The Cookie field that a jar has for `url`; promised where it cannot say at once. */
export function cookiesFor(
  jar: CookieJarLike,
  url: string,
  sameSiteContext: SameSiteContext,
): string | Promise<string> {
  const sync = jar as SyncJar;
  return sync.store?.synchronous === true && sync.getCookieStringSync !== undefined
    ? sync.getCookieStringSync(url, { sameSiteContext })
    : jar.getCookieString(url, { sameSiteContext });
}

/** Tells a jar of an answer's cookies; a promise where that takes time. Never fails. */
export function keepCookies(
  jar: CookieJarLike,
  url: string,
  cookies: readonly string[],
  sameSiteContext: SameSiteContext,
): Promise<unknown> | null {
  const sync = jar as SyncJar;
  const atOnce = sync.store?.synchronous === true && sync.setCookieSync !== undefined;
  const options = { ignoreError: true, sameSiteContext };
  const waiting: Promise<unknown>[] = [];
  for (const cookie of cookies) {
    try {
      const kept = atOnce ? sync.setCookieSync!(cookie, url, options) : jar.setCookie(cookie, url, options);
      if (kept instanceof Promise) waiting.push(kept.catch((error: unknown) => reject(url, error)));
    } catch (error) {
      reject(url, error);
    }
  }
  return waiting.length === 0 ? null : Promise.all(waiting);
}

function reject(url: string, error: unknown): void {
  if (trace.cookieRejected.hasSubscribers) trace.cookieRejected.publish({ url, error });
}

/**
 * `jar` for a request that is a hop on the way from `first`, for who follows redirects of his own: it is told in which
 * relation the hop's URL stands to the first one.
 */
export function jarForHop(jar: CookieJarLike, first: string, url: string, method: string): CookieJarLike {
  const sameSiteContext = siteContext(first, url, method);
  if (sameSiteContext === "strict") return jar;
  return {
    getCookieString: (to, options) => jar.getCookieString(to, { ...options, sameSiteContext }),
    setCookie: (cookie, from, options) => jar.setCookie(cookie, from, { ...options, sameSiteContext }),
  };
}

/** `headers` with the jar's cookies beside the caller's own. */
export function withCookies(headers: HTTPHeaderDict | null, cookies: string): HTTPHeaderDict | null {
  if (cookies === "") return headers;
  const fields = new HTTPHeaderDict(headers);
  const own = fields.get("cookie");
  const names = new Set(pairsOf(own).map(nameOf));
  const others = pairsOf(cookies).filter((pair) => !names.has(nameOf(pair)));
  if (others.length > 0) fields.set("Cookie", [...others, ...(own === null ? [] : [own])].join("; "));
  return fields;
}

function pairsOf(field: string | null): string[] {
  return (field ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "");
}

function nameOf(pair: string): string {
  return pair.split("=")[0]!.trim();
}

/** Below these and the two letters of a country the site is one label longer: `a.co.uk`. */
const SECOND_LEVEL = /^(?:ac|co|com|edu|go|gob|gov|mil|ne|net|or|org)\.[a-z]{2}$/;

/**
 * How a hop to `to` stands to the URL that the caller asked for. Sites are taken to be the last two labels of a host, three
 * under names such as `co.uk`: there is no list of public suffixes here.
 */
export function siteContext(from: string, to: string, method: string): SameSiteContext {
  if (from === to || siteOf(from) === siteOf(to)) return "strict";
  return method === "GET" || method === "HEAD" ? "lax" : "none";
}

function siteOf(url: string): string {
  const { hostname } = new URL(url);
  if (hostname.startsWith("[") || /^\d+(\.\d+){3}$/.test(hostname)) return hostname;
  const labels = hostname.replace(/\.$/, "").split(".");
  const end = labels.slice(-2).join(".");
  return SECOND_LEVEL.test(end) ? labels.slice(-3).join(".") : end;
}
