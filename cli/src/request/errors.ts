/** Errors of the library as exit codes and lines for people. */

import {
  DecodeError,
  HTTPError,
  IncompleteRead,
  LocationValueError,
  MaxRetryError,
  MissingDependencyError,
  NameResolutionError,
  NewConnectionError,
  ProxyError,
  ReadTimeoutError,
  SSLError,
  TimeoutError,
} from "urlpool";
import { EXIT, Failure } from "../failure.ts";

type ErrorClass = abstract new (...args: never[]) => Error;

/** The first that fits: subclasses before their parents. */
const CODES: readonly (readonly [ErrorClass, number])[] = [
  [MissingDependencyError, EXIT.missingPackage],
  [NameResolutionError, EXIT.name],
  [NewConnectionError, EXIT.connect],
  [TimeoutError, EXIT.timeout],
  [ReadTimeoutError, EXIT.timeout],
  [LocationValueError, EXIT.usage],
  [SSLError, EXIT.tls],
  [ProxyError, EXIT.proxy],
  [IncompleteRead, EXIT.partial],
  [DecodeError, EXIT.decode],
  [HTTPError, EXIT.protocol],
  // What the library calls a wrong argument was a wrong option.
  [TypeError, EXIT.usage],
];

/** The failure below the retries that it used up. */
export function reasonOf(error: unknown): unknown {
  return error instanceof MaxRetryError ? (error.reason ?? error) : error;
}

/** The exit code for an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Failure) return error.exitCode;
  const reason = reasonOf(error);
  if (reason instanceof HTTPError && /too many redirects/i.test(reason.message)) return EXIT.redirects;
  return CODES.find(([Class]) => reason instanceof Class)?.[1] ?? EXIT.protocol;
}

/** One line that says what went wrong. */
export function errorLine(error: unknown): string {
  const reason = reasonOf(error);
  const text = reason instanceof Error ? reason.message : String(reason);
  return text.replaceAll("\n", " ");
}
