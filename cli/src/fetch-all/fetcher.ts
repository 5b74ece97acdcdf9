/** One try at a URL: asked, stored, and judged. */

import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  downloadTo,
  HTTPError,
  HTTPHeaderDict,
  type HTTPResponse,
  NewConnectionError,
  type PoolManager,
  type Requester,
  ResponseError,
  Retry,
  SSLError,
} from "urlpool";
import { errorLine, reasonOf } from "../request/errors.ts";
import { writeFileWhole } from "../request/file-output.ts";
import type { Names } from "./names-taken.ts";
import type { Outcome, Problem } from "./result.ts";
import type { Task } from "./task.ts";

/** A task on its way. */
export interface Job {
  readonly task: Task;
  /** Where it is asked for now: another URL after redirects. */
  readonly url: string;
  readonly host: string;
  readonly redirects: number;
  /** Tries that failed. */
  readonly failures: number;
  /** Its file, once it has a name. */
  readonly file: string | null;
}

/** How a try went. */
export type Try =
  | { readonly kind: "done"; readonly outcome: Outcome }
  | { readonly kind: "redirect"; readonly url: string; readonly outcome: Outcome }
  /** It may go well later; `rest`: ms that the host wants to be left alone. */
  | { readonly kind: "again"; readonly outcome: Outcome; readonly tooMuch: boolean; readonly rest: number };

/** What a fetcher needs. */
export interface FetcherOptions {
  readonly manager: PoolManager;
  readonly headers: HTTPHeaderDict;
  /** Folder for the files; `null` keeps none. */
  readonly folder: string | null;
  readonly names: Names;
  /** ms for one try. */
  readonly deadline: number | undefined;
  readonly signal: AbortSignal;
}

const TRANSIENT = new Set([408, 429, 500, 502, 503, 504]);
/** The server has too much to do, whatever it was asked for. */
const TOO_MUCH = new Set([429, 503]);
const IDEMPOTENT = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]);
/** Nothing of the request had been sent. */
const BEFORE_SENDING = new Set(["pool", "dns", "connect", "proxy", "tls"]);
/** Fields that are for the origin they were given for. */
const FOR_ONE_ORIGIN = ["Authorization", "Cookie", "Proxy-Authorization", "Host"];
/** bytes; such a file is worth the trouble of making it possible to resume. */
const LARGE = 1_000_000;
const FOLDERS_REMEMBERED = 10_000;

/** One request each time: redirects, rests and repeats are the business of the lines. */
const ONCE: Retry = new Retry({ total: false, redirect: false, respectRetryAfterHeader: false });
const WAITS = new Retry();

/** The first job of a task. */
export function firstJob(task: Task): Job {
  return { task, url: task.url, host: hostOf(task.url), redirects: 0, failures: 0, file: null };
}

/** Whose line a URL stands in. */
export function hostOf(url: string): string {
  return new URL(url).host;
}

/** Makes the tries. */
export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #folders = new Set<string>();

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  /** The job with a name for its file, if it is to have one. */
  named(job: Job): Job {
    const { folder, names } = this.#options;
    if (folder === null || job.file !== null || job.task.method === "HEAD") return job;
    const { url, out, key } = job.task;
    return { ...job, file: names.reserve(url, out, key) };
  }

  /** Rejects only when the signal is aborted, or the command is broken. */
  async attempt(job: Job): Promise<Try> {
    const begin = performance.now();
    const seen: { response?: HTTPResponse } = {};
    try {
      const stored = await this.#fetch(job, seen);
      return this.#judge(job, seen.response as HTTPResponse, { ...stored, ms: performance.now() - begin });
    } catch (error) {
      this.#options.signal.throwIfAborted();
      const ms = performance.now() - begin;
      if (seen.response !== undefined && isStatusError(error)) return this.#judge(job, seen.response, { ms });
      return failed(job, error, { ms, finalUrl: job.url });
    }
  }

  async #fetch(job: Job, seen: { response?: HTTPResponse }): Promise<Outcome> {
    const requester = this.#requester(job, seen);
    if (job.file === null) return { bytes: await drained(requester, job.url) };
    let file = job.file;
    try {
      await this.#makeFolder(file);
    } catch {
      // A file of an earlier run stands where the folder should be.
      file = this.#options.names.spare(job.task.url, job.task.key);
      await this.#makeFolder(file);
    }
    const path = join(this.#options.folder as string, file);
    return { bytes: await this.#store(job, requester, path), file };
  }

  /** Small files are written in one go, large ones so that an interrupted download is gone on with. */
  async #store(job: Job, requester: Requester, path: string): Promise<number> {
    const headers = this.#headers(job);
    headers.setDefault("Accept-Encoding", "identity");
    const resume = job.task.method === "GET";
    if (resume && existsSync(`${path}.part.json`)) return await stored(requester, job.url, path, { headers });
    const response = await requester.request("GET", job.url, { headers });
    if (response.status === 200 && Number(response.headers.get("content-length") ?? 0) > LARGE) {
      return await stored(answered(requester, response), job.url, path, { headers, resume });
    }
    using _ = response;
    if (response.status >= 300) throw new ResponseError("no answer to store", { status: response.status });
    return await writeFileWhole(path, response);
  }

  /** Makes one request of the task, and lets its answer be seen. */
  #requester(job: Job, seen: { response?: HTTPResponse }): Requester {
    const { manager, deadline, signal } = this.#options;
    const { method, body } = job.task;
    const request: Requester["request"] = async (_method, url, options) => {
      seen.response = await manager.urlopen(method, url, {
        headers: options?.headers ?? this.#headers(job),
        body: body ?? null,
        preloadContent: false,
        redirect: false,
        retries: ONCE,
        deadline,
        signal,
      });
      return seen.response;
    };
    return { request, headers: new HTTPHeaderDict() };
  }

  #headers(job: Job): HTTPHeaderDict {
    const headers = this.#options.headers.copy();
    for (const [name, value] of Object.entries(job.task.headers ?? {})) headers.set(name, value);
    if (new URL(job.url).origin !== new URL(job.task.url).origin) {
      for (const name of FOR_ONE_ORIGIN) headers.delete(name);
    }
    return headers;
  }

  async #makeFolder(file: string): Promise<void> {
    const folder = dirname(join(this.#options.folder as string, file));
    if (this.#folders.has(folder)) return;
    await mkdir(folder, { recursive: true });
    if (this.#folders.size >= FOLDERS_REMEMBERED) this.#folders.clear();
    this.#folders.add(folder);
  }

  /** What a status means. */
  #judge(job: Job, response: HTTPResponse, facts: Outcome): Try {
    const { status } = response;
    const outcome: Outcome = { ...facts, status, finalUrl: job.url };
    if (status < 300) return { kind: "done", outcome };
    const location = response.redirectLocation();
    if (location) return redirected(job, location, outcome);
    const error: Problem = { code: "STATUS", message: `${status} ${response.reason}` };
    const { file: _, ...rest } = { ...outcome, error };
    if (!TRANSIENT.has(status) || !(IDEMPOTENT.has(job.task.method) || TOO_MUCH.has(status))) {
      return { kind: "done", outcome: rest };
    }
    return {
      kind: "again",
      outcome: rest,
      tooMuch: TOO_MUCH.has(status),
      rest: WAITS.retryAfter(response) ?? 0,
    };
  }
}

function redirected(job: Job, location: string, outcome: Outcome): Try {
  const { file: _, ...rest } = outcome;
  const url = URL.canParse(location, job.url) ? new URL(location, job.url) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return {
      kind: "done",
      outcome: { ...rest, error: { code: "REDIRECTS", message: `cannot follow ${location}` } },
    };
  }
  url.hash = "";
  return { kind: "redirect", url: url.href, outcome: rest };
}

/** A status that cannot be stored; the answer says which. */
function isStatusError(error: unknown): boolean {
  return error instanceof ResponseError && error.status !== undefined;
}

function failed(job: Job, error: unknown, facts: Outcome): Try {
  const reason = reasonOf(error);
  const code = (reason as { code?: unknown }).code;
  const problem = { code: typeof code === "string" ? code : "FILE", message: errorLine(error) };
  const outcome = { ...facts, error: problem };
  if (!mayGoWell(job, reason)) return { kind: "done", outcome };
  return { kind: "again", outcome, tooMuch: false, rest: 0 };
}

function mayGoWell(job: Job, reason: unknown): boolean {
  if (!(reason instanceof HTTPError) || reason instanceof SSLError || reason instanceof ResponseError)
    return false;
  if (reason instanceof NewConnectionError && /ENOTFOUND|ADDRESS_BLOCKED/.test(codesOf(reason))) return false;
  return IDEMPOTENT.has(job.task.method) || BEFORE_SENDING.has(reason.phase ?? "");
}

function codesOf(error: HTTPError): string {
  return `${error.code} ${(error.cause as NodeJS.ErrnoException | undefined)?.code}`;
}

async function stored(
  requester: Requester,
  url: string,
  path: string,
  options: { headers: HTTPHeaderDict; resume?: boolean },
): Promise<number> {
  return (await downloadTo(requester, url, path, options)).bytes;
}

/** A requester whose first answer is there already. */
function answered(requester: Requester, response: HTTPResponse): Requester {
  let first: HTTPResponse | null = response;
  const request: Requester["request"] = async (method, url, options) => {
    const given = first;
    first = null;
    return given ?? (await requester.request(method, url, options));
  };
  return { request, headers: requester.headers };
}

async function drained(requester: Requester, url: string): Promise<number> {
  using response = await requester.request("GET", url);
  let bytes = 0;
  for await (const piece of response) bytes += piece.length;
  return bytes;
}
