/**
 * A whole client without network and without waiting: pools and managers on a virtual clock, a resolver that knows the
 * hosts of the test, and in-memory wires to servers that the test scripts. What happens is written down, with its time.
 *
 * Every event passes through `step`, so that a test can count the events of a scenario and act at each of them; every
 * call that can fail passes through `fails`, so that a test can make the k-th one fail.
 */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import {
  isIP,
  type LookupFunction,
  type NetConnectOpts,
  type Socket,
  type TcpNetConnectOpts,
} from "node:net";
import { SharedResources } from "../../src/client/shared-resources.ts";
import type { Clock, Timer } from "../../src/core/clock.ts";
import { FailedAddresses } from "../../src/dial/race.ts";
import {
  HTTPConnectionPool,
  PoolManager,
  type PoolManagerOptions,
  type PoolOptions,
} from "../../src/index.ts";
import { settle, VirtualClock } from "./clock.ts";
import { type HttpHandler, type OriginRequest, serveHttp } from "./http-origin.ts";
import { OriginConnection, PeerGone } from "./origin-connection.ts";
import { asSocket, type OnRead, type Wire, type WireOptions, wirePair } from "./wire.ts";

/** What comes of one connection attempt: a server, an error code, or nothing for ever. */
export type Dialled = ((connection: OriginConnection) => Promise<void> | void) | `E${string}` | "hang";

/** The calls that a test can make fail. */
export type Fallible = "lookup" | "connect" | "write" | "read";

interface Host {
  readonly name: string;
  readonly address: string;
  /** One for each connection; the last one serves all further ones. */
  readonly behaviours: readonly Dialled[];
  dials: number;
}

/** A virtual clock that knows when its next timer is due. */
class WorldClock extends VirtualClock implements Clock {
  /** Called around what a timer does. */
  step: (run: () => void) => void = (run) => run();
  readonly #due = new Set<{ at: number }>();

  override setTimer(callback: () => void, delay: number): Timer {
    const entry = { at: this.now() + Math.max(0, delay) };
    this.#due.add(entry);
    const timer = super.setTimer(() => {
      this.#due.delete(entry);
      this.step(callback);
    }, delay);
    return {
      cancel: () => {
        this.#due.delete(entry);
        timer.cancel();
      },
    };
  }

  /** ms until the next timer; `null` if there is none. */
  untilNext(): number | null {
    if (this.#due.size === 0) return null;
    return Math.max(0, Math.min(...[...this.#due].map(({ at }) => at)) - this.now());
  }
}

/** One per test; dispose of it to stop writing down. */
export class World implements Disposable {
  readonly clock: WorldClock = new WorldClock();
  readonly shared: SharedResources;
  /** `time what`, in order: attempts, connections opened and closed, requests as servers read them. */
  readonly log: string[] = [];
  /** Requests in the order in which servers read them. */
  readonly received: OriginRequest[] = [];
  /** Servers' ends, in the order of dialling. */
  readonly connections: OriginConnection[] = [];
  /** Clients' ends, in the order of dialling. */
  readonly wires: Wire[] = [];
  /** Failures of the test's own servers. */
  readonly failures: unknown[] = [];
  /** Names asked for, in order. */
  readonly lookups: string[] = [];
  /** Called around every event. */
  step: (name: string, run: () => void) => void = (_name, run) => run();
  /** Whether this call fails. */
  fails: (call: Fallible) => boolean = () => false;
  #sleeping = 0;
  readonly #hosts: Host[] = [];
  /** What a look-up of a name gives, where that is not the one address of the host. */
  readonly #names = new Map<string, readonly string[] | null>();
  readonly #numbers = new Map<unknown, number>();
  readonly #subscriptions: [name: string, listener: (message: unknown) => void][] = [];

  readonly #pieces: WireOptions;
  readonly #noteDials: boolean;

  /** `chunkSize`: what servers send arrives in pieces of so many bytes; `noteDials`: the log tells of each of them. */
  constructor(options: { maxConnections?: number; chunkSize?: number; noteDials?: boolean } = {}) {
    const { maxConnections = 1024, chunkSize, noteDials = false } = options;
    this.#pieces = chunkSize === undefined ? {} : { chunkSize };
    this.#noteDials = noteDials;
    this.shared = new SharedResources(maxConnections, this.clock);
    this.clock.step = (run) => this.step("timer", run);
    this.#listen(
      "attempt:start",
      ({ attempt, reason, method, url }) => `attempt ${attempt} ${reason} ${method} ${url}`,
    );
    this.#listen("connection:open", ({ connection, route }) => {
      this.#numbers.set(connection, this.#numbers.size + 1);
      return `open #${this.#numbers.get(connection)} ${route}`;
    });
    // Channels are the process's: another test's connections may still be closing.
    this.#listen("connection:close", ({ connection }) => {
      const number = this.#numbers.get(connection);
      return number === undefined ? null : `close #${number}`;
    });
    this.#listen("connection:error", ({ error }) => `no connection ${(error as Error).name}`);
  }

  /**
   * A host by this name or address, whose n-th connection meets the n-th behaviour, and all further ones the last.
   */
  host(name: string, ...behaviours: [Dialled, ...Dialled[]]): this {
    const address = isIP(name) === 0 ? `10.0.0.${this.#hosts.length + 1}` : name;
    this.#hosts.push({ name, address, behaviours, dials: 0 });
    return this;
  }

  /** A host that serves HTTP. */
  http(name: string, handler?: HttpHandler): this {
    return this.host(name, this.serve(handler));
  }

  /** A name that has these addresses, in the order given. */
  name(name: string, ...addresses: string[]): this {
    this.#names.set(name, addresses);
    return this;
  }

  /** A name whose look-up never ends. */
  silentName(name: string): this {
    this.#names.set(name, null);
    return this;
  }

  /** The behaviour of an HTTP server. */
  serve(handler?: HttpHandler): Dialled {
    return (connection) =>
      serveHttp(connection, handler && this.#noting(handler), { received: this.received });
  }

  pool(host: string, options: PoolOptions = {}, port: number | null = null): HTTPConnectionPool {
    const pool = new HTTPConnectionPool(host, port, this.#options(options));
    pool.attach({ shared: this.shared });
    return pool;
  }

  manager(options: PoolManagerOptions = {}): PoolManager {
    const manager = new PoolManager(this.#options(options));
    manager.attach(this.shared);
    return manager;
  }

  /** Lets time pass as fast as it can until `promise` settles; rejects if nothing can happen any more. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const note = (): void => {
      settled = true;
    };
    promise.then(note, note);
    for (;;) {
      for (let turn = 0; turn < 8 && !settled; turn++) await settle();
      if (settled) return promise;
      const wait = this.clock.untilNext();
      if (wait !== null) await this.clock.elapse(wait);
      else if (!(await settlesSoon(promise))) {
        throw new Error(`stuck at ${this.clock.now()} ms:\n${this.log.join("\n")}`);
      }
    }
  }

  /** The error with which `promise` rejects. */
  async failure(promise: Promise<unknown>): Promise<unknown> {
    const outcome = await this.run(
      promise.then(
        () => ({ ok: true as const }),
        (error: unknown) => ({ ok: false as const, error }),
      ),
    );
    if (outcome.ok) throw new Error("resolved instead of rejecting");
    return outcome.error;
  }

  /** Lets everything that needs no time happen. */
  async rest(): Promise<void> {
    for (let turn = 0; turn < 8; turn++) await settle();
  }

  /** Connections that the client has open. */
  get open(): Wire[] {
    return this.wires.filter((wire) => !wire.destroyed);
  }

  /** A server waits; its timers are not counted as leftovers. */
  async sleep(ms: number): Promise<void> {
    this.#sleeping++;
    await new Promise<void>((resolve) => this.clock.setTimer(resolve, ms));
    this.#sleeping--;
  }

  /** What is still held, once every pool is closed: nothing. */
  leftovers(): string[] {
    const { clock, shared, failures } = this;
    const timers = clock.pending - this.#sleeping;
    return [
      ...this.open.map((_, index) => `open wire ${index}`),
      ...(timers === 0 ? [] : [`${timers} timers`]),
      ...(shared.budget.open === 0 ? [] : [`${shared.budget.open} places of the budget`]),
      ...failures.map((failure) => `server: ${failure}`),
    ];
  }

  /** Log lines whose text matches, without their time. */
  events(pattern: RegExp): string[] {
    return this.log.map((line) => line.replace(/^\d+ /, "")).filter((line) => pattern.test(line));
  }

  note(text: string): void {
    this.log.push(`${Math.round(this.clock.now())} ${text}`);
  }

  [Symbol.dispose](): void {
    for (const [name, listener] of this.#subscriptions) unsubscribe(name, listener);
  }

  #options<T extends PoolOptions>(options: T): T {
    const socketOptions = { createSocket: this.#createSocket, failedAddresses: new FailedAddresses() };
    const seams = { lookup: this.#lookup, socketOptions, allowUnknownOptions: true };
    return { ...(seams as object), ...options };
  }

  #noting(handler: HttpHandler): HttpHandler {
    return (request) => {
      this.note(`${request.connection.index} read ${request.method} ${request.target}`);
      return handler(request);
    };
  }

  readonly #lookup: LookupFunction = (name, _options, callback) => {
    this.lookups.push(name);
    const found = this.#addresses(name);
    if (found === null) return;
    const failing = this.fails("lookup");
    queueMicrotask(() => {
      this.step("lookup", () => {
        if (failing) callback(codeError("EAI_AGAIN", "getaddrinfo"), []);
        else if (found === undefined) callback(codeError("ENOTFOUND", "getaddrinfo"), []);
        else
          callback(
            null,
            found.map((address) => ({ address, family: isIP(address) })),
          );
      });
    });
  };

  #addresses(name: string): readonly string[] | null | undefined {
    if (this.#names.has(name)) return this.#names.get(name);
    const host = this.#hosts.find((one) => one.name === name);
    return host && [host.address];
  }

  readonly #createSocket = (options: NetConnectOpts): Socket => {
    const { host: address, onread } = options as TcpNetConnectOpts & { onread?: OnRead };
    const host = this.#hosts.find((one) => one.address === address);
    const behaviour = host === undefined ? "ECONNREFUSED" : behaviourOf(host);
    const outcome = this.fails("connect") ? "ECONNREFUSED" : behaviour;
    const [client, server] = wirePair({
      clock: this.clock,
      server: this.#pieces,
      schedule: (deliver) => queueMicrotask(() => this.step("deliver", deliver)),
      client: {
        connecting: true,
        ...(onread === undefined ? {} : { onread: this.#faultyRead(onread, () => client) }),
      },
    });
    this.#faultyWrite(client);
    this.wires.push(client);
    if (this.#noteDials) {
      this.note(`dial ${address}`);
      client.on("close", () => this.note(`gone ${address}`));
    }
    const connection = new OriginConnection(server, this.connections.length);
    this.connections.push(connection);
    if (outcome === "hang") return asSocket(client);
    queueMicrotask(() => {
      this.step("connect", () => {
        if (typeof outcome === "string") client.failConnect(outcome);
        else client.completeConnect();
      });
      if (typeof outcome !== "string") this.#serve(outcome, connection);
    });
    return asSocket(client);
  };

  #faultyRead(onread: OnRead, wire: () => Wire): OnRead {
    return {
      buffer: onread.buffer,
      callback: (length, bytes) => {
        if (!this.fails("read")) return onread.callback(length, bytes);
        wire().destroy(codeError("ECONNRESET", "read"));
        return false;
      },
    };
  }

  #faultyWrite(wire: Wire): void {
    const write = wire.write.bind(wire);
    wire.write = (...args: Parameters<Wire["write"]>): boolean => {
      if (!this.fails("write")) return write(...args);
      wire.destroy(codeError("EPIPE", "write"));
      return false;
    };
  }

  #serve(behaviour: Exclude<Dialled, string>, connection: OriginConnection): void {
    const serve = async (): Promise<void> => {
      await behaviour(connection);
      await connection.ended;
      connection.halfClose();
    };
    serve().catch((error: unknown) => {
      if (!(error instanceof PeerGone)) this.failures.push(error);
      connection.close();
    });
  }

  #listen(name: string, text: (message: Record<string, unknown>) => string | null): void {
    const listener = (message: unknown): void => {
      const line = text(message as Record<string, unknown>);
      if (line !== null) this.note(line);
    };
    subscribe(`urlpool:${name}`, listener);
    this.#subscriptions.push([`urlpool:${name}`, listener]);
  }
}

/** A server that sends `answers` as they stand, the n-th after the n-th request; then it is silent. */
export function script(...answers: (string | ((connection: OriginConnection) => unknown))[]): Dialled {
  return async (connection) => {
    for (const answer of answers) {
      await connection.readHead();
      if (typeof answer === "string") await connection.send(answer);
      else await answer(connection);
    }
  };
}

/** Gives the threads of node:zlib some real time. */
async function settlesSoon(promise: Promise<unknown>): Promise<boolean> {
  const settled = promise.then(
    () => true,
    () => true,
  );
  const late = new Promise<false>((resolve) => setTimeout(resolve, 200, false));
  return Promise.race([settled, late]);
}

function behaviourOf(host: Host): Dialled {
  const { behaviours } = host;
  return behaviours[Math.min(host.dials++, behaviours.length - 1)]!;
}

function codeError(code: string, syscall: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
}
