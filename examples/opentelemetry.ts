/**
 * OpenTelemetry spans from urlpool's diagnostics channels, by the semantic conventions for HTTP clients:
 *
 *     import { traceRequests } from "./opentelemetry.ts";
 *     traceRequests();
 *
 * Each request is a span of kind INTERNAL, a child of the span that is active where the request is made; each attempt
 * is one of kind CLIENT below it. A span ends with the response head: the body of a streamed response may come later.
 * An attempt that is followed by another one includes the wait for that.
 *
 * Channels cannot change requests: to pass the trace on, `propagation.inject(context.active(), headers)` into the
 * headers of your requests.
 */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import {
  type Attributes,
  type Context,
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { AttemptMessage, RequestEndMessage, RequestErrorMessage, RequestStartMessage } from "urlpool";

/** A request under way. */
interface Journey {
  readonly span: Span;
  /** In which attempts are children of the request. */
  readonly context: Context;
  attempt: Span | null;
}

/** Makes spans of all requests from now on. Returns a function that stops it. */
export function traceRequests(tracer: Tracer = trace.getTracer("urlpool")): () => void {
  const journeys = new Map<number, Journey>();

  const onStart = (message: unknown): void => {
    const { request, method, url } = message as RequestStartMessage;
    const attributes = { "http.request.method": method, "url.full": url };
    const span = tracer.startSpan(`request ${method}`, { kind: SpanKind.INTERNAL, attributes });
    journeys.set(request, { span, context: trace.setSpan(context.active(), span), attempt: null });
  };

  const onAttempt = (message: unknown): void => {
    const attempt = message as AttemptMessage;
    const journey = journeys.get(attempt.request);
    // A request that began before anybody listened.
    if (journey === undefined) return;
    endPrevious(journey, attempt);
    const options = { kind: SpanKind.CLIENT, attributes: attemptAttributes(attempt) };
    journey.attempt = tracer.startSpan(attempt.method, options, journey.context);
  };

  const onEnd = (message: unknown): void => {
    const { request, status, attempts } = message as RequestEndMessage;
    finish(journeys, request, (span) => {
      span.setAttribute("http.response.status_code", status);
      // For a client every error status is an error.
      if (status >= 400) fail(span, String(status));
      if (span === journeys.get(request)?.span) span.setAttribute("urlpool.attempts", attempts);
    });
  };

  const onError = (message: unknown): void => {
    const { request, error } = message as RequestErrorMessage;
    finish(journeys, request, (span) => {
      if (error instanceof Error) span.recordException(error);
      fail(span, errorType(error), error instanceof Error ? error.message : String(error));
    });
  };

  const listeners = {
    "urlpool:request:start": onStart,
    "urlpool:attempt:start": onAttempt,
    "urlpool:request:end": onEnd,
    "urlpool:request:error": onError,
  };
  for (const [name, listener] of Object.entries(listeners)) subscribe(name, listener);
  return () => {
    for (const [name, listener] of Object.entries(listeners)) unsubscribe(name, listener);
    for (const request of [...journeys.keys()]) finish(journeys, request, () => {});
  };
}

/** The last attempt ended with what makes this one necessary. */
function endPrevious(journey: Journey, { reason }: AttemptMessage): void {
  const { attempt } = journey;
  if (attempt === null) return;
  attempt.addEvent(`urlpool.${reason}`);
  if (reason === "retry" || reason === "resend") attempt.setStatus({ code: SpanStatusCode.ERROR });
  attempt.end();
}

function attemptAttributes({ method, url, attempt, reason }: AttemptMessage): Attributes {
  const { hostname, port, protocol } = new URL(url);
  const attributes: Attributes = {
    "http.request.method": method,
    "url.full": url,
    "server.address": hostname,
    "server.port": port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
  };
  if (attempt > 1) {
    attributes["http.request.resend_count"] = attempt - 1;
    attributes["urlpool.reason"] = reason;
  }
  return attributes;
}

/** Tells the spans of a request what came of it, and ends them. */
function finish(journeys: Map<number, Journey>, request: number, tell: (span: Span) => void): void {
  const journey = journeys.get(request);
  if (journey === undefined) return;
  for (const span of [journey.attempt, journey.span]) {
    if (span === null) continue;
    tell(span);
    span.end();
  }
  journeys.delete(request);
}

function fail(span: Span, type: string, message?: string): void {
  span.setAttribute("error.type", type);
  span.setStatus({ code: SpanStatusCode.ERROR, ...(message === undefined ? {} : { message }) });
}

/** The code of an error of urlpool's or of the system's, else its name. */
function errorType(error: unknown): string {
  if (!(error instanceof Error)) return "_OTHER";
  return typeof (error as NodeJS.ErrnoException).code === "string"
    ? ((error as NodeJS.ErrnoException).code as string)
    : error.name;
}
