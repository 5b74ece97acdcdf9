/** What a pool is looked up by. */

import { plainHost } from "../client/proxy.ts";
import { DEFAULT_PORTS, normalizeHost } from "../core/url.ts";
import type { PoolContext } from "./pool-key.ts";
import { mergePoolKwargs, type PoolKwargs, type PoolOverrides } from "./pool-kwargs.ts";
import { throughProxy } from "./proxy-context.ts";

/** The context of requests to an origin: the manager's options with `poolKwargs` over them, and the way there. */
export function requestContext(
  kw: PoolKwargs,
  host: string,
  port: number | null | undefined,
  scheme: string,
  poolKwargs: PoolOverrides | null | undefined,
): PoolContext {
  const lowered = scheme.toLowerCase();
  const context = {
    ...mergePoolKwargs(kw, poolKwargs),
    scheme: lowered,
    host: normalizeHost(plainHost(host), lowered),
    port: port ?? DEFAULT_PORTS[lowered] ?? 80,
  };
  return throughProxy(context);
}
