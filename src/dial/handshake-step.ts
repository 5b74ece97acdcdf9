/** The parts of making a connection: each works on a socket that is connected, and ends once. */

import type { Socket } from "node:net";
import type { HTTPError } from "../core/errors.ts";
import { ignore } from "../core/ignore.ts";

/** Something under way that can be given up. It has no time limit: whoever waits for it has one, and aborts it. */
export interface Connecting {
  /** Gives up: nothing is reported any more. `timeout`: the error of its last waiter, whose connect timeout was over. */
  abort(timeout?: HTTPError): void;
  /** Keeps the process alive meanwhile (the default). */
  ref(): void;
  unref(): void;
  /** The error for somebody whose connect timeout of so many ms is over: where the connection stands now. */
  timeoutError(connectTimeout: number): HTTPError;
}

/** What a step makes of its socket's events. */
export interface StepSettings {
  /** What an error of the socket means; `null`: the step has ended well. */
  failed(error: Error): Error | null;
  /** What a close of the socket means; `null`: the step has ended well. */
  closed(): Error | null;
  /** What it means that the connect timeout is over. */
  timedOut(connectTimeout: number): HTTPError;
  /** Called once; the socket is destroyed if there is an error, and free of the step's listeners otherwise. */
  done(error: Error | null): void;
}

/** Ends with `end`, or with an error or the close of the socket: whichever comes first. */
export class HandshakeStep implements Connecting {
  readonly #socket: Socket;
  readonly #settings: StepSettings;
  readonly #onError: (error: Error) => void;
  readonly #onClose: () => void;
  #over = false;

  constructor(socket: Socket, settings: StepSettings) {
    this.#socket = socket;
    this.#settings = settings;
    this.#onError = (error) => this.end(settings.failed(error));
    this.#onClose = () => this.end(settings.closed());
    socket.on("error", this.#onError).on("close", this.#onClose);
  }

  get over(): boolean {
    return this.#over;
  }

  end(error: Error | null): void {
    if (this.#over) return;
    this.#leave();
    if (error !== null) this.#destroy();
    this.#settings.done(error);
  }

  abort(): void {
    if (this.#over) return;
    this.#leave();
    this.#destroy();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  timeoutError(connectTimeout: number): HTTPError {
    return this.#settings.timedOut(connectTimeout);
  }

  #leave(): void {
    this.#over = true;
    this.#socket.off("error", this.#onError).off("close", this.#onClose);
  }

  #destroy(): void {
    this.#socket.on("error", ignore).destroy();
  }
}

/** The connect timeout as messages name it. */
export function timeoutText(connectTimeout: number): string {
  return `(connect timeout=${Math.ceil(connectTimeout)} ms)`;
}
