/**
 * The life of a request, in one loop: acquire -> send -> decide -> again or done.
 *
 *  1. A hop is a pool and a target; its message is written once (message.ts).
 *  2. An attempt waits for a connection, sends the message and takes the answer (attempt.ts).
 *  3. A failure is sent again silently if nothing can have come of it (policy/repeatable.ts), else `Retry` decides.
 *  4. A redirect is the next hop, with its own pool; `Retry` counts it (policy/redirect.ts).
 *  5. An answer whose status asks for another try gets one, if `Retry` says so.
 *  6. Between attempts lies `Retry`'s wait; signal and deadline end everything at any point (guard.ts).
 */

import type { Payload } from "../body/request/payload.ts";
import type { Clock } from "../core/clock.ts";
import { HTTPError, MaxRetryError, ProtocolError, UnrewindableBodyError } from "../core/errors.ts";
import { type AttemptMessage, type RequestStartMessage, trace } from "../core/trace.ts";
import { parseUrl, type Url } from "../core/url.ts";
import { isRedirect, isRedirectStatus, nextHop } from "../policy/redirect.ts";
import { hasIdempotencyKey, mayResend } from "../policy/repeatable.ts";
import { isRetryable, type Retry } from "../policy/retry.ts";
import { Attempt, type Judge, type Settler } from "./attempt.ts";
import { addCallers, keepAnswer, redirectError } from "./failure.ts";
import { Guard } from "./guard.ts";
import { fieldsAfterHook, tellResponse } from "./hooks.ts";
import { type Call, type Hop, type Message, type PendingHop, withBody, writeMessage } from "./request.ts";
import { callSite } from "./response/abandoned.ts";
import type { HTTPResponse } from "./response/response.ts";
import type { Commons } from "./shared-resources.ts";

/** Finds the pool for a URL: a manager any, a pool only itself. */
export interface Router {
  /** Throws what makes `url` unreachable for it. */
  hop(url: Url): Hop | PendingHop;
  /** Whether a redirect waits for its Retry-After: in urllib3 pools do, managers do not. */
  readonly waitsOnRedirect: boolean;
  readonly commons: Commons;
}

/**
 * Carries a request to its end. Rejects with one of the library's errors, or with the signal's reason.
 *
 * Most requests end with the answer to their first attempt: it settles the one promise at once. What needs more goes on
 * in `walk`.
 */
export function exchange(call: Call, hop: Hop | PendingHop, router: Router): Promise<HTTPResponse> {
  return new Promise((resolve, reject) => {
    new Journey(call, hop, router, resolve, reject).start();
  });
}

/** The whole way. `first`: what comes of an attempt that was made already. */
async function walk(journey: Journey, first: Promise<HTTPResponse> | null): Promise<HTTPResponse> {
  let response = null as HTTPResponse | null;
  try {
    for (let attempt = first; ; attempt = null) {
      response = null;
      if (attempt === null) {
        if (journey.needsHop) await journey.takeHop();
        if (journey.needsBody) await journey.makeBody();
      }
      try {
        response = await (attempt ?? journey.run());
      } catch (error) {
        journey.recover(error);
      }
      if (response !== null && journey.arrivedWith(response)) {
        if (journey.wantsWhole) await response.preload();
        return response;
      }
      if (response !== null) await journey.passOver(response);
      if (journey.wait > 0) await journey.backOff();
    }
  } catch (error) {
    if (response !== null) await keepAnswer(error, response, journey.clock);
    journey.describe(error);
    addCallers(error);
    journey.traceError(error);
    throw error;
  } finally {
    journey.end();
  }
}

let lastId = 0;

function ignore(): void {}

/** Where a request stands between two attempts. */
class Journey implements Judge, Settler {
  /** ms before the next attempt. */
  wait: number = 0;
  readonly #router: Router;
  readonly #guard: Guard;
  #call: Call;
  /** `null` until its hop is known and its body is made. */
  #message: Message | null = null;
  #hop!: Hop;
  /** The next hop, while its way is being chosen. */
  #nextHop: Promise<Hop> | null = null;
  #url = "";
  /** Whether a challenge of this hop's proxy was answered. */
  #challenged = false;
  #retries: Retry;
  #attempt: Attempt | null = null;
  /** What `makeBody` gave last. */
  #made: Payload | null = null;
  #attempts = 0;
  /** Why the next attempt is made. */
  #reason: AttemptMessage["reason"] = "first";
  readonly #id = ++lastId;
  readonly clock: Clock;
  readonly #startedAt: number;
  readonly #calledAt = callSite(exchange);

  #resolve: (response: HTTPResponse) => void;
  #reject: (error: unknown) => void;

  /** `resolve` and `reject` settle what the caller waits for. */
  constructor(
    call: Call,
    hop: Hop | PendingHop,
    router: Router,
    resolve: (response: HTTPResponse) => void,
    reject: (error: unknown) => void,
  ) {
    const { signal, deadline, retries } = call.settings;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#router = router;
    this.#call = call;
    this.#retries = retries;
    this.#head(hop);
    this.clock = router.commons.clock;
    this.#startedAt = this.clock.now();
    retries.budget?.recordRequest();
    this.#guard = new Guard(signal, deadline, router.commons.timers);
  }

  start(): void {
    this.begin();
    if (this.needsHop || this.needsBody) {
      this.#walkOn(null);
      return;
    }
    try {
      this.attempt().run(this);
    } catch (error) {
      this.failed(error);
    }
  }

  // Of the first attempt

  arrived(response: HTTPResponse): void {
    const { status } = response;
    const plain = status >= 200 && status < 300 && !this.#retries.statusForcelist.has(status);
    // A hook may throw: that is the way on for what fails.
    if (!plain || this.wantsWhole || this.#call.settings.onResponse !== null) {
      this.#walkOn(Promise.resolve(response));
      return;
    }
    response.retries = this.#retries;
    this.#arrive(response);
    this.end();
    const resolve = this.#resolve;
    this.#letGo();
    resolve(response);
  }

  failed(error: unknown): void {
    this.#walkOn(Promise.reject(error));
  }

  #walkOn(first: Promise<HTTPResponse> | null): void {
    walk(this, first).then(this.#resolve, this.#reject);
    this.#letGo();
  }

  /** The promise holds the response, and a streamed body this journey: a forgotten response could never be collected. */
  #letGo(): void {
    this.#resolve = this.#reject = ignore;
  }

  /** The next attempt. */
  run(): Promise<HTTPResponse> {
    return new Promise((arrived, failed) => this.attempt().run({ arrived, failed }));
  }

  get needsHop(): boolean {
    return this.#nextHop !== null;
  }

  /** Waits until the way is chosen. */
  async takeHop(): Promise<void> {
    this.#enter(await this.#guarded(this.#nextHop!));
  }

  get needsBody(): boolean {
    return this.#call.makeBody !== null;
  }

  /** Makes the body of the next attempt, and with it the message. */
  async makeBody(): Promise<void> {
    this.#guard.check();
    this.#made?.discard?.();
    const making = Promise.resolve(this.#call.makeBody!());
    try {
      this.#made = await this.#guarded(making);
    } catch (error) {
      making.then((late) => late.discard?.(), ignore);
      throw error;
    }
    this.#message = writeMessage(withBody(this.#call, this.#made), this.#hop);
  }

  /** What the caller's code promises, unless the request is stopped first. */
  #guarded<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#guard.watch({ stop: (reason) => reject(this.describe(reason)) });
      promise.then(resolve, reject);
    });
  }

  /** The next attempt, ready to run. */
  attempt(): Attempt {
    // The first attempt begins with the call.
    const queuedAt = this.#attempts === 0 ? this.#startedAt : this.clock.now();
    // A proxy that wants Digest wants other credentials each time.
    if (this.#attempts > 0 && this.#hop.proxy?.auth?.changes && !this.needsBody) {
      this.#message = writeMessage(this.#call, this.#hop);
    }
    if (this.#call.settings.onRequest !== null) this.#message = this.#hookedMessage();
    const attempt = new Attempt(this.#message!, this.#call.settings, this.clock, this.#startedAt, queuedAt);
    this.#guard.watch(attempt);
    // Connections that were idle as long as the one that died may be dead too.
    attempt.fresh = this.#reason === "resend";
    attempt.attempt = ++this.#attempts;
    attempt.calledAt = this.#calledAt;
    attempt.judge = this;
    this.wait = 0;
    if (trace.attemptStart.hasSubscribers) {
      trace.attemptStart.publish({ ...this.#facts(), attempt: this.#attempts, reason: this.#reason });
    }
    this.#attempt = attempt;
    if (this.#reason === "resend") this.#router.commons.resent++;
    this.#hop.count();
    return attempt;
  }

  /** The message of the next attempt, with the fields that the caller's hook gives it. */
  #hookedMessage(): Message {
    const call = this.#made === null ? this.#call : withBody(this.#call, this.#made);
    const facts = { method: call.method, url: this.#url, attempt: this.#attempts + 1 };
    const headers = fieldsAfterHook(call.settings, call.headers, facts);
    return writeMessage({ ...call, headers }, this.#hop);
  }

  /** Whether `response` is the one the caller gets; if not, the next attempt is prepared. */
  arrivedWith(response: HTTPResponse): boolean {
    response.retries = this.#retries;
    this.#tellOf(response);
    if (response.status === 407 && this.#answersChallenge(response)) return false;
    if (this.#call.settings.redirect && isRedirectStatus(response.status)) {
      const location = response.headers.get("location");
      if (isRedirect(response.status, location))
        return !this.#redirected(response, location) && this.#arrive(response);
    }
    return !this.#retriedForStatus(response) && this.#arrive(response);
  }

  /** What is likely to be passed over is not read for it: its body may be large, endless, or broken. */
  mayPassOver(response: HTTPResponse): boolean {
    const { redirect, releaseConn } = this.#call.settings;
    if (releaseConn === false) return false;
    if (redirect && isRedirectStatus(response.status)) {
      return isRedirect(response.status, response.headers.get("location"));
    }
    try {
      return this.#asksForRetry(response);
    } catch {
      // A Retry of somebody's own has failed: so it will when it is asked in earnest.
      return false;
    }
  }

  /** Whether the caller wants the body of the answer with it, and it was not collected. */
  get wantsWhole(): boolean {
    return this.#call.settings.preloadContent && this.#attempt!.source !== null;
  }

  /** The next attempt shall find the connection free, if it can be had soon. */
  async passOver(response: HTTPResponse): Promise<void> {
    response.releaseConn();
    if (this.wantsWhole) await this.#attempt!.source!.settled();
  }

  backOff(): Promise<void> {
    return new Promise((resolve, reject) => {
      // First the watch: it throws if the request was stopped while the last attempt failed.
      this.#guard.watch({
        stop: (reason) => {
          timer.cancel();
          if (reason instanceof HTTPError) reason.describe({ phase: "backoff" });
          reject(this.describe(reason));
        },
      });
      const timer = this.clock.setTimer(resolve, this.wait, true);
    });
  }

  begin(): void {
    this.#router.commons.begin(this.#guard.link);
    if (trace.requestStart.hasSubscribers) trace.requestStart.publish(this.#facts());
  }

  /** The request is over when its body is: the caller of a streamed one reads on, under the same signal and deadline. */
  end(): void {
    const attempt = this.#attempt;
    if (attempt === null || attempt.source === null || attempt.source.ended) this.#finish();
    else attempt.onBodyEnd = () => this.#finish();
  }

  #finish(): void {
    this.#made?.discard?.();
    this.#guard.end();
    this.#router.commons.end(this.#guard.link);
  }

  #tellOf(response: HTTPResponse): void {
    const { settings, method } = this.#call;
    if (settings.onResponse === null) return;
    tellResponse(settings, response, { method, url: this.#url, attempt: this.#attempts });
  }

  #arrive(response: HTTPResponse): true {
    if (trace.requestEnd.hasSubscribers) {
      trace.requestEnd.publish({ ...this.#facts(), status: response.status, attempts: this.#attempts });
    }
    return true;
  }

  traceError(error: unknown): void {
    if (!trace.requestError.hasSubscribers) return;
    trace.requestError.publish({ ...this.#facts(), error, attempts: this.#attempts });
  }

  #facts(): RequestStartMessage {
    return { request: this.#id, method: this.#call.method, url: this.#url };
  }

  /** Prepares another attempt after `error`, or throws what the caller gets. */
  recover(error: unknown): void {
    if (this.#guard.caused(error) || !(error instanceof Error)) throw this.describe(error);
    if (this.#reason !== "resend" && this.#maySendAgain(error)) {
      this.#reason = "resend";
      return;
    }
    this.describe(error);
    if (!isRetryable(error)) throw error;
    this.#retries = this.#count({ error });
    this.#rewind(error);
    this.#reason = "retry";
    this.wait = this.#retries.waitTime();
  }

  /** Only a connection that broke: a server that is merely slow may still be at work on the request. */
  #maySendAgain(error: Error): boolean {
    if (!(error instanceof ProtocolError)) return false;
    return mayResend({
      reused: error.reused ?? false,
      bytesWritten: error.bytesWritten ?? 0,
      responseStarted: error.responseStarted ?? false,
      method: this.#call.method,
      bodyReplayable: this.#bodyReplayable,
      idempotencyKey: this.#idempotent,
    });
  }

  get #bodyReplayable(): boolean {
    return this.#call.makeBody !== null || this.#call.body === null || this.#call.body.replayable;
  }

  /** Throws `UnrewindableBodyError` if the body is needed again and cannot be had. */
  #rewind(cause: unknown): void {
    if (this.#bodyReplayable) return;
    const text = "The body can be read only once and was read: give a function that makes it anew";
    throw this.describe(new UnrewindableBodyError(text, { cause, phase: "write" }));
  }

  get #idempotent(): boolean {
    return hasIdempotencyKey(this.#call.headers);
  }

  /** Prepares the hop to `location`; false if the redirect itself is what the caller gets. */
  #redirected(response: HTTPResponse, location: string): boolean {
    // First: where no redirect is to be followed, none needs to be understood.
    const counted = this.#countOrKeep(response, this.#retries.raiseOnRedirect);
    if (counted === null) return false;
    const call = this.#call;
    const hop = nextHop({
      method: call.method,
      url: parseUrl(this.#url),
      headers: call.headers,
      status: response.status,
      location,
      hasBody: call.body !== null || call.makeBody !== null || call.settings.chunked,
      removeHeadersOnRedirect: this.#retries.removeHeadersOnRedirect,
    });
    this.#retries = counted;
    this.#reason = "redirect";
    if (!hop.dropBody) this.#rewind(undefined);
    if (this.#router.waitsOnRedirect) {
      this.wait = counted.retryAfter(response, this.clock.wallNow()) ?? 0;
    }
    const rest = hop.dropBody
      ? { body: null, makeBody: null, settings: { ...call.settings, chunked: false } }
      : {};
    this.#call = { ...call, method: hop.method, headers: hop.headers, ...rest };
    try {
      this.#head(this.#router.hop(hop.url));
    } catch (error) {
      throw redirectError(error, hop.url, location);
    }
    return true;
  }

  /** Prepares the answer to what the proxy asks for, once for each hop: it is part of asking, and costs no retry. */
  #answersChallenge(response: HTTPResponse): boolean {
    const auth = this.#hop.proxy?.auth ?? null;
    if (auth === null || this.#challenged || !this.#bodyReplayable) return false;
    if (!auth.accept(response.headers.getList("proxy-authenticate"))) return false;
    this.#challenged = true;
    this.#reason = "challenge";
    return true;
  }

  /** Prepares the retry that the status asks for; false if the answer stands. */
  #retriedForStatus(response: HTTPResponse): boolean {
    if (!this.#asksForRetry(response)) return false;
    const counted = this.#countOrKeep(response, this.#retries.raiseOnStatus);
    if (counted === null) return false;
    this.#retries = counted;
    this.#reason = "retry";
    this.#rewind(undefined);
    this.wait = counted.waitTime({ response, wallNow: this.clock.wallNow() });
    return true;
  }

  #asksForRetry(response: HTTPResponse): boolean {
    const { status } = response;
    if (status < 400 && !this.#retries.statusForcelist.has(status)) return false;
    return this.#retries.retriesAnswer(this.#call.method, response, {
      idempotent: this.#idempotent,
      wallNow: this.clock.wallNow(),
      timeLeft: this.#call.settings.deadline - (this.clock.now() - this.#startedAt),
      url: this.#url,
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
      const facts = { method: this.#call.method, url: this.#url, idempotent: this.#idempotent };
      return this.#retries.increment({ ...facts, ...failure });
    } catch (error) {
      throw this.describe(error);
    }
  }

  #head(hop: Hop | PendingHop): void {
    this.#url = hop.url;
    if (!("chosen" in hop)) {
      this.#enter(hop);
      return;
    }
    this.#nextHop = hop.chosen;
    // It may fail while nobody looks yet.
    hop.chosen.catch(ignore);
  }

  #enter(hop: Hop): void {
    this.#nextHop = null;
    this.#hop = hop;
    this.#challenged = false;
    this.#message = this.#call.makeBody === null ? this.#write() : null;
  }

  #write(): Message {
    try {
      return writeMessage(this.#call, this.#hop);
    } catch (error) {
      throw this.describe(error);
    }
  }

  /** Adds to one of our errors what it came of. */
  describe(error: unknown): unknown {
    if (!(error instanceof HTTPError)) return error;
    return error.describe({ method: this.#call.method, url: this.#url, attempt: this.#attempts });
  }
}
