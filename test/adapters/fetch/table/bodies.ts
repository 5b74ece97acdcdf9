/** Rows 55 to 79: bodies of the request. */

import { openAsBlob } from "node:fs";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Fetch } from "../../../../src/index.ts";
import { type Case, echo, outcome, type Place } from "./place.ts";

type Body_ = NonNullable<NonNullable<Parameters<Fetch>[1]>["body"]>;

const send = (fetch: Fetch, at: Place, body: unknown, more: object = {}): Promise<unknown> =>
  outcome(async () => {
    const seen = await echo(fetch(`${at.url}/`, { method: "POST", body: body as Body_, ...more } as object));
    const { headers } = seen;
    return [
      seen.body,
      headers["content-type"] ?? null,
      headers["content-length"] ?? null,
      headers["transfer-encoding"] ?? null,
    ];
  });

const body = (row: number, name: string, make: () => unknown, more: object = {}): Case => ({
  row,
  name,
  run: async (fetch, at) => send(fetch, at, await make(), more),
});

const half = { duplex: "half" };
const streamOf = (...parts: unknown[]): ReadableStream =>
  new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
async function* parts(): AsyncGenerator<Uint8Array> {
  yield bytes("a");
  yield bytes("b");
}

const withBoundary = (shown: unknown): unknown => {
  if (!Array.isArray(shown)) return shown;
  const boundary = /boundary=(.*)$/.exec(shown[1] as string)![1]!;
  return [
    String(shown[0]).replaceAll(boundary, "B"),
    String(shown[1]).replace(boundary, "B"),
    shown[2] !== null,
    shown[3],
  ];
};

const form = (): FormData => {
  const data = new FormData();
  data.append('quo"te', "line\nend\r\nrest");
  data.append("file", new File(["content"], 'na"me.txt'));
  data.append("typed", new File(["x"], "t.png", { type: "image/png" }));
  return data;
};

const spent = async (): Promise<ReadableStream> => {
  const stream = streamOf(bytes("a"));
  await stream.getReader().read();
  return stream;
};

/** What a package's FormData shows. */
const foreignForm = {
  [Symbol.toStringTag]: "FormData",
  *[Symbol.iterator]() {
    yield ["a", "1"];
    yield ["f", new File(["x"], "f.txt")];
  },
};

export const BODIES: readonly Case[] = [
  body(55, "string", () => "aé€"),
  body(55, "lone surrogate", () => "a\ud800b"),
  body(56, "empty string", () => ""),
  body(57, "URLSearchParams", () => new URLSearchParams({ a: "1 2", b: "é" })),
  body(58, "Blob", () => new Blob(["blob"], { type: "text/x" })),
  body(58, "Blob without type", () => new Blob(["blob"])),
  body(58, "openAsBlob", () => openAsBlob(fileURLToPath(import.meta.url)).then((blob) => blob.slice(0, 5))),
  body(59, "ArrayBuffer", () => bytes("buffer").buffer),
  body(59, "typed array", () => bytes("array")),
  body(59, "view of part", () => bytes("abcdef").subarray(1, 4)),
  body(59, "DataView", () => new DataView(bytes("abcdef").buffer, 2, 2)),
  body(59, "Buffer", () => Buffer.from("buffer")),
  body(60, "SharedArrayBuffer", () => new Uint8Array(new SharedArrayBuffer(2))),
  body(61, "number", () => 7),
  body(61, "boolean", () => true),
  body(61, "object", () => ({ a: 1 })),
  body(61, "array", () => [1, 2]),
  body(61, "generator", () => (function* () {})()),
  body(62, "null", () => null),
  body(62, "undefined", () => undefined),
  { row: 63, name: "FormData", run: async (fetch, at) => withBoundary(await send(fetch, at, form())) },
  {
    row: 64,
    name: "FormData of a package",
    run: async (fetch, at) => {
      const shown = await send(fetch, at, foreignForm);
      return String((shown as string[])[1]).startsWith("multipart/form-data");
    },
    ours: {
      shows: true,
      because: "what calls itself FormData and iterates is one; Node 24 sends [object FormData]",
      standard: false,
    },
  },
  body(65, "stream without duplex", () => streamOf(bytes("a"))),
  body(66, "stream", () => streamOf(bytes("a"), bytes("b")), half),
  {
    row: 67,
    name: "duplex full",
    run: async (f, at) => String(await send(f, at, streamOf(bytes("a")), { duplex: "full" })).split(":")[0],
  },
  body(68, "stream of strings", () => streamOf("aé"), half),
  {
    row: 69,
    name: "stream that errors",
    run: async (fetch, at) => {
      const stream = new ReadableStream({ pull: (controller) => controller.error(new Error("source")) });
      const error = await fetch(at.url, { method: "POST", body: stream, ...half } as object).catch(
        (reason) => reason,
      );
      let root = error;
      while (root.cause !== undefined) root = root.cause;
      return [error.name, error.message, root.message];
    },
  },
  {
    row: 70,
    name: "locked",
    run: async (f, at) => {
      const stream = streamOf(bytes("a"));
      stream.getReader();
      return String(await send(f, at, stream, half)).split(":")[0];
    },
  },
  {
    row: 70,
    name: "disturbed",
    run: async (f, at) => String(await send(f, at, await spent(), half)).split(":")[0],
  },
  {
    row: 71,
    name: "keepalive",
    run: async (f, at) =>
      String(await send(f, at, streamOf(bytes("a")), { ...half, keepalive: true })).split(":")[0],
  },
  body(72, "async iterable", parts, half),
  body(72, "Readable", () => Readable.from([Buffer.from("x"), Buffer.from("y")]), half),
  body(73, "async iterable without duplex", parts),
  body(74, "Content-Type", () => "x", { headers: { "Content-Type": "a/b" } }),
  ...["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "GET"].map((method) =>
    body(75, method, () => null, { method }),
  ),
  body(76, "DELETE", () => "x", { method: "DELETE" }),
  {
    row: 77,
    name: "body in Request",
    run: async (fetch, at) => {
      const request = new Request(at.url, { method: "POST", body: "in" });
      const facts = [request.body instanceof ReadableStream, request.headers.get("content-type")];
      return [...facts, (await echo(fetch(request))).headers["content-length"]];
    },
  },
  {
    row: 78,
    name: "early answer",
    run: async (fetch, at) => {
      const stream = new ReadableStream({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          try {
            controller.enqueue(bytes("x"));
          } catch {
            // Cancelled in the meantime.
          }
        },
      });
      const response = await fetch(`${at.url}/413`, { method: "POST", body: stream, ...half } as object);
      return [response.status, await response.text()];
    },
  },
  {
    row: 79,
    name: "abort while uploading",
    run: async (fetch, at) => {
      const controller = new AbortController();
      let cancelled: unknown = "not cancelled";
      const stream = new ReadableStream({
        pull(source) {
          source.enqueue(bytes("x"));
          return new Promise((resolve) => setTimeout(resolve, 5));
        },
        cancel: (reason) => {
          cancelled = reason === undefined ? "cancelled" : "cancelled with a reason";
        },
      });
      const options = { method: "POST", body: stream, signal: controller.signal, ...half };
      const sending = outcome(() => fetch(`${at.url}/hold`, options as object));
      setTimeout(() => controller.abort(), 40);
      const shown = await sending;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return [shown, String(cancelled).startsWith("cancelled")];
    },
    ours: {
      shows: ["AbortError: This operation was aborted", true],
      because: "the standard cancels it; Node does not",
      standard: true,
    },
  },
];
