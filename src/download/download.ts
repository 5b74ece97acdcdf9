/** `downloadTo`: a URL into a file that is either complete or not there, going on where an earlier try broke off. */

import { createHash, type Hash } from "node:crypto";
import { resolve } from "node:path";
import { ProgressMeter } from "../body/request/progress.ts";
import { appendQuery, type QuerySource, urlencode } from "../body/request/urlencode.ts";
import type { RequestOptions } from "../client/options.ts";
import type { RequestMethods } from "../client/request-methods.ts";
import type { HTTPResponse } from "../client/response/response.ts";
import { type Clock, systemClock } from "../core/clock.ts";
import { IncompleteRead, InvalidArgumentError, ProtocolError, ResponseError } from "../core/errors.ts";
import { HTTPHeaderDict } from "../core/headers.ts";
import { checkOptionsObject, refuseUnknown } from "../core/options.ts";
import { redact } from "../core/redact.ts";
import { show } from "../core/shown.ts";
import { type UrlLike, urlText } from "../core/url.ts";
import { isRetryable, type Retry } from "../policy/retry.ts";
import { isStrongTag, PartFile, type PartOrigin } from "./part-file.ts";
import { Target } from "./target.ts";

/** Options of `downloadTo`: those of a request, and what is to become of the file. `deadline` is for all of it. */
export interface DownloadOptions extends Omit<RequestOptions, "preloadContent" | "releaseConn"> {
  /** What the file must hash to; `algorithm` as for `crypto.createHash`, `value` in hex. Without `value` it is only told. */
  digest?: { algorithm: string; value?: string | undefined } | undefined;
  /** Whether what an earlier call left is gone on with. Default true. */
  resume?: boolean | undefined;
  /** Permissions of a new file, as for `fs.open`. Default 0o666, less the process's umask. A file that is replaced keeps its own. */
  mode?: number | undefined;
}

/** What `downloadTo` gives. */
export interface DownloadResult {
  /** The file, absolute. */
  path: string;
  /** Size of the file. */
  bytes: number;
  /** Bytes that were there from an earlier call. */
  resumedFrom: number;
  /** Hash of the file in hex; `null` unless `digest` asked for it. */
  digest: string | null;
  /** The last response; its body has been read. */
  response: HTTPResponse;
}

/** What makes the requests: a manager, or a pool. */
export type Requester = Pick<RequestMethods, "request" | "headers"> & {
  /** Default: the platform's. */
  readonly clock?: Clock | undefined;
};

/**
 * Downloads `url` into the file `path`, which appears only when it is complete; a file that is there is replaced and keeps
 * its permissions. Until then the bytes are in `<path>.part`, and what is needed to resume in `<path>.part.json`: if the
 * body breaks off it is asked for the rest (`Range` with `If-Range`, RFC 9110 §14) as often as `retries` allow, and after that by
 * the next call; it begins anew if the server has another version by now. Unless the caller sends an `Accept-Encoding`, none is
 * accepted; what comes encoded all the same is stored decoded, and cannot be resumed. `onDownloadProgress` counts the bytes
 * of the file, from an earlier call too.
 *
 * Rejects as `request` does; with `ResponseError` for a status other than 200 or a digest that does not match; with
 * `IncompleteRead` or `ProtocolError` for a wrong length, in a `MaxRetryError` if it was tried again; with
 * `InvalidArgumentError`, also for a target that is no regular file or is being downloaded already, by another process too;
 * and with the file system's errors. After an abort, too, the part stays for the next call.
 */
export async function downloadTo(
  manager: Requester,
  url: UrlLike,
  path: string,
  options?: DownloadOptions | null,
): Promise<DownloadResult> {
  const download = new Download(manager, urlText(url), checked(path, options));
  const target = await Target.take(path);
  try {
    return { path: resolve(path), ...(await download.run(target)) };
  } finally {
    await target.release();
  }
}

class Download {
  readonly #manager: Requester;
  readonly #url: string;
  readonly #request: RequestOptions;
  readonly #headers: HTTPHeaderDict;
  readonly #options: DownloadOptions;
  readonly #resume: boolean;
  readonly #clock: Clock;
  /** `clock.now()` at which the deadline passes. */
  readonly #endsAt: number;
  /** What is left of them; `undefined`: the caller's. */
  #retries: Retry | undefined;
  #part!: PartFile;
  #hash: Hash | null;
  #resumedFrom = 0;
  /** Length of the whole; `null` where unknown. */
  #total: number | null = null;
  /** What has come can never become the file. */
  #spoilt = false;

  constructor(manager: Requester, url: string, options: DownloadOptions) {
    const { digest, resume = true, mode: _mode, fields, onDownloadProgress: _told, ...request } = options;
    const query = urlencode((fields ?? {}) as QuerySource);
    this.#manager = manager;
    this.#url = query === "" ? url : appendQuery(url, query);
    this.#request = request;
    this.#options = options;
    this.#hash = newHash(digest);
    this.#headers = requestHeaders(options.headers ?? manager.headers);
    this.#resume = resume && this.#headers.get("accept-encoding") === "identity";
    this.#clock = manager.clock ?? systemClock;
    this.#endsAt = this.#clock.now() + (options.deadline ?? Number.POSITIVE_INFINITY);
  }

  async run(target: Target): Promise<Omit<DownloadResult, "path">> {
    const mode = target.mode ?? this.#options.mode ?? 0o666;
    this.#part = await PartFile.open(target.path, this.#resume ? redact(this.#url) : null, mode);
    try {
      const response = await this.#fetch();
      const digest = this.#checkDigest(response);
      await this.#part.publish(target.mode);
      return { bytes: this.#part.size, resumedFrom: this.#resumedFrom, digest, response };
    } catch (error) {
      // What broke off the download is the news, not what may go wrong in cleaning up.
      await (this.#spoilt ? this.#part.discard() : this.#part.leave()).catch(() => {});
      throw error;
    }
  }

  /** Asks until all is there: again if there was nothing to resume, for what a 206 has left out, and after a body that broke off. */
  async #fetch(): Promise<HTTPResponse> {
    const offset = await this.#wind();
    this.#resumedFrom = offset;
    for (let from = offset; ; from = this.#part.origin === null ? 0 : this.#part.size) {
      const response = await this.#ask(from);
      if ((await this.#receive(response, from)) && (this.#total === null || this.#part.size >= this.#total)) {
        return response;
      }
    }
  }

  /** Whether all of this response is in the part; if not, the rest is to be asked for. */
  async #receive(response: HTTPResponse, from: number): Promise<boolean> {
    try {
      const end = await this.#accept(response, from);
      if (end === "again") return false;
      await this.#store(response, end);
      return true;
    } catch (error) {
      await this.#retry(response, error);
      return false;
    } finally {
      response.releaseConn();
    }
  }

  /** Counts a body that broke off, and waits as `Retry` says; throws if it is not to be tried again. */
  async #retry(response: HTTPResponse, error: unknown): Promise<void> {
    const { method, url, retries } = response;
    if (this.#spoilt || retries === null || !(error instanceof Error) || !isRetryable(error)) throw error;
    this.#retries = retries.increment({ method, url, error });
    const wait = this.#retries.waitTime();
    if (wait > 0 && wait > this.#endsAt - this.#clock.now()) throw error;
    if (wait > 0) await pause(this.#clock, wait, this.#options.signal ?? null);
  }

  /** Where to go on. Of a part that is whole the last byte is asked for again, to see that it still is the same. */
  async #wind(): Promise<number> {
    const { origin, size } = this.#part;
    if (origin === null) return 0;
    const whole = origin.length !== null && size >= origin.length;
    if (whole) await this.#part.truncate(Math.max(0, origin.length - 1));
    if (this.#hash !== null) await this.#part.hashInto(this.#hash);
    return this.#part.size;
  }

  #ask(from: number): Promise<HTTPResponse> {
    const headers = this.#headers.copy();
    const origin = this.#part.origin;
    if (from > 0 && origin !== null) {
      headers.set("Range", `bytes=${from}-`);
      headers.set("If-Range", origin.etag ?? origin.lastModified!);
    }
    const options: RequestOptions = { ...this.#request, headers, preloadContent: false };
    if (this.#retries !== undefined) options.retries = this.#retries;
    if (this.#endsAt !== Number.POSITIVE_INFINITY)
      options.deadline = Math.max(1, this.#endsAt - this.#clock.now());
    return this.#manager.request("GET", this.#url, options);
  }

  /** The size of the part once this response is in it, `null` where unknown; or to ask again from the beginning. */
  async #accept(response: HTTPResponse, from: number): Promise<number | null | "again"> {
    const { status } = response;
    if (from > 0 && (status === 206 || status === 416)) {
      const range = status === 206 ? contentRange(response) : null;
      if (range !== null && this.#continues(response, range, from)) {
        this.#total = range.total ?? this.#part.origin?.length ?? null;
        return range.end;
      }
      await this.#begin(null);
      return "again";
    }
    response.raiseForStatus();
    if (status !== 200) throw this.#failure(ResponseError, `${status} is no answer to store`, response);
    this.#total = response.headers.has("content-encoding") ? null : contentLength(response);
    await this.#begin(originOf(redact(this.#url), response));
    return this.#total;
  }

  #continues(response: HTTPResponse, range: ContentRange, from: number): boolean {
    const origin = this.#part.origin!;
    const { headers } = response;
    if (range.start !== from || headers.has("content-encoding")) return false;
    if (range.total !== null && origin.length !== null && range.total !== origin.length) return false;
    // A range may be shorter than what was asked for: where the file ends must be known.
    if (range.total === null && origin.length === null) return false;
    if (origin.etag !== null) return (headers.get("etag") ?? origin.etag) === origin.etag;
    return (headers.get("last-modified") ?? origin.lastModified) === origin.lastModified;
  }

  async #begin(origin: PartOrigin | null): Promise<void> {
    await this.#part.restart(origin);
    this.#resumedFrom = 0;
    this.#hash = newHash(this.#options.digest);
  }

  async #store(response: HTTPResponse, end: number | null): Promise<void> {
    const { onDownloadProgress } = this.#options;
    const meter =
      onDownloadProgress && new ProgressMeter(onDownloadProgress, this.#total, this.#clock, this.#part.size);
    for await (const piece of response) {
      this.#hash?.update(piece);
      await this.#part.append(piece);
      meter?.at(this.#part.size);
    }
    meter?.end();
    const { size } = this.#part;
    if (end === null || size === end) return;
    const { method, url } = response;
    if (size < end) throw new IncompleteRead(size, end - size).describe({ method, url });
    this.#spoilt = true;
    throw this.#failure(ProtocolError, `The body is ${size - end} bytes longer than announced`, response);
  }

  /** The digest, if it is asked for. */
  #checkDigest(response: HTTPResponse): string | null {
    const { digest } = this.#options;
    if (this.#hash === null || digest === undefined) return null;
    const { algorithm, value } = digest;
    const actual = this.#hash.digest("hex");
    if (value === undefined || actual === value.toLowerCase()) return actual;
    this.#spoilt = true;
    throw this.#failure(ResponseError, `The ${algorithm} digest is ${actual}, not ${value}`, response);
  }

  #failure(
    Failure: typeof ResponseError | typeof ProtocolError,
    message: string,
    response: HTTPResponse,
  ): Error {
    const { status, method, url } = response;
    return new Failure(message, { status, phase: "body" }).describe({ method, url });
  }
}

/** Part of a whole: `end` is exclusive, `total` is `null` where unknown. */
interface ContentRange {
  start: number;
  end: number;
  total: number | null;
}

/** RFC 9110 §14.4. */
function contentRange(response: HTTPResponse): ContentRange | null {
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(response.headers.get("content-range") ?? "");
  if (match === null) return null;
  const [start, last] = [Number(match[1]), Number(match[2])];
  const total = match[3] === "*" ? null : Number(match[3]);
  return last < start || (total !== null && last >= total) ? null : { start, end: last + 1, total };
}

function contentLength(response: HTTPResponse): number | null {
  const value = response.headers.get("content-length") ?? "";
  return /^\d+$/.test(value) ? Number(value) : null;
}

/** What is needed to resume; `null` if a later version could not be told from this one. */
function originOf(url: string, response: HTTPResponse): PartOrigin | null {
  const { headers } = response;
  if (headers.has("content-encoding")) return null;
  const tag = headers.get("etag");
  const etag = isStrongTag(tag) ? tag : null;
  const lastModified = etag === null && isStrongDate(headers) ? headers.get("last-modified") : null;
  if (etag === null && lastModified === null) return null;
  return { url, etag, lastModified, length: contentLength(response) };
}

/** A date tells versions apart if no other one can have come in the same second (RFC 9110 §8.8.2.2). */
function isStrongDate(headers: HTTPHeaderDict): boolean {
  const age = Date.parse(headers.get("date") ?? "") - Date.parse(headers.get("last-modified") ?? "");
  return age >= 1000;
}

/** The options of a download to `path`. Throws `InvalidArgumentError` for what is its own; requests check the rest. */
function checked(path: unknown, given: DownloadOptions | null | undefined): DownloadOptions {
  if (typeof path !== "string" || path === "") {
    throw new InvalidArgumentError(`path must be the path of a file, not ${show(path)}`);
  }
  const options = given ?? {};
  checkOptionsObject(options, "a download");
  const { digest, resume, mode } = options;
  if (digest !== undefined) {
    checkOptionsObject(digest, "digest");
    refuseUnknown("digest", digest, ["algorithm", "value"]);
  }
  if (resume !== undefined && typeof resume !== "boolean") {
    throw new InvalidArgumentError(`resume must be true or false, not ${show(resume)}`);
  }
  if (mode !== undefined && !(Number.isInteger(mode) && mode >= 0 && mode <= 0o7777)) {
    throw new InvalidArgumentError(`mode must be a number such as 0o644, not ${show(mode)}`);
  }
  return options;
}

function newHash(digest: DownloadOptions["digest"]): Hash | null {
  if (digest === undefined) return null;
  if (digest.value !== undefined && !/^[0-9a-f]+$/i.test(String(digest.value)))
    throw new InvalidArgumentError("digest.value must be hexadecimal");
  try {
    return createHash(digest.algorithm);
  } catch (cause) {
    throw new InvalidArgumentError(`unknown digest algorithm: ${show(digest.algorithm)}`, { cause });
  }
}

function requestHeaders(source: ConstructorParameters<typeof HTTPHeaderDict>[0]): HTTPHeaderDict {
  const headers = new HTTPHeaderDict(source);
  for (const name of ["Range", "If-Range"]) {
    if (headers.has(name)) throw new InvalidArgumentError(`downloadTo sets ${name} itself`);
  }
  if (!headers.has("accept-encoding")) headers.set("Accept-Encoding", "identity");
  return headers;
}

/** Waits `ms`; rejects with the signal's reason. */
function pause(clock: Clock, ms: number, signal: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(
      () => {
        signal?.removeEventListener("abort", stop);
        resolve();
      },
      ms,
      true,
    );
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
