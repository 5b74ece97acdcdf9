/** `urlpool fetch-all --queue`: one of many workers on the URLs of a run. */

import { hostname } from "node:os";
import type { Job } from "bullmq";
import { onAttemptEnd } from "../attempt-end.ts";
import { EXIT, UsageError } from "../failure.ts";
import { limitsOf, makeFetcher, managerFor } from "../fetch-all/command.ts";
import { type Fetcher, firstJob, hostOf, type Try } from "../fetch-all/fetcher.ts";
import { NamesByKey } from "../fetch-all/names-taken.ts";
import { type Outcome, type Result, resultFor } from "../fetch-all/result.ts";
import { Summary } from "../fetch-all/summary.ts";
import type { Values } from "../options/spec.ts";
import { startPictures } from "../pictures/pictures.ts";
import { stopOnSignals } from "../signals.ts";
import { bytesText, countText, ProgressLine } from "../terminal.ts";
import { connect, type JobData, type RunQueue, type RunWorker } from "./connect.ts";
import { Slots } from "./slots.ts";

/** A host is left alone for this long where `--delay` does not say. */
const DELAY = 200;
/** What a machine holds for longer without a sign of life goes to another one. */
const LOCK = 10_000;
const STALLED_CHECK = 5000;
/** A URL that brings down so many machines is a failure. */
const STALLS = 5;
/** ms that a host which has too much to do is left alone, where it does not say. */
const REST = 1000;

/** Runs a worker until the run has nothing more to do. */
export async function work(values: Values): Promise<number> {
  for (const name of ["input", "resume", "only-failed", "per-host", "robots", "results", "rate"] as const) {
    if (values[name]) throw new UsageError(`--${name} does not go with --queue`);
  }
  const stop = stopOnSignals();
  const run = await connect(values);
  const slots = new Slots(run.redis, run.run, values.delay ?? DELAY);
  const manager = managerFor(values);
  const pictures = await startPictures(values, manager);
  const summary = new Summary();
  const stopListening = onAttemptEnd((attempt) => summary.attempt(attempt));
  const begin = performance.now();
  try {
    const fetcher = await makeFetcher(values, manager, new NamesByKey(), stop.signal);
    const line = new WorkLine(run, slots, fetcher, summary, limitsOf(values).redirects, stop.signal);
    await line.untilDone(limitsOf(values).jobs, values.silent ? null : new ProgressLine(process.stderr));
  } finally {
    slots.stop();
    await run.close();
    manager.clear();
    stopListening();
    await pictures.write();
  }
  if (!values.silent) process.stderr.write(summary.text((performance.now() - begin) / 1000));
  return stop.code ?? (summary.failed > 0 ? EXIT.someFailed : EXIT.ok);
}

class WorkLine {
  readonly #run: RunQueue;
  readonly #slots: Slots;
  readonly #fetcher: Fetcher;
  readonly #summary: Summary;
  readonly #redirects: number;
  readonly #signal: AbortSignal;

  constructor(
    run: RunQueue,
    slots: Slots,
    fetcher: Fetcher,
    summary: Summary,
    redirects: number,
    signal: AbortSignal,
  ) {
    this.#run = run;
    this.#slots = slots;
    this.#fetcher = fetcher;
    this.#summary = summary;
    this.#redirects = redirects;
    this.#signal = signal;
  }

  async untilDone(jobs: number, progress: ProgressLine | null): Promise<void> {
    const { bullmq, name, redis } = this.#run;
    const worker: RunWorker = new bullmq.Worker(name, (job, token) => this.#process(job, token as string), {
      connection: redis,
      concurrency: jobs,
      lockDuration: LOCK,
      stalledInterval: STALLED_CHECK,
      maxStalledCount: STALLS,
    });
    // Redis is waited for; what a job meets is its own failure.
    worker.on("error", () => {});
    while (!this.#signal.aborted && !(await this.#isDone())) {
      progress?.update(() => this.#progressText());
      await pause(500, this.#signal);
    }
    progress?.clear();
    // Idle, it would wait for the end of its last question to Redis.
    await worker.close(!this.#signal.aborted);
  }

  async #isDone(): Promise<boolean> {
    const counts = await this.#run.queue.getJobCounts("waiting", "active", "delayed", "prioritized");
    return Object.values(counts).every((count) => count === 0);
  }

  /** One look at a job: its turn comes later, it is fetched, or it follows redirects. */
  async #process(job: Job<JobData, Result>, token: string): Promise<Result> {
    const { task } = job.data;
    const key = job.id as string;
    let { url = task.url, redirects = 0 } = job.data;
    for (;;) {
      const host = hostOf(url);
      const at = await this.#slots.claim(host, key);
      if (at !== null) await this.#comeAgain(job, token, at, { task, url, redirects });
      const result = await this.#attempt(job, url, redirects).catch(async (error: unknown) => {
        if (!this.#signal.aborted) throw error;
        // Ctrl-C: for another worker, without the loss of a try.
        return await this.#comeAgain(job, token, Date.now(), { task, url, redirects });
      });
      if (result.kind !== "redirect") return this.#conclude(job, result);
      if (redirects >= this.#redirects) {
        const error = { code: "REDIRECTS", message: "too many redirects" };
        return this.#conclude(job, { kind: "done", outcome: { ...result.outcome, error } });
      }
      url = result.url;
      redirects += 1;
    }
  }

  /** Moves the job to the time that is reserved for it. */
  async #comeAgain(job: Job<JobData, Result>, token: string, at: number, data: JobData): Promise<never> {
    if ((data.redirects ?? 0) > 0) await job.updateData(data);
    await job.moveToDelayed(at, token);
    throw new this.#run.bullmq.DelayedError();
  }

  async #attempt(job: Job<JobData, Result>, url: string, redirects: number): Promise<Try> {
    const first = this.#fetcher.named(firstJob(job.data.task));
    const host = hostOf(url);
    let rest = 0;
    try {
      const result = await this.#fetcher.attempt({
        ...first,
        url,
        host,
        redirects,
        failures: job.attemptsMade,
      });
      if (result.kind === "again" && (result.tooMuch || result.rest > 0)) rest = Math.max(REST, result.rest);
      return result;
    } finally {
      await this.#slots.release(host, job.id as string, rest);
    }
  }

  /** A result completes the job; a failure goes to the failed ones, at once or when its tries are used up. */
  #conclude(job: Job<JobData, Result>, { kind, outcome }: Try): Result {
    const result = this.#result(job, outcome);
    const isLast = kind === "done" || job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
    if (result.ok || isLast) this.#summary.result(result);
    if (result.ok) return result;
    const text = JSON.stringify(result);
    throw isLast ? new this.#run.bullmq.UnrecoverableError(text) : new Error(text);
  }

  #result(job: Job<JobData, Result>, outcome: Outcome): Result {
    return {
      ...resultFor(job.data.task, job.attemptsMade + 1, outcome),
      worker: `${hostname()}:${process.pid}`,
    };
  }

  #progressText(): string {
    const { done, failed, bytes } = this.#summary;
    return `${countText(done)} here  ${countText(failed)} failed  ${bytesText(bytes)}`;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
