/** Redirects in front of a cache: each hop is a request of its own, so that its response is kept under its own URL. */

import { isUtf8 } from "node:buffer";
import { HTTPHeaderDict, type HTTPResponse, jarForHop, LocationParseError, Retry } from "../../index.ts";
import type { CacheBase, CachedUrlopenOptions } from "./options.ts";

type Open = (method: string, url: string, options: CachedUrlopenOptions) => Promise<HTTPResponse>;

/** Opens `url` and follows where it leads, by the rules of the library: a 303 turns to GET, other redirects keep all. */
export async function followed(
  first: string,
  verb: string,
  options: CachedUrlopenOptions,
  base: CacheBase,
  open: Open,
): Promise<HTTPResponse> {
  if (options.redirect === false) return open(verb, first, options);
  let retries = Retry.from(options.retries ?? base.connectionPoolKw?.retries);
  let [url, method, rest] = [first, verb, options];
  for (;;) {
    const response = await open(method, url, { ...rest, redirect: false, retries });
    const location = response.redirectLocation();
    if (!location || response.status === 304) return response;
    try {
      retries = retries.increment({ method, url, response });
    } catch (error) {
      if (!retries.raiseOnRedirect) return response;
      throw error;
    } finally {
      response.releaseConn();
    }
    const next = leadsTo(location, url);
    rest = { ...rest, headers: headersFor(next, url, rest.headers ?? base.headers, retries) };
    if (response.status === 303 && method !== "HEAD") {
      method = "GET";
      rest = { ...rest, body: null, headers: withoutBody(rest.headers) };
    }
    url = next;
    const jar = options.cookieJar === undefined ? base.connectionPoolKw?.cookieJar : options.cookieJar;
    if (jar) rest = { ...rest, cookieJar: jarForHop(jar, first, url, method) };
  }
}

/** The URL that `location` means, without userinfo: as the library has it for requests without a cache. */
function leadsTo(location: string, url: string): string {
  const bytes = Buffer.from(location, "latin1");
  const text = isUtf8(bytes) && !/[^\0-\xff]/.test(location) ? bytes.toString("utf8") : location;
  if (!URL.canParse(text, url)) throw new LocationParseError(text);
  const next = new URL(text, url);
  next.username = "";
  next.password = "";
  return next.href;
}

/** Credentials do not cross origins. */
function headersFor(
  next: string,
  url: string,
  headers: CachedUrlopenOptions["headers"],
  { removeHeadersOnRedirect }: Retry,
): CachedUrlopenOptions["headers"] {
  if (new URL(next).origin === new URL(url).origin) return headers;
  const kept = new HTTPHeaderDict(headers);
  for (const name of [...removeHeadersOnRedirect, "Host"]) kept.delete(name);
  return kept;
}

function withoutBody(headers: CachedUrlopenOptions["headers"]): HTTPHeaderDict {
  const kept = new HTTPHeaderDict(headers);
  for (const name of [
    "Content-Type",
    "Content-Length",
    "Content-Encoding",
    "Content-Language",
    "Content-Location",
    "Transfer-Encoding",
  ]) {
    kept.delete(name);
  }
  return kept;
}
