/**
 * The hosts that the texts speak of, on this machine: a program that runs with `preload.ts` reaches them under their
 * names, on their usual ports.
 */

import http, { type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import https from "node:https";
import net, { type AddressInfo, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { makeAuthority } from "../kit/certificates.ts";

/** Ports on 127.0.0.1. */
export interface DocsPorts {
  http: number;
  https: number;
  proxy: number;
  /** A proxy that is spoken to over TLS. */
  tlsProxy: number;
  socks: number;
}

/** Servers that run, for one program. */
export interface DocsWorld extends AsyncDisposable {
  readonly ports: DocsPorts;
}

const NAMES = ["example.com", "*.example.com", "httpbin.org", "jsonplaceholder.typicode.com"];

/** PEM of the authority that the hosts' certificates are signed by. */
export async function docsAuthority(): Promise<string> {
  return (await makeAuthority("Docs Authority")).cert;
}

/** Starts the hosts, an HTTP proxy, the same over TLS, and a SOCKS5 proxy. */
export async function startDocsWorld(): Promise<DocsWorld> {
  const authority = await makeAuthority("Docs Authority");
  const { cert, key } = await authority.issue({ names: NAMES });
  const answer = makeHosts();
  const tunnel = (_request: IncomingMessage, socket: Duplex): void => {
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    join(socket, ports.https);
  };
  const servers: Record<keyof DocsPorts, Server> = {
    http: http.createServer(answer),
    https: https.createServer({ cert, key }, answer),
    proxy: http.createServer(answer).on("connect", tunnel),
    tlsProxy: https.createServer({ cert, key }, answer).on("connect", tunnel),
    socks: net.createServer((socket) => serveSocks(socket, ports)),
  };
  const sockets = new Set<Socket>();
  const ports: DocsPorts = { http: 0, https: 0, proxy: 0, tlsProxy: 0, socks: 0 };
  for (const [name, server] of Object.entries(servers) as [keyof DocsPorts, Server][]) {
    // On a busy machine a connection must not end between two requests.
    if ("keepAliveTimeout" in server) server.keepAliveTimeout = 0;
    server.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.on("error", ignore).on("close", () => sockets.delete(socket));
    });
    ports[name] = await listen(server);
  }
  return {
    ports,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all(Object.values(servers).map((server) => new Promise((done) => server.close(done))));
    },
  };
}

/** Answers for all hosts, and remembers what one program asked. */
function makeHosts(): RequestListener {
  let flaky = 0;
  const hosts: Record<string, (request: IncomingMessage, response: ServerResponse, path: string) => void> = {
    "example.com": (_request, response) => send(response, 200, "<h1>Example Domain</h1>", "text/html"),
    "jsonplaceholder.typicode.com": (_request, response) => {
      send(response, 200, '{"userId":1,"id":1,"title":"delectus aut autem","completed":false}');
    },
    "httpbin.org": (request, response, path) => {
      const [, hops] = /redirect\/(\d+)$/.exec(path) ?? [];
      if (hops !== undefined) {
        response.setHeader("Location", hops === "1" ? "/get" : `/relative-redirect/${Number(hops) - 1}`);
        send(response, 302, "", "text/html");
      } else if (path === "/robots.txt")
        send(response, 200, "User-agent: *\nDisallow: /deny\n", "text/plain");
      else echo(request, response);
    },
    "api.example.com": (request, response, path) => {
      if (path === "/slow") return;
      if (path === "/flaky") send(response, ++flaky < 3 ? 503 : 200, "{}");
      else if (path === "/rows") send(response, 200, '{"id":1}\n{"id":2}\n', "application/x-ndjson");
      else if (path === "/events") send(response, 200, "id: 7\ndata: hello\n\n", "text/event-stream");
      else if (request.method === "POST" && path === "/users") send(response, 201, '{"id":7,"name":"Ada"}');
      else echo(request, response);
    },
    "files.example.com": (request, response, path) => {
      response.setHeader("ETag", '"1"');
      if (path === "/big.bin") send(response, 200, Buffer.alloc(1_000_000), "application/octet-stream");
      else send(response, request.method === "PUT" ? 201 : 200, "");
    },
  };
  return (request, response) => {
    // A request for a proxy has an absolute URL.
    const url = new URL(request.url!, `http://${request.headers.host}`);
    const host = hosts[url.hostname];
    request.resume().on("end", () => {
      if (host === undefined) echo(request, response);
      else host(request, response, url.pathname);
    });
  };
}

function echo({ method, url, headers }: IncomingMessage, response: ServerResponse): void {
  send(response, 200, JSON.stringify({ method, url, headers }));
}

function send(
  response: ServerResponse,
  status: number,
  body: string | Buffer,
  type = "application/json",
): void {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}

/** SOCKS5 without authentication (RFC 1928), just enough of it. */
function serveSocks(socket: Socket, ports: DocsPorts): void {
  let heard = Buffer.alloc(0);
  let greeted = false;
  const listen = (bytes: Buffer): void => {
    heard = Buffer.concat([heard, bytes]);
    if (!greeted && heard.length >= 2 && heard.length >= 2 + heard[1]!) {
      heard = heard.subarray(2 + heard[1]!);
      greeted = true;
      socket.write(Buffer.from([5, 0]));
    }
    const length = heard[3] === 3 ? 5 + heard[4]! + 2 : heard[3] === 4 ? 22 : 10;
    if (!greeted || heard.length < length) return;
    socket.off("data", listen);
    socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
    join(socket, heard.readUInt16BE(length - 2) === 443 ? ports.https : ports.http);
  };
  socket.on("data", listen);
}

function join(socket: Duplex, port: number): void {
  const other = net.connect(port, "127.0.0.1");
  for (const [one, two] of [
    [socket, other],
    [other, socket],
  ] as const) {
    one.on("error", ignore).on("close", () => two.destroy());
    one.pipe(two);
  }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

function ignore(): void {}
