/** Other people's clients that take a `fetch`, over ours. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { type Fetch, PoolManager } from "../../src/index.ts";
import { load, requireThere, skip } from "./workshop.ts";

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => unknown;

interface Json {
  json(): Promise<unknown>;
  text(): Promise<string>;
  blob(): Promise<Blob>;
}

describe("clients over fetch", { skip }, () => {
  let server: http.Server;
  let url = "";
  let answer: Answer;
  let manager: PoolManager;
  let fetch: Fetch;

  before(async () => {
    server = http.createServer(async (request, response) => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      await answer(request, response, Buffer.concat(parts).toString());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    manager = new PoolManager({ retries: false });
    fetch = manager.fetch;
  });
  after(() => {
    manager.clear();
    server.closeAllConnections();
    server.close();
  });

  const json = (response: ServerResponse, value: unknown, status = 200): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  };

  describe("ky", () => {
    type Ky = { get(url: string, options: object): Json; post(url: string, options: object): Json };

    it("gets and posts JSON, and tries again after a 503", async () => {
      const { default: ky } = await load<{ default: Ky }>("ky");
      let asked = 0;
      answer = (request, response, body) =>
        ++asked === 1 ? response.writeHead(503).end() : json(response, { method: request.method, body });
      const retry = { limit: 2, delay: () => 1 };
      assert.deepEqual(await ky.get(url, { fetch, retry }).json(), { method: "GET", body: "" });
      assert.equal(asked, 2);
      const posted = await ky.post(url, { fetch, json: { a: 1 } }).json();
      assert.deepEqual(posted, { method: "POST", body: '{"a":1}' });
    });

    it("lets hooks replace the answer, and reports progress", async () => {
      const { default: ky } = await load<{ default: Ky }>("ky");
      answer = (_request, response) => response.end("x".repeat(100_000));
      const seen: number[] = [];
      const onDownloadProgress = ({ transferredBytes }: { transferredBytes: number }): number =>
        seen.push(transferredBytes);
      assert.equal((await ky.get(url, { fetch, onDownloadProgress }).text()).length, 100_000);
      assert.equal(seen.at(-1), 100_000);
      const hooks = { afterResponse: [() => new Response("replaced")] };
      assert.equal(await ky.get(url, { fetch, hooks }).text(), "replaced");
    });

    it("throws its own errors for statuses and timeouts", async () => {
      const { default: ky } = await load<{ default: Ky }>("ky");
      answer = (_request, response) => response.writeHead(404).end("nothing");
      await assert.rejects(ky.get(url, { fetch }).text(), { name: "HTTPError" });
      answer = () => {};
      await assert.rejects(ky.get(url, { fetch, timeout: 50, retry: 0 }).text(), { name: "TimeoutError" });
    });
  });

  describe("openai", () => {
    interface OpenAI {
      chat: {
        completions: {
          create(body: object): Promise<AsyncIterable<{ choices: { delta: { content?: string } }[] }>>;
        };
      };
      files: { create(body: object): Promise<{ id: string }> };
    }
    type Module = {
      default: new (options: object) => OpenAI;
      toFile(source: unknown, name?: string): Promise<File>;
    };

    const client = async (): Promise<[OpenAI, Module]> => {
      const module = await load<Module>("openai");
      const options = { apiKey: "k", baseURL: url, fetch, maxRetries: 1 };
      return [new module.default(options), module];
    };

    it("streams events", async () => {
      const [openai] = await client();
      answer = (_request, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" });
        for (const word of ["Hel", "lo"])
          response.write(`data: ${JSON.stringify({ choices: [{ delta: { content: word } }] })}\n\n`);
        response.end("data: [DONE]\n\n");
      };
      let text = "";
      for await (const { choices } of await openai.chat.completions.create({
        model: "m",
        messages: [],
        stream: true,
      })) {
        text += choices[0]!.delta.content;
      }
      assert.equal(text, "Hello");
    });

    it("uploads a file, also one that is an answer of ours", async () => {
      const [openai, { toFile }] = await client();
      answer = (request, response, body) =>
        request.url === "/source"
          ? response.end("content of the file")
          : json(response, { id: body.includes("content of the file") ? "ok" : body });
      const file = await toFile(await fetch(`${url}/source`), "a.txt");
      assert.equal((await openai.files.create({ purpose: "assistants", file })).id, "ok");
    });

    it("knows a failed connection", async () => {
      const { default: OpenAI } = await load<Module>("openai");
      const openai = new OpenAI({
        apiKey: "k",
        baseURL: "http://127.0.0.1:9",
        fetch: manager.fetch,
        maxRetries: 0,
      });
      const error = await openai.files.create({}).catch((reason: Error) => reason);
      assert.equal((error as Error).constructor.name, "APIConnectionError");
    });
  });

  it("gaxios: JSON, and an error for a status", async () => {
    const { Gaxios } = requireThere("gaxios") as {
      Gaxios: new (options: object) => { request<T>(options: object): Promise<{ data: T; status: number }> };
    };
    const gaxios = new Gaxios({ fetchImplementation: fetch });
    answer = (_request, response, body) => json(response, { body });
    const { data } = await gaxios.request<unknown>({ url: `${url}/`, method: "POST", data: { a: 1 } });
    assert.deepEqual(data, { body: '{"a":1}' });
    answer = (_request, response) => response.writeHead(400).end("bad");
    await assert.rejects(gaxios.request({ url: `${url}/` }), { status: 400 });
  });

  it("axios's fetch adapter: JSON, upload, progress, abort", async () => {
    interface Axios {
      create(options: object): {
        post(url: string, data: unknown, options?: object): Promise<{ data: unknown; status: number }>;
        get(url: string, options?: object): Promise<{ data: unknown; status: number }>;
      };
    }
    const { default: axios } = await load<{ default: Axios }>("axios");
    const client = axios.create({ adapter: "fetch", env: { fetch } });
    answer = (_request, response, body) => json(response, { body });
    const seen: number[] = [];
    const onDownloadProgress = ({ loaded }: { loaded: number }): number => seen.push(loaded);
    assert.deepEqual((await client.post(url, { a: 1 }, { onDownloadProgress })).data, { body: '{"a":1}' });
    assert.ok(seen.at(-1)! > 0);
    answer = () => {};
    await assert.rejects(client.get(url, { signal: AbortSignal.timeout(30) }), { code: "ERR_CANCELED" });
  });

  it("@modelcontextprotocol/sdk: a streamable client and its server", async () => {
    interface Client {
      connect(transport: unknown): Promise<void>;
      callTool(call: object): Promise<{ content: { text: string }[] }>;
      close(): Promise<void>;
    }
    interface Tools {
      registerTool(name: string, options: object, run: (args: { a: number }) => object): void;
      connect(transport: unknown): Promise<void>;
    }
    const at = (path: string): Record<string, new (...args: unknown[]) => unknown> =>
      requireThere(`@modelcontextprotocol/sdk/${path}`);
    const { z } = requireThere("zod") as { z: { number(): unknown } };
    const { McpServer } = at("server/mcp.js");
    const { StreamableHTTPServerTransport } = at("server/streamableHttp.js");
    const tools = new McpServer!({ name: "test", version: "1" }) as Tools;
    tools.registerTool("double", { inputSchema: { a: z.number() } }, ({ a }) => ({
      content: [{ type: "text", text: `${a * 2}` }],
    }));
    const transport = new StreamableHTTPServerTransport!({ sessionIdGenerator: randomUUID }) as {
      handleRequest(request: IncomingMessage, response: ServerResponse, body?: unknown): Promise<void>;
    };
    await tools.connect(transport);
    answer = (request, response, body) =>
      transport.handleRequest(request, response, body === "" ? undefined : JSON.parse(body));
    const { Client } = at("client/index.js");
    const { StreamableHTTPClientTransport } = at("client/streamableHttp.js");
    const client = new Client!({ name: "test", version: "1" }) as Client;
    await client.connect(new StreamableHTTPClientTransport!(new URL(`${url}/mcp`), { fetch }));
    const { content } = await client.callTool({ name: "double", arguments: { a: 21 } });
    assert.equal(content[0]!.text, "42");
    await client.close();
  });
});
