/**
 * Listens to server-sent events, and connects again where the connection breaks off, as browsers' `EventSource` does.
 * Prints each event as a line: its type, a tab, and its data.
 *
 *     node examples/events.ts https://stream.wikimedia.org/v2/stream/recentchange --max 20
 *
 * The id of the last event goes along as `Last-Event-ID`, so that the server can go on from there; at the end it is told on
 * stderr, for `--last-id` of the next run. The server sets how long to wait between connections (`retry:`), and ends it all with 204.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { HTTPError, PoolManager, ResponseError, type ServerSentEvent } from "urlpool";

const USAGE = "usage: events.ts URL [--last-id ID] [--max N]";

/** Each failure in a row doubles the wait that the server asks for, up to half a minute. */
const LONGEST_WAIT = 30_000;

/** The events of one URL over many connections. */
export class EventSource {
  readonly #manager: PoolManager;
  readonly #url: URL;
  readonly #signal: AbortSignal;
  /** Wait between two connections in ms. */
  #retry = 3_000;
  #lastEventId: string;

  constructor(manager: PoolManager, url: URL, signal: AbortSignal, lastEventId: string = "") {
    this.#manager = manager;
    this.#url = url;
    this.#signal = signal;
    this.#lastEventId = lastEventId;
  }

  /** For the next connection. */
  get lastEventId(): string {
    return this.#lastEventId;
  }

  /** Ends when the server sends 204; throws where it answers with something that is no event stream. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ServerSentEvent> {
    for (let failures = 0; ; ) {
      try {
        if ((yield* this.#connection()) === "over") return;
        failures = 0;
      } catch (error) {
        // Another answer will not come by asking again; a broken connection may.
        if (this.#signal.aborted || error instanceof ResponseError || !(error instanceof HTTPError))
          throw error;
        failures += 1;
        console.error(error.message);
      }
      const wait = Math.min(this.#retry * 2 ** Math.max(0, failures - 1), LONGEST_WAIT);
      await sleep(wait, undefined, { signal: this.#signal });
    }
  }

  async *#connection(): AsyncGenerator<ServerSentEvent, "over" | "again"> {
    const headers: Record<string, string> = { Accept: "text/event-stream", "Cache-Control": "no-store" };
    if (this.#lastEventId !== "") headers["Last-Event-ID"] = this.#lastEventId;
    using response = await this.#manager.request("GET", this.#url, { headers, signal: this.#signal });
    if (response.status === 204) return "over";
    response.raiseForStatus();
    const type = response.headers.get("content-type") ?? "nothing that it names";
    if (!type.startsWith("text/event-stream"))
      throw new TypeError(`${response.url} sends ${type}, no events`);
    const events = response.events({ lastEventId: this.#lastEventId });
    try {
      yield* events;
    } finally {
      this.#lastEventId = events.lastEventId;
      this.#retry = events.retry ?? this.#retry;
    }
    return "again";
  }
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { "last-id": { type: "string", default: "" }, max: { type: "string" } },
  });
  const [url = "", ...more] = positionals;
  const max = Number(values.max ?? Number.POSITIVE_INFINITY);
  if (!URL.canParse(url) || more.length > 0 || !(max > 0)) throw new TypeError(USAGE);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort(new Error("interrupted")));
  // A quiet stream is no failure: the read timeout is off, and TCP finds out whether the server still lives.
  const options = {
    preloadContent: false,
    timeout: { connect: 10_000, read: null },
    socketOptions: { keepAlive: true },
  };
  await using manager = new PoolManager({ ...options, retries: false });
  const source = new EventSource(manager, new URL(url), stop.signal, values["last-id"]);
  let count = 0;
  try {
    for await (const { event, data } of source) {
      console.log(`${event}\t${data.replaceAll("\n", "\\n")}`);
      count += 1;
      if (count >= max) break;
    }
  } finally {
    console.error(`${count} events, last id: ${source.lastEventId || "none"}`);
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
