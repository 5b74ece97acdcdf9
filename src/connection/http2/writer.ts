/**
 * The write side of an HTTP/2 connection: one write a turn of the event loop.
 *
 * With several streams open the write waits for `setImmediate`, when everything that the poll brought has been answered:
 * a write a request would be a system call a request. A lone stream is written when the current call ends.
 */

import { Socket } from "node:net";
import { OUTPUT_HIGH_WATER } from "../../protocol/h2/limits.ts";

/** Where the bytes come from. */
export interface WriteSource {
  readonly hasOutput: boolean;
  /** The socket does not take what was written. */
  blocked: boolean;
  takeOutput(): Buffer | null;
  giveBack(keeps: boolean): void;
}

/** Writes what a session has for its peer. */
export class SessionWriter {
  /** Writes that the socket has finished. */
  finished: number = 0;
  readonly #socket: Socket;
  readonly #source: WriteSource;
  /** A stream of somebody's own may hand a buffer on and call back: its memory is not used again. */
  readonly #recycles: boolean;
  #unfinished = 0;
  #scheduled = false;
  #closed = false;

  constructor(socket: Socket, source: WriteSource) {
    this.#socket = socket;
    this.#source = source;
    this.#recycles = socket instanceof Socket;
  }

  /** Whether something was written that the socket has not taken. */
  get isWaiting(): boolean {
    return this.#unfinished > 0;
  }

  /** Has the output written soon. `soon`: when the current call has ended. */
  schedule(soon: boolean): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    if (soon) process.nextTick(this.#run);
    else setImmediate(this.#run);
  }

  /** Writes what there is, until the socket has enough. */
  flush(): void {
    while (!this.#closed && !this.#source.blocked) {
      const bytes = this.#source.takeOutput();
      if (bytes === null) return;
      this.#unfinished++;
      this.#socket.write(bytes, this.#onWritten);
      this.#source.blocked = this.#socket.writableLength >= OUTPUT_HIGH_WATER;
    }
  }

  /** Writes the last words, whether the socket wants them or not, and ends its direction. */
  end(): void {
    if (this.#closed) return;
    this.#closed = true;
    const bytes = this.#source.takeOutput();
    if (bytes !== null) this.#socket.write(bytes);
    this.#socket.end();
  }

  /** Nothing is written any more. */
  stop(): void {
    this.#closed = true;
  }

  readonly #run = (): void => {
    this.#scheduled = false;
    this.flush();
  };

  readonly #onWritten = (): void => {
    this.finished++;
    this.#unfinished--;
    if (this.#closed) return;
    this.#source.giveBack(!this.#recycles);
    if (!this.#source.blocked || this.#socket.writableLength >= OUTPUT_HIGH_WATER) return;
    this.#source.blocked = false;
    this.flush();
  };
}
