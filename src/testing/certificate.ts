/** A throw-away certificate (X.509 v3, RFC 5280): ECDSA P-256, signed by itself, valid for a week around now. */

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { isIPv6 } from "node:net";
import { systemClock } from "../index.ts";

/** A certificate and its private key as PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const WEEK = 604_800_000;

/** A certificate for host names and IP addresses. */
export function selfSigned(names: readonly string[]): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
    ECDSA_SHA256,
    NAME,
    sequence(time(-WEEK), time(WEEK)),
    NAME,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(extension("551d13", sequence(TRUE)), extension("551d11", altNames(names)))),
  );
  const signature = sign("sha256", body, privateKey);
  const cert = sequence(body, ECDSA_SHA256, der(0x03, Buffer.of(0), signature));
  const lines = cert.toString("base64").replaceAll(/.{64}/g, "$&\n");
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}

/** A value of ASN.1 in its distinguished encoding (X.690). */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

const TRUE = der(0x01, Buffer.of(255));
/** ecdsa-with-SHA256. */
const ECDSA_SHA256 = sequence(oid("2a8648ce3d040302"));
/** The common name, of issuer and subject. */
const NAME = sequence(der(0x31, sequence(oid("550403"), der(0x0c, Buffer.from("urlpool testing")))));

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), der(0x04, value));
}

/** subjectAltName: dNSName has the tag [2], iPAddress [7]. */
function altNames(names: readonly string[]): Buffer {
  return sequence(
    ...names.map((name) => {
      const address = addressBytes(name);
      return address === null ? der(0x82, Buffer.from(name)) : der(0x87, address);
    }),
  );
}

function addressBytes(name: string): Buffer | null {
  if (/^\d+(?:\.\d+){3}$/.test(name)) return Buffer.from(name.split(".").map(Number));
  if (!isIPv6(name)) return null;
  const [before = "", after = ""] = name.split("::");
  const groups = (text: string): string[] => (text === "" ? [] : text.split(":"));
  const missing = 8 - groups(before).length - groups(after).length;
  const all = [...groups(before), ...new Array<string>(missing).fill("0"), ...groups(after)];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}

/** UTCTime, such as `260102030405Z`. */
function time(fromNow: number): Buffer {
  const text = new Date(systemClock.wallNow() + fromNow).toISOString().replaceAll(/\.\d+|[-:T]/g, "");
  return der(0x17, Buffer.from(text.slice(2)));
}
