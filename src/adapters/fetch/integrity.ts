/** Subresource integrity: does a body have the digest it should have? */

import { createHash } from "node:crypto";

/** From weak to strong. */
const ALGORITHMS = ["sha256", "sha384", "sha512"];

const EXPRESSION = /^(sha256|sha384|sha512)-([\w+/-]+={0,2})(?:\?.*)?$/i;

/** Whether `bytes` have one of the strongest digests that `metadata` names; without one that is known, always. */
export function hasIntegrity(bytes: Uint8Array, metadata: string): boolean {
  const named = metadata.split(/\s+/).flatMap((text) => {
    const [, algorithm, digest] = EXPRESSION.exec(text) ?? [];
    return algorithm === undefined ? [] : [{ algorithm: algorithm.toLowerCase(), digest: digest! }];
  });
  const strongest = ALGORITHMS.findLast((name) => named.some(({ algorithm }) => algorithm === name));
  if (strongest === undefined) return true;
  const actual = createHash(strongest).update(bytes).digest("base64url");
  return named.some(({ algorithm, digest }) => algorithm === strongest && asBase64Url(digest) === actual);
}

function asBase64Url(digest: string): string {
  return digest.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
