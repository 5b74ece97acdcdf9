/** A route -> a ready connection: dial, TLS, each phase bounded by what is left of the connect timeout. */

import type { NetConnectOpts, Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import type { Clock } from "../core/clock.ts";
import { type CoarseTimers, TimerEntry } from "../core/coarse-timers.ts";
import { HTTPError, ReadTimeoutError } from "../core/errors.ts";
import { trace } from "../core/trace.ts";
import type { Connection, ConnectionOwner, ConnectionSetup } from "./connection.ts";
import { type DialOptions, type DialTarget, type DialTimings, dial } from "./dial.ts";
import { Http1Connection } from "./http1-connection.ts";
import { SocketReader } from "./socket-reader.ts";
import { SessionCache, type TlsSettings, toSslError, verifyPeer, warnInsecure } from "./tls.ts";

/** Where connections of one pool go, and how. */
export interface Route {
  target: DialTarget;
  /** For messages: `host:port` or the socket's path. */
  name: string;
  /** `null` for plain TCP. Made when the first connection is: files may be read. */
  tls: (() => TlsSettings) | null;
  dial: Omit<DialOptions, "clock" | "connectTimeout" | "onread" | "createSocket">;
  /** bytes */
  maxHeaderSize: number;
}

/** What a pool asks of a connector. */
export interface ConnectRequest {
  /** ms */
  readonly connectTimeout: number;
  readonly owner: ConnectionOwner;
  connected(connection: Connection): void;
  failed(error: Error): void;
}

/** A connection being made. */
export interface Connecting {
  /** Nothing is reported any more. */
  abort(): void;
  ref(): void;
  unref(): void;
}

/** Makes the connections of one route. */
export class Connector {
  readonly #route: Route;
  readonly #clock: Clock;
  readonly #timers: CoarseTimers;
  readonly #sessions = new SessionCache();
  #tls: TlsSettings | null = null;

  constructor(route: Route, clock: Clock, timers: CoarseTimers) {
    this.#route = route;
    this.#clock = clock;
    this.#timers = timers;
  }

  /** Begins to connect; reports once, later. */
  connect(request: ConnectRequest): Connecting {
    try {
      this.#tls ??= this.#route.tls?.() ?? null;
    } catch (error) {
      queueMicrotask(() => this.#failed(request, error as Error));
      return IDLE;
    }
    const reader = new SocketReader();
    let phase: Connecting = IDLE;
    phase = dial(this.#route.target, this.#dialOptions(request, reader), (error, socket, timings) => {
      if (socket === null) this.#failed(request, error!);
      else if (this.#tls === null) this.#ready(request, socket, reader, { ...timings, tls: null });
      else phase = this.#handshake(request, socket as TLSSocket, reader, timings);
    });
    return { abort: () => phase.abort(), ref: () => phase.ref(), unref: () => phase.unref() };
  }

  #dialOptions(request: ConnectRequest, reader: SocketReader): DialOptions {
    const tls = this.#tls;
    return {
      ...this.#route.dial,
      clock: this.#clock,
      connectTimeout: request.connectTimeout,
      onread: reader.onread,
      ...(tls === null ? {} : { createSocket: (options) => this.#tlsSocket(options, tls) }),
    };
  }

  /** The handshake begins by itself once TCP stands; `tls.connect({ socket })` would lose `onread`. */
  #tlsSocket(options: NetConnectOpts, tls: TlsSettings): TLSSocket {
    const session = this.#sessions.take();
    const socket = connect({ ...options, ...tls.connect, ...(session === undefined ? {} : { session }) });
    // Without a listener during the handshake Node lets sessions of TLS 1.2 go.
    return socket.on("session", ignore);
  }

  #keepSessions(socket: TLSSocket): void {
    socket.on("session", (ticket: Buffer) => this.#sessions.add(ticket));
    // Resuming one of TLS 1.2 brings no other, but it may be used again.
    const session = socket.getProtocol() === "TLSv1.2" && socket.isSessionReused() && socket.getSession();
    if (session) this.#sessions.add(session);
  }

  /** Waits for what `#tlsSocket` has begun. */
  #handshake(
    request: ConnectRequest,
    socket: TLSSocket,
    reader: SocketReader,
    dialled: DialTimings,
  ): Connecting {
    const tls = this.#tls!;
    const begin = this.#clock.now();
    const spent = dialled.dns + dialled.connect;
    const end = (error: Error | null): void => {
      timer.disarm();
      socket.off("secureConnect", onSecure).off("error", onError).off("close", onClose);
      if (error === null)
        this.#ready(request, socket, reader, { ...dialled, tls: this.#clock.now() - begin });
      else {
        socket.on("error", ignore).destroy();
        this.#failed(request, error);
      }
    };
    const onSecure = (): void => {
      const error = verifyPeer(socket, tls);
      // Who resumes a session is not checked anew: only a peer that passed may leave one.
      if (error === null) this.#keepSessions(socket);
      end(error);
    };
    const onError = (error: Error): void => end(toSslError(error, tls.host));
    const onClose = (): void => onError(new Error("The peer closed the connection during the TLS handshake"));
    const timer = new TimerEntry(() => end(handshakeTimeout(request.connectTimeout)));
    this.#timers.arm(timer, Math.max(1, request.connectTimeout - spent));
    socket.on("secureConnect", onSecure).on("error", onError).on("close", onClose);
    if (!tls.verified) warnInsecure(tls.host);
    return {
      abort: () => {
        timer.disarm();
        socket.off("secureConnect", onSecure).off("error", onError).off("close", onClose);
        socket.on("error", ignore).destroy();
      },
      ref: () => socket.ref(),
      unref: () => socket.unref(),
    };
  }

  #ready(request: ConnectRequest, socket: Socket, reader: SocketReader, setup: ConnectionSetup): void {
    const { name, maxHeaderSize } = this.#route;
    const connection = new Http1Connection(socket, reader, {
      owner: request.owner,
      timers: this.#timers,
      bornAt: this.#clock.now(),
      maxHeaderSize,
      route: name,
      setup,
    });
    if (trace.connectionOpen.hasSubscribers) {
      trace.connectionOpen.publish({ connection: connection.id, route: name, ...setup });
    }
    request.connected(connection);
  }

  #failed(request: ConnectRequest, error: Error): void {
    const { name: route } = this.#route;
    if (error instanceof HTTPError)
      error.describe({ route, reused: false, bytesWritten: 0, responseStarted: false });
    if (trace.connectionError.hasSubscribers) trace.connectionError.publish({ route, error });
    request.failed(error);
  }
}

const IDLE: Connecting = { abort: ignore, ref: ignore, unref: ignore };

function ignore(): void {}

function handshakeTimeout(connectTimeout: number): ReadTimeoutError {
  return new ReadTimeoutError(
    `Read timed out during the TLS handshake. (connect timeout=${connectTimeout} ms)`,
    {
      phase: "tls",
    },
  );
}
