/** Content-Encoding -> what is to be undone (RFC 9110 §8.4). */

import { DecodeError } from "../../core/errors.ts";
import { coderOf } from "./coders.ts";
import { decodeFailure } from "./decoder.ts";

export { CollectingDecoder, type CollectingObserver } from "./collecting-decoder.ts";
export { createDecoder, type DecodeOptions, Decoder } from "./decoder.ts";

/** Longest chain that is undone: each link can multiply the size (CVE-2025-66418). */
const MAX_CODINGS = 5;

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
