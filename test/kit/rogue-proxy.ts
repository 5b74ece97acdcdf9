/**
 * A proxy of our own that does exactly what a test says, and keeps every byte that it was sent. It can tunnel for
 * real; what it forwards, it answers itself. For real proxies see `squid.ts`, `proxies.ts` and `dante.ts`.
 */

import { once } from "node:events";
import net from "node:net";
import {
  type Field,
  type HttpAnswer,
  type OriginRequest,
  type ResponseSpec,
  readRequest,
  sendAnswer,
} from "./http-origin.ts";
import { type Origin, type OriginConnection, type OriginOptions, startOrigin } from "./origin.ts";

/** Opens a tunnel to the target of a CONNECT. */
export interface TunnelAnswer {
  /** Where to; default: what the CONNECT names. */
  tunnel: true | { host?: string; port: number };
  /** The answer to CONNECT as it stands. Default {@link ESTABLISHED}. */
  reply?: string | Uint8Array;
  /** The proxy closes the tunnel after so many bytes from the target. */
  breakAfter?: number;
}

/** Anything at all instead of an answer: the function deals with the connection itself. */
export type Misbehaviour = (connection: OriginConnection) => Promise<void> | void;

/** What the proxy does with one request. */
export type RogueAnswer = TunnelAnswer | Misbehaviour | HttpAnswer;

/** Decides about one request, a CONNECT or another. `index`: its place on its connection, from 0. */
export type RogueHandler = (request: OriginRequest, index: number) => RogueAnswer | Promise<RogueAnswer>;

/** How to start. */
export interface RogueOptions extends OriginOptions {
  /** Instead of reading a request. */
  onAccept?: Misbehaviour;
}

/** A running rogue proxy. */
export interface RogueProxy extends Origin {
  /** Every request, in order over all connections. */
  readonly received: OriginRequest[];
  /** Targets of the CONNECTs. */
  readonly connects: string[];
  /** All bytes from clients as latin1 text; what is in a tunnel included. */
  bytes(): string;
}

/** The usual answer to CONNECT. */
export const ESTABLISHED = "HTTP/1.1 200 Connection established\r\n\r\n";

/** Starts a rogue proxy. By default it is a good one: it tunnels, and answers 200 with the target as body. */
export async function startRogueProxy(
  handler: RogueHandler = behave,
  options: RogueOptions = {},
): Promise<RogueProxy> {
  const received: OriginRequest[] = [];
  const chunks: Buffer[] = [];
  const targets = new Set<net.Socket>();
  const origin = await startOrigin(async (connection) => {
    connection.socket.on("data", (chunk) => chunks.push(chunk));
    if (options.onAccept !== undefined) return await options.onAccept(connection);
    await serve(connection, handler, received, targets);
  }, options);
  const close = origin.close.bind(origin);
  return Object.defineProperties(origin as RogueProxy, {
    received: { value: received },
    connects: { get: () => received.filter(isConnect).map(({ target }) => target) },
    bytes: { value: () => Buffer.concat(chunks).toString("latin1") },
    close: {
      value: async () => {
        for (const socket of targets) socket.destroy();
        await close();
      },
    },
  });
}

/** What a good proxy does. */
export function behave(request: OriginRequest): RogueAnswer {
  return isConnect(request) ? { tunnel: true } : { body: request.target };
}

/** A 407 with these challenges. */
export function challenge(...values: readonly string[]): ResponseSpec {
  const headers = values.map((value): Field => ["Proxy-Authenticate", value]);
  return { status: 407, headers, body: "who are you?" };
}

/** Lets in who has the value of Proxy-Authorization, and challenges others. */
export function guarded(authorization: string, value = 'Basic realm="rogue"'): RogueHandler {
  return (request) =>
    request.header("proxy-authorization") === authorization ? behave(request) : challenge(value);
}

function isConnect({ method }: OriginRequest): boolean {
  return method === "CONNECT";
}

async function serve(
  connection: OriginConnection,
  handler: RogueHandler,
  received: OriginRequest[],
  targets: Set<net.Socket>,
): Promise<void> {
  for (let index = 0; ; index += 1) {
    const request = await readRequest(connection, true);
    received.push(request);
    const answer = await handler(request, index);
    if (typeof answer === "function") return await answer(connection);
    if (isTunnel(answer)) return await tunnel(connection, request, answer, targets);
    if (answer !== undefined && (await sendAnswer(connection, request, answer))) return;
  }
}

function isTunnel(answer: Exclude<RogueAnswer, Misbehaviour>): answer is TunnelAnswer {
  return typeof answer === "object" && "tunnel" in answer;
}

async function tunnel(
  connection: OriginConnection,
  request: OriginRequest,
  answer: TunnelAnswer,
  targets: Set<net.Socket>,
): Promise<void> {
  const target = net.connect({ allowHalfOpen: true, noDelay: true, ...destination(request, answer) });
  targets.add(target);
  target.on("close", () => targets.delete(target));
  target.on("error", () => connection.close());
  await once(target, "connect").catch(() => {});
  if (target.destroyed) return;
  await connection.send(answer.reply ?? ESTABLISHED);
  join(connection, target, answer.breakAfter ?? Number.POSITIVE_INFINITY);
  await connection.closed;
}

function destination({ target }: OriginRequest, answer: TunnelAnswer): { host: string; port: number } {
  const url = new URL(`tcp://${target}`);
  const named = { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(url.port) };
  return answer.tunnel === true ? named : { host: "127.0.0.1", ...answer.tunnel };
}

/** Both directions, each ended as it ends on the other side. */
function join(connection: OriginConnection, target: net.Socket, breakAfter: number): void {
  let passed = 0;
  target.write(connection.unread, "latin1");
  connection.socket.on("data", (chunk) => target.write(chunk));
  connection.socket.on("end", () => target.end());
  connection.socket.on("close", () => target.destroy());
  target.on("data", (chunk: Buffer) => {
    passed += chunk.length;
    if (passed <= breakAfter) void connection.send(chunk);
    else connection.close();
  });
  target.on("end", () => connection.halfClose());
  target.on("close", () => connection.close());
}
