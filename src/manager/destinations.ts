/** A pool and a URL -> the hop of a request. */

import type { HTTPConnectionPool } from "../client/connection-pool.ts";
import type { Destination, PendingDestination } from "../client/request.ts";
import type { Url } from "../core/url.ts";

/** The hop to `url` on its pool. */
export function destinationTo(pool: HTTPConnectionPool, url: Url): Destination {
  return pool.hop(url.requestUri, absoluteUrl(url), pool.forwards ? url.netloc! : undefined);
}

/** The hop to `url` on a pool that is still being found. */
export function pendingDestination(found: Promise<HTTPConnectionPool>, url: Url): PendingDestination {
  return { url: absoluteUrl(url), chosen: found.then((pool) => destinationTo(pool, url)) };
}

/** Without userinfo and fragment: what is sent, and shown. */
export function absoluteUrl(url: Url): string {
  return `${url.scheme ?? "http"}://${url.netloc}${url.requestUri}`;
}

/** The target is what follows the origin, as it stands. */
export function plainDestination(pool: HTTPConnectionPool, url: string, origin: string): Destination {
  const host = pool.forwards ? origin.slice(origin.indexOf("://") + 3) : undefined;
  return url.length === origin.length
    ? pool.hop("/", `${url}/`, host)
    : pool.hop(url.slice(origin.length), url, host);
}
