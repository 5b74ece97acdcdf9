/**
 * What callers hand in, told apart by its shape: a `FormData`, `Blob` or `Headers` of another make, or of another realm,
 * is as good as the platform's.
 */

import { types } from "node:util";
import { InvalidArgumentError } from "../../core/errors.ts";
import { isPlainObject } from "../../core/options.ts";
import { kindOf } from "../../core/shown.ts";

/** What `fs.promises.open` gives, as far as it is needed. */
export interface FileHandleLike {
  /** Below 0 once it is closed. */
  readonly fd: number;
  stat(): Promise<{ size: number; isFile(): boolean }>;
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
}

/** A stream of `node:stream`, as far as it is needed; those of `fs.createReadStream` have the rest too. */
export interface NodeStreamLike extends AsyncIterable<string | Uint8Array> {
  readonly readableEnded?: boolean;
  readonly destroyed?: boolean;
  readonly errored?: Error | null;
  on(event: "error", listener: (error: Error) => void): unknown;
  pipe(target: NodeJS.WritableStream): unknown;
  destroy?(): unknown;
  /** Of a file. */
  readonly path?: string | Buffer;
  readonly bytesRead?: number;
  readonly start?: number | undefined;
  readonly end?: number | undefined;
}

/** A web stream, as far as it is needed. */
export interface WebStreamLike extends AsyncIterable<Uint8Array> {
  readonly locked: boolean;
  getReader(): unknown;
  cancel(): Promise<void>;
}

/** Whether `value` is an `ArrayBuffer` of any kind or a view of one. */
export function isBytes(value: unknown): value is ArrayBuffer | ArrayBufferView {
  return ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value);
}

/** The bytes themselves, not a copy. */
export function bytesOf(value: ArrayBuffer | ArrayBufferView): Buffer {
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return Buffer.from(value);
}

/** Whether `value` is a `Blob` or `File`. */
export function isBlob(value: unknown): value is Blob {
  const tag = tagOf(value);
  if (tag !== "Blob" && tag !== "File") return false;
  const { size, stream } = value as Blob;
  return typeof size === "number" && typeof stream === "function";
}

/** The name of a `File`; `undefined` for a `Blob` and everything else. */
export function nameOfFile(value: unknown): string | undefined {
  return isBlob(value) && "name" in value ? String(value.name) : undefined;
}

/** Whether `value` is a `FormData`. */
export function isFormData(value: unknown): value is FormData {
  return tagOf(value) === "FormData" && typeof (value as Partial<FormData>).entries === "function";
}

/** Whether `value` is a `URLSearchParams`. */
export function isSearchParams(value: unknown): value is URLSearchParams {
  return (
    tagOf(value) === "URLSearchParams" && typeof (value as Partial<URLSearchParams>).getAll === "function"
  );
}

/** Whether `value` is a file of `node:fs/promises`. */
export function isFileHandle(value: unknown): value is FileHandleLike {
  if (typeof value !== "object" || value === null) return false;
  const { fd, stat, read } = value as Partial<FileHandleLike>;
  return typeof fd === "number" && typeof stat === "function" && typeof read === "function";
}

/** Whether `value` is a readable stream of Node. */
export function isNodeStream(value: unknown): value is NodeStreamLike {
  if (typeof value !== "object" || value === null || !(Symbol.asyncIterator in value)) return false;
  const { pipe, on } = value as unknown as Partial<NodeStreamLike>;
  return typeof pipe === "function" && typeof on === "function";
}

/** Whether `value` is a readable stream of the web. */
export function isWebStream(value: unknown): value is WebStreamLike {
  if (typeof value !== "object" || value === null) return false;
  const { locked, getReader } = value as Partial<WebStreamLike>;
  return typeof locked === "boolean" && typeof getReader === "function";
}

/**
 * The items of an iterable, or the entries of a mapping in the order of its properties. Throws `InvalidArgumentError` for
 * anything else: a string, bytes, and an instance of a class without properties, such as a Blob, are no list of fields.
 */
export function fieldItems(fields: unknown): Iterable<unknown> {
  if (typeof fields === "object" && fields !== null && !isBytes(fields)) {
    if (Symbol.iterator in fields) return fields as Iterable<unknown>;
    if (isFormData(fields)) return fields.entries() as Iterable<unknown>;
    const entries = Object.entries(fields);
    if (entries.length > 0 || isPlainObject(fields)) return entries;
  }
  const advice = typeof fields === "string" ? ": write a query into the URL, and give a body as 'body'" : "";
  throw new InvalidArgumentError(
    `fields must be an object, a form, or an iterable of pairs of name and value, not ${kindOf(fields)}${advice}`,
  );
}

/** Whether `fields` are none: an empty list, or an object without properties that is no instance of a class. */
export function isEmptyFields(fields: object): boolean {
  if (Array.isArray(fields)) return fields.length === 0;
  return !(Symbol.iterator in fields) && isPlainObject(fields) && Object.keys(fields).length === 0;
}

/** `item` as a pair of name and value. Throws `InvalidArgumentError`. */
export function asPair(item: unknown): readonly [name: unknown, value: unknown] {
  if (Array.isArray(item) && item.length === 2) return item as [unknown, unknown];
  throw new InvalidArgumentError(`a field must be a pair of name and value, not ${kindOf(item)}`);
}

function tagOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
}

/** What to give in place of a value that has no text of its own. */
export function adviceFor(value: unknown): string {
  if (value instanceof Promise) return ": await it first";
  if (value instanceof Date) return ": give its toISOString() or its getTime()";
  return typeof value === "object" && value !== null ? ": give its JSON.stringify(), or several values" : "";
}
