/** HTTPS as users meet it: a manager, a real server on loopback, certificates made on the spot. */

import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import type { TlsOptions as ServerOptions, TLSSocket } from "node:tls";
import {
  type HTTPError,
  MaxRetryError,
  PoolManager,
  type PoolManagerOptions,
  ReadTimeoutError,
  SSLError,
} from "../../src/index.ts";
import { TemporaryFolder } from "../dial/tls/temporary-folder.ts";
import { type Identity, makeAuthority } from "../kit/certificates.ts";
import { settle } from "../kit/clock.ts";
import { type HttpOrigin, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";
import { startOrigin } from "../kit/origin.ts";

leakGate();

const authority = await makeAuthority();
const stranger = await makeAuthority("Stranger");
const trust = { caCertData: authority.cert };
const good = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
const onlyLocalhost = await authority.issue({ names: ["localhost"] });
const otherName = await authority.issue({ names: ["other.test"] });
const expired = await authority.issue({
  names: ["localhost"],
  notBefore: new Date(Date.now() - 86_400_000 * 3),
  notAfter: new Date(Date.now() - 86_400_000),
});

describe("verified", () => {
  it("TL-01, TL-31: a name and an address, without warnings", async () => {
    await using origin = await serve(good);
    await using manager = new PoolManager(trust);
    const { warnings } = await watchWarnings(async () => {
      for (const host of ["localhost", "127.0.0.1"]) {
        const response = await manager.request("GET", `https://${host}:${origin.port}/x`);
        assert.equal(String(response.data), "secure");
        assert.equal(response.url, `https://${host}:${origin.port}/x`);
        assert.ok(response.timings!.tls! >= 0);
      }
    });
    assert.deepEqual(warnings, []);
    assert.equal(manager.pools.size, 2);
  });

  it("TL-18, TL-29, TL-30: SNI and ALPN; no SNI for addresses", async () => {
    const names: unknown[] = [];
    await using origin = await serve(good, { ALPNProtocols: ["h2", "http/1.1"] }, (socket) => {
      names.push([(socket as TLSSocket & { servername: unknown }).servername, socket.alpnProtocol]);
    });
    await using manager = new PoolManager({ ...trust, maxsize: 1 });
    await manager.request("GET", `https://localhost:${origin.port}/`);
    await manager.request("GET", `https://127.0.0.1:${origin.port}/`);
    assert.deepEqual(names, [
      ["localhost", "http/1.1"],
      [false, "http/1.1"],
    ]);
  });

  it("TL-17, TL-18: assertHostname and serverHostname", async () => {
    await using origin = await serve(otherName);
    const url = `https://localhost:${origin.port}/`;
    await using asserted = new PoolManager({ ...trust, assertHostname: "other.test" });
    await using named = new PoolManager({ ...trust, serverHostname: "other.test" });
    await using any = new PoolManager({ ...trust, assertHostname: false });
    for (const manager of [asserted, named, any])
      assert.equal((await manager.request("GET", url)).status, 200);
  });

  it("TL-19, TL-22: the fingerprint alone counts", async () => {
    await using origin = await serve(otherName);
    const url = `https://localhost:${origin.port}/`;
    const { raw } = new X509Certificate(otherName.cert);
    const digest = createHash("sha256").update(raw).digest("hex");
    const withColons = digest.toUpperCase().replace(/..(?=.)/g, "$&:");
    for (const assertFingerprint of [digest, withColons]) {
      await using manager = new PoolManager({ ...trust, assertFingerprint });
      assert.equal((await manager.request("GET", url)).status, 200);
      await using unverified = new PoolManager({ certReqs: "CERT_NONE", assertFingerprint });
      const { warnings } = await watchWarnings(() => unverified.request("GET", url));
      assert.deepEqual(warnings, []);
    }
    await using manager = new PoolManager({
      certReqs: "CERT_NONE",
      assertFingerprint: digest.replace(/^./, "g"),
    });
    await assertSslError(manager, url, /fingerprint/i);
  });

  it("TL-04, TL-46: a client certificate, from files", async () => {
    using folder = new TemporaryFolder();
    const client = await authority.issue({ names: ["client"], client: true });
    const files = {
      caCerts: folder.write("ca.pem", authority.cert),
      certFile: folder.write("client.pem", client.cert),
      keyFile: folder.write("client.key", client.key),
    };
    const seen: unknown[] = [];
    const options = { requestCert: true, rejectUnauthorized: true, ca: authority.cert };
    await using origin = await serve(good, options, (socket) =>
      seen.push(socket.getPeerCertificate().subject.CN),
    );
    const url = `https://localhost:${origin.port}/`;
    await using manager = new PoolManager(files);
    assert.equal((await manager.request("GET", url)).status, 200);
    assert.deepEqual(seen, ["client"]);
    await using without = new PoolManager({ ...trust, sslMaximumVersion: "TLSv1.2" });
    await assertSslError(without, url, /certFile/);
  });

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    it(`a ${version} session is resumed by the next connection`, async () => {
      const resumed: boolean[] = [];
      await using origin = await serve(good, {}, (socket) => resumed.push(socket.isSessionReused()));
      await using manager = new PoolManager({ ...trust, sslMaximumVersion: version });
      for (let i = 0; i < 3; i += 1) {
        const response = await manager.request("GET", `https://localhost:${origin.port}/`, {
          headers: { Connection: "close" },
        });
        assert.equal(String(response.data), "secure");
      }
      assert.deepEqual(resumed, [false, true, true]);
    });
  }

  it("TL-24: version limits", async () => {
    await using origin = await serve(good, { minVersion: "TLSv1.3" });
    const url = `https://localhost:${origin.port}/`;
    await using old = new PoolManager({ ...trust, sslMaximumVersion: "TLSv1.2" });
    await assertSslError(old, url, /sslMinimumVersion/);
    await using modern = new PoolManager({ ...trust, sslMinimumVersion: "TLSv1.3" });
    assert.equal((await modern.request("GET", url)).status, 200);
  });
});

describe("not verified", () => {
  const cases: [why: string, identity: Identity, host: string, options: PoolManagerOptions, text: RegExp][] =
    [
      [
        "TL-11: another name",
        otherName,
        "localhost",
        trust,
        /hostname 'localhost' doesn't match 'other\.test'/,
      ],
      ["TL-11: an address that is not in it", onlyLocalhost, "127.0.0.1", trust, /127\.0\.0\.1/],
      ["TL-12: another authority", good, "localhost", { caCertData: stranger.cert }, /caCerts/],
      ["TL-13: no authority known", good, "localhost", {}, /caCerts/],
      ["expired", expired, "localhost", trust, /expired/i],
      [
        "TL-21: another fingerprint",
        good,
        "localhost",
        { ...trust, assertFingerprint: "a".repeat(64) },
        /Fingerprints did not match/,
      ],
      [
        "TL-17: another assertHostname",
        good,
        "localhost",
        { ...trust, assertHostname: "other.test" },
        /other\.test/,
      ],
    ];
  for (const [why, identity, host, options, text] of cases) {
    it(`${why}: SSLError, and no request is sent`, async () => {
      await using origin = await serve(identity);
      await using manager = new PoolManager({ ...options, maxsize: 1 });
      await assertSslError(manager, `https://${host}:${origin.port}/`, text);
      assert.equal(origin.received.length, 0);
      const [stats] = manager.stats().pools;
      assert.deepEqual([stats!.busy, stats!.idle, stats!.queued], [0, 0, 0]);
    });
  }

  it("TL-44: a file that is not there", async () => {
    await using manager = new PoolManager({ caCerts: "/no/such/file.pem" });
    await assertSslError(manager, "https://localhost:1/", /\/no\/such\/file\.pem/);
  });

  it("TL-14, TL-15: CERT_NONE warns once per host", async () => {
    await using origin = await serve(otherName);
    const { warnings } = await watchWarnings(async () => {
      for (let i = 0; i < 2; i += 1) {
        await using manager = new PoolManager({ certReqs: "CERT_NONE", ...trust });
        for (const host of ["localhost", "127.0.0.1"]) {
          await Promise.all([1, 2].map(() => manager.request("GET", `https://${host}:${origin.port}/`)));
        }
      }
    });
    assert.deepEqual(
      warnings.map(({ name, message }) => [name, /host '([^']*)'/.exec(message)?.[1]]),
      [
        ["InsecureRequestWarning", "localhost"],
        ["InsecureRequestWarning", "127.0.0.1"],
      ],
    );
  });
});

describe("servers that fail", () => {
  it("CP-65: a handshake that hangs is a ReadTimeoutError", async () => {
    await using origin = await startOrigin(() => {});
    await using manager = new PoolManager({ ...trust, timeout: 100, maxsize: 1 });
    for (const url of [`https://127.0.0.1:${origin.port}/`, `https://localhost:${origin.port}/`]) {
      await assert.rejects(manager.request("GET", url, { retries: false }), (error: HTTPError) => {
        assert.ok(error instanceof ReadTimeoutError, String(error));
        assert.match(error.message, new RegExp(`^GET ${url}: .*TLS handshake`));
        assert.deepEqual([error.phase, error.bytesWritten], ["tls", 0]);
        return true;
      });
    }
    await (await origin.connection(0)).closed;
  });

  it("a plain server behind https:// is an SSLError that says so", async () => {
    await using origin = await startOrigin(async (connection) => {
      await connection.readBody(1);
      await connection.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
      connection.halfClose();
    });
    await using manager = new PoolManager(trust);
    await assertSslError(manager, `https://127.0.0.1:${origin.port}/`, /http:\/\//, /speak TLS/);
  });

  for (const how of ["reset", "halfClose"] as const) {
    it(`one that hangs up in the handshake (${how})`, async () => {
      await using origin = await startOrigin(async (connection) => {
        await connection.readBody(1);
        connection[how]();
      });
      await using manager = new PoolManager(trust);
      await assertSslError(manager, `https://127.0.0.1:${origin.port}/`, /^/);
    });
  }

  it("a request that does not speak TLS to a TLS server", async () => {
    await using origin = await serve(good);
    await using manager = new PoolManager({ retries: false, timeout: 5_000 });
    await assert.rejects(manager.request("GET", `http://127.0.0.1:${origin.port}/`), {
      code: "ERR_URLPOOL_PROTOCOL",
    });
  });
});

/** A server that answers every request with "secure", and shows each connection's socket. */
async function serve(
  identity: Identity,
  options: ServerOptions = {},
  onSocket: (socket: TLSSocket) => void = () => {},
): Promise<HttpOrigin> {
  const origin = await startHttp(() => "secure", { tls: { ...identity, ...options } });
  origin.server.on("secureConnection", onSocket);
  return origin;
}

/** With retries it is the reason of a `MaxRetryError`, without it comes itself; both say what helps. */
async function assertSslError(manager: PoolManager, url: string, ...texts: RegExp[]): Promise<void> {
  const check = (error: unknown): void => {
    assert.ok(error instanceof SSLError, String(error));
    assert.equal(error.phase, "tls");
    for (const text of texts) assert.match(error.message, text);
  };
  await assert.rejects(manager.request("GET", url, { retries: 1 }), (error: HTTPError) => {
    assert.ok(error instanceof MaxRetryError, String(error));
    assert.ok(error.message.startsWith(`GET ${url}: `), error.message);
    check(error.reason);
    return true;
  });
  await assert.rejects(manager.request("GET", url, { retries: false }), (error: HTTPError) => {
    assert.ok(error.message.startsWith(`GET ${url}: `), error.message);
    check(error);
    return true;
  });
}

/** The warnings of the process while `run` runs. */
async function watchWarnings(run: () => Promise<unknown>): Promise<{ warnings: Error[] }> {
  const warnings: Error[] = [];
  const listener = (warning: Error): unknown => warnings.push(warning);
  process.on("warning", listener);
  try {
    await run();
    // They are emitted in a later tick.
    await settle();
  } finally {
    process.off("warning", listener);
  }
  return { warnings };
}
