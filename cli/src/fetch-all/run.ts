/** `urlpool fetch-all` on one machine: a list of URLs through the lines of their hosts. */

import { bytesText, countText, durationText, type ProgressLine } from "../terminal.ts";
import type { Fetcher, Job, Try } from "./fetcher.ts";
import { firstJob, hostOf } from "./fetcher.ts";
import { type Answered, Frontier, type FrontierOptions } from "./frontier.ts";
import { IdSet } from "./id-set.ts";
import type { ResultSink } from "./journal.ts";
import { type Outcome, resultFor } from "./result.ts";
import type { Robots } from "./robots.ts";
import type { Summary } from "./summary.ts";
import type { Line } from "./task.ts";

/** URLs read ahead, so that a slow host does not hold up the others. */
const READ_AHEAD = 10_000;
const BACKOFF_MAX = 60_000;

/** What a run is made of. */
export interface RunOptions extends FrontierOptions {
  readonly fetcher: Fetcher;
  readonly robots: Robots | null;
  readonly results: ResultSink;
  readonly summary: Summary;
  readonly progress: ProgressLine | null;
  /** Which lines are taken. */
  readonly wants: (key: string) => boolean;
  /** Tries after the first. */
  readonly retries: number;
  /** ms before the first of them, doubled each time. */
  readonly retryDelay: number;
  readonly redirects: number;
  /** URLs in the list; `null` where it cannot be known. */
  readonly total: number | null;
  readonly signal: AbortSignal;
}

/** The run. */
export class Run {
  readonly #options: RunOptions;
  readonly #frontier: Frontier<Job>;
  readonly #seen = new IdSet();
  readonly #startedAt = performance.now();
  #timer: NodeJS.Timeout | null = null;
  #ended = false;
  #room: (() => void) | null = null;
  #finish!: () => void;
  #fail!: (error: unknown) => void;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#frontier = new Frontier(options);
  }

  /** Settles when every line has a result; after an abort, when nothing runs any more. */
  async all(lines: AsyncIterable<Line>): Promise<void> {
    const { signal } = this.#options;
    const done = new Promise<void>((resolve, reject) => {
      this.#finish = resolve;
      this.#fail = reject;
    });
    const stop = (): void => this.#pump();
    signal.addEventListener("abort", stop);
    const redraw = setInterval(() => this.#options.progress?.update(() => this.#progressText()), 100);
    this.#read(lines).catch(this.#fail);
    try {
      await done;
    } finally {
      clearInterval(redraw);
      if (this.#timer !== null) clearTimeout(this.#timer);
      signal.removeEventListener("abort", stop);
      this.#options.progress?.clear();
    }
  }

  async #read(lines: AsyncIterable<Line>): Promise<void> {
    for await (const line of lines) {
      if (this.#options.signal.aborted) break;
      this.#accept(line);
      if (this.#frontier.waiting < READ_AHEAD) continue;
      await new Promise<void>((resolve) => {
        this.#room = resolve;
      });
    }
    this.#ended = true;
    this.#pump();
  }

  #accept(line: Line): void {
    if (!this.#options.wants(line.key) || !this.#seen.add(line.key)) {
      this.#options.summary.skipped += 1;
    } else if ("problem" in line) {
      this.#record(line, 0, { error: { code: "INPUT", message: line.problem } });
    } else {
      this.#frontier.push(firstJob(line), performance.now());
      this.#pump();
    }
  }

  /** Starts what may be started, and sees to it that it is called again. */
  #pump(): void {
    const { signal } = this.#options;
    let now = performance.now();
    while (!signal.aborted) {
      const job = this.#frontier.take(now);
      if (job === null) break;
      this.#try(job).catch(this.#fail);
    }
    if (this.#room !== null && (this.#frontier.waiting < READ_AHEAD / 2 || signal.aborted)) {
      const room = this.#room;
      this.#room = null;
      room();
    }
    const idle = this.#frontier.active === 0;
    if (idle && (signal.aborted || (this.#ended && this.#frontier.waiting === 0))) {
      this.#finish();
      return;
    }
    now = performance.now();
    this.#wakeAt(signal.aborted ? null : this.#frontier.nextTime(now), now);
  }

  #wakeAt(time: number | null, now: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = time === null ? null : setTimeout(() => this.#pump(), Math.max(1, time - now));
  }

  async #try(taken: Job): Promise<void> {
    const startedAt = performance.now();
    const job = this.#options.fetcher.named(taken);
    let how: Answered = "failed";
    try {
      const verdict = await this.#ask(job);
      if (verdict === "later") this.#frontier.push(job, performance.now());
      else how = this.#conclude(job, verdict ?? (await this.#options.fetcher.attempt(job)));
    } catch (error) {
      if (!this.#options.signal.aborted) throw error;
    }
    // Its place is free only now: a kill repeats no more than what is under way.
    await this.#options.results.written();
    this.#frontier.finished(taken, how, startedAt, performance.now());
    this.#pump();
  }

  /** What robots.txt has against it; `later`: its host has just asked for a pace that this one would break. */
  async #ask({ url, host }: Job): Promise<Try | "later" | null> {
    const { robots } = this.#options;
    if (robots === null) return null;
    const isFirst = !robots.knows(url);
    const { allowed, crawlDelay } = await robots.verdict(url);
    if (crawlDelay > 0) this.#frontier.pace(host, crawlDelay);
    if (!allowed)
      return {
        kind: "done",
        outcome: { error: { code: "ROBOTS", message: "robots.txt does not allow it" } },
      };
    return isFirst && crawlDelay > 0 ? "later" : null;
  }

  /** Records what became of a try, or lines the URL up again. */
  #conclude(job: Job, result: Try): Answered {
    const { retries, retryDelay, redirects } = this.#options;
    const now = performance.now();
    const { outcome } = result;
    if (result.kind === "redirect") {
      if (job.redirects >= redirects) {
        this.#record(job.task, job.failures + 1, {
          ...outcome,
          error: { code: "REDIRECTS", message: "too many redirects" },
        });
      } else {
        const next = { ...job, url: result.url, host: hostOf(result.url), redirects: job.redirects + 1 };
        this.#frontier.push(next, now);
      }
      return "well";
    }
    if (result.kind === "done" || job.failures >= retries) {
      this.#record(job.task, job.failures + 1, outcome);
    } else {
      const pause = Math.min(BACKOFF_MAX, retryDelay * 2 ** job.failures);
      this.#frontier.push(
        { ...job, failures: job.failures + 1 },
        now,
        now + pause * (0.75 + Math.random() / 2),
      );
    }
    if (result.kind === "done")
      return outcome.error == null || outcome.status !== undefined ? "well" : "failed";
    if (result.rest > 0) this.#frontier.rest(job.host, now + result.rest, now);
    return result.tooMuch ? "too-much" : "failed";
  }

  #record(line: Line, attempts: number, outcome: Outcome): void {
    const result = resultFor(line, attempts, outcome);
    this.#options.summary.result(result);
    this.#options.results.append(result);
  }

  #progressText(): string {
    const { summary, total } = this.#options;
    const now = performance.now();
    const seconds = (now - this.#startedAt) / 1000;
    const left = total === null ? null : total - summary.done - summary.skipped;
    const rate = summary.done / seconds;
    const resting = this.#frontier.resting(now);
    return [
      `${countText(summary.done)}${total === null ? "" : `/${countText(total - summary.skipped)}`}`,
      `${countText(summary.failed)} failed`,
      `${rate.toFixed(rate < 10 ? 1 : 0)}/s`,
      bytesText(summary.bytes),
      `${bytesText(summary.bytes / seconds)}/s`,
      ...(left === null || rate === 0 ? [] : [`ETA ${durationText((left / rate) * 1000)}`]),
      `${countText(this.#frontier.hosts)} hosts${resting === 0 ? "" : ` (${countText(resting)} resting)`}`,
    ].join("  ");
  }
}
