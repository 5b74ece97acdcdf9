/**
 * Content codings undone (RFC 9110 §8.4): gzip, deflate, br, and zstd where the runtime has it.
 *
 *  1. gzip: all members; what follows a complete member and is none is ignored.
 *  2. deflate: as zlib data, else as raw deflate, which some servers send.
 *  3. A coding nobody knows is left on the body if it is the only one; inside a chain it is an error.
 *  4. At most five codings; a body that ends early is an error unless the caller allows it; the limit on the decoded
 *     size holds for every step, and is never exceeded in memory.
 */

import zlib, { type ZlibOptions } from "node:zlib";
import { DecodeError } from "../core/errors.ts";
import { supportedCodings } from "./make-headers.ts";

/** How a body is decoded. */
export interface DecodeOptions {
  /** Most bytes the body may grow to. Default: no limit. */
  maxDecodedSize?: number | undefined;
  /** Keep what could be decoded of a body that ends early. Default false. */
  allowTruncated?: boolean | undefined;
}

/** Longest chain of codings that is undone (CVE-2025-66418). */
const MAX_CODINGS = 5;

/** Up to this many compressed bytes are decoded at once: a trip to the thread pool costs more. */
const SYNC_LIMIT = 65_536;

type Method = "gunzip" | "inflate" | "inflateRaw" | "brotliDecompress" | "zstdDecompress";

interface Engine {
  bytesWritten: number;
}

type Callback = (error: Error | null, result: { buffer: Buffer; engine: Engine }) => void;

/** The codings to undo, in the order they were applied; empty where there is nothing to undo. Throws `DecodeError`. */
export function parseCodings(contentEncoding: string | null): string[] {
  if (contentEncoding === null) return [];
  const chain = contentEncoding
    .toLowerCase()
    .split(",")
    .map((coding) => coding.trim().replace(/^x-gzip$/, "gzip"))
    .filter((coding) => coding !== "" && coding !== "identity");
  if (chain.length > MAX_CODINGS) {
    throw new DecodeError(`Too many content encodings in the chain: ${chain.length} > ${MAX_CODINGS}`, {
      phase: "decode",
    });
  }
  const unknown = chain.find((coding) => !supportedCodings().includes(coding));
  if (unknown === undefined) return chain;
  if (chain.length === 1) return [];
  throw new DecodeError(`Unknown content encoding in the chain: ${contentEncoding}`, { phase: "decode" });
}

/** A complete body without its codings, given in the order they were applied. Rejects with `DecodeError`. */
export async function decodeWhole(
  data: Buffer,
  codings: readonly string[],
  options: DecodeOptions = {},
): Promise<Buffer> {
  let body = data;
  for (const coding of codings.toReversed()) {
    if (body.length === 0) break;
    try {
      body = await decodeOne(coding, body, options);
    } catch (error) {
      throw decodeError(codings, error, options);
    }
  }
  return body;
}

function decodeOne(coding: string, data: Buffer, options: DecodeOptions): Promise<Buffer> {
  if (coding === "gzip" || coding === "x-gzip") return decodeGzip(data, options);
  if (coding === "deflate") return decodeDeflate(data, options);
  if (coding === "br") return whole("brotliDecompress", data, options);
  return whole("zstdDecompress", data, options);
}

async function decodeGzip(data: Buffer, options: DecodeOptions): Promise<Buffer> {
  try {
    return await whole("gunzip", data, options);
  } catch (error) {
    // Either no gzip at all, or something else behind a complete member.
    if (!isHeaderError(error)) throw error;
    return gunzipMembers(data, options, error);
  }
}

/** Member by member, until something comes that is none. */
async function gunzipMembers(data: Buffer, options: DecodeOptions, notGzip: unknown): Promise<Buffer> {
  const members: Buffer[] = [];
  let left = options.maxDecodedSize ?? Number.POSITIVE_INFINITY;
  for (let at = 0; isMember(data, at); ) {
    const start = at + headerLength(data, at);
    const { buffer, engine } = await run("inflateRaw", data.subarray(start), {
      ...options,
      maxDecodedSize: left,
    });
    members.push(buffer);
    left -= buffer.length;
    at = start + engine.bytesWritten + 8;
  }
  if (members.length === 0) throw notGzip;
  return Buffer.concat(members);
}

async function decodeDeflate(data: Buffer, options: DecodeOptions): Promise<Buffer> {
  try {
    return await whole("inflate", data, options);
  } catch (error) {
    if (!isHeaderError(error)) throw error;
    return whole("inflateRaw", data, options);
  }
}

async function whole(method: Method, data: Buffer, options: DecodeOptions): Promise<Buffer> {
  return (await run(method, data, options)).buffer;
}

function run(
  method: Method,
  data: Buffer,
  options: DecodeOptions,
): Promise<{ buffer: Buffer; engine: Engine }> {
  const settings = engineOptions(method, options);
  const functions = zlib as unknown as Record<string, (...values: unknown[]) => unknown>;
  return new Promise((resolve, reject) => {
    if (data.length <= SYNC_LIMIT) {
      resolve(functions[`${method}Sync`]!(data, settings) as { buffer: Buffer; engine: Engine });
      return;
    }
    const done: Callback = (error, result) => (error === null ? resolve(result) : reject(error));
    functions[method]!(data, settings, done);
  });
}

function engineOptions(method: Method, { maxDecodedSize, allowTruncated }: DecodeOptions): ZlibOptions {
  const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH } = zlib.constants;
  const flush = method === "brotliDecompress" ? BROTLI_OPERATION_FLUSH : Z_SYNC_FLUSH;
  return {
    info: true,
    ...(allowTruncated ? { finishFlush: method === "zstdDecompress" ? 1 : flush } : {}),
    ...(maxDecodedSize === undefined || maxDecodedSize === Number.POSITIVE_INFINITY
      ? {}
      : { maxOutputLength: Math.max(1, maxDecodedSize) }),
  };
}

/** Whether a gzip member starts here (RFC 1952 §2.3). */
function isMember(data: Buffer, at: number): boolean {
  return data.length - at >= 18 && data[at] === 0x1f && data[at + 1] === 0x8b && data[at + 2] === 8;
}

/** Length of the member's header with its optional parts (RFC 1952 §2.3). */
function headerLength(data: Buffer, start: number): number {
  const flags = data[start + 3]!;
  let at = start + 10;
  if (flags & 4) at += 2 + data.readUInt16LE(at);
  if (flags & 8) at = data.indexOf(0, at) + 1;
  if (flags & 16) at = data.indexOf(0, at) + 1;
  if (flags & 2) at += 2;
  return at - start;
}

function isHeaderError(error: unknown): boolean {
  return (
    error instanceof Error &&
    /incorrect header check|unknown compression method|invalid window size/.test(error.message)
  );
}

function decodeError(
  codings: readonly string[],
  cause: unknown,
  { maxDecodedSize }: DecodeOptions,
): DecodeError {
  if ((cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
    return new DecodeError(`The decoded body is larger than ${maxDecodedSize} bytes (maxDecodedSize)`, {
      cause,
      phase: "decode",
    });
  }
  const text = `Received response with content-encoding: ${codings.join(", ")}, but failed to decode it.`;
  return new DecodeError(text, { cause, phase: "decode" });
}
