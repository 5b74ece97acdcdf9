/** Routes: which requests are expected, what answers them, and what an unexpected one came nearest to. */

import { HTTPError } from "../index.ts";
import type { MockAnswer } from "./answer.ts";
import type { MockRequest } from "./request.ts";

/** What a request must be like. What is left out may be anything. */
export interface RouteMatch {
  readonly method?: string | undefined;
  /** All of it, with its query and without a fragment, as `URL.href` has it. */
  readonly url?: string | undefined;
  /** Such as `https://api.test`. */
  readonly origin?: string | RegExp | undefined;
  /** Without query, such as `/users/:id`. */
  readonly path?: string | RegExp | undefined;
  readonly headers?: Readonly<Record<string, string | RegExp>> | undefined;
  readonly body?: ((body: Buffer) => boolean) | undefined;
}

/** An answer or its status alone, several in turn, or a function that makes one for a request. */
export type Reply<Answer extends object = MockAnswer> =
  | Answer
  | number
  | readonly (Answer | number)[]
  | Handler<Answer>;

type Handler<Answer> = (request: MockRequest) => Answer | number | PromiseLike<Answer | number>;

/** A request came that no route takes. It is not sent again. */
export class UnexpectedRequestError extends HTTPError {}

/** One expected kind of request. */
export class MockRoute<Answer extends object = MockAnswer> {
  /** The requests it answered. */
  readonly calls: MockRequest[] = [];
  readonly #match: RouteMatch;
  readonly #replies: readonly (Answer | number)[] | Handler<Answer>;
  #limit = Number.POSITIVE_INFINITY;

  constructor(match: RouteMatch, reply: Reply<Answer>) {
    this.#match = match;
    this.#replies = isHandler(reply) || isList(reply) ? reply : [reply];
  }

  /** Answers one request only. */
  once(): this {
    return this.times(1);
  }

  /** Answers `count` requests only. */
  times(count: number): this {
    this.#limit = count;
    return this;
  }

  /** Whether it answered as many requests as it was to: all of its list, or of its `times`. */
  get complete(): boolean {
    const list = typeof this.#replies === "function" || this.#replies.length < 2 ? 0 : this.#replies.length;
    return this.calls.length >= (Number.isFinite(this.#limit) ? this.#limit : list);
  }

  /** What keeps it from answering `request`, nothing if it does. */
  differences(request: MockRequest): string[] {
    const { method, url: whole, origin, path, headers = {}, body } = this.#match;
    const url = new URL(request.url);
    const found: string[] = [];
    if (method !== undefined && method !== request.method) found.push(`method is ${request.method}`);
    if (whole !== undefined && whole !== request.url)
      found.push(`URL is ${url.origin}${url.pathname}, or its query differs`);
    if (origin !== undefined && !accepts(origin, url.origin)) found.push(`origin is ${url.origin}`);
    if (path !== undefined && paramsOf(path, url.pathname) === null) found.push(`path is ${url.pathname}`);
    for (const [name, value] of Object.entries(headers)) {
      if (!accepts(value, request.headers.get(name) ?? "")) found.push(`header ${name} differs`);
    }
    if (body !== undefined && !body(request.body)) found.push("body differs");
    if (this.calls.length >= this.#limit) found.push(`used up after ${this.#limit}`);
    return found;
  }

  /** Takes `request` and gives its answer. */
  async answer(request: MockRequest): Promise<Answer> {
    const { path } = this.#match;
    if (path !== undefined) request.params = paramsOf(path, new URL(request.url).pathname) ?? {};
    const turn = this.calls.push(request) - 1;
    const replies = this.#replies;
    const reply =
      typeof replies === "function" ? await replies(request) : replies[Math.min(turn, replies.length - 1)];
    return (typeof reply === "number" ? { status: reply } : (reply ?? {})) as Answer;
  }

  toString(): string {
    const { method = "any method", url, origin = "", path = "" } = this.#match;
    return `${method} ${url?.split("?", 1)[0] ?? `${origin}${path}`}`;
  }
}

/** The error for `request`, with the three routes that came nearest. */
export function unexpected(
  request: MockRequest,
  routes: readonly Pick<MockRoute, "differences" | "toString">[],
): UnexpectedRequestError {
  const near = routes
    .map((route) => ({ route, found: route.differences(request) }))
    .sort((a, b) => a.found.length - b.found.length)
    .slice(0, 3)
    .map(({ route, found }) => `\n  ${route}: ${found.join(", ")}`);
  const { origin, pathname } = new URL(request.url);
  const list = near.length === 0 ? " There are no routes." : ` Nearest routes:${near.join("")}`;
  return new UnexpectedRequestError(`No route takes ${request.method} ${origin}${pathname}.${list}`, {
    phase: "request",
  });
}

function isList<Answer extends object>(reply: Reply<Answer>): reply is readonly (Answer | number)[] {
  return Array.isArray(reply);
}

function isHandler<Answer extends object>(reply: Reply<Answer>): reply is Handler<Answer> {
  return typeof reply === "function";
}

function accepts(wanted: string | RegExp, value: string): boolean {
  return typeof wanted === "string" ? wanted === value : value.search(wanted) >= 0;
}

/** What the `:name` parts of `wanted` match in `path`; `null` if it does not match. */
function paramsOf(wanted: string | RegExp, path: string): Record<string, string> | null {
  if (typeof wanted !== "string") return accepts(wanted, path) ? {} : null;
  const parts = wanted.split("/");
  const given = path.split("/");
  if (parts.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const value = given[index]!;
    if (part.startsWith(":") && value !== "") params[part.slice(1)] = decoded(value);
    else if (part !== value) return null;
  }
  return params;
}

/** A part of a path; as it came where it cannot be decoded. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
