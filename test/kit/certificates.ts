/**
 * Throw-away certificates (ECDSA P-256), made when a test asks for them and kept for the life of the process: no keys
 * in the repository, nothing that expires.
 */

import "reflect-metadata";
import { createPrivateKey, randomBytes, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY = 86_400_000;

/** A certificate and its private key (PKCS #8), as PEM. */
export interface Identity {
  cert: string;
  key: string;
}

/** What a certificate is for. Without names and addresses it has no subjectAltName. */
export interface IssueOptions {
  /** dNSName entries; may have wildcards. */
  names?: readonly string[];
  /** iPAddress entries. */
  ips?: readonly string[];
  /** Default: the first name or address. */
  commonName?: string;
  /** Default: yesterday. */
  notBefore?: Date;
  /** Default: in a week. */
  notAfter?: Date;
  /** For a client instead of a server. */
  client?: boolean;
}

/** Somebody who issues certificates. */
export interface Authority {
  /** Its own certificate as PEM. */
  readonly cert: string;
  /** A certificate signed by it; the same one for the same options. */
  issue(options?: IssueOptions): Promise<Identity>;
  /** An authority whose certificate is signed by this one. */
  intermediate(name: string): Promise<Authority>;
}

const authorities = new Map<string, Promise<Authority>>();
let prepared = false;

/** A self-signed authority; the same one for the same name. */
export function makeAuthority(name = "Test Authority"): Promise<Authority> {
  return remember(authorities, name, async () => {
    const keys = await generateKeys();
    const cert = await x509.X509CertificateGenerator.createSelfSigned({
      ...basics(name, {}),
      keys,
      extensions: authorityExtensions(),
    });
    return new Issuer(cert, keys);
  });
}

/** A self-signed server certificate: signed by nobody else. */
export async function makeSelfSigned(options: IssueOptions): Promise<Identity> {
  const keys = await generateKeys();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    ...basics(subjectOf(options), options),
    keys,
    extensions: leafExtensions(options),
  });
  return identity(cert, keys);
}

/** A private key (PEM) encrypted with a password, as PKCS #8. */
export function encryptKey(pem: string, password: string): string {
  const options = { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: password } as const;
  return createPrivateKey(pem).export(options) as string;
}

class Issuer implements Authority {
  readonly cert: string;
  readonly #certificate: x509.X509Certificate;
  readonly #keys: CryptoKeyPair;
  readonly #issued = new Map<string, Promise<Identity>>();
  readonly #intermediates = new Map<string, Promise<Authority>>();

  constructor(certificate: x509.X509Certificate, keys: CryptoKeyPair) {
    this.cert = certificate.toString("pem");
    this.#certificate = certificate;
    this.#keys = keys;
  }

  issue(options: IssueOptions = {}): Promise<Identity> {
    return remember(this.#issued, JSON.stringify(options), async () => {
      const keys = await generateKeys();
      return identity(await this.#sign(subjectOf(options), options, keys, leafExtensions(options)), keys);
    });
  }

  intermediate(name: string): Promise<Authority> {
    return remember(this.#intermediates, name, async () => {
      const keys = await generateKeys();
      return new Issuer(await this.#sign(name, {}, keys, authorityExtensions()), keys);
    });
  }

  #sign(
    name: string,
    options: IssueOptions,
    keys: CryptoKeyPair,
    extensions: x509.Extension[],
  ): Promise<x509.X509Certificate> {
    const { name: subject, ...rest } = basics(name, options);
    return x509.X509CertificateGenerator.create({
      ...rest,
      subject,
      issuer: this.#certificate.subject,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions,
    });
  }
}

type CryptoKeyPair = webcrypto.CryptoKeyPair;

function generateKeys(): Promise<CryptoKeyPair> {
  if (!prepared)
    x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);
  prepared = true;
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
}

async function identity(certificate: x509.X509Certificate, keys: CryptoKeyPair): Promise<Identity> {
  const key = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { cert: certificate.toString("pem"), key: x509.PemConverter.encode(key, "PRIVATE KEY") };
}

function basics(name: string, { notBefore, notAfter }: IssueOptions) {
  return {
    name: [{ CN: [name] }],
    // Positive and without a leading zero byte, as DER wants it.
    serialNumber: `01${randomBytes(8).toString("hex")}`,
    notBefore: notBefore ?? new Date(Date.now() - DAY),
    notAfter: notAfter ?? new Date(Date.now() + 7 * DAY),
    signingAlgorithm: ALGORITHM,
  };
}

function subjectOf({ commonName, names, ips }: IssueOptions): string {
  return commonName ?? names?.[0] ?? ips?.[0] ?? "nobody";
}

function authorityExtensions(): x509.Extension[] {
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags;
  return [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
  ];
}

function leafExtensions({ names = [], ips = [], client = false }: IssueOptions): x509.Extension[] {
  const purpose = client ? x509.ExtendedKeyUsage.clientAuth : x509.ExtendedKeyUsage.serverAuth;
  const altNames = [
    ...names.map((value) => ({ type: "dns" as const, value })),
    ...ips.map((value) => ({ type: "ip" as const, value })),
  ];
  return [
    new x509.BasicConstraintsExtension(false),
    new x509.ExtendedKeyUsageExtension([purpose]),
    ...(altNames.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(altNames)]),
  ];
}

function remember<T>(kept: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const made = kept.get(key) ?? make();
  kept.set(key, made);
  return made;
}
