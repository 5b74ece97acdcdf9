/** The list of URLs: lines of a file or of standard input, read as they are needed. */

import { createReadStream } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { EXIT, Failure } from "../failure.ts";
import { idOf } from "./id-set.ts";

/** Longer lines are a mistake. */
const LINE_LIMIT = 4_000_000;

/** What to fetch. */
export interface Task {
  /** The same for the same line in every run: of method, URL and body. */
  readonly key: string;
  readonly url: string;
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Name of its file, relative to the folder. */
  readonly out?: string;
  /** The user's own name for it, passed on to the result. */
  readonly id?: string | number;
}

/** A line that is no task. */
export interface BadLine {
  readonly key: string;
  readonly url: string;
  readonly problem: string;
}

/** One of the two. */
export type Line = Task | BadLine;

/** The lines of URLs, or JSON; empty ones and those that begin with `#` are left out. */
export async function* readTasks(lines: AsyncIterable<string> | Iterable<string>): AsyncGenerator<Line> {
  for await (const line of lines) {
    const text = line.trim();
    if (text !== "" && !text.startsWith("#"))
      yield line.length > LINE_LIMIT ? tooLong(line) : parseLine(text);
  }
}

/** A task for a plain URL. */
export function taskFor(url: string): Line {
  return parseLine(url);
}

function parseLine(text: string): Line {
  try {
    const task = text.startsWith("{") ? fromJson(text) : fromUrl(text);
    return { key: idOf(`${task.method} ${task.url}\n${task.body ?? ""}`), ...task };
  } catch (error) {
    return { key: idOf(text), url: text.slice(0, 2000), problem: (error as Error).message };
  }
}

function tooLong(line: string): BadLine {
  const key = idOf(line.slice(0, LINE_LIMIT));
  return { key, url: line.slice(0, 200), problem: `the line is longer than ${LINE_LIMIT} characters` };
}

type Given = Omit<Task, "key">;

function fromUrl(text: string): Given {
  const url = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  return { url: checkedUrl(url), method: "GET" };
}

function fromJson(text: string): Given {
  const { url, method = "GET", headers, body, json, out, id } = JSON.parse(text) as Record<string, unknown>;
  if (typeof url !== "string") throw new Error("the line has no url");
  if (typeof method !== "string" || !/^[A-Za-z]+$/.test(method)) throw new Error("method must be a word");
  if (method.toUpperCase() === "CONNECT") throw new Error("CONNECT opens a tunnel: it fetches nothing");
  if (out !== undefined && typeof out !== "string") throw new Error("out must be a text");
  if (body !== undefined && typeof body !== "string") throw new Error("body must be a text");
  if (id !== undefined && typeof id !== "string" && typeof id !== "number")
    throw new Error("id must be a text or a number");
  const content = json === undefined ? body : JSON.stringify(json);
  const type = json === undefined ? {} : { "Content-Type": "application/json" };
  const fields = { ...type, ...fieldsOf(headers) };
  return {
    url: checkedUrl(url),
    method: method.toUpperCase(),
    ...(Object.keys(fields).length === 0 ? {} : { headers: fields }),
    ...(content === undefined ? {} : { body: content }),
    ...(out === undefined ? {} : { out }),
    ...(id === undefined ? {} : { id }),
  };
}

function fieldsOf(headers: unknown): Record<string, string> {
  if (headers === undefined) return {};
  if (typeof headers !== "object" || headers === null || Array.isArray(headers))
    throw new Error("headers must be an object");
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** The URL as it will be asked for, so that two ways to write it are one task. */
function checkedUrl(text: string): string {
  if (!URL.canParse(text)) throw new Error("not a URL");
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new Error(`${url.protocol} URLs cannot be fetched`);
  if (url.username !== "" || url.password !== "")
    throw new Error("credentials in URLs are not sent: use --user");
  url.hash = "";
  return url.href;
}

/** The lines of a file, `-` for standard input; read as they are taken. Of one that is too long only the beginning is kept. */
export async function* linesOf(path: string): AsyncGenerator<string> {
  const source = path === "-" ? process.stdin : createReadStream(path, { highWaterMark: 65_536 });
  const decoder = new StringDecoder();
  let rest = "";
  try {
    for await (const piece of source) {
      const [first, ...lines] = decoder.write(piece as Buffer).split("\n") as [string, ...string[]];
      if (rest.length <= LINE_LIMIT) rest += first;
      if (lines.length === 0) continue;
      yield rest;
      rest = lines.pop() as string;
      yield* lines;
    }
  } catch (cause) {
    throw new Failure(`cannot read ${path}: ${(cause as Error).message}`, EXIT.read, { cause });
  }
  if (rest !== "") yield rest;
}
