/**
 * Every kind of proxy, with and without credentials, to http and https origins: what 20 requests cost is counted in the
 * proxy's own log.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { PoolManager } from "../../src/index.ts";
import { type Authority, type Identity, makeAuthority } from "../kit/certificates.ts";
import { skipWithout } from "../kit/daemon.ts";
import { skipWithoutDante, startDante } from "../kit/dante.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { type Nginx, SMALL_TEXT, startNginx } from "../kit/nginx.ts";
import {
  type ProxyUser,
  type RunningProxy,
  startHaproxy,
  startMicrosocks,
  startTinyproxy,
} from "../kit/proxies.ts";
import { type Squid, startSquid } from "../kit/squid.ts";

leakGate();

const REQUESTS = 20;
/** More than is read ahead of who wants it. */
const BIG = 1_048_576;
const USER: ProxyUser = { user: "carol", password: "open-sesame" };

/** What a proxy saw. */
interface Seen {
  /** Connections from clients. */
  connections: number;
  /** CONNECTs, or SOCKS requests. */
  tunnels: number;
}

interface CountedProxy extends AsyncDisposable {
  /** With the credentials it wants. */
  readonly url: string;
  /** What it saw since it was last asked, once that are so many exchanges and tunnels. */
  seen(entries: number): Promise<Seen>;
}

interface Kind {
  name: string;
  skip: string | false;
  start: (identity: Identity, auth: ProxyUser | undefined) => Promise<CountedProxy>;
  /** Forwarded requests have a log entry each; through SOCKS all is a tunnel. */
  forwards: boolean;
  /** Whether it keeps connections on which it forwards. */
  keeps: boolean;
}

const KINDS: Kind[] = [
  {
    name: "squid",
    skip: skipWithout("squid", "nginx"),
    forwards: true,
    keeps: true,
    start: async (_identity, auth) => {
      const squid = await startSquid(squidOptions(auth));
      return overSquid(squid, urlWith("http", squid.port, auth));
    },
  },
  {
    name: "squid, over TLS",
    skip: skipWithout("squid", "nginx"),
    forwards: true,
    keeps: true,
    start: async (tls, auth) => {
      const squid = await startSquid({ ...squidOptions(auth), tls });
      return overSquid(squid, urlWith("https", squid.httpsPort, auth));
    },
  },
  {
    name: "haproxy for squid, over TLS",
    skip: skipWithout("squid", "haproxy", "nginx"),
    forwards: true,
    keeps: true,
    start: async (tls, auth) => {
      const squid = await startSquid(squidOptions(auth));
      const front = await startHaproxy({ tls, target: squid.port });
      return overSquid(squid, urlWith("https", front.port, auth), front);
    },
  },
  {
    name: "tinyproxy",
    skip: skipWithout("tinyproxy", "nginx"),
    forwards: true,
    keeps: false,
    start: async (_identity, auth) => {
      const proxy = await startTinyproxy(auth === undefined ? {} : { auth });
      const count = (line: string): Seen => ({
        connections: 1,
        tunnels: line.startsWith("CONNECT ") ? 1 : 0,
      });
      return overLog(proxy, urlWith("http", proxy.port, auth), count);
    },
  },
  {
    name: "dante",
    skip: skipWithoutDante() || skipWithout("nginx"),
    forwards: false,
    keeps: true,
    start: async (_identity, auth) => {
      const proxy = await startDante(auth === undefined ? {} : { auth });
      return overLog(proxy, urlWith("socks5", proxy.port, auth), () => ({ connections: 1, tunnels: 1 }));
    },
  },
  {
    name: "microsocks",
    skip: skipWithout("microsocks", "nginx"),
    forwards: false,
    keeps: true,
    start: async (_identity, auth) => {
      const proxy = await startMicrosocks(auth === undefined ? {} : { auth });
      return overLog(proxy, urlWith("socks5h", proxy.port, auth), () => ({ connections: 1, tunnels: 1 }));
    },
  },
];

describe("20 requests", () => {
  let authority: Authority;
  let identity: Identity;
  let nginx: Nginx | undefined;

  before(async () => {
    authority = await makeAuthority();
    identity = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
    if (skipWithout("nginx") === false) nginx = await startNginx({ tls: identity, bigSize: BIG });
  });

  after(() => nginx?.stop());

  for (const kind of KINDS) {
    for (const auth of [undefined, USER]) {
      describe(`through ${kind.name}${auth === undefined ? "" : ", with a password"}`, {
        skip: kind.skip,
      }, () => {
        let proxy: CountedProxy;
        before(async () => {
          proxy = await kind.start(identity, auth);
        });
        after(() => proxy?.[Symbol.asyncDispose]());

        for (const scheme of ["http", "https"] as const) {
          const tunnels = scheme === "https" || !kind.forwards;

          it(`to ${scheme}, one after the other`, async () => {
            const created = await run(proxy.url, origin(scheme), 1);
            const { made, connections } = expected(created, tunnels || kind.keeps ? 1 : REQUESTS);
            const seen = await proxy.seen(tunnels ? made : REQUESTS);
            assert.deepEqual(seen, { connections, tunnels: tunnels ? 1 : 0 });
          });

          it(`to ${scheme}, five at a time`, async () => {
            const created = await run(proxy.url, origin(scheme), 5);
            const { made, connections } = expected(created, tunnels || kind.keeps ? 5 : REQUESTS);
            const seen = await proxy.seen(tunnels ? made : REQUESTS);
            assert.deepEqual(seen, { connections, tunnels: tunnels ? 5 : 0 });
          });
        }
      });
    }
  }

  function origin(scheme: "http" | "https"): string {
    return scheme === "http" ? nginx!.url : nginx!.httpsUrl;
  }

  /** Makes the requests, and tells how many connections the manager says it made. */
  async function run(proxy: string, url: string, concurrency: number): Promise<number> {
    await using manager = new PoolManager({
      proxy,
      maxsize: concurrency,
      caCertData: authority.cert,
      retries: 0,
    });
    const seen = (await nginx!.accessLog()).length;
    // Each of the first ones keeps its connection until all of them have been answered.
    const first = await Promise.all(
      Array.from({ length: concurrency }, () =>
        manager.request("GET", `${url}/big`, { preloadContent: false }),
      ),
    );
    for (const response of first) assert.equal((await response.bytes()).length, BIG);
    const answer = async (): Promise<void> => {
      const response = await manager.request("GET", `${url}/`);
      assert.deepEqual([response.status, await response.text()], [200, SMALL_TEXT]);
    };
    for (let sent = concurrency; sent < REQUESTS; sent += concurrency) await Promise.all(first.map(answer));
    assert.equal((await nginx!.accessLog(seen + REQUESTS)).length, seen + REQUESTS);
    assert.equal(manager.pools.size, 1);
    return manager.stats().created;
  }
});

function expected(created: number, connections: number): { made: number; connections: number } {
  assert.equal(created, connections);
  return { made: created, connections };
}

function squidOptions(auth: ProxyUser | undefined): Parameters<typeof startSquid>[0] & object {
  return auth === undefined ? {} : { auth: { ...auth, scheme: "basic" } };
}

function urlWith(scheme: string, port: number, auth: ProxyUser | undefined): string {
  const userinfo = auth === undefined ? "" : `${auth.user}:${auth.password}@`;
  return `${scheme}://${userinfo}${scheme === "https" ? "localhost" : "127.0.0.1"}:${port}`;
}

function overSquid(squid: Squid, url: string, front?: RunningProxy): CountedProxy {
  let read = 0;
  let fronted = 0;
  return {
    url,
    seen: async (entries) => {
      const log = (await squid.accessLog(read + entries)).slice(read);
      read += log.length;
      assert.deepEqual([...new Set(log.map(({ status }) => status))], [200]);
      const connections = new Set(log.map(({ connection }) => connection)).size;
      if (front !== undefined) {
        const taken = (await front.log(fronted + connections)).length - fronted;
        fronted += taken;
        assert.equal(taken, connections);
      }
      return { connections, tunnels: log.filter(({ method }) => method === "CONNECT").length };
    },
    [Symbol.asyncDispose]: async () => {
      await front?.stop();
      await squid.stop();
    },
  };
}

function overLog(proxy: RunningProxy, url: string, count: (line: string) => Seen): CountedProxy {
  let read = 0;
  return {
    url,
    seen: async (entries) => {
      const log = (await proxy.log(read + entries)).slice(read);
      read += log.length;
      const sum = { connections: 0, tunnels: 0 };
      for (const { connections, tunnels } of log.map(count)) {
        sum.connections += connections;
        sum.tunnels += tunnels;
      }
      return sum;
    },
    [Symbol.asyncDispose]: () => proxy.stop(),
  };
}
