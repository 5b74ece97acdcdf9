/**
 * Writes the field block of a request. Requests that differ only in method and path share the rest of their block: once
 * all its fields stand in the table, it is kept and copied until an insertion moves the indices.
 */

import { InvalidHeader } from "../../core/errors.ts";
import { FieldEncoder } from "./field-encoder.ts";
import { type HeadFacts, listSize, type RequestFields, requestFields } from "./fields.ts";
import type { Output } from "./output.ts";

/** Indices of the static table. */
const GET = 2;
const POST = 3;
const PATH = 4;

/** What the plain requests of a connection have in common. */
interface PlainBlock {
  readonly key: object;
  readonly scheme: string;
  readonly authority: string;
  /** State of the table that the bytes belong to. */
  readonly inserted: number;
  readonly epoch: number;
  /** Between the method and the path, and behind it. */
  readonly before: Buffer;
  readonly behind: Buffer;
  /** Size of the list without method and path. */
  readonly size: number;
}

/** The encoder of one connection. */
export class HeadEncoder {
  readonly fields: FieldEncoder = new FieldEncoder();
  #plain: PlainBlock | null = null;

  /**
   * Writes the block of `head`. Throws `InvalidHeader` before anything is written: for what HTTP/2 cannot say, and for a
   * list larger than `limit`, the peer's MAX_HEADER_LIST_SIZE.
   */
  encode(out: Output, head: HeadFacts, limit: number): void {
    const plain = this.#knownPlain(head);
    if (plain === null) {
      this.#encodeAll(out, head, limit);
      return;
    }
    checkSize(plain.size + head.method.length + head.target.length, limit);
    this.#writeMethod(out, head.method);
    out.copy(plain.before, 0, plain.before.length);
    this.#writePath(out, head.target);
    out.copy(plain.behind, 0, plain.behind.length);
  }

  #knownPlain(head: HeadFacts): PlainBlock | null {
    const plain = this.#plain;
    if (plain === null || head.plain !== plain.key) return null;
    if (plain.inserted !== this.fields.inserted || plain.epoch !== this.fields.epoch) return null;
    const same = head.authority === plain.authority && head.scheme === plain.scheme;
    return same && head.target.charCodeAt(0) === 47 && isCommon(head.method) ? plain : null;
  }

  #encodeAll(out: Output, head: HeadFacts, limit: number): void {
    const request = requestFields(head);
    const size = listSize(request);
    checkSize(size, limit);
    const { inserted } = this.fields;
    this.fields.begin(out);
    this.#writeMethod(out, request.method);
    const before = out.length;
    this.#writeOrigin(out, request);
    const path = out.length;
    if (request.path !== null) this.#writePath(out, request.path);
    const behind = out.length;
    for (let at = 0; at < request.lines.length; at += 2) {
      this.fields.field(out, request.lines[at]!, request.lines[at + 1]!);
    }
    if (head.plain === null || request.path === null || inserted !== this.fields.inserted) return;
    this.#plain = {
      key: head.plain,
      scheme: head.scheme,
      authority: head.authority,
      inserted,
      epoch: this.fields.epoch,
      before: Buffer.from(out.bytes.subarray(before, path)),
      behind: Buffer.from(out.bytes.subarray(behind, out.length)),
      size: size - head.method.length - head.target.length,
    };
  }

  #writeMethod(out: Output, method: string): void {
    if (method === "GET") this.fields.indexed(out, GET);
    else if (method === "POST") this.fields.indexed(out, POST);
    else this.fields.field(out, ":method", method);
  }

  #writeOrigin(out: Output, { scheme, authority }: RequestFields): void {
    if (scheme !== null) this.fields.field(out, ":scheme", scheme);
    this.fields.field(out, ":authority", authority);
  }

  #writePath(out: Output, path: string): void {
    if (path === "/") this.fields.indexed(out, PATH);
    else this.fields.literal(out, PATH, path);
  }
}

/** Whether writing the method leaves the table as it is. */
function isCommon(method: string): boolean {
  return method === "GET" || method === "POST";
}

function checkSize(size: number, limit: number): void {
  if (size <= limit) return;
  throw new InvalidHeader(
    `The request's header fields take ${size} bytes, and the server accepts ${limit} (MAX_HEADER_LIST_SIZE)`,
    { phase: "request" },
  );
}
