/**
 * A route -> a ready connection, or the bare socket of one: dial, TLS with the first hop, the tunnel through it where it
 * is a proxy, TLS with the origin. Nothing here has a time limit: whoever waits has one, and aborts.
 */

import type { NetConnectOpts, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Connection, ConnectionOwner, ConnectionSetup, Protocol } from "../connection/connection.ts";
import { Http1Connection } from "../connection/http1/connection.ts";
import { Http2Connection } from "../connection/http2/connection.ts";
import { SocketReader } from "../connection/reader.ts";
import type { Clock } from "../core/clock.ts";
import { ConnectTimeoutError, HTTPError, InvalidArgumentError } from "../core/errors.ts";
import { ignore } from "../core/ignore.ts";
import type { CoarseTimers } from "../core/timers.ts";
import { trace } from "../core/trace.ts";
import { HeadReader } from "../protocol/h1/head-reader.ts";
import { type ConnectFunction, type ConnectOrigin, CustomDial } from "./custom-dial.ts";
import { type Connecting, timeoutText } from "./handshake-step.ts";
import { HTTP1_ONLY, type Http2Route, offeredTo, protocolFor } from "./protocols.ts";
import { type DialOptions, type DialTarget, type DialTimings, dial } from "./race.ts";
import { TlsPeer } from "./tls/handshake.ts";
import type { TlsSettings } from "./tls/settings.ts";

export type { Connecting } from "./handshake-step.ts";

/** Where connections of one pool go, and how. */
export interface Route {
  /** The first hop: the origin, or a proxy. */
  readonly target: DialTarget;
  /** For messages: `host:port` or the socket's path of the first hop. */
  readonly name: string;
  /** Whose requests go this way. */
  readonly origin: ConnectOrigin;
  /** With the first hop; `null` for plain TCP. Made when the first connection is: files may be read. */
  readonly tls: (() => TlsSettings) | null;
  /** What a failure on the way to the first hop means; `null`: what it says. */
  readonly describeFailure: ((error: Error) => Error) | null;
  /** What lies behind the first hop, where that is a proxy that passes bytes on. */
  readonly tunnel: ProxyTunnel | null;
  /** Opens the way to the first hop in place of a dial; `null`: a dial does. */
  readonly connect: ConnectFunction | null;
  readonly dial: Omit<DialOptions, "clock" | "onread" | "createSocket">;
  /** bytes */
  readonly maxHeaderSize: number;
  /** What the origin may be spoken to besides HTTP/1.1; `null` for nothing. */
  readonly http2: Http2Route | null;
}

/** How a tunnel was opened: with `again`, the proxy is to be asked once more, on a new connection. */
export type TunnelDone = (error: Error | null, again?: boolean) => void;

/** The way through a proxy. */
export interface ProxyTunnel {
  /** The request for one tunnel. */
  begin(): TunnelRequest;
  /** With the origin. */
  readonly tls: (() => TlsSettings) | null;
}

/** What a proxy is asked for one tunnel; it may take several connections to the proxy. */
export interface TunnelRequest {
  /** Asks the proxy at the other end of `socket`. */
  open(socket: Socket, done: TunnelDone): Connecting;
}

/** What a pool asks of a connector. */
export interface ConnectRequest {
  readonly owner: ConnectionOwner;
  /** Exchanges that the connection is expected to take at a time. Default: unknown. */
  readonly promise?: number;
  connected(connection: Connection): void;
  failed(error: Error): void;
}

/** A socket that leads to the origin, with no protocol on it. */
export interface OpenedSocket {
  /** What is written to it reaches the origin, or the proxy that forwards; nobody reads from it yet. */
  readonly socket: Socket;
  /** The socket below, where TLS runs over one that a proxy has connected; else `socket` itself. */
  readonly wire: Socket;
  readonly setup: ConnectionSetup;
  /** The address at the other end of the wire; `null` where there is none (a Unix-domain socket, a stream that is no socket). */
  readonly address: string | null;
  /** What ALPN chose; `null` without TLS, or where the peer chose nothing. */
  readonly protocol: string | null;
}

/** What somebody who wants a bare socket asks of a connector. */
export interface SocketRequest {
  opened(opened: OpenedSocket): void;
  failed(error: Error): void;
}

/** What an opening reports to: one of the three is called, once, later. */
interface OpeningRequest extends SocketRequest {
  /** Who takes the bytes of a socket that is dialled; `null`: its stream does. */
  readonly reader: SocketReader | null;
  /** For a connect function that makes connections itself; `null`: only a socket is wanted. */
  readonly owner: ConnectionOwner | null;
  /** What TLS with the origin offers. */
  readonly protocols: readonly Protocol[];
  connected(connection: Connection): void;
}

/** TLS with the ends of a route's hops. */
interface Peers {
  readonly firstHop: TlsPeer | null;
  readonly origin: TlsPeer | null;
}

/** Makes the connections of one route. */
export class Connector {
  readonly route: Route;
  readonly clock: Clock;
  readonly timers: CoarseTimers;
  /** One for all of its HTTP/1 connections. */
  readonly #headReader = new HeadReader();
  #peers: Peers | null = null;
  /** An origin that wants HTTP/1.1 for one request is spoken to in that from then on. */
  #http2: Http2Route | null;

  constructor(route: Route, clock: Clock, timers: CoarseTimers) {
    this.route = route;
    this.clock = clock;
    this.timers = timers;
    this.#http2 = route.http2;
  }

  /** Begins to connect; reports once, later. */
  connect(request: ConnectRequest): Connecting {
    const reader = new SocketReader();
    const connected = (connection: Connection): void => {
      this.#traceOpen(connection);
      request.connected(connection);
    };
    const http2 = this.#http2;
    return this.#open({
      reader,
      owner: request.owner,
      protocols: offeredTo(http2),
      opened: (opened) => {
        try {
          connected(this.#speak(opened, reader, request, http2));
        } catch (error) {
          opened.socket.on("error", ignore).destroy();
          traceError(this.route, error as Error);
          request.failed(described(this.route, error as Error));
        }
      },
      connected,
      failed: (error) => request.failed(error),
    });
  }

  /**
   * As `connect`, but reports the socket itself: for somebody who speaks a protocol of his own over this route, such as
   * an `http.Agent`. The socket has no listeners: whoever gets it listens for 'error' in the same call.
   */
  openSocket(request: SocketRequest): Connecting {
    return this.#open({
      reader: null,
      owner: null,
      protocols: HTTP1_ONLY,
      opened: (opened) => request.opened(opened),
      connected: (connection) => {
        connection.close();
        request.failed(new InvalidArgumentError("connect gave a Connection where a stream is needed"));
      },
      failed: (error) => request.failed(error),
    });
  }

  #open(request: OpeningRequest): Connecting {
    try {
      this.#peers ??= peersOf(this.route);
    } catch (error) {
      return new RefusedOpening(this.route, error as Error, request);
    }
    return new Opening(this.route, this.#peers, this.clock, request);
  }

  /** Puts a protocol on a socket. */
  #speak(
    opened: OpenedSocket,
    reader: SocketReader,
    { owner, promise = 1 }: ConnectRequest,
    http2: Http2Route | null,
  ): Connection {
    const { route, clock, timers } = this;
    const { name, maxHeaderSize, tunnel, tls } = route;
    const { socket, wire, setup, address } = opened;
    const { firstHop, origin } = this.#peers!;
    const peer = (origin ?? firstHop)?.host ?? name;
    const settings = { owner, timers, maxHeaderSize, route: name, setup, address, peer, wire };
    const hasTls = tunnel === null ? tls !== null : tunnel.tls !== null;
    const protocol = protocolFor(http2, opened.protocol, hasTls);
    if (isReadThroughEvents(route)) reader.readEvents(socket);
    if (protocol === "http/1.1")
      return new Http1Connection(socket, reader, {
        ...settings,
        bornAt: clock.now(),
        headReader: this.#headReader,
      });
    return new Http2Connection(socket, reader, {
      ...settings,
      clock,
      maxStreams: http2!.maxStreams,
      // What served HTTP/1.1 until now has said nothing about streams.
      firstStreams: promise > 1 ? promise : Number.POSITIVE_INFINITY,
      pingInterval: http2!.pingInterval,
      ...(http2!.priorKnowledge ? {} : { onHttp1Required: this.#onHttp1Required }),
    });
  }

  readonly #onHttp1Required = (): void => {
    this.#http2 = null;
  };

  #traceOpen({ info: { id: connection }, setup }: Connection): void {
    const { name: route } = this.route;
    if (trace.connectionOpen.hasSubscribers) trace.connectionOpen.publish({ connection, route, ...setup });
  }
}

function peersOf({ tls, tunnel }: Route): Peers {
  return {
    firstHop: tls === null ? null : new TlsPeer(tls()),
    origin: tunnel === null || tunnel.tls === null ? null : new TlsPeer(tunnel.tls()),
  };
}

/** A socket that something goes on over, and a stream of somebody's own, know no `onread`. */
function isReadThroughEvents({ tunnel, connect }: Route): boolean {
  return tunnel !== null || connect !== null;
}

/** `error` with what is known of a connection that could not be made. */
function described<T extends Error>({ name: route }: Route, error: T): T {
  if (error instanceof HTTPError)
    error.describe({ route, reused: false, bytesWritten: 0, responseStarted: false });
  return error;
}

function traceError({ name: route }: Route, error: Error): void {
  if (trace.connectionError.hasSubscribers) trace.connectionError.publish({ route, error });
}

/** TLS could not be set up: nothing is dialled. */
class RefusedOpening implements Connecting {
  #aborted = false;
  readonly #name: string;

  constructor(route: Route, error: Error, request: OpeningRequest) {
    this.#name = route.name;
    queueMicrotask(() => {
      if (this.#aborted) return;
      traceError(route, error);
      request.failed(described(route, error));
    });
  }

  abort(): void {
    this.#aborted = true;
  }

  ref(): void {}
  unref(): void {}

  timeoutError(connectTimeout: number): HTTPError {
    const text = `Connection to ${this.#name} timed out. ${timeoutText(connectTimeout)}`;
    return new ConnectTimeoutError(text, { phase: "tls" });
  }
}

/** One socket being opened. */
class Opening implements Connecting {
  readonly #route: Route;
  readonly #peers: Peers;
  readonly #clock: Clock;
  readonly #request: OpeningRequest;
  readonly #startedAt: number;
  readonly #tunnel: TunnelRequest | null;
  #step!: Connecting;
  #referenced = true;
  /** Whether the first hop is still to be reached. */
  #onTheWay = true;
  #timings: DialTimings = { dns: 0, connect: 0 };

  constructor(route: Route, peers: Peers, clock: Clock, request: OpeningRequest) {
    this.#route = route;
    this.#peers = peers;
    this.#clock = clock;
    this.#request = request;
    this.#startedAt = clock.now();
    this.#tunnel = route.tunnel?.begin() ?? null;
    this.#dial();
  }

  abort(timeout?: HTTPError): void {
    this.#step.abort(timeout);
    if (timeout !== undefined) traceError(this.#route, timeout);
  }

  ref(): void {
    this.#referenced = true;
    this.#step.ref();
  }

  unref(): void {
    this.#referenced = false;
    this.#step.unref();
  }

  timeoutError(connectTimeout: number): HTTPError {
    const error = this.#step.timeoutError(connectTimeout);
    return described(this.#route, this.#onTheWay ? (this.#explained(error) as HTTPError) : error);
  }

  /** Begins the way to the first hop. */
  #dial(): void {
    this.#onTheWay = true;
    if (this.#route.connect === null) this.#dialSocket();
    else this.#askForStream(this.#route.connect);
  }

  #dialSocket(): void {
    const route = this.#route;
    const { reader } = this.#request;
    const { firstHop } = this.#peers;
    const options = {
      ...route.dial,
      clock: this.#clock,
      ...(reader === null || isReadThroughEvents(route) ? {} : { onread: reader.onread }),
      ...(firstHop === null
        ? {}
        : { createSocket: (to: NetConnectOpts) => firstHop.dialling(to, this.#protocolsOfFirstHop) }),
    };
    const dialling = dial(route.target, options, (error, socket, timings) => {
      this.#timings = timings;
      if (socket === null) this.#failed(error!);
      else if (firstHop === null) this.#arrive(socket, socket, null);
      else this.#secureFirstHop(firstHop, socket as TLSSocket, socket);
    });
    this.#enter(dialling);
  }

  #askForStream(connect: ConnectFunction): void {
    const { target, origin, name } = this.#route;
    const begin = this.#clock.now();
    const hop = "host" in target ? { ...target, socketPath: null } : { host: null, port: null, ...target };
    const asked = { ...hop, origin, owner: this.#request.owner, clock: this.#clock };
    const asking = new CustomDial(connect, asked, name, (error, stream, connection) => {
      const { firstHop } = this.#peers;
      this.#timings = { dns: 0, connect: this.#clock.now() - begin };
      if (error !== null) this.#failed(error);
      else if (connection !== undefined) this.#request.connected(connection);
      else if (firstHop === null) this.#arrive(stream!, stream!, null);
      else this.#secureFirstHop(firstHop, firstHop.over(stream!, this.#protocolsOfFirstHop), stream!);
    });
    this.#enter(asking);
  }

  /** A proxy is spoken to in HTTP/1.1. */
  get #protocolsOfFirstHop(): readonly Protocol[] {
    return this.#route.tunnel === null ? this.#request.protocols : HTTP1_ONLY;
  }

  #secureFirstHop(peer: TlsPeer, socket: TLSSocket, wire: Socket): void {
    this.#secure(peer, socket, wire, (tls) => this.#arrive(socket, wire, tls));
  }

  /** The first hop is reached. `tls`: ms of the handshake with it. */
  #arrive(socket: Socket, wire: Socket, tls: number | null): void {
    this.#onTheWay = false;
    if (this.#tunnel === null) {
      this.#ready(socket, wire, tls);
      return;
    }
    const asking = this.#tunnel.open(socket, (error, again = false) => {
      if (error !== null) this.#failed(error);
      else if (again) {
        socket.on("error", ignore).destroy();
        this.#dial();
      } else this.#passed(socket);
    });
    this.#enter(asking);
  }

  /** The tunnel to the origin stands. */
  #passed(wire: Socket): void {
    // What the proxy took counts as connecting.
    const connect = this.#clock.now() - this.#startedAt - this.#timings.dns;
    this.#timings = { ...this.#timings, connect };
    const { origin } = this.#peers;
    if (origin === null) this.#ready(wire, wire, null);
    else {
      const socket = origin.over(wire, this.#request.protocols);
      this.#secure(origin, socket, wire, (tls) => this.#ready(socket, wire, tls));
    }
  }

  /** Waits for the handshake on `socket`; `secured` is told how many ms it took. */
  #secure(peer: TlsPeer, socket: TLSSocket, wire: Socket, secured: (tls: number) => void): void {
    const begin = this.#clock.now();
    const handshake = peer.finish(socket, (error) => {
      if (error === null) {
        secured(this.#clock.now() - begin);
        return;
      }
      if (wire !== socket) wire.on("error", ignore).destroy();
      this.#failed(error);
    });
    this.#enter(handshake);
  }

  #ready(socket: Socket, wire: Socket, tls: number | null): void {
    const { alpnProtocol } = socket as TLSSocket;
    this.#request.opened({
      socket,
      wire,
      setup: { ...this.#timings, tls },
      address: wire.remoteAddress ?? null,
      protocol: alpnProtocol || null,
    });
  }

  #enter(step: Connecting): void {
    this.#step = step;
    if (!this.#referenced) step.unref();
  }

  #failed(error: Error): void {
    const failure = described(this.#route, this.#onTheWay ? this.#explained(error) : error);
    traceError(this.#route, failure);
    this.#request.failed(failure);
  }

  #explained(error: Error): Error {
    return this.#route.describeFailure?.(error) ?? error;
  }
}
