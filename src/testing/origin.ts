/** A real server on loopback for tests: it answers by routes, and fails where it is told to, by phase and by byte. */

import { once } from "node:events";
import net, { type AddressInfo, type Server, type Socket } from "node:net";
import tls from "node:tls";
import { type Clock, systemClock } from "../index.ts";
import { type Certificate, selfSigned } from "./certificate.ts";
import { pass } from "./mock-connection.ts";
import { type OriginAnswer, written } from "./origin-answer.ts";
import { MockRequest } from "./request.ts";
import { RequestReader } from "./request-reader.ts";
import type { MockRoute, Reply, RouteMatch } from "./route.ts";
import { Routes } from "./routes.ts";

/** Options of {@link startOrigin}. */
export interface OriginOptions {
  /** Speaks TLS with a certificate made for it, or with these options. Default false. */
  tls?: boolean | tls.TlsOptions | undefined;
  /** Host names of its certificate besides `localhost`, `127.0.0.1` and `::1`. */
  names?: readonly string[] | undefined;
  /** What `delay` and `trickle` go by. Default: the platform's. */
  clock?: Pick<Clock, "setTimer"> | undefined;
}

/** One accepted connection. */
export interface OriginConnection {
  /** Requests that came on it. */
  readonly requests: number;
  /** Who ended it; `null` while it is open. */
  readonly closedBy: "client" | "origin" | null;
}

/** Starts a server on 127.0.0.1, on a free port. `await using` stops it. */
export async function startOrigin(options: OriginOptions = {}): Promise<TestOrigin> {
  const origin = new TestOrigin(options);
  await origin.accept();
  return origin;
}

/** A server that {@link startOrigin} has started. */
export class TestOrigin {
  /** Every connection so far. */
  readonly connections: OriginConnection[] = [];
  /** PEM of its certificate, for `caCertData`; `null` where it has made none. */
  readonly ca: string | null;
  readonly #scheme: string;
  readonly #clock: Pick<Clock, "setTimer">;
  readonly #server: Server;
  readonly #routes = new Routes<OriginAnswer>();
  /** Those below TLS: a reset needs them. */
  readonly #sockets = new Set<Socket>();
  #port = 0;

  /** To be started by `accept`. */
  constructor({ tls: secure = false, names = [], clock = systemClock }: OriginOptions) {
    const own = secure === true ? selfSigned(["localhost", "127.0.0.1", "::1", ...names]) : null;
    this.ca = own?.cert ?? null;
    this.#scheme = secure === false ? "http" : "https";
    this.#clock = clock;
    this.#server = this.#makeServer(own ?? (secure as tls.TlsOptions | false));
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("error", ignore).on("close", () => this.#sockets.delete(socket));
    });
  }

  /** Such as `http://127.0.0.1:40000`, without a slash at its end. */
  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Every request, in its order, over all connections. */
  get requests(): readonly MockRequest[] {
    return this.#routes.requests;
  }

  /** Expects what `match` says. A list answers in turn, and its last one stays. The first route that fits answers. */
  route(match: RouteMatch, reply: Reply<OriginAnswer>): MockRoute<OriginAnswer> {
    return this.#routes.add(match, reply);
  }

  /** Expects GET of a path, such as `/users/:id`. */
  get(path: string, reply: Reply<OriginAnswer>): MockRoute<OriginAnswer> {
    return this.route({ method: "GET", path }, reply);
  }

  /** Expects POST to a path. */
  post(path: string, reply: Reply<OriginAnswer>): MockRoute<OriginAnswer> {
    return this.route({ method: "POST", path }, reply);
  }

  /** Answers to whatever comes that no earlier route takes, in turn; the last one stays. */
  script(reply: Reply<OriginAnswer>): MockRoute<OriginAnswer> {
    return this.route({}, reply);
  }

  /** Throws the first request that no route took, or an error that names the routes that were not used up. */
  verify(): void {
    this.#routes.verify();
  }

  /** From now on nobody listens: connections are refused. Those that stand are reset. */
  async refuse(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  /** Accepts connections again, on the same port. */
  async accept(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Ends the server and its connections. */
  close(): Promise<void> {
    return this.refuse();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #makeServer(options: Certificate | tls.TlsOptions | false): Server {
    const serve = (socket: Socket): void => void this.#serve(socket);
    // A client that ends its side may still wait for the answer.
    const base = { allowHalfOpen: true, noDelay: true };
    if (options === false) return net.createServer(base, serve);
    return tls.createServer({ ...base, ...options }, serve).on("tlsClientError", ignore);
  }

  async #serve(socket: Socket): Promise<void> {
    const connection = { requests: 0, closedBy: null as OriginConnection["closedBy"] };
    const number = this.connections.push(connection);
    socket.on("error", ignore).on("close", () => (connection.closedBy ??= "client"));
    const reader = new RequestReader(socket);
    for (;;) {
      const asked = await reader.next(() => socket.write("HTTP/1.1 100 Continue\r\n\r\n"));
      if (asked === null) break;
      connection.requests += 1;
      const { method, target, headers, body } = asked;
      const request = new MockRequest(method, new URL(target, this.url).href, headers, body, number);
      const answer = await this.#answer(request);
      if (answer.delay !== undefined) await pass(this.#clock, answer.delay);
      const { bytes, cut, last } = written(answer, method, asked.close);
      await this.#send(socket, bytes.subarray(0, cut), answer);
      if (answer.fault === "stall") continue;
      if (answer.fault === undefined && !last) continue;
      connection.closedBy ??= "origin";
      if (answer.fault === "reset") {
        if (cut > 0) await hasBeenRead();
        this.#reset(socket);
      }
      break;
    }
    socket.end();
  }

  async #answer(request: MockRequest): Promise<OriginAnswer> {
    try {
      return await this.#routes.take(request);
    } catch (error) {
      return { status: 501, text: String(error) };
    }
  }

  async #send(socket: Socket, bytes: Buffer, { trickle }: OriginAnswer): Promise<void> {
    const size = trickle?.bytes ?? Math.max(1, bytes.length);
    for (let at = 0; at < bytes.length && !socket.destroyed; at += size) {
      if (trickle !== undefined && at > 0) await pass(this.#clock, trickle.every);
      await new Promise<void>((resolve) => socket.write(bytes.subarray(at, at + size), () => resolve()));
    }
  }

  /** Node cannot reset a TLS socket, but the one below it. */
  #reset(socket: Socket): void {
    const { remotePort } = socket;
    const below = [...this.#sockets].find((one) => one.remotePort === remotePort) ?? socket;
    below.resetAndDestroy();
    socket.destroy();
  }
}

/** Where bytes and a reset come in one poll, libuv reports the bytes and an end: the peer must have read before. */
async function hasBeenRead(): Promise<void> {
  await pass(systemClock, 5);
  await new Promise<void>((resolve) => systemClock.afterPoll(resolve));
}

function ignore(): void {}
