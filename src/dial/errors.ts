/** Why a dial failed: one error out of those of its attempts, with all that was tried in its message. */

import { NewConnectionError } from "../core/errors.ts";
import type { Address } from "./resolve.ts";

/** What an attempt connects to: an address, or a Unix-domain socket. */
export type Goal = Address | { readonly path: string };

/** An attempt that came to nothing. */
export interface Failure {
  readonly goal: Goal;
  readonly error: Error;
}

/** Codes of failures of the address or the way to it, and not of this machine. */
const UNREACHABLE = new Set([
  "EAFNOSUPPORT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
  "ETIMEDOUT",
]);

/** Codes that say only that this machine has no way there, as for IPv6 where there is none. */
const NO_WAY = new Set([
  "EADDRNOTAVAIL",
  "EAFNOSUPPORT",
  "EHOSTUNREACH",
  "EINVAL",
  "ENETDOWN",
  "ENETUNREACH",
]);

/** Whether `error` says that its address cannot be reached now, so that others should be tried first. */
export function isUnreachable(error: Error): boolean {
  return UNREACHABLE.has(codeOf(error));
}

/** The first error, but rather one of an address that there is a way to. */
export function tellingError(failures: readonly Failure[]): Error | undefined {
  return (failures.find(({ error }) => !NO_WAY.has(codeOf(error))) ?? failures[0])?.error;
}

/** The error of a dial none of whose attempts came through (urllib3's `NewConnectionError`). */
export function connectionError(failures: readonly Failure[], port: number): NewConnectionError {
  const cause = tellingError(failures) ?? new Error("no address to try");
  const tried =
    failures.length > 1 ? ` (tried ${failures.map(({ goal }) => nameOf(goal, port)).join(", ")})` : "";
  const reason = cause.message || codeOf(cause) || cause.name;
  return new NewConnectionError(`Failed to establish a new connection: ${reason}${tried}`, {
    phase: "connect",
    cause,
  });
}

function nameOf(goal: Goal, port: number): string {
  if ("path" in goal) return goal.path;
  return goal.family === 6 ? `[${goal.address}]:${port}` : `${goal.address}:${port}`;
}

function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? "";
}
