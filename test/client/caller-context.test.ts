/** What a caller is told, and where its functions run. */

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import net from "node:net";
import { Readable } from "node:stream";
import { ReadableStream } from "node:stream/web";
import { it } from "node:test";
import {
  ConnectTimeoutError,
  EmptyPoolError,
  HTTPConnectionPool,
  type HTTPResponse,
  PoolManager,
  type RequestBody,
  Timeout,
} from "../../src/index.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

it("callbacks and body generators ran in the context of the request that had opened the connection", async () => {
  await using origin = await startHttp(() => "x".repeat(100_000));
  await using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
  const context = new AsyncLocalStorage<string>();
  const wrong: string[] = [];
  const ask = (tenant: string): Promise<unknown> =>
    context.run(tenant, () => {
      const see = (what: string) => () => {
        if (context.getStore() !== tenant) wrong.push(`${what} of ${tenant} ran as ${context.getStore()}`);
      };
      const body = (async function* () {
        see("generator")();
        yield "a";
      })();
      const progress = { onUploadProgress: see("upload"), onDownloadProgress: see("download") };
      return pool.request("POST", "/", {
        body,
        ...progress,
        onRequest: see("onRequest"),
        onResponse: see("onResponse"),
      });
    });
  await ask("A");
  await ask("B");
  assert.deepEqual(wrong, []);
});

/** What each function of a caller's is, and in whose context it ran. */
class Sightings {
  readonly context = new AsyncLocalStorage<string>();
  readonly wrong: string[] = [];
  readonly seen = new Set<string>();

  /** A note of the context that runs now; it should be `tenant`'s. */
  note(what: string, tenant: string): void {
    this.seen.add(what);
    const store = this.context.getStore();
    if (store !== tenant) this.wrong.push(`${what} of ${tenant} ran as ${store}`);
  }

  /** Runs both at once, so that one waits for the other's connection, and then once more each. */
  async run(ask: (tenant: string) => Promise<unknown>): Promise<void> {
    const as = (tenant: string): Promise<unknown> => this.context.run(tenant, () => ask(tenant));
    await Promise.all([as("A"), as("B"), as("C")]);
    await as("D");
  }

  check(...names: string[]): void {
    assert.deepEqual(this.wrong, []);
    assert.deepEqual([...this.seen].sort(), names.sort());
  }
}

/** Bodies whose code is the caller's, each of three pieces. */
const BODIES: Record<string, (look: () => void) => RequestBody> = {
  "async generator": (look) =>
    (async function* () {
      for (const piece of ["a", "b", "c"]) {
        look();
        yield piece;
        await new Promise((resolve) => setImmediate(resolve));
        look();
      }
    })(),
  "sync generator": (look) =>
    (function* () {
      for (const piece of ["a", "b", "c"]) {
        look();
        yield piece;
      }
    })(),
  function: (look) => () => {
    look();
    return "abc";
  },
  "async function of a generator": (look) => async () => {
    look();
    await null;
    look();
    return BODIES["async generator"]!(look) as AsyncIterable<string>;
  },
  "web stream": (look) => {
    let left = 3;
    return new ReadableStream<Uint8Array>({
      pull: (controller) => {
        look();
        controller.enqueue(new Uint8Array(1));
        if (--left === 0) controller.close();
      },
    });
  },
  "Node stream": (look) => {
    let left = 3;
    return new Readable({
      read() {
        look();
        this.push(left-- > 0 ? "x" : null);
      },
    });
  },
  "Node stream of a generator": (look) =>
    Readable.from(BODIES["async generator"]!(look) as AsyncIterable<string>),
};

for (const [name, make] of Object.entries(BODIES)) {
  it(`a body's code runs in its caller's context: ${name}`, async () => {
    await using origin = await startHttp(({ body }) => String(body.length));
    await using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1 });
    const sightings = new Sightings();
    await sightings.run(async (tenant) => {
      const body = make(() => sightings.note("body", tenant));
      assert.equal(await (await pool.request("PUT", "/", { body })).text(), "3");
    });
    sightings.check("body");
  });
}

it("functions among the options run in their caller's context, over retries and redirects", async () => {
  const asked = new Map<string, number>();
  await using origin = await startHttp(({ target }) => {
    const times = (asked.get(target) ?? 0) + 1;
    asked.set(target, times);
    if (target.startsWith("/from"))
      return { status: 302, headers: { Location: target.replace("from", "to") } };
    const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n";
    const headers = { "Set-Cookie": "a=1" };
    return times === 1 ? { status: 503 } : { before: hints, headers, body: "x".repeat(300_000) };
  });
  const sightings = new Sightings();
  const tenant = (): string => sightings.context.getStore() ?? "nobody";
  const paths = new Map<string, string>();
  /** Managers' functions are told a URL, which says whose it is. */
  const whose = (url: string): string => paths.get(new URL(url).pathname.slice(-1)) ?? "nobody";
  await using manager = new PoolManager({
    maxsize: 1,
    retries: { total: 5, statusForcelist: [503] },
    proxy: (url: string): string | null => {
      sightings.note("proxy", whose(String(url)));
      return null;
    },
    cookieJar: {
      getCookieString: (url) => {
        sightings.note("getCookieString", whose(url));
        return "";
      },
      setCookie: (_cookie, url) => sightings.note("setCookie", whose(url)),
    },
    onRequest: ({ url }) => sightings.note("onRequest", whose(url)),
    onResponse: ({ url }) => sightings.note("onResponse", whose(url)),
  });
  await sightings.run(async () => {
    const own = tenant();
    paths.set(own, own);
    const look = (what: string) => () => sightings.note(what, own);
    await manager.request("PUT", `${origin.url}/from/${own}`, {
      body: () => {
        look("body")();
        return "some bytes";
      },
      onUploadProgress: look("onUploadProgress"),
      onDownloadProgress: look("onDownloadProgress"),
      onInformational: look("onInformational"),
    });
  });
  const names = ["proxy", "getCookieString", "setCookie", "onRequest", "onResponse", "body"];
  sightings.check(...names, "onUploadProgress", "onDownloadProgress", "onInformational");
});

it("look-ups, filters of addresses and ways to connect run in the context of who needs the connection", async () => {
  await using origin = await startHttp(() => ({ body: "x", close: true }));
  const sightings = new Sightings();
  const whose = (host: string): string => host.slice(0, 1).toUpperCase();
  await using manager = new PoolManager({
    maxConnections: 1,
    lookup: ((
      host: string,
      _options: unknown,
      found: (error: null, address: string, family: number) => void,
    ) => {
      sightings.note("lookup", whose(host));
      setImmediate(found, null, "127.0.0.1", 4);
    }) as never,
  });
  await using connected = new PoolManager({
    maxConnections: 1,
    connect: ({ host }) => {
      sightings.note("connect", whose(host ?? ""));
      return net.connect(origin.port, "127.0.0.1");
    },
  });
  const addresses = ["A", "B", "C", "D"];
  await using guarded = new PoolManager({
    maxConnections: 1,
    retries: false,
    lookup: ((
      host: string,
      _options: unknown,
      found: (error: null, address: string, family: number) => void,
    ) => setImmediate(found, null, `192.0.2.${addresses.indexOf(whose(host))}`, 4)) as never,
    addressFilter: (address) => {
      sightings.note("addressFilter", addresses[Number(address.slice(-1))]!);
      return false;
    },
  });
  await sightings.run(async (tenant) => {
    await assert.rejects(guarded.request("GET", `http://${tenant}.test/`), { name: "AddressBlockedError" });
    await manager.request("GET", `http://${tenant.toLowerCase()}.test:${origin.port}/`);
    await connected.request("GET", `http://${tenant.toLowerCase()}.test/`);
  });
  sightings.check("addressFilter", "lookup", "connect");
});

it("whoever reads an answer stays in its context, in every way to read one", async () => {
  const rows = '{"a":1}\n'.repeat(20_000);
  await using origin = await startHttp(({ target }) =>
    target === "/events"
      ? { headers: { "Content-Type": "text/event-stream" }, body: "data: x\n\n".repeat(2000), chunked: 1000 }
      : { body: rows, chunked: 1000 },
  );
  await using manager = new PoolManager({ maxsize: 1, preloadContent: false });
  const sightings = new Sightings();
  const ways: Record<string, (response: HTTPResponse, look: () => void) => unknown> = {
    iterate: (response, look) => each(response, look),
    stream: (response, look) => each(response.stream(100), look),
    readChunked: (response, look) => each(response.readChunked(), look),
    lines: (response, look) => each(response.lines(), look),
    jsonLines: (response, look) => each(response.jsonLines(), look),
    events: (response, look) => each(response.events(), look),
    body: (response, look) => each(response.body, look),
    readable: (response, look) => each(response.readable(), look),
    read: async (response, look) => {
      while ((await response.read(5000)).length > 0) look();
    },
    "read1, then": (response, look) =>
      response.read1(100).then(() => {
        look();
        response.close();
      }),
    "data events": (response, look) =>
      new Promise<void>((resolve) =>
        response.readable().on("data", look).on("end", look).on("close", resolve),
      ),
    text: async (response, look) => {
      await response.text();
      look();
    },
  };
  for (const [way, read] of Object.entries(ways)) {
    await sightings.run(async (tenant) => {
      const path = way === "events" ? "/events" : "/rows";
      await read(await manager.request("GET", origin.url + path), () => sightings.note(way, tenant));
    });
  }
  sightings.check(...Object.keys(ways));
});

async function each(source: AsyncIterable<unknown>, look: () => void): Promise<void> {
  for await (const _ of source) look();
}

it("json() of something else said neither which answer it was nor what that says it is", async () => {
  await using origin = await startHttp(() => ({
    status: 502,
    headers: { "Content-Type": "text/html" },
    body: "<p>",
  }));
  await using manager = new PoolManager();
  const response = await manager.request("GET", `http://u:secret@127.0.0.1:${origin.port}/a`);
  await assert.rejects(response.json(), (error: Error) => {
    assert.ok(error instanceof SyntaxError);
    assert.match(
      error.message,
      /^GET http:\/\/127\.0\.0\.1:\d+\/a: the body is not JSON \(status 502, text\/html\)/,
    );
    return error.cause instanceof SyntaxError;
  });
});

it("a total that was over in the line sent the request all the same, with 0 ms left", async () => {
  let asked = 0;
  await using origin = await startHttp(async () => {
    asked++;
    await new Promise((resolve) => setTimeout(resolve, 150));
    return "late";
  });
  await using pool = new HTTPConnectionPool("127.0.0.1", origin.port, { maxsize: 1, retries: false });
  const timeout = new Timeout({ total: 250 });
  const outcomes = await Promise.all(
    Array.from({ length: 4 }, () =>
      pool.request("POST", "/", { timeout }).then(
        () => null,
        (error) => error,
      ),
    ),
  );
  assert.equal(outcomes[0], null);
  assert.ok(asked <= 2, `${asked} were sent`);
  for (const error of outcomes.slice(2)) {
    assert.ok(error instanceof EmptyPoolError || error instanceof ConnectTimeoutError, String(error));
  }
});
