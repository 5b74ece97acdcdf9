/**
 * Other people's clients that take an agent, over ours: one object for both schemes, directly and through a squid that
 * asks for credentials.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import https from "node:https";
import net, { type AddressInfo, type Server, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { type PoolAgent, PoolManager, type PoolManagerOptions } from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { skipWithout } from "../kit/daemon.ts";
import { type Squid, startSquid } from "../kit/squid.ts";
import { AGENT_CLIENTS, type AgentClient, loadWs } from "./agent-kit.ts";
import { skip } from "./workshop.ts";

const SCHEMES = ["http", "https"] as const;
const MAXSIZE = 4;
const PASSWORD = "p@ss";

describe("clients over the agent", { skip }, () => {
  let servers: Server[];
  let urls: Record<"http" | "https", string>;
  let options: PoolManagerOptions;
  const connections = new Set<Socket>();
  /** Answers that are kept back, and what the origin was asked for. */
  let held: ServerResponse[] = [];
  let asked: string[] = [];

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    asked.push(request.url!);
    if (request.url === "/hold") held.push(response);
    else if (request.url === "/to-https") response.writeHead(302, { location: urls.https }).end();
    else response.setHeader("content-type", "application/json").end(JSON.stringify({ url: request.url }));
  };

  before(async () => {
    const authority = await makeAuthority("Agents");
    const { cert, key } = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
    servers = [http.createServer(answer), https.createServer({ cert, key }, answer)];
    const { WebSocketServer } = loadWs();
    for (const server of servers) {
      server.on("connection", (socket: Socket) => {
        connections.add(socket);
        socket.on("close", () => connections.delete(socket));
      });
      new WebSocketServer({ server }).on("connection", (socket) =>
        (socket as { on(name: string, run: () => void): void; send(text: string): void }).on("message", () =>
          (socket as { send(text: string): void }).send('{"url":"/"}'),
        ),
      );
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    }
    const [plain, secure] = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}/`);
    urls = { http: `http://${plain}`, https: `https://${secure}` };
    options = { caCertData: authority.cert, maxsize: MAXSIZE, retries: false };
  });
  after(() => {
    for (const socket of connections) socket.destroy();
    for (const server of servers) server.close();
  });

  async function using(
    given: PoolManagerOptions,
    run: (agent: PoolAgent, manager: PoolManager) => Promise<unknown>,
  ): Promise<void> {
    const manager = new PoolManager({ ...options, ...given });
    [held, asked] = [[], []];
    try {
      await run(manager.agent, manager);
    } finally {
      for (const response of held) response.end();
      manager.agent.destroy();
      manager.clear();
    }
  }

  /** Twelve requests at once by http and by https, and no more than `MAXSIZE` connections for each. */
  async function crowd(
    { get, upgrades, followsRedirects }: AgentClient,
    way: PoolManagerOptions,
  ): Promise<void> {
    await using(way, async (agent, manager) => {
      for (const scheme of SCHEMES) {
        const seen = await Promise.all(Array.from({ length: 12 }, () => get(agent, urls[scheme])));
        assert.deepEqual(seen, Array(12).fill({ url: "/" }));
      }
      const open = manager
        .stats()
        .pools.flatMap(({ agent: wires }) => (wires ? [wires.idle + wires.busy] : []));
      if (upgrades) assert.equal(Math.max(...open), 0);
      else assert.ok(Math.max(...open) <= MAXSIZE && Math.min(...open) > 0, `${open} connections`);
      if (followsRedirects) assert.deepEqual(await get(agent, `${urls.http}to-https`), { url: "/" });
    });
  }

  /** A request that waits for the only place is aborted: it fails at once, and nobody hears of it. */
  async function abortWhileQueued({ get }: AgentClient, way: PoolManagerOptions): Promise<void> {
    for (const scheme of SCHEMES) {
      await using({ ...way, maxsize: 1 }, async (agent) => {
        const { request } = scheme === "http" ? http : https;
        const holding = request(`${urls[scheme]}hold`, { agent }).end();
        holding.on("error", () => {});
        await until(() => held.length === 1);
        const controller = new AbortController();
        const waiting = get(agent, `${urls[scheme]}aborted`, controller.signal);
        const failed = assert.rejects(waiting);
        await until(() => Object.values(agent.requests).flat().length === 1);
        controller.abort();
        await failed;
        assert.deepEqual(agent.requests, {});
        const next = get(agent, urls[scheme]);
        for (const response of held.splice(0)) response.end();
        holding.once("response", (response: IncomingMessage) => response.resume());
        assert.deepEqual(await next, { url: "/" });
        assert.ok(!asked.includes("/aborted"));
      });
    }
  }

  /** Idle connections that the origin resets end nothing but themselves. */
  async function resetWhileIdle({ get }: AgentClient): Promise<void> {
    await using({}, async (agent) => {
      for (const scheme of SCHEMES) {
        await get(agent, urls[scheme]);
        for (const socket of connections) socket.resetAndDestroy();
        await until(() => Object.values(agent.freeSockets).flat().length === 0);
        assert.deepEqual(await get(agent, urls[scheme]), { url: "/" });
      }
    });
  }

  describe("directly", () => {
    for (const client of AGENT_CLIENTS) {
      it(`${client.name}: many at once`, () => crowd(client, {}));
      it(`${client.name}: aborted while it waits for a place`, () => abortWhileQueued(client, {}));
      it(`${client.name}: idle connections are reset`, () => resetWhileIdle(client));

      it(`${client.name}: nobody listens there`, () =>
        using({}, async (agent) => {
          const server = net.createServer().listen(0, "127.0.0.1");
          await once(server, "listening");
          const { port } = server.address() as AddressInfo;
          await new Promise((resolve) => server.close(resolve));
          for (const scheme of SCHEMES) {
            const error = await client.get(agent, `${scheme}://127.0.0.1:${port}/`).catch((reason) => reason);
            assert.equal(codeOf(error), "ECONNREFUSED", String(error));
          }
        }));
    }
  });

  describe("through a squid that asks for credentials", { skip: skipWithout("squid") }, () => {
    let squid: Squid;
    let way: PoolManagerOptions;
    before(async () => {
      squid = await startSquid({ auth: { scheme: "basic", user: "u", password: PASSWORD } });
      way = { proxy: `http://u:${encodeURIComponent(PASSWORD)}@127.0.0.1:${squid.port}` };
    });
    after(() => squid.stop());

    for (const client of AGENT_CLIENTS) {
      it(`${client.name}: many at once`, () => crowd(client, way));
      it(`${client.name}: aborted while it waits for a place`, () => abortWhileQueued(client, way));

      it(`${client.name}: the proxy is promised`, () =>
        crowd(client, { proxy: () => Promise.resolve(way.proxy as string) }));

      it(`${client.name}: the wrong password`, () =>
        using({ proxy: `http://u:wrong@127.0.0.1:${squid.port}` }, async (agent) => {
          // By http the refusal is an answer, of which clients make what they like.
          await assert.rejects(client.get(agent, urls.http));
          await assert.rejects(client.get(agent, urls.https), (error) =>
            /407/.test(`${error} ${codeOf(error)}`),
          );
          assert.deepEqual(asked, []);
        }));
    }
  });
});

/** The code of an error, or of what lies under it. */
function codeOf(error: unknown): unknown {
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return typeof code === "string" && /^E[A-Z]+$/.test(code)
    ? code
    : cause === undefined
      ? code
      : codeOf(cause);
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
