/**
 * What goes on inside, on `node:diagnostics_channel`: one boolean check each while nobody listens. URLs carry no
 * credentials, and header fields are never among the messages.
 *
 * `NODE_DEBUG=urlpool` prints every message as a line on stderr, and warns of forgotten responses.
 */

import { type Channel, channel } from "node:diagnostics_channel";
import { debuglog } from "node:util";

/** `urlpool:request:start`: a call begins. */
export interface RequestStartMessage {
  /** Counts the requests of the process. */
  request: number;
  method: string;
  url: string;
}

/** `urlpool:request:end`: the caller gets an answer. */
export interface RequestEndMessage extends RequestStartMessage {
  status: number;
  /** Tries, the silent ones included. */
  attempts: number;
}

/** `urlpool:request:error`: the caller gets an error. */
export interface RequestErrorMessage extends RequestStartMessage {
  error: unknown;
  attempts: number;
}

/** `urlpool:attempt:start`: a try begins, with the wait for a connection. */
export interface AttemptMessage extends RequestStartMessage {
  /** 1 for the first. */
  attempt: number;
  /** Why it is made. */
  reason: "first" | "resend" | "retry" | "redirect" | "challenge" | "expectation";
}

/** How long the parts of an attempt took, in ms; `null` for one that was not reached, or not needed. */
export interface AttemptPhases {
  /** Waiting for a connection, without the making of one. */
  queued: number;
  dns: number | null;
  connect: number | null;
  tls: number | null;
  /** From the first byte of the request to its last. */
  send: number | null;
  /** From then to the head of the answer. */
  wait: number | null;
  /** From then to the end of its body. */
  receive: number | null;
}

/**
 * `urlpool:attempt:end`: a try is over, its body included. Made only while somebody listens. The values of fields that
 * hold credentials are `***`.
 */
export interface AttemptEndMessage extends RequestStartMessage {
  attempt: number;
  /** Counts the connections of the process; `null` where there was none. */
  connection: number | null;
  /** First hop, such as `127.0.0.1:80`. */
  route: string | null;
  protocol: "http/1.1" | "h2" | null;
  /** Address of the first hop. */
  address: string | null;
  /** Whether the connection had served another request. */
  reused: boolean;
  /** As HTTP/1 writes it. */
  requestHead: string | null;
  /** Of the head as it was, credentials included; 0 without one. */
  requestHeadBytes: number;
  /** Of head and body, without the framing of a chunked one. */
  requestBytes: number;
  responseHead: string | null;
  /** As `requestHeadBytes`. */
  responseHeadBytes: number;
  status: number | null;
  /** Of the answer's body, as it came over the wire. */
  bytes: number;
  phases: AttemptPhases;
  /** `null` if it went well. */
  error: unknown;
}

/** `urlpool:cookie:rejected`: a cookie jar did not take a cookie. */
export interface CookieRejectedMessage {
  /** URL of the answer that brought it, without credentials. */
  url: string;
  /** What the jar threw. */
  error: unknown;
}

/** `urlpool:connection:open`: a connection stands. */
export interface ConnectionOpenMessage {
  /** Counts the connections of the process. */
  connection: number;
  /** First hop, such as `127.0.0.1:80`. */
  route: string;
  /** ms */
  dns: number;
  /** ms */
  connect: number;
  /** ms; `null` without TLS. */
  tls: number | null;
}

/** `urlpool:connection:close`: a connection is gone. */
export interface ConnectionCloseMessage {
  connection: number;
  route: string;
  /** Exchanges begun on it. */
  exchanges: number;
}

/** `urlpool:connection:error`: no connection could be made. */
export interface ConnectionErrorMessage {
  route: string;
  error: unknown;
}

/** `urlpool:pool:open` and `urlpool:pool:close`: a manager makes or drops a pool. */
export interface PoolMessage {
  /** `http://host:port` */
  origin: string;
}

/** A channel whose messages are of one type. */
interface TypedChannel<T extends object> extends Channel {
  publish(message: T): void;
}

function typed<T extends object>(name: string): TypedChannel<T> {
  return channel(`urlpool:${name}`) as TypedChannel<T>;
}

/** The channels. Check `hasSubscribers` before making a message. */
export const trace: {
  readonly requestStart: TypedChannel<RequestStartMessage>;
  readonly requestEnd: TypedChannel<RequestEndMessage>;
  readonly requestError: TypedChannel<RequestErrorMessage>;
  readonly attemptStart: TypedChannel<AttemptMessage>;
  readonly attemptEnd: TypedChannel<AttemptEndMessage>;
  readonly cookieRejected: TypedChannel<CookieRejectedMessage>;
  readonly connectionOpen: TypedChannel<ConnectionOpenMessage>;
  readonly connectionClose: TypedChannel<ConnectionCloseMessage>;
  readonly connectionError: TypedChannel<ConnectionErrorMessage>;
  readonly poolOpen: TypedChannel<PoolMessage>;
  readonly poolClose: TypedChannel<PoolMessage>;
} = {
  requestStart: typed("request:start"),
  requestEnd: typed("request:end"),
  requestError: typed("request:error"),
  attemptStart: typed("attempt:start"),
  attemptEnd: typed("attempt:end"),
  cookieRejected: typed("cookie:rejected"),
  connectionOpen: typed("connection:open"),
  connectionClose: typed("connection:close"),
  connectionError: typed("connection:error"),
  poolOpen: typed("pool:open"),
  poolClose: typed("pool:close"),
};

let logging = false;
let debugging = false;

/** Prints the messages if `NODE_DEBUG` asks for it; called by the first manager or pool, so that importing does nothing. */
export function logIfAsked(): void {
  if (logging) return;
  logging = true;
  const log = debuglog("urlpool");
  if (!log.enabled) return;
  debugging = true;
  for (const one of Object.values(trace))
    one.subscribe((message, name) => log("%s", line(String(name), message)));
}

/** Whether `NODE_DEBUG` asks for more than costs nothing. */
export function isDebugging(): boolean {
  return debugging;
}

function line(name: string, message: unknown): string {
  const scalars = Object.entries(message as object).filter(([, value]) => isShort(value));
  const facts = scalars.map(([key, value]) => `${key}=${show(value)}`);
  return `${name.replace("urlpool:", "")} ${facts.join(" ")}`;
}

/** Heads have lines of their own, and phases are for programs. */
function isShort(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return value instanceof Error;
  return typeof value !== "string" || !value.includes("\n");
}

function show(value: unknown): string {
  if (typeof value === "number") return String(Math.round(value * 100) / 100);
  return value instanceof Error ? `"${value.name}: ${value.message}"` : String(value);
}
