/** Bytes as text, where the platform's typings leave a gap, in one piece, and memory of the caller's to write them to. */

import { types } from "node:util";
import { InvalidArgumentError } from "./errors.ts";
import { kindOf } from "./shown.ts";

/** Memory that bytes can be written to: a `Uint8Array`, a `Buffer` or another view, or what is below them. */
export type BufferTarget = ArrayBufferView | ArrayBuffer | SharedArrayBuffer;

interface Latin1Slicer {
  latin1Slice(start: number, end: number): string;
}

/** Latin-1 text of `bytes[start, end)`: what `toString("latin1", start, end)` gives, without looking up the encoding. */
export function latin1(bytes: Buffer, start: number, end: number): string {
  return (bytes as unknown as Latin1Slicer).latin1Slice(start, end);
}

const EMPTY = Buffer.alloc(0);

/** Bytes of `parts` together. */
export function lengthOf(parts: readonly Buffer[]): number {
  let length = 0;
  for (const part of parts) length += part.length;
  return length;
}

/** The bytes of `parts` in one piece: the part itself if there is only one. */
export function join(parts: readonly Buffer[]): Buffer {
  if (parts.length === 0) return EMPTY;
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/**
 * All bytes of `value`, which `what` names. Throws `InvalidArgumentError` unless that is memory of a fixed length that
 * is still there: a resizable buffer could shrink below what is being written.
 */
export function writableBytes(value: unknown, what: string): Buffer {
  const view = ArrayBuffer.isView(value);
  const memory: unknown = view ? value.buffer : value;
  if (!types.isAnyArrayBuffer(memory)) {
    throw new InvalidArgumentError(
      `${what} must be a Uint8Array or another view, an ArrayBuffer or a SharedArrayBuffer, not ${kindOf(value)}`,
    );
  }
  const { resizable, growable } = memory as { resizable?: boolean; growable?: boolean };
  if (resizable === true || growable === true) {
    throw new InvalidArgumentError(`${what} must have a fixed length: its buffer is resizable`);
  }
  try {
    return view ? Buffer.from(memory, value.byteOffset, value.byteLength) : Buffer.from(memory);
  } catch {
    throw new InvalidArgumentError(`${what} is detached: its buffer was transferred`);
  }
}
