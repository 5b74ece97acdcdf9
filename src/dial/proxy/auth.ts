/**
 * Credentials for a proxy: Basic (RFC 7617) is sent unasked, Digest (RFC 7616) in answer to a challenge and from then
 * on. One for each pool, so that the count of a nonce's uses is right.
 */

import { createHash, randomBytes } from "node:crypto";
import { type Challenge, parseChallenges } from "../../protocol/h1/challenge.ts";

/** Name and password, not percent-encoded. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** The hash of each algorithm that can be answered, best first. */
const HASHES: ReadonlyMap<string, string> = new Map([
  ["sha-256", "sha256"],
  ["sha-256-sess", "sha256"],
  ["md5", "md5"],
  ["md5-sess", "md5"],
]);

/** A Digest challenge that is being answered. */
interface Digest {
  readonly params: ReadonlyMap<string, string>;
  readonly algorithm: string;
  readonly qop: boolean;
  /** Requests answered with its nonce. */
  uses: number;
}

/** Writes Proxy-Authorization. */
export class ProxyAuth {
  readonly #credentials: Credentials;
  #digest: Digest | null = null;

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  /** Whether every request needs a value of its own. */
  get changes(): boolean {
    return this.#digest !== null;
  }

  /** The value for a request with this method and request target. */
  authorize(method: string, target: string): string {
    if (this.#digest !== null) return this.#answer(this.#digest, method, target);
    const { username, password } = this.#credentials;
    return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  }

  /** Takes the values of Proxy-Authenticate of a 407. False if none can be answered anew. */
  accept(values: readonly string[]): boolean {
    const offered = values
      .flatMap(parseChallenges)
      .map(toDigest)
      .filter((digest) => digest !== null);
    const [digest] = offered.sort((a, b) => rank(a) - rank(b));
    if (digest === undefined) return false;
    if (digest.params.get("nonce") === this.#digest?.params.get("nonce")) return false;
    this.#digest = digest;
    return true;
  }

  #answer(digest: Digest, method: string, target: string): string {
    const { params, algorithm, qop } = digest;
    const { username, password } = this.#credentials;
    const hash = (text: string): string =>
      createHash(HASHES.get(algorithm.toLowerCase())!).update(text).digest("hex");
    const [realm, nonce] = [params.get("realm") ?? "", params.get("nonce")!];
    const cnonce = randomBytes(16).toString("hex");
    const nc = (++digest.uses).toString(16).padStart(8, "0");
    let secret = hash(`${username}:${realm}:${password}`);
    if (algorithm.toLowerCase().endsWith("-sess")) secret = hash(`${secret}:${nonce}:${cnonce}`);
    const request = hash(`${method}:${target}`);
    const response = qop
      ? hash(`${secret}:${nonce}:${nc}:${cnonce}:auth:${request}`)
      : hash(`${secret}:${nonce}:${request}`);
    const opaque = params.get("opaque");
    return [
      `Digest username=${quoted(username)}`,
      `realm=${quoted(realm)}`,
      `nonce=${quoted(nonce)}`,
      `uri=${quoted(target)}`,
      `response="${response}"`,
      ...(params.has("algorithm") ? [`algorithm=${algorithm}`] : []),
      ...(qop ? [`qop=auth`, `nc=${nc}`, `cnonce="${cnonce}"`] : []),
      ...(opaque === undefined ? [] : [`opaque=${quoted(opaque)}`]),
    ].join(", ");
  }
}

function toDigest({ scheme, params }: Challenge): Digest | null {
  if (scheme !== "digest" || !params.has("nonce")) return null;
  const algorithm = params.get("algorithm") ?? "MD5";
  if (!HASHES.has(algorithm.toLowerCase())) return null;
  const options =
    params
      .get("qop")
      ?.toLowerCase()
      .split(/[\s,]+/) ?? null;
  // Only auth-int is offered: the body would have to be hashed.
  if (options !== null && !options.includes("auth")) return null;
  return { params, algorithm, qop: options !== null, uses: 0 };
}

function rank({ algorithm }: Digest): number {
  return [...HASHES.keys()].indexOf(algorithm.toLowerCase());
}

/** `text` as a quoted string; characters that are not ASCII are sent as UTF-8 (RFC 7616 §4). */
function quoted(text: string): string {
  return `"${Buffer.from(text).toString("latin1").replace(/["\\]/g, "\\$&")}"`;
}
