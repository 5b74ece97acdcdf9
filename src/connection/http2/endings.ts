/**
 * How exchanges end that get no whole answer: they start again on another connection, or fail with what is known.
 *
 * What the server has certainly not processed starts again, at most twice: never written, above the last id of GOAWAY,
 * REFUSED_STREAM (RFC 9113 §8.7). Twice, because a rolling restart may close two connections in a row.
 */

import { type HTTPError, IncompleteRead, ReadTimeoutError } from "../../core/errors.ts";
import * as frames from "../../protocol/h2/frames.ts";
import { IN_BODY } from "../../protocol/h2/stream.ts";
import type { ConnectionOwner, Exchange } from "../connection.ts";
import { brokenError, contradictionError, unprocessedError } from "./errors.ts";
import type { Http2Stream } from "./stream.ts";

const MOST_RESTARTS = 2;

const restarts = new WeakMap<Exchange, number>();

/** Ends the exchanges of one connection. */
export class Endings {
  /** Answers that have come in full. */
  answered: number = 0;
  readonly #owner: ConnectionOwner;
  readonly #route: string;
  #goAway: { code: number; text: string } | null = null;

  constructor(owner: ConnectionOwner, route: string) {
    this.#owner = owner;
    this.#route = route;
  }

  /** The server has said GOAWAY, for this reason. */
  noteGoAway(code: number, text: string): void {
    this.#goAway = { code, text };
  }

  /** The exchange fails. */
  fail(stream: Http2Stream, error: HTTPError): void {
    stream.stop()?.onError(this.described(stream, error));
  }

  /** GOAWAY says that the server has not processed the stream. */
  unprocessed(stream: Http2Stream): void {
    // An answer that has begun proves the opposite.
    if (stream.headRead !== -1) this.fail(stream, contradictionError(this.#goAway?.code ?? 0));
    else if (this.#mayRestart()) this.restart(stream, this.goneError);
    else this.fail(stream, this.goneError());
  }

  /**
   * Starts the exchange again. It hears `error` if that cannot be: because it was done twice, or because some of its body
   * was taken from its source.
   */
  restart(stream: Http2Stream, error: () => HTTPError): void {
    const { isFresh } = stream;
    const exchange = stream.stop();
    if (exchange === null) return;
    const count = (restarts.get(exchange) ?? 0) + 1;
    if (isFresh && count <= MOST_RESTARTS) {
      restarts.set(exchange, count);
      this.#owner.unsent(exchange);
      return;
    }
    // With a body that can be made anew it may go again silently: the server has seen nothing of it.
    const reused = count <= MOST_RESTARTS;
    exchange.onError(
      error().describe({
        reused,
        bytesWritten: 0,
        responseStarted: false,
        processed: false,
        route: this.#route,
      }),
    );
  }

  /** The connection went before the request was written, or processed. */
  readonly goneError = (): HTTPError => {
    if (this.#goAway !== null) return unprocessedError(this.#goAway.code, this.#goAway.text);
    return brokenError(false, "Remote end closed connection without response", undefined);
  };

  /** The wire broke while the stream was open. `cause`: `undefined` for a FIN. */
  wireError(stream: Http2Stream, what: string, cause: unknown): HTTPError {
    const inBody = stream.state === IN_BODY;
    if (!inBody || cause !== undefined) return brokenError(inBody, what, cause);
    const { received, expected } = stream;
    return new IncompleteRead(received, expected === -1 ? undefined : expected - received);
  }

  timeoutError(stream: Http2Stream, limit: number): HTTPError {
    const sending = stream.sending && stream.queued > 0;
    const what = sending ? "The server takes no more of the request body. " : "";
    const phase = sending ? "write" : stream.headRead === -1 ? "head" : "body";
    return new ReadTimeoutError(`${what}Read timed out. (read timeout=${limit} ms)`, { phase });
  }

  /** The facts that decide about another try. */
  described(stream: Http2Stream, error: HTTPError): HTTPError {
    return error.describe({
      reused: this.answered > 0,
      bytesWritten: stream.id > 0 ? stream.headOctets + stream.sentOctets : 0,
      responseStarted: stream.headRead !== -1 || stream.informationals > 0,
      route: this.#route,
    });
  }

  /** An error code on a connection that never answered anything would only come again. */
  #mayRestart(): boolean {
    const code = this.#goAway?.code;
    if (code === frames.NO_ERROR || code === frames.HTTP_1_1_REQUIRED) return true;
    if (code === frames.ENHANCE_YOUR_CALM || code === frames.INADEQUATE_SECURITY) return false;
    return this.answered > 0;
  }
}
