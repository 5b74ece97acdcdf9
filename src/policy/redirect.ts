/** Where a redirect leads, and what of the request goes there (RFC 9110 section 15.4). */

import type { HTTPHeaderDict } from "../core/headers.ts";
import { decodeLocation, resolveUrl, sameOrigin, Url } from "../core/url.ts";

/** The statuses whose Location is followed (urllib3's `REDIRECT_STATUSES`). */
export const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Whether Location, if there is one, says where to go with this status. */
export function isRedirectStatus(status: number): boolean {
  // Most answers are not: no look-up for them.
  return status >= 300 && status < 400 && REDIRECT_STATUSES.has(status);
}

/** Whether an answer with this status and value of Location is a redirect: an empty Location leads nowhere. */
export function isRedirect(status: number, location: string | null | undefined): location is string {
  return isRedirectStatus(status) && location !== null && location !== undefined && location !== "";
}

/** The request that was redirected, and the answer that did it. */
export interface RedirectFacts {
  readonly method: string;
  /** Absolute request URL, not the proxy's. */
  readonly url: Url;
  /** The caller's fields; never modified. */
  readonly headers: HTTPHeaderDict | null;
  readonly status: number;
  /** Value of Location as it was received. */
  readonly location: string;
  /** There is a body, or its framing was asked for (`chunked`). */
  readonly hasBody: boolean;
  /** `Retry`'s: names in lower case. */
  readonly removeHeadersOnRedirect: ReadonlySet<string>;
}

/** The request that a redirect asks for. */
export interface NextHop {
  readonly method: string;
  /** Absolute, without userinfo. */
  readonly url: Url;
  /** A copy where they differ from the last request's. */
  readonly headers: HTTPHeaderDict | null;
  /** Body and framing stay behind; where they do not, the body has to be sent from its start. */
  readonly dropBody: boolean;
  /** Scheme, host or port is another. */
  readonly crossOrigin: boolean;
}

/** Fields that announce a body; without one they must not be sent (RFC 9110 sections 6.6.2 and 10.1.1). */
const BODY_PROMISES = ["trailer", "expect"];

/**
 * The next request:
 *
 * 1. The URL is Location, read as UTF-8 if it is that, resolved against the request's; userinfo in it is dropped.
 * 2. 303 turns the method to GET, but for HEAD, and leaves the body and the fields about it behind. All other
 *    statuses keep method and body, as in urllib3.
 * 3. To another origin (https to http on the same host is one), the fields of `removeHeadersOnRedirect` do not go,
 *    nor the caller's own Host, which names the old one.
 *
 * Whether the scheme is one that can be requested is for the look-up of its pool to say.
 *
 * @throws {LocationParseError} if Location is malformed.
 */
export function nextHop(facts: RedirectFacts): NextHop {
  const { method, headers, hasBody } = facts;
  const url = withoutUserinfo(resolveUrl(facts.url, decodeLocation(facts.location)));
  const crossOrigin = !sameOrigin(facts.url, url);
  const toGet = facts.status === 303;
  return {
    method: toGet && method.toUpperCase() !== "HEAD" ? "GET" : method,
    url,
    headers:
      headers === null ? null : nextHeaders(headers, toGet, crossOrigin, facts.removeHeadersOnRedirect),
    dropBody: toGet && hasBody,
    crossOrigin,
  };
}

function withoutUserinfo(url: Url): Url {
  return url.auth === null ? url : new Url({ ...url, auth: null });
}

function nextHeaders(
  headers: HTTPHeaderDict,
  toGet: boolean,
  crossOrigin: boolean,
  secrets: ReadonlySet<string>,
): HTTPHeaderDict {
  if (!toGet && !crossOrigin) return headers;
  const next = headers.copy();
  if (toGet) {
    next.prepareForMethodChange();
    for (const name of BODY_PROMISES) next.delete(name);
  }
  if (crossOrigin) {
    for (const name of secrets) next.delete(name);
    next.delete("host");
  }
  return next;
}
