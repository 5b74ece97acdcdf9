/** The API client takes page after page as they are needed, waits when it is told to, and keeps its token to the API. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type HttpOrigin, type ResponseSpec, startHttp } from "../kit/http-origin.ts";
import { runProgram } from "./program.ts";

const env = { API_TOKEN: "s3cr3t" };

/** Page n of five pages with two items each. */
function page(target: string): ResponseSpec {
  const number = Number(new URL(target, "http://x").searchParams.get("page") ?? 1);
  const next = `</items?page=1>; rel="first", </items?page=${number + 1}>; title="x"; rel="last next"`;
  return {
    headers: { "Content-Type": "application/json", ...(number < 5 ? { Link: next } : {}) },
    body: JSON.stringify([{ id: number * 2 - 1 }, { id: number * 2 }]),
  };
}

describe("examples/pages.ts", () => {
  it("prints the items of all pages, over one connection", async () => {
    await using api: HttpOrigin = await startHttp(({ target }) => page(target));
    const { code, lines, stderr } = await runProgram("pages", [`${api.url}/items`], { env });
    assert.deepEqual([code, stderr], [0, "10 items of 5 pages\n"]);
    assert.deepEqual(
      lines,
      Array.from({ length: 10 }, (_, index) => `{"id":${index + 1}}`),
    );
    assert.equal(api.connections.length, 1);
    assert.ok(api.received.every(({ header }) => header("authorization") === "Bearer s3cr3t"));
  });

  it("asks for no more pages than it needs", async () => {
    await using api: HttpOrigin = await startHttp(({ target }) => page(target));
    const { lines } = await runProgram("pages", [`${api.url}/items`, "--limit", "3"]);
    assert.deepEqual([lines.length, api.received.length], [3, 2]);
    assert.equal(api.received[0]!.header("authorization"), null);
  });

  it("asks again after the time that the API names", async () => {
    let refusals = 1;
    const times: number[] = [];
    await using api: HttpOrigin = await startHttp(({ target }) => {
      times.push(performance.now());
      return refusals-- > 0 ? { status: 429, headers: { "Retry-After": "1" } } : page(target);
    });
    const { code, lines } = await runProgram("pages", [`${api.url}/items`, "--limit", "1"]);
    assert.deepEqual([code, lines], [0, ['{"id":1}']]);
    assert.ok(times[1]! - times[0]! >= 990, String(times));
  });

  it("tells another origin nothing, and fails where there is no list", async () => {
    await using other: HttpOrigin = await startHttp(() => "[]");
    await using api: HttpOrigin = await startHttp(({ target }) =>
      target === "/none"
        ? { status: 403, body: "no" }
        : { headers: { Link: `<${other.url}/>; rel=next` }, body: "[1]" },
    );
    const away = await runProgram("pages", [`${api.url}/items`], { env });
    assert.deepEqual([away.code, away.lines, other.received.length], [1, ["1"], 0]);
    assert.match(away.stderr, /the next page is on http/);
    const none = await runProgram("pages", [`${api.url}/none`], { env });
    assert.equal(none.code, 1);
    assert.match(none.stderr, /403/);
    assert.doesNotMatch(none.stderr, /s3cr3t/);
  });
});
