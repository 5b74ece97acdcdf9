/** What the library tells of every try on the channel `urlpool:attempt:end`. */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { AttemptEndMessage } from "urlpool";

const CHANNEL = "urlpool:attempt:end";

/** One try that is over, its body included. */
export type AttemptEnd = AttemptEndMessage;

/** Calls `listener` for every try, until the function that it gives is called. */
export function onAttemptEnd(listener: (attempt: AttemptEnd) => void): () => void {
  const heard = (message: unknown): void => listener(message as AttemptEnd);
  subscribe(CHANNEL, heard);
  return () => unsubscribe(CHANNEL, heard);
}
