/** The example makes the spans that the semantic conventions for HTTP ask for; no SDK, only the API's interfaces. */

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { after, before, beforeEach, describe, it } from "node:test";
import {
  type Attributes,
  type Context,
  type ContextManager,
  context,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  type SpanStatus,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from "@opentelemetry/api";
import { traceRequests } from "../../examples/opentelemetry.ts";
import { PoolManager, Retry } from "../../src/index.ts";
import { type HttpOrigin, startHttp } from "../kit/http-origin.ts";

/** A span that remembers what it was told. */
class RecordedSpan implements Span {
  readonly attributes: Attributes;
  readonly events: string[] = [];
  readonly exceptions: unknown[] = [];
  readonly parent: RecordedSpan | undefined;
  readonly kind: SpanKind;
  name: string;
  status: SpanStatus = { code: SpanStatusCode.UNSET };
  ends = 0;
  static #count = 0;
  readonly #id = ++RecordedSpan.#count;

  constructor(name: string, options: SpanOptions, parent: Context) {
    this.name = name;
    this.attributes = { ...options.attributes };
    this.kind = options.kind ?? SpanKind.INTERNAL;
    this.parent = trace.getSpan(parent) as RecordedSpan | undefined;
  }

  spanContext(): SpanContext {
    return { traceId: "1".padStart(32, "0"), spanId: this.#id.toString(16).padStart(16, "0"), traceFlags: 1 };
  }

  setAttribute(key: string, value: Attributes[string] & {}): this {
    this.attributes[key] = value;
    return this;
  }

  setAttributes(attributes: Attributes): this {
    Object.assign(this.attributes, attributes);
    return this;
  }

  addEvent(name: string): this {
    this.events.push(name);
    return this;
  }

  addLink(): this {
    return this;
  }

  addLinks(): this {
    return this;
  }

  setStatus(status: SpanStatus): this {
    this.status = status;
    return this;
  }

  updateName(name: string): this {
    this.name = name;
    return this;
  }

  end(): void {
    this.ends += 1;
  }

  isRecording(): boolean {
    return this.ends === 0;
  }

  recordException(exception: unknown): void {
    this.exceptions.push(exception);
  }
}

/** Keeps all spans, in the order of their starts. */
class Recorder implements TracerProvider, Tracer {
  spans: RecordedSpan[] = [];

  getTracer(): Tracer {
    return this;
  }

  startSpan(name: string, options: SpanOptions = {}, parent: Context = context.active()): RecordedSpan {
    const span = new RecordedSpan(name, options, parent);
    this.spans.push(span);
    return span;
  }

  startActiveSpan(): never {
    throw new Error("not used");
  }
}

/** What is active, along promises. */
class StorageContexts implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    run: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(active, () => Reflect.apply(run, thisArg, args) as ReturnType<F>);
  }

  bind<T>(_active: Context, target: T): T {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    return this;
  }
}

describe("spans for OpenTelemetry", () => {
  const recorder = new Recorder();
  let stop: () => void;
  let manager: PoolManager;
  let origin: HttpOrigin;
  let port: number;
  let failures = 0;

  before(async () => {
    trace.setGlobalTracerProvider(recorder);
    context.setGlobalContextManager(new StorageContexts());
    stop = traceRequests();
    manager = new PoolManager();
    origin = await startHttp(({ target }) => {
      if (target === "/flaky") return { status: failures-- > 0 ? 503 : 200 };
      if (target === "/moved") return { status: 302, headers: { Location: "/here" } };
      return { status: target === "/missing" ? 404 : 200 };
    });
    port = origin.port;
  });

  after(async () => {
    stop();
    trace.disable();
    context.disable();
    await manager.close();
    await origin.close();
  });

  beforeEach(() => {
    recorder.spans = [];
  });

  const url = (path: string): string => `http://127.0.0.1:${port}${path}`;

  it("has a span for the request and one for its attempt", async () => {
    await manager.request("GET", url("/x?q=1"));
    const [request, attempt, ...more] = recorder.spans;
    assert.deepEqual(more, []);
    assert.deepEqual(
      [request!.name, request!.kind, request!.parent],
      ["request GET", SpanKind.INTERNAL, undefined],
    );
    assert.deepEqual(request!.attributes, {
      "http.request.method": "GET",
      "url.full": url("/x?q=1"),
      "http.response.status_code": 200,
      "urlpool.attempts": 1,
    });
    assert.deepEqual([attempt!.name, attempt!.kind, attempt!.parent], ["GET", SpanKind.CLIENT, request]);
    assert.deepEqual(attempt!.attributes, {
      "http.request.method": "GET",
      "url.full": url("/x?q=1"),
      "server.address": "127.0.0.1",
      "server.port": port,
      "http.response.status_code": 200,
    });
    assert.deepEqual(outcomes(), [unset, unset]);
  });

  it("is a child of the span that is active where the request is made", async () => {
    const mine = recorder.startSpan("mine");
    await context.with(trace.setSpan(context.active(), mine), () => manager.request("GET", url("/")));
    assert.equal(recorder.spans[1]!.parent, mine);
  });

  it("has a span for each retry, and says that the one before failed", async () => {
    failures = 2;
    await manager.request("GET", url("/flaky"), { retries: new Retry({ total: 3, statusForcelist: [503] }) });
    const [request, ...attempts] = recorder.spans;
    assert.deepEqual(
      attempts.map(({ parent, attributes, events }) => [
        parent,
        attributes["http.request.resend_count"],
        attributes["urlpool.reason"],
        events,
      ]),
      [
        [request, undefined, undefined, ["urlpool.retry"]],
        [request, 1, "retry", ["urlpool.retry"]],
        [request, 2, "retry", []],
      ],
    );
    assert.deepEqual(outcomes(), [unset, failed, failed, unset]);
    assert.equal(request!.attributes["urlpool.attempts"], 3);
  });

  it("has a span for each hop of a redirect, none of them failed", async () => {
    await manager.request("GET", url("/moved"));
    const [, first, second] = recorder.spans;
    assert.deepEqual([first!.attributes["url.full"], first!.events], [url("/moved"), ["urlpool.redirect"]]);
    assert.deepEqual([second!.attributes["url.full"], second!.events], [url("/here"), []]);
    assert.deepEqual(outcomes(), [unset, unset, unset]);
  });

  it("marks an error status as an error", async () => {
    await manager.request("GET", url("/missing"));
    assert.deepEqual(outcomes(), [failed, failed]);
    assert.deepEqual(
      recorder.spans.map(({ attributes }) => [
        attributes["error.type"],
        attributes["http.response.status_code"],
      ]),
      [
        ["404", 404],
        ["404", 404],
      ],
    );
  });

  it("records the error of a failed request", async () => {
    const lookup = (_host: string, _options: unknown, callback: (error: Error) => void): void =>
      callback(new Error("no such host"));
    const failing = new PoolManager({ lookup: lookup as never, retries: false });
    const error = await failing
      .request("GET", "https://example.test/")
      .catch((reason: unknown) => reason as Error);
    assert.deepEqual(outcomes(), [failed, failed]);
    for (const span of recorder.spans) {
      assert.deepEqual(span.exceptions, [error]);
      assert.equal(span.attributes["error.type"], "ERR_URLPOOL_NAME_RESOLUTION");
      assert.equal(span.status.message, (error as Error).message);
    }
    assert.equal(recorder.spans[1]!.attributes["server.port"], 443);
  });

  it("records what an aborted request ends with, error or not", async () => {
    const signal = AbortSignal.abort("enough");
    await assert.rejects(manager.request("GET", url("/"), { signal }), (reason) => reason === "enough");
    const [request] = recorder.spans;
    assert.deepEqual([request!.attributes["error.type"], request!.status.message], ["_OTHER", "enough"]);
  });

  it("makes no spans after it was stopped", async () => {
    stop();
    await manager.request("GET", url("/"));
    assert.deepEqual(recorder.spans, []);
    stop = traceRequests();
  });

  const unset = [SpanStatusCode.UNSET, 1];
  const failed = [SpanStatusCode.ERROR, 1];

  /** Status of each span, and how often it was ended. */
  function outcomes(): unknown[] {
    return recorder.spans.map(({ status, ends }) => [status.code, ends]);
  }
});
