/** The option `connect`: the caller opens the way to the first hop, as a stream in place of a dial, or as a whole connection. */

import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Connection, ConnectionOwner } from "../connection/connection.ts";
import type { Clock } from "../core/clock.ts";
import { ConnectTimeoutError, HTTPError, InvalidArgumentError, NewConnectionError } from "../core/errors.ts";
import { ignore } from "../core/ignore.ts";
import { kindOf } from "../core/shown.ts";
import { type Connecting, HandshakeStep, timeoutText } from "./handshake-step.ts";

/** Scheme, host and port of the requests that a connection is for. */
export interface ConnectOrigin {
  readonly scheme: string;
  /** IPv6 addresses without brackets. */
  readonly host: string;
  readonly port: number;
}

/** What a connect function is asked for. */
export interface ConnectTarget {
  /** The first hop: the origin, or the proxy on the way to it. Without brackets; `null` for a Unix-domain socket. */
  readonly host: string | null;
  readonly port: number | null;
  /** Path of a Unix-domain socket; else `null`. */
  readonly socketPath: string | null;
  /** Whose requests the connection is for. */
  readonly origin: ConnectOrigin;
  /** What the pool's limits are measured by. */
  readonly clock: Pick<Clock, "now" | "setTimer">;
  /** Aborted once nobody waits for the connection any more. */
  readonly signal: AbortSignal;
  /** What a `Connection` reports to; `null` where only a stream is wanted. */
  readonly owner: ConnectionOwner | null;
}

/**
 * Opens the way to the first hop, in place of look-up and dial: for tests, mocks and tunnels of one's own.
 *
 * A stream carries bytes: TLS with the first hop, CONNECT or SOCKS and TLS with the origin follow on it as on a socket. A
 * `Connection` is used as it is.
 */
export type ConnectFunction = (
  target: ConnectTarget,
) => Duplex | Connection | PromiseLike<Duplex | Connection>;

/** Reports a stream that is ready, a connection, or an error. */
export type CustomDialled = (error: Error | null, socket: Socket | null, connection?: Connection) => void;

/** One call of a connect function. Reports once, later, unless aborted before. */
export class CustomDial implements Connecting {
  readonly #name: string;
  readonly #abort = new AbortController();
  #done: CustomDialled | null;
  /** Waits for a socket that is still connecting. */
  #step: HandshakeStep | null = null;

  constructor(
    connect: ConnectFunction,
    target: Omit<ConnectTarget, "signal">,
    name: string,
    done: CustomDialled,
  ) {
    this.#name = name;
    this.#done = done;
    void this.#run(connect, { ...target, signal: this.#abort.signal });
  }

  abort(timeout?: HTTPError): void {
    if (this.#done === null) return;
    this.#done = null;
    this.#step?.abort();
    this.#abort.abort(timeout);
  }

  ref(): void {
    this.#step?.ref();
  }

  unref(): void {
    this.#step?.unref();
  }

  timeoutError(connectTimeout: number): HTTPError {
    const text = `Connection to ${this.#name} timed out: connect had not ended. ${timeoutText(connectTimeout)}`;
    return new ConnectTimeoutError(text, { phase: "connect" });
  }

  async #run(connect: ConnectFunction, target: ConnectTarget): Promise<void> {
    try {
      // A failure is never reported within the constructor.
      await null;
      const given: unknown = await connect(target);
      if (isStream(given)) this.#take(given);
      else if (isConnection(given)) this.#end(null, null, given);
      else throw new InvalidArgumentError(`connect must give a Duplex or a Connection, not ${kindOf(given)}`);
    } catch (error) {
      this.#end(failure(error), null);
    }
  }

  #take(stream: Duplex): void {
    const socket = asSocket(stream);
    if (this.#done === null || stream.destroyed) {
      socket.on("error", ignore).destroy();
      this.#end(failure(new Error("the stream was closed already")), null);
    } else if (socket.connecting !== true) {
      this.#end(null, socket);
    } else {
      const step = new HandshakeStep(socket, {
        failed: failure,
        closed: () => failure(new Error("the stream was closed while it connected")),
        timedOut: (connectTimeout) => this.timeoutError(connectTimeout),
        done: (error) => this.#end(error, error === null ? socket : null),
      });
      this.#step = step;
      socket.once("connect", () => step.end(null));
    }
  }

  #end(error: Error | null, socket: Socket | null, connection?: Connection): void {
    const done = this.#done;
    this.#done = null;
    if (done === null) connection?.close();
    else done(error, socket, connection);
  }
}

function isStream(value: unknown): value is Duplex {
  if (value instanceof Duplex) return true;
  // One of another make, such as readable-stream's.
  return isObject(value) && typeof value.pipe === "function" && typeof value.write === "function";
}

function isConnection(value: unknown): value is Connection {
  return isObject(value) && typeof value.start === "function" && typeof value.close === "function";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** `stream` with the methods that sockets have besides. A stream keeps no program alive and has no timers: they do nothing. */
function asSocket(stream: Duplex): Socket {
  const socket = stream as Socket;
  for (const name of ["ref", "unref", "setTimeout", "setNoDelay", "setKeepAlive"] as const) {
    if (typeof socket[name] !== "function") Object.defineProperty(socket, name, { value: () => socket });
  }
  return socket;
}

function failure(error: unknown): Error {
  if (error instanceof HTTPError || error instanceof InvalidArgumentError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new NewConnectionError(`Failed to establish a new connection: ${reason}`, {
    phase: "connect",
    cause: error,
  });
}
