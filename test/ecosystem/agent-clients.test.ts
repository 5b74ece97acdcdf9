/** Other people's clients that take an agent, over ours: one object for both schemes. */

import assert from "node:assert/strict";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import https from "node:https";
import type { AddressInfo, Server } from "node:net";
import { after, before, describe, it } from "node:test";
import { type PoolAgent, PoolManager } from "../../src/index.ts";
import { makeAuthority } from "../kit/certificates.ts";
import { load, requireThere, skip } from "./workshop.ts";

type Got = (url: string, options: object) => { json(): Promise<unknown> };

interface Axios {
  get(url: string, options: object): Promise<{ data: unknown }>;
}

type Fetch = (url: string, options: object) => Promise<{ json(): Promise<unknown> }>;

interface Handler {
  handle(request: unknown): Promise<{ response: { statusCode: number; body: AsyncIterable<Buffer> } }>;
}

interface Socket_ {
  on(event: string, listener: (data: unknown) => void): Socket_;
  send(text: string): void;
  close(): void;
}

describe("clients over the agent", { skip }, () => {
  let servers: (http.Server | https.Server)[];
  let urls: string[];
  let manager: PoolManager;
  let agent: PoolAgent;
  let connections = 0;

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.url === "/to-https") response.writeHead(302, { location: urls[1] }).end();
    else response.setHeader("content-type", "application/json").end(JSON.stringify({ url: request.url }));
  };

  before(async () => {
    const authority = await makeAuthority("Agents");
    const { cert, key } = await authority.issue({ names: ["localhost"], ips: ["127.0.0.1"] });
    servers = [http.createServer(answer), https.createServer({ cert, key }, answer)];
    for (const server of servers) {
      server.on("connection", () => connections++);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    }
    urls = servers.map(
      (server, index) =>
        `${index === 0 ? "http" : "https"}://127.0.0.1:${((server as Server).address() as AddressInfo).port}/`,
    );
    manager = new PoolManager({ caCertData: authority.cert, maxsize: 4, retries: false });
    agent = manager.agent;
  });
  after(() => {
    agent.destroy();
    manager.clear();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });

  /** 12 requests at once by http and by https, and no more than 4 connections to each. */
  async function crowd(get: (url: string) => Promise<unknown>): Promise<void> {
    for (const url of urls) {
      connections = 0;
      const seen = await Promise.all(Array.from({ length: 12 }, () => get(url)));
      assert.deepEqual(seen, Array(12).fill({ url: "/" }));
      assert.ok(connections <= 4, `${connections} connections`);
    }
    assert.deepEqual(await get(`${urls[0]}to-https`), { url: "/" });
  }

  it("axios", async () => {
    const { default: axios } = await load<{ default: Axios }>("axios");
    const options = { adapter: "http", httpAgent: agent, httpsAgent: agent, proxy: false };
    await crowd(async (url) => (await axios.get(url, options)).data);
  });

  it("got", async () => {
    const { default: got } = await load<{ default: Got }>("got");
    await crowd((url) => got(url, { agent: { http: agent, https: agent }, retry: { limit: 0 } }).json());
  });

  it("node-fetch", async () => {
    const { default: fetch } = await load<{ default: Fetch }>("node-fetch");
    await crowd(async (url) => (await fetch(url, { agent })).json());
  });

  it("gaxios", async () => {
    const { default: fetchImplementation } = await load<{ default: Fetch }>("node-fetch");
    const { Gaxios } = requireThere("gaxios") as {
      Gaxios: new (options: object) => { request(options: object): Promise<{ data: unknown }> };
    };
    const gaxios = new Gaxios({ agent, fetchImplementation });
    await crowd(async (url) => (await gaxios.request({ url })).data);
  });

  it("the AWS SDK's NodeHttpHandler", async () => {
    const { NodeHttpHandler } = requireThere("@smithy/node-http-handler") as {
      NodeHttpHandler: new (options: object) => Handler;
    };
    const handler = new NodeHttpHandler({ httpAgent: agent, httpsAgent: agent });
    for (const url of urls) {
      const { protocol, hostname, port } = new URL(url);
      const asked = {
        protocol,
        hostname,
        port: Number(port),
        method: "GET",
        path: "/aws",
        headers: { host: `${hostname}:${port}` },
        query: {},
      };
      const { response } = await handler.handle(asked);
      let body = "";
      for await (const part of response.body) body += part;
      assert.deepEqual([response.statusCode, JSON.parse(body)], [200, { url: "/aws" }]);
    }
  });

  it("ws, by http and https", async () => {
    const WebSocket = requireThere("ws") as (new (
      url: string,
      options: object,
    ) => Socket_) & {
      WebSocketServer: new (options: object) => Socket_;
    };
    for (const [index, server] of servers.entries()) {
      const echo = new WebSocket.WebSocketServer({ server });
      echo.on("connection", (socket) =>
        (socket as Socket_).on("message", (data) => (socket as Socket_).send(`echo ${data}`)),
      );
      const socket = new WebSocket(urls[index]!.replace("http", "ws"), { agent });
      const said = await new Promise((resolve, reject) => {
        socket
          .on("error", reject)
          .on("open", () => socket.send("hello"))
          .on("message", (data) => resolve(String(data)));
      });
      assert.equal(said, "echo hello");
      socket.close();
      echo.close();
    }
  });
});
