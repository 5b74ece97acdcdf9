/**
 * May a request go again after a failure?
 *
 *  1. Silently, at no cost to `Retry`, if its reused connection died: when no byte was written, or when no byte of the
 *     response had come and repeating does no harm ({@link mayResend}).
 *  2. By `Retry`, if the way to the server failed: timeouts, broken connections, TLS, proxies ({@link isRetryable}).
 *     The failure costs one of `connect`, `read` or `other` ({@link kindOf}).
 *  3. Not even by `Retry`, unless the caller set its `other`: a TLS failure that every attempt would meet again, such as
 *     a certificate for another name ({@link isDeterministic}).
 *  4. Never after a failure that another attempt cannot change: bad arguments, headers or URLs, bodies that do not
 *     decode or cannot be sent twice, closed or empty pools, addresses that are not allowed, a deadline that has passed.
 *
 * Repeating does no harm for idempotent methods (RFC 9110 §9.2.2) and for requests with an idempotency key.
 */

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

/** How far a request had come when its connection died. */
export interface ResendFacts {
  /** The connection had served a request before. */
  readonly reused: boolean;
  /** Bytes of this request handed to the socket. */
  readonly bytesWritten: number;
  /** A byte of the response had arrived. */
  readonly responseStarted: boolean;
  readonly method: string;
  /** There is no body, or it can be made anew. */
  readonly bodyReplayable: boolean;
  /** The request carries an idempotency key: see {@link hasIdempotencyKey}. Default false. */
  readonly idempotencyKey?: boolean | undefined;
}

/** The idempotent methods (RFC 9110 §9.2.2), which urllib3 retries by default. */
export const IDEMPOTENT_METHODS: ReadonlySet<string> = lockedSet([
  "HEAD",
  "GET",
  "PUT",
  "DELETE",
  "OPTIONS",
  "TRACE",
]);

/** Fields by which a caller promises that the server recognises a repeated request. */
const KEY_FIELDS = ["idempotency-key", "x-idempotency-key"];

/**
 * Whether the request may be sent again without being asked, at no cost to `Retry`:
 *
 * 1. Never when the connection was fresh: the server, or the way to it, is at fault, and would be again.
 * 2. Never when the body cannot be made anew.
 * 3. Yes when no byte of the request was written: the server has not seen it.
 * 4. Never when a byte of the response has come: the server has acted.
 * 5. Else only if repeating does no harm.
 */
export function mayResend(facts: ResendFacts): boolean {
  if (!facts.reused) return false;
  if (!facts.bodyReplayable) return false;
  if (facts.bytesWritten === 0) return true;
  if (facts.responseStarted) return false;
  // Methods are case-sensitive: nothing is known of "get".
  return IDEMPOTENT_METHODS.has(facts.method) || facts.idempotencyKey === true;
}

/** Whether the caller marked the request as safe to repeat, whatever its method, with an idempotency key. */
export function hasIdempotencyKey(headers: { has(name: string): boolean } | null | undefined): boolean {
  return headers != null && KEY_FIELDS.some((name) => headers.has(name));
}

/** Whether an error may be retried at all: only failures of the way to the server are. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof DeadlineError || error instanceof AddressBlockedError) return false;
  if (error instanceof ProxyError) return !isRefusal(error);
  return error instanceof TimeoutError || error instanceof ProtocolError || error instanceof SSLError;
}

/**
 * Whether `error`, or the failure of a proxy that it stands for, carries the fact `deterministic`: the same request
 * would meet it again.
 */
export function isDeterministic(error: unknown): boolean {
  const { deterministic, cause } = error as { deterministic?: unknown; cause?: unknown };
  if (deterministic === true) return true;
  return (
    error instanceof ProxyError &&
    (cause as { deterministic?: unknown } | null | undefined)?.deterministic === true
  );
}

/** The counter that `error` costs: by its class, as in urllib3, and by how far the request had come. */
export function kindOf(error: Error): FailureKind {
  // A proxy that was not reached has not seen the request.
  const origin = error instanceof ProxyError ? error.cause : error;
  if (origin instanceof ConnectTimeoutError) return "connect";
  // The server says that it has not processed the request: it counts as never sent.
  if ((error as { processed?: boolean | undefined }).processed === false) return "connect";
  if (error instanceof ReadTimeoutError || error instanceof ProtocolError) return "read";
  // What was sent counts, not what broke: a server may be at work on it although TLS failed later.
  const { bytesWritten = 0 } = error as { bytesWritten?: number | undefined };
  return bytesWritten > 0 ? "read" : "other";
}

/** The proxy refused these credentials, and would refuse them again. */
function isRefusal({ status }: ProxyError): boolean {
  return status !== undefined && status >= 400 && status < 500;
}

/** A set of `values` that can be shared: it throws `TypeError` where a call would change it. */
export function lockedSet<T>(values: Iterable<T>): ReadonlySet<T> {
  const set = new Set(values);
  for (const name of ["add", "delete", "clear"]) Object.defineProperty(set, name, { value: refuseChange });
  return set;
}

function refuseChange(): never {
  throw new TypeError("This set cannot be changed: give one of your own");
}
