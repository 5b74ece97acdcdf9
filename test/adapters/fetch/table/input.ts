/** Rows 1 to 28: the input. */

import type { Fetch } from "../../../../src/index.ts";
import { type Case, echo, outcome, type Place } from "./place.ts";

type Init = NonNullable<Parameters<Fetch>[1]>;

const init = (value: unknown): Init => value as Init;
const method = (fetch: Fetch, at: Place, name: string): unknown =>
  outcome(async () => (await echo(fetch(at.url, { method: name }))).method);
const post = (at: Place, body = "b"): Request => new Request(at.url, { method: "POST", body });

/** A case for each of several values. */
function each<T>(
  row: number,
  values: readonly T[],
  run: (fetch: Fetch, at: Place, value: T) => unknown,
): Case[] {
  return values.map((value) => ({ row, name: String(value), run: (fetch, at) => run(fetch, at, value) }));
}

/** How fetch answers an init it may refuse. */
const refusal = (fetch: Fetch, at: Place, value: unknown): unknown =>
  outcome(async () => (await fetch(at.url, init(value))).status);

export const INPUT: readonly Case[] = [
  {
    row: 1,
    name: "no arguments reject",
    run: async (fetch) => {
      const promise = (fetch as unknown as () => Promise<Response>)();
      return [promise instanceof Promise, await promise.catch((error) => error.name)];
    },
  },
  {
    row: 1,
    name: "a bad argument rejects",
    run: async (fetch) =>
      (fetch(null as unknown as string) as Promise<Response>).catch((error) => error.name),
  },
  { row: 2, name: "URL", run: async (fetch, at) => (await echo(fetch(new URL("/a?b", at.url)))).path },
  {
    row: 2,
    name: "object with toString",
    run: async (fetch, at) =>
      (await echo(fetch({ toString: () => `${at.url}/x` } as unknown as string))).path,
  },
  {
    row: 3,
    name: "relative",
    run: (fetch) => fetch("/x").catch((e) => [e.name, e.message, e.cause.code]),
  },
  {
    row: 4,
    name: "credentials",
    run: (fetch, at) =>
      outcome(() => fetch(at.url.replace("//", "//u:p@"))).then((text) =>
        String(text).split(": ").slice(0, 2).join().slice(0, 70),
      ),
  },
  {
    row: 5,
    name: "fragment",
    run: async (fetch, at) => {
      const response = await fetch(`${at.url}/a#b`);
      return [
        response.url.slice(at.url.length),
        (await echo(Promise.resolve(response))).path,
        new Request(`${at.url}/a#b`).url.endsWith("#b"),
      ];
    },
  },
  ...each(
    6,
    ["/a\tb\n", "\\x\\y", "/ü?ü", "/a b", "/./a/../c", "/%7Efoo", "/`"],
    async (fetch, at, path) => (await echo(fetch(at.url + path))).path,
  ),
  {
    row: 6,
    name: "characters of a path that RFC 3986 does not have",
    run: async (fetch, at) => (await echo(fetch(`${at.url}/[x]|^`))).path,
    ours: { shows: "/%5Bx%5D%7C%5E", because: "the library writes what the RFC allows", standard: false },
  },
  ...["/?q=100%&r=a%20b", "/a%/a%20b"].map((target) => ({
    row: 6,
    name: `a "%" that begins no triplet leaves the others as they are: ${target}`,
    run: async (fetch: Fetch, at: Place) => (await echo(fetch(`${at.url}${target}`))).path.endsWith("a%20b"),
  })),
  {
    row: 6,
    name: "other scripts",
    run: async (fetch, at) => {
      const response = await fetch(at.url.replace("127.0.0.1", "１２７.0.0.1"));
      return response.url === `${at.url}/`;
    },
  },
  {
    row: 7,
    name: "Request",
    run: async (fetch, at) => {
      const request = post(at);
      const { method: used, body, headers } = await echo(fetch(request));
      return [used, body, headers["content-type"], headers["content-length"], request.bodyUsed];
    },
  },
  {
    row: 8,
    name: "a Request twice",
    run: async (fetch, at) => {
      const request = post(at);
      await fetch(request);
      return outcome(() => fetch(request)).then((text) => String(text).includes("already been"));
    },
  },
  {
    row: 9,
    name: "Request and init",
    run: async (fetch, at) => {
      const request = new Request(at.url, { method: "POST", body: "old", headers: { "x-old": "1" } });
      const seen = await echo(fetch(request, { body: "new", headers: { "x-new": "1" }, method: "PUT" }));
      return [seen.method, seen.body, seen.headers["x-old"], seen.headers["x-new"], request.bodyUsed];
    },
  },
  {
    row: 10,
    name: "GET of a Request with a body",
    run: (fetch, at) =>
      outcome(() => fetch(post(at), { method: "GET" })).then((text) => String(text).split(":")[0]),
  },
  {
    row: 11,
    name: "clone()",
    run: async (fetch, at) => {
      const request = post(at, "twice");
      const [one, two] = await Promise.all([echo(fetch(request.clone())), echo(fetch(request))]);
      return [one.body, two.body];
    },
  },
  {
    row: 12,
    name: "Request of a package",
    run: (fetch, at) =>
      outcome(async () => {
        const foreign = {
          url: at.url,
          method: "PUT",
          headers: new Map([["x-a", "1"]]),
          body: new Blob(["abc"]).stream(),
        };
        const seen = await echo(fetch(foreign as unknown as string));
        return [seen.method, seen.headers["x-a"], seen.body];
      }),
    ours: {
      shows: ["PUT", "1", "abc"],
      because: "what shows a url and a method is read; Node stringifies it",
      standard: false,
    },
  },
  ...each(13, [null, undefined, 7], refusal).map((one, index) =>
    index < 2
      ? one
      : { ...one, run: async (f: Fetch, at: Place) => String(await refusal(f, at, 7)).split(":")[0] },
  ),
  ...each(14, ["get", "pOsT", "put", "delete", "oPTIONS"], method),
  { row: 14, name: "head", run: async (fetch, at) => (await fetch(at.url, { method: "head" })).status },
  ...each(15, ["foo", "Patch-it"], method),
  ...each(16, ["CONNECT", "trace", "TRACK"], method),
  ...each(
    17,
    ["", "a b", "é"],
    async (fetch, at, name) => String(await method(fetch, at, name)).split(":")[0],
  ),
  ...each(18, ["GET", "HEAD"], (fetch, at, name) => refusal(fetch, at, { method: name, body: "" })),
  {
    row: 19,
    name: "window",
    run: async (f, at) => String(await refusal(f, at, { window: {} })).split(":")[0],
  },
  {
    row: 19,
    name: "navigate",
    run: async (f, at) => String(await refusal(f, at, { mode: "navigate" })).split(":")[0],
  },
  ...each(20, ["redirect", "cache", "credentials", "mode", "referrerPolicy"], async (f, at, name) =>
    String(await refusal(f, at, { [name]: "x" })),
  ),
  { row: 21, name: "priority", run: (f, at) => refusal(f, at, { priority: "x" }) },
  {
    row: 22,
    name: "only-if-cached",
    run: async (f, at) => String(await refusal(f, at, { cache: "only-if-cached" })).split(":")[0],
  },
  {
    row: 23,
    name: "signal",
    run: async (f, at) => String(await refusal(f, at, { signal: {} })).split(":")[0],
  },
  {
    row: 24,
    name: "null over an aborted signal",
    run: async (fetch, at) =>
      (await fetch(new Request(at.url, { signal: AbortSignal.abort() }), { signal: null })).status,
  },
  {
    row: 25,
    name: "request.signal",
    run: (fetch, at) => {
      const controller = new AbortController();
      const request = new Request(`${at.url}/hold`, { signal: controller.signal });
      const waiting = outcome(() => fetch(request));
      controller.abort("why");
      return waiting.then((seen) => [request.signal === controller.signal, request.signal.reason, seen]);
    },
  },
  { row: 26, name: "duplex", run: (_fetch, at) => (post(at) as unknown as { duplex: string }).duplex },
  {
    row: 27,
    name: "name, length, tag",
    run: (fetch) => [fetch.name, fetch.length, Object.prototype.toString.call(fetch)],
  },
  {
    row: 28,
    name: "dispatcher",
    run: (fetch, at) => refusal(fetch, at, { dispatcher: {} }),
    ours: { shows: 200, because: "there is no dispatcher underneath: it is ignored", standard: true },
  },
];
