/** A scripted server on a real socket: TCP, TLS or a Unix-domain socket. For plain HTTP answers see `http-origin.ts`. */

import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { OriginConnection, PeerGone } from "./origin-connection.ts";

export { OriginConnection, PeerGone };

/** What happens on one connection; runs once for each. Its failure makes `close()` reject, so that no test misses it. */
export type OriginHandler = (connection: OriginConnection) => Promise<void> | void;

/**
 * Answers sent as they stand, each after reading one request head (requests have no body). A single one answers every
 * request; of a list, the n-th answers the connection's n-th request, and after the last the connection is closed.
 */
export type OriginScript = string | Uint8Array | readonly (string | Uint8Array)[];

/** Where and how to listen. */
export interface OriginOptions {
  /** Address to listen on. Default `127.0.0.1`. */
  host?: string;
  /** Default: a free one. */
  port?: number;
  /** A Unix-domain socket instead. */
  path?: string;
  /** Speaks TLS with these options (`cert`, `key`, ...). */
  tls?: tls.TlsOptions;
  /** Connections that may wait to be accepted. */
  backlog?: number;
}

/** A running scripted server. */
export interface Origin extends AsyncDisposable {
  /** 0 on a Unix-domain socket. */
  readonly port: number;
  readonly host: string;
  /** `http://127.0.0.1:port` or `https://...`, without a slash at its end. */
  readonly url: string;
  /** Every connection so far, closed ones included; over TLS, once its handshake is done. */
  readonly connections: OriginConnection[];
  /** Every request head, in order of arrival over all connections. */
  readonly requests: string[];
  /** TCP connections accepted, whether or not a TLS handshake followed. */
  readonly accepted: number;
  /** Failed handshakes. */
  readonly tlsErrors: Error[];
  readonly server: net.Server | tls.Server;
  /** Settles with the n-th connection (from 0), at once if it is there. */
  connection(index: number): Promise<OriginConnection>;
  /** Stops listening and destroys all connections. Rejects with the first failure of a handler. */
  close(): Promise<void>;
}

/** Starts a scripted server; `await using origin = await startOrigin(...)` stops it. */
export async function startOrigin(
  behaviour: OriginHandler | OriginScript,
  options: OriginOptions = {},
): Promise<Origin> {
  const origin = new RunningOrigin(
    typeof behaviour === "function" ? behaviour : playScript(behaviour),
    options,
  );
  await origin.listen();
  return origin;
}

/** A handler that reads request heads and answers from the script. */
export function playScript(script: OriginScript): OriginHandler {
  const isList = Array.isArray(script);
  return async (connection) => {
    for (let count = 0; !isList || count < script.length; count += 1) {
      await connection.readHead();
      await connection.send(isList ? script[count] : script);
    }
    connection.halfClose();
  };
}

class RunningOrigin implements Origin {
  readonly connections: OriginConnection[] = [];
  readonly requests: string[] = [];
  readonly tlsErrors: Error[] = [];
  readonly server: net.Server | tls.Server;
  accepted = 0;
  readonly #handler: OriginHandler;
  readonly #options: OriginOptions;
  /** All open TCP sockets: under TLS, those below it. */
  readonly #sockets = new Set<net.Socket>();
  readonly #failures: unknown[] = [];
  #arrived: (() => void)[] = [];

  constructor(handler: OriginHandler, options: OriginOptions) {
    this.#handler = handler;
    this.#options = options;
    // The answer may be scripted to come after the client's FIN.
    const base = { allowHalfOpen: true, noDelay: true };
    this.server =
      options.tls === undefined
        ? net.createServer(base, (socket) => this.#serve(socket))
        : tls.createServer({ ...base, ...options.tls }, (socket) => this.#serve(this.#resettable(socket)));
    this.server.on("connection", (socket: net.Socket) => this.#accept(socket));
    this.server.on("tlsClientError", (error: Error) => this.tlsErrors.push(error));
  }

  get host(): string {
    return this.#options.path ?? this.#options.host ?? "127.0.0.1";
  }

  get port(): number {
    const address = this.server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  get url(): string {
    const scheme = this.#options.tls === undefined ? "http" : "https";
    if (this.#options.path !== undefined) return `${scheme}://localhost`;
    return `${scheme}://${this.host.includes(":") ? `[${this.host}]` : this.host}:${this.port}`;
  }

  async listen(): Promise<void> {
    const { path, backlog, port = 0 } = this.#options;
    this.server.listen({
      ...(path === undefined ? { host: this.host, port } : { path }),
      ...(backlog === undefined ? {} : { backlog }),
    });
    await once(this.server, "listening");
  }

  async connection(index: number): Promise<OriginConnection> {
    for (;;) {
      const found = this.connections[index];
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#arrived.push(resolve));
    }
  }

  async close(): Promise<void> {
    const closed = this.server.listening ? once(this.server, "close") : undefined;
    this.server.close();
    for (const connection of this.connections) connection.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    // Reads that were waiting have just been rejected: let their handlers end.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#failures.length > 0) throw this.#failures.splice(0)[0];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(socket: net.Socket): void {
    this.accepted += 1;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    // Over TLS the socket below has errors of its own, before and after the handshake.
    socket.on("error", () => {});
  }

  /** Node cannot reset a TLS socket, but the one below it. */
  #resettable(socket: tls.TLSSocket): tls.TLSSocket {
    const below = [...this.#sockets].find(
      (raw) => raw.remotePort !== undefined && raw.remotePort === socket.remotePort,
    );
    socket.resetAndDestroy = () => {
      below?.resetAndDestroy();
      return socket.destroy();
    };
    return socket;
  }

  #serve(socket: net.Socket): void {
    const connection = new OriginConnection(socket, this.connections.length, (head) =>
      this.requests.push(head),
    );
    this.connections.push(connection);
    for (const arrived of this.#arrived.splice(0)) arrived();
    this.#run(connection).catch((error: unknown) => {
      // A client may go at any time; only what the handler itself got wrong is a failure.
      if (!(error instanceof PeerGone)) this.#failures.push(error);
      connection.close();
    });
  }

  async #run(connection: OriginConnection): Promise<void> {
    await this.#handler(connection);
    // The handler has nothing more to say: a client that goes takes the connection with it.
    await connection.ended;
    connection.halfClose();
  }
}
