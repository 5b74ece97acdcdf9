/** The servers that `smoke.mjs` talks to, all of Node's own modules, so that it is the client that is tried. */

import { once } from "node:events";
import http, { type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { makeAuthority } from "../kit/certificates.ts";
import { startSocks } from "../kit/rogue-socks.ts";

/** Where they are, as the smoke's environment has it. */
export interface SmokeServers extends AsyncDisposable {
  /** The variable `SERVERS`. */
  readonly where: string;
}

const BIG = Buffer.alloc(1_000_000);

/** Starts them; `folder` is where the Unix-domain socket is made. */
export async function startServers(folder: string): Promise<SmokeServers> {
  const authority = await makeAuthority();
  const identity = await authority.issue({ names: ["localhost"] });
  const handler = answers();
  const plain = http.createServer(handler);
  const unix = http.createServer(handler);
  const secure = http2.createSecureServer({ ...identity, allowHTTP1: true }, handler as never);
  const h2c = http2.createServer(handler as never);
  const proxy = http.createServer((request, response) => response.end(`forwarded ${request.url}`));
  proxy.on("connect", (request: IncomingMessage, socket: net.Socket) => tunnel(request.url ?? "", socket));
  const socks = await startSocks();
  const sockets = new Set<net.Socket>();
  const servers: net.Server[] = [plain, unix, secure as never, h2c as never, proxy];
  for (const server of servers) {
    server.on("connection", (socket: net.Socket) => sockets.add(socket.on("error", () => {})));
  }
  const path = `${folder}/smoke.sock`;
  const ports = await Promise.all([plain, secure, h2c, proxy].map((server) => listen(server as net.Server)));
  unix.listen(path);
  await once(unix, "listening");
  const [plainPort, securePort, h2cPort, proxyPort] = ports;
  const where = {
    plain: `http://127.0.0.1:${plainPort}`,
    secure: `https://localhost:${securePort}`,
    h2c: `http://127.0.0.1:${h2cPort}`,
    proxy: `http://127.0.0.1:${proxyPort}`,
    socks: `socks5h://127.0.0.1:${socks.port}`,
    unix: path,
    ca: authority.cert,
  };
  const stop = async (): Promise<void> => {
    for (const server of servers) server.close();
    for (const socket of sockets) socket.destroy();
    await socks.close();
  };
  return { where: JSON.stringify(where), [Symbol.asyncDispose]: stop };
}

async function listen(server: net.Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function tunnel(target: string, socket: net.Socket): void {
  const origin = net.connect(Number(target.split(":").at(-1)), "127.0.0.1");
  socket.write("HTTP/1.1 200 OK\r\n\r\n");
  origin.pipe(socket).pipe(origin);
  for (const [one, other] of [
    [origin, socket],
    [socket, origin],
  ] as const) {
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
  }
}

/** What each path answers. */
function answers(): RequestListener {
  let flaky = 0;
  const paths: Record<string, (response: ServerResponse) => unknown> = {
    "/gzip": (response) => response.writeHead(200, { "Content-Encoding": "gzip" }).end(gzipSync("zipped")),
    "/deflate": (response) =>
      response.writeHead(200, { "Content-Encoding": "deflate" }).end(deflateSync("zipped")),
    "/br": (response) =>
      response.writeHead(200, { "Content-Encoding": "br" }).end(brotliCompressSync("zipped")),
    "/hop": (response) => response.writeHead(302, { Location: "/echo" }).end(),
    "/flaky": (response) => response.writeHead(flaky++ % 2 === 0 ? 503 : 200).end(),
    "/cookie": (response) => response.writeHead(200, { "Set-Cookie": "a=1; Path=/" }).end(),
    "/big": (response) => response.writeHead(200, { "Content-Length": BIG.length }).end(BIG),
    "/lines": (response) => later(response, "a\nb", "c\n"),
    "/rows": (response) => later(response, '{"id":1}\n{"i', 'd":2}\n'),
    "/events": (response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      later(response, "id: 1\ndata: x\n\nid: 2\nda", "ta: y\n\n");
    },
    "/trailers": (response) => {
      response.writeHead(200, { Trailer: "X-Sum" });
      response.write("body");
      response.addTrailers({ "X-Sum": "42" });
      response.end();
    },
    "/hints": (response) =>
      response.writeEarlyHints({ link: "</a.css>; rel=preload" }, () => response.end("styled")),
    "/half": (response) => {
      response.writeHead(200, { "Content-Length": 100 });
      response.write("half", () => response.destroy());
    },
    "/fresh": (response) => response.writeHead(200, { "Cache-Control": "max-age=60" }).end("fresh"),
    "/silent": () => {},
  };
  return (request, response) => (paths[request.url ?? ""] ?? ((to) => void echo(request, to)))(response);
}

function later(response: ServerResponse, first: string, second: string): void {
  response.write(first);
  setTimeout(() => response.end(second), 20);
}

async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const { method, url, headers } = request;
  const body = Buffer.concat(pieces);
  const text = body.length < 10_000 ? body.toString("latin1") : null;
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify({ method, url, headers, length: body.length, body: text }));
}
