/** What the library tells of every try on the channel `urlpool:attempt:end`. */

import { subscribe, unsubscribe } from "node:diagnostics_channel";

/** One try that is over, its body included. Times are in ms; `null` is what was not reached, or not needed. */
export interface AttemptEnd {
  request: number;
  attempt: number;
  method: string;
  url: string;
  connection: number | null;
  route: string | null;
  protocol: "http/1.1" | "h2" | null;
  address: string | null;
  reused: boolean;
  requestHead: string | null;
  requestBytes: number;
  responseHead: string | null;
  status: number | null;
  bytes: number;
  phases: {
    queued: number;
    dns: number | null;
    connect: number | null;
    tls: number | null;
    send: number | null;
    wait: number | null;
    receive: number | null;
  };
  error: unknown;
}

const CHANNEL = "urlpool:attempt:end";

/** Calls `listener` for every try, until the function that it gives is called. */
export function onAttemptEnd(listener: (attempt: AttemptEnd) => void): () => void {
  const heard = (message: unknown): void => listener(message as AttemptEnd);
  subscribe(CHANNEL, heard);
  return () => unsubscribe(CHANNEL, heard);
}
