/** Recordings: each try an entry, bodies to a limit, no credentials, by the schema. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  type HarEntry,
  type HarField,
  type HarRecorder,
  type RecordOptions,
  recordHar,
} from "../../../src/har.ts";
import { createFetch, PoolManager, Retry } from "../../../src/index.ts";
import { type HttpOrigin, type OriginRequest, type ResponseSpec, startHttp } from "../../kit/http-origin.ts";
import { harFaults } from "./schema.ts";

const JSON_TYPE = { "Content-Type": "application/json" };

let origin: HttpOrigin;
let manager: PoolManager;
let asked = 0;

function answer({ target, body }: OriginRequest): ResponseSpec | string {
  if (target === "/from") return { status: 302, headers: { Location: "/to?a=1&b=2" }, body: "moved" };
  if (target === "/flaky") return { status: ++asked < 3 ? 503 : 200, body: "at last" };
  if (target === "/cookie") return { headers: { "Set-Cookie": "sid=s3cr3t; Path=/" }, body: "x" };
  if (target === "/binary") return { body: Buffer.from([0xff, 0xfe, 0]) };
  if (target === "/large") return { body: "x".repeat(2_000) };
  if (target === "/broken") return { body: "half", contentLength: 100, close: true };
  return { headers: JSON_TYPE, body: JSON.stringify({ target, body: String(body) }) };
}

before(async () => {
  origin = await startHttp(answer);
  manager = new PoolManager({ retries: new Retry({ total: 5, statusForcelist: [503] }) });
});
after(async () => {
  manager.clear();
  await origin.close();
});

async function recorded(
  run: (url: string) => Promise<unknown>,
  options?: RecordOptions,
): Promise<HarEntry[]> {
  const recorder: HarRecorder = recordHar(manager, options);
  try {
    await run(origin.url);
  } finally {
    recorder.stop();
  }
  const archive = JSON.parse(JSON.stringify(recorder)) as { log: { entries: HarEntry[] } };
  assert.deepEqual(harFaults(archive), []);
  return archive.log.entries;
}

describe("recordHar", () => {
  it("has request and answer with their bodies, sizes and times", async () => {
    const [entry, ...more] = await recorded((url) =>
      manager.request("POST", `${url}/x?q=1`, { json: { a: 1 }, headers: { "X-Own": "1" } }),
    );
    assert.deepEqual(more, []);
    const { request, response, timings, time } = entry!;
    assert.deepEqual(
      [request.method, request.url, request.queryString],
      ["POST", `${origin.url}/x?q=1`, [{ name: "q", value: "1" }]],
    );
    assert.equal(request.headers.find(({ name }) => name === "X-Own")?.value, "1");
    assert.deepEqual(request.postData, { mimeType: "application/json", text: '{"a":1}', params: [] });
    assert.deepEqual([request.bodySize, response.status, response.statusText], [7, 200, "OK"]);
    assert.deepEqual(JSON.parse(response.content.text!), { target: "/x?q=1", body: '{"a":1}' });
    assert.equal(response.content.mimeType, "application/json");
    assert.equal(response.bodySize, response.content.size);
    assert.equal(entry!.serverIPAddress, "127.0.0.1");
    const parts = [
      timings.blocked,
      timings.dns,
      timings.connect,
      timings.send,
      timings.wait,
      timings.receive,
    ];
    assert.ok(Math.abs(time - parts.reduce((sum, part) => sum + Math.max(0, part), 0)) < 1e-6);
    assert.ok(Math.abs(Date.parse(entry!.startedDateTime) + time - Date.now()) < 60_000);
  });

  it("has each redirect and each try", async () => {
    const redirects = await recorded((url) => manager.request("GET", `${url}/from`));
    assert.deepEqual(
      redirects.map(({ request, response }) => [request.url, response.status, response.redirectURL]),
      [
        [`${origin.url}/from`, 302, `${origin.url}/to?a=1&b=2`],
        [`${origin.url}/to?a=1&b=2`, 200, ""],
      ],
    );
    const tries = await recorded((url) => manager.request("GET", `${url}/flaky`));
    assert.deepEqual(
      tries.map(({ response }) => response.status),
      [503, 503, 200],
    );
    assert.equal(tries[2]!.response.content.text, "at last");
    assert.equal(new Set(tries.map(({ _connectionId }) => _connectionId)).size, 1);
  });

  it("shows no credentials", async () => {
    const entries = await recorded((url) =>
      manager.request("GET", `${url}/cookie`, {
        headers: { Authorization: "Bearer s3cr3t", Cookie: "a=s3cr3t" },
      }),
    );
    assert.doesNotMatch(JSON.stringify(entries), /s3cr3t/);
    const { request, response } = entries[0]!;
    assert.equal(request.headers.find(({ name }) => name === "Authorization")?.value, "***");
    assert.deepEqual([request.bodySize, response.bodySize], [0, 1], "what is hidden counts in the head");
    const hidden = "Bearer s3cr3t".length - "***".length + "a=s3cr3t".length - "***".length;
    const shown = request.headers.map(({ name, value }) => `${name}: ${value}\r\n`).join("");
    assert.equal(request.headersSize, `GET /cookie HTTP/1.1\r\n${shown}\r\n`.length + hidden);
  });

  it("shows them where that is asked for, those of the jar and of each redirect too", async () => {
    const cookieJar = { getCookieString: () => "jar=s3cr3t; b=", setCookie: () => {} };
    const entries = await recorded(
      async (url) => {
        await manager.request("GET", `${url}/cookie`, {
          headers: { Authorization: "Bearer s3cr3t" },
          cookieJar,
        });
        await manager.request("GET", `${url}/from`, { headers: { Cookie: "own=s3cr3t" } });
      },
      { secrets: true },
    );
    const [{ request, response }] = entries as [HarEntry];
    const fieldOf = (fields: HarField[], name: string) => fields.find((one) => one.name === name)?.value;
    assert.equal(fieldOf(request.headers, "Authorization"), "Bearer s3cr3t");
    assert.equal(fieldOf(request.headers, "Cookie"), "jar=s3cr3t; b=");
    assert.equal(fieldOf(response.headers, "Set-Cookie"), "sid=s3cr3t; Path=/");
    assert.deepEqual(request.cookies, [
      { name: "jar", value: "s3cr3t" },
      { name: "b", value: "" },
    ]);
    assert.deepEqual(response.cookies, [{ name: "sid", value: "s3cr3t", path: "/" }]);
    assert.deepEqual(
      entries.slice(1).map((entry) => entry.request.cookies),
      [[{ name: "own", value: "s3cr3t" }], [{ name: "own", value: "s3cr3t" }]],
    );
  });

  it("has bodies that are no text in base64, and leaves out large ones", async () => {
    const [binary] = await recorded((url) => manager.request("GET", `${url}/binary`));
    assert.deepEqual([binary!.response.content.text, binary!.response.content.encoding], ["//4A", "base64"]);
    const [large] = await recorded((url) => manager.request("GET", `${url}/large`), { bodyLimit: 1_000 });
    assert.deepEqual([large!.response.content.size, large!.response.content.text], [2_000, undefined]);
    assert.match(large!.response.content.comment!, /1000 bytes/);
  });

  it("has streamed bodies, once they were read, and those of fetch", async () => {
    const [streamed] = await recorded(async (url) => {
      const response = await manager.request("GET", `${url}/streamed`, { preloadContent: false });
      for await (const _part of response) {
        // To the end.
      }
    });
    assert.match(streamed!.response.content.text!, /streamed/);
    const [fetched] = await recorded(async (url) => (await createFetch(manager)(`${url}/fetched`)).text());
    assert.match(fetched!.response.content.text!, /fetched/);
  });

  it("has failures", async () => {
    const [broken] = await recorded((url) =>
      manager.request("GET", `${url}/broken`, { retries: false }).catch(() => {}),
    );
    assert.match(broken!.response._error!, /IncompleteRead/);
    const [refused] = await recorded(() =>
      manager.request("GET", "http://127.0.0.1:9/", { retries: false }).catch(() => {}),
    );
    assert.deepEqual([refused!.response.status, refused!._connectionId], [0, undefined]);
    assert.match(refused!.response._error!, /NewConnectionError/);
  });

  it("records its own manager only, and nothing once it was stopped", async () => {
    const other = new PoolManager();
    const own = Object.hasOwn(manager, "urlopen");
    const entries = await recorded(() => other.request("GET", `${origin.url}/other`));
    assert.deepEqual(entries, []);
    assert.equal(Object.hasOwn(manager, "urlopen"), own);
    other.clear();
  });

  it("keeps to its number of entries", async () => {
    const entries = await recorded(
      async (url) => {
        for (let index = 0; index < 5; index++) await manager.request("GET", `${url}/${index}`);
      },
      { maxEntries: 2 },
    );
    assert.deepEqual(
      entries.map(({ request }) => request.url.slice(origin.url.length)),
      ["/3", "/4"],
    );
  });

  it("two recorders of one manager do not disturb each other", async () => {
    const first = recordHar(manager);
    const second = recordHar(manager);
    await manager.request("GET", `${origin.url}/both`);
    first.stop();
    await manager.request("GET", `${origin.url}/second`);
    second.stop();
    assert.deepEqual([first.entries.length, second.entries.length], [1, 2]);
  });
});
