/** The files and texts that TLS is set up from: authorities' certificates, the client's own, and its key. */

import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { SSLError } from "../../core/errors.ts";

/** Certificates as PEM texts or DER bytes; several may follow each other in one. */
export type CertificateData = string | Uint8Array | readonly (string | Uint8Array)[];

const PEM_CERTIFICATE = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[A-Za-z0-9+/=\s]+-----END \1-----/g;

/** Names of certificates in a directory: by ending, or as `openssl rehash` makes them. */
const CERTIFICATE_FILE = /\.(?:pem|crt|cer)$|^[0-9a-f]{8}\.[0-9]+$/i;

/** The certificates of a file, each as PEM. Throws `SSLError` if it cannot be read or has none. */
export function readCertificates(path: string, option: string): string[] {
  const found = certificatesOf(readFile(path, option), `${option} ${path}`);
  if (found.length === 0) throw tlsError(`There is no certificate in ${option} ${path}`);
  return found;
}

/** The certificates of all files of a directory. Throws `SSLError` if one cannot be read, or if there is none. */
export function readCertificateDirectory(path: string, option: string): string[] {
  const directory = expandHome(path);
  const found = new Set<string>();
  for (const name of directoryNames(directory, option).filter((name) => CERTIFICATE_FILE.test(name))) {
    const file = join(directory, name);
    const data = attempt(`${option} ${file}`, () => readIfThere(file));
    for (const certificate of data === null ? [] : certificatesOf(data, `${option} ${file}`)) {
      found.add(certificate);
    }
  }
  if (found.size === 0) throw tlsError(`There is no certificate in ${option} ${path}`);
  return [...found];
}

/** The certificates of texts and bytes. Throws `SSLError` if there is none in one of them. */
export function parseCertificates(data: CertificateData, option: string): string[] {
  const items = typeof data === "string" || data instanceof Uint8Array ? [data] : data;
  return items.flatMap((item) => {
    const found = certificatesOf(typeof item === "string" ? Buffer.from(item) : item, option);
    if (found.length === 0) throw tlsError(`${option} holds no certificate, neither as PEM nor as DER`);
    return found;
  });
}

/** The bytes of a file; `~` is the home directory. Throws `SSLError` that names the file. */
export function readFile(path: string, option: string): Buffer {
  return attempt(`${option} ${path}`, () => readFileSync(expandHome(path)));
}

function expandHome(path: string): string {
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path;
}

function directoryNames(directory: string, option: string): string[] {
  return attempt(`${option} ${directory}`, () => readdirSync(directory)).sort();
}

/** The bytes of a file; `null` if a link in the directory leads to a file that is gone, or to a directory. */
function readIfThere(file: string): Buffer | null {
  try {
    return readFileSync(file);
  } catch (error) {
    if (["ENOENT", "EISDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  }
}

function certificatesOf(data: Uint8Array, source: string): string[] {
  // A DER certificate is a SEQUENCE; PEM is text.
  const found = data[0] === 0x30 ? splitDer(data).map(toPem) : pemBlocks(data);
  // Node skips certificates that it cannot read, without an error.
  attempt(source, () => {
    for (const certificate of found) {
      if (!certificate.includes("BEGIN TRUSTED")) new X509Certificate(certificate);
    }
  });
  return found;
}

function pemBlocks(data: Uint8Array): string[] {
  return (
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("latin1").match(PEM_CERTIFICATE) ?? []
  );
}

/** The elements that follow each other in `der`, by their lengths (X.690 §8.1.3). */
function splitDer(der: Uint8Array): Uint8Array[] {
  const elements: Uint8Array[] = [];
  for (let start = 0; start < der.length; ) {
    const end = elementEnd(der, start);
    elements.push(der.subarray(start, end));
    start = end;
  }
  return elements;
}

function elementEnd(der: Uint8Array, start: number): number {
  const first = der[start + 1] ?? 0;
  if (first < 0x80) return start + 2 + first;
  let length = 0;
  for (const byte of der.subarray(start + 2, start + 2 + (first & 0x7f))) length = length * 256 + byte;
  return start + 2 + (first & 0x7f) + length;
}

function toPem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----`;
}

function attempt<T>(source: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw tlsError(`Cannot read ${source}: ${(cause as Error).message}`, cause);
  }
}

/** Another try meets the same, unless only the file descriptors were used up. */
function tlsError(message: string, cause?: unknown): SSLError {
  const { code = "" } = (cause ?? {}) as NodeJS.ErrnoException;
  return new SSLError(message, {
    phase: "tls",
    deterministic: code !== "EMFILE" && code !== "ENFILE",
    ...(cause === undefined ? {} : { cause }),
  });
}
