/**
 * The content codings that can be undone here (RFC 9110 §8.4.1), each in two ways: at once for a small whole body, and
 * in steps for data that comes in pieces. Steps are a generator that reads its input, feeds a zlib stream, and
 * yields the stream whose output is to be read before it is resumed, or `null` where more input is needed.
 */

import * as zlib from "node:zlib";
import { type ByteInput, TruncatedError } from "./byte-input.ts";
import { Engine, type ZlibStream } from "./engine.ts";
import { ZstdFrame } from "./zstd-frame.ts";

/** Returns where the coding's data ends, whatever follows; throws if it is broken. */
export type Steps = Generator<Engine | null, void, void>;

/** How to undo one content coding. */
export interface Coder {
  /** `chunkSize`: bytes of output that a stream makes at a time. */
  steps(input: ByteInput, chunkSize: number): Steps;
  /**
   * All of `data` decoded as the steps would do it, if it is intact and `options.maxOutputLength` holds all of it.
   * `null` or a throw means no more than: see what the steps say.
   */
  atOnce(data: Buffer, options: AtOnceOptions): Buffer | null;
}

/** Sizes in bytes. */
export interface AtOnceOptions {
  readonly chunkSize: number;
  readonly maxOutputLength: number;
}

/** What of zstd newer versions of node:zlib have: 22.15, 23.8 and later. */
interface ZstdModule {
  createZstdDecompress?: (options: { chunkSize: number; params: Record<number, number> }) => ZlibStream;
  zstdDecompressSync?: (data: Buffer, options: AtOnceOptions & { params: Record<number, number> }) => Buffer;
  constants: { ZSTD_d_windowLogMax?: number };
}

const GZIP_START = Buffer.from([0x1f, 0x8b, 8]);
const GZIP_RESERVED = 0xe0;
const GZIP_EXTRA = 4;
const GZIP_NAME = 8;
const GZIP_COMMENT = 16;
const GZIP_HEADER_CHECK = 2;

/** Windows of up to 2^23 bytes: what RFC 9659 allows for the coding; it bounds the decoder's memory. */
const ZSTD_WINDOW_LOG = 23;

const zstdModule = zlib as unknown as ZstdModule;

const gzip: Coder = {
  steps: gzipSteps,
  atOnce: (data, options) => zlib.gunzipSync(data, { ...options, chunkSize: gzipChunk(data, options) }),
};

const deflate: Coder = {
  steps: deflateSteps,
  atOnce: (data, options) => (startsZlib(data) ? zlib.inflateSync : zlib.inflateRawSync)(data, options),
};

const brotli: Coder = {
  steps: (input, chunkSize) => singleStream(input, zlib.createBrotliDecompress({ chunkSize })),
  atOnce: (data, options) => zlib.brotliDecompressSync(data, options),
};

const CODERS: ReadonlyMap<string, Coder> = new Map([
  ["gzip", gzip],
  ["x-gzip", gzip],
  ["deflate", deflate],
  ["br", brotli],
  ...zstdEntries(),
]);

/** How to undo `coding` (lower-case); `undefined` if this runtime cannot. */
export function coderOf(coding: string): Coder | undefined {
  return CODERS.get(coding);
}

/** What this runtime can undo, in urllib3's order: `gzip`, `deflate`, `br`, and `zstd` where node:zlib has it. */
export function supportedCodings(): string[] {
  return [...CODERS.keys()].filter((coding) => coding !== "x-gzip");
}

/** gzip: one member after the other (RFC 1952 §2.2). What follows the last and starts no other is ignored. */
function* gzipSteps(input: ByteInput, chunkSize: number): Steps {
  do {
    yield* gzipHeader(input);
    let checksum = 0;
    let length = 0;
    const engine = new Engine(zlib.createInflateRaw({ chunkSize }), (output) => {
      checksum = zlib.crc32(output, checksum);
      length += output.length;
    });
    yield* toItsEnd(input, engine);
    const trailer = yield* input.take(8);
    if (trailer.readUInt32LE(0) !== checksum) throw new Error("incorrect data check");
    if (trailer.readUInt32LE(4) !== length % 2 ** 32) throw new Error("incorrect length check");
  } while (yield* gzipFollows(input));
}

/**
 * Room for all that comes out, and for the byte that tells zlib that no more does: gzip ends with the length of its data
 * (RFC 1952 §2.3.1). One that is false, or of the last member only, costs more pieces, or memory that is not used.
 */
function gzipChunk(data: Buffer, { chunkSize, maxOutputLength }: AtOnceOptions): number {
  const length = data.length < 8 ? 0 : data.readUInt32LE(data.length - 4);
  if (length < data.length || length > maxOutputLength) return chunkSize;
  return length + 1;
}

function* gzipHeader(input: ByteInput): Steps {
  const start = yield* input.upTo(10);
  // Looks before it asks for the rest: what is no gzip at all must not pass for gzip that was cut.
  if (!startsWith(start, GZIP_START)) throw new Error("incorrect header check");
  if (start.length < 10) throw new TruncatedError();
  const flags = start[3]!;
  if ((flags & GZIP_RESERVED) !== 0) throw new Error("unknown header flags set");
  if ((flags & GZIP_EXTRA) !== 0) {
    const length = yield* input.take(2);
    yield* input.take(length.readUInt16LE(0));
  }
  if ((flags & GZIP_NAME) !== 0) yield* input.skipPastZero();
  if ((flags & GZIP_COMMENT) !== 0) yield* input.skipPastZero();
  if ((flags & GZIP_HEADER_CHECK) !== 0) yield* input.take(2);
}

/** Whether another member starts here. A start that was cut counts: its error must not be lost. */
function* gzipFollows(input: ByteInput): Generator<null, boolean, void> {
  const start = yield* input.upTo(GZIP_START.length);
  input.unread(start);
  return start.length > 0 && startsWith(start, GZIP_START);
}

/** deflate: the zlib format (RFC 1950), or the bare stream (RFC 1951) that some servers send instead. */
function* deflateSteps(input: ByteInput, chunkSize: number): Steps {
  const start = yield* input.upTo(2);
  input.unread(start);
  const create = startsZlib(start) ? zlib.createInflate : zlib.createInflateRaw;
  yield* singleStream(input, create({ chunkSize }));
}

/** Whether `data` has the header of RFC 1950 §2.2, as far as it has come. */
function startsZlib(data: Buffer): boolean {
  const method = data[0]!;
  if ((method & 0x0f) !== 8 || method >> 4 > 7) return false;
  return data.length < 2 || data.readUInt16BE(0) % 31 === 0;
}

/** zstd: one frame after the other (RFC 8878 §3). Anything else is an error, as in urllib3. */
function* zstdSteps(input: ByteInput, engine: Engine): Steps {
  try {
    do {
      const frame = new ZstdFrame();
      while (!frame.complete) {
        const bytes = yield* input.some();
        if (bytes === null) throw new TruncatedError();
        const length = frame.measure(bytes);
        input.unread(bytes.subarray(length));
        engine.write(bytes.subarray(0, length));
        yield engine;
        if (engine.unused > 0) throw new Error("frame ends before its last block");
      }
    } while (yield* anyFollows(input));
  } finally {
    engine.close();
  }
}

function* anyFollows(input: ByteInput): Generator<null, boolean, void> {
  const next = yield* input.some();
  if (next !== null) input.unread(next);
  return next !== null;
}

/** The coder for zstd, if there is one. */
function zstdEntries(): [string, Coder][] {
  const { createZstdDecompress, zstdDecompressSync, constants } = zstdModule;
  if (createZstdDecompress === undefined || zstdDecompressSync === undefined) return [];
  const params = { [constants.ZSTD_d_windowLogMax!]: ZSTD_WINDOW_LOG };
  const coder: Coder = {
    steps: (input, chunkSize) => zstdSteps(input, new Engine(createZstdDecompress({ chunkSize, params }))),
    atOnce: (data, options) => {
      const frame = new ZstdFrame();
      if (frame.measure(data) < data.length || !frame.complete) return null;
      return zstdDecompressSync(data, { ...options, params });
    },
  };
  return [["zstd", coder]];
}

function* singleStream(input: ByteInput, stream: ZlibStream): Steps {
  yield* toItsEnd(input, new Engine(stream));
}

/** Feeds `engine` until its data ends; what follows stays in `input`. */
function* toItsEnd(input: ByteInput, engine: Engine): Steps {
  try {
    while (engine.unused === 0) {
      const bytes = yield* input.some();
      if (bytes === null) {
        engine.end();
        yield engine;
        return;
      }
      engine.write(bytes);
      yield engine;
      if (engine.unused > 0) input.unread(bytes.subarray(bytes.length - engine.unused));
    }
  } finally {
    engine.close();
  }
}

function startsWith(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}
