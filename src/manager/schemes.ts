/** Schemes of URLs, whoever wrote them, and what is chosen by them. */

import type { HTTPConnectionPool } from "../client/connection-pool.ts";
import type { PoolOptions } from "../client/options.ts";
import { LocationValueError, URLSchemeUnknown } from "../core/errors.ts";

/** A class of pools, as `poolClassesByScheme` holds them. */
export type PoolClass = new (host: string, port?: number | null, options?: PoolOptions) => HTTPConnectionPool;

/** The entry for a scheme, which may be any text that a server sent: also "constructor". */
export function own<T>(entries: Readonly<Record<string, T>>, scheme: string): T | undefined {
  return Object.hasOwn(entries, scheme) ? entries[scheme] : undefined;
}

/** What is wrong with a URL without a host, by its scheme: `localhost:80/x` has the scheme localhost. */
export function hostMissing(scheme: string | null, known: Readonly<Record<string, unknown>>): Error {
  const missing = "No host specified.";
  if (!scheme || own(known, scheme.toLowerCase()) !== undefined) return new LocationValueError(missing);
  const message = `${missing} What stands before the first colon is the scheme, and ${scheme} is none: write http:// or https:// in front`;
  return new URLSchemeUnknown(scheme, { message });
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
