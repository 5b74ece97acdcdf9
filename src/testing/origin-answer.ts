/** What a real origin answers, and how it fails, as data and as bytes. */

import { STATUS_CODES } from "node:http";
import { bodyOf, fieldsOf, type MockContent } from "./answer.ts";
import { hasNoBody } from "./mock-connection.ts";

/** What happens to the connection: it is reset (RST), closed, or nothing more is sent on it. */
export type OriginFault = "reset" | "close" | "stall";

/** One answer of a real origin. */
export interface OriginAnswer extends MockContent {
  /** What breaks off the answer. */
  readonly fault?: OriginFault | undefined;
  /** Where it happens: within the head, or within the body. Default `"head"`. */
  readonly at?: "head" | "body" | undefined;
  /** Bytes of the head, or of the body as it is framed, that are sent before. Default: none of the head, half of the body. */
  readonly after?: number | undefined;
  /** The length that the head says; `null`: none, the body ends with the connection. Default: the right one. */
  readonly contentLength?: number | null | undefined;
  /** Whether the body is framed by the chunked coding, in one chunk; or the bytes of each. Default false. */
  readonly chunked?: boolean | number | undefined;
  /** Sends the answer in pieces of `bytes`, each `every` ms. */
  readonly trickle?: { readonly bytes: number; readonly every: number } | undefined;
  /** Sent as it stands instead of a status line, fields and a body; a fault comes after all of it unless `after` says where. */
  readonly raw?: string | Uint8Array | undefined;
}

/** An answer as bytes. */
export interface WrittenAnswer {
  readonly bytes: Buffer;
  /** Where the fault comes; its length if there is none. */
  readonly cut: number;
  /** The connection ends with it. */
  readonly last: boolean;
}

/** The bytes of `answer` to a request of that method; `close`: the client wants the connection to end. */
export function written(answer: OriginAnswer, method: string, close: boolean): WrittenAnswer {
  const { raw, fault } = answer;
  if (raw !== undefined) {
    const bytes = Buffer.from(raw as string);
    const cut = fault === undefined ? bytes.length : Math.min(answer.after ?? bytes.length, bytes.length);
    return { bytes, cut, last: close };
  }
  const body = framed(answer, method);
  const last = close || answer.contentLength === null;
  const head = headOf(answer, last);
  const bytes = Buffer.concat([head, body]);
  return { bytes, cut: fault === undefined ? bytes.length : cutOf(answer, head.length, body.length), last };
}

function cutOf({ at = "head", after }: OriginAnswer, head: number, body: number): number {
  return at === "head" ? Math.min(after ?? 0, head) : head + Math.min(after ?? body >> 1, body);
}

function headOf(answer: OriginAnswer, last: boolean): Buffer {
  const { status = 200, contentLength, chunked } = answer;
  const isChunked = chunked !== undefined && chunked !== false;
  let fields = fieldsOf(answer, contentLength ?? bodyOf(answer).length);
  if (isChunked || contentLength === null) fields = fields.filter(([name]) => name !== "Content-Length");
  if (isChunked) fields.push(["Transfer-Encoding", "chunked"]);
  if (last) fields.push(["Connection", "close"]);
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines}\r\n`, "latin1");
}

function framed(answer: OriginAnswer, method: string): Buffer {
  if (hasNoBody(method, answer.status ?? 200)) return Buffer.alloc(0);
  const body = bodyOf(answer);
  const { chunked = false } = answer;
  if (chunked === false) return body;
  const size = chunked === true ? Math.max(1, body.length) : chunked;
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const chunk = body.subarray(at, at + size);
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}
