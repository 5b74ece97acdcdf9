/**
 * Server-sent events out of a body that comes in pieces cut anywhere (WHATWG HTML §9.2.6). Without I/O: bytes in, events out.
 *
 *  1. The text is UTF-8, with or without a BOM; LF, CRLF and CR end a line.
 *  2. A line is `field: value`, with or without the space; `: comment` is ignored, as is a field that is not known.
 *  3. An empty line ends an event. Without `data` it is none, but its `id` counts. What no empty line ends is dropped.
 */

import { ProtocolError } from "../../core/errors.ts";
import { LineSplitter, type RecordParser, textOf } from "./lines.ts";

/** A server-sent event. */
export interface ServerSentEvent {
  /** Its type; `message` where the server names none. */
  readonly event: string;
  /** Its `data` lines, joined with LF. */
  readonly data: string;
  /** The last event id so far, from this event or one before it; empty where there is none. */
  readonly id: string;
  /** The reconnection time that this event sets, in ms; `null` where it sets none. */
  readonly retry: number | null;
}

/** Largest event that is kept by default, in bytes. */
export const MAX_EVENT = 1_048_576;

/** Parses an event stream. */
export class EventStreamParser implements RecordParser<ServerSentEvent> {
  /** For the Last-Event-ID of a reconnection; empty where there is none. */
  lastEventId: string;
  /** The server's reconnection time in ms; `null` until it sets one. */
  retry: number | null = null;
  readonly #maxSize: number;
  readonly #lines: LineSplitter;
  /** What the event that has begun holds so far. */
  #size = 0;
  #data: string[] = [];
  #event = "";
  #id: string | null = null;
  #retry: number | null = null;

  /** `maxSize`: most bytes of an event; more is a `ProtocolError`. `lastEventId`: of the connection before. */
  constructor(maxSize: number = MAX_EVENT, lastEventId: string = "") {
    this.#maxSize = maxSize;
    this.lastEventId = lastEventId;
    this.#lines = new LineSplitter(maxSize, true);
  }

  push(bytes: Buffer): ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    for (const line of this.#lines.push(bytes)) {
      if (line.length > 0) this.#take(line);
      else this.#dispatch(events);
    }
    this.#check(this.#lines.pending);
    return events;
  }

  end(): ServerSentEvent[] {
    return [];
  }

  #take(line: Buffer): void {
    const colon = line.indexOf(0x3a);
    if (colon === 0) return;
    this.#size += line.length;
    this.#check(0);
    if (colon === -1) this.#set(textOf(line), "");
    else
      this.#set(
        textOf(line.subarray(0, colon)),
        textOf(line.subarray(line[colon + 1] === 0x20 ? colon + 2 : colon + 1)),
      );
  }

  #set(field: string, value: string): void {
    switch (field) {
      case "data":
        this.#data.push(value);
        break;
      case "event":
        this.#event = value;
        break;
      case "id":
        if (!value.includes("\0")) this.#id = value;
        break;
      case "retry":
        if (/^[0-9]+$/.test(value)) this.#retry = this.retry = Number(value);
        break;
    }
  }

  #dispatch(events: ServerSentEvent[]): void {
    if (this.#id !== null) this.lastEventId = this.#id;
    if (this.#data.length > 0) {
      const { lastEventId: id } = this;
      events.push({ event: this.#event || "message", data: this.#data.join("\n"), id, retry: this.#retry });
    }
    this.#size = 0;
    this.#data = [];
    this.#event = "";
    this.#id = null;
    this.#retry = null;
  }

  #check(pending: number): void {
    if (this.#size + pending <= this.#maxSize) return;
    throw new ProtocolError(`An event is larger than ${this.#maxSize} bytes (maxSize)`, { phase: "body" });
  }
}
