/**
 * More than sixty behaviours of the package, each tried once: the same program on Node, Bun and Deno. `SERVERS` in the environment tells
 * where the servers of `servers.ts` are. Prints a line for each, and ends by itself though connections are idle.
 */

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe } from "node:diagnostics_channel";
import { createReadStream, openAsBlob, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import http from "node:http";
import { createRequire } from "node:module";
import { pipeline } from "node:stream/promises";
import { inspect } from "node:util";
import * as urlpool from "urlpool";
import { cached, cacheStatus } from "urlpool/cache";
import { recordHar } from "urlpool/har";
import { MockOrigins } from "urlpool/testing";

const { PoolManager, ProxyManager, Retry, SOCKSProxyManager, blockPrivateAddresses } = urlpool;
const { plain, secure, proxy, socks, unix, h2c, ca } = JSON.parse(process.env.SERVERS);
const BIG = 1_000_000;

const manager = new PoolManager();
const trusting = new PoolManager({ caCertData: ca });
const streamed = { preloadContent: false };
const behaviours = new Map();
const managers = [];

/** A manager that is closed after the behaviour. */
function owned(own) {
  managers.push(own);
  return own;
}

async function all(source, pick = (item) => item) {
  const items = [];
  for await (const item of source) items.push(pick(item));
  return items;
}

/** The error of a request that fails. */
async function failure(promise) {
  return promise.then(
    () => assert.fail("it did not fail"),
    (error) => error,
  );
}

const get = (path, options, own = manager) => own.request("GET", plain + path, options);
const put = async (body, options) =>
  (await manager.request("PUT", `${plain}/echo`, { body, ...options })).json();

const add = (name, behaviour) => behaviours.set(name, behaviour);

// Requests and pools.
add("GET", async () => assert.equal((await get("/echo")).status, 200));
add("reused connections", async () => {
  const own = owned(new PoolManager());
  for (let i = 0; i < 5; i += 1) await get("/echo", {}, own);
  assert.equal(own.stats().created, 1);
});
add("200 requests at once", async () => {
  const all = await Promise.all(Array.from({ length: 200 }, () => get("/echo")));
  assert.ok(all.every(({ status }) => status === 200));
});
add("a limit per host", async () => {
  const own = owned(new PoolManager({ maxsize: 2 }));
  await Promise.all(Array.from({ length: 10 }, () => get("/echo", {}, own)));
  assert.equal(own.stats().created, 2);
});
add("the shared manager", async () =>
  assert.equal((await urlpool.request("GET", `${plain}/echo`)).status, 200),
);
add("fields in a query", async () => {
  const seen = await (await get("/echo", { fields: { a: "1 ü", b: ["x", "y"] } })).json();
  assert.equal(seen.url, "/echo?a=1+%C3%BC&b=x&b=y");
});
add("HEAD", async () => assert.equal((await manager.request("HEAD", `${plain}/big`)).data.length, 0));
add("redirects", async () => assert.equal((await get("/hop")).url, `${plain}/echo`));
add("retries after a status, with history", async () => {
  const response = await get("/flaky", { retries: new Retry({ statusForcelist: [503] }) });
  assert.deepEqual([response.status, response.retries.history.length], [200, 1]);
});
add("a hook before each attempt", async () => {
  const seen = await (await get("/echo", { onRequest: ({ headers }) => headers.set("X-Trace", "7") })).json();
  assert.equal(seen.headers["x-trace"], "7");
});
add("a hook after each head", async () => {
  const seen = [];
  await get("/hop", { onResponse: ({ status }) => seen.push(status) });
  assert.deepEqual(seen, [302, 200]);
});
add("cookies", async () => {
  const cookies = [];
  const cookieJar = {
    getCookieString: () => cookies.join("; "),
    setCookie: (cookie) => void cookies.push(cookie.split(";")[0]),
  };
  const own = owned(new PoolManager({ cookieJar }));
  await get("/cookie", {}, own);
  assert.equal((await (await get("/echo", {}, own)).json()).headers.cookie, "a=1");
});
add("unknown options", async () => {
  const error = await failure(get("/echo", { heders: {} }));
  assert.match(error.message, /did you mean/i);
});

// Bodies to the server.
add("JSON", async () => {
  const response = await manager.request("POST", `${plain}/echo`, { json: { a: 1 } });
  assert.equal((await response.json()).length, 7);
});
add("a multipart form", async () => {
  const fields = { a: "1", file: { filename: "x", data: new Uint8Array(10) } };
  const seen = await (await manager.request("POST", `${plain}/echo`, { fields })).json();
  assert.match(seen.headers["content-type"], /^multipart\/form-data; boundary=/);
});
add("FormData with a Blob", async () => {
  const form = new FormData();
  form.set("a", new Blob(["x"]), "name.txt");
  assert.match((await put(form)).body, /filename="name\.txt"/);
});
add("URLSearchParams", async () =>
  assert.equal((await put(new URLSearchParams({ a: "b c" }))).body, "a=b+c"),
);
add("an async generator", async () => {
  const body = async function* () {
    yield "ab";
    yield new Uint8Array(5);
  };
  assert.equal((await put(body)).length, 7);
});
add("a web stream", async () => assert.equal((await put(new Blob(["abc"]).stream())).length, 3));
add("a Node stream", async () => assert.equal((await put(createReadStream("file.txt"))).length, 5));
add("a FileHandle", async () => {
  const file = await open("file.txt");
  try {
    assert.equal((await put(file)).length, 5);
  } finally {
    await file.close();
  }
});
add("a Blob of a file", async () => assert.equal((await put(await openAsBlob("file.txt"))).length, 5));
add("5 MB from memory", async () => assert.equal((await put(new Uint8Array(5 * BIG))).length, 5 * BIG));
add("Expect: 100-continue", async () => {
  assert.equal((await put("abc", { headers: { Expect: "100-continue" } })).length, 3);
});
add("progress of an upload", async () => {
  let last = null;
  const onUploadProgress = ({ transferred }) => {
    last = transferred;
  };
  await put(new Uint8Array(BIG), { onUploadProgress });
  assert.equal(last, BIG);
});

// Bodies from the server.
for (const coding of ["gzip", "deflate", "br"]) {
  add(`${coding}`, async () => assert.equal(await (await get(`/${coding}`)).text(), "zipped"));
}
add("a limit of what decodes", async () => {
  assert.equal((await failure(get("/gzip", { maxDecodedSize: 3, retries: false }))).name, "DecodeError");
});
add("a stream of pieces", async () => {
  let bytes = 0;
  for await (const piece of await get("/big", streamed)) bytes += piece.length;
  assert.equal(bytes, BIG);
});
add("read(amount)", async () => {
  const response = await get("/big", streamed);
  assert.equal((await response.read(1000)).length, 1000);
  response.close();
});
add("lines", async () => assert.deepEqual(await all((await get("/lines", streamed)).lines()), ["a", "bc"]));
add("lines of JSON", async () => {
  assert.deepEqual(await all((await get("/rows", streamed)).jsonLines()), [{ id: 1 }, { id: 2 }]);
});
add("server-sent events", async () => {
  const events = (await get("/events", streamed)).events();
  const data = await all(events, (event) => event.data);
  assert.deepEqual([data, events.lastEventId], [["x", "y"], "2"]);
});
add("a web stream of the body", async () => {
  const body = await new Response((await get("/big", streamed)).body).arrayBuffer();
  assert.equal(body.byteLength, BIG);
});
add("a Node stream of the body", async () => {
  let bytes = 0;
  await pipeline((await get("/big", streamed)).readable(), async (pieces) => {
    for await (const piece of pieces) bytes += piece.length;
  });
  assert.equal(bytes, BIG);
});
add("progress of an answer", async () => {
  let last = null;
  const onDownloadProgress = ({ transferred }) => {
    last = transferred;
  };
  await get("/big", { onDownloadProgress });
  assert.equal(last, BIG);
});
add("trailers", async () => assert.equal((await get("/trailers")).trailers.get("x-sum"), "42"));
add("early hints", async () => {
  const seen = [];
  await get("/hints", { onInformational: ({ status, headers }) => seen.push(status, headers.get("link")) });
  assert.deepEqual(seen, [103, "</a.css>; rel=preload"]);
});
add("a download", async () => {
  rmSync("big.bin", { force: true });
  const { bytes, digest } = await manager.downloadTo(`${plain}/big`, "big.bin", {
    digest: { algorithm: "sha256" },
  });
  assert.deepEqual([bytes, digest.length, readFileSync("big.bin").length], [BIG, 64, BIG]);
});

// What goes wrong.
add("a read timeout", async () => {
  const error = await failure(get("/silent", { timeout: { read: 100 }, retries: false }));
  assert.equal(error.name, "ReadTimeoutError");
});
add("a deadline", async () =>
  assert.equal((await failure(get("/silent", { deadline: 50 }))).name, "DeadlineError"),
);
add("an abort", async () => {
  const error = await failure(get("/silent", { signal: AbortSignal.timeout(50) }));
  assert.equal(error.name, "TimeoutError");
});
add("a refused connection", async () => {
  const error = await failure(manager.request("GET", "http://127.0.0.1:1/", { retries: false }));
  assert.equal(error.name, "NewConnectionError");
});
add("a name that does not resolve", async () => {
  const error = await failure(manager.request("GET", "http://no.invalid/", { retries: false }));
  assert.equal(error.name, "NameResolutionError");
});
add("an answer that breaks off", async () => {
  assert.equal((await failure(get("/half", { retries: false }))).name, "IncompleteRead");
});
add("the filter of addresses", async () => {
  const own = owned(new PoolManager({ addressFilter: blockPrivateAddresses }));
  assert.equal((await failure(get("/echo", { retries: false }, own))).name, "AddressBlockedError");
});
add("the caller's frame in a stack", async () => {
  async function whoAsks() {
    await manager.request("GET", "http://127.0.0.1:1/", { retries: false });
  }
  assert.match((await failure(whoAsks())).stack, /whoAsks/);
});
add("no credentials in logs", async () => {
  const own = new ProxyManager("http://me:s3cr3t@127.0.0.1:1", { retries: false });
  const error = await failure(own.request("GET", "http://me:s3cr3t@x.test/"));
  assert.doesNotMatch(inspect([own, error], { depth: 5 }) + JSON.stringify([own, error]), /s3cr3t/);
});

// TLS and HTTP/2.
add("TLS, reused", async () => {
  const own = owned(new PoolManager({ caCertData: ca }));
  for (let i = 0; i < 5; i += 1) await own.request("GET", `${secure}/echo`);
  assert.equal(own.stats().created, 1);
});
add("a certificate that is not trusted", async () => {
  assert.equal(
    (await failure(manager.request("GET", `${secure}/echo`, { retries: false }))).name,
    "SSLError",
  );
});
add("a certificate for another name", async () => {
  const own = owned(new PoolManager({ caCertData: ca, assertHostname: "other.test", retries: false }));
  assert.equal((await failure(own.request("GET", `${secure}/echo`))).name, "SSLError");
});
add("a fingerprint", async () => {
  const own = owned(new PoolManager({ caCertData: ca, assertFingerprint: "00".repeat(32), retries: false }));
  assert.equal((await failure(own.request("GET", `${secure}/echo`))).name, "SSLError");
});
add("HTTP/2 over TLS", async () => {
  const own = owned(new PoolManager({ caCertData: ca, http2: true }));
  const all = await Promise.all(Array.from({ length: 20 }, () => own.request("GET", `${secure}/big`)));
  assert.ok(all.every(({ version, data }) => version === 20 && data.length === BIG));
  assert.equal(own.stats().created, 1);
});
add("HTTP/2 without TLS", async () => {
  const own = owned(new PoolManager({ http2: "prior-knowledge" }));
  const response = await own.request("POST", `${h2c}/echo`, { body: new Uint8Array(BIG) });
  assert.equal((await response.json()).length, BIG);
});

// Ways to the origin.
add("a forwarding proxy", async () => {
  const own = owned(new ProxyManager(proxy));
  assert.equal(await (await own.request("GET", "http://x.test/")).text(), "forwarded http://x.test/");
});
add("a tunnel through a proxy", async () => {
  const own = owned(new ProxyManager(proxy, { caCertData: ca }));
  assert.equal((await own.request("GET", `${secure}/echo`)).status, 200);
});
add("a SOCKS proxy", async () => {
  const own = owned(new SOCKSProxyManager(socks));
  assert.equal((await own.request("GET", `${plain}/echo`)).status, 200);
});
add("a Unix-domain socket", async () => {
  const own = owned(new PoolManager({ socketPath: unix }));
  assert.equal((await own.request("GET", "http://x.test/echo")).status, 200);
});

// Adapters, addons and tools.
add("fetch", async () =>
  assert.equal((await (await manager.fetch(`${plain}/big`)).arrayBuffer()).byteLength, BIG),
);
add("the agent under node:http", async () => {
  const status = await new Promise((resolve, reject) => {
    const request = http.get(`${plain}/echo`, { agent: manager.agent }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode));
    });
    request.on("error", reject);
  });
  assert.equal(status, 200);
});
add("the cache", async () => {
  const cache = cached(manager);
  const ask = async () => cacheStatus(await cache.request("GET", `${plain}/fresh`));
  assert.deepEqual([await ask(), await ask()], ["miss", "hit"]);
});
add("HTTP Archives", async () => {
  const own = owned(new PoolManager());
  const har = recordHar(own);
  await get("/echo", {}, own);
  assert.equal(har.toJSON().log.entries[0].response.status, 200);
});
add("origins without sockets", async () => {
  const mock = new MockOrigins();
  mock.get("https://api.test/users/:id", ({ params }) => ({ json: { id: params.id } }));
  assert.deepEqual(await (await mock.manager().request("GET", "https://api.test/users/7")).json(), {
    id: "7",
  });
});
add("diagnostics channels", async () => {
  let ends = 0;
  subscribe("urlpool:request:end", () => {
    ends += 1;
  });
  await get("/echo");
  assert.equal(ends, 1);
});
add("timings", async () => {
  const { timings } = await trusting.request("GET", `${secure}/echo`);
  assert.ok(timings.firstByte > 0);
});
add("the caller's AsyncLocalStorage", async () => {
  const storage = new AsyncLocalStorage();
  const seen = [];
  await storage.run("mine", async () => {
    const look = () => seen.push(storage.getStore());
    for await (const _ of await get("/lines", { ...streamed, onRequest: look, onResponse: look })) look();
  });
  assert.ok(seen.length >= 3);
  assert.deepEqual([...new Set(seen)], ["mine"]);
});
add("require", () => assert.equal(createRequire(import.meta.url)("urlpool").PoolManager, PoolManager));
add("close and destroy", async () => {
  const own = new PoolManager();
  const asked = failure(get("/silent", {}, own));
  setTimeout(() => own.destroy(new Error("over")), 30);
  assert.equal((await asked).message, "over");
  await own.close();
});

writeFileSync("file.txt", "12345");
let right = 0;
for (const [name, behaviour] of behaviours) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("it hangs")), 8_000);
  });
  try {
    await Promise.race([behaviour(), late]);
    right += 1;
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`FAIL ${name}: ${String(error?.message ?? error).split("\n")[0]}`);
  }
  clearTimeout(timer);
  await Promise.all(managers.splice(0).map((own) => own.close({ timeout: 100 })));
}
console.log(`${right} of ${behaviours.size}`);
process.exitCode = right === behaviours.size ? 0 : 1;
