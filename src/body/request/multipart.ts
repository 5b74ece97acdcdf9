/** multipart/form-data bodies (RFC 7578, RFC 2046 §5.1). */

import { randomBytes } from "node:crypto";
import { InvalidArgumentError } from "../../core/errors.ts";
import { type FieldData, type FieldValue, RequestField } from "./fields.ts";
import { asPair, bytesOf, fieldItems, isBytes, kindOf } from "./pairs.ts";
import { PartsPayload } from "./parts.ts";

/** Fields of a form: by name, or pairs and `RequestField`s in the order they are to have. */
export type Fields =
  | Readonly<Record<string, FieldValue>>
  | Iterable<readonly [name: string, value: FieldValue] | RequestField>;

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
  const pieces = [...multipartPieces(fields, chosen)];
  if (!pieces.every((piece) => Buffer.isBuffer(piece))) {
    throw new InvalidArgumentError("a Blob cannot be encoded at once: send it as a field of a request");
  }
  return { body: Buffer.concat(pieces as Buffer[]), contentType: contentTypeOf(chosen) };
}

/** As `encodeMultipartFormdata`, for sending: nothing is joined in memory, and `Blob`s are read while they are sent. */
export function multipartPayload(fields: Fields, boundary?: string | null): PartsPayload {
  const chosen = checkBoundary(boundary ?? chooseBoundary());
  return new PartsPayload([...multipartPieces(fields, chosen)], contentTypeOf(chosen));
}

/** The pieces of the body in order. Each is whole in memory, so their total length is known before any is sent. */
function* multipartPieces(fields: Fields, boundary: string): Generator<Buffer | Blob> {
  for (const field of requestFields(fields)) {
    yield Buffer.from(`--${boundary}\r\n${field.renderHeaders()}`);
    yield encodeData(field.data);
    yield CRLF;
  }
  yield Buffer.from(`--${boundary}--\r\n`);
}

function* requestFields(fields: Fields): Generator<RequestField> {
  for (const item of fieldItems(fields)) {
    if (item instanceof RequestField) yield item;
    else {
      const [name, value] = asPair(item);
      yield RequestField.fromTuples(String(name), value as FieldValue);
    }
  }
}

function encodeData(data: FieldData): Buffer | Blob {
  if (data instanceof Blob) return data;
  if (typeof data === "string") return Buffer.from(data);
  if (typeof data === "number" || typeof data === "bigint" || typeof data === "boolean") {
    return Buffer.from(String(data));
  }
  if (isBytes(data)) return bytesOf(data);
  throw new InvalidArgumentError(
    `the data of a field must be a string, a number or bytes, not ${kindOf(data)}`,
  );
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
