import assert from "node:assert/strict";
import { it } from "node:test";
import { type HTTPError, request } from "../../src/index.ts";
import { startHttp } from "../kit/http-origin.ts";

// No leak gate: the shared manager stays.

it("RQ-09, RQ-10: request works without a manager of one's own, with the options of any other", async () => {
  await using origin = await startHttp(({ target, method }) =>
    target === "/" ? { status: 302, headers: { Location: "/there" } } : method,
  );
  const response = await request("post", `${origin.url}/`);
  assert.deepEqual([response.status, String(response.data)], [200, "POST"]);
  assert.equal((await request("GET", `${origin.url}/`, { redirect: false })).status, 302);
  assert.equal((await request("GET", `${origin.url}/`, { retries: false })).status, 302);
  await assert.rejects(request("GET", `${origin.url}/`, { retries: 0 }), (error: HTTPError) => {
    assert.equal(error.code, "ERR_URLPOOL_MAX_RETRY");
    return true;
  });
  assert.equal(origin.accepted, 1);
});
