/** What Node says when TLS fails, as `SSLError` with a hint what to do about it. */

import { type HTTPError, ProtocolError, SSLError } from "../core/errors.ts";

const TLS_CODE =
  /^(?:ERR_(?:SSL|TLS|OSSL)_|EPROTO$|CERT_|CRL_|UNABLE_TO_|(?:DEPTH_ZERO_)?SELF_SIGNED_|ERROR_IN_|INVALID_(?:CA|PURPOSE)$|PATH_LENGTH_|HOSTNAME_MISMATCH$)/;

/** Error code -> hint, for failures that another try would meet again; the first that matches. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /^DEPTH_ZERO_SELF_SIGNED_CERT$/,
    'If you trust this server, give its certificate as caCerts or caCertData, or its assertFingerprint with certReqs "CERT_NONE".',
  ],
  [
    /^(?:SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_UNTRUSTED)/,
    "Give the certificate of the authority that issued it as caCerts or caCertData; or the server must send its intermediate certificates.",
  ],
  [
    /^(?:CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)$/,
    "The server needs another certificate, or this machine's clock is wrong.",
  ],
  [
    /ALTNAME_INVALID|HOSTNAME_MISMATCH/,
    "If the server is known under another name, give that name as assertHostname or serverHostname.",
  ],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|INVALID_RECORD/,
    "The server does not seem to speak TLS on this port: perhaps the URL should begin with http://.",
  ],
  [
    /NO_APPLICATION_PROTOCOL/,
    "The server does not offer HTTP/1.1 on this port: perhaps it speaks HTTP/2 only.",
  ],
  [
    /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_AVAILABLE/,
    "Client and server have no TLS version in common: see sslMinimumVersion and sslMaximumVersion.",
  ],
  [
    /CERTIFICATE_REQUIRED|ALERT_HANDSHAKE_FAILURE|ALERT_BAD_CERTIFICATE|ALERT_UNKNOWN_CA/,
    "The server may want a client certificate that it knows: see certFile and keyFile.",
  ],
];

/** Failures without a hint that another try would meet again: of the chain, of ciphers and keys, of the name asked for. */
const DETERMINISTIC =
  /^(?:CERT_|CRL_|ERR_TLS_CERT|ERROR_IN_|INVALID_(?:CA|PURPOSE)$|PATH_LENGTH_)|KEY_TOO_SMALL|MD_TOO_WEAK|SHARED_CIPHER|INSUFFICIENT_SECURITY|UNRECOGNIZED_NAME|UNSAFE_LEGACY/;

/** Whether `error` came from TLS and not from the wire below it. */
export function isTlsError(error: unknown): boolean {
  if (error instanceof SSLError) return true;
  return error instanceof Error && TLS_CODE.test(codeOf(error));
}

/** `error`, met in the TLS handshake with `host`, as `SSLError` with a hint and the error as its cause. */
export function toSslError(error: Error, host: string): SSLError {
  if (error instanceof SSLError) return error;
  const code = codeOf(error);
  const fits = (pattern: RegExp): boolean =>
    pattern.test(code) || (code === "EPROTO" && matches(error, pattern));
  const hint = HINTS.find(([pattern]) => fits(pattern))?.[1];
  const reason = reasonOf(error) + (code === "" ? "" : ` (${code})`);
  return new SSLError(`TLS with '${host}' failed: ${reason}.${hint === undefined ? "" : ` ${hint}`}`, {
    phase: "tls",
    cause: error,
    deterministic: hint !== undefined || fits(DETERMINISTIC),
  });
}

/** Under EPROTO only the message says what OpenSSL meant. */
function matches(error: Error, pattern: RegExp): boolean {
  return pattern.test(error.message.toUpperCase().replaceAll(" ", "_"));
}

/** OpenSSL's own words, without the file names of its sources around them. */
function reasonOf(error: Error): string {
  const { reason } = error as { reason?: unknown };
  return (typeof reason === "string" ? reason : error.message).trim().replace(/\.$/, "");
}

function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === "string" ? code : "";
}

/** What an error of a socket means for the exchange on it; `inBody`: a body was coming. */
export function wireError(cause: Error, inBody: boolean, peer: string): HTTPError {
  // An alert may come long after the handshake: under TLS 1.3 that is how a server refuses a client's certificate.
  if (isTlsError(cause)) return toSslError(cause, peer);
  const text = `Connection ${inBody ? "broken" : "aborted"}: ${cause.message}`;
  return new ProtocolError(text, { cause, phase: inBody ? "body" : "head" });
}
