/**
 * The life of a request, in one loop: acquire -> send -> decide -> again or done.
 *
 *  1. A hop is a pool and a target; the request for it is made once (request.ts).
 *  2. An attempt waits for a connection, sends the request and takes the answer (attempt.ts).
 *  3. Between two attempts the plan decides: silent resend, `Retry`, redirect, or done (request-plan.ts).
 *  4. Then comes `Retry`'s wait; signal, deadline and the manager's end stop everything at any point (guard.ts).
 *  5. A body of the caller's is owned from the start: its failure ends the request at any time, and it is closed if
 *     nobody has read it.
 */

import { AsyncResource } from "node:async_hooks";
import type { Payload } from "../body/request/payload.ts";
import { sourceError } from "../body/request/sources.ts";
import type { Clock } from "../core/clock.ts";
import { HTTPError } from "../core/errors.ts";
import { ignore } from "../core/ignore.ts";
import { type AttemptMessage, type RequestStartMessage, trace } from "../core/trace.ts";
import type { LinkedList, ListMember } from "../pool/linked-list.ts";
import { Attempt, type AttemptContext, type Settler } from "./attempt.ts";
import { type CookieJarLike, cookiesFor, keepCookies, siteContext, withCookies } from "./cookies.ts";
import { addCallers, keepAnswer } from "./failure.ts";
import { Guard, type Stoppable } from "./guard.ts";
import { fieldsAfterHook, tellResponse } from "./hooks.ts";
import {
  type Destination,
  hasCallersCode,
  makeRequest,
  type OutgoingRequest,
  type PendingDestination,
  type RequestSpec,
  withBody,
} from "./request.ts";
import { RequestPlan, type Router } from "./request-plan.ts";
import { callSite } from "./response/abandoned.ts";
import type { HTTPResponse } from "./response/response.ts";
import { Stopwatch } from "./response/timings.ts";
import type { CallSettings } from "./settings.ts";

export type { Router } from "./request-plan.ts";

/**
 * Carries a request to its end. Rejects with one of the library's errors, or with the signal's reason.
 *
 * Most requests end with the answer to their first attempt: it settles the one promise at once. What needs more goes on
 * in `walk`.
 */
export function runRequest(
  call: RequestSpec,
  hop: Destination | PendingDestination,
  router: Router,
): Promise<HTTPResponse> {
  return new Promise((resolve, reject) => {
    new RequestRun(call, hop, router, resolve, reject).start();
  });
}

/** The whole way. `first`: what comes of an attempt that was made already. */
async function walk(run: RequestRun, first: Promise<HTTPResponse> | null): Promise<HTTPResponse> {
  const { plan } = run;
  let response = null as HTTPResponse | null;
  try {
    for (let attempt = first; ; attempt = null) {
      response = null;
      if (attempt === null) await run.prepare();
      try {
        response = await (attempt ?? run.attempt());
      } catch (error) {
        run.check();
        plan.recover(error);
      }
      if (response !== null) await run.learnFrom(response);
      if (response !== null && plan.accepts(response)) {
        if (run.wantsWhole) await response.preload(plan.call.settings.into);
        run.traceEnd(response);
        return response;
      }
      if (response !== null) await run.passOver(response);
      if (plan.wait > 0) await run.backOff();
    }
  } catch (error) {
    if (response !== null) await keepAnswer(error, response, run.clock);
    plan.describe(error);
    addCallers(error);
    run.traceError(error);
    throw error;
  } finally {
    run.end();
  }
}

let lastId = 0;

/** One request under way. */
class RequestRun implements ListMember, AttemptContext, Settler, Stoppable {
  list: LinkedList<ListMember> | null = null;
  previous: ListMember | null = null;
  next: ListMember | null = null;
  readonly id: number = ++lastId;
  readonly calledAt: string | null = callSite(runRequest);
  readonly #router: Router;
  readonly #startedAt: number;
  /** What the caller asked for. */
  readonly #call: RequestSpec;
  /** Where it goes first. */
  readonly #hop: Destination | PendingDestination;
  /** Most requests need none: see `plan`. */
  #plan: RequestPlan | null = null;
  readonly #guard: Guard | null;
  /** Where the caller's functions run; `null` where there are none. */
  readonly callers: AsyncResource | null;
  #request: OutgoingRequest | null = null;
  #attempt: Attempt | null = null;
  /** What works on the request now. */
  #current: Stoppable | null = null;
  /** Why the request was stopped. */
  #stopped: { readonly reason: unknown } | null = null;
  #ended = false;
  #resolve: (response: HTTPResponse) => void;
  #reject: (error: unknown) => void;

  /** `resolve` and `reject` settle what the caller waits for. */
  constructor(
    call: RequestSpec,
    hop: Destination | PendingDestination,
    router: Router,
    resolve: (response: HTTPResponse) => void,
    reject: (error: unknown) => void,
  ) {
    const { signal, deadline, retries } = call.settings;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#router = router;
    this.#call = call;
    this.#hop = hop;
    this.#startedAt = this.clock.now();
    const isAsked = hasCallersCode(call) || "chosen" in hop || hop.pool.settings.asksCaller === true;
    this.callers = isAsked ? new AsyncResource("urlpool.request") : null;
    retries.budget?.recordRequest();
    this.#own(call.given);
    const guarded = signal !== null || deadline !== Number.POSITIVE_INFINITY;
    this.#guard = guarded ? new Guard(signal, deadline, router.shared.timers, this) : null;
  }

  get clock(): Clock {
    return this.#router.shared.clock;
  }

  start(): void {
    this.#router.shared.begin(this);
    if (trace.requestStart.hasSubscribers) trace.requestStart.publish(this.#facts());
    const { makeBody, settings } = this.#call;
    if ("chosen" in this.#hop || makeBody !== null || settings.cookieJar !== null) {
      this.#walkOn(null);
      return;
    }
    try {
      this.check();
      this.#makeRequest(this.#call, this.#hop);
      this.#newAttempt(1, settings, "first", null).run(this);
    } catch (error) {
      this.failed(error);
    }
  }

  /** What the first attempt comes to may need: most requests end with that, and without one. */
  get plan(): RequestPlan {
    const begun = this.#attempt === null ? 0 : 1;
    this.#plan ??= new RequestPlan(this.#call, this.#hop, this.#router, this.#startedAt, begun);
    return this.#plan;
  }

  // Of the first attempt

  arrived(response: HTTPResponse): void {
    const { status } = response;
    const { retries, onResponse } = this.#call.settings;
    const plain = status >= 200 && status < 300 && !retries.statusForcelist.has(status);
    // A hook may throw: that is the way on for what fails.
    if (!plain || this.wantsWhole || onResponse !== null) {
      this.#walkOn(Promise.resolve(response));
      return;
    }
    response.retries = retries;
    this.traceEnd(response);
    this.end();
    const resolve = this.#resolve;
    this.#letGo();
    resolve(response);
  }

  failed(error: unknown): void {
    this.#walkOn(Promise.reject(error));
  }

  #walkOn(first: Promise<HTTPResponse> | null): void {
    const way = this.callers?.runInAsyncScope(walk, null, this, first) ?? walk(this, first);
    way.then(this.#resolve, this.#reject);
    this.#letGo();
  }

  /** The promise holds the response, and a streamed body this run: a forgotten response could never be collected. */
  #letGo(): void {
    this.#resolve = this.#reject = ignore;
  }

  // Stopping

  /** Ends the request, which fails with `reason`. */
  stop(reason: unknown): void {
    // Its body has come, and is being decoded.
    if (this.#ended) this.#attempt?.source?.destroy(reason);
    if (this.#stopped !== null || this.#ended) return;
    this.#stopped = { reason };
    this.#current?.stop(reason);
  }

  /** Throws the reason if the request was stopped. */
  check(): void {
    if (this.#stopped !== null) throw this.plan.describe(this.#stopped.reason);
  }

  #watch(current: Stoppable): void {
    this.check();
    this.#current = current;
  }

  /** What the caller's code promises, unless the request is stopped first. */
  #unlessStopped<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#watch({ stop: (reason) => reject(this.plan.describe(reason)) });
      promise.then(resolve, reject);
    });
  }

  // Attempts

  /** Finds the pool and makes the body of the next attempt, where these have to be waited for. */
  async prepare(): Promise<void> {
    const { plan } = this;
    if (plan.nextHop !== null) plan.enter(await this.#unlessStopped(plan.nextHop));
    if (plan.call.settings.cookieJar !== null) await this.#askJar(plan.call.settings.cookieJar);
    if (plan.call.makeBody !== null) await this.#makeBody();
    else this.#makeRequest(plan.call, plan.hop!);
  }

  async #makeBody(): Promise<void> {
    this.check();
    const { plan } = this;
    plan.made?.discard?.();
    const making = plan.call.makeBody!();
    let made: Payload;
    try {
      made = await this.#unlessStopped(making);
    } catch (error) {
      making.then((late) => late.discard?.(), ignore);
      throw error;
    }
    if (made !== plan.call.given) {
      plan.made = made;
      this.#own(made);
    }
    this.#makeRequest(withBody(plan.call, made), plan.hop!);
  }

  /** The request of the next attempt, with the fields that the caller's hook gives it. */
  #makeRequest(call: RequestSpec, hop: Destination): void {
    try {
      this.#request = makeRequest(this.#hooked(call), hop);
    } catch (error) {
      throw this.plan.describe(error);
    }
  }

  #hooked(call: RequestSpec): RequestSpec {
    const plan = this.#plan;
    const cookies = plan?.cookies ?? "";
    if (call.settings.onRequest === null && cookies === "") return call;
    const { url } = plan ?? this.#hop;
    const facts = { request: this.id, method: call.method, url, attempt: (plan?.attempts ?? 0) + 1 };
    const headers = withCookies(call.headers, cookies);
    return { ...call, headers: fieldsAfterHook(call.settings, headers, facts) };
  }

  async #askJar(jar: CookieJarLike): Promise<void> {
    const { plan } = this;
    const { url, call } = plan;
    const cookies = cookiesFor(jar, url, siteContext(this.#hop.url, url, call.method));
    const given = cookies instanceof Promise ? await this.#unlessStopped(cookies) : cookies;
    // A jar of somebody's own may give nothing for none.
    plan.cookies = String(given ?? "");
  }

  /** The caller's jar and hook see each answer. */
  async learnFrom(response: HTTPResponse): Promise<void> {
    const { call, url } = this.plan;
    const { cookieJar } = call.settings;
    const cookies = cookieJar === null ? [] : response.headers.getSetCookie();
    if (cookies.length > 0) {
      const kept = keepCookies(cookieJar!, url, cookies, siteContext(this.#hop.url, url, call.method));
      if (kept !== null) await this.#unlessStopped(kept);
    }
    this.tellOf(response);
  }

  /** The caller's hook sees each answer. */
  tellOf(response: HTTPResponse): void {
    const { settings, method } = this.plan.call;
    response.retries = this.plan.retries;
    if (settings.onResponse === null) return;
    const facts = { request: this.id, method, url: this.plan.url, attempt: this.plan.attempts };
    tellResponse(settings, response, facts);
  }

  /** What the body is to be read from may fail at any time: that ends the request. */
  #own(body: Payload | null): void {
    body?.watch?.((error) => this.stop(sourceError(error)));
  }

  /** The next attempt, under way. */
  attempt(): Promise<HTTPResponse> {
    return new Promise((arrived, failed) => {
      const { plan } = this;
      // The first attempt begins with the call.
      const attemptAt = plan.attempts === 0 ? null : this.clock.now();
      plan.wait = 0;
      const attempt = this.#newAttempt(++plan.attempts, plan.call.settings, plan.reason, attemptAt);
      attempt.run({ arrived, failed });
    });
  }

  #newAttempt(
    number: number,
    settings: CallSettings,
    reason: AttemptMessage["reason"],
    attemptAt: number | null,
  ): Attempt {
    const stopwatch = new Stopwatch(this.#startedAt, attemptAt);
    // Connections that were idle as long as the one that died may be dead too.
    const fresh = reason === "resend";
    const attempt = new Attempt(this, number, fresh, this.#request!, settings, stopwatch);
    this.#attempt = attempt;
    this.#watch(attempt);
    if (trace.attemptStart.hasSubscribers) {
      trace.attemptStart.publish({ ...this.#facts(), attempt: number, reason });
    }
    if (fresh) this.#router.shared.resent++;
    return attempt;
  }

  mayPassOver(response: HTTPResponse): boolean {
    const { status } = response;
    if (status < 300 && !this.#call.settings.retries.statusForcelist.has(status)) return false;
    return this.plan.mayPassOver(response);
  }

  onConnected(): void {
    const hop = this.#plan === null ? (this.#hop as Destination) : this.#plan.hop!;
    hop.count();
  }

  /** Whether the caller wants the body of the answer with it, and it was not collected. */
  get wantsWhole(): boolean {
    return this.#call.settings.preloadContent && this.#attempt!.source !== null;
  }

  /** The next attempt shall find the connection free, if it can be had soon; and what ends the request ends its rest. */
  async passOver(response: HTTPResponse): Promise<void> {
    response.releaseConn();
    const { source } = this.#attempt!;
    if (source !== null) await source.settled();
  }

  backOff(): Promise<void> {
    return new Promise((resolve, reject) => {
      // First the watch: it throws if the request was stopped while the last attempt failed.
      this.#watch({
        stop: (reason) => {
          timer.cancel();
          if (reason instanceof HTTPError) reason.describe({ phase: "backoff" });
          reject(this.plan.describe(reason));
        },
      });
      const timer = this.clock.setTimer(resolve, this.plan.wait, true);
    });
  }

  // The end

  /** The caller gets its answer. The request is over when its body is: who streams reads on, under the same limits. */
  end(): void {
    this.#router.shared.settled();
    const { source } = this.#attempt ?? {};
    if (!source || source.ended) this.#finish();
    else this.#attempt!.whenBodyEnds = () => this.#finish();
  }

  #finish(): void {
    this.#ended = true;
    this.#current = null;
    this.#plan?.made?.discard?.();
    this.#call.given?.discard?.();
    this.#endGuard();
    this.#router.shared.end(this);
  }

  /** What has come may still have to be decoded, under the same limits. */
  #endGuard(): void {
    const guard = this.#guard;
    if (guard === null) return;
    const { source } = this.#attempt ?? {};
    if (source) source.whenRead(() => guard.end());
    else guard.end();
  }

  traceEnd(response: HTTPResponse): void {
    if (!trace.requestEnd.hasSubscribers) return;
    trace.requestEnd.publish({
      ...this.#facts(),
      status: response.status,
      attempts: this.#plan?.attempts ?? 1,
    });
  }

  traceError(error: unknown): void {
    if (!trace.requestError.hasSubscribers) return;
    trace.requestError.publish({ ...this.#facts(), error, attempts: this.plan.attempts });
  }

  #facts(): RequestStartMessage {
    const { url } = this.#plan ?? this.#hop;
    return { request: this.id, method: this.#lastCall.method, url };
  }

  /** What is asked for now. */
  get #lastCall(): RequestSpec {
    return this.#plan === null ? this.#call : this.#plan.call;
  }
}
