/** Process warnings about insecure settings, each given once. */

import { INSECURE_REQUEST_WARNING } from "../../core/errors.ts";

/** Somebody who visits endless hosts without verification has read the warning by then. */
const MOST_WARNINGS = 1000;

const given = new Set<string>();
let silent = false;

/** No insecure setting is warned of any more in this process (urllib3's `disable_warnings`). */
export function disableWarnings(): void {
  silent = true;
}

/** Warns, once per host, that the certificate of `host` is not verified. */
export function warnInsecure(host: string): void {
  const message = `Unverified HTTPS request is being made to host '${host}'. Adding certificate verification is strongly advised.`;
  warnOnce(message, INSECURE_REQUEST_WARNING, "URLPOOL_INSECURE_REQUEST");
}

/** Warns, once, that a fingerprint was made with MD5. */
export function warnWeakFingerprint(): void {
  const message =
    "An MD5 fingerprint proves little: certificates that share one can be made. Use SHA-256 for assertFingerprint.";
  warnOnce(message, "SecurityWarning", "URLPOOL_WEAK_FINGERPRINT");
}

function warnOnce(message: string, type: string, code: string): void {
  if (silent || given.has(message) || given.size >= MOST_WARNINGS) return;
  given.add(message);
  process.emitWarning(message, { type, code });
}
