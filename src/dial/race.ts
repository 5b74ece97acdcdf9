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

import { connect, isIP, type LookupFunction, type NetConnectOpts, type Socket } from "node:net";
import type { Clock, Timer } from "../core/clock.ts";
import { ConnectTimeoutError } from "../core/errors.ts";
import { type AddressFilter, allowedAddresses } from "./address-filter.ts";
import { timeoutText } from "./handshake-step.ts";
import { type Address, type DnsCache, type ResolveOptions, resolve } from "./resolve.ts";
import {
  connectionError,
  type Failure,
  type Goal,
  isUnreachable,
  SocketAttempt,
  type SocketSettings,
  socketOptions,
  sourceOf,
  tellingError,
  tried,
} from "./socket-attempt.ts";

export type { SourceAddress } from "./socket-attempt.ts";

/** RFC 8305's "Connection Attempt Delay" in ms. */
const ATTEMPT_DELAY = 250;

/** How long (ms) a failed address is tried last. */
const FAILURE_TTL = 60_000;
const MOST_FAILURES = 512;

/** Where to: a host (name, or address without brackets) and port, or a Unix-domain socket. */
export type DialTarget = { readonly host: string; readonly port: number } | { readonly socketPath: string };

/** How to dial. What is `null` counts as not given. */
export interface DialOptions extends SocketSettings {
  clock: Clock;
  /** As for `net.connect`. Default `dns.lookup`. */
  lookup?: LookupFunction | null | undefined;
  /** Only addresses of this family; 0 for both. Default: that of `sourceAddress`. */
  family?: 0 | 4 | 6 | null | undefined;
  dnsCache?: DnsCache | null | undefined;
  /** Asked for every address; only `true` lets it be dialled. Not asked for a Unix-domain socket. */
  addressFilter?: AddressFilter | null | undefined;
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

/** A dial under way. It has no time limit of its own: it runs until it ends or is aborted. */
export interface Dial {
  /**
   * Gives up: everything is closed, and nothing is reported any more. `timeout`: what its last waiter was told, whose time
   * was over; then the addresses that were being tried count as failed.
   */
  abort(timeout?: Error): void;
  /** Keeps the program alive while it dials (the default). */
  ref(): void;
  /** Lets the program end meanwhile. */
  unref(): void;
  /** The error for somebody whose connect timeout of so many ms is over: where the dial stands now. */
  timeoutError(connectTimeout: number): ConnectTimeoutError;
}

/**
 * Begins to connect to `target`. Fails with `LocationParseError` for an impossible name, `NameResolutionError`,
 * `AddressBlockedError`, and `NewConnectionError` for everything else.
 */
export function dial(target: DialTarget, options: DialOptions, done: DialCallback): Dial {
  return new Race(target, options, done);
}

/** Addresses with a port that could not be reached a short while ago (60 s; the newest 512). */
export class FailedAddresses {
  /** Address and port -> `clock.now()` at which the failure no longer counts; oldest first. */
  readonly #ends = new Map<string, number>();

  get size(): number {
    return this.#ends.size;
  }

  add(address: string, port: number, now: number): void {
    const key = keyOf(address, port);
    this.#ends.delete(key);
    this.#ends.set(key, now + FAILURE_TTL);
    if (this.#ends.size > MOST_FAILURES) this.#ends.delete(this.#ends.keys().next().value as string);
  }

  has(address: string, port: number, now: number): boolean {
    const key = keyOf(address, port);
    const end = this.#ends.get(key);
    if (end === undefined) return false;
    if (now < end) return true;
    this.#ends.delete(key);
    return false;
  }

  delete(address: string, port: number): void {
    this.#ends.delete(keyOf(address, port));
  }
}

const processFailures = new FailedAddresses();

class Race implements Dial {
  readonly #target: DialTarget;
  readonly #options: DialOptions;
  readonly #startedAt: number;
  #resolvedAt: number | null = null;
  /** `null` once it is over. */
  #done: DialCallback | null;
  #nextAttempt: Timer | null = null;
  #leaveLookup: (() => void) | null = null;
  #waiting: Goal[] = [];
  readonly #attempts = new Set<SocketAttempt>();
  readonly #failures: Failure[] = [];
  #referenced = true;

  constructor(target: DialTarget, options: DialOptions, done: DialCallback) {
    this.#target = target;
    this.#options = options;
    this.#done = done;
    this.#startedAt = options.clock.now();
    // A failure is never reported within the constructor.
    queueMicrotask(() => this.#start());
  }

  abort(timeout?: Error): void {
    if (timeout !== undefined && this.#done !== null) {
      for (const { goal } of this.#attempts) this.#remember(goal);
      if (this.#resolvedAt !== null) this.#forgetAnswer();
    }
    this.#done = null;
    this.#cleanUp();
  }

  timeoutError(connectTimeout: number): ConnectTimeoutError {
    const target = this.#target;
    const name = "host" in target ? target.host : target.socketPath;
    const goals = [...this.#failures, ...this.#attempts].map(({ goal }) => goal);
    const resolved = this.#resolvedAt !== null;
    const state = resolved ? tried(goals, this.#port) : " (its name is still being looked up)";
    const cause = tellingError(this.#failures);
    const text = `Connection to ${name} timed out. ${timeoutText(connectTimeout)}${state}`;
    return new ConnectTimeoutError(text, {
      phase: resolved ? "connect" : "dns",
      ...(cause === undefined ? {} : { cause }),
    });
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
    // Only the family of the source address can be reached from it.
    const address = sourceOf(sourceAddress)?.address;
    // Node compiles a long expression for what is no IPv4 address: not where there is nothing to look at.
    const source = address === undefined ? 0 : (isIP(address) as 0 | 4 | 6);
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
      if (this.#waiting.length > 0) this.#startDelay();
      return;
    }
    if (this.#attempts.size === 0) this.#lost();
  }

  #startDelay(): void {
    const { clock } = this.#options;
    const timer = clock.setTimer(() => {
      // An attempt may have succeeded while the program was busy: the sockets are looked at first.
      clock.afterPoll(() => {
        if (this.#nextAttempt === timer) this.#next();
      });
    }, ATTEMPT_DELAY);
    this.#nextAttempt = timer;
  }

  /** Whether an attempt at `goal` could begin. */
  #attempt(goal: Goal): boolean {
    try {
      const socket = (this.#options.createSocket ?? connect)(socketOptions(goal, this.#port, this.#options));
      if (!this.#referenced) socket.unref();
      const attempt = new SocketAttempt(socket, goal, this.#options.clock.now(), (error) =>
        this.#attemptEnded(attempt, error),
      );
      this.#attempts.add(attempt);
      return true;
    } catch (error) {
      this.#failures.push({ goal, error: error as Error });
      return false;
    }
  }

  #attemptEnded(attempt: SocketAttempt, error: Error | null): void {
    this.#attempts.delete(attempt);
    if (error === null) {
      this.#won(attempt);
      return;
    }
    this.#failures.push({ goal: attempt.goal, error });
    if (isUnreachable(error)) this.#remember(attempt.goal);
    this.#next();
  }

  #won({ goal, socket, startedAt }: SocketAttempt): void {
    // An address that had a real head start and was overtaken counts as failed.
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
    this.#nextAttempt?.cancel();
    this.#nextAttempt = null;
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

  /** The host may have other addresses by now than those in the cache. */
  #forgetAnswer(): void {
    if ("host" in this.#target) this.#options.dnsCache?.forget(this.#target.host, this.#query());
  }
}

/** The addresses in the order in which to try them: families in turn, and last those that have failed lately. */
export function orderAddresses(
  addresses: readonly Address[],
  port: number,
  failed: FailedAddresses,
  now: number,
): Address[] {
  const hasFailed = ({ address }: Address): boolean => failed.has(address, port, now);
  const order = interleave(addresses);
  return [...order.filter((address) => !hasFailed(address)), ...order.filter(hasFailed)];
}

/** One of the first address's family, one of the other, and so on; within a family the order stays. */
export function interleave(addresses: readonly Address[]): Address[] {
  const first = addresses.filter(({ family }) => family === addresses[0]?.family);
  const second = addresses.filter(({ family }) => family !== addresses[0]?.family);
  const order: Address[] = [];
  for (let index = 0; order.length < addresses.length; index += 1) {
    order.push(...first.slice(index, index + 1), ...second.slice(index, index + 1));
  }
  return order;
}

function keyOf(address: string, port: number): string {
  return `${address} ${port}`;
}
