/** multipart/form-data bodies (RFC 7578, RFC 2046 §5.1). */

import { randomBytes } from "node:crypto";
import { InvalidArgumentError, InvalidHeader } from "../../core/errors.ts";
import { kindOf } from "../../core/shown.ts";
import {
  type FieldData,
  type FieldValue,
  formatMultipartHeaderParam,
  isListOfValues,
  RequestField,
} from "./fields.ts";
import { type FormPart, PartsPayload } from "./parts.ts";
import {
  adviceFor,
  asPair,
  bytesOf,
  fieldItems,
  isBlob,
  isBytes,
  isFileHandle,
  isNodeStream,
  isWebStream,
} from "./shapes.ts";
import { blobPayload, FilePayload, IterablePayload, ReadStreamPayload } from "./sources.ts";

/**
 * Fields of a form: by name, or pairs and `RequestField`s in the order they are to have. A list of texts or
 * numbers repeats its field, unless it looks like `[filename, data]`. `null` and `undefined` leave their field out.
 */
export type Fields =
  | Readonly<Record<string, FieldValue | FieldValues | null | undefined>>
  | Iterable<readonly [name: string, value: FieldValue | FieldValues | null | undefined] | RequestField>
  // Types declared as interfaces have no index signature.
  | object;

/** Several values of one field. */
type FieldValues = readonly (string | number | bigint | boolean)[];

/** A form ready to be sent. */
export interface MultipartBody {
  body: Buffer;
  /** `multipart/form-data` with the boundary. */
  contentType: string;
}

const BOUNDARY = /^[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]$/;
const TOKEN = /^[0-9A-Za-z'+_.-]+$/;
const CRLF = Buffer.from("\r\n");

/** A boundary that no data holds by chance: 16 random bytes as 32 hexadecimal digits. */
export function chooseBoundary(): string {
  return randomBytes(16).toString("hex");
}

/**
 * `fields` as multipart/form-data (urllib3's `encode_multipart_formdata`). `boundary` is chosen at random unless it is
 * given. Throws `InvalidArgumentError` for a boundary that RFC 2046 does not allow and for data of another kind,
 * `InvalidHeader` for a field header with CR, LF or NUL.
 */
export function encodeMultipartFormdata(fields: Fields, boundary?: string | null): MultipartBody {
  const chosen = checkBoundary(boundary ?? chooseBoundary());
  const parts = [...multipartParts(fields, chosen)];
  if (!parts.every((part) => Buffer.isBuffer(part))) {
    throw new InvalidArgumentError(
      "a Blob, file or stream cannot be encoded at once: send it as a field of a request",
    );
  }
  return { body: Buffer.concat(parts as Buffer[]), contentType: contentTypeOf(chosen) };
}

/** As `encodeMultipartFormdata`, for sending: nothing is joined in memory; blobs, files and streams are read while they are sent. */
export function multipartPayload(fields: Fields, boundary?: string | null): PartsPayload {
  const chosen = checkBoundary(boundary ?? chooseBoundary());
  return new PartsPayload([...multipartParts(fields, chosen)], contentTypeOf(chosen));
}

/** The payload of a `FormData`; the boundary stays the same however often it is sent. */
export function formDataPayload(form: FormData): PartsPayload {
  const boundary = chooseBoundary();
  return new PartsPayload([...formDataParts(form, boundary)], `multipart/form-data; boundary=${boundary}`);
}

function* multipartParts(fields: Fields, boundary: string): Generator<FormPart> {
  for (const field of requestFields(fields)) {
    yield Buffer.from(`--${boundary}\r\n${field.renderHeaders()}`);
    yield encodeData(field.data, field.name);
    yield CRLF;
  }
  yield Buffer.from(`--${boundary}--\r\n`);
}

/** What the fields of a form are to be read from, whether or not the form can be made. */
export function* dataOf(fields: object): Generator<unknown> {
  const items = Symbol.iterator in fields ? (fields as Iterable<unknown>) : Object.entries(fields);
  for (const item of items) {
    const value: unknown = item instanceof RequestField ? item.data : (item as readonly unknown[])?.[1];
    if (Array.isArray(value)) yield* value;
    else yield (value as { data?: unknown } | undefined)?.data ?? value;
  }
}

function* requestFields(fields: Fields): Generator<RequestField> {
  for (const item of fieldItems(fields)) {
    if (item instanceof RequestField) {
      yield item;
      continue;
    }
    const [name, value] = asPair(item);
    for (const single of isListOfValues(value) ? value : [value]) {
      if (single === undefined || single === null) continue;
      yield RequestField.fromTuples(String(name), single as FieldValue);
    }
  }
}

function encodeData(data: FieldData, name: string): FormPart {
  if (typeof data === "string") return Buffer.from(data);
  if (typeof data === "number" || typeof data === "bigint" || typeof data === "boolean") {
    return Buffer.from(String(data));
  }
  if (isBytes(data)) return bytesOf(data);
  if (isBlob(data)) return blobPayload(data);
  const field = `the data of field ${JSON.stringify(name)}`;
  if (isFileHandle(data)) return new FilePayload(data, 0, field);
  if (isNodeStream(data)) return new ReadStreamPayload(data, field);
  if (isWebStream(data)) return new IterablePayload(data, field);
  throw new InvalidArgumentError(
    `${field} must be a string, a number, bytes, a Blob (fs.openAsBlob gives one of a file), a FileHandle or a stream, not ${kindOf(data)}${adviceFor(data)}`,
  );
}

/** Names and the line ends of texts as browsers write them (WHATWG HTML, "multipart/form-data encoding algorithm"). */
function* formDataParts(form: FormData, boundary: string): Generator<FormPart> {
  for (const [name, value] of form.entries() as Iterable<[string, string | File]>) {
    yield Buffer.from(`--${boundary}\r\n${formDataHeader(name, value)}\r\n\r\n`);
    yield typeof value === "string" ? Buffer.from(crlf(value)) : blobPayload(value);
    yield CRLF;
  }
  yield Buffer.from(`--${boundary}--\r\n`);
}

function formDataHeader(name: string, value: string | File): string {
  const disposition = `Content-Disposition: form-data; ${formatMultipartHeaderParam("name", crlf(name))}`;
  if (typeof value === "string") return disposition;
  const type = value.type || "application/octet-stream";
  const filename = formatMultipartHeaderParam("filename", String(value.name ?? "blob"));
  return `${disposition}; ${filename}\r\nContent-Type: ${checkType(type)}`;
}

/** A `FormData` of another make may let any text be a type. */
function checkType(type: string): string {
  if (!/[\r\n\0]/.test(type)) return type;
  throw new InvalidHeader("The type of a file in a form must not have CR, LF or NUL", { phase: "request" });
}

/** `text` with every line end as CRLF. */
export function crlf(text: string): string {
  return text.replace(/\r\n?|\n/g, "\r\n");
}

function checkBoundary(boundary: string): string {
  if (typeof boundary === "string" && BOUNDARY.test(boundary)) return boundary;
  throw new InvalidArgumentError(
    "a boundary must be 1 to 70 of the characters 0-9 A-Z a-z '()+_,-./:=? and inner spaces",
  );
}

function contentTypeOf(boundary: string): string {
  // Some characters of a boundary may stand in a parameter only between quotes (RFC 2045 §5.1).
  return `multipart/form-data; boundary=${TOKEN.test(boundary) ? boundary : `"${boundary}"`}`;
}
