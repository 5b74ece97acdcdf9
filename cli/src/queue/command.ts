/** `urlpool queue`: a list of URLs that many machines share. */

import type { Job } from "bullmq";
import { EXIT, UsageError } from "../failure.ts";
import type { Result } from "../fetch-all/result.ts";
import { linesOf, readTasks, type Task } from "../fetch-all/task.ts";
import type { Values } from "../options/spec.ts";
import { countText } from "../terminal.ts";
import { connect, type JobData, type RunQueue } from "./connect.ts";

const BATCH = 1000;
const RETRIES = 3;
const RETRY_DELAY = 1000;

const ACTIONS: Readonly<Record<string, (run: RunQueue, values: Values) => Promise<number>>> = {
  add,
  status,
  results,
  failed,
  retry,
  drain,
};

/** Runs `urlpool queue ACTION`; gives the exit code. */
export async function queueCommand(values: Values, args: readonly string[]): Promise<number> {
  const [action = "", ...more] = args;
  const act = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (act === undefined || more.length > 0) {
    throw new UsageError(`queue must be followed by one of ${Object.keys(ACTIONS).join(", ")}`);
  }
  const run = await connect(values);
  try {
    return await act(run, values);
  } finally {
    await run.close();
  }
}

/** Adds the URLs of a list; those that the run has already are left out by their keys. */
async function add({ queue }: RunQueue, values: Values): Promise<number> {
  const before = await total(queue);
  const { retry: retries = RETRIES } = values;
  const backoff = { type: "exponential", delay: values["retry-delay"] ?? RETRY_DELAY, jitter: 0.5 };
  let batch: Task[] = [];
  let [read, bad] = [0, 0];
  const send = async (): Promise<void> => {
    await queue.addBulk(
      batch.map((task) => ({
        name: "fetch",
        data: { task },
        opts: { jobId: jobIdOf(task), attempts: retries + 1, backoff },
      })),
    );
    batch = [];
  };
  for await (const line of readTasks(linesOf(values.input ?? "-"))) {
    if ("problem" in line) {
      bad += 1;
      process.stderr.write(`urlpool: ${line.url}: ${line.problem}\n`);
      continue;
    }
    read += 1;
    batch.push(line);
    if (batch.length >= BATCH) await send();
  }
  if (batch.length > 0) await send();
  const added = (await total(queue)) - before;
  process.stdout.write(`${countText(added)} added, ${countText(Math.max(0, read - added))} were there\n`);
  return bad > 0 ? EXIT.someFailed : EXIT.ok;
}

/** BullMQ refuses ids that look like numbers. */
function jobIdOf({ key }: Task): string {
  return `url-${key}`;
}

async function total(queue: RunQueue["queue"]): Promise<number> {
  return Object.values(await queue.getJobCounts()).reduce((sum, count) => sum + count, 0);
}

/** Prints how many URLs wait, run, are done and failed. */
async function status({ queue }: RunQueue): Promise<number> {
  const {
    waiting = 0,
    active = 0,
    delayed = 0,
    completed = 0,
    failed: lost = 0,
  } = await queue.getJobCounts();
  const workers = await queue.getWorkersCount();
  const counts = { waiting, reserved: delayed, running: active, done: completed, failed: lost, workers };
  process.stdout.write(
    `${Object.entries(counts)
      .map(([name, count]) => `${name} ${countText(count)}`)
      .join("\n")}\n`,
  );
  return EXIT.ok;
}

/** Prints the results of the URLs that went well. */
async function results(run: RunQueue): Promise<number> {
  for await (const { returnvalue } of jobs(run, "completed")) print(returnvalue);
  return EXIT.ok;
}

/** Prints the results of the URLs that failed. */
async function failed(run: RunQueue): Promise<number> {
  for await (const job of jobs(run, "failed")) print(failureOf(job));
  return EXIT.ok;
}

/** Has the failed ones fetched again. */
async function retry(run: RunQueue): Promise<number> {
  const { failed: count = 0 } = await run.queue.getJobCounts("failed");
  await run.queue.retryJobs({ state: "failed" });
  process.stdout.write(`${countText(count)} will be tried again\n`);
  return EXIT.ok;
}

/** Takes out what waits; what runs comes to its end, results stay. */
async function drain({ queue }: RunQueue): Promise<number> {
  await queue.drain(true);
  return await status({ queue } as RunQueue);
}

async function* jobs(
  { queue }: RunQueue,
  state: "completed" | "failed",
): AsyncGenerator<Job<JobData, Result>> {
  for (let from = 0; ; from += BATCH) {
    const found = await queue.getJobs([state], from, from + BATCH - 1, true);
    yield* found;
    if (found.length < BATCH) return;
  }
}

/** The failure that the worker recorded; a job that brought down its workers has none. */
function failureOf({ failedReason, data, attemptsMade }: Job<JobData, Result>): Result {
  try {
    return JSON.parse(failedReason) as Result;
  } catch {
    const { key, url } = data.task;
    const error = { code: "QUEUE", message: failedReason };
    return {
      key,
      url,
      ok: false,
      status: null,
      bytes: 0,
      file: null,
      attempts: attemptsMade,
      ms: 0,
      error,
      at: "",
    };
  }
}

function print(result: Result): void {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
