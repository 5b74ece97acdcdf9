/** The real proxies start, pass one request on, log it and stop. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import net from "node:net";
import { type TestContext, test } from "node:test";
import { makeAuthority } from "./certificates.ts";
import { findCommand, skipWithout, startDaemon } from "./daemon.ts";
import { skipWithoutDante, startDante } from "./dante.ts";
import { startHttp } from "./http-origin.ts";
import { type RunningProxy, startHaproxy, startMicrosocks, startTinyproxy } from "./proxies.ts";
import { dialRaw, type RawClient } from "./raw-client.ts";
import { type Squid, startSquid } from "./squid.ts";

const CAROL = { user: "carol", password: "open sesame" };
const BASIC = `Proxy-Authorization: Basic ${Buffer.from("carol:open sesame").toString("base64")}\r\n`;
const get = (target: string, fields = ""): string => `GET ${target} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
const connect = (port: number, fields = ""): string =>
  `CONNECT localhost:${port} HTTP/1.1\r\nHost: localhost:${port}\r\n${fields}\r\n`;

test("squid forwards and tunnels over one connection each", { skip: skipWithout("squid") }, async () => {
  await using origin = await startHttp(({ target }) => `hello ${target}`);
  await using squid = await startSquid();
  {
    using client = await dialRaw(squid.port);
    const url = `http://localhost:${origin.port}`;
    assert.match(await client.say(get(`${url}/a`), "hello /a"), /^HTTP\/1.1 200 OK\r\n/);
    assert.match(await client.say(get(`${url}/b`), "hello /b"), /^HTTP\/1.1 200 OK\r\n/);
    assert.match(await client.say(connect(origin.port), "\r\n\r\n"), /^HTTP\/1.1 200 /);
    assert.match(await client.say(get("/c"), "hello /c"), /^HTTP\/1.1 200 OK\r\n/);
  }
  const log = await squid.accessLog(3);
  const port = log[0]?.connection;
  assert.deepEqual(log, [
    { connection: port, method: "GET", status: 200, target: `http://localhost:${origin.port}/a` },
    { connection: port, method: "GET", status: 200, target: `http://localhost:${origin.port}/b` },
    { connection: port, method: "CONNECT", status: 200, target: `localhost:${origin.port}` },
  ]);
  await assertStops(squid);
});

test("squid asks for Basic credentials", { skip: skipWithout("squid") }, async () => {
  await using origin = await startHttp(() => "hello");
  await using squid = await startSquid({ auth: { ...CAROL, scheme: "basic", realm: "a realm" } });
  using client = await dialRaw(squid.port);
  const asked = await client.say(connect(origin.port), "\r\n\r\n", "</html>\n");
  assert.match(asked, /^HTTP\/1.1 407 [\s\S]*\r\nProxy-Authenticate: Basic realm="a realm"\r\n/);
  using other = await dialRaw(squid.port);
  assert.match(await other.say(connect(origin.port, BASIC), "\r\n\r\n"), /^HTTP\/1.1 200 /);
});

test("squid asks for Digest credentials", { skip: skipWithout("squid") }, async () => {
  await using origin = await startHttp(() => "hello");
  await using squid = await startSquid({ auth: { ...CAROL, scheme: "digest", realm: "a realm" } });
  const url = `http://localhost:${origin.port}/`;
  using client = await dialRaw(squid.port);
  const asked = await client.say(get(url), "\r\n\r\n", "</html>\n");
  assert.match(asked, /^HTTP\/1.1 407 /);
  assert.match(await client.say(get(url, digestField(asked, url)), "hello"), /^HTTP\/1.1 200 /);
});

test("squid denies", { skip: skipWithout("squid") }, async () => {
  await using squid = await startSquid({ deny: true });
  using client = await dialRaw(squid.port);
  assert.match(await client.say(connect(1), "\r\n\r\n"), /^HTTP\/1.1 403 /);
});

test("squid speaks TLS with its clients", { skip: skipWithout("squid") }, async () => {
  const authority = await makeAuthority();
  await using origin = await startHttp(() => "hello");
  await using squid = await startSquid({ tls: await authority.issue({ names: ["localhost"] }) });
  using client = await dialRaw(squid.httpsPort, authority.cert);
  assert.match(await client.say(get(`http://localhost:${origin.port}/`), "hello"), /^HTTP\/1.1 200 /);
  assert.match(await client.say(connect(origin.port), "\r\n\r\n"), /^HTTP\/1.1 200 /);
});

test("tinyproxy asks for credentials, forwards and tunnels", { skip: skipWithout("tinyproxy") }, async () => {
  await using origin = await startHttp(() => "hello");
  await using proxy = await startTinyproxy({ auth: { user: "carol", password: "sesame" } });
  const basic = `Proxy-Authorization: Basic ${Buffer.from("carol:sesame").toString("base64")}\r\n`;
  const url = `http://127.0.0.1:${origin.port}/`;
  const requests = [get(url), get(url, basic), connect(origin.port, basic)];
  for (const [index, status] of [407, 200, 200].entries()) {
    using client = await dialRaw(proxy.port);
    assert.match(await client.say(requests[index]!, "\r\n\r\n"), new RegExp(`^HTTP/1.[01] ${status} `));
  }
  assert.match((await proxy.log(3)).at(-1)!, /^CONNECT localhost:\d+ HTTP\/1.1$/);
  await assertStops(proxy);
});

test("haproxy takes TLS for a plain proxy", { skip: skipWithout("haproxy", "tinyproxy") }, async () => {
  const authority = await makeAuthority();
  await using origin = await startHttp(() => "hello");
  await using plain = await startTinyproxy();
  const tls = await authority.issue({ names: ["localhost"] });
  await using proxy = await startHaproxy({ tls, target: plain.port });
  {
    using client = await dialRaw(proxy.port, authority.cert);
    assert.match(await client.say(connect(origin.port), "\r\n\r\n"), /^HTTP\/1.0 200 /);
    assert.match(await client.say(get("/"), "hello"), /^HTTP\/1.1 200 /);
  }
  assert.equal((await proxy.log(1)).length, 1);
  await assertStops(proxy);
});

const SOCKS = [
  { name: "dante", skip: skipWithoutDante(), start: startDante },
  { name: "microsocks", skip: skipWithout("microsocks"), start: startMicrosocks },
];

for (const { name, skip, start } of SOCKS) {
  test(`${name} connects, with and without a password`, { skip }, async () => {
    await using origin = await startHttp(() => "hello");
    for (const auth of [undefined, CAROL]) {
      await using proxy = await start(auth === undefined ? {} : { auth });
      {
        using client = await dialRaw(proxy.port);
        await greet(client, auth);
        await client.say(socksConnect(origin.port), "\x05\x00\x00");
        assert.match(await client.say(get("/"), "hello"), /HTTP\/1.1 200 OK/);
      }
      assert.match((await proxy.log(1))[0]!, new RegExp(`127\\.0\\.0\\.1.${origin.port}`));
      if (auth !== undefined) {
        using stranger = await dialRaw(proxy.port);
        await assert.rejects(greet(stranger, { ...auth, password: "wrong" }), /ended without/);
      }
      await assertStops(proxy);
    }
  });
}

test("a program that cannot start fails with its own words", { skip: skipWithout("haproxy") }, async () => {
  await assert.rejects(
    startHaproxy({ tls: { cert: "no certificate", key: "" }, target: 1 }),
    /haproxy did not start:[\s\S]*both\.pem/,
  );
});

test("what is not installed is a reason to skip, but not for CI", (t) => {
  assert.equal(findCommand("no-such-program"), undefined);
  withCi(t, undefined);
  assert.equal(skipWithout("sh", "no-such-program"), "not installed: no-such-program");
  assert.equal(skipWithout("sh"), false);
  withCi(t, "true");
  assert.equal(skipWithout("no-such-program"), false);
});

test("a program whose port was taken gets another", async () => {
  await using squatter = await startHttp();
  const tried: number[] = [];
  const script = (port: number): string => `require("node:net").createServer().listen(${port}, "127.0.0.1")`;
  await using daemon = await startDaemon({
    name: "node",
    ports: 1,
    prepare: (_folder, [port]) => {
      tried.push(port!);
      return [process.execPath, "-e", script(tried.length === 1 ? squatter.port : port!)];
    },
  });
  assert.equal(tried.length, 2);
  assert.equal(daemon.ports[0], tried[1]);
});

function withCi(t: TestContext, value: string | undefined): void {
  const before = process.env.CI;
  const set = (to: string | undefined): void => {
    if (to === undefined) delete process.env.CI;
    else process.env.CI = to;
  };
  set(value);
  t.after(() => set(before));
}

async function assertStops(proxy: RunningProxy | Squid): Promise<void> {
  await proxy.stop();
  const free = net.createServer().listen(proxy.port, "127.0.0.1");
  await new Promise((resolve, reject) => free.once("listening", resolve).once("error", reject));
  await new Promise((resolve) => free.close(resolve));
}

async function greet(client: RawClient, auth: typeof CAROL | undefined): Promise<void> {
  await client.say(
    auth === undefined ? "\x05\x01\x00" : "\x05\x01\x02",
    auth === undefined ? "\x05\x00" : "\x05\x02",
  );
  if (auth === undefined) return;
  const field = (text: string): string => String.fromCharCode(text.length) + text;
  await client.say(`\x01${field(auth.user)}${field(auth.password)}`, "\x01\x00");
}

function socksConnect(port: number): Buffer {
  return Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255]);
}

/** RFC 7616 by hand, for `qop=auth` and MD5. */
function digestField(asked: string, uri: string): string {
  const param = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(asked)?.[1] ?? "";
  const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
  const [realm, nonce] = [param("realm"), param("nonce")];
  const secret = md5(`${CAROL.user}:${realm}:${CAROL.password}`);
  const response = md5(`${secret}:${nonce}:00000001:c:auth:${md5(`GET:${uri}`)}`);
  return `Proxy-Authorization: Digest username="${CAROL.user}", realm="${realm}", nonce="${nonce}", uri="${uri}", qop=auth, nc=00000001, cnonce="c", response="${response}"\r\n`;
}
