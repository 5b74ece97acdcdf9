/** The example makes the spans that the semantic conventions for HTTP clients ask for, with the SDK's own tracer. */

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { after, before, beforeEach, describe, it } from "node:test";
import {
  type Attributes,
  context,
  propagation,
  SpanKind,
  SpanStatusCode,
  type TextMapPropagator,
  trace,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { PoolManager, Retry } from "urlpool";
import { type Tracing, traceRequests } from "../../examples/opentelemetry.ts";
import { type HttpOrigin, startHttp } from "../kit/http-origin.ts";

/** W3C Trace Context, as far as a client needs it. */
const traceparent: TextMapPropagator = {
  inject: (active, carrier, setter) => {
    const span = trace.getSpanContext(active);
    if (span === undefined) return;
    setter.set(carrier, "traceparent", `00-${span.traceId}-${span.spanId}-0${span.traceFlags}`);
  },
  extract: (active) => active,
  fields: () => ["traceparent"],
};

/** Bytes of a body that does not come with its head: more than sockets hold. */
const LARGE = 16 * 1024 * 1024;

describe("spans for OpenTelemetry", () => {
  const exporter = new InMemorySpanExporter();
  let tracing: Tracing;
  let manager: PoolManager;
  let origin: HttpOrigin;
  let failures = 0;

  before(async () => {
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
    );
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(traceparent);
    tracing = traceRequests();
    manager = new PoolManager({ onRequest: tracing.onRequest });
    origin = await startHttp(({ target }) => {
      if (target === "/flaky") return { status: failures-- > 0 ? 503 : 200 };
      if (target === "/moved") return { status: 302, headers: { Location: "/here" } };
      if (target === "/large") return { body: Buffer.alloc(LARGE) };
      return { status: target === "/missing" ? 404 : 200, body: "body" };
    });
  });

  after(async () => {
    tracing.stop();
    trace.disable();
    context.disable();
    propagation.disable();
    await manager.close();
    await origin.close();
  });

  beforeEach(() => {
    exporter.reset();
    origin.received.length = 0;
  });

  const url = (path: string): string => `http://127.0.0.1:${origin.port}${path}`;

  it("has one for an attempt, with what the conventions require and recommend", async () => {
    await manager.request("GET", url("/x?q=1"));
    const [span, ...more] = spans();
    assert.deepEqual(more, []);
    assert.deepEqual([span!.name, span!.kind, span!.parentSpanContext], ["GET", SpanKind.CLIENT, undefined]);
    assert.deepEqual(span!.status, { code: SpanStatusCode.UNSET });
    assert.deepEqual(span!.attributes, {
      "http.request.method": "GET",
      "url.full": url("/x?q=1"),
      "server.address": "127.0.0.1",
      "server.port": origin.port,
      "http.response.status_code": 200,
      "network.protocol.version": "1.1",
      "network.peer.address": "127.0.0.1",
      "network.peer.port": origin.port,
    });
  });

  it("sends the context of each attempt's span with it", async () => {
    failures = 1;
    await manager.request("GET", url("/flaky"), { retries: new Retry({ statusForcelist: [503] }) });
    assert.deepEqual(
      origin.received.map(({ header }) => header("traceparent")),
      spans().map((span) => `00-${span.spanContext().traceId}-${span.spanContext().spanId}-01`),
    );
    assert.equal(new Set(spans().map((span) => span.spanContext().spanId)).size, 2);
  });

  it("is a child of what is active where the request is made, for each of many at once", async () => {
    const tracer = trace.getTracer("test");
    const parents = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        tracer.startActiveSpan(`parent ${index}`, async (parent) => {
          await manager.request("GET", url(`/moved?${index}`));
          await manager.request("GET", url("/moved"));
          parent.end();
          return parent.spanContext();
        }),
      ),
    );
    for (const { spanId, traceId } of parents) {
      const children = spans().filter((span) => span.parentSpanContext?.spanId === spanId);
      assert.equal(children.length, 3);
      assert.ok(children.every((span) => span.spanContext().traceId === traceId));
    }
  });

  it("keeps the caller's AsyncLocalStorage in code after the request and in callbacks of it", async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    await storage.run("mine", async () => {
      const onResponse = (): void => void seen.push(storage.getStore());
      const response = await manager.request("GET", url("/moved"), { onResponse, preloadContent: false });
      for await (const _ of response) seen.push(storage.getStore());
      seen.push(storage.getStore());
    });
    assert.deepEqual(seen, ["mine", "mine", "mine", "mine"]);
  });

  it("numbers retries, and each failed one says why", async () => {
    failures = 2;
    await manager.request("GET", url("/flaky"), { retries: new Retry({ total: 3, statusForcelist: [503] }) });
    assert.deepEqual(
      spans().map(({ attributes, status }) => [
        attributes["http.request.resend_count"],
        attributes["http.response.status_code"],
        attributes["error.type"],
        status.code,
      ]),
      [
        [undefined, 503, "503", SpanStatusCode.ERROR],
        [1, 503, "503", SpanStatusCode.ERROR],
        [2, 200, undefined, SpanStatusCode.UNSET],
      ],
    );
  });

  it("numbers the hops of a redirect, none of them failed", async () => {
    await manager.request("GET", url("/moved"));
    assert.deepEqual(
      spans().map(({ attributes, status }) => [
        attributes["url.full"],
        attributes["http.request.resend_count"],
        status.code,
      ]),
      [
        [url("/moved"), undefined, SpanStatusCode.UNSET],
        [url("/here"), 1, SpanStatusCode.UNSET],
      ],
    );
  });

  it("marks an error status as an error, without a message", async () => {
    await manager.request("GET", url("/missing"));
    const [span] = spans();
    assert.deepEqual([span!.attributes["error.type"], span!.status], ["404", { code: SpanStatusCode.ERROR }]);
  });

  it("calls an unknown method _OTHER, unless it is made known", async () => {
    assert.deepEqual(await methodOf("PURGE"), ["HTTP", "_OTHER", "PURGE"]);
    assert.deepEqual(await methodOf("DELETE"), ["DELETE", "DELETE", undefined]);
    tracing.stop();
    using _own = traceRequests({ knownMethods: ["PURGE"] });
    assert.deepEqual(await methodOf("PURGE"), ["PURGE", "PURGE", undefined]);
    assert.deepEqual(await methodOf("GET"), ["HTTP", "_OTHER", "GET"]);
    restart();
  });

  it("takes the known methods from the environment", async () => {
    tracing.stop();
    process.env.OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS = "GET, PURGE";
    {
      using _own = traceRequests();
      assert.deepEqual(await methodOf("PURGE"), ["PURGE", "PURGE", undefined]);
      assert.deepEqual(await methodOf("POST"), ["HTTP", "_OTHER", "POST"]);
    }
    delete process.env.OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS;
    restart();
  });

  it("shows neither credentials nor the signatures of signed URLs", async () => {
    const signed = "/x?a=1&X-Amz-Signature=s3cr3t&sig=s3cr3t&Signature=s3cr3t&b=2";
    await manager.request("GET", url(signed).replace("//", "//me:s3cr3t@"));
    const shown = url(signed.replaceAll("s3cr3t", "REDACTED"));
    assert.equal(spans()[0]!.attributes["url.full"], shown);
    assert.doesNotMatch(JSON.stringify(spans()[0]!.attributes), /s3cr3t/);
  });

  it("records the error of a failed request", async () => {
    const lookup = (_host: string, _options: unknown, callback: (error: Error) => void): void =>
      callback(new Error("no such host"));
    await using failing = new PoolManager({ lookup: lookup as never, retries: false });
    const error = await failing.request("GET", "https://example.test/").then(
      () => assert.fail("it went well"),
      (reason: unknown) => reason as Error,
    );
    const [span] = spans();
    assert.deepEqual(
      facts(span!.attributes, "error.type", "server.address", "server.port", "network.peer.address"),
      ["ERR_URLPOOL_NAME_RESOLUTION", "example.test", 443, undefined],
    );
    assert.equal(span!.status.code, SpanStatusCode.ERROR);
    assert.match(error.message, /no such host/);
    assert.equal(span!.events[0]!.name, "exception");
  });

  it("ends the span of an aborted attempt with what aborted it, error or not", async () => {
    const abort = new AbortController();
    const silent = await startHttp(() => new Promise(() => abort.abort("enough")));
    await assert.rejects(
      manager.request("GET", silent.url, { signal: abort.signal }),
      (reason) => reason === "enough",
    );
    await silent.close();
    const [span, ...more] = spans();
    assert.deepEqual(more, []);
    assert.deepEqual([span!.attributes["error.type"], span!.status.message], ["_OTHER", "enough"]);
  });

  it("ends the span of an attempt that a hook has stopped before it was made", async () => {
    const onRequest: typeof tracing.onRequest = (request) => {
      tracing.onRequest(request);
      throw new RangeError("not today");
    };
    await assert.rejects(manager.request("GET", url("/"), { onRequest }), RangeError);
    assert.deepEqual(
      spans().map(({ attributes }) => attributes["error.type"]),
      ["RangeError"],
    );
  });

  it("ends with the body of a streamed response", async () => {
    const response = await manager.request("GET", url("/large"), { preloadContent: false });
    assert.equal(spans().length, 0);
    assert.equal((await response.bytes()).length, LARGE);
    assert.equal(spans().length, 1);
  });

  it("writes the address of an IPv6 server without brackets", async (test) => {
    const six = await startHttp(() => "six", { host: "::1" }).catch(() => null);
    if (six === null) return test.diagnostic("no IPv6 here");
    await manager.request("GET", `http://[::1]:${six.port}/`);
    await six.close();
    assert.deepEqual(facts(spans()[0]!.attributes, "server.address", "network.peer.address"), ["::1", "::1"]);
  });

  it("makes no spans, and sends no context, after it was stopped", async () => {
    tracing.stop();
    await manager.request("GET", url("/"));
    assert.deepEqual(spans(), []);
    assert.equal(origin.received[0]!.header("traceparent"), null);
    restart();
  });

  function restart(): void {
    void manager.close();
    tracing = traceRequests();
    manager = new PoolManager({ onRequest: tracing.onRequest });
  }

  /** Finished spans in the order of their starts, without those of the tests. */
  function spans(): ReadableSpan[] {
    const own = exporter.getFinishedSpans().filter(({ kind }) => kind === SpanKind.CLIENT);
    return own.sort((a, b) => a.startTime[0] - b.startTime[0] || a.startTime[1] - b.startTime[1]);
  }

  async function methodOf(method: string): Promise<unknown[]> {
    exporter.reset();
    await manager.request(method, url("/"));
    const { name, attributes } = spans()[0]!;
    return [name, ...facts(attributes, "http.request.method", "http.request.method_original")];
  }

  function facts(attributes: Attributes, ...names: string[]): unknown[] {
    return names.map((name) => attributes[name]);
  }
});
