/** `fetch` over a manager: the semantics of the WHATWG standard as Node has them, with urlpool's pools underneath. */

import { jarForHop } from "../../client/cookies.ts";
import type { UrlopenOptions } from "../../client/options.ts";
import type { HTTPResponse } from "../../client/response/response.ts";
import { MaxRetryError } from "../../core/errors.ts";
import { Retry } from "../../policy/retry.ts";
import { hasBadPort } from "./bad-ports.ts";
import { CallReader, type FetchCall, type FetchInit, type FetchInput } from "./call.ts";
import { hasIntegrity } from "./integrity.ts";
import { type Hop, isRedirectStatus, nextHop } from "./redirect.ts";
import { hasNoBody, makeResponse } from "./response.ts";

/** How a fetch is to be. */
export interface FetchOptions {
  /** In the place of the manager's: a total, `false` for none, or a `Retry`. */
  retries?: UrlopenOptions["retries"];
  /** In the place of the manager's; `null` for none. `credentials: "omit"` passes it by. */
  cookieJar?: UrlopenOptions["cookieJar"];
  /** The default User-Agent. Default: the library's. */
  userAgent?: string | undefined;
  /** Whether ports of other protocols are refused, as the standard has it. Default true. */
  badPorts?: boolean | undefined;
}

/** What a fetch is made over: a manager, or what stands in for one. */
export interface FetchBase {
  urlopen(method: string, url: string, options?: UrlopenOptions): Promise<HTTPResponse>;
  /** Whether it understands an option `cache`, the mode of that name, as `urlpool/cache` does. */
  readonly takesCacheMode?: boolean;
  /** The options of a manager, with its retries and its cookie jar among them. */
  readonly connectionPoolKw?: Pick<UrlopenOptions, "retries" | "cookieJar"> | undefined;
}

/** As the platform's. */
export type Fetch = typeof globalThis.fetch;

/** Redirects that are followed (Fetch §4.4). */
const MAX_REDIRECTS = 20;

/** Ours may take its place. */
const platformFetch: Fetch = globalThis.fetch;

/** A function like the platform's `fetch` that makes its requests over `base`. */
export function fetchOver(base: FetchBase, options: FetchOptions = {}): Fetch {
  const fetcher = new Fetcher(base, options);
  // Not an arrow or an async function: callers look at its name, length and tag.
  return Object.defineProperty(
    function fetch(...args: readonly unknown[]): Promise<Response> {
      const [input, init] = args as Parameters<Fetch>;
      if (args.length > 0) return fetcher.fetch(input, init);
      return Promise.reject(new TypeError("fetch: 1 argument required, but 0 present."));
    },
    "length",
    { value: 1, configurable: true },
  ) as Fetch;
}

class Fetcher {
  readonly #base: FetchBase;
  readonly #calls: CallReader;
  readonly #badPorts: boolean;
  readonly #cookieJar: UrlopenOptions["cookieJar"];
  readonly #ownRetries: UrlopenOptions["retries"];
  /** The retries of the base, and what is made of them. */
  #retriesSource: unknown;
  #retries: Retry | null = null;

  constructor(base: FetchBase, { retries, userAgent, cookieJar, badPorts = true }: FetchOptions) {
    this.#base = base;
    this.#calls = new CallReader(userAgent ?? null);
    this.#badPorts = badPorts;
    this.#cookieJar = cookieJar;
    this.#ownRetries = retries;
  }

  async fetch(input: FetchInput, init: FetchInit): Promise<Response> {
    const reading = this.#calls.read(input, init);
    const call = reading instanceof Promise ? await reading.catch(asFetchError) : reading;
    if (call === null) return platformFetch(input, init);
    call.signal?.throwIfAborted();
    try {
      return await this.#follow(call);
    } catch (error) {
      if (call.signal?.aborted && error === call.signal.reason) throw error;
      throw new TypeError("fetch failed", { cause: error instanceof MaxRetryError ? error.reason : error });
    }
  }

  async #follow(call: FetchCall): Promise<Response> {
    let hop: Hop = call;
    for (let redirects = 0; ; redirects++) {
      if (this.#badPorts && hop.url.port !== "" && hasBadPort(hop.url)) throw new Error("bad port");
      const response = await this.#base.urlopen(hop.method, targetOf(hop.url), this.#options(call, hop));
      const location = isRedirectStatus(response.status) ? this.#location(call, response) : null;
      if (location === null) return this.#answer(call, hop, response, redirects > 0);
      response.releaseConn();
      if (redirects === MAX_REDIRECTS) throw new Error("redirect count exceeded");
      hop = nextHop(hop, response.status, location, this.#removedHeaders());
    }
  }

  #options(call: FetchCall, hop: Hop): UrlopenOptions {
    const { signal, cache } = call;
    return {
      ...(this.#base.takesCacheMode ? { cache } : {}),
      body: hop.body,
      headers: hop.fields,
      retries: this.#currentRetries(),
      ...this.#jar(call, hop),
      redirect: false,
      preloadContent: false,
      signal,
    };
  }

  #jar(call: FetchCall, hop: Hop): Pick<UrlopenOptions, "cookieJar"> {
    if (call.omitsCookies) return { cookieJar: null };
    const jar = this.#cookieJar === undefined ? this.#base.connectionPoolKw?.cookieJar : this.#cookieJar;
    if (jar && hop !== call) return { cookieJar: jarForHop(jar, call.url.href, hop.url.href, hop.method) };
    return this.#cookieJar === undefined ? {} : { cookieJar: this.#cookieJar };
  }

  /** Where `response` leads, `null` if it is the answer. */
  #location(call: FetchCall, response: HTTPResponse): string | null {
    if (call.redirect === "manual") return null;
    if (call.redirect === "error") {
      response.releaseConn();
      throw new Error("unexpected redirect");
    }
    return response.headers.get("location");
  }

  async #answer(call: FetchCall, hop: Hop, response: HTTPResponse, redirected: boolean): Promise<Response> {
    const { signal, integrity } = call;
    const facts = { response, url: hop.url.href, redirected, signal };
    if (response.status < 200) throw new Error(`${response.status} is not a final status`);
    if (hasNoBody(hop.method, response.status)) {
      response.releaseConn();
      return makeResponse(facts, null);
    }
    if (integrity === "") return makeResponse(facts, response);
    const bytes = await response.read();
    if (!hasIntegrity(bytes, integrity)) throw new Error("integrity mismatch");
    return makeResponse(facts, bytes);
  }

  /** A status is never an error: the answer after the last retry is the answer. */
  #currentRetries(): Retry {
    const source = this.#ownRetries === undefined ? this.#base.connectionPoolKw?.retries : this.#ownRetries;
    if (this.#retries === null || source !== this.#retriesSource) {
      this.#retriesSource = source;
      this.#retries = Retry.from(source).new({ raiseOnStatus: false });
    }
    return this.#retries;
  }

  #removedHeaders(): string[] {
    return [...this.#currentRetries().removeHeadersOnRedirect].map((name) => name.toLowerCase());
  }
}

/** What is wrong with fields that fetch does not send shows as a failed fetch. */
function asFetchError(error: unknown): never {
  if (error instanceof Error && (error as { code?: unknown }).code === "ERR_URLPOOL_INVALID_ARGUMENT") {
    throw new TypeError("fetch failed", { cause: error });
  }
  throw error;
}

/** In a WHATWG URL a "%" that begins no triplet says nothing about the others; to `urlopen` none of them would be one. */
function targetOf({ href }: URL): string {
  return href.includes("%") ? href.replace(/%(?![0-9a-f]{2})/gi, "%25") : href;
}
