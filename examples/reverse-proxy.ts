/**
 * A reverse proxy: what it is asked for it asks another server for, and streams bodies in both directions, no faster than the
 * slower side takes them.
 *
 *     node examples/reverse-proxy.ts http://127.0.0.1:3000 --port 8080
 *
 * Bodies go through as they are (nothing is decoded), redirects are the client's to follow, fields that belong to one connection
 * (RFC 9110 section 7.6.1) stay on it. It answers 502 where there is no answer to give, and 504 where that came too late.
 * WebSockets are not passed on.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import {
  ConnectTimeoutError,
  HTTPError,
  HTTPHeaderDict,
  type HTTPResponse,
  type Informational,
  NewConnectionError,
  PoolManager,
  ReadTimeoutError,
  SKIP_HEADER,
} from "urlpool";

const USAGE = "usage: reverse-proxy.ts UPSTREAM-URL [--port 8080] [--timeout 60000]";

/** Fields of one connection. What `Connection` names joins them. */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** What the name of this proxy is in `Via`. */
const NAME = "urlpool";

class ReverseProxy {
  readonly #manager: PoolManager;
  readonly #upstream: string;

  constructor(upstream: URL, timeout: number) {
    this.#upstream = upstream.href.replace(/\/$/, "");
    this.#manager = new PoolManager({
      maxsize: 256,
      timeout: { connect: 5_000, read: timeout },
      retries: false,
      redirect: false,
      preloadContent: false,
      decodeContent: false,
    });
  }

  /** Serves one request; never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once("close", () => gone.abort(new Error("the client has gone")));
    try {
      using answer = await this.#ask(request, response, gone.signal);
      response.writeHead(answer.status, answer.reason, fieldsForClient(answer));
      await pipeline(answer.readable(), response);
      console.log(`${request.method} ${request.url} ${answer.status}`);
    } catch (error) {
      console.log(`${request.method} ${request.url} failed: ${messageOf(error)}`);
      refuse(response, error);
    }
  }

  close(): Promise<void> {
    return this.#manager.close({ timeout: 5_000 });
  }

  #ask(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<HTTPResponse> {
    const hasBody = "content-length" in request.headers || "transfer-encoding" in request.headers;
    return this.#manager.request(request.method ?? "GET", this.#upstream + (request.url ?? "/"), {
      headers: fieldsForUpstream(request),
      body: hasBody ? request : null,
      signal,
      onInformational: (hint) => passHint(hint, response),
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Early hints (103); a 100 is Node's affair. */
function passHint({ status, headers }: Informational, response: ServerResponse): void {
  const link = headers.getList("link");
  if (status === 103 && link.length > 0) response.writeEarlyHints({ link });
}

function withoutHopByHop(headers: HTTPHeaderDict): HTTPHeaderDict {
  const named = (headers.get("connection") ?? "").split(",").map((name) => name.trim());
  for (const name of [...HOP_BY_HOP, ...named]) if (name !== "") headers.delete(name);
  return headers;
}

function fieldsForUpstream(request: IncomingMessage): HTTPHeaderDict {
  const headers = new HTTPHeaderDict();
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    headers.append(request.rawHeaders[at]!, request.rawHeaders[at + 1]!);
  }
  withoutHopByHop(headers);
  // Node has answered this already.
  headers.delete("expect");
  headers.append("X-Forwarded-For", request.socket.remoteAddress ?? "unknown");
  headers.append("Via", `${request.httpVersion} ${NAME}`);
  // Defaults of ours would change what the client has asked for.
  for (const name of ["Accept-Encoding", "User-Agent"]) headers.setDefault(name, SKIP_HEADER);
  return headers;
}

/** Pairs in one list, as `writeHead` takes them. */
function fieldsForClient(answer: HTTPResponse): string[] {
  const headers = withoutHopByHop(answer.headers.copy());
  headers.append("Via", `${answer.versionString.replace("HTTP/", "")} ${NAME}`);
  return [...headers.items()].flat();
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    // The client must see that the body is not whole.
    response.destroy();
    return;
  }
  const late = error instanceof ReadTimeoutError || isLateConnect(error);
  const status = late ? 504 : error instanceof HTTPError ? 502 : 500;
  response.writeHead(status, { "Content-Type": "text/plain" });
  response.end(late ? "The server did not answer in time.\n" : "The server could not be reached.\n");
}

function isLateConnect(error: unknown): boolean {
  return error instanceof ConnectTimeoutError && !(error instanceof NewConnectionError);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { port: { type: "string", default: "8080" }, timeout: { type: "string", default: "60000" } },
  });
  const [upstream = "", ...more] = positionals;
  if (!URL.canParse(upstream) || more.length > 0) throw new TypeError(USAGE);
  const proxy = new ReverseProxy(new URL(upstream), Number(values.timeout));
  const server = createServer((request, response) => void proxy.serve(request, response));
  server.listen(Number(values.port), "127.0.0.1", () => {
    console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port} -> ${upstream}`);
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      server.close();
      server.closeIdleConnections();
      void proxy.close();
    });
  }
}

try {
  main();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 2;
}
