/** One line of the results: what became of a URL. */

import type { Line } from "./task.ts";

/** What stopped a URL. */
export interface Problem {
  /** `ERR_URLPOOL_...`, or one of the command's own: `INPUT`, `ROBOTS`, `REDIRECTS`, `FILE`, `STATUS`. */
  code: string;
  message: string;
}

/** A line of the results. */
export interface Result {
  key: string;
  /** The user's own, if the list has one. */
  id?: string | number;
  url: string;
  /** Where it was found after redirects, if it was not there. */
  finalUrl?: string;
  ok: boolean;
  /** `null` where no answer came. */
  status: number | null;
  bytes: number;
  /** Relative to the folder; `null` where none was written. */
  file: string | null;
  attempts: number;
  /** Of the last try. */
  ms: number;
  error: Problem | null;
  /** Who fetched it, where several do: machine and process. */
  worker?: string;
  /** ISO 8601 */
  at: string;
}

/** The parts that differ. */
export type Outcome = Partial<Pick<Result, "finalUrl" | "status" | "bytes" | "file" | "ms" | "error">>;

/** The line for a URL. */
export function resultFor(line: Line, attempts: number, outcome: Outcome): Result {
  const { status = null, error = null, finalUrl } = outcome;
  return {
    key: line.key,
    ...("id" in line && line.id !== undefined ? { id: line.id } : {}),
    url: line.url,
    ...(finalUrl === undefined || finalUrl === line.url ? {} : { finalUrl }),
    ok: error === null,
    status,
    bytes: outcome.bytes ?? 0,
    file: outcome.file ?? null,
    attempts,
    ms: Math.round(outcome.ms ?? 0),
    error,
    at: new Date().toISOString(),
  };
}
