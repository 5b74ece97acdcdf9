/**
 * The public suite of HTTP cache tests (http-tests/cache-tests, BSD 3-Clause: see `test/data/cache-tests.LICENSE`), its
 * cases for private caches as data, run without sockets and on a clock of its own.
 */

import { type CacheMode, type CacheStore, cached } from "../../../src/cache.ts";
import { HTTPHeaderDict, HTTPResponse, ProtocolError, type UrlopenOptions } from "../../../src/index.ts";

type Pair = readonly [name: string, value: string | number, check?: boolean];

/** A request of a case: what is sent, answered, and expected. */
export interface SuiteRequest {
  readonly setup?: boolean;
  readonly request_method?: string;
  readonly request_headers?: readonly Pair[];
  readonly request_body?: string;
  readonly query_arg?: string;
  readonly filename?: string;
  readonly redirect?: string;
  readonly magic_ims?: boolean;
  readonly magic_locations?: boolean;
  readonly rfc850date?: readonly string[];
  readonly response_status?: readonly [number, string];
  readonly response_headers?: readonly Pair[];
  readonly response_body?: string | null;
  readonly response_pause?: number;
  readonly disconnect?: boolean;
  readonly pause_after?: boolean;
  readonly setup_tests?: readonly string[];
  readonly check_body?: boolean;
  readonly expected_type?: "cached" | "not_cached" | "etag_validated" | "lm_validated";
  readonly expected_status?: number;
  readonly expected_method?: string;
  readonly expected_request_headers?: readonly (string | Pair)[];
  readonly expected_request_headers_missing?: readonly (string | Pair)[];
  readonly expected_response_headers?: readonly (string | Pair)[];
  readonly expected_response_headers_missing?: readonly (string | Pair)[];
  readonly expected_response_text?: string | null;
  readonly expected_interim_responses?: unknown;
}

/** A case. */
export interface SuiteCase {
  readonly id: string;
  readonly suite: string;
  readonly kind?: "required" | "optimal" | "check";
  readonly requests: readonly SuiteRequest[];
}

/** What came of a case: `null` if it passed, else what was not as it should be; `setup` if it says nothing. */
export type Verdict = null | string;

/** Fields whose whole numbers are seconds from the origin's now. */
const DATES = new Set(["date", "expires", "last-modified", "if-modified-since", "if-unmodified-since"]);
const PAUSE = 3000;
/** Any time. */
const BEGINNING = Date.UTC(2026, 0, 15, 12, 0, 0);

class Failure extends Error {
  readonly setup: boolean;

  constructor(text: string, setup: boolean) {
    super(text);
    this.setup = setup;
  }
}

/** What the origin saw and said. */
interface Exchange {
  readonly number: number;
  readonly request: HTTPHeaderDict;
  readonly method: string;
}

/** Runs one case over a fresh cache. */
export async function runCase(
  one: SuiteCase,
  store: CacheStore,
  mode: CacheMode = "default",
): Promise<Verdict> {
  const run = new CaseRun(one, store, mode);
  try {
    await run.all();
    return null;
  } catch (error) {
    if (error instanceof Failure) return error.setup ? `setup: ${error.message}` : error.message;
    throw error;
  }
}

class CaseRun {
  readonly #case: SuiteCase;
  readonly #mode: CacheMode;
  readonly #origin = "http://origin.test";
  readonly #seen: Exchange[] = [];
  /** Response fields by request number, as the origin sent them. */
  readonly #sent: HTTPHeaderDict[] = [];
  readonly #bodies: string[] = [];
  readonly #cache: ReturnType<typeof cached>;
  #now = BEGINNING;
  #current = 0;
  #lastServerNow = BEGINNING;

  constructor(one: SuiteCase, store: CacheStore, mode: CacheMode) {
    this.#case = one;
    this.#mode = mode;
    const urlopen = (method: string, url: string, options?: UrlopenOptions): Promise<HTTPResponse> =>
      this.#answer(method, url, options);
    this.#cache = cached({ headers: {}, urlopen }, { store, clock: { wallNow: () => this.#now } });
  }

  async all(): Promise<void> {
    for (const [index, request] of this.#case.requests.entries()) {
      this.#current = index;
      await this.#one(request, index + 1);
      await this.#cache.settled();
      if (request.pause_after) this.#now += PAUSE;
    }
  }

  async #one(request: SuiteRequest, number: number): Promise<void> {
    const headers = new HTTPHeaderDict();
    for (const [name, value] of request.request_headers ?? []) {
      headers.add(name, this.#value(name, value, request.magic_ims ? this.#lastServerNow : this.#now));
    }
    headers.set("Req-Num", number);
    const path = `/${this.#case.id}${request.filename ? `/${request.filename}` : ""}${request.query_arg ? `?${request.query_arg}` : ""}`;
    const method = request.request_method ?? "GET";
    const body = request.request_body ?? null;
    let response: HTTPResponse;
    try {
      response = await this.#cache.urlopen(method, this.#origin + path, {
        headers,
        body,
        redirect: false,
        retries: false,
        cache: this.#mode,
      });
    } catch (error) {
      // The origin hung up on purpose.
      if (error instanceof ProtocolError && request.expected_type !== "cached") return;
      throw new Failure(`request ${number} failed: ${String(error)}`, request.setup ?? false);
    }
    this.#check(request, number, response);
  }

  #check(request: SuiteRequest, number: number, response: HTTPResponse): void {
    const setup = (name: string): boolean =>
      (request.setup ?? false) || (request.setup_tests ?? []).includes(name);
    const expect = (name: string, holds: boolean, text: string): void => {
      if (!holds) throw new Failure(`request ${number}: ${text}`, setup(name));
    };
    const seen = this.#seen.find((one) => one.number === number);
    const count = Number(response.headers.get("Server-Request-Count"));
    const type = request.expected_type;
    if (type === "cached")
      expect(
        "expected_type",
        response.status === 304 ? seen === undefined : count < number,
        "was not cached",
      );
    if (type === "not_cached") expect("expected_type", count === number, "was cached");
    if (type === "etag_validated")
      expect("expected_type", seen?.request.has("if-none-match") ?? false, "was not asked about by ETag");
    if (type === "lm_validated")
      expect("expected_type", seen?.request.has("if-modified-since") ?? false, "was not asked about by date");
    const status =
      request.expected_status ??
      (request.response_status?.[0] === undefined ? 200 : request.response_status[0]);
    if (request.expected_status !== null && type !== "cached")
      expect("expected_status", response.status === status, `status ${response.status}`);
    else if (request.expected_status !== undefined && request.expected_status !== null)
      expect("expected_status", response.status === request.expected_status, `status ${response.status}`);
    if (request.expected_method !== undefined)
      expect("expected_method", seen?.method === request.expected_method, `method ${seen?.method}`);
    this.#checkFields(request, expect, seen, response);
    this.#checkBody(request, number, expect, response);
  }

  #checkFields(
    request: SuiteRequest,
    expect: (name: string, holds: boolean, text: string) => void,
    seen: Exchange | undefined,
    response: HTTPResponse,
  ): void {
    for (const field of request.expected_request_headers ?? []) {
      const [name, value] = typeof field === "string" ? [field] : field;
      const found = seen?.request.get(name) ?? null;
      expect(
        "expected_request_headers",
        value === undefined ? found !== null : found === String(value),
        `request ${name}: ${found}`,
      );
    }
    for (const field of request.expected_request_headers_missing ?? []) {
      const [name, value] = typeof field === "string" ? [field] : field;
      const found = seen?.request.get(name) ?? null;
      expect(
        "expected_request_headers_missing",
        value === undefined ? found === null : found !== String(value),
        `request ${name} is there`,
      );
    }
    for (const field of request.expected_response_headers ?? [])
      this.#checkResponseField(field, expect, response);
    for (const field of request.expected_response_headers_missing ?? []) {
      const [name, value] = typeof field === "string" ? [field] : field;
      const found = response.headers.get(name);
      expect(
        "expected_response_headers_missing",
        value === undefined ? found === null : !(found ?? "").includes(String(value)),
        `${name} is there`,
      );
    }
  }

  #checkResponseField(
    field: string | Pair,
    expect: (name: string, holds: boolean, text: string) => void,
    response: HTTPResponse,
  ): void {
    const [name, value, more] = (typeof field === "string" ? [field] : field) as readonly [
      string,
      (string | number)?,
      number?,
    ];
    const found = response.headers.get(name);
    const holds = (): boolean => {
      if (value === undefined || name === "Date") return found !== null;
      if (value === ">") return Number(found) > Number(more);
      const isDate = DATES.has(name.toLowerCase()) && typeof value === "number";
      return found === (isDate ? this.#dateSent(name) : String(value));
    };
    expect("expected_response_headers", holds(), `${name}: ${found}, not ${value}`);
  }

  /** A date of seconds was another text in each answer: any that was sent will do. */
  #dateSent(name: string): string | null {
    return (
      this.#sent
        .filter((fields) => fields !== undefined)
        .at(-1)
        ?.get(name) ?? null
    );
  }

  #checkBody(
    request: SuiteRequest,
    number: number,
    expect: (name: string, holds: boolean, text: string) => void,
    response: HTTPResponse,
  ): void {
    const text = response.data.toString("latin1");
    if (request.check_body === false || response.status === 304 || response.method === "HEAD") return;
    if (request.expected_response_text !== undefined) {
      if (request.expected_response_text !== null)
        expect("expected_response_text", text === request.expected_response_text, `body ${text}`);
    } else if (request.response_body !== undefined && request.response_body !== null) {
      expect("expected_response_text", text === request.response_body, `body ${text}`);
    } else if (request.expected_type === "not_cached") {
      expect(
        "expected_response_text",
        text === this.#bodies[number],
        `body ${text} instead of ${this.#bodies[number]}`,
      );
    }
  }

  /** The origin. */
  #answer(method: string, url: string, options: UrlopenOptions = {}): Promise<HTTPResponse> {
    const request = new HTTPHeaderDict(options.headers);
    const number = Number(request.get("Req-Num"));
    // A question asked behind an answer is of that request.
    const config = this.#case.requests[Math.min(number, this.#current + 1) - 1]!;
    this.#seen.push({ number, request, method });
    if (config.disconnect) return Promise.reject(new ProtocolError("the origin hung up"));
    this.#now += (config.response_pause ?? 0) * 1000;
    this.#lastServerNow = this.#now;
    const previous = this.#sent[number - 1] ?? this.#fieldsOf(this.#case.requests[number - 2]);
    const validated = this.#validation(config, request, previous);
    const headers = this.#fieldsOf(config);
    if (!headers.has("date")) headers.set("Date", new Date(this.#now).toUTCString());
    if (!headers.has("content-type")) headers.set("Content-Type", "text/plain");
    headers.set("Server-Base-Url", url.replace(/\?.*/, ""));
    headers.set("Server-Request-Count", this.#seen.length);
    headers.set("Client-Request-Count", number);
    headers.set("Server-Now", this.#now);
    headers.set("Request-Numbers", this.#seen.map((one) => one.number).join(" "));
    const [status, reason] = validated ?? config.response_status ?? [200, "OK"];
    this.#sent[number] = headers;
    const body = config.response_body ?? `${this.#case.id} ${number} ${this.#seen.length}`;
    this.#bodies[number] = body;
    const empty = status === 304 || status === 204 || method === "HEAD";
    return Promise.resolve(
      new HTTPResponse({ status, reason, headers, method, url, body: empty ? null : body }),
    );
  }

  #fieldsOf(config: SuiteRequest | undefined): HTTPHeaderDict {
    const headers = new HTTPHeaderDict();
    for (const [name, value] of config?.response_headers ?? []) {
      headers.add(
        name,
        this.#located(config!, name, this.#value(name, value, this.#now, config!.rfc850date)),
      );
    }
    return headers;
  }

  #validation(
    config: SuiteRequest,
    request: HTTPHeaderDict,
    previous: HTTPHeaderDict | undefined,
  ): readonly [number, string] | null {
    const kind = config.expected_type;
    if (kind !== "etag_validated" && kind !== "lm_validated") return null;
    const [condition, validator] =
      kind === "etag_validated" ? ["if-none-match", "etag"] : ["if-modified-since", "last-modified"];
    const given = request.get(condition!);
    return given !== null && given === previous?.get(validator!)
      ? [304, "Not Modified"]
      : [999, `304 Not Generated`];
  }

  #located(config: SuiteRequest, name: string, value: string): string {
    const isPlace = ["location", "content-location"].includes(name.toLowerCase());
    return config.magic_locations && isPlace
      ? `${this.#origin}/${this.#case.id}${value === "" ? "" : `/${value}`}`
      : value;
  }

  #value(name: string, value: string | number, now: number, rfc850: readonly string[] = []): string {
    if (typeof value !== "number" || !DATES.has(name.toLowerCase())) return String(value);
    const date = new Date(now + value * 1000);
    return rfc850.includes(name.toLowerCase()) ? rfc850Date(date) : date.toUTCString();
  }
}

function rfc850Date(date: Date): string {
  const [, day, month, year, time] = /^\w+, (\d+) (\w+) (\d+) (\S+)/.exec(date.toUTCString())!;
  const weekday = date.toLocaleDateString("en", { weekday: "long", timeZone: "UTC" });
  return `${weekday}, ${day}-${month}-${year!.slice(2)} ${time} GMT`;
}
