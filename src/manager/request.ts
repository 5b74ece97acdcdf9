/** `request`: one call without a manager of one's own (urllib3's module-level `request`). */

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
  shared ??= new PoolManager();
  return shared.request(method, url, options);
}
