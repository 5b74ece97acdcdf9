/**
 * Ends a request early: its caller's signal, or its deadline. All requests under one signal share one listener, since the
 * platform warns of many; listener and timer are gone at the end.
 */

import { DeadlineError } from "../core/errors.ts";
import { type CoarseTimers, TimerEntry } from "../core/timers.ts";

/** What is under way and can be stopped. */
export interface Stoppable {
  stop(reason: unknown): void;
}

/** Watches over one request. */
export class Guard {
  readonly #signal: AbortSignal | null;
  readonly #target: Stoppable;
  readonly #deadline: TimerEntry | null = null;

  /** Stops `target`, at once if `signal` was aborted already. `deadline` in ms. */
  constructor(signal: AbortSignal | null, deadline: number, timers: CoarseTimers, target: Stoppable) {
    this.#signal = signal;
    this.#target = target;
    if (signal?.aborted) {
      target.stop(signal.reason);
      return;
    }
    if (signal !== null) listenersOf(signal).add(target);
    if (deadline === Number.POSITIVE_INFINITY) return;
    this.#deadline = new TimerEntry(() =>
      target.stop(new DeadlineError(`Request did not end within its deadline of ${deadline} ms`)),
    );
    timers.arm(this.#deadline, deadline);
  }

  /** The request has ended. */
  end(): void {
    if (this.#signal !== null) shared.get(this.#signal)?.delete(this.#target);
    this.#deadline?.disarm();
  }
}

/** The requests under one signal. */
class SignalTargets {
  readonly #signal: AbortSignal;
  readonly #targets = new Set<Stoppable>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(target: Stoppable): void {
    if (this.#targets.size === 0) this.#signal.addEventListener("abort", this);
    this.#targets.add(target);
  }

  delete(target: Stoppable): void {
    if (!this.#targets.delete(target) || this.#targets.size > 0) return;
    this.#signal.removeEventListener("abort", this);
  }

  /** The signal's listener. */
  handleEvent(): void {
    for (const target of [...this.#targets]) target.stop(this.#signal.reason);
  }
}

const shared = new WeakMap<AbortSignal, SignalTargets>();

function listenersOf(signal: AbortSignal): SignalTargets {
  const targets = shared.get(signal) ?? new SignalTargets(signal);
  shared.set(signal, targets);
  return targets;
}
