/** BullMQ and Redis, loaded when a queue is asked for. */

import type { Queue, Worker } from "bullmq";
import type { Redis } from "ioredis";
import { EXIT, Failure, optionalPackage, UsageError } from "../failure.ts";
import type { Result } from "../fetch-all/result.ts";
import type { Task } from "../fetch-all/task.ts";
import type { Values } from "../options/spec.ts";

/** What a job carries: its task, and where redirects have led it. */
export interface JobData {
  task: Task;
  url?: string;
  redirects?: number;
}

/** The queue of a run. */
export interface RunQueue {
  readonly queue: Queue<JobData, Result>;
  readonly redis: Redis;
  readonly bullmq: typeof import("bullmq");
  readonly name: string;
  readonly run: string;
  close(): Promise<void>;
}

/** A worker of it. */
export type RunWorker = Worker<JobData, Result>;

/**
 * Connects to `--queue`.
 * @throws {Failure} if a package is missing, or Redis cannot be reached at first. Later it is waited for.
 */
export async function connect(values: Values): Promise<RunQueue> {
  const { queue: url, run = "default" } = values;
  if (url === undefined) throw new UsageError("--queue redis://HOST/N is missing");
  if (!/^rediss?:\/\//.test(url)) throw new UsageError("--queue must be a redis:// or rediss:// URL");
  if (!/^[\w.-]{1,100}$/.test(run))
    throw new UsageError("--run must be of letters, digits, '.', '_' and '-'");
  const bullmq = await optionalPackage("bullmq", () => import("bullmq"), "--queue");
  const { Redis: Client } = await optionalPackage("ioredis", () => import("ioredis"), "--queue");
  // Without a limit: a Redis that starts again is waited for.
  const redis = new Client(url, { maxRetriesPerRequest: null, lazyConnect: true });
  redis.on("error", () => {});
  try {
    await redis.connect();
  } catch (cause) {
    redis.disconnect();
    throw new Failure(`cannot connect to ${new URL(url).host}: ${(cause as Error).message}`, EXIT.connect, {
      cause,
    });
  }
  const name = `urlpool-${run}`;
  const queue = new bullmq.Queue<JobData, Result>(name, { connection: redis });
  queue.on("error", () => {});
  const close = async (): Promise<void> => {
    await queue.close();
    redis.disconnect();
  };
  return { queue, redis, bullmq, name, run, close };
}
