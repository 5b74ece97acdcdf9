/** Which failures may be retried, and which counter of `Retry` pays for them. */

import {
  AddressBlockedError,
  ConnectTimeoutError,
  DeadlineError,
  ProtocolError,
  ProxyError,
  ReadTimeoutError,
  SSLError,
  TimeoutError,
} from "../core/errors.ts";

/** The counter of `Retry` that an error costs. */
export type FailureKind = "connect" | "read" | "other";

/**
 * Whether an error may be retried at all. Only failures of the way to the server are: timeouts, broken or
 * misunderstood connections, TLS and proxies. What another attempt would not change is not: bad arguments, headers
 * or URLs, bodies that do not decode or cannot be sent twice, closed or empty pools, addresses that are not allowed, a deadline that has passed.
 */
export function isRetryable(error: unknown): boolean {
  if (error instanceof DeadlineError || error instanceof AddressBlockedError) return false;
  if (error instanceof ProxyError) return !isRefusal(error);
  return error instanceof TimeoutError || error instanceof ProtocolError || error instanceof SSLError;
}

/** The counter that `error` costs: by its class, as in urllib3. */
export function kindOf(error: Error): FailureKind {
  // A proxy that was not reached has not seen the request.
  const origin = error instanceof ProxyError ? error.cause : error;
  if (origin instanceof ConnectTimeoutError) return "connect";
  if (error instanceof ReadTimeoutError || error instanceof ProtocolError) return "read";
  return "other";
}

/** The proxy said no, and would say it again to the same credentials. */
function isRefusal({ status }: ProxyError): boolean {
  return status !== undefined && status >= 400 && status < 500;
}
