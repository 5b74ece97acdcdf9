/** Rows 134 to 159: abort, errors, other schemes, integrity. */

import net from "node:net";
import type { Fetch } from "../../../../src/index.ts";
import { type Case, digestOfText, outcome, type Place } from "./place.ts";

/** What a rejection is, and whether it is the signal's reason. */
async function aborted(signal: AbortSignal, run: () => unknown): Promise<unknown> {
  try {
    await run();
    return "not aborted";
  } catch (error) {
    const { name, code } = error as DOMException;
    return [error === signal.reason, typeof error === "object" ? [name, code] : error];
  }
}

function soon(reason?: unknown, ms = 20): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => (reason === undefined ? controller.abort() : controller.abort(reason)), ms);
  return controller.signal;
}

const integrity = (row: number, name: string, path: string, metadata: () => string): Case => ({
  row,
  name,
  run: (fetch, at) => outcome(async () => (await fetch(at.url + path, { integrity: metadata() })).text()),
});

const scheme = (row: number, url: string, init: object = {}): Case => ({
  row,
  name: url,
  run: (fetch) =>
    outcome(async () => {
      const response = await fetch(url, init);
      return [response.status, [...response.headers], await response.text()];
    }),
});

const simple = (row: number, name: string, path: string, ours?: Case["ours"]): Case => ({
  row,
  name,
  run: (fetch, at) => outcome(async () => (await fetch(at.url + path)).status),
  ...(ours === undefined ? {} : { ours }),
});

async function unusedPort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const refused = async (
  fetch: Fetch,
): Promise<Error & { cause: Error & { code: string; cause?: { code: string } } }> =>
  fetch(`http://127.0.0.1:${await unusedPort()}/`).then(
    () => new Error("answered") as never,
    (error) => error,
  );

async function blobUrl(run: (url: string) => unknown): Promise<unknown> {
  const url = URL.createObjectURL(new Blob(["blob"], { type: "text/x" }));
  try {
    return await run(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

const REASONS: readonly unknown[] = [undefined, "a text", new Error("mine"), null, 0];

export const FAILURES: readonly Case[] = [
  ...REASONS.map((reason) => ({
    row: 134,
    name: `before: ${String(reason)}`,
    run: async (fetch: Fetch, at: Place) => {
      const signal = AbortSignal.abort(reason);
      const before = at.seen.length;
      return [await aborted(signal, () => fetch(at.url, { signal })), at.seen.length - before];
    },
  })),
  ...[undefined, "text", new Error("mine")].map((reason) => ({
    row: 135,
    name: `waiting: ${String(reason)}`,
    run: (fetch: Fetch, at: Place) => {
      const signal = soon(reason);
      return aborted(signal, () => fetch(`${at.url}/hold`, { signal }));
    },
  })),
  {
    row: 136,
    name: "timeout",
    run: (fetch, at) => {
      const signal = AbortSignal.timeout(20);
      return aborted(signal, () => fetch(`${at.url}/hold`, { signal }));
    },
  },
  {
    row: 137,
    name: "text()",
    run: async (fetch, at) => {
      const controller = new AbortController();
      const response = await fetch(`${at.url}/slow`, { signal: controller.signal });
      const reading = aborted(controller.signal, () => response.text());
      controller.abort();
      return reading;
    },
  },
  {
    row: 137,
    name: "reader",
    run: async (fetch, at) => {
      const controller = new AbortController();
      const reader = (await fetch(`${at.url}/slow`, { signal: controller.signal })).body!.getReader();
      await reader.read();
      const reading = aborted(controller.signal, () => reader.read());
      controller.abort(new Error("mine"));
      return reading;
    },
  },
  {
    row: 138,
    name: "after all was read",
    run: async (fetch, at) => {
      const controller = new AbortController();
      const response = await fetch(`${at.url}/text`, { signal: controller.signal });
      const body = await response.text();
      controller.abort();
      return [body, response.bodyUsed];
    },
  },
  ...["text", "reader"].map((way) => ({
    row: 139,
    name: `unread: ${way}`,
    run: async (fetch: Fetch, at: Place) => {
      const controller = new AbortController();
      const response = await fetch(`${at.url}/text`, { signal: controller.signal });
      await new Promise((resolve) => setTimeout(resolve, 20));
      controller.abort();
      // Node 20 rejects with an error of its own.
      const seen = await aborted(controller.signal, () =>
        way === "text" ? response.text() : response.body!.getReader().read(),
      );
      return (seen as unknown[])[1];
    },
  })),
  {
    row: 140,
    name: "with a clone",
    run: async (fetch, at) => {
      const controller = new AbortController();
      const response = await fetch(`${at.url}/slow`, { signal: controller.signal });
      const copy = response.clone();
      const both = [response, copy].map((one) =>
        one.text().then(
          () => "read",
          (error) => error.name,
        ),
      );
      controller.abort();
      const names = await Promise.all(both);
      return names.includes("AbortError");
    },
  },
  {
    row: 141,
    name: "60 on one signal",
    run: async (fetch, at) => {
      const { signal } = new AbortController();
      const warnings: string[] = [];
      const note = (warning: Error): void => void warnings.push(warning.name);
      process.on("warning", note);
      await Promise.all(Array.from({ length: 60 }, async () => (await fetch(at.url, { signal })).text()));
      await new Promise((resolve) => setImmediate(resolve));
      process.off("warning", note);
      return warnings;
    },
  },
  {
    row: 142,
    name: "class and message",
    run: async (fetch) =>
      refused(fetch).then((e) => [e.constructor.name, e.message, e.cause instanceof Error]),
  },
  {
    row: 143,
    name: "code",
    run: async (fetch) => refused(fetch).then((e) => [e.cause.code, e.cause.cause?.code ?? null]),
    ours: {
      shows: ["ERR_URLPOOL_NEW_CONNECTION", "ECONNREFUSED"],
      because: "the cause is the library's, its cause the system's",
      standard: true,
    },
  },
  simple(144, "reset", "/reset"),
  simple(145, "garbage", "/garbage"),
  simple(145, "large head", "/large-head", { shows: 200, because: "heads may have 64 KiB", standard: true }),
  {
    row: 146,
    name: "timeouts",
    run: (fetch) => typeof fetch,
  },
  simple(147, "407", "/status?code=407", { shows: 407, because: "it is the answer", standard: false }),
  {
    row: 148,
    name: "421",
    run: async (fetch, at) => {
      const before = at.seen.length;
      const { status } = await fetch(`${at.url}/status?code=421`);
      return [status, at.seen.length - before];
    },
    ours: { shows: [421, 1], because: "`Retry` decides what is asked again", standard: true },
  },
  ...[401, 408, 500, 503].map((code) => simple(149, `${code}`, `/status?code=${code}`)),
  simple(150, "two equal lengths", "/two-lengths", {
    shows: 200,
    because: "RFC 9110 §8.6 allows it",
    standard: true,
  }),
  ...[1, 22, 25, 6000, 6667, 10080].map((port) => ({
    row: 151,
    name: `${port}`,
    run: (fetch: Fetch) => fetch(`http://127.0.0.1:${port}/`).catch((e) => [e.message, e.cause.message]),
  })),
  scheme(152, "data:,hello"),
  scheme(152, "data:text/html;base64,aGk="),
  scheme(152, "data:,x", { method: "POST", body: "b" }),
  scheme(153, "data:x"),
  {
    row: 154,
    name: "blob:",
    run: (fetch) =>
      blobUrl(async (url) => {
        const response = await fetch(url);
        return [response.status, response.headers.get("content-type"), await response.text()];
      }),
  },
  {
    row: 154,
    name: "blob: POST",
    run: (fetch) => blobUrl((url) => outcome(() => fetch(url, { method: "POST" }))),
  },
  ...["about:blank", "file:///etc/hosts", "ftp://x/", "ws://x/", "mailto:a@b.c", "javascript:1"].map((url) =>
    scheme(155, url),
  ),
  integrity(156, "right", "/text", () => digestOfText("sha256")),
  integrity(156, "strongest", "/text", () => `sha256-AAAA ${digestOfText("sha512")}`),
  integrity(156, "unknown", "/text", () => "md5-AAAA"),
  integrity(157, "wrong", "/text", () => "sha256-AAAA"),
  integrity(157, "weaker right", "/text", () => `${digestOfText("sha256")} sha512-AAAA`),
  integrity(158, "coded", "/gzip", () => digestOfText("sha384")),
  integrity(159, "base64url", "/text", () => digestOfText("sha256", "base64url")),
  integrity(159, "no padding", "/text", () => digestOfText("sha256").replace(/=+$/, "")),
];
