/** TLS with the proxy, and TLS with the origin inside it: each is governed by its own options. */

import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { afterEach, beforeEach, describe, it } from "node:test";
import { createSecureContext, type TLSSocket } from "node:tls";
import { ProxyError, ProxyManager, type ProxyManagerOptions, SSLError } from "../../src/index.ts";
import { type IssueOptions, makeAuthority, makeSelfSigned } from "../kit/certificates.ts";
import { type HttpOrigin, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { type RogueProxy, startRogueProxy } from "../kit/rogue-proxy.ts";

leakGate();

/** Vouches for proxies. */
const proxies = await makeAuthority("Proxies");
/** Vouches for origins. */
const origins = await makeAuthority("Origins");
const both = `${proxies.cert}\n${origins.cert}`;
const local: IssueOptions = { names: ["localhost"], ips: ["127.0.0.1"] };
const proxyIdentity = await proxies.issue(local);
const originIdentity = await origins.issue(local);
const otherProxy = await proxies.issue({ names: ["other.test"] });
const fingerprint = (cert: string): string =>
  createHash("sha256").update(new X509Certificate(cert).raw).digest("hex");

describe("an https proxy", () => {
  let origin: HttpOrigin;
  let proxy: RogueProxy;
  beforeEach(async () => {
    origin = await startHttp(() => "inside", { tls: originIdentity });
    proxy = await startRogueProxy(undefined, {
      tls: { ...proxyIdentity, ALPNProtocols: ["h2", "http/1.1"] },
    });
  });
  afterEach(async () => {
    await Promise.all([origin.close(), proxy.close()]);
  });

  async function get(url: string, options: ProxyManagerOptions, at: string = proxy.url): Promise<string> {
    await using manager = new ProxyManager(at, { retries: false, ...options });
    return await (await manager.request("GET", url)).text();
  }

  const works: [name: string, options: ProxyManagerOptions][] = [
    ["PX-16: authorities of origins and proxies in one", { caCertData: both }],
    ["PX-17: authorities of each", { caCertData: origins.cert, proxyTls: { caCertData: proxies.cert } }],
    [
      "a context of the proxy's own",
      { caCertData: origins.cert, proxyTls: { sslContext: createSecureContext({ ca: proxies.cert }) } },
    ],
    [
      "PX-46: the proxy's fingerprint",
      { caCertData: both, proxyAssertFingerprint: fingerprint(proxyIdentity.cert) },
    ],
    ["PX-47: the name the proxy has", { caCertData: both, proxyAssertHostname: "localhost" }],
    [
      "a proxy that need not be valid, but an origin that must",
      { caCertData: origins.cert, proxyTls: { certReqs: "CERT_NONE" } },
    ],
    [
      "an origin that need not be valid, but a proxy that must",
      { certReqs: "CERT_NONE", proxyTls: { caCertData: proxies.cert } },
    ],
  ];
  for (const [name, options] of works) {
    it(`${name}: to http and https origins`, async () => {
      assert.equal(await get(`${origin.url}/`, options), "inside");
      assert.equal(await get("http://origin.test/", options), "http://origin.test/");
      assert.deepEqual(proxy.connects, [`127.0.0.1:${origin.port}`]);
    });
  }

  it("PX-60: the proxy gets its own name and http/1.1", async () => {
    const options = { caCertData: both, serverHostname: "localhost" };
    await get(`${origin.url}/`, options, proxy.url.replace("127.0.0.1", "localhost"));
    const { servername, alpnProtocol } = proxy.connections[0]!.socket as unknown as TLSSocket & {
      servername: string;
    };
    assert.deepEqual([servername, alpnProtocol], ["localhost", "http/1.1"]);
  });

  const refused: [name: string, options: ProxyManagerOptions, text: RegExp][] = [
    ["it is not trusted", { caCertData: origins.cert }, /unable to|self.signed/i],
    [
      "only the proxy's own authorities count for it",
      { caCertData: both, proxyTls: { caCertData: origins.cert } },
      /unable to|self.signed/i,
    ],
    [
      "PX-46: another fingerprint",
      { caCertData: both, proxyAssertFingerprint: fingerprint(originIdentity.cert) },
      /fingerprint/i,
    ],
    ["PX-47: another name", { caCertData: both, proxyAssertHostname: "other.test" }, /other\.test/],
    ["certReqs of the origin is not the proxy's", { certReqs: "CERT_NONE" }, /unable to|self.signed/i],
    [
      "nor is assertHostname: false, nor a fingerprint",
      { certReqs: "CERT_NONE", assertHostname: false, assertFingerprint: fingerprint(originIdentity.cert) },
      /unable to|self.signed/i,
    ],
    [
      "nor is a context, unless https is forwarded",
      { sslContext: createSecureContext({ ca: both }) },
      /unable to|self.signed/i,
    ],
  ];
  for (const [name, options, text] of refused) {
    it(`${name}: ProxyError with SSLError`, async () => {
      for (const url of [`${origin.url}/`, "http://origin.test/"]) {
        await assert.rejects(get(url, options), (error) => {
          assert.ok(error instanceof ProxyError && error.cause instanceof SSLError, String(error));
          assert.match(error.message, text);
          return true;
        });
      }
      assert.deepEqual(proxy.received, []);
    });
  }

  it("PX-42: the origin is not trusted: SSLError", async () => {
    const options = { caCertData: proxies.cert };
    await assert.rejects(get(`${origin.url}/`, options), SSLError);
    assert.equal(proxy.connects.length, 1);
    await assert.rejects(get(`${origin.url}/`, { caCertData: both, assertHostname: "other.test" }), SSLError);
  });

  it("the client certificate is for origins, unless it is among proxyTls", async () => {
    const client = await origins.issue({ names: ["client"], client: true });
    const ask = { requestCert: true, rejectUnauthorized: false };
    await using asking = await startRogueProxy(undefined, { tls: { ...proxyIdentity, ...ask } });
    const shown = (): boolean =>
      Object.keys((asking.connections.at(-1)!.socket as unknown as TLSSocket).getPeerCertificate()).length >
      0;
    const sslContext = createSecureContext({ ca: both, ...client });
    await get(`${origin.url}/`, { sslContext, proxyTls: { caCertData: proxies.cert } }, asking.url);
    assert.equal(shown(), false);
    await get(`${origin.url}/`, { caCertData: both, proxyTls: { sslContext } }, asking.url);
    assert.equal(shown(), true);
  });

  it("PX-18, PX-35: useForwardingForHttps sends https requests to it in the clear", async () => {
    const options = {
      caCertData: proxies.cert,
      useForwardingForHttps: true,
      proxyHeaders: { "X-Proxy": "1" },
    };
    assert.equal(await get("https://origin.test/a#b", options), "https://origin.test/a");
    assert.deepEqual(proxy.connects, []);
    assert.equal(proxy.received[0]!.header("x-proxy"), "1");
    assert.equal(proxy.received[0]!.header("host"), "origin.test");
  });

  it("PX-05: but not to an http proxy", async () => {
    await using plain = await startRogueProxy();
    await get(`${origin.url}/`, { caCertData: both, useForwardingForHttps: true }, plain.url);
    assert.deepEqual(plain.connects, [`127.0.0.1:${origin.port}`]);
  });

  it("PX-19, PX-20, PX-21: when forwarding, sslContext stands in for a context of the proxy's own", async () => {
    const good = createSecureContext({ ca: proxies.cert });
    const bad = createSecureContext({ ca: origins.cert });
    const forwarding = { useForwardingForHttps: true };
    const url = "https://origin.test/";
    assert.equal(await get(url, { ...forwarding, sslContext: good }), url);
    assert.equal(await get(url, { ...forwarding, sslContext: bad, proxyTls: { sslContext: good } }), url);
    await assert.rejects(
      get(url, { ...forwarding, sslContext: good, proxyTls: { sslContext: bad } }),
      ProxyError,
    );
  });
});

describe("the name in the proxy's certificate", () => {
  it("PX-48: must be the proxy's", async () => {
    await using proxy = await startRogueProxy(undefined, { tls: otherProxy });
    for (const [proxyAssertHostname, works] of [
      [undefined, false],
      ["other.test", true],
      [false, true],
    ] as const) {
      await using manager = new ProxyManager(proxy.url, {
        caCertData: proxies.cert,
        retries: false,
        proxyAssertHostname,
      });
      const request = manager.request("GET", "http://origin.test/");
      if (works) assert.equal((await request).status, 200);
      else await assert.rejects(request, ProxyError);
    }
  });

  it("PX-49: must be a subjectAltName", async () => {
    const unnamed = await makeSelfSigned({ commonName: "127.0.0.1" });
    await using proxy = await startRogueProxy(undefined, { tls: unnamed });
    await using manager = new ProxyManager(proxy.url, { caCertData: unnamed.cert, retries: false });
    await assert.rejects(manager.request("GET", "http://origin.test/"), ProxyError);
  });

  it("PX-50: may be an IPv6 address", async () => {
    const tls = await proxies.issue({ ips: ["::1"] });
    await using proxy = await startRogueProxy(undefined, { tls, host: "::1" });
    await using manager = new ProxyManager(proxy.url, { caCertData: proxies.cert, retries: false });
    assert.equal((await manager.request("GET", "http://origin.test/")).status, 200);
  });
});

describe("a client certificate that is wanted and not given: the message names who wants it", () => {
  const wants = { requestCert: true, rejectUnauthorized: true, ca: proxies.cert };
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    it(`${maxVersion}: the origin behind an http proxy, and behind an https proxy`, async () => {
      await using origin = await startHttp(() => "inside", {
        tls: { ...originIdentity, ...wants, maxVersion },
      });
      for (const tls of [undefined, proxyIdentity]) {
        await using proxy = await startRogueProxy(
          () => ({ tunnel: { port: origin.port } }),
          tls === undefined ? {} : { tls },
        );
        await using manager = new ProxyManager(proxy.url, { caCertData: both, retries: false });
        await assert.rejects(manager.request("GET", "https://localhost/"), (error) => {
          assert.ok(error instanceof SSLError && error.deterministic, String(error));
          return /TLS with 'localhost' failed: .*certificate/.test(error.message);
        });
      }
    });

    it(`${maxVersion}: the https proxy`, async () => {
      await using proxy = await startRogueProxy(undefined, {
        tls: { ...proxyIdentity, ...wants, maxVersion },
      });
      await using manager = new ProxyManager(proxy.url, { caCertData: both, retries: false });
      await assert.rejects(manager.request("GET", "https://origin.test/"), (error) => {
        assert.ok(error instanceof ProxyError && error.cause instanceof SSLError, String(error));
        assert.ok(error.cause.deterministic);
        return /proxy.* TLS with '127\.0\.0\.1' failed: .*certificate/.test(error.message);
      });
    });
  }
});
