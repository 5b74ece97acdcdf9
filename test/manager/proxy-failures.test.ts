/** Proxies that misbehave: each failure is a `ProxyError` that says where, with which status and why. */

import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { describe, it } from "node:test";
import {
  ConnectTimeoutError,
  HTTPError,
  MaxRetryError,
  NameResolutionError,
  NewConnectionError,
  ProtocolError,
  ProxyError,
  ProxyManager,
  type ProxyManagerOptions,
  ReadTimeoutError,
  type RequestOptions,
  Retry,
  SSLError,
  Timeout,
} from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { type OriginConnection, startOrigin } from "../kit/origin.ts";
import {
  challenge,
  ESTABLISHED,
  type Misbehaviour,
  type RogueAnswer,
  type RogueProxy,
  startRogueProxy,
} from "../kit/rogue-proxy.ts";

leakGate();

const authority = await makeAuthority();
const identity = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
const trust = { caCertData: authority.cert };
const ORIGIN = "https://origin.test/secret";
const CLOSED = 1;

const says =
  (text: string | Uint8Array, then: (connection: OriginConnection) => void = () => {}): Misbehaviour =>
  async (connection) => {
    await connection.send(text);
    then(connection);
  };
const close = (connection: OriginConnection): void => connection.close();
const halfClose = (connection: OriginConnection): void => connection.halfClose();
const reset = (connection: OriginConnection): void => connection.reset();

interface Case {
  answer: RogueAnswer;
  status?: number;
  cause: typeof HTTPError;
  text: RegExp;
}

const HEAD = "HTTP/1.1 200 Connection established\r\nVia: 1.1 rogue\r\n\r\n";

describe("a CONNECT that fails", () => {
  const refusal = (status: number, text: RegExp): Case => ({
    answer: { status, body: "no" },
    status,
    cause: HTTPError,
    text,
  });
  const broken = (answer: RogueAnswer, text: RegExp): Case => ({ answer, cause: ProtocolError, text });
  const cases: Record<string, Case> = {
    "403": refusal(403, /Tunnel connection failed: 403 Forbidden/),
    "404": refusal(404, /Tunnel connection failed: 404 Not Found/),
    "302": refusal(302, /Tunnel connection failed: 302 Found/),
    "502": refusal(502, /Tunnel connection failed: 502 Bad Gateway/),
    "503": refusal(503, /Tunnel connection failed: 503 Service Unavailable/),
    "504 without a reason": { ...refusal(504, /failed: 504/), answer: says("HTTP/1.1 504\r\n\r\n") },
    "407 without credentials": {
      ...refusal(407, /407.*credentials.*basic/i),
      answer: challenge('Basic realm="r"'),
    },
    "407 that offers several": {
      ...refusal(407, /407.*negotiate.*basic/i),
      answer: challenge("Negotiate", 'NTLM, Basic realm="r"'),
    },
    "407 that offers nothing": { ...refusal(407, /407/), answer: { status: 407 } },
    "407 and close": { ...refusal(407, /407/), answer: { ...challenge("Basic realm=r"), close: true } },
    "407 and reset": {
      ...refusal(407, /407/),
      answer: says(
        'HTTP/1.1 407 Asked\r\nProxy-Authenticate: Basic realm="r"\r\nContent-Length: 0\r\n\r\n',
        reset,
      ),
    },
    "a refusal with an endless body": {
      ...refusal(500, /500/),
      answer: says(`HTTP/1.1 500 Oops\r\nContent-Length: 999999999\r\n\r\n${"x".repeat(100_000)}`),
    },
    garbage: broken(says("SSH-2.0-OpenSSH_9.2\r\n\r\n"), /answer cannot be understood/),
    bytes: broken(says(Buffer.from("1503010002020a0d0a0d0a", "hex")), /answer cannot be understood/),
    "HTTP/0.9": broken(says("<html>hello</html>\r\n\r\n", close), /answer cannot be understood/),
    "a field that is none": broken(
      says("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
      /answer cannot be understood/,
    ),
    "a close at once": broken(says("", close), /closed connection without response/),
    "an end at once": broken(says("", halfClose), /closed connection without response/),
    "a reset": broken(says("", reset), /ECONNRESET/),
    "a reset in the middle of the head": broken(says(HEAD.slice(0, 30), reset), /ECONNRESET|closed/),
    "a close after 100": broken(says("HTTP/1.1 100 Continue\r\n\r\n", close), /clos|incomplete|ended/i),
    "a head of 1 MB": broken(
      says(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(1_048_576)}\r\n\r\n`),
      /cannot be understood/,
    ),
    "a head without end": broken(
      pour("X: y\r\n".repeat(1000), "HTTP/1.1 200 OK\r\n"),
      /cannot be understood/,
    ),
    "a line without end": broken(pour("x".repeat(10_000)), /cannot be understood/),
    "informational answers without end": broken(
      pour("HTTP/1.1 100 Continue\r\n\r\n".repeat(1000)),
      /cannot be understood/,
    ),
    "bytes behind the answer": broken(says(`${ESTABLISHED}x`), /bytes of its own/),
    "a body behind the answer": broken(
      says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
      /bytes of its own/,
    ),
    "a chunked body behind the answer": broken(
      says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
      /bytes of its own/,
    ),
  };
  for (const [name, { answer, status, cause, text }] of Object.entries(cases)) {
    it(name, async () => {
      await using proxy = await startRogueProxy(() => answer);
      const error = await failure(proxy);
      assert.match(error.message, text);
      assert.match(error.message, /^GET https:\/\/origin\.test\/secret: Unable to connect to proxy/);
      assert.equal(error.status, status);
      assert.ok(error.cause instanceof cause, String(error.cause));
      assert.equal(error.route, `127.0.0.1:${proxy.port}`);
      assert.deepEqual(proxy.connects, ["origin.test:443"]);
    });
  }

  it("a close at every point of the head", async () => {
    let length = 0;
    await using proxy = await startRogueProxy(() => says(HEAD.slice(0, length), halfClose));
    for (; length < HEAD.length; length += 1) {
      const error = await failure(proxy);
      assert.ok(error.cause instanceof ProtocolError, `after ${length} bytes: ${error.cause}`);
    }
  });

  it("a proxy that closes as soon as it accepts", async () => {
    await using proxy = await startRogueProxy(undefined, { onAccept: close });
    const error = await failure(proxy);
    assert.ok(error.cause instanceof ProtocolError);
  });
});

describe("a proxy that is slow", () => {
  const settings = { timeout: new Timeout({ connect: 60, read: 10_000 }) };

  for (const [name, answer] of [
    ["does not answer CONNECT", undefined],
    ["stops in the middle of its answer", says(HEAD.slice(0, 20))],
  ] as const) {
    it(name, async () => {
      await using proxy = await startRogueProxy(() => answer);
      const error = await failure(proxy, settings);
      assert.match(error.message, /connect timeout=\d+/);
      // On a busy machine the time may be over before TCP stands.
      if (error.cause instanceof ConnectTimeoutError) return;
      assert.ok(error.cause instanceof ReadTimeoutError);
      assert.match(error.message, /no answer to CONNECT/);
    });
  }

  it("never finishes TLS", async () => {
    await using proxy = await startOrigin(() => {});
    const error = await failure({ url: `https://127.0.0.1:${proxy.port}` }, settings);
    assert.match(String(error.cause), /Timeout/);
  });

  it("is left at once when the request is aborted, and with the pool at last", async () => {
    await using proxy = await startRogueProxy(() => undefined);
    await using manager = new ProxyManager(proxy.url, { retries: 3 });
    const controller = new AbortController();
    const request = manager.request("GET", ORIGIN, { signal: controller.signal });
    const connection = await proxy.connection(0);
    while (proxy.connects.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(request, reason);
    manager.clear();
    await connection.closed;
    assert.equal(proxy.accepted, 1);
  });

  it("PX-39: one that was reached is not to blame for a slow origin", async () => {
    await using origin = await startHttp(() => undefined, { tls: identity });
    await using proxy = await startRogueProxy(({ method }) =>
      method === "CONNECT" ? { tunnel: true } : undefined,
    );
    await using manager = new ProxyManager(proxy.url, {
      ...trust,
      retries: false,
      timeout: new Timeout({ read: 60 }),
    });
    for (const url of [`${origin.url}/`, "http://forwarded.test/"]) {
      await assert.rejects(
        manager.request("GET", url),
        (error) => error instanceof ReadTimeoutError && error.phase === "head",
      );
    }
  });
});

describe("no way to the proxy", () => {
  it("refused: ProxyError with NewConnectionError", async () => {
    for (const scheme of ["http", "https"]) {
      for (const url of [ORIGIN, "http://origin.test/"]) {
        const error = await failure({ url: `${scheme}://127.0.0.1:${CLOSED}` }, {}, {}, url);
        assert.ok(error.cause instanceof NewConnectionError, String(error.cause));
        assert.equal(error.status, undefined);
      }
    }
  });

  it("PX-24: no such name: ProxyError with NameResolutionError", async () => {
    const lookup: LookupFunction = (_host, _options, done) =>
      done(Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" }), []);
    const error = await failure({ url: "http://no.proxy.test:3128" }, { lookup });
    assert.ok(error.cause instanceof NameResolutionError);
  });

  it("PX-09: counts as connect", async () => {
    await using manager = new ProxyManager(`http://127.0.0.1:${CLOSED}`);
    const retries = new Retry({ total: 9, connect: 1, read: 0, other: 0 });
    await assert.rejects(manager.request("GET", ORIGIN, { retries }), (error) => {
      assert.ok(error instanceof MaxRetryError && error.reason instanceof ProxyError, String(error));
      return error.attempt === 2;
    });
  });

  it("PX-41: its certificate is not trusted: ProxyError with SSLError", async () => {
    await using proxy = await startRogueProxy(undefined, { tls: identity });
    for (const url of [ORIGIN, "http://origin.test/"]) {
      const error = await failure(proxy, {}, {}, url);
      assert.ok(error.cause instanceof SSLError, String(error.cause));
      assert.match(error.message, /self.signed|unable to/i);
    }
    assert.deepEqual(proxy.received, []);
  });

  it("PX-56: an https proxy that speaks only http", async () => {
    await using proxy = await startRogueProxy(() => says("HTTP/1.1 400 Bad Request\r\n\r\n"), {
      onAccept: async (connection) => {
        await connection.readBody(5);
        await connection.send("HTTP/1.1 400 Bad Request\r\n\r\n");
      },
    });
    const error = await failure({ url: proxy.url.replace("http:", "https:") });
    assert.match(error.message, /Your proxy appears to only use HTTP and not HTTPS/);
    assert.ok(error.cause instanceof SSLError);
  });
});

describe("how often a proxy is asked", () => {
  for (const [status, times] of [
    [403, 1],
    [407, 1],
    [502, 3],
  ] as const) {
    it(`${status}: ${times}`, async () => {
      await using proxy = await startRogueProxy(() => ({ status }));
      await using manager = new ProxyManager(proxy.url, { retries: 2 });
      const thrown = await manager.request("GET", ORIGIN).catch((error: HTTPError) => error);
      const error = thrown instanceof MaxRetryError ? thrown.reason : thrown;
      assert.ok(error instanceof ProxyError);
      assert.equal(error.status, status);
      assert.equal(proxy.connects.length, times);
      assert.equal(manager.stats().openConnections, 0);
    });
  }

  it("PX-52: again when it drops the connection", async () => {
    await using origin = await startHttp(() => "through", { tls: identity });
    let asked = 0;
    await using proxy = await startRogueProxy(() => (++asked === 1 ? close : { tunnel: true }));
    await using manager = new ProxyManager(proxy.url, trust);
    assert.equal(await (await manager.request("POST", `${origin.url}/`)).text(), "through");
    assert.equal(proxy.connects.length, 2);
  });
});

describe("what a forwarding proxy answers is an answer", () => {
  for (const status of [403, 407, 502, 503]) {
    it(`${status}`, async () => {
      await using proxy = await startRogueProxy(() => ({ status, body: "from the proxy" }));
      await using manager = new ProxyManager(proxy.url);
      const response = await manager.request("GET", "http://origin.test/");
      assert.deepEqual([response.status, await response.text()], [status, "from the proxy"]);
      assert.equal(proxy.received.length, 1);
    });
  }
});

async function failure(
  proxy: Pick<RogueProxy, "url">,
  settings: ProxyManagerOptions = {},
  options: RequestOptions = {},
  url: string = ORIGIN,
): Promise<ProxyError> {
  await using manager = new ProxyManager(proxy.url, { retries: false, ...settings });
  const error = await manager.request("GET", url, options).then(
    () => assert.fail("the request succeeded"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ProxyError, String(error));
  assert.equal(error.phase, "proxy");
  assert.equal(error.url, url);
  assert.equal(manager.stats().openConnections, 0);
  return error;
}

/** Sends `text` again and again until the client has had enough. */
function pour(text: string, before = ""): Misbehaviour {
  return async (connection) => {
    await connection.send(before);
    while (!connection.socket.destroyed) await connection.send(text);
  };
}
