/** One attempt of a dial: the options of its socket, its end, and what the failures of all attempts come to. */

import { isIP, type NetConnectOpts, type OnReadOpts, type Socket } from "node:net";
import { InvalidArgumentError, NewConnectionError } from "../core/errors.ts";
import { ignore } from "../core/ignore.ts";
import type { Address } from "./resolve.ts";

/** An address to connect from: alone, or with a port as in urllib3's `source_address`; 0 for any port. */
export type SourceAddress =
  | string
  | { readonly address: string; readonly port?: number | null | undefined }
  | readonly [address: string, port?: number | null];

/** What the socket of an attempt is made with. What is `null` counts as not given. */
export interface SocketSettings {
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
}

/** What an attempt connects to: an address, or a Unix-domain socket. */
export type Goal = Address | { readonly path: string };

/** An attempt that failed. */
export interface Failure {
  readonly goal: Goal;
  readonly error: Error;
}

/** Addresses that a message names. */
const MOST_NAMES = 8;

/** Codes that tell of the address or the network, and not of this machine. */
const UNREACHABLE = new Set([
  "EAFNOSUPPORT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
  "ETIMEDOUT",
]);

/** Codes that say only that this machine has no route there, as for IPv6 on a machine without it. */
const NO_WAY = new Set([
  "EADDRNOTAVAIL",
  "EAFNOSUPPORT",
  "EHOSTUNREACH",
  "EINVAL",
  "ENETDOWN",
  "ENETUNREACH",
]);

/** Whether `error` says that its address cannot be reached now, so that others should be tried first. */
export function isUnreachable(error: Error): boolean {
  return UNREACHABLE.has(codeOf(error));
}

/** The first error of an address that there is a route to; else the first one. */
export function tellingError(failures: readonly Failure[]): Error | undefined {
  return (failures.find(({ error }) => !NO_WAY.has(codeOf(error))) ?? failures[0])?.error;
}

/** The error of a dial all of whose attempts failed (urllib3's `NewConnectionError`). */
export function connectionError(failures: readonly Failure[], port: number): NewConnectionError {
  const cause = tellingError(failures) ?? new Error("no address to try");
  const goals = failures.length > 1 ? failures.map(({ goal }) => goal) : [];
  const reason = cause.message || codeOf(cause) || cause.name;
  return new NewConnectionError(`Failed to establish a new connection: ${reason}${tried(goals, port)}`, {
    phase: "connect",
    cause,
  });
}

/** ` (tried ADDRESS:PORT, ...)`; nothing without addresses. */
export function tried(goals: readonly Goal[], port: number): string {
  if (goals.length === 0) return "";
  const names = goals.slice(0, MOST_NAMES).map((goal) => nameOf(goal, port));
  const more = goals.length > MOST_NAMES ? ` and ${goals.length - MOST_NAMES} more` : "";
  return ` (tried ${names.join(", ")}${more})`;
}

function nameOf(goal: Goal, port: number): string {
  if ("path" in goal) return goal.path;
  return goal.family === 6 ? `[${goal.address}]:${port}` : `${goal.address}:${port}`;
}

function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? "";
}

/** One socket that is connecting. Reports once, unless discarded before. */
export class SocketAttempt {
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

/** What `net.connect` is given for an attempt at `goal`. Throws `InvalidArgumentError`. */
export function socketOptions(goal: Goal, port: number, options: SocketSettings): NetConnectOpts {
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

/** The address to connect from, in one form. */
export function sourceOf(
  source: SourceAddress | null | undefined,
): { address: string; port?: number | null | undefined } | null {
  if (!source) return null;
  if (typeof source === "string") return { address: source };
  return "address" in source ? source : { address: source[0], port: source[1] };
}
