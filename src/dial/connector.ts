/**
 * A route -> a ready connection: dial, TLS with the first hop, the passage through it where it is a proxy, TLS with the
 * origin; all bounded by one connect timeout.
 */

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Connection, ConnectionOwner } from "../connection/connection.ts";
import { Http1Connection } from "../connection/http1/connection.ts";
import { SocketReader } from "../connection/http1/reader.ts";
import type { Clock } from "../core/clock.ts";
import { HTTPError } from "../core/errors.ts";
import type { CoarseTimers } from "../core/timers.ts";
import { trace } from "../core/trace.ts";
import { type DialOptions, type DialTarget, type DialTimings, dial } from "./race.ts";
import type { Connecting, PhaseLimits } from "./step.ts";
import { TlsPeer } from "./tls/handshake.ts";
import type { TlsSettings } from "./tls/settings.ts";

export type { Connecting } from "./step.ts";

/** Where connections of one pool go, and how. */
export interface Route {
  /** The first hop: the origin, or a proxy. */
  readonly target: DialTarget;
  /** For messages: `host:port` or the socket's path of the first hop. */
  readonly name: string;
  /** With the first hop; `null` for plain TCP. Made when the first connection is: files may be read. */
  readonly tls: (() => TlsSettings) | null;
  /** What a failure on the way to the first hop means; `null`: what it says. */
  readonly explain: ((error: Error) => Error) | null;
  /** What lies behind the first hop, where that is a proxy that passes bytes on. */
  readonly passage: Passage | null;
  readonly dial: Omit<DialOptions, "clock" | "connectTimeout" | "onread" | "createSocket">;
  /** bytes */
  readonly maxHeaderSize: number;
}

/** How a passage was opened: with `again`, the proxy wants to be asked once more, on a new connection. */
export type PassageDone = (error: Error | null, again?: boolean) => void;

/** The way through a proxy. */
export interface Passage {
  /** Asks the proxy for it. `first`: it was not asked before for this connection. */
  open(socket: Socket, limits: PhaseLimits, first: boolean, done: PassageDone): Connecting;
  /** With the origin. */
  readonly tls: (() => TlsSettings) | null;
}

/** What a pool asks of a connector. */
export interface ConnectRequest {
  /** ms */
  readonly connectTimeout: number;
  readonly owner: ConnectionOwner;
  connected(connection: Connection): void;
  failed(error: Error): void;
}

/** Makes the connections of one route. */
export class Connector {
  readonly route: Route;
  readonly clock: Clock;
  readonly timers: CoarseTimers;
  #firstHop: TlsPeer | null = null;
  #origin: TlsPeer | null = null;

  constructor(route: Route, clock: Clock, timers: CoarseTimers) {
    this.route = route;
    this.clock = clock;
    this.timers = timers;
  }

  /** Begins to connect; reports once, later. */
  connect(request: ConnectRequest): Connecting {
    const { tls, passage } = this.route;
    try {
      if (tls !== null) this.#firstHop ??= new TlsPeer(tls());
      if (passage !== null && passage.tls !== null) this.#origin ??= new TlsPeer(passage.tls());
    } catch (error) {
      queueMicrotask(() => this.failed(request, error as Error));
      return IDLE;
    }
    const opening = new Opening(this, request, this.#firstHop, this.#origin);
    opening.dial();
    return opening;
  }

  /** @internal */
  failed(request: ConnectRequest, error: Error): void {
    const { name: route } = this.route;
    if (error instanceof HTTPError)
      error.describe({ route, reused: false, bytesWritten: 0, responseStarted: false });
    if (trace.connectionError.hasSubscribers) trace.connectionError.publish({ route, error });
    request.failed(error);
  }
}

/** One connection being made. */
class Opening implements Connecting {
  readonly #connector: Connector;
  readonly #request: ConnectRequest;
  readonly #firstHop: TlsPeer | null;
  readonly #origin: TlsPeer | null;
  readonly #startedAt: number;
  #reader = new SocketReader();
  #phase: Connecting = IDLE;
  #referenced = true;
  #first = true;
  #timings: DialTimings = { dns: 0, connect: 0 };

  constructor(
    connector: Connector,
    request: ConnectRequest,
    firstHop: TlsPeer | null,
    origin: TlsPeer | null,
  ) {
    this.#connector = connector;
    this.#request = request;
    this.#firstHop = firstHop;
    this.#origin = origin;
    this.#startedAt = connector.clock.now();
  }

  abort(): void {
    this.#phase.abort();
  }

  ref(): void {
    this.#referenced = true;
    this.#phase.ref();
  }

  unref(): void {
    this.#referenced = false;
    this.#phase.unref();
  }

  dial(): void {
    const { route, clock } = this.#connector;
    const firstHop = this.#firstHop;
    const options = {
      ...route.dial,
      clock,
      connectTimeout: this.#limits().timeLeft,
      // A socket that something goes on over is read through its events, as Node does it then.
      ...(route.passage === null ? { onread: this.#reader.onread } : {}),
      ...(firstHop === null ? {} : { createSocket: firstHop.dialling.bind(firstHop) }),
    };
    const dialling = dial(route.target, options, (error, socket, timings) => {
      this.#timings = timings;
      if (socket === null) this.#failedOnWay(error!);
      else if (firstHop === null) this.#arrive(socket);
      else this.#secureFirstHop(firstHop, socket as TLSSocket);
    });
    this.#enter(dialling);
  }

  #secureFirstHop(peer: TlsPeer, socket: TLSSocket): void {
    const begin = this.#connector.clock.now();
    const phase = peer.finish(socket, this.#limits(), (error) => {
      if (error !== null) this.#failedOnWay(error);
      else this.#arrive(socket, this.#connector.clock.now() - begin);
    });
    this.#enter(phase);
  }

  /** The first hop stands. `tls`: ms of the handshake with it. */
  #arrive(socket: Socket, tls: number | null = null): void {
    const { passage } = this.#connector.route;
    if (passage === null) {
      this.#ready(socket, socket, tls);
      return;
    }
    const phase = passage.open(socket, this.#limits(), this.#first, (error, again = false) => {
      if (error !== null) this.#failed(error);
      else if (again) this.#again(socket);
      else this.#passed(socket);
    });
    this.#enter(phase);
  }

  #again(socket: Socket): void {
    socket.on("error", ignore).destroy();
    this.#first = false;
    this.dial();
  }

  /** The way to the origin stands. */
  #passed(wire: Socket): void {
    const { clock } = this.#connector;
    // What the proxy took counts as connecting.
    const begin = clock.now();
    this.#timings = { ...this.#timings, connect: begin - this.#startedAt - this.#timings.dns };
    const peer = this.#origin;
    if (peer === null) {
      this.#ready(wire, wire, null);
      return;
    }
    const socket = peer.over(wire);
    const phase = peer.finish(socket, this.#limits(), (error) => {
      if (error === null) this.#ready(socket, wire, clock.now() - begin);
      else {
        wire.on("error", ignore).destroy();
        this.#failed(error);
      }
    });
    this.#enter(phase);
  }

  #ready(socket: Socket, wire: Socket, tls: number | null): void {
    const { route, clock, timers } = this.#connector;
    const { name, maxHeaderSize } = route;
    const setup = { ...this.#timings, tls };
    const connection = new Http1Connection(socket, this.#reader, {
      owner: this.#request.owner,
      timers,
      bornAt: clock.now(),
      maxHeaderSize,
      route: name,
      setup,
      wire,
    });
    if (route.passage !== null) this.#reader.readEvents(socket);
    if (trace.connectionOpen.hasSubscribers) {
      trace.connectionOpen.publish({ connection: connection.id, route: name, ...setup });
    }
    this.#request.connected(connection);
  }

  #enter(phase: Connecting): void {
    this.#phase = phase;
    if (!this.#referenced) phase.unref();
  }

  #limits(): PhaseLimits {
    const { clock, timers } = this.#connector;
    const { connectTimeout } = this.#request;
    // Whole milliseconds: timers of one length are one timer.
    const timeLeft = Math.max(1, connectTimeout - Math.floor(clock.now() - this.#startedAt));
    return { timers, timeLeft, connectTimeout };
  }

  #failedOnWay(error: Error): void {
    this.#failed(this.#connector.route.explain?.(error) ?? error);
  }

  #failed(error: Error): void {
    this.#connector.failed(this.#request, error);
  }
}

const IDLE: Connecting = { abort: ignore, ref: ignore, unref: ignore };

function ignore(): void {}
