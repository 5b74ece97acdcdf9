/** TLS options of node:https requests as those of a pool. */

import { createHash } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { PoolOverrides } from "../../index.ts";

/** What a secure context is made of. */
const CONTEXT = [
  "ca",
  "cert",
  "key",
  "pfx",
  "passphrase",
  "ciphers",
  "ecdhCurve",
  "dhparam",
  "crl",
  "honorCipherOrder",
  "minVersion",
  "maxVersion",
  "secureProtocol",
  "secureOptions",
  "sigalgs",
] as const satisfies readonly (keyof SecureContextOptions)[];

/** A given context has all of these already. */
const REPLACED = {
  caCerts: null,
  caCertDir: null,
  caCertData: null,
  certFile: null,
  keyFile: null,
  keyPassword: null,
};
const VERSIONS = { sslMinimumVersion: null, sslMaximumVersion: null };

/** Contexts that are kept for the next request with the same options. */
const KEPT = 100;

type Options = Readonly<Record<string, unknown>>;

/** Makes a context once for all requests that give the same options: pools compare contexts by identity. */
export class TlsContexts {
  readonly #contexts = new Map<string, SecureContext>();

  /** The options of the pool for a request with these. */
  poolOptions(options: Options, servername: string | null): PoolOverrides {
    const context = options.secureContext ?? this.#contextOf(options);
    return {
      ...(context === undefined ? {} : { ...REPLACED, ...VERSIONS, sslContext: context as SecureContext }),
      ...(options.rejectUnauthorized === false ? { certReqs: "CERT_NONE" } : {}),
      ...(options.rejectUnauthorized === true ? { certReqs: "CERT_REQUIRED" } : {}),
      ...(servername === null ? {} : { serverHostname: servername }),
    };
  }

  #contextOf(options: Options): SecureContext | undefined {
    const given = CONTEXT.filter((name) => options[name] !== undefined && options[name] !== null);
    if (given.length === 0) return undefined;
    const chosen = Object.fromEntries(given.map((name) => [name, options[name]]));
    const key = digest(chosen);
    let context = this.#contexts.get(key);
    if (context === undefined) {
      context = createSecureContext(chosen as SecureContextOptions);
      if (this.#contexts.size >= KEPT) this.#contexts.clear();
      this.#contexts.set(key, context);
    }
    return context;
  }
}

function digest(value: object): string {
  // Buffers turn into arrays of numbers; the key is not kept in the clear.
  return createHash("sha256").update(JSON.stringify(value)).digest("base64");
}
