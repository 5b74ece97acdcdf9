/**
 * OpenTelemetry spans for urlpool, by the stable semantic conventions for HTTP clients:
 *
 *     const tracing = traceRequests();
 *     const manager = new PoolManager({ onRequest: tracing.onRequest });
 *
 * Each attempt is a span of kind CLIENT, a child of the span that is active where the request is made; retries and
 * redirects are siblings, numbered by `http.request.resend_count`. `onRequest` sends the span's context with the attempt
 * (`traceparent`, or whatever the global propagator writes). Managers without the hook have spans too, but send no context.
 *
 * A span ends with the body of its response. Read streamed responses to their end, or close them.
 */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import {
  type Attributes,
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapSetter,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type {
  AttemptEndMessage,
  AttemptMessage,
  HTTPHeaderDict,
  OnRequest,
  RequestEndMessage,
  RequestErrorMessage,
  RequestStartMessage,
} from "urlpool";

/** Options of {@link traceRequests}. */
export interface TracingOptions {
  /** Default: the global provider's tracer named `urlpool`. */
  tracer?: Tracer;
  /**
   * Methods that are told by their names; others are `_OTHER`. Default: those of the environment variable
   * `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` (separated by commas), else those of RFC 9110 and PATCH.
   */
  knownMethods?: readonly string[];
}

/** Spans are made until it is stopped. */
export interface Tracing extends Disposable {
  /** Writes the context of an attempt's span into its header fields. An option of managers, pools and requests. */
  readonly onRequest: OnRequest;
  /** Makes no more spans, and ends those that are open. */
  stop(): void;
}

const METHODS = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/** Parameters of signed URLs, whose values are secrets. */
const SECRETS =
  /([?&](?:AWSAccessKeyId|Signature|sig|X-Goog-Signature|X-Amz-(?:Signature|Credential|Security-Token))=)[^&#]*/gi;

/** Makes spans of all attempts from now on. */
export function traceRequests(options: TracingOptions = {}): Tracing {
  return new AttemptSpans(options);
}

/** Which try of what; a message of a channel, or what the hook is told. */
type AttemptFacts = Pick<AttemptMessage, "request" | "method" | "url" | "attempt">;

/** A request under way. */
interface Journey {
  /** What is active where the request is made. */
  readonly context: Context;
  /** Open spans by the number of the attempt. The body of an answer may still come when the request is over. */
  readonly spans: Map<number, Span>;
  isOver: boolean;
}

class AttemptSpans implements Tracing {
  readonly #tracer: Tracer;
  readonly #knownMethods: ReadonlySet<string>;
  readonly #journeys = new Map<number, Journey>();
  readonly #listeners = {
    "urlpool:request:start": (message: unknown) => this.#begin(message as RequestStartMessage),
    "urlpool:attempt:start": (message: unknown) => void this.#span(message as AttemptMessage),
    "urlpool:attempt:end": (message: unknown) => this.#end(message as AttemptEndMessage),
    "urlpool:request:end": (message: unknown) => this.#over(message as RequestEndMessage),
    "urlpool:request:error": (message: unknown) => this.#failed(message as RequestErrorMessage),
  };

  constructor({
    tracer = trace.getTracer("urlpool"),
    knownMethods = methodsOf(process.env),
  }: TracingOptions) {
    this.#tracer = tracer;
    this.#knownMethods = new Set(knownMethods);
    for (const [name, listener] of Object.entries(this.#listeners)) subscribe(name, listener);
  }

  readonly onRequest: OnRequest = (request) => {
    const span = this.#span(request);
    if (span === null) return;
    const { context: parent } = this.#journeys.get(request.request)!;
    propagation.inject(trace.setSpan(parent, span), request.headers, HEADER_SETTER);
  };

  stop(): void {
    for (const [name, listener] of Object.entries(this.#listeners)) unsubscribe(name, listener);
    for (const { spans } of this.#journeys.values()) for (const span of spans.values()) span.end();
    this.#journeys.clear();
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  #begin({ request }: RequestStartMessage): void {
    this.#journeys.set(request, { context: context.active(), spans: new Map(), isOver: false });
  }

  /** The span of an attempt, which begins with the hook or the message, whichever is first; `null` if it began before we listened. */
  #span(facts: AttemptFacts): Span | null {
    const journey = this.#journeys.get(facts.request);
    if (journey === undefined) return null;
    const known = journey.spans.get(facts.attempt);
    if (known !== undefined) return known;
    const attributes = this.#attributes(facts);
    const method = attributes["http.request.method"] as string;
    const name = method === "_OTHER" ? "HTTP" : method;
    const span = this.#tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, journey.context);
    journey.spans.set(facts.attempt, span);
    return span;
  }

  #attributes({ method, url, attempt }: AttemptFacts): Attributes {
    const { hostname, port, protocol } = new URL(url);
    const isKnown = this.#knownMethods.has(method);
    return {
      "http.request.method": isKnown ? method : "_OTHER",
      ...(isKnown ? {} : { "http.request.method_original": method }),
      "url.full": url.replace(SECRETS, "$1REDACTED"),
      "server.address": hostname.replace(/^\[|\]$/g, ""),
      "server.port": port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
      ...(attempt > 1 ? { "http.request.resend_count": attempt - 1 } : {}),
    };
  }

  #end(message: AttemptEndMessage): void {
    const journey = this.#journeys.get(message.request);
    const span = journey?.spans.get(message.attempt);
    if (journey === undefined || span === undefined) return;
    span.setAttributes(answerAttributes(message));
    if (message.error !== null) fail(span, message.error);
    else if (message.status !== null && message.status >= 400) failStatus(span, message.status);
    span.end();
    journey.spans.delete(message.attempt);
    this.#forget(message.request, journey);
  }

  #over({ request }: RequestStartMessage): void {
    const journey = this.#journeys.get(request);
    if (journey === undefined) return;
    journey.isOver = true;
    this.#forget(request, journey);
  }

  /** A span may be left whose attempt was never made, because the hook of somebody else threw. */
  #failed({ request, error }: RequestErrorMessage): void {
    for (const span of this.#journeys.get(request)?.spans.values() ?? []) {
      fail(span, error);
      span.end();
    }
    this.#journeys.delete(request);
  }

  #forget(request: number, { isOver, spans }: Journey): void {
    if (isOver && spans.size === 0) this.#journeys.delete(request);
  }
}

const HEADER_SETTER: TextMapSetter<HTTPHeaderDict> = {
  set: (headers, name, value) => void headers.set(name, value),
};

function methodsOf({ OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS: names }: NodeJS.ProcessEnv): readonly string[] {
  return names === undefined || names === "" ? METHODS : names.split(",").map((name) => name.trim());
}

/** What is known of an attempt at its end. The peer is the first hop: a proxy, where there is one. */
function answerAttributes({ status, address, route, protocol, responseHead }: AttemptEndMessage): Attributes {
  const attributes: Attributes = {};
  if (status !== null) attributes["http.response.status_code"] = status;
  if (protocol !== null) attributes["network.protocol.version"] = versionOf(protocol, responseHead);
  if (address !== null) {
    attributes["network.peer.address"] = address;
    const port = /:(\d+)$/.exec(route ?? "")?.[1];
    if (port !== undefined) attributes["network.peer.port"] = Number(port);
  }
  return attributes;
}

/** A server may answer a request of HTTP/1.1 with HTTP/1.0. */
function versionOf(protocol: string, responseHead: string | null): string {
  if (protocol === "h2") return "2";
  return /^HTTP\/(\d\.\d)/.exec(responseHead ?? "")?.[1] ?? "1.1";
}

/** For a client every error status is an error. The status says why: no message. */
function failStatus(span: Span, status: number): void {
  span.setAttribute("error.type", String(status));
  span.setStatus({ code: SpanStatusCode.ERROR });
}

function fail(span: Span, error: unknown): void {
  span.setAttribute("error.type", errorType(error));
  span.setStatus({
    code: SpanStatusCode.ERROR,
    message: error instanceof Error ? error.message : String(error),
  });
  if (error instanceof Error) span.recordException(error);
}

/** The code of an error of urlpool's or of the system's, else its name. */
function errorType(error: unknown): string {
  if (!(error instanceof Error)) return "_OTHER";
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === "string" ? code : error.name;
}
