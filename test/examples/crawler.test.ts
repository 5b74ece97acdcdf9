/** The crawler visits each page once, keeps within its limit per host, and tells what is broken. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type HttpOrigin, startHttp } from "../kit/http-origin.ts";
import { runProgram } from "./program.ts";

const html = (...hrefs: string[]): object => ({
  headers: { "Content-Type": "text/html; charset=utf-8" },
  body: hrefs.map((href) => `<p><a class="x" href="${href}">link</a></p>`).join("\n"),
});

describe("examples/crawler.ts", () => {
  it("follows links over hosts, and tells which are broken", async () => {
    await using other: HttpOrigin = await startHttp(({ target }) =>
      target === "/gone" ? { status: 404, body: "gone" } : html("/never-read"),
    );
    await using site: HttpOrigin = await startHttp(({ target }) => {
      if (target === "/")
        return html("a#part", "/b?x=1&amp;y=2", `${other.url}/there`, `${other.url}/gone`, "mailto:a@b");
      if (target === "/a") return { status: 302, headers: { Location: "/moved/" } };
      if (target === "/moved/") return html("deeper", "/", "http://127.0.0.1:1/refused");
      return { headers: { "Content-Type": "image/png" }, body: "<a href='/in-a-picture'>" };
    });
    const { code, lines } = await runProgram("crawler", [`${site.url}/`]);
    assert.equal(code, 1);
    assert.deepEqual(site.received.map(({ target }) => target).sort(), [
      "/",
      "/a",
      "/b?x=1&y=2",
      "/moved/",
      "/moved/deeper",
    ]);
    assert.deepEqual(other.received.map(({ target }) => target).sort(), ["/gone", "/there"]);
    const broken = lines.filter((line) => line.startsWith("broken: "));
    assert.equal(broken.length, 2);
    assert.ok(broken.includes(`broken: ${other.url}/gone (on ${site.url}/): status 404`));
    assert.ok(
      broken.some((line) => line.startsWith(`broken: http://127.0.0.1:1/refused (on ${site.url}/moved/)`)),
    );
    assert.ok(lines.includes("7 links, 2 broken"));
  });

  it("asks a host for so much at once, and no more", async () => {
    let now = 0;
    let most = 0;
    await using site: HttpOrigin = await startHttp(async ({ target }) => {
      now += 1;
      most = Math.max(most, now);
      await sleep(5);
      now -= 1;
      return target === "/" ? html(...Array.from({ length: 40 }, (_, index) => `/page/${index}`)) : html();
    });
    const { code, lines } = await runProgram("crawler", [`${site.url}/`, "--per-host", "3", "--pages", "31"]);
    assert.equal(code, 0);
    assert.equal(most, 3);
    assert.equal(site.received.length, 31);
    assert.deepEqual(lines.slice(-2), ["31 links, 0 broken", `  ${site.url}: 31 requests on 3 connections`]);
  });

  it("says how it is used", async () => {
    const { code, stderr } = await runProgram("crawler", ["nonsense"]);
    assert.deepEqual([code, stderr.split("\n")[0]], [2, "one absolute URL is needed"]);
  });
});
