/**
 * An `http.Agent` over urlpool's pools: `node:http` and `node:https` requests, and the clients built on them, get their
 * sockets from the pools of a manager, with its proxies, limits, TLS options and address filter. One object serves http
 * and https: `agent`, `httpAgent`, `httpsAgent`.
 *
 *  1. `addRequest` is called once for each request, before anything is sent (node:http's own interface of agents).
 *  2. The socket comes from a second pool of the origin, of bare sockets: node:http speaks on it, not this library.
 *  3. 'free' on a socket gives it back; 'agentRemove' (an upgrade, a CONNECT) lets it go; 'close' ends it.
 */

import { EventEmitter } from "node:events";
import type { Agent, ClientRequest } from "node:http";
import type { Socket } from "node:net";
import type { HTTPConnectionPool } from "../../client/connection-pool.ts";
import type { ProxyFunction, ProxyUrl } from "../../client/proxy.ts";
import type { WireConnection } from "../../dial/wire.ts";
import type { PoolManagerOptions, PoolOverrides } from "../../index.ts";
import {
  type AgentBase,
  mayBeForwarded,
  originOf,
  poolOptions,
  socketOptions,
  toAbsoluteForm,
  tunnelOnly,
} from "./request-options.ts";
import { failRequest, type SocketCallback, SocketRequest, SocketWaiter } from "./socket-request.ts";
import { TlsContexts } from "./tls-context.ts";

/** The options that `node:http` passes to an agent. */
export type AgentRequestOptions = Readonly<Record<string, unknown>>;

/** An `http.Agent` and `https.Agent` in one. */
export interface PoolAgent extends Agent {
  /** Gives `request` a socket. Called by node:http. */
  addRequest(request: ClientRequest, options: AgentRequestOptions): void;
}

const Implementation = class PoolAgent extends EventEmitter {
  readonly keepAlive = true;
  readonly maxSockets = Number.POSITIVE_INFINITY;
  readonly maxFreeSockets = Number.POSITIVE_INFINITY;
  readonly maxTotalSockets = Number.POSITIVE_INFINITY;
  readonly options = {};
  /** Not set: with them node:http would refuse requests of the other scheme. */
  readonly protocol = undefined;
  readonly defaultPort = undefined;
  readonly #base: AgentBase;
  readonly #contexts = new TlsContexts();
  /** The sockets that were given out and live, by the names of their origins. */
  readonly #wires = new Map<WireConnection, string>();
  readonly #waiting: SocketRequest[] = [];

  constructor(given: AgentBase | PoolManagerOptions = {}) {
    link();
    super();
    this.#base = isBase(given) ? given : makeManager!(given);
  }

  /** Sockets in use, by origin. A copy. */
  get sockets(): Record<string, Socket[]> {
    return grouped(
      [...this.#wires].filter(([wire]) => wire.open > 0).map(([wire, name]) => [name, wire.socket]),
    );
  }

  /** Idle ones. */
  get freeSockets(): Record<string, Socket[]> {
    return grouped(
      [...this.#wires].filter(([wire]) => wire.open === 0).map(([wire, name]) => [name, wire.socket]),
    );
  }

  /** Requests that wait for a socket. */
  get requests(): Record<string, ClientRequest[]> {
    return grouped(this.#waiting.map(({ origin, request }) => [origin, request]));
  }

  addRequest(request: ClientRequest, options: AgentRequestOptions): void {
    const { proxy } = this.#base.connectionPoolKw as { proxy?: ProxyUrl | ProxyFunction | null };
    try {
      const origin = originOf(options);
      const chosen = typeof proxy === "function" ? proxy(`${origin}/`) : undefined;
      if (chosen instanceof Promise) {
        chosen.then(
          (proxyUrl) => this.#ask(request, options, origin, proxyUrl ?? null),
          (error: Error) => failRequest(request, error),
        );
      } else this.#ask(request, options, origin, typeof proxy === "function" ? (chosen ?? null) : undefined);
    } catch (error) {
      failRequest(request, error as Error);
    }
  }

  getName(options: AgentRequestOptions = {}): string {
    return originOf(options);
  }

  /** A socket of its own for who speaks on it himself, by the same way; it takes no place in a pool. */
  createConnection(options: AgentRequestOptions, callback?: SocketCallback): undefined {
    try {
      const origin = originOf(options);
      const pool = this.#poolFor(socketOptions(options, this.#contexts), origin, undefined);
      pool.wires.acquire(new SocketWaiter(pool, callback));
    } catch (error) {
      queueMicrotask(() => callback?.(error as Error));
    }
  }

  /** Closes every socket that it has given out, in use or not. */
  destroy(): void {
    for (const wire of [...this.#wires.keys()]) wire.close();
  }

  #ask(request: ClientRequest, options: AgentRequestOptions, origin: string, proxy: unknown): void {
    try {
      const own = poolOptions(request, options, origin, this.#contexts);
      let pool = this.#poolFor(own, origin, proxy);
      if (pool.forwards && mayBeForwarded(request)) toAbsoluteForm(request, pool, origin);
      else if (pool.forwards) pool = this.#poolFor({ ...own, ...tunnelOnly(this.#base) }, origin, proxy);
      const waiting = new SocketRequest(request, origin, pool, this);
      waiting.index = this.#waiting.push(waiting) - 1;
      waiting.start();
    } catch (error) {
      failRequest(request, error as Error);
    }
  }

  #poolFor(options: PoolOverrides | null, origin: string, proxy: unknown): HTTPConnectionPool {
    if (options === null && proxy === undefined) return this.#base.connectionFromOrigin(origin);
    const { hostname, port, protocol } = new URL(origin);
    const overrides = (proxy === undefined ? options : { ...options, proxy }) as PoolOverrides;
    return this.#base.connectionFromHost(
      hostname,
      port === "" ? null : Number(port),
      protocol.slice(0, -1),
      overrides,
    );
  }

  /** A request has its socket, or will never have one. */
  settled(waiting: SocketRequest, wire: WireConnection | null): void {
    this.#leave(waiting);
    if (wire === null || wire.exchanges > 0) return;
    this.#wires.set(wire, waiting.origin);
    wire.socket.once("close", () => this.#wires.delete(wire));
  }

  /** The last one takes its place. Not a Map: its old tables would keep requests until a full garbage collection. */
  #leave(waiting: SocketRequest): void {
    const { index } = waiting;
    if (index === -1) return;
    waiting.index = -1;
    const last = this.#waiting.pop()!;
    if (last === waiting) return;
    this.#waiting[index] = last;
    last.index = index;
  }
};

/** Makes an agent over a manager, or over one of its own with these options. */
export interface PoolAgentConstructor {
  new (manager?: AgentBase | PoolManagerOptions): PoolAgent;
  readonly prototype: PoolAgent;
}

/** An `http.Agent` and `https.Agent` in one, over a manager's pools; `manager.agent` is one. */
export const PoolAgent: PoolAgentConstructor = Implementation as unknown as PoolAgentConstructor;

let makeManager: ((options: PoolManagerOptions) => AgentBase) | null = null;

/** How an agent makes a manager of its own: said by the class, which is made of agents too. */
export function makeManagersBy(make: (options: PoolManagerOptions) => AgentBase): void {
  makeManager = make;
}

let linked = false;

/** An agent is `instanceof http.Agent`, which is loaded by then: who imports the package need not. */
function link(): void {
  if (linked) return;
  linked = true;
  const http = process.getBuiltinModule("node:http");
  Object.setPrototypeOf(Implementation.prototype, http.Agent.prototype);
}

function isBase(given: AgentBase | PoolManagerOptions): given is AgentBase {
  return "connectionFromHost" in given;
}

function grouped<T>(pairs: readonly (readonly [string, T])[]): Record<string, T[]> {
  const groups: Record<string, T[]> = {};
  for (const [name, value] of pairs) {
    groups[name] ??= [];
    groups[name].push(value);
  }
  return groups;
}
