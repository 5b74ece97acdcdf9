/**
 * What is to be tried next, and why: the decisions between two attempts of one request.
 *
 *  1. A failure is sent again silently if nothing can have come of it (policy/repeatable.ts), else `Retry` decides.
 *  2. A redirect is the next hop, with its own pool; `Retry` counts it (policy/redirect.ts).
 *  3. A proxy that asks for credentials gets them once for each hop, a server that knows no expectations (417) gets the
 *     request once without: both are part of asking, and cost no retry.
 *  4. An answer whose status asks for another try gets one, if `Retry` says so.
 */

import type { Payload } from "../body/request/encode.ts";
import type { Clock } from "../core/clock.ts";
import { HTTPError, MaxRetryError, ProtocolError, UnrewindableBodyError } from "../core/errors.ts";
import { ignore } from "../core/ignore.ts";
import type { AttemptMessage } from "../core/trace.ts";
import { parseUrl, type Url } from "../core/url.ts";
import { isRedirect, isRedirectStatus, nextHop } from "../policy/redirect.ts";
import { hasIdempotencyKey, mayResend } from "../policy/repeatable.ts";
import { isRetryable, type Retry } from "../policy/retry.ts";
import { redirectError } from "./failure.ts";
import type { Destination, PendingDestination, RequestSpec } from "./request.ts";
import type { HTTPResponse } from "./response/response.ts";
import type { SharedResources } from "./shared-resources.ts";

/** Finds the pool for a URL: a manager any, a pool only itself. */
export interface Router {
  /** Throws what makes `url` unreachable for it. */
  hop(url: Url): Destination | PendingDestination;
  /** Whether a redirect waits for its Retry-After: in urllib3 pools do, managers do not. */
  readonly waitsOnRedirect: boolean;
  readonly shared: SharedResources;
}

/** Where a request stands between two attempts. */
export class RequestPlan {
  /** What is asked for; changes from hop to hop. */
  call: RequestSpec;
  retries: Retry;
  /** Absolute URL of the hop. */
  url: string = "";
  /** `null` while its pool is being chosen. */
  hop: Destination | null = null;
  /** The next hop, while its pool is being chosen. */
  nextHop: Promise<Destination> | null = null;
  /** Attempts begun so far. */
  attempts: number;
  /** Why the next attempt is made. */
  reason: AttemptMessage["reason"] = "first";
  /** ms before the next attempt. */
  wait: number = 0;
  /** Of the jar, for the next attempt. */
  cookies: string = "";
  /** What `makeBody` gave last. */
  made: Payload | null = null;
  readonly #router: Router;
  readonly #clock: Clock;
  readonly #startedAt: number;
  /** Whether a challenge of this hop's proxy was answered. */
  #challenged = false;

  /** Throws what makes the hop unreachable. */
  constructor(
    call: RequestSpec,
    hop: Destination | PendingDestination,
    router: Router,
    startedAt: number,
    attempts: number,
  ) {
    this.call = call;
    this.attempts = attempts;
    this.retries = call.settings.retries;
    this.#router = router;
    this.#clock = router.shared.clock;
    this.#startedAt = startedAt;
    this.#goTo(hop);
  }

  /** The pool of the next hop was chosen. */
  enter(hop: Destination): void {
    this.nextHop = null;
    this.hop = hop;
    this.#challenged = false;
  }

  /** Adds to one of our errors what it came of. */
  describe(error: unknown): unknown {
    if (!(error instanceof HTTPError)) return error;
    return error.describe({ method: this.call.method, url: this.url, attempt: this.attempts });
  }

  /** Whether `response` is the one the caller gets; if not, the next attempt is prepared. */
  accepts(response: HTTPResponse): boolean {
    response.retries = this.retries;
    const { status } = response;
    if (status === 407 && this.#answersChallenge(response)) return false;
    if (status === 417 && this.#dropsExpectation()) return false;
    if (this.call.settings.redirect && isRedirectStatus(status)) {
      const location = locationOf(response);
      if (isRedirect(status, location)) return !this.#redirected(response, location);
    }
    return !this.#retriedForStatus(response);
  }

  /** What is likely to be passed over is not read for it: its body may be large, endless, or broken. */
  mayPassOver(response: HTTPResponse): boolean {
    const { redirect, releaseConn } = this.call.settings;
    const { status } = response;
    if (releaseConn === false) return false;
    if (status === 407 && this.#mayAnswerChallenge) return true;
    if (status === 417 && this.#mayDropExpectation) return true;
    const { raiseOnRedirect, raiseOnStatus } = this.retries;
    try {
      if (redirect && isRedirectStatus(status)) {
        return isRedirect(status, locationOf(response)) && (raiseOnRedirect || this.#hasLeft("redirect"));
      }
      return this.#asksForRetry(response) && (raiseOnStatus || this.#hasLeft("status"));
    } catch {
      // The decision itself will fail, and report why.
      return false;
    }
  }

  /** Prepares another attempt after `error`, or throws what the caller gets. */
  recover(error: unknown): void {
    if (!(error instanceof Error)) throw error;
    if (this.reason !== "resend" && this.#maySendAgain(error)) {
      this.reason = "resend";
      return;
    }
    this.describe(error);
    if (!isRetryable(error)) throw error;
    this.retries = this.#count({ error });
    this.#rewind(error);
    this.reason = "retry";
    this.wait = this.retries.waitTime();
  }

  /** Only a connection that broke: a server that is merely slow may still be at work on the request. */
  #maySendAgain(error: Error): boolean {
    if (!(error instanceof ProtocolError)) return false;
    return mayResend({
      reused: error.reused ?? false,
      bytesWritten: error.bytesWritten ?? 0,
      responseStarted: error.responseStarted ?? false,
      method: this.call.method,
      bodyReplayable: this.#bodyReplayable,
      idempotencyKey: this.#idempotent,
    });
  }

  get #bodyReplayable(): boolean {
    return this.call.makeBody !== null || this.call.body === null || this.call.body.replayable;
  }

  get #idempotent(): boolean {
    return hasIdempotencyKey(this.call.headers);
  }

  /** Throws `UnrewindableBodyError` if the body is needed again and cannot be had. */
  #rewind(cause: unknown): void {
    if (this.#bodyReplayable) return;
    const text = "The body can be read only once and was read: give a function that makes it anew";
    throw this.describe(new UnrewindableBodyError(text, { cause, phase: "write" }));
  }

  /** Prepares the hop to `location`; false if the redirect itself is what the caller gets. */
  #redirected(response: HTTPResponse, location: string): boolean {
    // First: where no redirect is to be followed, none needs to be understood.
    const counted = this.#countOrKeep(response, this.retries.raiseOnRedirect);
    if (counted === null) return false;
    const { call } = this;
    const hop = nextHop({
      method: call.method,
      url: parseUrl(this.url),
      headers: call.headers,
      status: response.status,
      location,
      hasBody: call.body !== null || call.makeBody !== null || call.settings.chunked,
      removeHeadersOnRedirect: this.retries.removeHeadersOnRedirect,
    });
    this.retries = counted;
    this.reason = "redirect";
    if (!hop.dropBody) this.#rewind(undefined);
    if (this.#router.waitsOnRedirect) {
      this.wait = counted.retryAfter(response, this.#clock.wallNow()) ?? 0;
    }
    const rest = hop.dropBody
      ? { body: null, makeBody: null, settings: { ...call.settings, chunked: false } }
      : {};
    this.call = { ...call, method: hop.method, headers: hop.headers, ...rest };
    try {
      this.#goTo(this.#router.hop(hop.url));
    } catch (error) {
      throw redirectError(error, hop.url, location);
    }
    return true;
  }

  /** Prepares the answer to what the proxy asks for. */
  #answersChallenge(response: HTTPResponse): boolean {
    if (!this.#mayAnswerChallenge) return false;
    if (!this.hop!.proxy!.auth!.accept(response.headers.getList("proxy-authenticate"))) return false;
    this.#challenged = true;
    this.reason = "challenge";
    return true;
  }

  get #mayAnswerChallenge(): boolean {
    const auth = this.hop?.proxy?.auth ?? null;
    return auth !== null && !this.#challenged && this.#bodyReplayable;
  }

  get #mayDropExpectation(): boolean {
    return this.call.headers?.has("expect") === true && this.#bodyReplayable;
  }

  /** Prepares the request without `Expect` (RFC 9110 §10.1.1). */
  #dropsExpectation(): boolean {
    const { call } = this;
    if (!this.#mayDropExpectation) return false;
    const headers = call.headers!.copy();
    headers.delete("expect");
    this.call = { ...call, headers };
    this.reason = "expectation";
    return true;
  }

  /** Whether one more redirect or answer can be counted. */
  #hasLeft(kind: "redirect" | "status"): boolean {
    return this.retries.total !== 0 && this.retries[kind] !== 0;
  }

  /** Prepares the retry that the status asks for; false if the answer stands. */
  #retriedForStatus(response: HTTPResponse): boolean {
    if (!this.#asksForRetry(response)) return false;
    const counted = this.#countOrKeep(response, this.retries.raiseOnStatus);
    if (counted === null) return false;
    this.retries = counted;
    this.reason = "retry";
    this.#rewind(undefined);
    this.wait = counted.waitTime({ response, wallNow: this.#clock.wallNow() });
    return true;
  }

  #asksForRetry(response: HTTPResponse): boolean {
    const { status } = response;
    if (status < 400 && !this.retries.statusForcelist.has(status)) return false;
    return this.retries.retriesAnswer(this.call.method, response, {
      idempotent: this.#idempotent,
      wallNow: this.#clock.wallNow(),
      timeLeft: this.call.settings.deadline - (this.#clock.now() - this.#startedAt),
      url: this.url,
    });
  }

  /** Counts the answer as a failure. When the retries are used up: throws if `raise`, else `null`. */
  #countOrKeep(response: HTTPResponse, raise: boolean): Retry | null {
    try {
      return this.#count({ response });
    } catch (error) {
      if (raise || !(error instanceof MaxRetryError)) throw error;
      return null;
    }
  }

  #count(failure: { response?: HTTPResponse; error?: Error }): Retry {
    try {
      const facts = { method: this.call.method, url: this.url, idempotent: this.#idempotent };
      return this.retries.increment({ ...facts, ...failure });
    } catch (error) {
      throw this.describe(error);
    }
  }

  #goTo(hop: Destination | PendingDestination): void {
    this.url = hop.url;
    if (!("chosen" in hop)) {
      this.enter(hop);
      return;
    }
    this.nextHop = hop.chosen;
    // It may fail while nobody looks yet.
    hop.chosen.catch(ignore);
  }
}

/** Equal Location lines count as one; different ones leave more than one reading. Throws `ProtocolError`. */
function locationOf(response: HTTPResponse): string | null {
  const locations = response.headers.getList("location");
  const [first = null] = locations;
  if (locations.every((location) => location === first)) return first;
  throw new ProtocolError("The answer has several Location fields that differ", { phase: "head" });
}
