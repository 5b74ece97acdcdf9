/** A pool and a URL -> the hop of a request. */

import type { HTTPConnectionPool } from "../client/connection-pool.ts";
import type { Hop, PendingHop } from "../client/request.ts";
import type { Url } from "../core/url.ts";

/** The hop to `url` on its pool. */
export function hopTo(pool: HTTPConnectionPool, url: Url): Hop {
  return pool.hop(url.requestUri, absoluteUrl(url), pool.forwards ? url.netloc! : undefined);
}

/** The hop to `url` on a pool that is still being found. */
export function pendingHop(found: Promise<HTTPConnectionPool>, url: Url): PendingHop {
  return { url: absoluteUrl(url), chosen: found.then((pool) => hopTo(pool, url)) };
}

/** Without userinfo and fragment: what is sent, and shown. */
export function absoluteUrl(url: Url): string {
  return `${url.scheme ?? "http"}://${url.netloc}${url.requestUri}`;
}

/** Whether `url` is `prefix` itself, or goes on with a path. */
export function isUnder(url: string, prefix: string): boolean {
  if (!url.startsWith(prefix)) return false;
  return url.length === prefix.length || url.charCodeAt(prefix.length) === 47;
}

/** The target is what follows the origin, as it stands. */
export function plainHop(pool: HTTPConnectionPool, url: string, origin: string): Hop {
  const host = pool.forwards ? origin.slice(origin.indexOf("://") + 3) : undefined;
  return url.length === origin.length
    ? pool.hop("/", `${url}/`, host)
    : pool.hop(url.slice(origin.length), url, host);
}

// URLs whose target can be taken as it stands, without parsing: what follows the origin is made of characters that need
// no encoding, without dot segments and fragment. Anything else goes the long way.

const UNRESERVED_AND_DELIMITERS = "-._~!$&'()*+,;=:@/?";

const PLAIN = Uint8Array.from({ length: 128 }, (_unused, code) =>
  /[A-Za-z0-9]/.test(String.fromCharCode(code)) ||
  UNRESERVED_AND_DELIMITERS.includes(String.fromCharCode(code))
    ? 1
    : 0,
);

const SLASH = 47;
const DOT = 46;

/** Whether `url.slice(start)` is empty or a plain path with query. */
export function isPlainTarget(url: string, start: number): boolean {
  if (start === url.length) return true;
  if (url.charCodeAt(start) !== SLASH) return false;
  let previous = SLASH;
  for (let i = start + 1; i < url.length; i++) {
    const code = url.charCodeAt(i);
    if (code > 127 || PLAIN[code] === 0 || (code === DOT && previous === SLASH)) return false;
    previous = code;
  }
  return true;
}

/** Where the origin of `url` ends, or -1 if it does not start with one. */
export function originEnd(url: string): number {
  const authority = url.indexOf("://") + 3;
  if (authority === 2) return -1;
  const end = url.indexOf("/", authority);
  return end === -1 ? url.length : end;
}
