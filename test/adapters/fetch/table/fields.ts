/** Rows 29 to 54: fields of the request. */

import type { Fetch } from "../../../../src/index.ts";
import { type Case, echo, outcome, type Place, type Seen } from "./place.ts";

type Headers_ = NonNullable<NonNullable<Parameters<Fetch>[1]>["headers"]>;

const sent = async (fetch: Fetch, at: Place, headers: unknown, more: object = {}): Promise<Seen> =>
  echo(fetch(`${at.url}/`, { headers: headers as Headers_, ...more }));

/** Values of some fields, as they came. */
const values = (
  row: number,
  name: string,
  headers: unknown,
  names: readonly string[],
  more: object = {},
): Case => ({
  row,
  name,
  run: (fetch, at) =>
    outcome(async () => {
      const seen = await sent(fetch, at, headers, more);
      return names.map((field) => seen.headers[field] ?? null);
    }),
});

const kind = (row: number, name: string, headers: unknown): Case => ({
  row,
  name,
  run: async (fetch, at) => String(await outcome(() => sent(fetch, at, headers))).split(":")[0],
});

const ALLOWED = [
  "cookie",
  "origin",
  "referer",
  "date",
  "via",
  "dnt",
  "te",
  "trailer",
  "proxy-authorization",
  "accept-charset",
  "set-cookie",
  "access-control-request-method",
];

export const FIELDS: readonly Case[] = [
  values(
    29,
    "pairs",
    [
      ["x-a", "1"],
      ["X-A", "2"],
      ["x-b", "3"],
    ],
    ["x-a", "x-b"],
  ),
  values(29, "record", { "x-a": "1" }, ["x-a"]),
  values(29, "Headers", new Headers({ "x-a": "1" }), ["x-a"]),
  values(29, "Map", new Map([["x-a", "1"]]), ["x-a"]),
  kind(30, "null", null),
  values(30, "undefined", undefined, ["x-a"]),
  values(30, "value undefined", { "x-a": undefined }, ["x-a"]),
  values(30, "value number", { "x-a": 1 }, ["x-a"]),
  kind(31, "a symbol for a name", { [Symbol("x")]: "1" }),
  kind(31, "bad name", { "a b": "1" }),
  kind(31, "CR", { a: "1\r\nb" }),
  kind(31, "NUL", { a: "1\0b" }),
  values(32, "spaces", { "x-a": " \t a b \t" }, ["x-a"]),
  kind(33, "beyond U+00FF", { a: "€" }),
  values(34, "Latin-1", { "x-a": "é" }, ["x-a"]),
  {
    row: 35,
    name: "letter case",
    run: async (fetch, at) => (await sent(fetch, at, { "X-CaSe": "1" })).names.includes("X-CaSe"),
  },
  {
    row: 36,
    name: "order",
    run: async (fetch, at) => (await sent(fetch, at, { "x-b": "1", "x-a": "2" })).names[0]!.toLowerCase(),
  },
  ...ALLOWED.map((name) => values(37, name, { [name]: "v" }, [name])),
  {
    row: 38,
    name: "Host",
    run: async (fetch, at) =>
      (await sent(fetch, at, { Host: "other.test" })).headers.host === new URL(at.url).host,
  },
  {
    row: 39,
    name: "the right Content-Length",
    run: (fetch, at) =>
      outcome(
        async () => (await sent(fetch, at, { "Content-Length": "3" }, { method: "POST", body: "abc" })).body,
      ),
    ours: { shows: "abc", because: "Node 20 refuses it, Node 24 sends it", standard: true },
  },
  {
    row: 39,
    name: "the right Content-Length with zeros before it",
    run: (fetch, at) =>
      outcome(async () => {
        await sent(fetch, at, { "Content-Length": "003" }, { method: "POST", body: "abc" });
        return at.seen.at(-1)!.headers["content-length"];
      }),
    ours: { shows: "3", because: "Node 20 may refuse it, Node 24 sends it", standard: true },
  },
  {
    row: 40,
    name: "a wrong Content-Length",
    run: (fetch, at) =>
      outcome(() => sent(fetch, at, { "Content-Length": "9" }, { method: "POST", body: "abc" })),
  },
  ...["GET", "HEAD", "POST", "PUT", "DELETE"].map((method) => ({
    row: 40,
    name: `a Content-Length without a body: ${method}`,
    run: (fetch: Fetch, at: Place) =>
      outcome(async () => {
        await fetch(`${at.url}/`, { method, headers: { "Content-Length": "9" } });
        return at.seen.at(-1)!.headers["content-length"] ?? null;
      }),
  })),
  ...["abc", "", "1 2"].map((length) => ({
    row: 40,
    name: `a Content-Length that is none: ${length}`,
    run: (fetch: Fetch, at: Place) => outcome(() => sent(fetch, at, { "Content-Length": length })),
    ours: {
      shows: "TypeError: fetch failed",
      because: "Node 20 takes what begins with a number",
      standard: true,
    },
  })),
  ...["Transfer-Encoding", "Keep-Alive", "Upgrade"].map((name) => ({
    row: 41,
    name,
    run: (fetch: Fetch, at: Place) =>
      outcome(() => sent(fetch, at, { [name]: "chunked" }, { method: "POST", body: "abc" })),
  })),
  {
    row: 42,
    name: "Expect",
    run: (fetch, at) =>
      outcome(
        async () => (await sent(fetch, at, { Expect: "100-continue" }, { method: "POST", body: "abc" })).body,
      ),
    ours: { shows: "abc", because: "the library can", standard: true },
  },
  values(43, "Connection: close", { Connection: "close" }, ["connection"]),
  values(44, "Sec-Fetch-Mode", { "Sec-Fetch-Mode": "navigate" }, ["sec-fetch-mode"]),
  values(
    45,
    "the caller's",
    { Accept: "a/b", "Accept-Language": "de", "User-Agent": "me", "Accept-Encoding": "br" },
    ["accept", "accept-language", "user-agent", "accept-encoding"],
  ),
  values(46, "defaults", {}, ["accept", "accept-language", "sec-fetch-mode"]),
  {
    row: 46,
    name: "User-Agent",
    run: async (fetch, at) => (await sent(fetch, at, {})).headers["user-agent"]!.split("/")[0],
    ours: { shows: "urlpool", because: "that is who asks", standard: true },
  },
  {
    row: 46,
    name: "Accept-Encoding",
    run: async (fetch, at) => (await sent(fetch, at, {})).headers["accept-encoding"]!.includes("br"),
    ours: { shows: true, because: "all that can be decoded, on http too", standard: true },
  },
  values(47, "Range", { Range: "bytes=0-1" }, ["range", "accept-encoding"]),
  ...["If-None-Match", "If-Modified-Since", "If-Match", "If-Range", "If-Unmodified-Since"].map((name) =>
    values(48, name, { [name]: "x" }, [name.toLowerCase(), "cache-control", "pragma"]),
  ),
  values(49, "no-store", {}, ["cache-control", "pragma"], { cache: "no-store" }),
  values(49, "reload", {}, ["cache-control", "pragma"], { cache: "reload" }),
  values(49, "the caller's Cache-Control", { "Cache-Control": "max-stale" }, ["cache-control"], {
    cache: "reload",
  }),
  values(50, "no-cache", {}, ["cache-control", "pragma"], { cache: "no-cache" }),
  values(51, "default", {}, ["cache-control", "pragma"], { cache: "default" }),
  values(51, "force-cache", {}, ["cache-control", "pragma"], { cache: "force-cache" }),
  values(52, "of another origin", {}, ["referer"], { referrer: "http://h.test/p?q#f" }),
  {
    row: 52,
    name: "of the same origin",
    run: async (fetch, at) => {
      const { headers } = await sent(fetch, at, {}, { referrer: `${at.url}/p?q#f` });
      return headers.referer === `${at.url}/p?q`;
    },
  },
  ...["origin", "unsafe-url", "same-origin", "strict-origin"].map((referrerPolicy) =>
    values(52, referrerPolicy, {}, ["referer"], { referrer: "http://h.test/p", referrerPolicy }),
  ),
  {
    ...values(52, "no-referrer", {}, ["referer"], {
      referrer: "http://h.test/p",
      referrerPolicy: "no-referrer",
    }),
    ours: { shows: [null], because: "Node 20 shows the origin all the same", standard: true },
  },
  values(52, "about:client", {}, ["referer"], { referrer: "about:client" }),
  values(52, "empty", {}, ["referer"], { referrer: "" }),
  ...["omit", "same-origin", "include"].map((credentials) =>
    values(53, credentials, { Cookie: "a=1", Authorization: "x" }, ["cookie", "authorization"], {
      credentials,
    }),
  ),
  values(54, "keepalive", {}, ["x"], { keepalive: true }),
  values(54, "priority", {}, ["priority"], { priority: "high" }),
  values(54, "no-cors", {}, ["sec-fetch-mode"], { mode: "no-cors" }),
];
