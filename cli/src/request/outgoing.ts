/** What is sent: header fields and body from the options. */

import { openAsBlob } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, extname } from "node:path";
import { HTTPHeaderDict, makeHeaders, type RequestBody, SKIP_HEADER } from "urlpool";
import { EXIT, Failure, UsageError } from "../failure.ts";
import type { DataPart, Values } from "../options/spec.ts";

/** What every request of a command sends. */
export interface Outgoing {
  readonly headers: HTTPHeaderDict;
  readonly body: RequestBody | null;
  /** For the query of each URL: `a=1&b=2`; empty without. */
  readonly query: string;
}

/**
 * Reads files that the options name.
 * @throws {UsageError} if the options contradict each other.
 * @throws {Failure} if a file cannot be read.
 */
export async function outgoing(method: string, values: Values): Promise<Outgoing> {
  const headers = await requestHeaders(values);
  const used = ["form", "json", "data-binary"].filter((name) => given(values[name as keyof Values]));
  if (values.parts.length > 0) used.push("data");
  if (used.length > 1) throw new UsageError(`only one of --${used.join(", --")} can be the body`);
  if (used[0] === undefined) return { headers, body: null, query: "" };
  const { body, type } = await BODIES[used[0]]!(values);
  if (method === "GET" && used[0] === "data") return { headers, body: null, query: String(body) };
  if (type !== null) headers.setDefault("Content-Type", type);
  if (used[0] === "json") headers.setDefault("Accept", "application/json");
  return { headers, body, query: "" };
}

function given(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined;
}

interface Body {
  readonly body: RequestBody;
  /** `null` where the body brings its own. */
  readonly type: string | null;
}

const BODIES: Readonly<Record<string, (values: Values) => Promise<Body>>> = {
  data: async (values) => {
    const parts = await Promise.all(values.parts.map(formData));
    const body = Buffer.concat(parts.flatMap((part, index) => (index === 0 ? [part] : [AND, part])));
    return { body, type: "application/x-www-form-urlencoded" };
  },
  json: async ({ json }) => ({
    body: Buffer.concat(await Promise.all(json.map(bytesOf))),
    type: "application/json",
  }),
  "data-binary": async (values) => {
    const [text, ...more] = values["data-binary"] as [string, ...string[]];
    if (more.length > 0) throw new UsageError("--data-binary can be given once");
    const type = "application/octet-stream";
    if (text === "@-") return { body: process.stdin, type };
    return { body: text.startsWith("@") ? await fileBlob(text.slice(1)) : text, type };
  },
  form: async ({ form }) => ({ body: await multipart(form), type: null }),
};

const AND = Buffer.from("&");

/** As curl: line ends and NULs of a file are left out, and all else is sent as it is. */
async function formData({ option, text }: DataPart): Promise<Buffer> {
  if (option === "data-raw" || !text.startsWith("@")) return Buffer.from(text);
  return (await bytesOf(text)).filter((byte) => byte !== 0 && byte !== 10 && byte !== 13) as Buffer;
}

/** The text itself, or the file that it names with `@`; `@-` is standard input. */
export async function bytesOf(text: string): Promise<Buffer> {
  if (!text.startsWith("@")) return Buffer.from(text);
  if (text !== "@-") return await readable(text.slice(1), (path) => readFile(path));
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function fileBlob(path: string): Promise<Blob> {
  return readable(path, openAsBlob);
}

/** Reading of a file that the user named. */
async function readable<T>(path: string, read: (path: string) => Promise<T>): Promise<T> {
  try {
    return await read(path);
  } catch (cause) {
    throw new Failure(`cannot read ${path}: ${(cause as Error).message}`, EXIT.read, { cause });
  }
}

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css",
  ".csv": "text/csv",
  ".gif": "image/gif",
  ".html": "text/html",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".json": "application/json",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain",
  ".webp": "image/webp",
  ".xml": "application/xml",
};

async function multipart(fields: readonly string[]): Promise<FormData> {
  const form = new FormData();
  for (const field of fields) {
    const at = field.indexOf("=");
    if (at < 1) throw new UsageError(`--form must be NAME=VALUE or NAME=@FILE, not '${field}'`);
    const [name, value] = [field.slice(0, at), field.slice(at + 1)];
    if (value.startsWith("@")) form.append(name, await filePart(value.slice(1)));
    else if (value.startsWith("<"))
      form.append(name, await readable(value.slice(1), (path) => readFile(path, "utf8")));
    else form.append(name, value);
  }
  return form;
}

/** `FILE;type=image/jpeg;filename=lake.jpg` */
async function filePart(text: string): Promise<File> {
  const [path, ...parameters] = text.split(/;(?=(?:type|filename)=)/);
  const parameter = (name: string): string | undefined =>
    parameters.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1);
  const filename = parameter("filename") ?? basename(path as string);
  const type = parameter("type") ?? TYPES[extname(filename).toLowerCase()] ?? "application/octet-stream";
  return new File([await fileBlob(path as string)], filename, { type });
}

/** The fields of `-H`, `-A`, `-u`, and what `--compressed` asks for. */
export async function requestHeaders(values: Values): Promise<HTTPHeaderDict> {
  const headers = new HTTPHeaderDict();
  if (values.user !== undefined) headers.extend(makeHeaders({ basicAuth: credentials(values.user) }));
  if (values["user-agent"] !== undefined) headers.set("User-Agent", values["user-agent"]);
  for (const line of await headerLines(values.header)) addLine(headers, line);
  if (!values.compressed) headers.setDefault("Accept-Encoding", SKIP_HEADER);
  return headers;
}

/**
 * A URL without credentials, and the fields for it: credentials in a URL count where `--user` gives none, and like those they do
 * not follow a redirect to another origin.
 */
export function withoutCredentials(
  url: string,
  fields: HTTPHeaderDict,
): [url: string, fields: HTTPHeaderDict] {
  const match = /^(\w+:\/\/)([^/?#]*)@/.exec(url);
  if (match === null) return [url, fields];
  const [whole, scheme, user] = match as unknown as [string, string, string];
  const [, name = "", password = ""] = /^([^:]*):?(.*)$/s.exec(user) ?? [];
  const all = fields.copy();
  if (!all.has("Authorization"))
    all.extend(makeHeaders({ basicAuth: `${decoded(name)}:${decoded(password)}` }));
  return [scheme + url.slice(whole.length), all];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function credentials(user: string): string {
  if (!user.includes(":")) throw new UsageError("--user must be USER:PASSWORD");
  return user;
}

async function headerLines(lines: readonly string[]): Promise<string[]> {
  const read = lines.map(async (line) =>
    line.startsWith("@")
      ? (await bytesOf(line))
          .toString()
          .split(/\r?\n/)
          .filter((each) => each !== "")
      : [line],
  );
  return (await Promise.all(read)).flat();
}

/** Fields that the library sends by itself, and that can be left out. */
const DEFAULTS = new Set(["host", "user-agent", "accept-encoding"]);

/** `Name: value`; `Name:` leaves the field out; `Name;` sends it empty. */
function addLine(headers: HTTPHeaderDict, line: string): void {
  const match = /^([^:;\s]+)(?::\s*(.*?)\s*|;)$/s.exec(line);
  if (match === null) throw new UsageError(`--header must be 'Name: value', not '${line}'`);
  const [, name, value] = match as unknown as [string, string, string | undefined];
  if (value !== "") {
    if (DEFAULTS.has(name.toLowerCase()) || name.toLowerCase() === "authorization")
      headers.set(name, value ?? "");
    else headers.add(name, value ?? "");
  } else if (DEFAULTS.has(name.toLowerCase())) headers.set(name, SKIP_HEADER);
  else headers.delete(name);
}
