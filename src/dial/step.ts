/** The parts of making a connection: each works on a socket that stands, and ends once. */

import type { Socket } from "node:net";
import { type CoarseTimers, TimerEntry } from "../core/timers.ts";

/** Something under way that can be given up. */
export interface Connecting {
  /** Nothing is reported any more. */
  abort(): void;
  /** Keeps the process alive meanwhile (the default). */
  ref(): void;
  unref(): void;
}

/** How long a phase may take. */
export interface PhaseLimits {
  readonly timers: CoarseTimers;
  /** What is left of the connect timeout, in ms. */
  readonly timeLeft: number;
  /** The whole of it, for messages. */
  readonly connectTimeout: number;
}

/** What the makers of a phase decide. */
export interface PhaseSettings extends PhaseLimits {
  /** What an error of the socket means. */
  failed(error: Error): Error;
  /** What a close of the socket means; `null`: the phase has ended well. */
  closed(): Error | null;
  timedOut(): Error;
  /** Called once; the socket is destroyed if there is an error, and free of the phase's listeners otherwise. */
  done(error: Error | null): void;
}

/** Ends with `end`, an error or the close of the socket, or when its time is over: whichever comes first. */
export class Phase implements Connecting {
  readonly #socket: Socket;
  readonly #settings: PhaseSettings;
  readonly #timer: TimerEntry;
  readonly #onError: (error: Error) => void;
  readonly #onClose: () => void;
  #over = false;

  constructor(socket: Socket, settings: PhaseSettings) {
    this.#socket = socket;
    this.#settings = settings;
    this.#onError = (error) => this.end(settings.failed(error));
    this.#onClose = () => this.end(settings.closed());
    this.#timer = new TimerEntry(() => this.end(settings.timedOut()));
    settings.timers.arm(this.#timer, settings.timeLeft);
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

  #leave(): void {
    this.#over = true;
    this.#timer.disarm();
    this.#socket.off("error", this.#onError).off("close", this.#onClose);
  }

  #destroy(): void {
    this.#socket.on("error", ignore).destroy();
  }
}

function ignore(): void {}
