import { createServer } from "node:http";
import { createRequire } from "node:module";
import { HTTPError, NewConnectionError, PoolManager } from "urlpool";
import { fakeClock, MockOrigins, startOrigin, UnexpectedRequestError } from "urlpool/testing";
import { expect, test } from "vitest";

test("requests and errors work, and require gives the same classes", async () => {
  const server = createServer((_request, response) => response.end('{"a":1}'));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}/`;
  const manager = new PoolManager({ retries: false });
  expect(await (await manager.request("GET", url)).json()).toEqual({ a: 1 });
  server.close();
  server.closeAllConnections();
  const error = await manager.request("GET", url).catch((reason) => reason);
  expect(error).toBeInstanceOf(NewConnectionError);
  expect(createRequire(import.meta.url)("urlpool").HTTPError).toBe(HTTPError);
});

test("origins are mocked without sockets", async () => {
  const mock = new MockOrigins();
  mock.get("https://api.test/", [503, { json: { a: 1 } }]);
  const manager = mock.manager({ retries: { total: 1, statusForcelist: [503] } });
  expect(await (await manager.request("GET", "https://api.test/")).json()).toEqual({ a: 1 });
  mock.verify();
  await expect(manager.request("GET", "https://api.test/x")).rejects.toThrow(UnexpectedRequestError);
});

test(
  "a wait of an hour takes no time",
  MockOrigins.test(async (mock) => {
    const clock = fakeClock();
    mock
      .get("https://api.test/", [{ status: 503, headers: { "Retry-After": "3600" } }, { text: "ok" }])
      .times(2);
    const pending = mock.manager({ clock }).request("GET", "https://api.test/");
    await clock.advance(3_599_999);
    expect(mock.requests.length).toBe(1);
    await clock.advance(1);
    expect(await (await pending).text()).toBe("ok");
  }),
);

test("a real origin fails where it is told to", async () => {
  const origin = await startOrigin({ tls: true });
  origin.script([{ text: "0123456789", fault: "reset", at: "body", after: 3 }, { text: "whole" }]);
  const manager = new PoolManager({ caCertData: origin.ca, retries: { total: 1, backoffFactor: 0 } });
  expect(await (await manager.request("GET", origin.url)).text()).toBe("whole");
  await manager.close();
  await origin.close();
});
