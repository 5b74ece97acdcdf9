/** Names from outside that objects inherit, and promises that nobody waits for. */

import assert from "node:assert/strict";
import net from "node:net";
import { describe, it } from "node:test";
import { HTTPConnectionPool, PoolManager, URLSchemeUnknown } from "../../src/index.ts";
import { settle } from "../kit/clock.ts";
import { type OriginRequest, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

describe("a scheme that every object has as a property", () => {
  for (const scheme of ["constructor", "__proto__"]) {
    it(scheme, async () => {
      await using origin = await startHttp(() => ({ status: 302, headers: { Location: `${scheme}://x/` } }));
      await using manager = new PoolManager({ retries: 2 });
      // With an underscore it is no scheme in a URL.
      const urls = scheme === "constructor" ? [`${scheme}://x/`, `${origin.url}/`] : [];
      for (const url of urls) await assert.rejects(manager.request("GET", url), URLSchemeUnknown, url);
      for (const connect of [
        () => manager.connectionFromHost("x", 80, scheme),
        () => manager.connectionFromContext({ scheme, host: "x", port: 80 }),
      ]) {
        assert.throws(connect, URLSchemeUnknown);
      }
      assert.equal(manager.stats().pools.length, urls.length / 2);
    });
  }
});

describe("an IPv6 zone", () => {
  it("stays here in a request for another host than the pool's", async () => {
    await using origin = await startHttp(() => "x");
    await using pool = new HTTPConnectionPool("127.0.0.1", origin.port);
    const response = await pool.urlopen("GET", "http://[fe80::1%25eth0]:8080/%61", { assertSameHost: false });
    const [{ target, header }] = origin.received as [OriginRequest];
    assert.deepEqual([target, header("host")], ["http://[fe80::1]:8080/%61", "[fe80::1]:8080"]);
    assert.equal(response.url, "http://[fe80::1%eth0]:8080/%61");
  });

  it("stays here in a direct request: Host", async () => {
    await using origin = await startHttp(() => "x");
    await using manager = new PoolManager({ connect: () => net.connect(origin.port, "127.0.0.1") });
    await manager.request("GET", "http://[fe80::1%25eth0]:8080/");
    assert.equal(origin.received[0]!.header("host"), "[fe80::1]:8080");
  });
});

describe("a promised proxy", () => {
  it("that fails beside a look-up, which cannot wait for it, ends no process", async () => {
    const manager = new PoolManager({ proxy: () => Promise.reject(new Error("no such proxy")) });
    assert.throws(() => manager.connectionFromUrl("http://x.test/"), /promised only/);
    // The test runner fails the test for a rejection that nobody handles.
    await settle();
  });

  it("that fails beside an option that is refused ends no process", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", note);
    const failing = async (): Promise<never> => {
      throw new Error("no such proxy");
    };
    const manager = new PoolManager({ proxy: failing, retries: false });
    await assert.rejects(manager.request("GET", "http://x.test/", { headers: 5 as never }), TypeError);
    await assert.rejects(manager.request("GET", "http://x.test/"), /no such proxy/);
    const signal = AbortSignal.abort(new Error("enough"));
    await assert.rejects(manager.request("GET", "http://x.test/", { signal }), /enough/);
    await settle();
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    assert.deepEqual(unhandled, []);
  });
});
