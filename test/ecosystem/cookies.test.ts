/** tough-cookie's jar, as users have it. */

import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { type CookieJarLike, PoolManager } from "../../src/index.ts";
import { load, skip } from "./workshop.ts";

interface Tough {
  CookieJar: new () => CookieJarLike & { getCookiesSync(url: string): { key: string }[] };
}

describe("tough-cookie", { skip }, () => {
  let server: http.Server;
  let url = "";
  let seen: (string | undefined)[] = [];
  let tough: Tough;

  before(async () => {
    tough = await load<Tough>("tough-cookie");
    server = http.createServer(({ url: target, headers }, response) => {
      seen.push(headers.cookie);
      const { searchParams } = new URL(target!, "http://x");
      response.setHeader("set-cookie", searchParams.getAll("set"));
      const location = searchParams.get("to");
      if (location !== null) response.writeHead(302, { location });
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://localhost:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  /** The Cookie fields of a request that sets, and of one that follows. */
  async function cookies(set: readonly string[], next = "/"): Promise<(string | undefined)[]> {
    seen = [];
    const manager = new PoolManager({ cookieJar: new tough.CookieJar() });
    const query = set.map((text) => `set=${encodeURIComponent(text)}`).join("&");
    await manager.request("GET", `${url}/dir/page?${query}`);
    await manager.request("GET", url + next);
    manager.clear();
    return seen;
  }

  const cases: [name: string, set: string[], next: string, sent: string | undefined][] = [
    ["a cookie", ["a=1; Path=/"], "/", "a=1"],
    [
      "two, with a comma in Expires",
      ["a=1; Path=/; Expires=Wed, 01 Jan 2031 00:00:00 GMT", "b=2; Path=/"],
      "/",
      "a=1; b=2",
    ],
    ["Path", ["a=1; Path=/other"], "/", undefined],
    ["the default path", ["a=1"], "/dir/else", "a=1"],
    ["outside of it", ["a=1"], "/", undefined],
    ["Max-Age=0", ["a=1; Path=/", "a=1; Path=/; Max-Age=0"], "/", undefined],
    ["a foreign Domain", ["a=1; Domain=example.com; Path=/", "b=2; Path=/"], "/", "b=2"],
    ["a malformed one", ["", "; ;", "b=2; Path=/"], "/", "b=2"],
    ["__Host- without Secure", ["__Host-a=1; Path=/", "b=2; Path=/"], "/", "b=2"],
  ];
  for (const [name, set, next, sent] of cases) {
    it(name, async () => assert.deepEqual(await cookies(set, next), [undefined, sent]));
  }

  it("keeps what a redirect sets, with it and without following it", async () => {
    seen = [];
    const jar = new tough.CookieJar();
    const manager = new PoolManager({ cookieJar: jar });
    await manager.request("GET", `${url}/?set=a%3D1&to=/next`);
    await manager.request("GET", `${url}/?set=b%3D2&to=/next`, { redirect: false });
    assert.deepEqual(seen, [undefined, "a=1", "a=1"]);
    assert.deepEqual(
      jar.getCookiesSync(url).map(({ key }) => key),
      ["a", "b"],
    );
    manager.clear();
  });
});
