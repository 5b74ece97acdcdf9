/** `urlpool fetch-all`: what the options say, put together. */

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type PoolManager, Timeout } from "urlpool";
import { onAttemptEnd } from "../attempt-end.ts";
import { EXIT, UsageError } from "../failure.ts";
import { makeManager } from "../manager.ts";
import type { Values } from "../options/spec.ts";
import { startPictures } from "../pictures/pictures.ts";
import { isSpecial } from "../request/file-output.ts";
import { requestHeaders } from "../request/outgoing.ts";
import { stopOnSignals } from "../signals.ts";
import { ProgressLine } from "../terminal.ts";
import { type Earlier, openEarlier } from "./earlier.ts";
import { Fetcher } from "./fetcher.ts";
import { Journal, PrintedResults } from "./journal.ts";
import { type Names, NamesTaken } from "./names-taken.ts";
import { Run } from "./run.ts";
import { Summary } from "./summary.ts";
import { type Line, linesOf, readTasks } from "./task.ts";

const JOBS = 50;
const PER_HOST = 6;
const RETRIES = 3;
const REDIRECTS = 20;
const RETRY_DELAY = 1000;
const CONNECT_TIMEOUT = 10_000;
/** A server that is silent for longer holds up its host's line. */
const READ_TIMEOUT = 60_000;

const ANYTHING: Earlier = { wants: () => true, finish: async () => {}, unlock: async () => {} };

/** Runs the command; gives the exit code. */
export async function fetchAll(values: Values, args: readonly string[]): Promise<number> {
  if (values.queue !== undefined) return await (await import("../queue/worker.ts")).work(values);
  const stop = stopOnSignals();
  const names = new NamesTaken();
  const path = resultsPath(values);
  const lines = listOf(values, args);
  const selection = { resume: values.resume, onlyFailed: values["only-failed"] };
  const earlier =
    path === null || (await isSpecial(path))
      ? ANYTHING
      : await openEarlier(path, selection, (file) => names.note(file));
  const results = path === null ? new PrintedResults() : await Journal.open(path);
  const summary = new Summary();
  const stopListening = onAttemptEnd((attempt) => summary.attempt(attempt));
  const manager = managerFor(values);
  const pictures = await startPictures(values, manager);
  const begin = performance.now();
  try {
    const run = new Run({
      ...limitsOf(values),
      fetcher: await makeFetcher(values, manager, names, stop.signal),
      robots: await robotsFor(values, manager, stop.signal),
      results,
      summary,
      progress: values.silent ? null : new ProgressLine(process.stderr),
      wants: (key) => earlier.wants(key),
      total: args.length > 0 ? args.length : await countLines(values.input),
      signal: stop.signal,
    });
    await run.all(lines);
    if (!stop.signal.aborted) await earlier.finish();
  } finally {
    manager.clear();
    stopListening();
    await results
      .close()
      .finally(() => earlier.unlock())
      .finally(() => pictures.write());
  }
  if (!values.silent) process.stderr.write(summary.text((performance.now() - begin) / 1000));
  return stop.code ?? exitCode(summary);
}

function exitCode({ done, failed }: Summary): number {
  if (failed === 0) return EXIT.ok;
  return failed === done ? EXIT.allFailed : EXIT.someFailed;
}

/** `null`: they are printed. */
function resultsPath(values: Values): string | null {
  const folder = values["output-dir"];
  const path = values.results ?? (folder === undefined ? "-" : join(folder, ".urlpool", "results.jsonl"));
  if (path === "-" && (values.resume || values["only-failed"])) {
    throw new UsageError(
      "--resume and --only-failed need the results of the last run: -o DIR or --results FILE",
    );
  }
  return path === "-" ? null : path;
}

function listOf(values: Values, args: readonly string[]): AsyncIterable<Line> {
  if (args.length > 0 && values.input !== undefined) throw new UsageError("give URLs or --input, not both");
  if (args.length > 0) return readTasks(args);
  if (values.input === undefined && process.stdin.isTTY)
    throw new UsageError("no URLs given: name them, or a list with --input");
  return readTasks(linesOf(values.input ?? "-"));
}

/** Lines of a file, for the estimate of the time that is left; `null` of what can be read only once. */
async function countLines(path: string | undefined): Promise<number | null> {
  if (path === undefined || path === "-" || !(await stat(path).catch(() => null))?.isFile()) return null;
  let count = 0;
  let last = 10;
  for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
    for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, at + 1)) count += 1;
    last = piece[piece.length - 1] as number;
  }
  return last === 10 ? count : count + 1;
}

/** The limits that the options ask for. */
export function limitsOf(values: Values): {
  jobs: number;
  perHost: number;
  delay: number;
  rate: number;
  retries: number;
  retryDelay: number;
  redirects: number;
} {
  const { jobs = JOBS, delay = 0, rate = Number.POSITIVE_INFINITY, retry = RETRIES } = values;
  const perHost = values["per-host"] ?? PER_HOST;
  if (jobs < 1 || perHost < 1) throw new UsageError("--jobs and --per-host must be at least 1");
  const redirects = values["max-redirs"] ?? REDIRECTS;
  return {
    jobs,
    perHost,
    delay,
    rate,
    retries: retry,
    retryDelay: values["retry-delay"] ?? RETRY_DELAY,
    redirects,
  };
}

/** A manager for many hosts. */
export function managerFor(values: Values): PoolManager {
  const { jobs, perHost } = limitsOf(values);
  const connect = values["connect-timeout"] ?? CONNECT_TIMEOUT;
  return makeManager(values, {
    numPools: Math.max(100, jobs * 4),
    maxsize: perHost,
    maxConnections: Math.max(1024, jobs * 2),
    timeout: new Timeout({ connect, read: READ_TIMEOUT }),
  });
}

/** Makes the tries of a run. */
export async function makeFetcher(
  values: Values,
  manager: PoolManager,
  names: Names,
  signal: AbortSignal,
): Promise<Fetcher> {
  const headers = await requestHeaders({ ...values, compressed: true });
  const folder = values["output-dir"] ?? null;
  return new Fetcher({ manager, headers, folder, names, deadline: values["max-time"], signal });
}

async function robotsFor(
  values: Values,
  manager: PoolManager,
  signal: AbortSignal,
): Promise<import("./robots.ts").Robots | null> {
  if (!values.robots) return null;
  const { Robots } = await import("./robots.ts");
  return new Robots(manager, values.retry ?? RETRIES, signal);
}
