/** Calls without a manager of one's own: urllib3's module-level `request`, and `createFetch`. */

import { type Fetch, type FetchBase, type FetchOptions, fetchOver } from "../adapters/fetch/create-fetch.ts";
import type { RequestOptions } from "../client/options.ts";
import type { HTTPResponse } from "../client/response/response.ts";
import type { UrlLike } from "../core/url.ts";
import { PoolManager } from "./pool-manager.ts";

let shared: PoolManager | null = null;

/**
 * Makes a request over a manager that the whole process shares, made at the first call.
 * Rejects with one of the library's errors, or with the signal's reason.
 */
export function request(
  method: string,
  url: UrlLike,
  options?: RequestOptions | null,
): Promise<HTTPResponse> {
  return sharedManager().request(method, url, options);
}

/**
 * A function like the platform's `fetch`, which makes its requests over `manager` (default: the one that `request` uses),
 * with its pools, proxies, limits and retries. It is bound: it may be passed around.
 */
export function createFetch(manager?: FetchBase | null, options?: FetchOptions): Fetch {
  return fetchOver(manager ?? sharedManager(), options);
}

function sharedManager(): PoolManager {
  shared ??= new PoolManager();
  return shared;
}
