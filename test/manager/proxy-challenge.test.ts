/** Proxies that ask for credentials: Basic and Digest, by squid and by a proxy of our own. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "node:test";
import {
  type HTTPResponse,
  makeHeaders,
  ProxyError,
  ProxyManager,
  type ProxyManagerOptions,
  type RequestOptions,
} from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { skipWithout } from "../kit/daemon.ts";
import { type HttpOrigin, type OriginRequest, type ResponseSpec, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import type { OriginConnection } from "../kit/origin-connection.ts";
import {
  behave,
  challenge,
  guarded,
  type RogueAnswer,
  type RogueProxy,
  startRogueProxy,
} from "../kit/rogue-proxy.ts";
import { type Squid, type SquidLogEntry, startSquid } from "../kit/squid.ts";

leakGate();

const USER = { user: "carol", password: "p@ss: word" };
const USERINFO = `${USER.user}:${encodeURIComponent(USER.password)}@`;
const REALM = "a realm";
const authority = await makeAuthority();
const identity = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });

for (const scheme of ["basic", "digest"] as const) {
  describe(`squid asks for ${scheme}`, { skip: skipWithout("squid") }, () => {
    let squid: Squid;
    let origins: Record<"http" | "https", HttpOrigin>;
    let read = 0;
    before(async () => {
      squid = await startSquid({ auth: { ...USER, scheme, realm: REALM } });
      origins = {
        http: await startHttp(() => "inside"),
        https: await startHttp(() => "inside", { tls: identity }),
      };
    });
    after(async () => {
      await Promise.all([squid?.stop(), origins?.http.close(), origins?.https.close()]);
    });

    /** What squid has logged since it was last asked. */
    async function logged(count: number): Promise<SquidLogEntry[]> {
      const log = (await squid.accessLog(read + count)).slice(read);
      read += log.length;
      return log;
    }

    function managerFor(userinfo: string, options: ProxyManagerOptions = {}): ProxyManager {
      return new ProxyManager(squid.url.replace("//", `//${userinfo}`), {
        caCertData: authority.cert,
        retries: 3,
        ...options,
      });
    }

    for (const target of ["http", "https"] as const) {
      const asked = scheme === "digest" ? [407] : [];

      it(`lets a ${target} request in`, async () => {
        {
          await using manager = managerFor(USERINFO);
          for (let i = 0; i < 3; i += 1) {
            const response = await manager.request("GET", `${origins[target].url}/`);
            assert.deepEqual([response.status, await response.text()], [200, "inside"]);
            assert.deepEqual(response.retries?.history ?? [], []);
          }
        }
        const expected = target === "http" ? [...asked, 200, 200, 200] : [...asked, 200];
        const log = await logged(expected.length);
        assert.deepEqual(
          log.map(({ status }) => status),
          expected,
        );
        if (target === "http") assert.equal(new Set(log.map(({ connection }) => connection)).size, 1);
      });

      it(`refuses a ${target} request with a wrong password, and is not asked again`, async () => {
        {
          await using manager = managerFor(`${USER.user}:wrong@`);
          const request = manager.request("GET", `${origins[target].url}/`);
          if (target === "http") assert.equal((await request).status, 407);
          else
            await assert.rejects(request, (error) => {
              assert.ok(error instanceof ProxyError, String(error));
              assert.equal(error.status, 407);
              assert.match(error.message, new RegExp(`407.*${scheme}`, "i"));
              return !error.message.includes("wrong");
            });
        }
        const expected = [...asked, 407];
        assert.deepEqual(
          (await logged(expected.length)).map(({ status }) => status),
          expected,
        );
      });

      it(`lets a ${target} request in with the credentials of proxyHeaders`, async () => {
        const proxyHeaders = makeHeaders({ proxyBasicAuth: `${USER.user}:${USER.password}` });
        {
          await using manager = managerFor("", { proxyHeaders });
          assert.equal((await manager.request("GET", `${origins[target].url}/`)).status, 200);
        }
        assert.equal((await logged(asked.length + 1)).length, asked.length + 1);
      });
    }
  });
}

describe("Basic", () => {
  it("goes with the first request, percent-decoded and as UTF-8", async () => {
    const authorization = `Basic ${Buffer.from("j\u00f6rg:a:b").toString("base64")}`;
    await using proxy = await startRogueProxy(guarded(authorization));
    await using manager = new ProxyManager(proxy.url.replace("//", "//j%C3%B6rg:a%3Ab@"));
    assert.equal((await manager.request("GET", "http://origin.test/")).status, 200);
    assert.equal(proxy.received.length, 1);
  });

  it("a name without a password", async () => {
    await using proxy = await startRogueProxy(guarded(`Basic ${Buffer.from("carol:").toString("base64")}`));
    await using manager = new ProxyManager(proxy.url.replace("//", "//carol@"));
    assert.equal((await manager.request("GET", "http://origin.test/")).status, 200);
  });

  it("proxyHeaders win over the URL", async () => {
    await using proxy = await startRogueProxy(guarded("Bearer token"));
    await using manager = new ProxyManager(proxy.url.replace("//", `//${USERINFO}`), {
      proxyHeaders: { "Proxy-Authorization": "Bearer token" },
    });
    assert.equal((await manager.request("GET", "http://origin.test/")).status, 200);
  });
});

describe("Digest", () => {
  const challenges: Record<string, string> = {
    "without an algorithm or qop": 'Digest realm="r", nonce="n"',
    MD5: 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"',
    "MD5-sess": 'Digest realm="r", nonce="n", algorithm=MD5-sess, qop="auth,auth-int"',
    "SHA-256":
      'Digest realm="a \\"quoted\\" realm, it is", nonce="n", algorithm=SHA-256, qop="auth-int, auth", opaque="o"',
    "SHA-256-sess": 'digest qop="auth",algorithm="SHA-256-sess",nonce="n",realm="r"',
    "beside others": 'Negotiate, Digest realm="r", nonce="n", qop="auth", Basic realm="b"',
  };
  for (const [name, value] of Object.entries(challenges)) {
    it(name, async () => {
      await using proxy = await startRogueProxy(digestGuard(value));
      await using origin = await startHttp(() => "inside", { tls: identity });
      await using manager = managerAt(proxy);
      for (const url of ["http://origin.test/a?b=c", `${origin.url}/`, "http://origin.test/d"]) {
        assert.equal((await manager.request("POST", url, { body: "once" })).status, 200, url);
      }
      // One challenge for the shared pool, one for the tunnel.
      const counts = proxy.received.map((request) => parameters(request).get("nc"));
      const uses = value.includes("qop")
        ? ["00000001", "00000001", "00000002"]
        : [undefined, undefined, undefined];
      assert.deepEqual(counts, [undefined, uses[0], undefined, uses[1], uses[2]]);
      assert.equal(proxy.connections.length, 2);
    });
  }

  it("the strongest of several", async () => {
    const values = [
      'Digest realm="r", nonce="m", algorithm=MD5',
      'Digest realm="r", nonce="s", algorithm=SHA-256',
    ];
    await using proxy = await startRogueProxy((request) =>
      request.header("proxy-authorization")?.startsWith("Digest") ? behave(request) : challenge(...values),
    );
    await using manager = managerAt(proxy);
    await manager.request("GET", "http://origin.test/");
    assert.equal(parameters(proxy.received[1]!).get("nonce"), "s");
  });

  for (const value of [
    'Digest realm="r", nonce="n", algorithm=SHA-512-256',
    'Digest realm="r", nonce="n", qop="auth-int"',
    'Digest realm="r"',
    "Negotiate",
    'Basic realm="r"',
  ]) {
    it(`what cannot be answered is not: ${value}`, async () => {
      await using proxy = await startRogueProxy(() => challenge(value));
      await using manager = managerAt(proxy);
      assert.equal((await manager.request("GET", "http://origin.test/")).status, 407);
      await assert.rejects(manager.request("GET", "https://origin.test/"), { status: 407 });
      assert.equal(proxy.received.length, 2);
    });
  }

  for (const stale of [false, true]) {
    it(`a proxy that asks for ever${stale ? " because the nonce is stale" : ""} is answered once`, async () => {
      let nonce = 0;
      await using proxy = await startRogueProxy(() =>
        challenge(`Digest realm="r", nonce="${nonce++}", stale=${stale}`),
      );
      await using manager = managerAt(proxy);
      assert.equal((await manager.request("GET", "http://origin.test/")).status, 407);
      assert.equal(proxy.received.length, 2);
      await assert.rejects(manager.request("GET", "https://origin.test/"), { status: 407 });
      assert.equal(proxy.received.length, 4);
    });
  }

  it("a stale nonce is replaced", async () => {
    let nonce = "first";
    await using proxy = await startRogueProxy((request) =>
      parameters(request).get("nonce") === nonce
        ? behave(request)
        : challenge(`Digest realm="r", nonce="${nonce}", stale=true`),
    );
    await using manager = managerAt(proxy);
    for (const now of ["first", "second", "third"]) {
      nonce = now;
      assert.equal((await manager.request("GET", "http://origin.test/")).status, 200);
    }
    assert.equal(proxy.received.length, 6);
  });

  it("a proxy that closes after asking is asked again on a new connection", async () => {
    for (const close of ["said", "done"]) {
      const guard = digestGuard('Digest realm="r", nonce="n"', { close: close === "said" });
      await using proxy = await startRogueProxy((request) => {
        const answer = guard(request);
        if (close === "said" || parameters(request).has("response")) return answer;
        return async (connection) => {
          await connection.send(`HTTP/1.1 407 No\r\nProxy-Authenticate: Digest realm="r", nonce="n"\r\n\r\n`);
          connection.halfClose();
        };
      });
      await using origin = await startHttp(() => "inside", { tls: identity });
      await using manager = managerAt(proxy);
      for (const url of ["http://origin.test/", `${origin.url}/`])
        assert.equal((await manager.request("GET", url)).status, 200, `${close} ${url}`);
      assert.equal(proxy.connections.length, 4, close);
    }
  });

  it("a proxy that resets after asking for a tunnel's credentials is asked again on a new connection", async () => {
    await using proxy = await startRogueProxy((request) => {
      if (parameters(request).has("response")) return behave(request);
      return async (connection) => {
        const asking = `HTTP/1.1 407 No\r\nProxy-Authenticate: Digest realm="r", nonce="n"\r\nContent-Length: 0\r\n\r\n`;
        await connection.send(asking);
        connection.reset();
      };
    });
    await using origin = await startHttp(() => "inside", { tls: identity });
    await using manager = managerAt(proxy);
    assert.equal((await manager.request("GET", `${origin.url}/`)).status, 200);
    assert.equal(proxy.connections.length, 2);
  });

  it("an answer too long to be read for the connection's sake", async () => {
    const guard = digestGuard('Digest realm="r", nonce="n"', { body: "x".repeat(500_000) });
    await using proxy = await startRogueProxy(guard);
    await using origin = await startHttp(() => "inside", { tls: identity });
    await using manager = managerAt(proxy);
    assert.equal((await manager.request("GET", `${origin.url}/`)).status, 200);
    assert.equal(proxy.connections.length, 2);
  });

  it("bodies are sent again if they can be", async () => {
    await using proxy = await startRogueProxy(digestGuard('Digest realm="r", nonce="n"'));
    await using manager = managerAt(proxy);
    const send = (body: RequestOptions["body"]): Promise<HTTPResponse> =>
      manager.request("POST", "http://origin.test/", { body });
    assert.equal((await send(ReadableStream.from([Buffer.from("gone")]) as ReadableStream)).status, 407);
    manager.clear();
    assert.equal((await send("text")).status, 200);
    assert.deepEqual(
      proxy.received.map(({ body }) => body.toString()),
      ["gone", "text", "text"],
    );
  });
});

function managerAt(proxy: RogueProxy): ProxyManager {
  return new ProxyManager(proxy.url.replace("//", `//${USERINFO}`), {
    caCertData: authority.cert,
    retries: 0,
  });
}

/** Lets in who answers this challenge, computed here from RFC 7616. */
function digestGuard(value: string, refusal: ResponseSpec = {}): (request: OriginRequest) => RogueAnswer {
  const asked = parameters({ header: () => value.slice(value.search(/digest/i)).replace(/, basic.*/i, "") });
  return (request) => {
    const given = parameters(request);
    if (given.get("response") === undefined) return { ...challenge(value), ...refusal };
    assert.equal(given.get("uri"), request.target);
    assert.equal(given.get("username"), USER.user);
    for (const name of ["nonce", "opaque", "realm"]) assert.equal(given.get(name), asked.get(name), name);
    assert.equal(given.get("response"), expectedResponse(request.method, given));
    return behave(request);
  };
}

function expectedResponse(method: string, given: Map<string, string>): string {
  const algorithm = given.get("algorithm") ?? "MD5";
  const hash = (...parts: (string | undefined)[]): string =>
    createHash(algorithm.startsWith("SHA") ? "sha256" : "md5")
      .update(parts.join(":"))
      .digest("hex");
  const get = (name: string): string | undefined => given.get(name);
  const realm = get("realm")!.replace(/\\(.)/g, "$1");
  const plain = hash(USER.user, realm, USER.password);
  const secret = algorithm.endsWith("-sess") ? hash(plain, get("nonce"), get("cnonce")) : plain;
  const request = hash(method, get("uri"));
  if (get("qop") === undefined) return hash(secret, get("nonce"), request);
  return hash(secret, get("nonce"), get("nc"), get("cnonce"), "auth", request);
}

/** The parameters of a Digest challenge or answer, as they stand between the quotes. */
function parameters({ header }: Pick<OriginRequest, "header">): Map<string, string> {
  const value = header("proxy-authorization") ?? "";
  if (!/^digest /i.test(value)) return new Map();
  const pairs = value.slice(7).matchAll(/([a-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/gi);
  return new Map([...pairs].map(([, name, quoted, token]) => [name!, quoted ?? token!]));
}

describe("a proxy that asks for Digest and then gives the connection up", () => {
  const asked = (length: number, body = ""): string =>
    `HTTP/1.1 407 Who\r\nProxy-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\nContent-Length: ${length}\r\n\r\n${body}`;
  const ends: [name: string, end: (connection: OriginConnection) => void][] = [
    ["closes", (connection) => connection.close()],
    ["ends", (connection) => connection.halfClose()],
    ["resets", (connection) => connection.reset()],
  ];
  for (const [name, end] of ends) {
    for (const answer of [asked(0), asked(8, "half")]) {
      it(`${name} ${answer.endsWith("half") ? "within" : "after"} its answer: the credentials go on a new one`, async () => {
        await using origin = await startHttp(() => "inside", { tls: identity });
        await using proxy = await startRogueProxy((request) => {
          if (request.header("proxy-authorization")?.startsWith("Digest ")) return behave(request);
          return async (connection) => {
            await connection.send(answer);
            end(connection);
          };
        });
        const url = proxy.url.replace("//", `//${USERINFO}`);
        await using manager = new ProxyManager(url, { caCertData: authority.cert, retries: false });
        assert.equal(await (await manager.request("GET", `${origin.url}/`)).text(), "inside");
        assert.equal(proxy.accepted, 2);
        await using without = new ProxyManager(proxy.url, { retries: false });
        await assert.rejects(without.request("GET", `${origin.url}/`), (error: ProxyError) => {
          assert.ok(error instanceof ProxyError);
          return error.status === 407 && /asks for credentials/.test(error.message);
        });
      });
    }
  }

  it("resets every time: the failure is one of the proxy, after two connections", async () => {
    await using proxy = await startRogueProxy(() => async (connection) => {
      await connection.send(asked(0));
      connection.reset();
    });
    const url = proxy.url.replace("//", `//${USERINFO}`);
    await using manager = new ProxyManager(url, { retries: false });
    await assert.rejects(manager.request("GET", "https://origin.test/"), ProxyError);
    assert.equal(proxy.accepted, 2);
  });
});
