/** Schemes of URLs, whoever wrote them, and what is chosen by them. */

import type { HTTPConnectionPool } from "../client/connection-pool.ts";
import type { PoolOptions } from "../client/options.ts";

/** A class of pools, as `poolClassesByScheme` holds them. */
export type PoolClass = new (host: string, port?: number | null, options?: PoolOptions) => HTTPConnectionPool;

/** The entry for a scheme, which may be any text that a server sent: also "constructor". */
export function own<T>(entries: Readonly<Record<string, T>>, scheme: string): T | undefined {
  return Object.hasOwn(entries, scheme) ? entries[scheme] : undefined;
}

let warned = false;

/** Warns once per process of URLs without a scheme, as urllib3 does. */
export function warnSchemeless(): void {
  if (warned) return;
  warned = true;
  process.emitWarning(
    "URLs without a scheme (as in 'example.com/x') are deprecated: write http:// in front",
    {
      type: "DeprecationWarning",
      code: "URLPOOL_SCHEMELESS_URL",
    },
  );
}
