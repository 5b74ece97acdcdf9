/**
 * An HTTP/1.1 server written by hand on the scripted origin: it shows every header field in the order and spelling it
 * had, and can be told to misbehave.
 */

import { STATUS_CODES } from "node:http";
import { type Origin, type OriginConnection, type OriginOptions, startOrigin } from "./origin.ts";

/** Field name and value. */
export type Field = readonly [name: string, value: string];

/** A request as it came. */
export interface OriginRequest {
  readonly method: string;
  /** The request target: `/path?query`, an absolute URL or `host:port`. */
  readonly target: string;
  /** `HTTP/1.1`. */
  readonly version: string;
  /** Fields in wire order and spelling; values without the spaces around them. */
  readonly headers: readonly Field[];
  /** The head as it was sent, its empty line included. */
  readonly headText: string;
  readonly body: Buffer;
  /** Trailer lines of a chunked body. */
  readonly trailers: readonly string[];
  readonly connection: OriginConnection;
  /** The value of a field, all of its lines joined with ", "; `null` if absent. */
  header(name: string): string | null;
}

/** What to answer. */
export interface ResponseSpec {
  /** Default 200. */
  status?: number;
  /** Default: the usual words for the status. */
  reason?: string;
  headers?: readonly Field[] | Readonly<Record<string, string | readonly string[]>>;
  body?: string | Uint8Array;
  /** Chunked framing; a number is the size of each chunk in bytes (default: one chunk). */
  chunked?: boolean | number;
  /** Trailer fields of a chunked answer. */
  trailers?: readonly Field[];
  /** The Content-Length to claim instead of the right one; `null` sends none (the body then ends with the connection). */
  contentLength?: number | string | null;
  /** Sent as it stands before the status line, for 1xx answers. */
  before?: string;
  /** Says `Connection: close`, and closes. */
  close?: boolean;
}

/** A string or bytes is the body of a 200; `undefined` means that the handler has dealt with the connection itself. */
export type HttpAnswer = ResponseSpec | string | Uint8Array | undefined;

/** Answers one request. */
export type HttpHandler = (request: OriginRequest) => HttpAnswer | Promise<HttpAnswer>;

/** Options of {@link startHttp}. */
export interface HttpOriginOptions extends OriginOptions {
  /** Whether `Expect: 100-continue` is answered with 100 before the body is read. Default true. */
  continue?: boolean;
}

/** A running HTTP server. */
export interface HttpOrigin extends Origin {
  /** Every request read in full, in order over all connections. */
  readonly received: OriginRequest[];
}

/**
 * Starts an HTTP server with keep-alive and Content-Length framing, which understands chunked requests. The default
 * handler echoes: a JSON of method, target, headers and body (as latin1 text).
 */
export async function startHttp(
  handler: HttpHandler = echo,
  options: HttpOriginOptions = {},
): Promise<HttpOrigin> {
  const received: OriginRequest[] = [];
  const origin = await startOrigin(
    (connection) => serveHttp(connection, handler, { ...options, received }),
    options,
  );
  return Object.assign(origin, { received });
}

/** The same on one connection, such as the far end of an in-memory wire. */
export async function serveHttp(
  connection: OriginConnection,
  handler: HttpHandler = echo,
  options: { continue?: boolean; received?: OriginRequest[] } = {},
): Promise<void> {
  for (;;) {
    const request = await readRequest(connection, options.continue ?? true);
    options.received?.push(request);
    const answer = await handler(request);
    if (answer !== undefined && (await sendAnswer(connection, request, answer))) return;
  }
}

/** Sends the answer; true if the connection ends with it. */
export async function sendAnswer(
  connection: OriginConnection,
  request: OriginRequest,
  answer: Exclude<HttpAnswer, undefined>,
): Promise<boolean> {
  const spec = typeof answer === "string" || answer instanceof Uint8Array ? { body: answer } : answer;
  const close = mustClose(request, spec);
  await connection.send(renderResponse(spec, request.method, close));
  if (close) connection.halfClose();
  return close;
}

/** The answer of an echo server. */
export function echo(request: OriginRequest): ResponseSpec {
  const { method, target, headers, body } = request;
  return {
    headers: [["Content-Type", "application/json"]],
    body: JSON.stringify({ method, target, headers, body: body.toString("latin1") }),
  };
}

/** Status line, fields and body as bytes. A HEAD, 204 or 304 answer has the fields of its body but not the body. */
export function renderResponse(
  spec: ResponseSpec,
  method = "GET",
  close: boolean = spec.close ?? false,
): Buffer {
  const { status = 200 } = spec;
  const body = Buffer.from(spec.body ?? "");
  const framing = framingField(spec, status, body.length);
  const fields = [
    ...fieldList(spec.headers),
    ...framing,
    ...(close ? [["Connection", "close"] as const] : []),
  ];
  const statusLine = `HTTP/1.1 ${status} ${spec.reason ?? STATUS_CODES[status] ?? ""}\r\n`;
  const head = Buffer.from(`${spec.before ?? ""}${statusLine}${fieldLines(fields)}\r\n`, "latin1");
  if (method === "HEAD" || status === 204 || status === 304) return head;
  return Buffer.concat([head, isChunked(spec) ? chunkBody(body, spec) : body]);
}

/** Reads the next request with its body. `answerExpect`: sends 100 to who expects it. */
export async function readRequest(
  connection: OriginConnection,
  answerExpect: boolean,
): Promise<OriginRequest> {
  const headText = await connection.readHead();
  const [requestLine = "", ...lines] = headText.slice(0, -4).split("\r\n");
  const [method = "", target = "", version = ""] = requestLine.split(" ");
  const headers = lines.map((line): Field => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const header = (name: string): string | null => fieldValue(headers, name);
  if (answerExpect && header("expect")?.toLowerCase() === "100-continue") {
    await connection.send("HTTP/1.1 100 Continue\r\n\r\n");
  }
  const content = await readContent(connection, header);
  return { method, target, version, headers, headText, ...content, connection, header };
}

async function readContent(
  connection: OriginConnection,
  header: (name: string) => string | null,
): Promise<{ body: Buffer; trailers: string[] }> {
  if (header("transfer-encoding")?.toLowerCase().endsWith("chunked")) return connection.readChunkedBody();
  const length = Number(header("content-length") ?? 0);
  return { body: await connection.readBody(length), trailers: [] };
}

function mustClose(request: OriginRequest, spec: ResponseSpec): boolean {
  if (spec.close === true || (spec.contentLength === null && !isChunked(spec))) return true;
  const wish = request.header("connection")?.toLowerCase() ?? "";
  return request.version === "HTTP/1.0" ? !wish.includes("keep-alive") : wish.includes("close");
}

function isChunked(spec: ResponseSpec): boolean {
  return spec.chunked !== undefined && spec.chunked !== false;
}

function framingField(spec: ResponseSpec, status: number, length: number): Field[] {
  if (isChunked(spec)) return [["Transfer-Encoding", "chunked"]];
  if (spec.contentLength === null) return [];
  if (spec.contentLength !== undefined) return [["Content-Length", String(spec.contentLength)]];
  // RFC 9110 section 8.6: none on 204. A length that the test gave among the fields stands.
  const given = fieldValue(fieldList(spec.headers), "content-length") !== null;
  return status === 204 || given ? [] : [["Content-Length", String(length)]];
}

function chunkBody(body: Buffer, spec: ResponseSpec): Buffer {
  const size = typeof spec.chunked === "number" ? spec.chunked : Math.max(body.length, 1);
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const chunk = body.subarray(at, at + size);
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from(`0\r\n${fieldLines(spec.trailers ?? [])}\r\n`, "latin1")]);
}

function fieldList(headers: ResponseSpec["headers"] = []): Field[] {
  if (Array.isArray(headers)) return [...headers];
  return Object.entries(headers).flatMap(([name, value]) => {
    const values: readonly string[] = typeof value === "string" ? [value] : value;
    return values.map((one): Field => [name, one]);
  });
}

function fieldLines(fields: readonly Field[]): string {
  return fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
}

function fieldValue(fields: readonly Field[], name: string): string | null {
  const values = fields.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  return values.length === 0 ? null : values.join(", ");
}
