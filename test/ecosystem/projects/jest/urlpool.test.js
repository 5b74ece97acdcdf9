// Jest's default mode: CommonJS, no import(), a module registry of its own.
const { createServer } = require("node:http");
const { HTTPError, NewConnectionError, PoolManager } = require("urlpool");
const { fakeClock, MockOrigins, startOrigin, UnexpectedRequestError } = require("urlpool/testing");

test("requests, errors and mocks work", async () => {
  const server = createServer((_request, response) => response.end('{"a":1}'));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}/`;
  const manager = new PoolManager({ retries: false });
  expect(await (await manager.request("GET", url)).json()).toEqual({ a: 1 });
  server.close();
  server.closeAllConnections();
  const error = await manager.request("GET", url).catch((reason) => reason);
  expect(error).toBeInstanceOf(HTTPError);
  expect(error).toBeInstanceOf(NewConnectionError);
  expect(error.name).toBe("NewConnectionError");

  const urlpool = require("urlpool");
  jest.spyOn(urlpool, "request").mockResolvedValue("mocked");
  expect(await urlpool.request("GET", url)).toBe("mocked");
});

test("a missing peer is named", async () => {
  const manager = new PoolManager({ proxy: "socks5h://127.0.0.1:1", retries: false });
  await expect(manager.request("GET", "http://example.com/")).rejects.toThrow(/SOCKS|NewConnection|refused/i);
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
