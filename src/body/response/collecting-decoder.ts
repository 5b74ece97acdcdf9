/**
 * Decodes a body that is wanted as a whole while it arrives (RFC 9110 §8.4).
 *
 *  1. A small body is decoded in one synchronous call once all of it is there: about 0.1 ms to 1 ms of work; the way
 *     through the thread pool and back costs as much and more.
 *  2. Decoding in steps, by the thread pool, begins once more than 64 KiB have come, or once bytes have waited for
 *     the rest for 20 ms. From then on broken data and a body larger than `maxDecodedSize` fail at once,
 *     however much is still to come.
 *  3. At most 256 KiB wait to be decoded; then the sender is paused.
 */

import { expectBody } from "../../core/body-memory.ts";
import { join } from "../../core/bytes.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import type { HTTPError } from "../../core/errors.ts";
import { coderOf } from "./coders.ts";
import { createDecoder, type DecodeOptions, type Decoder } from "./decoder.ts";

/** Largest body, before decoding, that is decoded in one call, in bytes. */
const LARGEST_AT_ONCE = 65_536;

/** Most output of that one call, in bytes. A body that grows further must not hold up the event loop. */
const LARGEST_OUTPUT_AT_ONCE = 1_048_576;

/** How long a small body is waited for before decoding begins without its end, in ms. */
const PATIENCE = 20;

/** Bytes that may wait to be decoded. */
const HIGH_WATER = 262_144;

/** Bytes decoded between two looks at what has happened meanwhile. */
const STEP = 65_536;

const EMPTY = Buffer.alloc(0);

/** Who is told what comes of a {@link CollectingDecoder}: `onDecoded` or `onUndecodable` once, unless it is stopped. */
export interface CollectingObserver {
  /** The whole body, decoded, in parts. May be called during `end`. */
  onDecoded(parts: readonly Buffer[]): void;
  /** The data is broken, cut, or too large. The rest of it is not wanted. */
  onUndecodable(error: HTTPError): void;
  /** There is room again, after `push` returned false. */
  onRoom(): void;
}

/** One body on its way into one buffer. */
export class CollectingDecoder {
  readonly #codings: readonly string[];
  readonly #options: DecodeOptions;
  readonly #observer: CollectingObserver;
  readonly #clock: Clock;
  /** What was not given to the decoder yet. */
  #held: Buffer[] = [];
  /** Bytes that wait, held or in the decoder. */
  #waiting = 0;
  #patience: Timer | null = null;
  /** Set once decoding in steps has begun. */
  #decoder: Decoder | null = null;
  #decoded: Buffer[] = [];
  #state: "collecting" | "ended" | "done" = "collecting";
  #running = false;
  #full = false;

  /** `codings` in the order in which they were applied, at least one. */
  constructor(
    codings: readonly string[],
    options: DecodeOptions,
    observer: CollectingObserver,
    clock: Clock,
  ) {
    this.#codings = codings;
    this.#options = options;
    this.#observer = observer;
    this.#clock = clock;
  }

  /** The next bytes, kept by reference. False: enough for now, until `onRoom`. */
  push(bytes: Buffer): boolean {
    if (this.#state !== "collecting" || bytes.length === 0) return true;
    this.#held.push(bytes);
    this.#waiting += bytes.length;
    if (this.#decoder !== null) this.#run();
    else if (this.#waiting > LARGEST_AT_ONCE) this.#begin();
    else this.#patience ??= this.#clock.setTimer(() => this.#begin(), PATIENCE);
    this.#full = this.#waiting >= HIGH_WATER;
    return !this.#full;
  }

  /** The body has ended. */
  end(): void {
    if (this.#state !== "collecting") return;
    this.#state = "ended";
    if (this.#decoder !== null) {
      this.#run();
      return;
    }
    this.#patience?.cancel();
    const data = join(this.#held);
    const decoded = data.length === 0 ? EMPTY : decodeAtOnce(data, this.#codings, this.#options);
    if (decoded !== null) this.#finish([decoded]);
    else this.#begin();
  }

  /** Nobody wants the body any more: ends all decoding. The observer is not called again. */
  stop(): void {
    this.#state = "done";
    this.#patience?.cancel();
    this.#held = [];
    this.#decoded = [];
    this.#decoder?.close();
  }

  /** From now on in steps. */
  #begin(): void {
    this.#patience?.cancel();
    try {
      this.#decoder = createDecoder(this.#codings, this.#options);
    } catch (error) {
      this.#fail(error as HTTPError);
      return;
    }
    this.#run();
  }

  /** Decodes what is there. Never rejects; one run at a time. */
  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      while (await this.#step()) {
        // Until the decoder needs more input, or the end.
      }
    } catch (error) {
      this.#fail(error as HTTPError);
    } finally {
      this.#running = false;
    }
  }

  /** Whether there is more to do now. */
  async #step(): Promise<boolean> {
    const decoder = this.#decoder!;
    for (const bytes of this.#held.splice(0)) decoder.decompress(bytes, 0);
    const last = this.#state === "ended";
    const output = await (last ? decoder.flush(STEP) : decoder.decompress(EMPTY, STEP));
    if (this.#state === "done") return false;
    if (output.length > 0) this.#decoded.push(output);
    if (decoder.hasUnconsumedTail) return true;
    if (last) this.#finish(this.#decoded);
    else if (this.#held.length === 0) this.#makeRoom();
    // More may have come, or the end, during this step.
    return !last && (this.#held.length > 0 || this.#hasEnded);
  }

  get #hasEnded(): boolean {
    return this.#state === "ended";
  }

  #makeRoom(): void {
    this.#waiting = 0;
    if (!this.#full) return;
    this.#full = false;
    this.#observer.onRoom();
  }

  #finish(parts: readonly Buffer[]): void {
    this.stop();
    this.#observer.onDecoded(parts);
  }

  #fail(error: HTTPError): void {
    if (this.#state === "done") return;
    this.stop();
    this.#observer.onUndecodable(error);
  }
}

/** `null` if it is too large or anything is unusual: decoding in steps then tells what it is. */
export function decodeAtOnce(
  data: Buffer,
  codings: readonly string[],
  options: DecodeOptions,
): Buffer | null {
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
    if (decoded === null || decoded.length > limit) return null;
    expectBody(decoded.length);
    return compact(decoded);
  } catch {
    return null;
  }
}

/** Memory that small buffers share, in bytes; a little above `Buffer.poolSize` on newer Nodes. */
const SHARED_MEMORY = Buffer.allocUnsafe(1).buffer.byteLength;

/** A result that fills little of its memory is copied out of it. */
function compact(bytes: Buffer): Buffer {
  const { byteLength } = bytes.buffer;
  return byteLength > SHARED_MEMORY && bytes.length < byteLength / 2 ? Buffer.from(bytes) : bytes;
}
