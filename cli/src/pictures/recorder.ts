/** Collects the tries of a run for a picture. */

import { type AttemptEnd, onAttemptEnd } from "../attempt-end.ts";

/** More than anybody looks at, and a bound for the memory of long runs. */
const KEPT = 20_000;

/** One try, with its times in ms from the beginning of the recording. */
export interface Bar {
  readonly method: string;
  readonly url: string;
  readonly connection: number | null;
  readonly route: string | null;
  readonly protocol: string | null;
  readonly reused: boolean;
  readonly status: number | null;
  readonly bytes: number;
  /** What went wrong, in a line. */
  readonly error: string | null;
  /** When it began to wait for a connection. */
  readonly start: number;
  /** One after the other from `start`; those of no length are left out. */
  readonly phases: readonly (readonly [name: PhaseName, ms: number])[];
}

/** The phases in their order. */
export const PHASES = ["queued", "dns", "connect", "tls", "send", "wait", "receive"] as const;

/** The name of a phase. */
export type PhaseName = (typeof PHASES)[number];

/** Listens until it is stopped. */
export class Recorder {
  readonly bars: Bar[] = [];
  /** Tries that came after the limit. */
  dropped = 0;
  readonly #beginning: number = performance.now();
  readonly #stop: () => void;

  constructor() {
    this.#stop = onAttemptEnd((attempt) => this.#add(attempt));
  }

  stop(): void {
    this.#stop();
  }

  #add(attempt: AttemptEnd): void {
    if (this.bars.length >= KEPT) this.dropped += 1;
    else this.bars.push(barOf(attempt, performance.now() - this.#beginning));
  }
}

/** The bar of a try that ended at `end`. */
export function barOf(attempt: AttemptEnd, end: number): Bar {
  const phases = PHASES.map((name) => [name, attempt.phases[name] ?? 0] as const).filter(([, ms]) => ms > 0);
  const length = phases.reduce((sum, [, ms]) => sum + ms, 0);
  const { method, url, connection, route, protocol, reused, status, bytes, error } = attempt;
  const problem =
    error === null || error === undefined ? null : error instanceof Error ? error.message : String(error);
  return {
    method,
    url,
    connection,
    route,
    protocol,
    reused,
    status,
    bytes,
    error: problem,
    start: end - length,
    phases,
  };
}
