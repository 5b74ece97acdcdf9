/** Other people's clients that take an agent, each as one function. */

import type { PoolAgent } from "../../src/index.ts";
import { load, requireThere } from "./workshop.ts";

/** A client. */
export interface AgentClient {
  readonly name: string;
  /** A GET over `agent`, by http or https: what the JSON of the answer says. `signal` ends it. */
  get(agent: PoolAgent, url: string, signal?: AbortSignal): Promise<unknown>;
  /** It takes connections for itself, and leaves redirects to its caller. */
  readonly upgrades?: boolean;
  readonly followsRedirects: boolean;
}

type Got = (url: string, options: object) => { json(): Promise<unknown> };

interface Axios {
  get(url: string, options: object): Promise<{ data: unknown }>;
}

type Fetch = (url: string, options: object) => Promise<{ json(): Promise<unknown> }>;

interface Handler {
  handle(
    request: unknown,
    options: object,
  ): Promise<{ response: { statusCode: number; body: AsyncIterable<Buffer> } }>;
}

interface WebSocketLike {
  on(event: string, listener: (data: unknown) => void): WebSocketLike;
  send(text: string): void;
  terminate(): void;
  close(): void;
}

/** `ws`, and its server. */
export interface WsModule {
  new (url: string, options: object): WebSocketLike;
  readonly WebSocketServer: new (options: object) => WebSocketLike;
}

/** The package `ws`. */
export function loadWs(): WsModule {
  return requireThere("ws") as WsModule;
}

/** All of them. */
export const AGENT_CLIENTS: readonly AgentClient[] = [
  {
    name: "axios",
    followsRedirects: true,
    async get(agent, url, signal) {
      const { default: axios } = await load<{ default: Axios }>("axios");
      const options = { adapter: "http", httpAgent: agent, httpsAgent: agent, proxy: false, signal };
      return (await axios.get(url, options)).data;
    },
  },
  {
    name: "got",
    followsRedirects: true,
    async get(agent, url, signal) {
      const { default: got } = await load<{ default: Got }>("got");
      return got(url, { agent: { http: agent, https: agent }, retry: { limit: 0 }, signal }).json();
    },
  },
  {
    name: "node-fetch",
    followsRedirects: true,
    async get(agent, url, signal) {
      const { default: fetch } = await load<{ default: Fetch }>("node-fetch");
      return (await fetch(url, { agent, signal })).json();
    },
  },
  {
    name: "gaxios",
    followsRedirects: true,
    async get(agent, url, signal) {
      const { default: fetchImplementation } = await load<{ default: Fetch }>("node-fetch");
      const { Gaxios } = requireThere("gaxios") as {
        Gaxios: new (options: object) => { request(options: object): Promise<{ data: unknown }> };
      };
      return (await new Gaxios({ agent, fetchImplementation }).request({ url, signal })).data;
    },
  },
  {
    name: "the AWS SDK's NodeHttpHandler",
    followsRedirects: false,
    async get(agent, url, signal) {
      const { NodeHttpHandler } = requireThere("@smithy/node-http-handler") as {
        NodeHttpHandler: new (options: object) => Handler;
      };
      const { protocol, hostname, port, pathname: path, host } = new URL(url);
      const asked = {
        protocol,
        hostname,
        port: Number(port),
        path,
        method: "GET",
        headers: { host },
        query: {},
      };
      const handler = new NodeHttpHandler({ httpAgent: agent, httpsAgent: agent });
      const { response } = await handler.handle(asked, { abortSignal: signal });
      let body = "";
      for await (const part of response.body) body += part;
      return JSON.parse(body);
    },
  },
  {
    name: "ws",
    followsRedirects: false,
    upgrades: true,
    get: (agent, url, signal) =>
      new Promise((resolve, reject) => {
        const WebSocket = loadWs();
        const socket = new WebSocket(url.replace("http", "ws"), { agent });
        signal?.addEventListener("abort", () => socket.terminate());
        socket
          .on("error", reject)
          .on("open", () => socket.send("hello"))
          .on("message", (text) => {
            resolve(JSON.parse(String(text)));
            socket.close();
          });
      }),
  },
];
