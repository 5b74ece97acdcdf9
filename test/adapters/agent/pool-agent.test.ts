/** The agent under node:http and node:https. */

import assert from "node:assert/strict";
import { once } from "node:events";
import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from "node:http";
import https from "node:https";
import net, { type AddressInfo, type Socket } from "node:net";
import { duplexPair } from "node:stream";
import { after, before, describe, it } from "node:test";
import { PoolAgent, PoolManager, type PoolManagerOptions } from "../../../src/index.ts";
import { type Authority, makeAuthority } from "../../kit/certificates.ts";

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly reused: boolean;
}

let authority: Authority;
let plain: http.Server;
let secure: https.Server;
const sockets = new Set<Socket>();
let accepted = 0;

const urlOf = (server: net.Server, scheme: string, host = "127.0.0.1"): string =>
  `${scheme}://${host}:${(server.address() as AddressInfo).port}`;

function answer(request: IncomingMessage, response: http.ServerResponse): void {
  if (request.url === "/hold") return;
  if (request.url === "/close") response.setHeader("connection", "close");
  if (request.url === "/hint") response.setHeader("keep-alive", "timeout=3");
  const parts: Buffer[] = [];
  request
    .on("data", (part) => parts.push(part))
    .on("end", () => {
      response.end(
        JSON.stringify({
          url: request.url,
          host: request.headers.host,
          body: Buffer.concat(parts).toString(),
        }),
      );
    });
}

function count(server: net.Server): void {
  server.on("connection", (socket: Socket) => {
    accepted++;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
  });
}

before(async () => {
  authority = await makeAuthority("Agent Authority");
  const { cert, key } = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
  plain = http.createServer(answer);
  secure = https.createServer({ cert, key }, answer);
  for (const server of [plain, secure]) {
    count(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  }
});
after(async () => {
  for (const server of [plain, secure]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function using<T>(
  options: PoolManagerOptions,
  run: (agent: PoolAgent, manager: PoolManager) => Promise<T>,
): Promise<T> {
  const manager = new PoolManager({ caCertData: authority.cert, ...options });
  accepted = 0;
  try {
    return await run(manager.agent, manager);
  } finally {
    manager.agent.destroy();
    manager.clear();
  }
}

function send(agent: PoolAgent, url: string, options: RequestOptions = {}, body?: string): Promise<Answer> {
  const { request } = url.startsWith("https") ? https : http;
  const sent = request(url, { ...options, agent });
  sent.end(body);
  return answerOf(sent);
}

async function answerOf(request: ClientRequest): Promise<Answer> {
  const [response] = (await once(request, "response")) as [IncomingMessage];
  let body = "";
  for await (const part of response) body += part;
  return { status: response.statusCode!, body, reused: request.reusedSocket };
}

/** node:http gives a socket back after the response has ended. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

describe("PoolAgent", () => {
  it("is an http.Agent, always the same, and loads node:http only when it is made", () =>
    using({}, async (agent, manager) => {
      assert.ok(agent instanceof http.Agent);
      assert.equal(manager.agent, agent);
      assert.ok(agent instanceof PoolAgent);
      assert.equal(agent.constructor.name, "PoolAgent");
    }));

  it("is made over a manager, or with the options of one of its own", () =>
    using({}, async (_agent, manager) => {
      for (const agent of [new PoolAgent(manager), new PoolAgent({ maxsize: 1 }), new PoolAgent()]) {
        assert.equal((await send(agent, urlOf(plain, "http"))).status, 200);
        agent.destroy();
      }
      assert.throws(() => new PoolAgent({ maxsize: -1 }), /maxsize/);
    }));

  it("serves http and https with one object, and uses sockets again", () =>
    using({}, async (agent, manager) => {
      for (const url of [urlOf(plain, "http"), urlOf(secure, "https")]) {
        for (const reused of [false, true, true]) {
          const { status, body, reused: was } = await send(agent, `${url}/x`);
          assert.deepEqual([status, JSON.parse(body).url, was], [200, "/x", reused]);
          await settle();
        }
      }
      assert.equal(accepted, 2);
      assert.deepEqual(
        manager.stats().pools.map(({ agent: wires }) => wires),
        [
          { idle: 1, busy: 0, queued: 0 },
          { idle: 1, busy: 0, queued: 0 },
        ],
      );
    }));

  it("posts bodies", () =>
    using({}, async (agent) => {
      const { body } = await send(agent, urlOf(plain, "http"), { method: "POST" }, "a body");
      assert.equal(JSON.parse(body).body, "a body");
    }));

  it("opens no more than maxsize, and serves those who wait in turn", () =>
    using({ maxsize: 4 }, async (agent) => {
      const all = await Promise.all(
        Array.from({ length: 20 }, (_none, index) => send(agent, `${urlOf(plain, "http")}/${index}`)),
      );
      assert.deepEqual(
        all.map(({ body }) => JSON.parse(body).url),
        Array.from({ length: 20 }, (_none, index) => `/${index}`),
      );
      assert.equal(accepted, 4);
      await settle();
      assert.equal(Object.values(agent.freeSockets).flat().length, 4);
    }));

  it("shares maxConnections with the manager's own requests", () =>
    using({ maxConnections: 1 }, async (agent, manager) => {
      assert.equal((await send(agent, urlOf(plain, "http"))).status, 200);
      await settle();
      assert.equal((await manager.request("GET", urlOf(plain, "http"))).status, 200);
      assert.equal((await send(agent, urlOf(secure, "https"))).status, 200);
      assert.equal(manager.stats().openConnections, 1);
    }));

  it("leaves the manager's own way to its origins alone", () =>
    using({}, async (agent, manager) => {
      const own = `${urlOf(plain, "http")}/own`;
      const other = http.createServer((_request, response) => response.end("other"));
      await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
      for (let round = 0; round < 3; round++) {
        assert.equal(JSON.parse((await manager.request("GET", own)).data.toString()).url, "/own");
        assert.equal((await send(agent, urlOf(other, "http"))).body, "other");
      }
      other.closeAllConnections();
      other.close();
    }));

  it("opens sockets for who speaks on them himself", () =>
    using({ maxsize: 1 }, async (agent) => {
      const { port } = plain.address() as AddressInfo;
      for (let round = 0; round < 2; round++) {
        const socket = await new Promise<Socket>((resolve, reject) => {
          agent.createConnection({ host: "127.0.0.1", port }, (error, opened) => {
            if (error) reject(error);
            else resolve(opened as Socket);
          });
        });
        socket.end("GET /raw HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let text = "";
        for await (const part of socket) text += part;
        assert.match(text, /"url":"\/raw"/);
      }
    }));

  it("gives a place up when a request is destroyed while it waits", () =>
    using({ maxsize: 1 }, async (agent) => {
      const holding = http.get(`${urlOf(plain, "http")}/hold`, { agent });
      holding.on("error", () => {});
      await once(holding, "socket");
      const controller = new AbortController();
      const waiting = http.get(urlOf(plain, "http"), { agent });
      const aborted = http.get(urlOf(plain, "http"), { agent, signal: controller.signal });
      assert.equal(Object.values(agent.requests).flat().length, 2);
      const failures = [once(waiting, "error"), once(aborted, "error")];
      waiting.destroy();
      controller.abort();
      const [[first], [second]] = (await Promise.all(failures)) as [
        [NodeJS.ErrnoException],
        [NodeJS.ErrnoException],
      ];
      assert.deepEqual([first.code, second.name], ["ECONNRESET", "AbortError"]);
      assert.deepEqual(agent.requests, {});
      const last = send(agent, `${urlOf(plain, "http")}/last`);
      holding.destroy();
      assert.equal((await last).status, 200);
    }));

  it("keeps the request option timeout, as node:http's own agent does, and takes it off for the next request", () =>
    using({ maxsize: 1 }, async (agent) => {
      const held = http.get(`${urlOf(plain, "http")}/hold`, { agent, timeout: 20 });
      held.on("error", () => {});
      await once(held, "timeout");
      held.destroy();
      await send(agent, urlOf(plain, "http"), { timeout: 5000 });
      await settle();
      const [[socket]] = Object.values(agent.freeSockets) as [[Socket]];
      assert.equal(socket.timeout ?? 0, 0);
    }));

  it("speaks on streams that are no sockets", () =>
    using(
      {
        connect: () => {
          const [ours, theirs] = duplexPair();
          plain.emit("connection", theirs);
          return ours;
        },
      },
      async (agent) => {
        const answer = await send(agent, "http://any.test/", { timeout: 5000 });
        assert.equal(JSON.parse(answer.body).host, "any.test");
        assert.equal((await send(agent, "http://any.test/")).reused, true);
      },
    ));

  it("reports failures with the system's code on top, and does not crash without a listener on the socket", () =>
    using({ retries: false }, async (agent) => {
      const server = net.createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      const url = urlOf(server, "http");
      await new Promise((resolve) => server.close(resolve));
      const [error] = (await once(http.get(url, { agent }), "error")) as [
        NodeJS.ErrnoException & { urlpoolCode: string },
      ];
      assert.deepEqual([error.code, error.urlpoolCode], ["ECONNREFUSED", "ERR_URLPOOL_NEW_CONNECTION"]);
    }));

  it("drops an idle socket that the server closes or writes to", () =>
    using({}, async (agent) => {
      await send(agent, urlOf(plain, "http"));
      await settle();
      const [peer] = [...sockets];
      const [own] = Object.values(agent.freeSockets).flat();
      const gone = once(own!, "close");
      peer!.write("HTTP/1.1 408 Request Timeout\r\n\r\n");
      await gone;
      assert.equal((await send(agent, urlOf(plain, "http"))).reused, false);
    }));

  it("keeps no socket that says Connection: close, and follows the server's hint", () =>
    using({ keepAliveTimeout: 60_000 }, async (agent) => {
      await send(agent, `${urlOf(plain, "http")}/close`);
      await settle();
      assert.deepEqual(agent.freeSockets, {});
      await send(agent, `${urlOf(plain, "http")}/hint`);
      await settle();
      assert.equal(Object.values(agent.freeSockets).flat().length, 1);
    }));

  it("lets upgraded sockets go: they take no place", async () => {
    const server = http.createServer(answer).on("upgrade", (_request, socket: Socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
      socket.on("error", () => {}).pipe(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await using({ maxsize: 1 }, async (agent) => {
      const headers = { Connection: "Upgrade", Upgrade: "echo" };
      const [, socket] = (await once(http.get(urlOf(server, "http"), { agent, headers }), "upgrade")) as [
        unknown,
        Socket,
      ];
      socket.write("hello");
      assert.equal(String((await once(socket, "data"))[0]), "hello");
      assert.equal((await send(agent, urlOf(server, "http"))).status, 200);
      socket.destroy();
    });
    server.closeAllConnections();
    server.close();
  });

  it("sends the Host field without a port that is the scheme's own", () =>
    using({}, async (agent) => {
      const connect = { host: "127.0.0.1", port: (plain.address() as AddressInfo).port };
      const { body } = await send(agent, "http://127.0.0.1/", { lookup: undefined as never, ...connect });
      assert.equal(JSON.parse(body).host, `127.0.0.1:${connect.port}`);
      const request = http.request("http://example.test/", { agent });
      assert.equal(request.getHeader("host"), "example.test");
      const tls = https.request("https://example.test/", { agent });
      assert.equal(tls.getHeader("host"), "example.test");
      for (const one of [request, tls]) {
        one.on("error", () => {});
        one.destroy();
      }
    }));

  describe("TLS options", () => {
    const bare = { caCertData: null };

    it("refuse what nobody vouches for, and accept what a request does", () =>
      using(bare, async (agent) => {
        const url = urlOf(secure, "https");
        const [error] = (await once(https.get(url, { agent }), "error")) as [NodeJS.ErrnoException];
        assert.match(String(error.code), /UNABLE_TO_VERIFY|SELF_SIGNED|ERR_URLPOOL_SSL/);
        assert.equal((await send(agent, url, { ca: authority.cert } as RequestOptions)).status, 200);
        assert.equal((await send(agent, url, { rejectUnauthorized: false } as RequestOptions)).status, 200);
      }));

    it("make one pool for equal ones, and others for others", () =>
      using(bare, async (agent, manager) => {
        const url = urlOf(secure, "https");
        for (let round = 0; round < 3; round++) {
          await send(agent, url, { ca: Buffer.from(authority.cert) } as RequestOptions);
          await settle();
        }
        assert.equal(accepted, 1);
        await send(agent, url, { ca: authority.cert, servername: "localhost" } as RequestOptions);
        assert.equal(manager.pools.size, 2);
      }));

    it("that a pool has nothing for are refused", () =>
      using({}, async (agent) => {
        const [error] = (await once(
          https.get(urlOf(secure, "https"), { agent, pskCallback: () => null } as never),
          "error",
        )) as [Error];
        assert.match(error.message, /pskCallback/);
      }));
  });

  describe("through a proxy that asks for credentials", () => {
    let proxy: http.Server;
    const seen: string[] = [];
    before(async () => {
      const allowed = (request: IncomingMessage): boolean => {
        seen.push(`${request.method} ${request.url}`);
        return request.headers["proxy-authorization"] === `Basic ${Buffer.from("u:p").toString("base64")}`;
      };
      proxy = http.createServer((request, response) => {
        if (!allowed(request)) return void response.writeHead(407).end();
        const onward = http.request(
          request.url!,
          { method: request.method!, headers: request.headers },
          (answered) => {
            response.writeHead(answered.statusCode!, answered.headers);
            answered.pipe(response);
          },
        );
        request.pipe(onward);
      });
      proxy.on("connect", (request, socket: Socket) => {
        if (!allowed(request)) return void socket.end("HTTP/1.1 407 No\r\n\r\n");
        const [host, port] = request.url!.split(":");
        const onward = net.connect(Number(port), host, () => {
          socket.write("HTTP/1.1 200 OK\r\n\r\n");
          socket.pipe(onward).pipe(socket);
        });
        for (const one of [socket, onward]) one.on("error", () => {});
      });
      await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    });
    after(() => {
      proxy.closeAllConnections();
      proxy.close();
    });

    for (const way of ["a URL", "a function", "a promise"]) {
      it(`http in absolute form where there is time, https through a tunnel: ${way}`, async () => {
        const url = urlOf(proxy, "http").replace("//", "//u:p@");
        const choose = { "a URL": url, "a function": () => url, "a promise": () => Promise.resolve(url) }[
          way
        ]!;
        await using({ proxy: choose as never, retries: false }, async (agent) => {
          seen.length = 0;
          const [target, tls] = [urlOf(plain, "http"), urlOf(secure, "https")];
          assert.equal((await send(agent, `${tls}/y`)).status, 200);
          assert.equal((await send(agent, `${target}/x`)).status, 200);
          // Its head is written by the time that it is known.
          const asked = way === "a promise" ? `CONNECT ${target.slice(7)}` : `GET ${target}/x`;
          assert.deepEqual(seen, [`CONNECT ${tls.slice(8)}`, asked]);
        });
      });
    }
  });
});
