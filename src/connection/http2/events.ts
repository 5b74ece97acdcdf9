/** What a session tells of its streams, as their exchanges hear it. */

import { type HTTPError, IncompleteRead } from "../../core/errors.ts";
import type { FieldBlock } from "../../protocol/h2/field-block.ts";
import * as frames from "../../protocol/h2/frames.ts";
import type { Session } from "../../protocol/h2/session.ts";
import type { SessionObserver } from "../../protocol/h2/session-observer.ts";
import type { Violation } from "../../protocol/h2/violation.ts";
import { FieldLines } from "../../protocol/response-head.ts";
import type { Endings } from "./endings.ts";
import { resetError, violationError } from "./errors.ts";
import type { Http2Stream } from "./stream.ts";

/** Refusals within its own limit that show that a server wants no more on this connection. */
const MOST_REFUSALS = 2;

/** The connection of the session. */
export interface EventsHost {
  readonly session: Session;
  /** Writes that the socket has finished. */
  readonly finishedWrites: number;
  /** `free` or `open` is another than before. */
  tellCapacity(): void;
  /** No new streams: it closes with the last one. */
  drain(): void;
  /** The server has told its settings. */
  settingsChanged(): void;
  /** Streams that were begun and are not written start again elsewhere. */
  returnHeld(): void;
  /** The next connections are to speak HTTP/1.1; `false`: that cannot be arranged. */
  askForHttp1(): boolean;
}

/** The observer of one session. Its streams are all `Http2Stream`s. */
export class SessionEvents implements SessionObserver {
  readonly #host: EventsHost;
  readonly #endings: Endings;

  constructor(host: EventsHost, endings: Endings) {
    this.#host = host;
    this.#endings = endings;
  }

  onInformational(stream: Http2Stream, head: FieldBlock): void {
    stream.touch();
    if (head.status === 100) stream.sendExpectedBody();
    stream.exchange?.onInformational(head);
  }

  onHead(stream: Http2Stream, head: FieldBlock): void {
    const { exchange } = stream;
    if (exchange === null) return;
    const { session } = this.#host;
    stream.touch();
    stream.keepExpectedBody();
    stream.headRead = session.reads;
    exchange.onHead(head, stream);
    if (stream.expected >= stream.mayReceive && exchange.collect) session.prepay(stream);
  }

  onData(stream: Http2Stream, bytes: Buffer, start: number, end: number): void {
    stream.receive(bytes, start, end);
  }

  onEnd(stream: Http2Stream, trailers: FieldBlock | null): void {
    const { exchange } = stream;
    if (exchange === null) return;
    this.#endings.answered++;
    if (!exchange.persistent) this.#host.drain();
    const lines = trailers === null ? null : new FieldLines(trailers.text);
    stream.end(lines, stream.headRead === this.#host.session.reads);
  }

  onTruncated(stream: Http2Stream): void {
    this.#fail(stream, new IncompleteRead(stream.received, stream.expected - stream.received));
  }

  onViolation(stream: Http2Stream, violation: Violation): void {
    this.#fail(stream, violationError(violation, { phase: phaseOf(stream) }));
  }

  onReset(stream: Http2Stream, code: number): void {
    const { session } = this.#host;
    if (code === frames.PROTOCOL_ERROR || session.refusals >= MOST_REFUSALS) this.#host.drain();
    const error = (): HTTPError => resetError(code, { phase: phaseOf(stream) });
    // An answer that has begun proves that the request was processed, whatever is said behind it.
    const mayRestart = stream.headRead === -1 && this.#isUnprocessed(code);
    if (mayRestart) this.#restart(stream, error);
    else this.#fail(stream, error());
  }

  onGoAway(code: number, text: string): void {
    this.#endings.noteGoAway(code, text);
    if (code === frames.HTTP_1_1_REQUIRED) this.#host.askForHttp1();
    this.#host.tellCapacity();
    this.#host.returnHeld();
  }

  onUnprocessed(stream: Http2Stream): void {
    this.#endings.unprocessed(stream);
  }

  onSent(stream: Http2Stream, length: number, last: boolean): void {
    stream.touchedWrites = this.#host.finishedWrites;
    stream.onSent(length, last);
  }

  onSettings(): void {
    this.#host.settingsChanged();
  }

  /** Anything that comes is a sign of life: this needs no ear of its own. */
  onPong(): void {}

  #isUnprocessed(code: number): boolean {
    return code === frames.REFUSED_STREAM || (code === frames.HTTP_1_1_REQUIRED && this.#host.askForHttp1());
  }

  #fail(stream: Http2Stream, error: HTTPError): void {
    this.#host.tellCapacity();
    this.#endings.fail(stream, error);
  }

  #restart(stream: Http2Stream, error: () => HTTPError): void {
    this.#host.tellCapacity();
    this.#endings.restart(stream, error);
  }
}

function phaseOf(stream: Http2Stream): "head" | "body" {
  return stream.headRead === -1 ? "head" : "body";
}
