/** One node:http request that waits for its socket, and has it. */

import type { ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { HTTPConnectionPool } from "../../client/connection-pool.ts";
import type { Connection } from "../../connection/connection.ts";
import type { WireConnection } from "../../dial/wire.ts";
import { Waiter } from "../../pool/waiter.ts";

/** Told of a socket, or why there is none. */
export type SocketCallback = (error: Error | null, socket?: Socket) => void;

/** Who is told how a request fared. */
export interface SocketRequestOwner {
  settled(waiting: SocketRequest, wire: WireConnection | null): void;
}

/** What node:http keeps on a socket that it uses. */
interface UsedSocket extends Socket {
  _httpMessage?: (ClientRequest & { shouldKeepAlive: boolean; res?: IncomingMessage | null }) | null;
}

/** Waits in a pool's line on behalf of a request. */
export class SocketRequest extends Waiter {
  readonly request: ClientRequest;
  readonly origin: string;
  /** Its place among those that wait; -1 once it does not. */
  index: number = -1;
  readonly poolTimeout: number;
  readonly connectTimeout: number;
  readonly #pool: HTTPConnectionPool;
  readonly #owner: SocketRequestOwner;

  constructor(request: ClientRequest, origin: string, pool: HTTPConnectionPool, owner: SocketRequestOwner) {
    super();
    const { poolTimeout, connectTimeout } = pool.limits;
    this.request = request;
    this.origin = origin;
    this.poolTimeout = poolTimeout;
    this.connectTimeout = connectTimeout;
    this.#pool = pool;
    this.#owner = owner;
  }

  start(): void {
    this.#watchDestroy();
    this.#pool.wires.acquire(this);
  }

  granted(connection: Connection): void {
    const wire = connection as WireConnection;
    this.#settle(wire);
    const { request } = this;
    if (wire.exchanges > 0) request.reusedSocket = true;
    else watchUses(wire);
    const socket = wire.take();
    request.onSocket(socket);
    // node:http leaves the option to the agent.
    const { timeout } = request as { timeout?: number };
    if (timeout !== undefined) socket.setTimeout(timeout);
  }

  refused(error: Error): void {
    this.#settle(null);
    failRequest(this.request, withSystemCode(error));
  }

  /** node:http tells nobody that a request without a socket was destroyed: its place would be kept for nothing. */
  #watchDestroy(): void {
    const request = this.request as unknown as WaitingRequest;
    request[WAITING] = this;
    request.destroy = destroyWaiting;
  }

  /** Its request was destroyed. */
  giveUp(error: Error | undefined): void {
    this.#pool.wires.cancel(this);
    this.#settle(null);
    failRequest(this.request, error ?? hangUp());
  }

  #settle(wire: WireConnection | null): void {
    (this.request as unknown as WaitingRequest)[WAITING] = null;
    this.#owner.settled(this, wire);
  }
}

const WAITING = Symbol("urlpool.waiting");

/** A request that has been given to an agent; with what it waits for, until it has that. */
interface WaitingRequest {
  [WAITING]: SocketRequest | null;
  destroyed: boolean;
  destroy: (this: ClientRequest, error?: Error) => ClientRequest;
}

/** The `destroy` of such a request: the same function for all, which stays, for the sake of their speed. */
function destroyWaiting(this: ClientRequest, error?: Error): ClientRequest {
  const { [WAITING]: waiting, destroyed } = this as unknown as WaitingRequest;
  const { destroy } = Object.getPrototypeOf(this) as ClientRequest;
  const result = Reflect.apply(destroy, this, [error]) as ClientRequest;
  if (!destroyed) waiting?.giveUp(error);
  return result;
}

/** From its first use on: 'free' gives the socket back, 'agentRemove' lets it go. */
function watchUses(wire: WireConnection): void {
  const socket = wire.socket as UsedSocket;
  const onFree = (): void => {
    const message = socket._httpMessage;
    // Without a message the request was destroyed before it had the socket: nothing was sent.
    if (message && !message.shouldKeepAlive) wire.close();
    else {
      socket._httpMessage = null;
      if (socket.timeout) socket.setTimeout(0);
      wire.give(keepAliveHint(message?.res ?? null));
    }
  };
  const onRemove = (): void => {
    socket.off("free", onFree).off("agentRemove", onRemove);
    wire.detach();
  };
  socket.on("free", onFree).on("agentRemove", onRemove);
}

/** Waits in a pool's line for a socket that takes no place in it: who gets it speaks on it himself. */
export class SocketWaiter extends Waiter {
  readonly poolTimeout: number;
  readonly connectTimeout: number;
  readonly #callback: SocketCallback | undefined;

  constructor(pool: HTTPConnectionPool, callback?: SocketCallback) {
    super();
    const { poolTimeout, connectTimeout } = pool.limits;
    this.poolTimeout = poolTimeout;
    this.connectTimeout = connectTimeout;
    this.#callback = callback;
  }

  granted(connection: Connection): void {
    const wire = connection as WireConnection;
    const socket = wire.take();
    wire.detach();
    this.#callback?.(null, socket);
  }

  refused(error: Error): void {
    this.#callback?.(error);
  }
}

/** There will be no socket: `request` reports `error`, later. */
export function failRequest(request: ClientRequest, error: Error): void {
  (request as unknown as { onSocket(socket: null, error: Error): void }).onSocket(null, error);
}

/** As node:http says it of a request that was given up. */
function hangUp(): Error {
  return Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
}

/** ms; `null` where the server says nothing. From the raw fields: the object of all of them is made when it is asked for. */
function keepAliveHint(response: IncomingMessage | null): number | null {
  const fields = response?.rawHeaders ?? [];
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at]!.toLowerCase() !== "keep-alive") continue;
    const [, seconds] = /^timeout=(\d+)/.exec(fields[at + 1]!) ?? [];
    return seconds === undefined ? null : Number(seconds) * 1000;
  }
  return null;
}

/** Callers of node:http look for the system's code: it comes on top, the library's own is in `urlpoolCode`. */
function withSystemCode(error: Error): Error {
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (typeof code !== "string" || code.startsWith("ERR_URLPOOL")) continue;
    const own = (error as NodeJS.ErrnoException).code;
    Object.defineProperty(error, "code", { value: code, enumerable: true, configurable: true });
    return Object.assign(error, { urlpoolCode: own });
  }
  return error;
}
