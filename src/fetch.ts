/** The entry `urlpool/fetch`. */

export { install } from "./adapters/fetch/install.ts";
export { createFetch, type Fetch, type FetchBase, type FetchOptions } from "./index.ts";
