/** Ctrl-C and termination: what runs is given up in order, what was done is kept. */

import { EXIT, Failure } from "./failure.ts";

/** Signals that have not come yet. */
export interface Stop {
  /** Aborted by the first of them; its reason is a {@link Failure}. */
  readonly signal: AbortSignal;
  /** The exit code of the one that came. */
  readonly code: number | null;
}

/** Listens from now on; the second Ctrl-C ends the process at once. */
export function stopOnSignals(): Stop {
  const controller = new AbortController();
  const stop = { signal: controller.signal, code: null as number | null };
  const on = (name: NodeJS.Signals, message: string, code: number): void => {
    process.once(name, () => {
      stop.code ??= code;
      controller.abort(new Failure(message, code));
    });
  };
  on("SIGINT", "interrupted", EXIT.interrupted);
  on("SIGTERM", "terminated", EXIT.terminated);
  return stop;
}
