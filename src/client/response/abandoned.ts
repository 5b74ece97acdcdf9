/**
 * Streamed responses that nobody can read any more, though nobody released them: their connections are given up when the
 * garbage collector finds them. With `NODE_DEBUG=urlpool` a warning says where each came from.
 */

import { systemClock } from "../../core/clock.ts";
import { isDebugging } from "../../core/trace.ts";
import type { BodyReader } from "./body-reader.ts";

/** Frames kept of a call's stack: some are the library's own. */
const FRAMES = 30;

const forgotten = new FinalizationRegistry<BodyReader>((reader) => {
  if (reader.source.unread) warn(reader);
  reader.source.abandon();
});

/** Responses of this turn of the event loop. Most are read before it ends, and a registration costs half a request. */
let fresh: [response: object, reader: BodyReader][] = [];

/** Gives up the connection of `reader` once `response` is collected. */
export function watchForgotten(response: object, reader: BodyReader): void {
  if (fresh.push([response, reader]) === 1) systemClock.afterPoll(registerFresh);
}

function registerFresh(): void {
  const responses = fresh;
  fresh = [];
  for (const [response, reader] of responses) {
    const { bound, unread } = reader.source;
    if (bound || unread) forgotten.register(response, reader, reader);
  }
}

/** The response was given up in so many words. */
export function unwatch(reader: BodyReader): void {
  forgotten.unregister(reader);
}

/** The stack of who called `callee`, if somebody debugs: it costs more than a small request. */
export function callSite(callee: (...args: never[]) => unknown): string | null {
  if (!isDebugging()) return null;
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = FRAMES;
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, callee);
  Error.stackTraceLimit = stackTraceLimit;
  return holder.stack?.replace(/^.*\n/, "") ?? null;
}

function warn({ options }: BodyReader): void {
  const { calledAt, facts } = options;
  // Made before anybody debugged: nothing is known of it.
  if (calledAt === undefined || calledAt === null) return;
  const request = `${facts?.method} ${facts?.url}`;
  process.emitWarning(
    `The response to ${request} was neither read to its end nor released: its connection was held until the response was collected.`,
    {
      type: "ForgottenResponseWarning",
      code: "URLPOOL_FORGOTTEN_RESPONSE",
      detail: `It was requested here:\n${calledAt}`,
    },
  );
}
