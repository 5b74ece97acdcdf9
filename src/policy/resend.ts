/** May a request go again, silently, after its connection died? Retries that the caller asked for are `Retry`'s. */

import { IDEMPOTENT_METHODS } from "./idempotency.ts";

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

/**
 * Whether the request may be sent again without being asked, at no cost to `Retry`:
 *
 * 1. Never when the connection was fresh: the server, or the way to it, is at fault, and would be again.
 * 2. Never when the body cannot be made anew.
 * 3. Yes when no byte of the request was written: the server has not seen it.
 * 4. Never when a byte of the response has come: the server has acted.
 * 5. Else only if doing it twice is as doing it once: an idempotent method (RFC 9110 section 9.2.2), or an
 *    idempotency key.
 */
export function mayResend(facts: ResendFacts): boolean {
  if (!facts.reused) return false;
  if (!facts.bodyReplayable) return false;
  if (facts.bytesWritten === 0) return true;
  if (facts.responseStarted) return false;
  // Methods are case-sensitive: nothing is known of "get".
  return IDEMPOTENT_METHODS.has(facts.method) || facts.idempotencyKey === true;
}
