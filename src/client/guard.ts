/**
 * Ends a request early: its caller's signal, or its deadline. All requests under one signal share one listener, since the
 * platform warns of many; listener and timer are gone at the end.
 */

import { DeadlineError } from "../core/errors.ts";
import { type CoarseTimers, TimerEntry } from "../core/timers.ts";
import { LinkedList, ListNode } from "../pool/linked-list.ts";

/** What is under way and can be stopped. */
export interface Stoppable {
  stop(reason: unknown): void;
}

/** Watches over one request. */
export class Guard extends ListNode {
  readonly #signal: AbortSignal | null;
  readonly #target: Stoppable;
  readonly #deadline: TimerEntry | null = null;

  /** Stops `target`, at once if `signal` was aborted already. `deadline` in ms. */
  constructor(signal: AbortSignal | null, deadline: number, timers: CoarseTimers, target: Stoppable) {
    super();
    this.#signal = signal;
    this.#target = target;
    if (signal?.aborted) {
      target.stop(signal.reason);
      return;
    }
    if (signal !== null) listenersOf(signal).add(this);
    if (deadline === Number.POSITIVE_INFINITY) return;
    this.#deadline = new TimerEntry(() =>
      target.stop(new DeadlineError(`Request did not end within its deadline of ${deadline} ms`)),
    );
    timers.arm(this.#deadline, deadline);
  }

  /** The request has ended. */
  end(): void {
    if (this.#signal !== null && this.linked) shared.get(this.#signal)!.remove(this);
    this.#deadline?.disarm();
  }

  /** The signal was aborted. */
  stop(reason: unknown): void {
    this.#target.stop(reason);
  }
}

/** The requests under one signal. Not in a Set: its old tables would keep each until a full garbage collection. */
class SignalGuards {
  readonly #signal: AbortSignal;
  readonly #guards = new LinkedList<Guard>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(guard: Guard): void {
    if (this.#guards.size === 0) this.#signal.addEventListener("abort", this);
    this.#guards.push(guard);
  }

  remove(guard: Guard): void {
    this.#guards.remove(guard);
    if (this.#guards.size === 0) this.#signal.removeEventListener("abort", this);
  }

  /** The signal's listener. */
  handleEvent(): void {
    for (const guard of [...this.#guards]) guard.stop(this.#signal.reason);
  }
}

const shared = new WeakMap<AbortSignal, SignalGuards>();

function listenersOf(signal: AbortSignal): SignalGuards {
  const guards = shared.get(signal) ?? new SignalGuards(signal);
  shared.set(signal, guards);
  return guards;
}
