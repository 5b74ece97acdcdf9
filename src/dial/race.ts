/**
 * TCP connections by racing a host's addresses (RFC 8305, "Happy Eyeballs").
 *
 * 1. The host is resolved; `addressFilter` is asked for every address.
 * 2. Addresses are tried in turn of their families, last those that have failed within a minute.
 * 3. The next attempt starts after 250 ms, or at once when one fails; the earlier ones go on.
 * 4. The first connection wins, the others are destroyed.
 *
 * Node's own `autoSelectFamily` ends an attempt when it starts the next, so that what is more than 250 ms away can
 * never be reached.
 */

import {
  connect,
  isIP,
  type LookupFunction,
  type NetConnectOpts,
  type OnReadOpts,
  type Socket,
} from "node:net";
import type { Clock, Timer } from "../core/clock.ts";
import { AddressBlockedError, ConnectTimeoutError, InvalidArgumentError } from "../core/errors.ts";
import type { AddressFilter } from "./address-filter.ts";
import { FailedAddresses, orderAddresses } from "./address-order.ts";
import { connectionError, type Failure, type Goal, isUnreachable, tellingError } from "./errors.ts";
import { type Address, type DnsCache, type ResolveOptions, resolve } from "./resolve.ts";

/** RFC 8305's "Connection Attempt Delay" in ms. */
const ATTEMPT_DELAY = 250;

/** Where to: a host (name, or address without brackets) and port, or a Unix-domain socket. */
export type DialTarget = { readonly host: string; readonly port: number } | { readonly socketPath: string };

/** An address to connect from: alone, or with a port as in urllib3's `source_address`; 0 for any port. */
export type SourceAddress =
  | string
  | { readonly address: string; readonly port?: number | null | undefined }
  | readonly [address: string, port?: number | null];

/** How to dial. What is `null` counts as not given. */
export interface DialOptions {
  clock: Clock;
  /** Longest time in ms until a connection stands, look-up included. Default: no limit. */
  connectTimeout?: number | null | undefined;
  /** As for `net.connect`. Default `dns.lookup`. */
  lookup?: LookupFunction | null | undefined;
  /** Only addresses of this family; 0 for both. Default: that of `sourceAddress`. */
  family?: 0 | 4 | 6 | null | undefined;
  dnsCache?: DnsCache | null | undefined;
  /** Asked for every address; only `true` lets it be dialled. Not asked for a Unix-domain socket. */
  addressFilter?: AddressFilter | null | undefined;
  /** Local address to connect from. */
  sourceAddress?: SourceAddress | null | undefined;
  /** Send small packets at once. Default true. */
  noDelay?: boolean | null | undefined;
  /** TCP keep-alive probes. Default false. */
  keepAlive?: boolean | null | undefined;
  /** Idle time in ms before the first probe. */
  keepAliveInitialDelay?: number | null | undefined;
  /** Who takes the winner's bytes. */
  onread?: OnReadOpts | null | undefined;
  /** Begins one connection attempt; it stands when the socket emits 'connect'. Default `net.connect`. */
  createSocket?: ((options: NetConnectOpts) => Socket) | null | undefined;
  /** What has failed lately. Default: shared by the process. */
  failedAddresses?: FailedAddresses | null | undefined;
}

/** How long the phases of a dial took, in ms. */
export interface DialTimings {
  readonly dns: number;
  readonly connect: number;
}

/** Called exactly once, later; either `error` or `socket` is `null`. The socket has no listeners of the dial's. */
export type DialCallback = (error: Error | null, socket: Socket | null, timings: DialTimings) => void;

/** A dial under way. */
export interface Dial {
  /** Gives up: everything is closed, and nothing is reported any more. */
  abort(): void;
  /** Keeps the program alive while it dials (the default). */
  ref(): void;
  /** Lets the program end before. */
  unref(): void;
}

/**
 * Begins to connect to `target`. Fails with `LocationParseError` for an impossible name, `NameResolutionError`,
 * `AddressBlockedError`, `ConnectTimeoutError`, and `NewConnectionError` for everything else.
 */
export function dial(target: DialTarget, options: DialOptions, done: DialCallback): Dial {
  return new Race(target, options, done);
}

const processFailures = new FailedAddresses();

class Race implements Dial {
  readonly #target: DialTarget;
  readonly #options: DialOptions;
  readonly #startedAt: number;
  #resolvedAt: number | null = null;
  /** `null` once it is over. */
  #done: DialCallback | null;
  #deadline: Timer | null = null;
  #nextAttempt: Timer | null = null;
  #leaveLookup: (() => void) | null = null;
  #waiting: Goal[] = [];
  readonly #attempts = new Set<Attempt>();
  readonly #failures: Failure[] = [];
  #referenced = true;

  constructor(target: DialTarget, options: DialOptions, done: DialCallback) {
    this.#target = target;
    this.#options = options;
    this.#done = done;
    this.#startedAt = options.clock.now();
    const timeout = options.connectTimeout ?? Number.POSITIVE_INFINITY;
    if (timeout < Number.POSITIVE_INFINITY) {
      this.#deadline = options.clock.setTimer(() => this.#timedOut(timeout), timeout);
    }
    // What fails at once is still reported later.
    queueMicrotask(() => this.#start());
  }

  abort(): void {
    this.#done = null;
    this.#cleanUp();
  }

  ref(): void {
    this.#referenced = true;
    for (const { socket } of this.#attempts) socket.ref();
  }

  unref(): void {
    this.#referenced = false;
    for (const { socket } of this.#attempts) socket.unref();
  }

  #start(): void {
    if (this.#done === null) return;
    const target = this.#target;
    if ("socketPath" in target) {
      this.#resolvedAt = this.#startedAt;
      this.#waiting = [{ path: target.socketPath }];
      this.#next();
      return;
    }
    this.#leaveLookup = resolve(target.host, this.#query(), (error, addresses) => {
      if (addresses === null) this.#end(error, null);
      else this.#resolved(addresses, target.host, target.port);
    });
  }

  #query(): ResolveOptions {
    const { clock, lookup, dnsCache, sourceAddress, family } = this.#options;
    // From an address of one family only that family can be reached.
    const source = isIP(sourceOf(sourceAddress)?.address ?? "") as 0 | 4 | 6;
    return { clock, lookup, dnsCache, family: family ?? source };
  }

  #resolved(addresses: readonly Address[], host: string, port: number): void {
    const now = this.#options.clock.now();
    this.#resolvedAt = now;
    const allowed = allowedAddresses(addresses, host, this.#options.addressFilter);
    if (allowed instanceof Error) {
      this.#end(allowed, null);
      return;
    }
    this.#waiting = orderAddresses(allowed, port, this.#failed, now);
    this.#next();
  }

  /** Starts attempts until one is under way. */
  #next(): void {
    this.#nextAttempt?.cancel();
    this.#nextAttempt = null;
    for (let goal = this.#waiting.shift(); goal !== undefined; goal = this.#waiting.shift()) {
      if (!this.#attempt(goal)) continue;
      if (this.#waiting.length > 0) {
        this.#nextAttempt = this.#options.clock.setTimer(() => this.#next(), ATTEMPT_DELAY);
      }
      return;
    }
    if (this.#attempts.size === 0) this.#lost();
  }

  /** Whether an attempt at `goal` could begin. */
  #attempt(goal: Goal): boolean {
    try {
      const socket = (this.#options.createSocket ?? connect)(socketOptions(goal, this.#port, this.#options));
      if (!this.#referenced) socket.unref();
      const attempt = new Attempt(socket, goal, this.#options.clock.now(), (error) =>
        this.#attemptEnded(attempt, error),
      );
      this.#attempts.add(attempt);
      return true;
    } catch (error) {
      this.#failures.push({ goal, error: error as Error });
      return false;
    }
  }

  #attemptEnded(attempt: Attempt, error: Error | null): void {
    this.#attempts.delete(attempt);
    if (error === null) {
      this.#won(attempt);
      return;
    }
    this.#failures.push({ goal: attempt.goal, error });
    if (isUnreachable(error)) this.#remember(attempt.goal);
    this.#next();
  }

  #won({ goal, socket, startedAt }: Attempt): void {
    // Whoever had a real head start and was overtaken is as good as dead.
    for (const other of this.#attempts) {
      if (startedAt - other.startedAt > ATTEMPT_DELAY / 2) this.#remember(other.goal);
    }
    if ("address" in goal) this.#failed.delete(goal.address, this.#port);
    this.#end(null, socket);
  }

  #lost(): void {
    this.#forgetAnswer();
    this.#end(connectionError(this.#failures, this.#port), null);
  }

  #timedOut(timeout: number): void {
    for (const { goal } of this.#attempts) this.#remember(goal);
    if (this.#resolvedAt !== null) this.#forgetAnswer();
    const target = this.#target;
    const name = "host" in target ? target.host : target.socketPath;
    const cause = tellingError(this.#failures);
    const limit = `connect timeout=${Math.ceil(timeout)} ms`;
    const error = new ConnectTimeoutError(`Connection to ${name} timed out. (${limit})`, {
      phase: this.#resolvedAt === null ? "dns" : "connect",
      ...(cause === undefined ? {} : { cause }),
    });
    this.#end(error, null);
  }

  #end(error: Error | null, socket: Socket | null): void {
    const done = this.#done;
    if (done === null) return;
    this.#done = null;
    const timings = this.#timings();
    this.#cleanUp();
    done(error, socket, timings);
  }

  #timings(): DialTimings {
    const now = this.#options.clock.now();
    const resolvedAt = this.#resolvedAt ?? now;
    return { dns: resolvedAt - this.#startedAt, connect: now - resolvedAt };
  }

  #cleanUp(): void {
    this.#deadline?.cancel();
    this.#nextAttempt?.cancel();
    this.#leaveLookup?.();
    for (const attempt of this.#attempts) attempt.discard();
    this.#attempts.clear();
    this.#waiting = [];
  }

  get #failed(): FailedAddresses {
    return this.#options.failedAddresses ?? processFailures;
  }

  get #port(): number {
    return "port" in this.#target ? this.#target.port : 0;
  }

  #remember(goal: Goal): void {
    if ("address" in goal) this.#failed.add(goal.address, this.#port, this.#options.clock.now());
  }

  /** The host may have moved since the answer that is in the cache. */
  #forgetAnswer(): void {
    if ("host" in this.#target) this.#options.dnsCache?.forget(this.#target.host, this.#query());
  }
}

/** One socket that is connecting. Reports once, unless discarded before. */
class Attempt {
  readonly socket: Socket;
  readonly goal: Goal;
  /** `clock.now()` */
  readonly startedAt: number;
  readonly #onEnd: (error: Error | null) => void;

  constructor(socket: Socket, goal: Goal, startedAt: number, onEnd: (error: Error | null) => void) {
    this.socket = socket;
    this.goal = goal;
    this.startedAt = startedAt;
    this.#onEnd = onEnd;
    socket.on("connect", this.#connected).on("error", this.#failed).on("close", this.#closed);
  }

  discard(): void {
    this.#detach();
    this.socket.on("error", ignore).destroy();
  }

  #detach(): void {
    this.socket.off("connect", this.#connected).off("error", this.#failed).off("close", this.#closed);
  }

  readonly #connected = (): void => {
    this.#detach();
    this.#onEnd(null);
  };

  readonly #failed = (error: Error): void => {
    this.discard();
    this.#onEnd(error);
  };

  readonly #closed = (): void => this.#failed(new Error("the socket was closed while it connected"));
}

function ignore(): void {}

function socketOptions(goal: Goal, port: number, options: DialOptions): NetConnectOpts {
  const { noDelay, keepAlive, keepAliveInitialDelay, onread } = options;
  const reader = onread ? { onread } : {};
  if ("path" in goal) return { path: goal.path, ...reader };
  const source = sourceOf(options.sourceAddress);
  // `net.connect` throws for these too, but then leaves a socket open that nobody can close.
  checkPort("port", port);
  checkPort("sourceAddress.port", source?.port ?? 0);
  if (source !== null && isIP(source.address) === 0) {
    throw new InvalidArgumentError(`sourceAddress is not an IP address: ${source.address}`);
  }
  return {
    host: goal.address,
    port,
    family: goal.family,
    autoSelectFamily: false,
    noDelay: noDelay ?? true,
    ...(keepAlive ? { keepAlive, keepAliveInitialDelay: keepAliveInitialDelay ?? 0 } : {}),
    ...(source === null ? {} : { localAddress: source.address, localPort: source.port ?? 0 }),
    ...reader,
  };
}

function checkPort(name: string, port: number): void {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return;
  throw new InvalidArgumentError(`${name} must be a whole number from 0 to 65535, not ${port}`);
}

function sourceOf(
  source: SourceAddress | null | undefined,
): { address: string; port?: number | null | undefined } | null {
  if (!source) return null;
  if (typeof source === "string") return { address: source };
  return "address" in source ? source : { address: source[0], port: source[1] };
}

/** The addresses that `filter` lets pass; an error if there is none. */
export function allowedAddresses(
  addresses: readonly Address[],
  host: string,
  filter: AddressFilter | null | undefined,
): readonly Address[] | AddressBlockedError {
  if (!filter) return addresses;
  const names = addresses.map(({ address }) => address).join(", ");
  try {
    // Strictly `true`: what an async function returns would let everything pass.
    const allowed = addresses.filter(({ address, family }) => filter(address, family) === true);
    if (allowed.length > 0) return allowed;
    return blocked(`addressFilter refuses every address of '${host}': ${names}`);
  } catch (cause) {
    return blocked(`addressFilter failed for an address of '${host}': ${names}`, { cause });
  }
}

function blocked(message: string, options: { cause?: unknown } = {}): AddressBlockedError {
  return new AddressBlockedError(message, { phase: "connect", ...options });
}
