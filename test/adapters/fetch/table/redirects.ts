/** Rows 80 to 104: redirects. */

import type { Fetch } from "../../../../src/index.ts";
import { type Case, echo, outcome, type Place } from "./place.ts";

const to = (at: Place, location: string | null, code = 302): string =>
  `${at.url}/to?code=${code}${location === null ? "" : `&location=${encodeURIComponent(location)}`}`;

/** Method, body and type of the request after a redirect. */
const after = (
  row: number,
  code: number,
  method: string,
  body: unknown = method === "GET" || method === "HEAD" ? null : "b",
): Case => ({
  row,
  name: `${code} ${method}`,
  run: (fetch, at) =>
    outcome(async () => {
      const response = await fetch(to(at, "/next", code), { method, body, duplex: "half" } as object);
      const seen = at.seen.at(-1)!;
      return [
        response.status,
        seen.method,
        seen.path,
        seen.body,
        seen.headers["content-type"] ?? null,
        seen.headers["content-length"] ?? null,
      ];
    }),
});

const fields = (at: Place, fetch: Fetch, target: string, headers: Record<string, string>): Promise<unknown> =>
  outcome(async () => {
    const seen = await echo(fetch(to(at, target), { headers }));
    return Object.keys(headers).map((name) => seen.headers[name.toLowerCase()] ?? null);
  });

const failing = (row: number, name: string, location: string, code = 302): Case => ({
  row,
  name,
  run: (fetch, at) => outcome(() => fetch(to(at, location, code))),
});

const stream = (): ReadableStream => new Blob(["b"]).stream();
const PRIVATE = { Authorization: "a", "Proxy-Authorization": "p", Cookie: "c=1", "X-Api-Key": "k" };

export const REDIRECTS: readonly Case[] = [
  after(80, 301, "POST"),
  after(80, 302, "POST"),
  ...[301, 302].flatMap((code) => ["PUT", "DELETE", "HEAD", "GET"].map((method) => after(81, code, method))),
  ...["POST", "PUT", "DELETE", "GET", "HEAD"].map((method) => after(82, 303, method)),
  ...[307, 308].flatMap((code) => ["POST", "PUT", "GET", "HEAD"].map((method) => after(83, code, method))),
  ...[300, 304, 305, 306].map((code) => ({
    row: 84,
    name: `${code}`,
    run: async (fetch: Fetch, at: Place) => {
      const response = await fetch(to(at, "/next", code));
      return [response.status, response.redirected];
    },
  })),
  {
    row: 85,
    name: "fields of the body",
    run: async (fetch, at) => {
      const headers = {
        "Content-Encoding": "x",
        "Content-Language": "de",
        "Content-Location": "/",
        "Content-Type": "a/b",
        Digest: "d",
      };
      const seen = await echo(fetch(to(at, "/next"), { method: "POST", body: "b", headers }));
      return Object.keys(headers).map((name) => seen.headers[name.toLowerCase()] ?? null);
    },
  },
  ...[301, 302, 307, 308].map((code) => ({
    ...after(86, code, "POST", null),
    run: (fetch: Fetch, at: Place) => after(86, code, "POST", stream()).run(fetch, at),
  })),
  {
    ...after(87, 303, "POST"),
    row: 87,
    run: (fetch: Fetch, at: Place) => after(87, 303, "POST", stream()).run(fetch, at),
  },
  after(88, 307, "POST", new Blob(["blob"])),
  {
    row: 88,
    name: "FormData",
    run: async (fetch, at) => {
      const form = new FormData();
      form.append("a", "1");
      const seen = await echo(fetch(to(at, "/next", 307), { method: "POST", body: form }));
      return [seen.method, seen.body.includes('name="a"')];
    },
  },
  { row: 89, name: "other origin", run: (fetch, at) => fields(at, fetch, `${at.other}/x`, PRIVATE) },
  { row: 90, name: "same origin", run: (fetch, at) => fields(at, fetch, "/x", PRIVATE) },
  { row: 91, name: "20", run: async (fetch, at) => (await fetch(`${at.url}/loop?left=20`)).text() },
  { row: 91, name: "21", run: (fetch, at) => outcome(() => fetch(`${at.url}/loop?left=21`)) },
  {
    row: 91,
    name: "21, cause",
    run: (fetch, at) => fetch(`${at.url}/loop?left=21`).catch((error) => error.cause.message),
  },
  {
    row: 92,
    name: "no Location",
    run: async (fetch, at) => {
      const response = await fetch(to(at, null));
      return [response.status, await response.text(), response.redirected];
    },
  },
  {
    row: 93,
    name: "empty Location",
    run: (fetch, at) =>
      fetch(`${at.url}/empty-location`).then(
        () => "answered",
        (error) => error.cause.message,
      ),
  },
  failing(94, "no URL", "http://[/"),
  {
    row: 94,
    name: "cause",
    run: (fetch, at) => fetch(to(at, "http://[/")).catch((error) => error.cause.code),
  },
  ...["ftp://x/", "file:///x", "data:,x", "about:blank", "mailto:a@b.c"].map((location) =>
    failing(95, location, location),
  ),
  failing(96, "credentials", "http://u:p@127.0.0.1:1/"),
  {
    row: 97,
    name: "UTF-8",
    run: async (fetch, at) => (await echo(fetch(to(at, "/é")))).path,
  },
  {
    row: 98,
    name: "fragment",
    run: async (fetch, at) => (await fetch(`${to(at, "/x")}#frag`)).url === `${at.url}/x`,
  },
  {
    row: 99,
    name: "error",
    run: (fetch, at) =>
      fetch(to(at, "/x"), { redirect: "error" }).catch((e) => [e.name, e.message, e.cause.message]),
  },
  {
    row: 100,
    name: "manual",
    run: async (fetch, at) => {
      const response = await fetch(to(at, "/x"), { redirect: "manual" });
      return [response.status, response.headers.get("location"), await response.text(), response.type];
    },
  },
  {
    row: 101,
    name: "url and redirected",
    run: async (fetch, at) => {
      const response = await fetch(to(at, `${at.other}/x`));
      return [response.url === `${at.other}/x`, response.redirected];
    },
  },
  {
    row: 102,
    name: "Set-Cookie on a hop",
    run: async (fetch, at) => {
      const response = await fetch(to(at, "/x"));
      return [
        response.headers.getSetCookie(),
        (await echo(Promise.resolve(response))).headers.cookie ?? null,
      ];
    },
  },
  {
    row: 103,
    name: "another origin",
    run: (fetch, at) => fields(at, fetch, `${at.other}/x`, { Authorization: "a" }),
  },
  {
    row: 104,
    name: "Referer",
    run: async (fetch, at) =>
      (await echo(fetch(to(at, "/x"), { referrer: "http://h.test/p" }))).headers.referer,
  },
];
