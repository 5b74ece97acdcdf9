/** `-v`: connections, TLS, reuse and heads as they happen, from the diagnostics channels. */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type {
  AttemptMessage,
  ConnectionCloseMessage,
  ConnectionErrorMessage,
  ConnectionOpenMessage,
} from "urlpool";
import { harmless, paintFor, type Screen } from "../terminal.ts";

/** Tells on `screen` until the function that it gives is called. */
export function tell(screen: Screen): () => void {
  const paint = paintFor(screen);
  const note = (text: string): void => void screen.write(`${paint("dim", `* ${harmless(text)}`)}\n`);
  const listeners: Readonly<Record<string, (message: never) => void>> = {
    "urlpool:attempt:start": ({ method, url, attempt, reason }: AttemptMessage) =>
      note(reason === "first" ? `${method} ${url}` : `${method} ${url} (attempt ${attempt}: ${reason})`),
    "urlpool:connection:open": ({ connection, route, dns, connect, tls }: ConnectionOpenMessage) =>
      note(
        `connection #${connection} to ${route}: dns ${ms(dns)}, connect ${ms(connect)}${tls === null ? "" : `, tls ${ms(tls)}`}`,
      ),
    "urlpool:connection:close": ({ connection, exchanges }: ConnectionCloseMessage) =>
      note(`connection #${connection} closed after ${exchanges} ${exchanges === 1 ? "request" : "requests"}`),
    "urlpool:connection:error": ({ route, error }: ConnectionErrorMessage) =>
      note(`no connection to ${route}: ${error instanceof Error ? error.message : String(error)}`),
  };
  const entries = Object.entries(listeners) as [string, (message: unknown) => void][];
  for (const [channel, listener] of entries) subscribe(channel, listener);
  return () => {
    for (const [channel, listener] of entries) unsubscribe(channel, listener);
  };
}

function ms(time: number): string {
  return `${time.toFixed(1)} ms`;
}
