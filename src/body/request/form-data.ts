/** The platform's `FormData` as multipart/form-data of known length, its files streamed. */

import { formatMultipartHeaderParam } from "./fields.ts";
import { chooseBoundary } from "./multipart.ts";
import { PartsPayload } from "./parts.ts";

const CRLF = Buffer.from("\r\n");

/** The payload of `form`; the boundary stays the same however often it is sent. */
export function formDataPayload(form: FormData): PartsPayload {
  const boundary = chooseBoundary();
  return new PartsPayload([...pieces(form, boundary)], `multipart/form-data; boundary=${boundary}`);
}

function* pieces(form: FormData, boundary: string): Generator<Buffer | Blob> {
  for (const [name, value] of form as unknown as Iterable<[string, string | File]>) {
    yield Buffer.from(`--${boundary}\r\n${header(name, value)}\r\n\r\n`);
    // Line ends of text are CRLF in a form (WHATWG HTML, "multipart/form-data encoding algorithm").
    yield typeof value === "string" ? Buffer.from(value.replace(/\r\n?|\n/g, "\r\n")) : value;
    yield CRLF;
  }
  yield Buffer.from(`--${boundary}--\r\n`);
}

function header(name: string, value: string | File): string {
  const disposition = `Content-Disposition: form-data; ${formatMultipartHeaderParam("name", name)}`;
  if (typeof value === "string") return disposition;
  const type = value.type === "" ? "application/octet-stream" : value.type;
  return `${disposition}; ${formatMultipartHeaderParam("filename", value.name)}\r\nContent-Type: ${type}`;
}
