/** Content-Encoding -> what is to be undone, and undoing it for a body that is there as a whole (RFC 9110 §8.4). */

import { DecodeError } from "../../core/errors.ts";
import { coderOf } from "./coders.ts";
import { createDecoder, type DecodeOptions, decodeFailure } from "./decoder.ts";

export { createDecoder, type DecodeOptions, Decoder } from "./decoder.ts";

/** Longest chain that is undone: each link can multiply the size (CVE-2025-66418). */
const MAX_CODINGS = 5;

/**
 * Up to this size a body is decoded on the spot, about 0.1 ms to 1 ms of work; the way through the thread pool and
 * back costs as much and more.
 */
const LARGEST_AT_ONCE = 65_536;

/** What comes out on the spot; a body that grows further goes to the thread pool, so that it cannot hold up the loop. */
const LARGEST_OUTPUT_AT_ONCE = 1_048_576;

/** Output of a stream at a time when all of it is wanted: few round trips to the thread pool. */
const WHOLE_CHUNK_SIZE = 131_072;

/**
 * The codings of a Content-Encoding in the order in which they were applied, lower-case, without `identity`;
 * `null` if the header is absent, none if nothing is to be undone, as for a single coding that is not known.
 * Throws `DecodeError` for a chain of more than 5, or with a part that is not known.
 */
export function parseCodings(contentEncoding: string | null): string[] | null {
  if (contentEncoding === null) return null;
  const codings = contentEncoding
    .toLowerCase()
    .split(",")
    .map((coding) => coding.trim())
    .filter((coding) => coding !== "" && coding !== "identity")
    .map((coding) => (coding === "x-gzip" ? "gzip" : coding));
  if (codings.length > MAX_CODINGS) {
    throw new DecodeError(`Too many content encodings in the chain: ${codings.length} > ${MAX_CODINGS}`, {
      phase: "decode",
    });
  }
  const unknown = codings.find((coding) => coderOf(coding) === undefined);
  if (unknown === undefined) return codings;
  if (codings.length === 1) return [];
  throw decodeFailure(codings, new Error(`unknown content coding: ${unknown}`));
}

/**
 * A whole body decoded. A small one at once, a larger one in the thread pool; no data at all stays so.
 * After the end of a coding's data whatever follows is ignored, but for zstd. Rejects with `DecodeError` if the data is
 * broken, cut (unless `allowTruncated`), or larger than `maxDecodedSize`.
 */
export function decodeWhole(
  data: Buffer,
  codings: readonly string[],
  options: DecodeOptions = {},
): Buffer | Promise<Buffer> {
  if (codings.length === 0 || data.length === 0) return data;
  return decodeAtOnce(data, codings, options) ?? decodeInSteps(data, codings, options);
}

/** `null` if it is too large or anything is unusual: the steps then tell what it is. */
function decodeAtOnce(data: Buffer, codings: readonly string[], options: DecodeOptions): Buffer | null {
  if (data.length > LARGEST_AT_ONCE) return null;
  const limit = options.maxDecodedSize ?? Number.POSITIVE_INFINITY;
  const maxOutputLength = Math.max(1, Math.min(limit, LARGEST_OUTPUT_AT_ONCE));
  try {
    let decoded: Buffer | null = data;
    for (const coding of [...codings].reverse()) {
      if (decoded === null || decoded.length === 0) break;
      const chunkSize = Math.min(Math.max(4 * decoded.length, 1024), LARGEST_AT_ONCE);
      decoded = coderOf(coding)?.atOnce(decoded, { chunkSize, maxOutputLength }) ?? null;
    }
    return decoded !== null && decoded.length <= limit ? decoded : null;
  } catch {
    return null;
  }
}

async function decodeInSteps(
  data: Buffer,
  codings: readonly string[],
  options: DecodeOptions,
): Promise<Buffer> {
  const decoder = createDecoder(codings, { ...options, chunkSize: WHOLE_CHUNK_SIZE });
  decoder.decompress(data, 0);
  return decoder.flush();
}
