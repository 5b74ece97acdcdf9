/** Errors of the library as exit codes and lines for people. */

import {
  DecodeError,
  HTTPError,
  IncompleteRead,
  InvalidHeader,
  LocationValueError,
  MaxRetryError,
  MissingDependencyError,
  NameResolutionError,
  NewConnectionError,
  ProxyError,
  ReadTimeoutError,
  SSLError,
  TimeoutError,
  UnrewindableBodyError,
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
  [UnrewindableBodyError, EXIT.read],
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
  if (reason instanceof InvalidHeader && reason.phase === "request") return EXIT.usage;
  if (reason instanceof NewConnectionError && isByProxy(reason)) return EXIT.proxy;
  return CODES.find(([Class]) => reason instanceof Class)?.[1] ?? EXIT.protocol;
}

/** Whether the first hop was another host: the library tells the failures of SOCKS proxies as those of connections. */
function isByProxy({ route = "", url = "" }: HTTPError): boolean {
  if (!/:\d+$/.test(route) || !URL.canParse(url)) return false;
  const { hostname, port, protocol } = new URL(url);
  return route !== `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
}

/** One line that says what went wrong. */
export function errorLine(error: unknown): string {
  const reason = reasonOf(error);
  if (reason instanceof UnrewindableBodyError)
    return "the server wants the body again, and standard input can be read only once: send it from a file";
  const text = reason instanceof Error ? reason.message : String(reason);
  return text.replaceAll("\n", " ");
}
