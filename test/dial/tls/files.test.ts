import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  parseCertificates,
  readCertificateDirectory,
  readCertificates,
  readFile,
} from "../../../src/dial/tls/files.ts";
import { buildTlsSettings } from "../../../src/dial/tls/settings.ts";
import { makeAuthority } from "../../kit/certificates.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

const [a, b] = await Promise.all(["Authority A", "Authority B"].map((name) => makeAuthority(name)));
const [pemA, pemB] = [a!.cert, b!.cert];
const derOf = (pem: string): Buffer => new X509Certificate(pem).raw;
const [derA, derB] = [derOf(pemA), derOf(pemB)];

const subjects = (certificates: readonly string[]): string[] =>
  certificates.map((pem) => new X509Certificate(pem).subject.replace("CN=Authority ", ""));

const [A, B, AB] = [["A"], ["B"], ["A", "B"]];
const DATA: [string, string | Uint8Array | (string | Uint8Array)[], string[]][] = [
  ["PEM", pemA, A],
  ["PEM bytes", Buffer.from(pemB), B],
  ["two PEM with text around", `first\n${pemA}\nsecond\n${pemB}\nlast`, AB],
  ["PEM with Windows line ends", pemA.replaceAll("\n", "\r\n"), A],
  ["DER", derA, A],
  ["two DER", Buffer.concat([derA, derB]), AB],
  ["a list of both", [pemA, derB], AB],
];

for (const [what, data, expected] of DATA) {
  test(`certificates as ${what}`, () => {
    assert.deepEqual(subjects(parseCertificates(data, "caCertData")), expected);
    buildTlsSettings({ caCertData: data }, "h.test");
  });
}

const BAD: [string, string | Uint8Array | (string | Uint8Array)[], RegExp][] = [
  ["nothing", "", /^caCertData holds no certificate/],
  ["an empty list's item", [pemA, ""], /^caCertData holds no certificate/],
  ["a path", "/etc/ssl/ca.pem", /^caCertData holds no certificate/],
  ["broken PEM", pemA.replace(/\n.{20}/, "\n"), /^Cannot read caCertData: /],
  ["half a DER", derA.subarray(0, 100), /^Cannot read caCertData: /],
  ["DER with a tail", Buffer.concat([derA, Buffer.from([0x30, 0x02, 1, 2])]), /^Cannot read caCertData: /],
  ["zeros", Buffer.alloc(10), /^caCertData holds no certificate/],
];

for (const [what, data, message] of BAD) {
  test(`no certificates: ${what}`, () => {
    assert.throws(() => parseCertificates(data, "caCertData"), { name: "SSLError", message });
  });
}

test("a file of certificates", () => {
  using folder = new TemporaryFolder();
  assert.deepEqual(subjects(readCertificates(folder.write("ca.pem", `${pemA}\n${pemB}`), "caCerts")), AB);
  assert.deepEqual(subjects(readCertificates(folder.write("ca.der", derA), "caCerts")), A);
  assert.throws(() => readCertificates(folder.path("none.pem"), "caCerts"), {
    name: "SSLError",
    message: /^Cannot read caCerts .*none\.pem: ENOENT/,
  });
  assert.throws(() => readCertificates(folder.write("key.pem", "no certificate"), "caCerts"), {
    name: "SSLError",
    message: /^There is no certificate in caCerts .*key\.pem$/,
  });
});

test("a directory of certificates", () => {
  using folder = new TemporaryFolder();
  assert.throws(
    () => readCertificateDirectory(folder.root, "caCertDir"),
    /^SSLError: There is no certificate in caCertDir/,
  );
  const path = folder.write("a.pem", pemA);
  folder.link("0123abcd.0", path);
  folder.link("gone.pem", folder.path("nowhere"));
  folder.write("b.cer", derB);
  folder.write("key.pem", "-----BEGIN PRIVATE KEY-----");
  folder.write("broken.txt", pemA.slice(0, 100));
  folder.write("folder.pem/inner.pem", pemA);
  assert.deepEqual(subjects(readCertificateDirectory(folder.root, "caCertDir")), AB);
  folder.write("broken.crt", pemA.replace(/\n.{20}/, "\n"));
  assert.throws(
    () => readCertificateDirectory(folder.root, "caCertDir"),
    /Cannot read caCertDir .*broken\.crt/,
  );
  assert.throws(() => readCertificateDirectory(folder.path("none"), "caCertDir"), {
    name: "SSLError",
    message: /^Cannot read caCertDir .*none: ENOENT/,
  });
});

test("a directory whose only certificates have names made by openssl rehash", () => {
  using folder = new TemporaryFolder();
  folder.write("0123abcd.1", pemB);
  assert.deepEqual(subjects(readCertificateDirectory(folder.root, "caCertDir")), B);
});

test("~ is the home directory", () => {
  const name = "urlpool-no-such-file.pem";
  const path = join(homedir(), name);
  assert.throws(
    () => readFile(`~/${name}`, "certFile"),
    (error: Error) => error.message.includes(`'${path}'`),
  );
  assert.throws(() => readFile(`~other/${name}`, "certFile"), /open '~other\//);
});

test("all three sources count together", () => {
  using folder = new TemporaryFolder();
  const caCerts = folder.write("file/a.pem", pemA);
  const caCertDir = folder.path("file");
  buildTlsSettings({ caCerts, caCertDir, caCertData: derB }, "h.test");
  assert.throws(() => buildTlsSettings({ caCerts, caCertDir: folder.path("x") }, "h.test"), /caCertDir/);
});
