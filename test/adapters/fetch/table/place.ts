/** Where the rows of the table run: two origins on loopback that answer as their paths say. */

import { createHash } from "node:crypto";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import type { Fetch } from "../../../../src/index.ts";

/** One observation of a row, on the platform's fetch and on ours. */
export interface Case {
  readonly row: number;
  readonly name: string;
  /** What is seen; a rejection is seen too. */
  run(fetch: Fetch, place: Place): unknown;
  /** What ours is to show where it differs on purpose, and why. */
  readonly ours?: Difference;
}

/** What ours shows, and why. */
export interface Difference {
  readonly shows: unknown;
  readonly because: string;
  /** The standard says what ours shows, or leaves it open; the platform's has its own way. */
  readonly standard: boolean;
}

/** A request as it came. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly names: readonly string[];
  readonly body: string;
}

/** The running origins. */
export class Place {
  /** Of every request so far. */
  readonly seen: Seen[] = [];
  /** Connections that have closed. */
  closed = 0;
  readonly #servers: http.Server[] = [];
  readonly #gone: (() => void)[] = [];

  static async start(): Promise<Place> {
    const place = new Place();
    for (let index = 0; index < 2; index++) {
      const server = http.createServer((request, response) => void place.#answer(request, response));
      server.on("connection", (socket) => place.#watch(socket));
      server.on("clientError", (_error, socket) => socket.destroy());
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      place.#servers.push(server);
    }
    return place;
  }

  /** `http://127.0.0.1:PORT`, without a slash at its end. */
  get url(): string {
    return this.#urlOf(0);
  }

  /** Another origin. */
  get other(): string {
    return this.#urlOf(1);
  }

  /** The next connection that closes. */
  gone(): Promise<void> {
    return new Promise((resolve) => this.#gone.push(resolve));
  }

  async close(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  #urlOf(index: number): string {
    return `http://127.0.0.1:${(this.#servers[index]!.address() as AddressInfo).port}`;
  }

  #watch(socket: Socket): void {
    socket.on("close", () => {
      this.closed++;
      for (const resolve of this.#gone.splice(0)) resolve();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, "http://x");
    const early = EARLY[url.pathname];
    if (early !== undefined) return early(response, url);
    const parts: Buffer[] = [];
    try {
      for await (const part of request) parts.push(part as Buffer);
    } catch {
      return;
    }
    const seen = {
      method: request.method!,
      path: request.url!,
      headers: request.headers as Record<string, string>,
      names: request.rawHeaders.filter((_text, index) => index % 2 === 0),
      body: Buffer.concat(parts).toString("latin1"),
    };
    this.seen.push(seen);
    const answer = ANSWERS[url.pathname];
    if (answer !== undefined) answer(response, url);
    else response.setHeader("content-type", "application/json").end(JSON.stringify(seen));
  }
}

type Answer = (response: ServerResponse, url: URL) => void;

/** They do not wait for the request's body. */
const EARLY: Record<string, Answer> = {
  "/413": (response) => response.writeHead(413, { connection: "close" }).end("too large"),
  "/hold": () => {},
  "/reset": (response) => response.socket!.resetAndDestroy(),
  "/garbage": (response) => response.socket!.end("garbage\r\n\r\n"),
};

/** Sent as it stands, at the end of its connection. */
const raw =
  (text: string | Buffer): Answer =>
  (response) => {
    response.socket!.end(text);
  };

const coded =
  (coding: string, body: Buffer): Answer =>
  (response) =>
    response.writeHead(200, { "content-encoding": coding, "content-length": body.length }).end(body);

const TEXT = "a text, a text, a text, a text";

const ANSWERS: Record<string, Answer> = {
  "/status": (response, { searchParams }) =>
    response
      .writeHead(Number(searchParams.get("code")), searchParams.get("reason") ?? "Reason")
      .end(searchParams.get("body") ?? ""),
  "/to": (response, { searchParams }) => {
    const location = searchParams.get("location");
    const headers = location === null ? {} : { location: Buffer.from(location).toString("latin1") };
    response
      .writeHead(Number(searchParams.get("code") ?? 302), { "set-cookie": "hop=1", ...headers })
      .end("moved");
  },
  "/loop": (response, { searchParams }) => {
    const left = Number(searchParams.get("left"));
    if (left === 0) response.end("there");
    else response.writeHead(302, { location: `/loop?left=${left - 1}` }).end();
  },
  "/empty-location": raw(
    "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: \r\nContent-Length: 0\r\n\r\n",
  ),
  "/text": (response) => response.end(TEXT),
  "/bytes": (response, { searchParams }) => response.end(Buffer.alloc(Number(searchParams.get("size")), 97)),
  "/type": (response, { searchParams }) =>
    response
      .setHeader("content-type", searchParams.get("type") ?? "")
      .end(Buffer.from(searchParams.get("hex") ?? "", "hex")),
  "/untyped": (response) => response.end("x"),
  "/fields": (response) =>
    response
      .writeHead(200, ["X-B", "1", "x-a", "2", "X-B", "3", "Set-Cookie", "a=1", "Set-Cookie", "b=2"])
      .end(),
  "/http10": raw("HTTP/1.0 200\r\nX: 1\r\n\r\nto the end"),
  "/latin1": raw(Buffer.from("HTTP/1.1 200 caf\xe9\r\nContent-Length: 0\r\n\r\n", "latin1")),
  "/early-hints": raw(
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
  ),
  "/101": raw("HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
  "/gzip": coded("gzip", gzipSync(TEXT)),
  "/x-gzip": coded("x-GZip", gzipSync(TEXT)),
  "/deflate": coded("deflate", deflateSync(TEXT)),
  "/deflate-raw": coded("deflate", deflateRawSync(TEXT)),
  "/br": coded("br", brotliCompressSync(TEXT)),
  "/several": coded("gzip, br", brotliCompressSync(gzipSync(TEXT))),
  "/unknown-coding": coded("zoo", Buffer.from(TEXT)),
  "/not-gzip": coded("gzip", Buffer.from("this is no gzip at all")),
  "/cut-gzip": coded("gzip", gzipSync(Buffer.alloc(100_000, "abc")).subarray(0, 60)),
  "/short": raw("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhalf"),
  "/short-chunks": raw(
    "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
  ),
  "/slow": (response) => response.write("first "),
  "/endless": (response) => {
    const write = (): void => {
      while (response.write(Buffer.alloc(65_536))) {
        if (response.destroyed) return;
      }
    };
    response.on("drain", write);
    write();
  },
  "/trailers": raw(
    "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: 1\r\n\r\n",
  ),
  "/large-head": raw(
    `HTTP/1.1 200 OK\r\nConnection: close\r\nX: ${"x".repeat(20_000)}\r\nContent-Length: 2\r\n\r\nok`,
  ),
  "/two-lengths": raw(
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
  ),
  "/form": (response) =>
    response.setHeader("content-type", "application/x-www-form-urlencoded").end("a=1&b=%20"),
  "/multipart": (response) =>
    response
      .setHeader("content-type", "multipart/form-data; boundary=B")
      .end('--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--B--\r\n'),
};

/** Digest of what `/text` sends, as integrity metadata has it. */
export function digestOfText(algorithm: string, encoding: "base64" | "base64url" = "base64"): string {
  return `${algorithm}-${createHash(algorithm).update(TEXT).digest(encoding)}`;
}

/** What comes of a promise: a value, or a rejection as `name: message`. */
export async function outcome(run: () => unknown): Promise<unknown> {
  try {
    return await run();
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : { rejected: error };
  }
}

/** What the origin saw of a request. */
export async function echo(response: Promise<Response>): Promise<Seen> {
  return (await (await response).json()) as Seen;
}
