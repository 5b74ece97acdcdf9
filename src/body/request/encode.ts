/**
 * Request bodies -> what can be sent: bytes, or a stream of them that may be opened once or anew for each attempt.
 * Lengths are known for strings, bytes, `Blob`, `URLSearchParams`, `FormData` and file handles; all else goes in chunks.
 */

import { types } from "node:util";
import { HTTPError, InvalidArgumentError } from "../../core/errors.ts";
import { ignore } from "../../core/ignore.ts";
import { kindOf } from "../../core/shown.ts";
import { dataOf, formDataPayload } from "./multipart.ts";
import { PartsPayload } from "./parts.ts";
import type { BodyPart, Payload } from "./payload.ts";
import { bytesOf, isBlob, isBytes, isFileHandle, isFormData, isSearchParams } from "./shapes.ts";
import {
  blobPayload,
  FilePayload,
  IterablePayload,
  isLegacyForm,
  LegacyFormPayload,
  sourceError,
} from "./sources.ts";

export type { BodyPart, Payload } from "./payload.ts";

/** Where in a file a body starts, in bytes. */
export interface EncodeOptions {
  bodyPos?: number | null | undefined;
}

const FORM_TYPE = "application/x-www-form-urlencoded;charset=UTF-8";

/**
 * The payload of `body`. Throws (or rejects with) `InvalidArgumentError` for what cannot be one, or was used up before.
 * A promise that nobody waits for is no unhandled rejection.
 */
export function encodeBody(body: unknown, options: EncodeOptions = {}): Payload | Promise<Payload> {
  return measured(payloadOf(body, options));
}

/** `payload` once its length is known. */
export function measured(payload: Payload): Payload | Promise<Payload> {
  if (payload.measure === undefined || (payload instanceof PartsPayload && !payload.measurable))
    return payload;
  const measuring = payload.measure().then(
    () => payload,
    (error) => {
      payload.discard?.();
      throw error instanceof HTTPError ? error : sourceError(error);
    },
  );
  measuring.catch(ignore);
  return measuring;
}

/** Closes what a request was given that was refused before it had a payload. What others read is left to them. */
export function discardGiven(body: unknown, fields: unknown): void {
  discardSource(body);
  if (typeof fields !== "object" || fields === null) return;
  try {
    for (const source of dataOf(fields)) discardSource(source);
  } catch {
    // A list of the caller's own that cannot be walked.
  }
}

function discardSource(source: unknown): void {
  if (typeof source !== "object") return;
  try {
    payloadOf(source, {}).discard?.();
  } catch {
    // It cannot be sent: there is nothing to close.
  }
}

/** The payload of `body`, its length maybe still unknown. Throws as `encodeBody` does. */
export function payloadOf(body: unknown, options: EncodeOptions): Payload {
  if (options.bodyPos && !isFileHandle(body)) {
    throw new InvalidArgumentError(`bodyPos is for a body that is a file handle, not for ${kindOf(body)}`);
  }
  if (typeof body === "string") return whole(Buffer.from(body), null);
  if (isBytes(body)) return whole(bytesOf(body), null);
  if (isSearchParams(body)) return whole(Buffer.from(body.toString()), FORM_TYPE);
  if (isBlob(body)) return blobPayload(body);
  if (isFormData(body)) return formDataPayload(body);
  if (body instanceof PartsPayload) return body;
  if (isFileHandle(body)) return new FilePayload(body, options.bodyPos ?? 0, "'body'");
  if (isLegacyForm(body)) return new LegacyFormPayload(body);
  if (isIterable(body) && !types.isMap(body)) {
    if (Array.isArray(body)) checkParts(body);
    return new IterablePayload(body, "'body'");
  }
  throw new InvalidArgumentError(`${WANTED}. Instead was ${kindOf(body)}${adviceFor(body)}`);
}

const WANTED =
  "'body' must be a string, bytes, a Blob, a form, a file, a stream, an iterable of strings or bytes, or a function that gives one of these";

/** The parts of a list are there: what cannot be sent is told before the head is on its way. */
function checkParts(parts: readonly unknown[]): void {
  const wrong = parts.find((part) => typeof part !== "string" && !isBytes(part));
  if (wrong === undefined && !parts.includes(undefined)) return;
  throw new InvalidArgumentError(`${WANTED}. Instead was a list with ${kindOf(wrong)}: give it as 'json'`);
}

function whole(bytes: Uint8Array, contentType: string | null): Payload {
  return { bytes, length: bytes.length, contentType, replayable: true, open: () => [bytes] };
}

function isIterable(body: unknown): body is AsyncIterable<BodyPart> | Iterable<BodyPart> {
  return (
    typeof body === "object" && body !== null && (Symbol.asyncIterator in body || Symbol.iterator in body)
  );
}

function adviceFor(body: unknown): string {
  if (typeof body !== "object" || body === null) return "";
  if (body instanceof Promise) return ": await it first";
  if (typeof (body as Partial<Response>).arrayBuffer === "function")
    return ": give its body, or what its bytes() gives";
  return ": give an object as 'json' or 'fields'";
}
