/** The global `fetch`, for who asks for it. */

import { createFetch, type FetchBase, type FetchOptions } from "../../index.ts";

/**
 * Puts a fetch over `manager` (default: the one that `request` uses) in the place of the platform's. Gives a function that
 * puts back what was there, unless somebody else has replaced it since.
 */
export function install(manager?: FetchBase | null, options?: FetchOptions): () => void {
  const before = globalThis.fetch;
  const own = createFetch(manager, options);
  globalThis.fetch = own;
  return () => {
    if (globalThis.fetch === own) globalThis.fetch = before;
  };
}
