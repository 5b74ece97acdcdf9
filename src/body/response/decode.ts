/** Content-Encoding -> what is to be undone, and undoing it for a body that is there as a whole (RFC 9110 §8.4). */

import { DecodeError } from "../../core/errors.ts";
import { coderOf } from "./coders.ts";
import { decodeAtOnce } from "./collecting-decoder.ts";
import { createDecoder, type DecodeOptions, decodeFailure } from "./decoder.ts";

export { CollectingDecoder, type CollectingObserver } from "./collecting-decoder.ts";
export { createDecoder, type DecodeOptions, Decoder } from "./decoder.ts";

/** Longest chain that is undone: each link can multiply the size (CVE-2025-66418). */
const MAX_CODINGS = 5;

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

async function decodeInSteps(
  data: Buffer,
  codings: readonly string[],
  options: DecodeOptions,
): Promise<Buffer> {
  const decoder = createDecoder(codings, { ...options, chunkSize: WHOLE_CHUNK_SIZE });
  decoder.decompress(data, 0);
  return decoder.flush();
}
