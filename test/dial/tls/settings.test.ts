/** TLS against real servers on loopback; the certificates are made on the spot. */

import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import tls, { type TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { SSLError } from "../../../src/core/errors.ts";
import {
  buildTlsSettings,
  isTlsError,
  SessionCache,
  type TlsOptions,
  toSslError,
  verifyPeer,
} from "../../../src/dial/tls/settings.ts";
import { encryptKey, type Identity, makeAuthority, makeSelfSigned } from "../../kit/certificates.ts";
import { leakGate } from "../../kit/leak-gate.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

leakGate();

const authority = await makeAuthority();
const stranger = await makeAuthority("Stranger");
const NAME = "server.test";
const good = await authority.issue({ names: [NAME] });
const trust = { caCertData: authority.cert };

/** What a server saw of one handshake. */
interface Seen {
  servername: string | false;
  alpn: string | false;
  client: string | undefined;
  resumed: boolean;
  protocol: string | null;
}

class Server implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly #server: tls.Server;

  private constructor(options: tls.TlsOptions) {
    const alpn = { ALPNProtocols: ["h2", "http/1.1"] };
    this.#server = tls.createServer({ ...alpn, ...options }, (socket) => {
      this.seen.push({
        servername: (socket as TLSSocket & { servername: string | false }).servername,
        alpn: socket.alpnProtocol ?? false,
        client: socket.getPeerCertificate().subject?.CN as string | undefined,
        resumed: socket.isSessionReused(),
        protocol: socket.getProtocol(),
      });
      socket.on("error", () => {}).end("hello");
    });
    this.#server.on("tlsClientError", () => {});
  }

  static async start(identity: Identity, options: tls.TlsOptions = {}): Promise<Server> {
    const server = new Server({ ...identity, ...options });
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await promisify(this.#server.close.bind(this.#server))();
  }
}

interface Outcome {
  error: SSLError | null;
  /** The text that came. */
  text: string;
  protocol: string | null;
}

/** Connects as a pool does: handshake, `verifyPeer`, then reads to the end. */
async function visit(
  server: Server,
  options: TlsOptions,
  host: string = NAME,
  sessions?: SessionCache,
): Promise<Outcome> {
  const settings = buildTlsSettings(options, host);
  const session = sessions?.take();
  const socket = tls.connect({
    host: "127.0.0.1",
    port: server.port,
    ...settings.connect,
    ...(session === undefined ? {} : { session }),
  });
  socket.on("session", (ticket: Buffer) => sessions?.add(ticket));
  let error: SSLError | null = null;
  let protocol: string | null = null;
  let text = "";
  socket.on("error", (cause) => {
    error = toSslError(cause, host);
  });
  socket.on("secureConnect", () => {
    protocol = socket.getProtocol();
    error = verifyPeer(socket, settings);
    if (error !== null) socket.destroy();
  });
  socket.on("data", (chunk: Buffer) => {
    text += chunk;
  });
  await new Promise((resolve) => socket.on("close", resolve));
  return { error, text, protocol };
}

async function accepts(server: Server, options: TlsOptions, host?: string): Promise<Outcome> {
  const outcome = await visit(server, options, host);
  assert.equal(outcome.error, null);
  assert.equal(outcome.text, "hello");
  return outcome;
}

async function refuses(
  server: Server,
  options: TlsOptions,
  message: RegExp,
  host?: string,
): Promise<SSLError> {
  const { error } = await visit(server, options, host);
  assert.ok(error instanceof SSLError, "it was accepted");
  assert.match(error.message, message);
  assert.equal(error.phase, "tls");
  return error;
}

const sha256 = (pem: string): string =>
  createHash("sha256").update(new X509Certificate(pem).raw).digest("hex");
const WRONG = "ab".repeat(32);

test("a certificate that is trusted, for this name", async () => {
  await using server = await Server.start(good);
  await accepts(server, trust);
  await accepts(server, { ...trust, certReqs: "CERT_REQUIRED" });
  await accepts(server, { ...trust, certReqs: "CERT_OPTIONAL" });
});

test("SNI and ALPN; the name without trailing dots", async () => {
  await using server = await Server.start(good);
  await accepts(server, trust);
  await accepts(server, trust, `${NAME}.`);
  await accepts(server, trust, NAME.toUpperCase());
  assert.deepEqual(
    server.seen.map(({ servername, alpn }) => [servername?.toString().toLowerCase(), alpn]),
    [
      [NAME, "http/1.1"],
      [NAME, "http/1.1"],
      [NAME, "http/1.1"],
    ],
  );
});

test("a certificate for another name", async () => {
  await using server = await Server.start(good);
  await refuses(server, trust, /^hostname 'other\.test' doesn't match 'server\.test'$/, "other.test");
});

test("the common name does not make up for a missing subjectAltName", async () => {
  await using server = await Server.start(await authority.issue({ commonName: NAME }));
  await refuses(server, trust, /^no appropriate subjectAltName fields were found$/);
});

test("wildcards stand for the whole left-most label", async () => {
  await using server = await Server.start(
    await authority.issue({ names: ["*.wild.test", "w*.partial.test", "*.tld"] }),
  );
  await accepts(server, trust, "a.wild.test");
  await refuses(server, trust, /doesn't match/, "a.b.wild.test");
  await refuses(server, trust, /doesn't match/, "www.partial.test");
  await refuses(server, trust, /doesn't match/, "example.tld");
  await accepts(server, { ...trust, assertHostname: "www.partial.test" });
});

test("certificates that are out of date", async () => {
  const day = 86_400_000;
  const expired = await authority.issue({ names: [NAME], notAfter: new Date(Date.now() - day / 2) });
  const future = await authority.issue({ names: [NAME], notBefore: new Date(Date.now() + day) });
  for (const [identity, code] of [
    [expired, "CERT_HAS_EXPIRED"],
    [future, "CERT_NOT_YET_VALID"],
  ] as const) {
    await using server = await Server.start(identity);
    const error = await refuses(server, trust, new RegExp(`\\(${code}\\)\\. .*clock is wrong`));
    assert.equal((error.cause as NodeJS.ErrnoException).code, code);
  }
});

test("a self-signed certificate", async () => {
  const own = await makeSelfSigned({ names: [NAME] });
  await using server = await Server.start(own);
  for (const options of [trust, {}]) {
    await refuses(
      server,
      options,
      /^TLS with 'server\.test' failed: self.signed certificate.* \(DEPTH_ZERO_SELF_SIGNED_CERT\)\. .*caCerts/,
    );
  }
  await accepts(server, { caCertData: own.cert });
});

test("an authority that is not known", async () => {
  await using server = await Server.start(good);
  await refuses(server, { caCertData: stranger.cert }, /\(UNABLE_TO_.*caCerts/);
  await refuses(server, {}, /\(UNABLE_TO_/);
});

test("given authorities replace the roots", async () => {
  const { connect } = buildTlsSettings({}, NAME);
  const roots = buildTlsSettings(trust, NAME);
  assert.equal(connect.ca, undefined);
  assert.notEqual(connect.secureContext, roots.connect.secureContext);
  await using server = await Server.start(good);
  const context = tls.createSecureContext({ ca: authority.cert });
  await accepts(server, { sslContext: context });
});

test("an intermediate authority must be sent, or be trusted itself", async () => {
  const middle = await authority.intermediate("Middle");
  const leaf = await middle.issue({ names: [NAME] });
  await using complete = await Server.start({ ...leaf, cert: `${leaf.cert}\n${middle.cert}` });
  await accepts(complete, trust);
  await using incomplete = await Server.start(leaf);
  await refuses(incomplete, trust, /\(UNABLE_TO_\w+\)\. .*intermediate/);
  // Its own authority is not asked for then, whether the server sends it or not.
  for (const server of [complete, incomplete]) {
    await accepts(server, { caCertData: middle.cert });
    await refuses(server, { caCertData: (await authority.intermediate("Other")).cert }, /UNABLE_TO_/);
    await refuses(server, { caCertData: middle.cert, assertHostname: "x.test" }, /doesn't match/);
  }
});

test("a server's own certificate is trusted if it is given, whoever issued it", async () => {
  const selfIssued = await authority.issue({ names: [NAME], commonName: "Test Authority" });
  assert.equal(new X509Certificate(selfIssued.cert).subject, new X509Certificate(selfIssued.cert).issuer);
  const selfSigned = await makeSelfSigned({ names: [NAME] });
  for (const identity of [await authority.issue({ names: [NAME] }), selfIssued, selfSigned]) {
    await using server = await Server.start(identity);
    await accepts(server, { caCertData: identity.cert });
    await refuses(server, { caCertData: stranger.cert }, /UNABLE_TO_|SELF_SIGNED/);
  }
  const expired = await authority.issue({ names: [NAME], notAfter: new Date(Date.now() - 3_600_000) });
  await using server = await Server.start(expired);
  await refuses(server, { caCertData: expired.cert }, /CERT_HAS_EXPIRED/);
});

test("what another try would meet again is marked", async () => {
  const expired = await authority.issue({ names: [NAME], notAfter: new Date(Date.now() - 3_600_000) });
  const refusals: [TlsOptions, Parameters<typeof Server.start>, host?: string][] = [
    [{}, [good]],
    [trust, [good], "x.test"],
    [{ ...trust, assertFingerprint: WRONG }, [good]],
    [{ certReqs: "CERT_NONE", assertFingerprint: WRONG }, [good]],
    [trust, [expired]],
    [trust, [await authority.issue({ names: [NAME], client: true })]],
    [trust, [await makeSelfSigned({ names: [NAME] })]],
    [{ ...trust, sslMinimumVersion: "TLSv1.3" }, [good, { maxVersion: "TLSv1.2" }]],
    [trust, [good, { ALPNProtocols: ["h2"] }]],
    [{ ...trust, sslMaximumVersion: "TLSv1.2" }, [good, { requestCert: true, rejectUnauthorized: true }]],
  ];
  for (const [options, started, host] of refusals) {
    await using server = await Server.start(...started);
    const { deterministic, message } = await refuses(server, options, /./, host);
    assert.equal(deterministic, true, message);
  }
  for (const [code, message] of [
    ["ECONNRESET", "read ECONNRESET"],
    [
      "EPROTO",
      "write EPROTO 80:error:0A000438:SSL routines::tlsv1 alert internal error:../s.c:1:SSL alert 80",
    ],
    ["ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "bad record mac"],
  ]) {
    const error = toSslError(Object.assign(new Error(message), { code }), NAME);
    assert.equal(error.deterministic, false, message);
  }
  assert.equal(toSslError(new Error("The peer closed the connection"), NAME).deterministic, false);
});

test("a server that speaks HTTP/2 only is said to", async () => {
  await using server = await Server.start(good, { ALPNProtocols: ["h2"] });
  await refuses(server, trust, /NO_APPLICATION_PROTOCOL\)\. The server does not offer HTTP\/1\.1/);
});

test("a client's certificate is no server's", async () => {
  await using server = await Server.start(await authority.issue({ names: [NAME], client: true }));
  await refuses(server, trust, /INVALID_PURPOSE/);
});

test("CERT_NONE accepts everything, and says that nothing is verified", async () => {
  await using server = await Server.start(await makeSelfSigned({ names: ["x.test"] }));
  await accepts(server, { certReqs: "CERT_NONE" });
  await accepts(server, { certReqs: "CERT_NONE", assertHostname: "y.test" });
  assert.equal(buildTlsSettings({ certReqs: "CERT_NONE", ...trust }, NAME).verified, false);
  assert.equal(buildTlsSettings({ certReqs: "CERT_NONE", assertFingerprint: WRONG }, NAME).verified, true);
  assert.equal(buildTlsSettings({}, NAME).verified, true);
});

test("the short names of certReqs, and others", async () => {
  for (const [certReqs, required] of [
    ["REQUIRED", true],
    ["OPTIONAL", true],
    ["CERT_OPTIONAL", true],
    ["NONE", false],
    [null, true],
    [undefined, true],
  ] as const) {
    assert.equal(buildTlsSettings({ certReqs: certReqs as never }, NAME).verified, required);
  }
  for (const certReqs of ["cert_none", "CERT_", "", 0, false]) {
    assert.throws(() => buildTlsSettings({ certReqs: certReqs as never }, NAME), {
      name: "InvalidArgumentError",
    });
  }
});

test("a fingerprint: good, bad, and not the name then", async () => {
  await using server = await Server.start(good);
  const fingerprint = new X509Certificate(good.cert).fingerprint256;
  await accepts(server, { ...trust, assertFingerprint: fingerprint });
  await accepts(server, { ...trust, assertFingerprint: new X509Certificate(good.cert).fingerprint });
  await accepts(server, { ...trust, assertFingerprint: fingerprint, assertHostname: "x.test" }, "other.test");
  const mismatch = `^Fingerprints did not match\\. Expected "${WRONG}", got "${sha256(good.cert)}"$`;
  await refuses(server, { ...trust, assertFingerprint: WRONG }, new RegExp(mismatch));
  // The chain still counts.
  await refuses(server, { assertFingerprint: fingerprint }, /UNABLE_TO_/);
});

test("a fingerprint without verification of the chain", async () => {
  await using server = await Server.start(good);
  const none = { certReqs: "CERT_NONE" } as const;
  await accepts(server, { ...none, assertFingerprint: sha256(good.cert) }, "other.test");
  await refuses(server, { ...none, assertFingerprint: WRONG }, /^Fingerprints did not match/);
});

test("a fingerprint of a wrong length", () => {
  for (const assertFingerprint of ["AA", "AA:BB:CC", "0".repeat(63)]) {
    assert.throws(() => buildTlsSettings({ assertFingerprint }, NAME), {
      name: "SSLError",
      message: `Fingerprint of invalid length: ${assertFingerprint}`,
    });
  }
});

test("assertHostname", async () => {
  await using server = await Server.start(good);
  await accepts(server, { ...trust, assertHostname: NAME }, "other.test");
  await accepts(server, { ...trust, assertHostname: false }, "other.test");
  await refuses(server, { ...trust, assertHostname: "x.test" }, /hostname 'x\.test' doesn't match/);
  // No name, but still the chain.
  await refuses(server, { caCertData: stranger.cert, assertHostname: false }, /UNABLE_TO_/);
  assert.equal(server.seen.at(0)?.servername, "other.test");
});

test("serverHostname is sent and expected", async () => {
  await using server = await Server.start(good);
  await accepts(server, { ...trust, serverHostname: `${NAME}.` }, "127.0.0.1");
  assert.equal(server.seen[0]?.servername, NAME);
  await refuses(server, { ...trust, serverHostname: "x.test" }, /hostname 'x\.test' doesn't match/);
});

test("addresses: compared as such, never sent as a name", async () => {
  await using server = await Server.start(await authority.issue({ ips: ["127.0.0.1", "::1", "fe80::1"] }));
  for (const host of ["127.0.0.1", "127.1", "::1", "[::1]", "0:0::1", "fe80::1%eth0"]) {
    await accepts(server, trust, host);
  }
  await refuses(server, trust, /^hostname '::2' doesn't match either of/, "::2");
  assert.ok(server.seen.every(({ servername }) => servername === false));
  await using named = await Server.start(await authority.issue({ names: ["127.0.0.1"] }));
  await refuses(named, trust, /doesn't match '127\.0\.0\.1': an address is matched by/, "127.0.0.1");
});

test("versions: TLS 1.2 at least, and what is asked for", async () => {
  await using server = await Server.start(good);
  assert.equal((await accepts(server, trust)).protocol, "TLSv1.3");
  assert.equal((await accepts(server, { ...trust, sslMaximumVersion: "TLSv1.2" })).protocol, "TLSv1.2");
  await using old = await Server.start(good, { maxVersion: "TLSv1.2" });
  assert.equal((await accepts(old, trust)).protocol, "TLSv1.2");
  await refuses(old, { ...trust, sslMinimumVersion: "TLSv1.3" }, /sslMinimumVersion/);
  const seclevel = { ciphers: "DEFAULT@SECLEVEL=0", minVersion: "TLSv1", maxVersion: "TLSv1.1" } as const;
  await using ancient = await Server.start(good, seclevel);
  await refuses(ancient, trust, /sslMinimumVersion/);
});

test("versions that make no sense", () => {
  const rows: [TlsOptions, RegExp][] = [
    [{ sslMinimumVersion: "SSLv3" as never }, /sslMinimumVersion must be one of TLSv1, .*not "SSLv3"/],
    [{ sslMaximumVersion: "TLSv1.4" as never }, /sslMaximumVersion must be one of/],
    [
      { sslMinimumVersion: "TLSv1.3", sslMaximumVersion: "TLSv1.2" },
      /TLSv1\.3 is above sslMaximumVersion TLSv1\.2/,
    ],
    [{ sslMaximumVersion: "TLSv1.1" }, /sslMinimumVersion TLSv1\.2 is above/],
  ];
  for (const [options, message] of rows) {
    assert.throws(() => buildTlsSettings(options, NAME), { name: "InvalidArgumentError", message });
  }
});

test("a client certificate, its key beside it or in the same file, encrypted or not", async () => {
  using folder = new TemporaryFolder();
  const { cert, key } = await authority.issue({ commonName: "Client", client: true });
  const [certFile, keyFile, both] = [
    folder.write("cert.pem", cert),
    folder.write("key.pem", key),
    folder.write("both.pem", `${key}\n${cert}`),
  ];
  const secret = folder.write("secret.pem", encryptKey(key, "pass phrase"));
  const asks = { requestCert: true, ca: authority.cert };
  await using server = await Server.start(good, asks);
  const clients: TlsOptions[] = [
    { certFile, keyFile },
    { certFile: both },
    { certFile, keyFile: secret, keyPassword: "pass phrase" },
    { certFile, keyFile: secret, keyPassword: Buffer.from("pass phrase") },
    { certFile, keyFile, keyPassword: "not needed" },
  ];
  for (const client of clients) {
    await accepts(server, { ...trust, ...client });
    assert.equal(server.seen.at(-1)?.client, "Client");
  }
  const rows: [TlsOptions, RegExp][] = [
    [{ certFile, keyFile: secret }, /^Client private key is encrypted, password is required$/],
    [
      { certFile, keyFile: secret, keyPassword: "wrong" },
      /^TLS cannot be set up with .*cert\.pem, .*secret\.pem: /,
    ],
    [{ certFile: folder.path("none.pem") }, /^Cannot read certFile .*none\.pem: ENOENT/],
    [{ certFile, keyFile: folder.path("none.pem") }, /^Cannot read keyFile .*none\.pem: ENOENT/],
    [{ certFile: keyFile, keyFile }, /^TLS cannot be set up with /],
    [
      { certFile: folder.write("other.pem", good.cert), keyFile },
      /^TLS cannot be set up with .*key values mismatch/,
    ],
  ];
  for (const [client, message] of rows) {
    assert.throws(
      () => buildTlsSettings({ ...trust, ...client }, NAME),
      (error: SSLError) => {
        assert.equal(error.name, "SSLError");
        assert.match(error.message, message);
        assert.doesNotMatch(JSON.stringify(error), /wrong|pass phrase/);
        return true;
      },
    );
  }
  assert.throws(() => buildTlsSettings({ keyFile }, NAME), { name: "InvalidArgumentError" });
});

test("a server that wants a client certificate and gets none", async () => {
  await using server = await Server.start(good, {
    requestCert: true,
    rejectUnauthorized: true,
    ca: authority.cert,
    maxVersion: "TLSv1.2",
  });
  await refuses(server, trust, /certFile and keyFile/);
});

test("a port that does not speak TLS", async () => {
  const plain = createServer((socket) =>
    socket
      .on("error", () => {})
      .resume()
      .end("HTTP/1.1 400 Bad Request\r\n\r\n"),
  );
  plain.listen(0, "127.0.0.1");
  await once(plain, "listening");
  const server = { port: (plain.address() as AddressInfo).port } as Server;
  await refuses(server, trust, /^TLS with 'server\.test' failed: .*does not seem to speak TLS on this port/);
  plain.close();
  await once(plain, "close");
});

test("a given context is used as it is, and nothing can be given beside it", () => {
  const sslContext = tls.createSecureContext();
  const { connect } = buildTlsSettings({ sslContext, certReqs: "CERT_NONE", assertHostname: "a.test" }, NAME);
  assert.equal(connect.secureContext, sslContext);
  const beside: TlsOptions[] = [
    trust,
    { sslMinimumVersion: "TLSv1.3" },
    { certFile: "x" },
    { keyPassword: "x" },
  ];
  for (const options of beside) {
    const message = `sslContext is used as it is and cannot be combined with ${Object.keys(options)[0]}`;
    assert.throws(() => buildTlsSettings({ sslContext, ...options }, NAME), {
      name: "InvalidArgumentError",
      message,
    });
  }
});

test("names that are none", () => {
  for (const options of [
    { assertHostname: true },
    { assertHostname: "" },
    { serverHostname: 1 },
    { assertFingerprint: "" },
  ]) {
    assert.throws(() => buildTlsSettings(options as never, NAME), { name: "InvalidArgumentError" });
  }
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`sessions are resumed over ${version}, with a fingerprint too`, async () => {
    await using server = await Server.start(good);
    for (const options of [trust, { certReqs: "CERT_NONE", assertFingerprint: sha256(good.cert) }] as const) {
      const sessions = new SessionCache();
      for (const resumed of [false, true]) {
        const { error, text } = await visit(
          server,
          { ...options, sslMaximumVersion: version },
          NAME,
          sessions,
        );
        assert.deepEqual([error, text], [null, "hello"]);
        assert.equal(server.seen.at(-1)?.resumed, resumed);
      }
    }
  });

  test(`a peer that fails leaves no session behind over ${version}`, async () => {
    await using server = await Server.start(good);
    const bad: TlsOptions[] = [
      { certReqs: "CERT_NONE", assertFingerprint: WRONG },
      { ...trust, assertFingerprint: WRONG },
      { ...trust, assertHostname: "x.test" },
      {},
    ];
    for (const options of bad) {
      const sessions = new SessionCache();
      const { error } = await visit(server, { ...options, sslMaximumVersion: version }, NAME, sessions);
      assert.ok(error instanceof SSLError);
      assert.equal(sessions.take(), undefined);
    }
  });
}

test("the cache gives the newest session first, each once, and keeps four", () => {
  const sessions = new SessionCache();
  const tickets = Array.from({ length: 6 }, (_, index) => Buffer.from([index]));
  for (const ticket of tickets) sessions.add(ticket);
  const taken = Array.from({ length: 5 }, () => sessions.take());
  assert.deepEqual(taken, [tickets[5], tickets[4], tickets[3], tickets[2], undefined]);
});

test("errors of TLS, and of the wire below it", () => {
  const coded = (code: string, message = "x") => Object.assign(new Error(message), { code });
  for (const code of [
    "ERR_SSL_WRONG_VERSION_NUMBER",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "EPROTO",
    "CERT_HAS_EXPIRED",
  ]) {
    assert.equal(isTlsError(coded(code)), true, code);
  }
  assert.equal(isTlsError(new SSLError("x")), true);
  for (const other of [coded("ECONNRESET"), coded("EPIPE"), new Error("x"), null, "CERT_HAS_EXPIRED"]) {
    assert.equal(isTlsError(other), false);
  }
  const own = new SSLError("x");
  assert.equal(toSslError(own, "h"), own);
  const reset = coded("ECONNRESET", "read ECONNRESET");
  const error = toSslError(reset, "h");
  assert.equal(error.message, "TLS with 'h' failed: read ECONNRESET (ECONNRESET).");
  assert.equal(error.cause, reset);
  const protocol = coded("EPROTO", "write EPROTO 0:error:0A00010B:SSL routines::wrong version number:");
  assert.match(toSslError(protocol, "h").message, /speak TLS/);
});
