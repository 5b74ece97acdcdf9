/** What callers hand in as fields -> one pair after the other. */

import { InvalidArgumentError } from "../../core/errors.ts";

/**
 * The items of an iterable, or the entries of a plain mapping in the order of its properties.
 * Throws `InvalidArgumentError` for anything else; a string is no list of fields.
 */
export function fieldItems(fields: unknown): Iterable<unknown> {
  if (typeof fields !== "object" || fields === null || isBytes(fields)) {
    throw new InvalidArgumentError(`fields must be a mapping or an iterable of pairs, not ${kindOf(fields)}`);
  }
  return Symbol.iterator in fields ? (fields as Iterable<unknown>) : Object.entries(fields);
}

/** `item` as a pair of name and value. Throws `InvalidArgumentError`. */
export function asPair(item: unknown): readonly [name: unknown, value: unknown] {
  if (Array.isArray(item) && item.length === 2) return item as [unknown, unknown];
  throw new InvalidArgumentError(`a field must be a pair of name and value, not ${kindOf(item)}`);
}

/** Whether `value` is an `ArrayBuffer` or a view of one. */
export function isBytes(value: unknown): value is ArrayBuffer | ArrayBufferView {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

/** The bytes themselves, not a copy. */
export function bytesOf(value: ArrayBuffer | ArrayBufferView): Buffer {
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/** What `value` is, for messages; never its content, which may be secret. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === "object" ? (value.constructor?.name ?? "object") : typeof value;
}
