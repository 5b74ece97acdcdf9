/** What every request has over HTTP/1.1 it has over HTTP/2: redirects, retries, time limits, timings, channels, pins. */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import diagnostics from "node:diagnostics_channel";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import tls from "node:tls";
import {
  type AttemptEndMessage,
  DeadlineError,
  type HTTPError,
  PoolManager,
  type PoolManagerOptions,
  ReadTimeoutError,
} from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import * as h2 from "../kit/h2-frames.ts";
import { serveFrames } from "../kit/h2-service.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

function answer(id: number, body: string, status = "200", ...fields: h2.FieldPair[]): Uint8Array {
  const head = h2.headers(id, [[":status", status], ["content-length", String(body.length)], ...fields]);
  return Buffer.concat([head, h2.data(id, body, true)]);
}

describe("requests over HTTP/2", () => {
  let server: tls.Server;
  let options: PoolManagerOptions;
  let url: string;
  let fingerprint: string;
  /** Paths in the order in which they came. */
  let asked: string[] = [];
  const sockets = new Set<tls.TLSSocket>();

  /** `/silence` is never answered, and `/half` not to its end. */
  function serve(socket: tls.TLSSocket): void {
    serveFrames(socket, (id, path) => {
      asked.push(path);
      const first = asked.filter((each) => each === path).length === 1;
      if (path === "/moved") socket.write(answer(id, "", "302", ["location", "/there"]));
      else if (path === "/busy" && first) socket.write(answer(id, "", "503", ["retry-after", "0"]));
      else if (path === "/half") {
        socket.write(h2.headers(id, [[":status", "200"]]));
        socket.write(h2.data(id, "half"));
      } else if (path !== "/silence") socket.write(answer(id, path));
    });
  }

  before(async () => {
    const authority = await makeAuthority();
    const identity = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
    fingerprint = new X509Certificate(identity.cert).fingerprint256;
    server = tls.createServer({ ...identity, ALPNProtocols: ["h2"] }, (socket) => {
      sockets.add(socket.on("close", () => sockets.delete(socket)));
      serve(socket);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `https://localhost:${(server.address() as AddressInfo).port}`;
    options = { http2: true, caCertData: authority.cert };
  });

  after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  const begin = (): PoolManager => {
    asked = [];
    return new PoolManager(options);
  };

  it("follow redirects on their connection", async () => {
    await using manager = begin();
    const { status, data, url: last } = await manager.request("GET", `${url}/moved`);
    assert.deepEqual([status, String(data), last], [200, "/there", `${url}/there`]);
    assert.deepEqual(asked, ["/moved", "/there"]);
    assert.equal(manager.stats().created, 1);
  });

  it("are tried again after 503, by the rules of Retry", async () => {
    await using manager = begin();
    const retries = { total: 2, statusForcelist: [503] };
    const { status, retries: used } = await manager.request("GET", `${url}/busy`, { retries });
    assert.deepEqual([status, used?.history.length], [200, 1]);
    assert.deepEqual(asked, ["/busy", "/busy"]);
  });

  it("end with their read timeout and deadline, and their neighbours go on", async () => {
    await using manager = begin();
    await manager.request("GET", `${url}/first`);
    const failures = await Promise.all([
      manager.request("GET", `${url}/silence`, { retries: false, timeout: { read: 100 } }).catch((e) => e),
      manager.request("GET", `${url}/half`, { retries: false, timeout: { read: 100 } }).catch((e) => e),
      manager.request("GET", `${url}/silence`, { retries: false, deadline: 100 }).catch((e) => e),
      manager.request("GET", `${url}/beside`),
    ]);
    const [silence, half, late, beside] = failures;
    assert.ok(silence instanceof ReadTimeoutError && half instanceof ReadTimeoutError, `${silence} ${half}`);
    assert.deepEqual([silence.phase, half.phase], ["head", "body"]);
    assert.ok(late instanceof DeadlineError, String(late));
    assert.equal(String(beside.data), "/beside");
    const { pools, created } = manager.stats();
    assert.deepEqual([created, pools[0]!.busy, pools[0]!.streams], [1, 0, [0]]);
  });

  it("have timings: who comes later does not connect", async () => {
    await using manager = begin();
    const first = await manager.request("GET", `${url}/first`);
    const second = await manager.request("GET", `${url}/second`);
    assert.ok(first.timings!.connect !== null && first.timings!.tls !== null);
    assert.deepEqual([second.timings!.connect, second.timings!.tls], [null, null]);
    for (const { timings } of [first, second]) assert.ok(timings!.firstByte! >= timings!.sent!);
  });

  it("are told in the channels, with their protocol", async () => {
    await using manager = begin();
    const ends: AttemptEndMessage[] = [];
    const listen = (message: unknown): void => {
      ends.push(message as AttemptEndMessage);
    };
    diagnostics.subscribe("urlpool:attempt:end", listen);
    try {
      await manager.request("GET", `${url}/first`);
      await Promise.all([manager.request("GET", `${url}/second`), manager.request("GET", `${url}/third`)]);
    } finally {
      diagnostics.unsubscribe("urlpool:attempt:end", listen);
    }
    assert.deepEqual(
      ends.map(({ protocol, reused, status }) => [protocol, reused, status]),
      [
        ["h2", false, 200],
        ["h2", true, 200],
        ["h2", true, 200],
      ],
    );
    assert.equal(new Set(ends.map(({ connection }) => connection)).size, 1);
  });

  it("hold the server to the fingerprint", async () => {
    asked = [];
    await using pinned = new PoolManager({ ...options, assertFingerprint: fingerprint });
    assert.equal((await pinned.request("GET", `${url}/pinned`)).version, 20);
    const other = `${fingerprint.startsWith("00") ? "11" : "00"}${fingerprint.slice(2)}`;
    await using wrong = new PoolManager({ ...options, assertFingerprint: other, retries: false });
    await assert.rejects(wrong.request("GET", `${url}/secret`), /[Ff]ingerprint/);
    assert.deepEqual(asked, ["/pinned"]);
  });

  it("free their place at once when they are aborted: the next one waits for nothing", async () => {
    asked = [];
    await using manager = new PoolManager({ ...options, h2MaxStreams: 1, maxsize: 1, block: true });
    const controller = new AbortController();
    const reason = new Error("enough");
    const silent = manager.request("GET", `${url}/silence`, { signal: controller.signal });
    const next = manager.request("GET", `${url}/next`);
    while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    controller.abort(reason);
    await assert.rejects(silent, (error: HTTPError) => (error as Error) === reason);
    assert.equal(String((await next).data), "/next");
    assert.equal(manager.stats().created, 1);
  });

  it("that are streamed and given up reset their stream alone", async () => {
    await using manager = begin();
    const half = await manager.request("GET", `${url}/half`, { preloadContent: false });
    assert.equal(String(await half.read(4)), "half");
    assert.deepEqual(manager.stats().pools[0]!.streams, [1]);
    await half.close();
    assert.deepEqual(manager.stats().pools[0]!.streams, [0]);
    assert.equal(String((await manager.request("GET", `${url}/next`)).data), "/next");
    assert.equal(manager.stats().created, 1);
  });
});
