/** `-v`: connections, TLS, reuse and heads as they happen, from the diagnostics channels. */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type {
  AttemptEndMessage,
  AttemptMessage,
  ConnectionCloseMessage,
  ConnectionErrorMessage,
  ConnectionOpenMessage,
} from "urlpool";
import { harmless, paintFor, type Screen } from "../terminal.ts";

type Listeners = Readonly<Record<string, (message: never) => void>>;

/** Tells on `screen` until the function that it gives is called. Heads come when their try is over. */
export function tell(screen: Screen): () => void {
  const entries = Object.entries(listenersOf(screen)) as [string, (message: unknown) => void][];
  for (const [channel, listener] of entries) subscribe(channel, listener);
  return () => {
    for (const [channel, listener] of entries) unsubscribe(channel, listener);
  };
}

function listenersOf(screen: Screen): Listeners {
  const paint = paintFor(screen);
  const note = (text: string): void => {
    screen.write(`${paint("dim", `* ${harmless(text)}`)}\n`);
  };
  const head = (mark: ">" | "<", text: string | null): void => {
    for (const line of text?.trimEnd().split("\r\n") ?? [])
      screen.write(`${paint("dim", mark)} ${harmless(line)}\n`);
  };
  return {
    "urlpool:attempt:start": ({ method, url, attempt, reason }: AttemptMessage) =>
      note(reason === "first" ? `${method} ${url}` : `${method} ${url} (attempt ${attempt}: ${reason})`),
    "urlpool:attempt:end": (attempt: AttemptEndMessage) => {
      const { connection, reused, requestHead, responseHead, error } = attempt;
      if (connection !== null)
        note(`connection #${connection}${reused ? " used again" : ""}; ${phases(attempt)}`);
      head(">", requestHead);
      head("<", responseHead);
      if (error !== null) note(error instanceof Error ? error.message : String(error));
    },
    "urlpool:connection:open": ({ connection, route, dns, connect, tls }: ConnectionOpenMessage) =>
      note(
        `connection #${connection} to ${route}: dns ${ms(dns)}, connect ${ms(connect)}${tls === null ? "" : `, tls ${ms(tls)}`}`,
      ),
    "urlpool:connection:close": ({ connection, exchanges }: ConnectionCloseMessage) =>
      note(`connection #${connection} closed after ${exchanges} ${exchanges === 1 ? "request" : "requests"}`),
    "urlpool:connection:error": ({ route, error }: ConnectionErrorMessage) =>
      note(`no connection to ${route}: ${error instanceof Error ? error.message : String(error)}`),
  };
}

/** `http/1.1 to 127.0.0.1, send 0.1 ms, wait 3.2 ms, receive 0.4 ms` */
function phases({ protocol, address, phases: { queued, send, wait, receive } }: AttemptEndMessage): string {
  const times = Object.entries({ queued, send, wait, receive }).filter(
    ([, time]) => time !== null && time > 0,
  );
  return [`${protocol} to ${address}`, ...times.map(([name, time]) => `${name} ${ms(time as number)}`)].join(
    ", ",
  );
}

function ms(time: number): string {
  return `${time.toFixed(1)} ms`;
}
