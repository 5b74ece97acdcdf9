/** One field of a multipart/form-data body (RFC 7578), and how its headers are written. */

import { InvalidArgumentError, InvalidHeader } from "../../core/errors.ts";
import { guessContentType } from "./content-types.ts";
import { kindOf } from "./pairs.ts";

export { guessContentType } from "./content-types.ts";

/** Data of a field: text goes out as UTF-8, bytes as they are, a number, `true` or `false` as its text. */
export type FieldData = string | number | bigint | boolean | Uint8Array | ArrayBuffer | Blob;

/**
 * A field's value: its data, a `File` with its name and type; or `[filename, data]`, whose type is that of a `Blob`, or else
 * guessed from the name; or
 * `[filename, data, contentType]`. A filename of `null` writes no filename, `""` an empty one.
 */
export type FieldValue =
  | FieldData
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
   * A form field from its name and one of the forms of a value, headers set.
   * Throws `InvalidArgumentError` for a list of another length.
   */
  static fromTuples(name: string, value: FieldValue): RequestField {
    if (!Array.isArray(value)) return fromData(name, value as FieldData);
    if (value.length !== 2 && value.length !== 3) {
      throw new InvalidArgumentError(
        `the value of a field must be data, [filename, data] or [filename, data, contentType], not ${kindOf(value)}`,
      );
    }
    const [filename, data] = value as readonly [string | null, FieldData];
    const contentType = value.length === 3 ? (value[2] as string | null) : typeOf(filename, data);
    return new RequestField(name, data, { filename }).makeMultipart({ contentType });
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

/** A `File` brings its name and type along. */
function fromData(name: string, data: FieldData): RequestField {
  const filename = data instanceof Blob && "name" in data ? `${data.name}` : undefined;
  if (filename === undefined) return new RequestField(name, data).makeMultipart();
  return new RequestField(name, data, { filename }).makeMultipart({ contentType: typeOf(filename, data) });
}

function typeOf(filename: string | null, data: FieldData): string | null {
  return (data instanceof Blob && data.type) || guessContentType(filename);
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
