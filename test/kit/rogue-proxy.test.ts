import assert from "node:assert/strict";
import { test } from "node:test";
import { startHttp } from "./http-origin.ts";
import { leakGate } from "./leak-gate.ts";
import { dialRaw } from "./raw-client.ts";
import { ESTABLISHED, guarded, startRogueProxy } from "./rogue-proxy.ts";
import { startSocks } from "./rogue-socks.ts";

leakGate();

const HEAD = "\r\nHost: x\r\n\r\n";

test("by default it answers what it should forward, and tunnels", async () => {
  await using origin = await startHttp(() => "inside");
  await using proxy = await startRogueProxy();
  using client = await dialRaw(proxy.port);
  assert.match(await client.say(`GET http://a.test/x HTTP/1.1${HEAD}`, "a.test/x"), /^HTTP\/1.1 200 OK/);
  const target = `127.0.0.1:${origin.port}`;
  assert.equal(await client.say(`CONNECT ${target} HTTP/1.1${HEAD}`, "\r\n\r\n"), ESTABLISHED);
  assert.match(await client.say(`GET / HTTP/1.1${HEAD}`, "inside"), /^HTTP\/1.1 200 OK/);
  assert.deepEqual(proxy.connects, [target]);
  assert.equal(proxy.received.length, 2);
  assert.ok(proxy.bytes().endsWith(`GET / HTTP/1.1${HEAD}`));
});

test("it asks for credentials, and breaks a tunnel after so many bytes", async () => {
  await using origin = await startHttp(() => "x".repeat(1000));
  await using proxy = await startRogueProxy((request) => {
    const answer = guarded("Basic YTpi")(request, 0);
    return request.method === "CONNECT"
      ? { tunnel: { port: origin.port }, reply: "hi", breakAfter: 10 }
      : answer;
  });
  using client = await dialRaw(proxy.port);
  assert.match(await client.say(`GET http://a/ HTTP/1.1${HEAD}`, "you?"), /^HTTP\/1.1 407 /);
  assert.equal(await client.say(`CONNECT elsewhere:1 HTTP/1.1${HEAD}`, "hi"), "hi");
  await assert.rejects(client.say(`GET / HTTP/1.1${HEAD}`, "x".repeat(1000)), /ended without/);
});

test("the SOCKS server tells what it was asked, and connects", async () => {
  await using origin = await startHttp(() => "inside");
  await using server = await startSocks({ target: { host: "127.0.0.1", port: origin.port } });
  using five = await dialRaw(server.port);
  await five.say(Buffer.from([5, 1, 0]), "\x05\x00");
  await five.say(Buffer.from([5, 1, 0, 3, 1, 97, 0, 80]), "\x05\x00\x00");
  assert.match(await five.say(`GET / HTTP/1.1${HEAD}`, "inside"), /HTTP\/1.1 200 OK/);
  using four = await dialRaw(server.port);
  await four.say(Buffer.from([4, 1, 0, 81, 10, 0, 0, 1, 98, 0]), "\x00Z");
  assert.deepEqual(server.asked, [
    { version: 5, host: "a", named: true, port: 80, user: null, password: null },
    { version: 4, host: "10.0.0.1", named: false, port: 81, user: "b", password: null },
  ]);
});
