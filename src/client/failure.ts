/** What the error of a request tells its caller besides: the answer that it is about, and where the request was made. */

import type { Clock } from "../core/clock.ts";
import {
  type ErrorResponse,
  HTTPError,
  InvalidArgumentError,
  LocationParseError,
  LocationValueError,
  MaxRetryError,
  ResponseError,
  URLSchemeUnknown,
} from "../core/errors.ts";
import type { Url } from "../core/url.ts";

/** Limits for reading the body of an answer that became an error: bytes, and ms. */
const MOST_BYTES = 1_048_576;
const MOST_TIME = 1_000;

/** Most frames of functions of our own between a failure and the caller's. */
const OWN_FRAMES = 10;

/** A response that may not have been read. */
interface Answer extends ErrorResponse {
  preloadAtMost(bytes: number): Promise<void>;
  releaseConn(): void;
}

/** The error that `response` has led to gets it, with its body; other errors give it up. */
export async function keepAnswer(error: unknown, response: Answer, clock: Clock): Promise<void> {
  const reason = error instanceof MaxRetryError ? error.reason : error;
  if (reason instanceof ResponseError) {
    const timer = clock.setTimer(() => response.releaseConn(), MOST_TIME);
    await response.preloadAtMost(MOST_BYTES);
    timer.cancel();
    reason.about(response);
  }
  response.releaseConn();
}

/** The error of a redirect to `url` that cannot be followed: it names the Location, as it came, and the scheme. */
export function redirectError(error: unknown, { scheme, host }: Url, location: string): unknown {
  const bad = error instanceof LocationValueError && !(error instanceof LocationParseError);
  if (!bad && host !== null) return error;
  const shown = JSON.stringify(location.length > 200 ? `${location.slice(0, 200)}...` : location);
  const message = `Redirected to ${shown}: URLs with the scheme ${scheme} cannot be requested, only http and https`;
  return new URLSchemeUnknown(scheme ?? "", { message, phase: "redirect", cause: error });
}

/**
 * Adds the functions that wait for the request to the stack of its error, which was made by a socket and knows nothing
 * of them. Costs nothing before there is an error: in an async function that goes on after an `await`, V8 finds who waits
 * for its promise.
 */
export function addCallers(error: unknown): void {
  addFrames(error, addCallers, (frame) => /^ +at async /.test(frame));
}

/** Adds the callers of `callee` to the stack of an error that is thrown far below it: stacks have few frames. */
export function addCallSite(error: unknown, callee: (...args: never[]) => unknown): void {
  addFrames(error, callee, () => true);
}

/** Where somebody stood: its text is made when it is asked for. */
export interface Place {
  readonly stack?: string;
}

/** The callers of `callee`, for errors that will come while nobody of them is on the stack. */
export function placeOf(callee: (...args: never[]) => unknown): Place {
  const here: Place = {};
  const limit = Error.stackTraceLimit;
  // Ours are between: the caller's are not among the first.
  if (limit > 0) Error.stackTraceLimit = limit + OWN_FRAMES;
  Error.captureStackTrace(here, callee);
  Error.stackTraceLimit = limit;
  return here;
}

/** Adds the callers who stood at `place` to the stack of an error. */
export function addPlace(error: unknown, place: Place): void {
  merge(error, place, () => true);
}

function addFrames(
  error: unknown,
  callee: (...args: never[]) => unknown,
  wanted: (frame: string) => boolean,
): void {
  if (isOurs(error)) merge(error, placeOf(callee), wanted);
}

function isOurs(error: unknown): error is HTTPError | InvalidArgumentError {
  return error instanceof HTTPError || error instanceof InvalidArgumentError;
}

function merge(error: unknown, here: Place, wanted: (frame: string) => boolean): void {
  if (!isOurs(error)) return;
  const stack = error.stack ?? "";
  const frames = here.stack?.split("\n").slice(1) ?? [];
  const missing = frames.filter((frame) => wanted(frame) && !stack.includes(frame));
  if (missing.length === 0) return;
  const value = [stack, ...missing].join("\n");
  Object.defineProperty(error, "stack", { value, configurable: true, writable: true });
}
