/** Data in every content coding that this runtime knows, for the tests of decoding. */

import * as zlib from "node:zlib";
import { CollectingDecoder, type DecodeOptions } from "../../../src/body/response/decode.ts";
import { join } from "../../../src/core/bytes.ts";
import { systemClock } from "../../../src/core/clock.ts";

interface ZstdModule {
  zstdCompressSync?: (data: Uint8Array, options?: { params: Record<number, number> }) => Buffer;
  constants: Record<string, number>;
}

const zstdModule = zlib as unknown as ZstdModule;

/** `undefined` where node:zlib has no zstd. */
export const zstdCompressSync: ZstdModule["zstdCompressSync"] = zstdModule.zstdCompressSync;

/** The numbers of node:zlib's parameters, those of zstd included. */
export const constants: Record<string, number> = zstdModule.constants;

function encodeBrotli(data: Uint8Array): Buffer {
  // The default quality is slow, and nothing here needs it.
  return zlib.brotliCompressSync(data, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 5 } });
}

/** How each coding is applied; `deflate` twice, as zlib data and bare. */
export const ENCODERS: readonly { label: string; coding: string; encode: (data: Uint8Array) => Buffer }[] = [
  { label: "gzip", coding: "gzip", encode: (data) => zlib.gzipSync(data) },
  { label: "deflate", coding: "deflate", encode: (data) => zlib.deflateSync(data) },
  { label: "raw deflate", coding: "deflate", encode: (data) => zlib.deflateRawSync(data) },
  { label: "br", coding: "br", encode: encodeBrotli },
  ...(zstdCompressSync === undefined
    ? []
    : [{ label: "zstd", coding: "zstd", encode: (data: Uint8Array) => zstdCompressSync(data) }]),
];

/** `data` with the codings applied in their order. */
export function encodeChain(data: Uint8Array, codings: readonly string[]): Buffer {
  return codings.reduce<Buffer>(
    (encoded, coding) => ENCODERS.find((encoder) => encoder.coding === coding)!.encode(encoded),
    Buffer.from(data),
  );
}

/** Text that compresses to about a third, always the same. */
export function sampleText(length: number): Buffer {
  let state = 1;
  let text = "";
  while (text.length < length) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    text += `word${(state >>> 16) % 500} `;
  }
  return Buffer.from(text.slice(0, length));
}

/** A gzip member with every optional part of the header (RFC 1952 §2.3.1). */
export function gzipWithFullHeader(data: Uint8Array): Buffer {
  const plain = zlib.gzipSync(data);
  const head = Buffer.concat([
    plain.subarray(0, 3),
    Buffer.from([4 | 8 | 16]),
    plain.subarray(4, 10),
    Buffer.from([5, 0, 1, 0, 3, 0, 5]),
    Buffer.from("name.txt\0a comment\0"),
  ]);
  return Buffer.concat([head, plain.subarray(10)]);
}

/** `data`, which comes in one piece, decoded as a body that is wanted as a whole; at once where it is small. */
export function decodeWhole(
  data: Buffer,
  codings: readonly string[],
  options: DecodeOptions = {},
): Buffer | Promise<Buffer> {
  let decoded: Buffer | null = null;
  const outcome = new Promise<Buffer>((resolve, reject) => {
    const onDecoded = (parts: readonly Buffer[]): void => {
      decoded = join(parts);
      resolve(decoded);
    };
    const observer = { onDecoded, onUndecodable: reject, onRoom: () => {} };
    const decoder = new CollectingDecoder(codings, options, observer, systemClock);
    decoder.push(data);
    decoder.end();
  });
  return decoded ?? outcome;
}
