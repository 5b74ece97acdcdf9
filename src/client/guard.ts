/** Ends a request early: its caller's signal, or its deadline. One listener and one timer, both gone at the end. */

import { setMaxListeners } from "node:events";
import { DeadlineError } from "../core/errors.ts";
import { type CoarseTimers, TimerEntry } from "../core/timers.ts";
import { Link } from "../pool/linked-list.ts";

const known = new WeakSet<AbortSignal>();

/** Many requests may share a signal: that is no leak to warn of. */
function allowMany(signal: AbortSignal): void {
  if (known.has(signal)) return;
  known.add(signal);
  setMaxListeners(0, signal);
}

/** What is under way and can be stopped. */
export interface Stoppable {
  stop(reason: unknown): void;
}

/** Watches over one request. */
export class Guard {
  /** Its place among the requests under way. */
  readonly link: Link<Stoppable> = new Link<Stoppable>(this);
  #current: Stoppable | null = null;
  #stopped = false;
  #reason: unknown;
  readonly #signal: AbortSignal | null;
  readonly #deadline: TimerEntry | null = null;

  constructor(signal: AbortSignal | null, deadline: number, timers: CoarseTimers) {
    this.#signal = signal;
    if (signal !== null) {
      if (signal.aborted) this.stop(signal.reason);
      else {
        allowMany(signal);
        signal.addEventListener("abort", this, { once: true });
      }
    }
    if (deadline !== Number.POSITIVE_INFINITY && !this.#stopped) {
      this.#deadline = new TimerEntry(() =>
        this.stop(new DeadlineError(`Request did not end within its deadline of ${deadline} ms`)),
      );
      timers.arm(this.#deadline, deadline);
    }
  }

  /** `current` is what works on the request now. Throws the reason if the request has been stopped already. */
  watch(current: Stoppable): void {
    this.check();
    this.#current = current;
  }

  /** Throws the reason if the request has been stopped already. */
  check(): void {
    if (this.#stopped) throw this.#reason;
  }

  /** Whether `error` is the reason for which the request was stopped. */
  caused(error: unknown): boolean {
    return this.#stopped && error === this.#reason;
  }

  /** The request has ended. */
  end(): void {
    this.#current = null;
    this.#signal?.removeEventListener("abort", this);
    this.#deadline?.disarm();
  }

  /** The signal's listener. */
  handleEvent(): void {
    this.stop(this.#signal?.reason);
  }

  /** Ends the request with `reason`. */
  stop(reason: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#reason = reason;
    this.#current?.stop(reason);
  }
}
