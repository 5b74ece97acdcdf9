/** Redirects between https and http: two origins, even on one host. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { PoolManager, Retry } from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { type HttpOrigin, type ResponseSpec, startHttp } from "../kit/http-origin.ts";
import { leakGate } from "../kit/leak-gate.ts";

leakGate();

const authority = await makeAuthority();
const identity = await authority.issue({ ips: ["127.0.0.1"] });

const SECRETS = {
  Authorization: "Basic c2VjcmV0",
  Cookie: "a=b",
  "Proxy-Authorization": "x",
  "X-Plain": "1",
};

const to = (origin: HttpOrigin): ResponseSpec => ({
  status: 307,
  headers: { Location: `${origin.url}/there` },
});

async function secretsThere(from: "http" | "https", retries?: Retry): Promise<(string | null)[]> {
  await using secure: HttpOrigin = await startHttp(() => (from === "https" ? to(plain) : "done"), {
    tls: identity,
  });
  await using plain: HttpOrigin = await startHttp(() => (from === "http" ? to(secure) : "done"));
  await using manager = new PoolManager({ caCertData: authority.cert });
  const start = from === "http" ? plain : secure;
  const end = from === "http" ? secure : plain;
  const response = await manager.request("GET", `${start.url}/`, { headers: SECRETS, retries });
  assert.equal(String(response.data), "done");
  assert.equal(response.url, `${end.url}/there`);
  assert.equal(start.received[0]!.header("authorization"), SECRETS.Authorization);
  return Object.keys(SECRETS).map((name) => end.received[0]!.header(name));
}

for (const from of ["https", "http"] as const) {
  it(`fault 40: secrets do not follow from ${from} to ${from === "http" ? "https" : "http"} on the same host`, async () => {
    assert.deepEqual(await secretsThere(from), [null, null, null, "1"]);
  });
}

it("a list of one's own holds there too", async () => {
  const retries = new Retry({ removeHeadersOnRedirect: ["X-Plain"] });
  assert.deepEqual(await secretsThere("https", retries), [...Object.values(SECRETS).slice(0, 3), null]);
});
