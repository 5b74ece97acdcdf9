/** Which requests may be done twice with the effect of once. */

import { lockedSet } from "./locked-set.ts";

/** The idempotent methods (RFC 9110 section 9.2.2), which urllib3 retries by default. */
export const IDEMPOTENT_METHODS: ReadonlySet<string> = lockedSet([
  "HEAD",
  "GET",
  "PUT",
  "DELETE",
  "OPTIONS",
  "TRACE",
]);

/** Fields by which a caller promises that the server knows a repetition when it sees one. */
const KEY_FIELDS = ["idempotency-key", "x-idempotency-key"];

/** Whether the caller marked the request as safe to repeat, whatever its method, with an idempotency key. */
export function hasIdempotencyKey(headers: { has(name: string): boolean } | null | undefined): boolean {
  return headers != null && KEY_FIELDS.some((name) => headers.has(name));
}
