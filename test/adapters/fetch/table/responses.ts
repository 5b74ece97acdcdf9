/** Rows 105 to 133: the Response. */

import type { Fetch } from "../../../../src/index.ts";
import { type Case, outcome, type Place } from "./place.ts";

const on = (
  row: number,
  name: string,
  path: string,
  look: (response: Response, at: Place) => unknown,
  ours?: Case["ours"],
): Case => ({
  row,
  name,
  run: (fetch, at) => outcome(async () => look(await fetch(at.url + path), at)),
  ...(ours === undefined ? {} : { ours }),
});

const text = (response: Response): Promise<string> => response.text();
const hex = (type: string, bytes: string): string => `/type?type=${encodeURIComponent(type)}&hex=${bytes}`;

/** How reading fails. */
const broken = (row: number, path: string, ours?: Case["ours"]): Case =>
  on(row, path, path, (response) => outcome(() => response.text()), ours);

export const RESPONSES: readonly Case[] = [
  on(105, "branding", "/text", (r) => [
    r instanceof Response,
    Object.prototype.toString.call(r),
    r.constructor.name,
  ]),
  {
    row: 106,
    name: "own properties",
    run: async (fetch, at) => Reflect.ownKeys(await fetch(at.url)).filter((key) => typeof key === "string"),
  },
  on(107, "type", "/text", (r) => r.type),
  {
    row: 107,
    name: "no-cors",
    run: async (fetch, at) => (await fetch(at.url, { mode: "no-cors" })).type,
  },
  ...[200, 299, 300, 404, 599, 999].map((code) =>
    on(108, `${code}`, `/status?code=${code}`, (r) => [r.ok, r.status, r.statusText]),
  ),
  on(108, "no reason", "/http10", (r) => r.statusText),
  on(108, "beyond ASCII", "/latin1", (r) => r.statusText, {
    shows: "café",
    because: "Node has U+FFFD; ours is Latin-1, as everywhere in the library",
    standard: true,
  }),
  { row: 109, name: "101", run: (fetch, at) => outcome(() => fetch(`${at.url}/101`)) },
  on(109, "103 before it", "/early-hints", text),
  ...[204, 205, 304].map((code) =>
    on(110, `${code}`, `/status?code=${code}`, async (r) => [
      r.body,
      await r.text(),
      await r.text(),
      r.bodyUsed,
    ]),
  ),
  {
    row: 110,
    name: "HEAD",
    run: async (fetch, at) => {
      const r = await fetch(`${at.url}/text`, { method: "HEAD" });
      return [r.body, await r.text(), await r.text(), r.bodyUsed];
    },
  },
  on(111, "HTTP/1.0", "/http10", text),
  on(112, "fields", "/fields", (r) => [
    r.headers.get("x-b"),
    r.headers.getSetCookie(),
    [...r.headers.keys()].filter((name) => /^x-|^set/.test(name)),
  ]),
  ...(["set", "append"] as const).map((name) => on(113, name, "/text", (r) => r.headers[name]("a", "b"))),
  on(113, "delete", "/text", (r) => r.headers.delete("date")),
  on(114, "Headers", "/text", (r) => [r.headers instanceof Headers, Object.is(r.headers, r.headers)]),
  ...["/gzip", "/x-gzip", "/deflate", "/deflate-raw", "/br", "/several"].map((path) =>
    on(115, path, path, async (r) => [
      await r.text(),
      r.headers.has("content-encoding"),
      r.headers.has("content-length"),
    ]),
  ),
  on(116, "unknown coding", "/unknown-coding", text),
  broken(117, "/not-gzip"),
  broken(118, "/cut-gzip", {
    shows: "TypeError: terminated",
    because: "what was cut short is no answer",
    standard: true,
  }),
  broken(119, "/short"),
  broken(119, "/short-chunks", {
    shows: "TypeError: terminated",
    because: "Node 20 takes what came before a close for all",
    standard: true,
  }),
  on(120, "twice", "/text", async (r) => {
    await r.text();
    return outcome(() => r.text()).then((shown) => [String(shown).slice(0, 28), r.bodyUsed]);
  }),
  on(120, "locked while it is read, and then", "/text", async (r) => {
    const { body } = r;
    const reading = r.text();
    const during = body!.locked;
    await reading;
    return [during, body!.locked, r.body === body, r.bodyUsed];
  }),
  on(120, "locked, first asked for when it was read", "/text", async (r) => {
    await r.arrayBuffer();
    return [r.body!.locked, r.bodyUsed, await outcome(async () => r.body!.getReader())];
  }),
  on(120, "reader held", "/text", (r) => {
    r.body!.getReader();
    return outcome(() => r.text()).then((shown) => String(shown).slice(0, 28));
  }),
  on(121, "reader released", "/text", (r) => {
    r.body!.getReader().releaseLock();
    return r.text();
  }),
  on(122, "BOM", hex("text/plain", "efbbbf61"), text),
  on(122, "charset", hex("text/plain;charset=iso-8859-1", "e961"), text),
  on(123, "nothing", hex("application/json", ""), (r) => r.json()),
  on(123, "rubbish", hex("application/json", "7b7b"), (r) =>
    outcome(() => r.json()).then((shown) => String(shown).split(":")[0]),
  ),
  ...["Text/HTML; Charset=UTF-8", "image/PNG", "rubbish"].map((type) =>
    on(124, type, hex(type, "61"), async (r) => (await r.blob()).type),
  ),
  on(124, "no type", "/untyped", async (r) => (await r.blob()).type),
  ...["/form", "/multipart"].map((path) => on(125, path, path, async (r) => [...(await r.formData())])),
  on(125, "no form", "/text", (r) =>
    outcome(() => r.formData()).then((shown) => String(shown).split(":")[0]),
  ),
  on(126, "bytes", "/text", async (r) => {
    const bytes = await (r as unknown as { bytes(): Promise<Uint8Array> }).bytes();
    return [bytes.constructor.name, bytes.length];
  }),
  on(126, "arrayBuffer", "/text", async (r) => (await r.arrayBuffer()).byteLength),
  on(126, "every name of the prototype", "/text", (r) =>
    Object.getOwnPropertyNames(Response.prototype).filter((name) => !(name in r)),
  ),
  on(127, "BYOB", "/text", async (r) => {
    const { value } = await r.body!.getReader({ mode: "byob" }).read(new Uint8Array(4));
    return value!.length;
  }),
  on(127, "chunks", "/text", async (r) => {
    const { value } = await r.body!.getReader().read();
    return value!.constructor.name;
  }),
  on(127, "async iteration", "/bytes?size=200000", async (r) => {
    let size = 0;
    for await (const part of r.body as unknown as AsyncIterable<Uint8Array>) size += part.length;
    return size;
  }),
  on(128, "cancel", "/endless", async (r, at) => {
    const gone = at.gone();
    const reader = r.body!.getReader();
    await reader.read();
    await reader.cancel();
    await gone;
    return "closed";
  }),
  on(128, "break", "/endless", async (r, at) => {
    const gone = at.gone();
    for await (const _part of r.body as unknown as AsyncIterable<Uint8Array>) break;
    await gone;
    return "closed";
  }),
  on(129, "clone", "/text", async (r) => {
    const copy = r.clone();
    return [
      await copy.text(),
      await r.text(),
      copy.url === r.url,
      copy.redirected,
      copy.type,
      copy.status,
      copy instanceof Response,
    ];
  }),
  on(129, "clone after reading", "/text", async (r) => {
    await r.text();
    return outcome(() => r.clone()).then((shown) => String(shown).split(":")[0]);
  }),
  on(130, "clone not read", "/bytes?size=1000000", async (r) => {
    r.clone();
    return (await r.text()).length;
  }),
  on(131, "new Response(r.body, r)", "/status?code=201&reason=Made&body=x", async (r) => {
    const copy = new Response(r.body, r);
    return [copy.status, copy.statusText, copy.headers.has("date"), copy.url, await copy.text()];
  }),
  on(132, "trailers", "/trailers", async (r) => [await r.text(), r.headers.has("t")]),
  on(132, "103", "/early-hints", (r) => r.headers.has("link")),
  {
    row: 133,
    name: "never read",
    run: async (fetch, at) => {
      const gone = at.gone();
      await drop(fetch, at);
      for (let round = 0; round < 200; round++) {
        (globalThis as { gc?: () => void }).gc!();
        const closed = await Promise.race([
          gone.then(() => true),
          new Promise((resolve) => setTimeout(resolve, 10, false)),
        ]);
        if (closed) return "closed";
      }
      return "open";
    },
  },
];

/** Nothing of the response stays with the caller. */
async function drop(fetch: Fetch, at: Place): Promise<void> {
  await fetch(`${at.url}/endless`);
}
