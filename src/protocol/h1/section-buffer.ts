/** Keeps the bytes of a header or trailer section that comes in parts, up to and with its empty line. */

import { ProtocolError } from "../../core/errors.ts";
import { INCOMPLETE } from "./head-reader.ts";

const CR = 13;
const LF = 10;

/** One for all: most connections never get a section in parts. */
const NO_BYTES: Buffer = Buffer.alloc(0);

/** Finds the end of a section in linear time and bounded space, however it is split. */
export class SectionBuffer {
  bytes: Buffer = NO_BYTES;
  length: number = 0;
  /** Bytes of the current line so far, CR not counted: an empty line ends the section. */
  #lineLength = 0;
  readonly #limit: number;
  readonly #phase: "head" | "body";

  constructor(limit: number, phase: "head" | "body") {
    this.#limit = limit;
    this.#phase = phase;
  }

  /** Takes bytes; returns the index behind the section's end, or {@link INCOMPLETE} when all were taken. */
  append(bytes: Buffer, start: number, end: number): number {
    const stop = this.#findEnd(bytes, start, end);
    const taken = (stop === INCOMPLETE ? end : stop) - start;
    if (this.length + taken > this.#limit) refuseSize(this.#phase, this.#limit);
    this.#grow(taken);
    bytes.copy(this.bytes, this.length, start, start + taken);
    this.length += taken;
    return stop;
  }

  /** Forgets everything, for the next section. */
  clear(): void {
    this.length = 0;
    this.#lineLength = 0;
    this.bytes = NO_BYTES;
  }

  #findEnd(bytes: Buffer, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      const code = bytes[at];
      if (code === LF) {
        if (this.#lineLength === 0) return at + 1;
        this.#lineLength = 0;
      } else if (code !== CR) this.#lineLength++;
    }
    return INCOMPLETE;
  }

  #grow(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const bigger = Buffer.allocUnsafe(Math.max(1024, 2 * this.bytes.length, this.length + more));
    this.bytes.copy(bigger, 0, 0, this.length);
    this.bytes = bigger;
  }
}

/** Throws the `ProtocolError` of a head, or of a body's trailer section, that is larger than allowed. */
export function refuseSize(phase: "head" | "body", limit: number): never {
  const what = phase === "head" ? "response head" : "trailer section";
  throw new ProtocolError(`Invalid response: ${what} is larger than ${limit} bytes (maxHeaderSize)`, {
    phase,
  });
}
