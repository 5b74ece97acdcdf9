/**
 * node:http2 as a server of its own, started as `node node-h2-server.js PORT STREAMS` in a folder with `www/`, `cert.pem`
 * and `key.pem`. SIGUSR2 has every session say GOAWAY; SIGTERM ends it in peace.
 */

import { readFileSync } from "node:fs";
import http2, {
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";

const [port, streams] = process.argv.slice(2).map(Number);
const files = new Map(["/small.txt", "/big.bin"].map((path) => [path, readFileSync(`www${path}`)]));
const sessions = new Set<ServerHttp2Session>();

function answer(request: Http2ServerRequest, response: Http2ServerResponse): void {
  const { url } = request;
  const file = files.get(url);
  if (file !== undefined) response.end(file);
  else if (url === "/trailers") {
    response.addTrailers({ "x-sum": "abc" });
    response.end("with trailers");
  } else if (url === "/early-hints") {
    response.writeEarlyHints({ link: "</a.css>; rel=preload" });
    response.end("hinted");
  } else if (url === "/http11" && request.httpVersionMajor === 2)
    response.stream.close(http2.constants.NGHTTP2_HTTP_1_1_REQUIRED);
  else if (url === "/echo") request.pipe(response);
  else response.end(`${request.httpVersion} ${request.headers["x-a"] ?? ""}`);
}

const server = http2.createSecureServer(
  {
    cert: readFileSync("cert.pem"),
    key: readFileSync("key.pem"),
    allowHTTP1: true,
    settings: { maxConcurrentStreams: streams! },
    // Ten bodies of 1 MiB wait at once.
    maxSessionMemory: 100,
  },
  answer,
);
server.on("session", (session) => {
  sessions.add(session);
  session.on("close", () => sessions.delete(session));
});
server.listen(port, "127.0.0.1");

function closeSessions(): void {
  for (const session of sessions) session.close();
}

process.on("SIGUSR2", closeSessions);
process.on("SIGTERM", () => {
  server.close();
  closeSessions();
});
