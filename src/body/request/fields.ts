/** One field of a multipart/form-data body (RFC 7578), and how its headers are written. */

import type { FileHandle } from "node:fs/promises";
import { basename } from "node:path";
import type { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { InvalidArgumentError, InvalidHeader } from "../../core/errors.ts";
import { isPlainObject } from "../../core/options.ts";
import { kindOf } from "../../core/shown.ts";
import { guessContentType } from "./content-types.ts";
import { isBlob, isNodeStream, nameOfFile } from "./shapes.ts";

export { guessContentType } from "./content-types.ts";

/**
 * Data of a field: text goes out as UTF-8, bytes as they are, a number, `true` or `false` as its text. Blobs, files and
 * streams are read while they are sent; the length of a form is known unless a stream's is not, and that of
 * `fs.createReadStream` is.
 */
export type FieldData =
  | string
  | number
  | bigint
  | boolean
  | ArrayBufferView
  | ArrayBuffer
  | Blob
  | FileHandle
  | Readable
  | ReadableStream;

/** A file of a form, by name. What is left out comes from a `File`, a `Blob` or the path of a stream, as far as they have it. */
export interface FileField {
  readonly data: FieldData;
  /** `null`: none is written, `""`: an empty one. */
  readonly filename?: string | null | undefined;
  /** Default: that of a `Blob`, else guessed from the name; `null`: none is written. */
  readonly contentType?: string | null | undefined;
}

/**
 * A field's value: its data, a `File` with its name and type; `{ filename, data, contentType }`; `[filename, data]`, whose
 * type is that of a `Blob`, or else guessed from the name; or `[filename, data, contentType]`.
 */
export type FieldValue =
  | FieldData
  | FileField
  | readonly [filename: string | null, data: FieldData]
  | readonly [filename: string | null, data: FieldData, contentType: string | null];

/** Headers of a field; those that are empty or `null` are not written. */
export type FieldHeaders = Record<string, string | null | undefined>;

/** What `makeMultipart` sets; what is left out stays as it is, `null` removes it. */
export interface MultipartHeaders {
  /** Default `form-data`. */
  contentDisposition?: string | null | undefined;
  contentType?: string | null | undefined;
  contentLocation?: string | null | undefined;
}

const FIRST_HEADERS = ["Content-Disposition", "Content-Type", "Content-Location"];

const FILE_FIELD_KEYS: ReadonlySet<string> = new Set(["filename", "data", "contentType"]);

/** Text that ends in an extension. */
const FILENAME = /^[^\s/][^/\n]*\.[a-z][a-z0-9]{0,9}$/i;

const LIST_ADVICE = "; a file can be given as { filename, data, contentType } too";

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FORBIDDEN = /[\r\n\0]/;

/** A field with headers of its own (urllib3's `RequestField`). */
export class RequestField {
  readonly name: string;
  readonly data: FieldData;
  /** `undefined`: no file. */
  readonly filename: string | undefined;
  /** In the order they were set; names compare without case. */
  readonly headers: FieldHeaders;

  constructor(
    name: string,
    data: FieldData,
    options: {
      filename?: string | null | undefined;
      headers?: Readonly<FieldHeaders> | Iterable<readonly [name: string, value: string]> | null | undefined;
    } = {},
  ) {
    this.name = name;
    this.data = data;
    this.filename = options.filename ?? undefined;
    const headers = options.headers ?? {};
    this.headers = Symbol.iterator in headers ? Object.fromEntries(headers) : { ...headers };
  }

  /**
   * A form field from its name and one of the forms of a value, headers set. Throws `InvalidArgumentError` for what is
   * none, such as a list of another length.
   */
  static fromTuples(name: string, value: FieldValue): RequestField {
    if (Array.isArray(value)) return fromList(name, value);
    return isFileField(value) ? fromFileField(name, value) : fromData(name, value as FieldData);
  }

  /** Sets the headers that make this a part of a form. Returns the field itself. */
  makeMultipart(options: MultipartHeaders = {}): this {
    const disposition = [
      options.contentDisposition || "form-data",
      formatMultipartHeaderParam("name", this.name),
    ];
    if (this.filename !== undefined) disposition.push(formatMultipartHeaderParam("filename", this.filename));
    this.#set("Content-Disposition", disposition.join("; "));
    this.#set("Content-Type", options.contentType);
    this.#set("Content-Location", options.contentLocation);
    return this;
  }

  /**
   * The headers as they go on the wire, with the empty line that ends them: Content-Disposition, Content-Type and
   * Content-Location first, the rest in their order. Throws `InvalidHeader` for a name that is no token, and for a
   * value with CR, LF or NUL.
   */
  renderHeaders(): string {
    const entries = Object.entries(this.headers);
    const first = FIRST_HEADERS.flatMap((name) => entries.filter(([other]) => sameName(name, other)));
    const rest = entries.filter(([name]) => !FIRST_HEADERS.some((other) => sameName(name, other)));
    return `${[...first, ...rest].map(renderHeader).join("")}\r\n`;
  }

  #set(name: string, value: string | null | undefined): void {
    if (value === undefined) return;
    for (const other of Object.keys(this.headers)) if (sameName(name, other)) delete this.headers[other];
    this.headers[name] = value;
  }
}

/**
 * `name="value"` for a header of a form's part: `"`, LF and CR become `%22`, `%0A` and `%0D`, all else stays, as
 * browsers write it (WHATWG HTML, multipart/form-data encoding algorithm; urllib3's `format_multipart_header_param`).
 */
export function formatMultipartHeaderParam(name: string, value: string): string {
  const escaped = value.replaceAll('"', "%22").replaceAll("\n", "%0A").replaceAll("\r", "%0D");
  return `${name}="${escaped}"`;
}

/** A `File`, and a stream of a file, bring their name and type along. */
function fromData(name: string, data: FieldData): RequestField {
  const filename = nameOf(data);
  if (filename === undefined) return new RequestField(name, data).makeMultipart();
  return fromFile(name, filename, data, typeOf(filename, data));
}

function fromFile(name: string, filename: string | null, data: FieldData, type: string | null): RequestField {
  return new RequestField(name, data, { filename }).makeMultipart({ contentType: type });
}

function fromFileField(name: string, field: FileField): RequestField {
  for (const key of Object.keys(field)) {
    if (!FILE_FIELD_KEYS.has(key)) {
      throw new InvalidArgumentError(
        `a file in a form is { filename, data, contentType }, and has no ${JSON.stringify(key)}`,
      );
    }
  }
  const { data, filename = nameOf(data), contentType } = field;
  return fromFile(
    name,
    filename ?? null,
    data,
    contentType === undefined ? typeOf(filename, data) : contentType,
  );
}

/** `[filename, data]` or `[filename, data, contentType]`. */
function fromList(name: string, value: readonly unknown[]): RequestField {
  if (value.length !== 2 && value.length !== 3) {
    throw new InvalidArgumentError(
      `the value of a field must be data, [filename, data] or [filename, data, contentType], not ${kindOf(value)}${LIST_ADVICE}`,
    );
  }
  const [filename, data, contentType] = value as readonly [
    string | null,
    FieldData,
    string | null | undefined,
  ];
  return fromFile(
    name,
    filename,
    data,
    value.length === 3 ? (contentType as string | null) : typeOf(filename, data),
  );
}

/**
 * Whether `value` is a list of values rather than one file: it holds texts, numbers and booleans only, and neither is it
 * two long and begins with a name that has an extension, nor three with a media type at the end. Two names with extensions
 * are values.
 */
export function isListOfValues(value: unknown): value is readonly unknown[] {
  if (!Array.isArray(value) || !value.every(isScalar)) return false;
  const [filename, data, contentType] = value as unknown[];
  if (value.length === 3) return typeof contentType !== "string" || !contentType.includes("/");
  if (value.length !== 2 || typeof filename !== "string") return true;
  // One that cannot be written is refused where it is written.
  if (filename === "" || FORBIDDEN.test(filename)) return false;
  return !FILENAME.test(filename) || FILENAME.test(String(data));
}

function isScalar(value: unknown): boolean {
  return ["string", "number", "bigint", "boolean"].includes(typeof value);
}

function isFileField(value: unknown): value is FileField {
  return isPlainObject(value) && "data" in value;
}

/** `undefined` where the data has none. */
function nameOf(data: unknown): string | undefined {
  const { path } = isNodeStream(data) ? data : {};
  return path === undefined || path === null ? nameOfFile(data) : basename(String(path));
}

function typeOf(filename: string | null | undefined, data: FieldData): string | null {
  return (isBlob(data) && data.type) || guessContentType(filename);
}

function sameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function renderHeader([name, value]: [string, string | null | undefined]): string {
  if (!value) return "";
  if (!TOKEN.test(name)) {
    throw new InvalidHeader(`Field header name is not a token: ${JSON.stringify(name)}`, {
      phase: "request",
    });
  }
  if (FORBIDDEN.test(value)) {
    throw new InvalidHeader(`Field header ${name} must not have CR, LF or NUL in its value`, {
      phase: "request",
    });
  }
  return `${name}: ${value}\r\n`;
}
