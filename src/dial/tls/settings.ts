/**
 * TLS: a caller's options -> what `tls.connect` needs, made once per pool; and whether the peer is the one meant.
 *
 * What is verified, in urllib3's order; the chain in every case unless `certReqs` is "CERT_NONE":
 * 1. `assertFingerprint`: only the fingerprint, not the name.
 * 2. `assertHostname`, a name: the certificate must be for it.
 * 3. `assertHostname: false`: no name.
 * 4. Else the certificate must be for `serverHostname`, or for the host.
 */

import tls, {
  type ConnectionOptions,
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
  type SecureContextOptions,
  type SecureVersion,
  type TLSSocket,
} from "node:tls";
import { InvalidArgumentError, SSLError } from "../../core/errors.ts";
import { packHost } from "../../core/ip-address.ts";
import { assertFingerprint, matchHostname, normalizeFingerprint, unwrapAddress } from "./certificate.ts";
import {
  type CertificateData,
  parseCertificates,
  readCertificateDirectory,
  readCertificates,
  readFile,
} from "./files.ts";

export { isTlsError, toSslError } from "../../connection/tls-errors.ts";
export { disableWarnings, warnInsecure } from "./certificate.ts";

/** Whether the server's certificate must be valid. OPTIONAL means as much as REQUIRED: a server always sends one. */
export type CertReqs = "CERT_REQUIRED" | "CERT_OPTIONAL" | "CERT_NONE";

/** The TLS options of a pool, named and meant as urllib3's. Files are read once per pool; `~` is the home directory. */
export interface TlsOptions {
  /** Default "CERT_REQUIRED". */
  certReqs?: CertReqs | null | undefined;
  /** File with the certificates of the authorities to trust, instead of Node's. */
  caCerts?: string | null | undefined;
  /** Directory of such files (`.pem`, `.crt`, `.cer`, and names made by `openssl rehash`). */
  caCertDir?: string | null | undefined;
  /** Certificates of the authorities to trust, as PEM or DER. */
  caCertData?: CertificateData | null | undefined;
  /** PEM file with the client's certificate and its chain; it may hold the key too. */
  certFile?: string | null | undefined;
  /** PEM file with the client's private key. Default `certFile`. */
  keyFile?: string | null | undefined;
  keyPassword?: string | Uint8Array | null | undefined;
  /** The name the certificate must be for, instead of the host's; `false` for any. */
  assertHostname?: string | false | null | undefined;
  /** SHA-256 or SHA-1 of the certificate in hex: then only this counts, and not the name. */
  assertFingerprint?: string | null | undefined;
  /** The name sent to the server (SNI) and expected of it, instead of the host's. */
  serverHostname?: string | null | undefined;
  /** Default "TLSv1.2". */
  sslMinimumVersion?: SecureVersion | null | undefined;
  /** Default: the newest that Node has. */
  sslMaximumVersion?: SecureVersion | null | undefined;
  /** Used as it is; no authorities, client certificate or versions can be given beside it. */
  sslContext?: SecureContext | null | undefined;
}

/** What a pool's connections need for TLS. */
export interface TlsSettings {
  /** Options for `tls.connect`. */
  readonly connect: Readonly<ConnectionOptions>;
  /** For messages. */
  readonly host: string;
  /** Whether the peer's identity is established; if not, somebody should be warned. */
  readonly verified: boolean;
  /** Why the certificate is not the expected one, its chain aside. */
  readonly checkPeer: (certificate: PeerCertificate) => SSLError | undefined;
}

const VERSIONS: readonly SecureVersion[] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

/** What a given context already has, or cannot be given any more. */
const CONTEXT_OPTIONS = [
  "caCerts",
  "caCertDir",
  "caCertData",
  "certFile",
  "keyFile",
  "keyPassword",
  "sslMinimumVersion",
  "sslMaximumVersion",
] as const satisfies readonly (keyof TlsOptions)[];

/**
 * The settings for connections to `host` (a name, or an address with or without brackets). Reads the files that
 * `options` name. Throws `SSLError` for files, keys and fingerprints that cannot be used, `InvalidArgumentError` for
 * options that make no sense.
 */
export function buildTlsSettings(options: TlsOptions, host: string): TlsSettings {
  const required = requiresCertificate(options.certReqs);
  const name = checkedName("serverHostname", options.serverHostname) ?? host;
  const expected = plainName(name);
  const checkPeer = peerCheck(options, expected);
  return {
    host,
    verified: required || isGiven(options.assertFingerprint),
    checkPeer,
    connect: {
      secureContext: options.sslContext ? givenContext(options) : buildContext(options),
      // Addresses must not be sent as a name (RFC 6066 §3).
      ...(packHost(expected) === null ? { servername: expected } : {}),
      rejectUnauthorized: required,
      checkServerIdentity: (_host, certificate) => checkPeer(certificate),
      // What else is spoken is for the connection to offer.
      ALPNProtocols: ["http/1.1"],
    },
  };
}

/**
 * What is left to verify on 'secureConnect': `null` if the peer is the one meant. Node asks `checkServerIdentity` only
 * if it rejects bad chains, so without that a fingerprint is compared here.
 *
 * A peer that fails leaves no session: Node emits 'session' after 'secureConnect', and does not verify a resumed session again.
 */
export function verifyPeer(socket: TLSSocket, settings: TlsSettings): SSLError | null {
  const error = peerError(socket, settings);
  if (error !== null) socket.removeAllListeners("session");
  return error;
}

function peerError(socket: TLSSocket, settings: TlsSettings): SSLError | null {
  if (settings.connect.rejectUnauthorized === true) {
    return socket.authorized
      ? null
      : new SSLError(`${socket.authorizationError}`, { phase: "tls", deterministic: true });
  }
  // Node has no certificate for a resumed session; it was compared when the session was made.
  if (!settings.verified || socket.isSessionReused()) return null;
  return settings.checkPeer(socket.getPeerCertificate()) ?? null;
}

/** The newest sessions of one pool, to be resumed by its next connections, each once (RFC 8446 §C.4). */
export class SessionCache {
  readonly #sessions: Buffer[] = [];
  static readonly #MOST = 4;

  /** The newest session, which is then no longer kept. */
  take(): Buffer | undefined {
    return this.#sessions.pop();
  }

  /** Keeps a session that a socket emitted. The peer must have passed {@link verifyPeer}. */
  add(session: Buffer): void {
    if (this.#sessions.push(session) > SessionCache.#MOST) this.#sessions.shift();
  }
}

function requiresCertificate(value: string | null | undefined): boolean {
  const name = String(value ?? "CERT_REQUIRED").replace(/^CERT_/, "");
  if (name === "REQUIRED" || name === "OPTIONAL") return true;
  if (name === "NONE") return false;
  throw new InvalidArgumentError(
    `certReqs must be "CERT_REQUIRED", "CERT_OPTIONAL" or "CERT_NONE", not ${JSON.stringify(value)}`,
  );
}

function peerCheck(options: TlsOptions, expected: string): TlsSettings["checkPeer"] {
  const { assertHostname } = options;
  if (isGiven(options.assertFingerprint)) {
    const fingerprint = normalizeFingerprint(checkedName("assertFingerprint", options.assertFingerprint)!);
    return failureOf((certificate) => {
      if (!certificate.raw)
        throw new SSLError("No certificate for the peer.", { phase: "tls", deterministic: true });
      assertFingerprint(certificate.raw, fingerprint);
    });
  }
  if (assertHostname === false) return () => undefined;
  const asserted = checkedName("assertHostname", assertHostname);
  if (asserted !== undefined) return failureOf((certificate) => matchHostname(certificate, asserted));
  return failureOf((certificate) => matchHostname(certificate, expected, true));
}

function failureOf(check: (certificate: PeerCertificate) => void): TlsSettings["checkPeer"] {
  return (certificate) => {
    try {
      check(certificate);
      return undefined;
    } catch (error) {
      return error as SSLError;
    }
  };
}

/** A host as certificates and SNI have it: without brackets and zone of an address, without trailing dots of a name. */
function plainName(host: string): string {
  const name = unwrapAddress(host);
  return name.includes(":") ? (name.split("%", 1)[0] as string) : name.replace(/\.+$/, "");
}

function givenContext(options: TlsOptions): SecureContext {
  const beside = CONTEXT_OPTIONS.filter((option) => isGiven(options[option]));
  const context = options.sslContext as { context?: unknown };
  if (context.context === undefined) {
    throw new InvalidArgumentError("sslContext must be what tls.createSecureContext() gives");
  }
  if (beside.length === 0) return options.sslContext!;
  throw new InvalidArgumentError(
    `sslContext is used as it is and cannot be combined with ${beside.join(", ")}`,
  );
}

function buildContext(options: TlsOptions): SecureContext {
  const settings = { ...versions(options), ...authorities(options), ...clientCertificate(options) };
  try {
    return createSecureContext(settings);
  } catch (cause) {
    const { certFile, keyFile } = options;
    const files = [certFile, keyFile].filter(isGiven).join(", ");
    const reason = (cause as Error).message;
    throw new SSLError(`TLS cannot be set up${files && ` with ${files}`}: ${reason}`, {
      phase: "tls",
      cause,
      deterministic: true,
    });
  }
}

function versions(options: TlsOptions): SecureContextOptions {
  const minVersion = checkedVersion("sslMinimumVersion", options.sslMinimumVersion) ?? defaultMinimum();
  const maxVersion = checkedVersion("sslMaximumVersion", options.sslMaximumVersion);
  if (maxVersion === undefined) return { minVersion };
  if (VERSIONS.indexOf(minVersion) <= VERSIONS.indexOf(maxVersion)) return { minVersion, maxVersion };
  throw new InvalidArgumentError(`sslMinimumVersion ${minVersion} is above sslMaximumVersion ${maxVersion}`);
}

/** TLS 1.2, or what Node was told (`--tls-min-v1.3`) if that is stricter. */
function defaultMinimum(): SecureVersion {
  return tls.DEFAULT_MIN_VERSION === "TLSv1.3" ? "TLSv1.3" : "TLSv1.2";
}

/** The authorities that are given replace Node's roots. */
function authorities({ caCerts, caCertDir, caCertData }: TlsOptions): SecureContextOptions {
  if (![caCerts, caCertDir, caCertData].some(isGiven)) return {};
  return {
    // Trusts every certificate that is given, also an intermediate or a server's own, whoever issued it.
    allowPartialTrustChain: true,
    ca: [
      ...(isGiven(caCerts) ? readCertificates(caCerts, "caCerts") : []),
      ...(isGiven(caCertDir) ? readCertificateDirectory(caCertDir, "caCertDir") : []),
      ...(isGiven(caCertData) ? parseCertificates(caCertData, "caCertData") : []),
    ],
  };
}

function clientCertificate({ certFile, keyFile, keyPassword }: TlsOptions): SecureContextOptions {
  if (!isGiven(certFile)) {
    if (isGiven(keyFile)) throw new InvalidArgumentError("keyFile needs certFile");
    return {};
  }
  const cert = readFile(certFile, "certFile");
  const key = isGiven(keyFile) ? readFile(keyFile, "keyFile") : cert;
  if (!isGiven(keyPassword)) {
    // OpenSSL's own message does not say that a password is missing.
    if (!key.includes("ENCRYPTED")) return { cert, key };
    throw new SSLError("Client private key is encrypted, password is required", {
      phase: "tls",
      deterministic: true,
    });
  }
  return {
    cert,
    key,
    passphrase: typeof keyPassword === "string" ? keyPassword : Buffer.from(keyPassword).toString(),
  };
}

function checkedVersion(option: string, value: SecureVersion | null | undefined): SecureVersion | undefined {
  if (!isGiven(value)) return undefined;
  if (VERSIONS.includes(value)) return value;
  throw new InvalidArgumentError(
    `${option} must be one of ${VERSIONS.join(", ")}, not ${JSON.stringify(value)}`,
  );
}

function checkedName(option: string, value: unknown): string | undefined {
  if (!isGiven(value)) return undefined;
  if (typeof value === "string" && value !== "") return value;
  throw new InvalidArgumentError(`${option} must be a name, not ${JSON.stringify(value)}`);
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}
