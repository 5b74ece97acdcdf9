/**
 * The mocked origins for node:http: an agent whose sockets lead to a node:http server in this process. What https
 * requests say is not encrypted on the way.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { type Clock, HTTPConnectionPool, HTTPHeaderDict, PoolAgent, type Timer } from "../index.ts";
import { bodyOf, fieldsOf, type MockAnswer } from "./answer.ts";
import { hasNoBody, pass } from "./mock-connection.ts";
import { MockRequest } from "./request.ts";

/** Answers one request; rejects where it is not expected. */
export type RequestAnswering = (request: MockRequest) => Promise<MockAnswer>;

/** The two ends of a wire, and the origin that it leads to. */
interface Wire {
  readonly ours: Duplex;
  readonly origin: string;
  readonly connection: number;
}

/** What `PoolAgent` takes its sockets from. */
export class MockAgentBase {
  readonly connectionPoolKw = {};
  readonly #pools = new Map<string, HTTPConnectionPool>();
  readonly #wires = new WeakMap<object, Wire>();
  readonly #clock: Clock;
  readonly #count: () => number;
  readonly #answering: RequestAnswering;
  readonly #server: Server = createServer((request, response) => void this.#serve(request, response));

  /** `count` numbers a new connection. */
  constructor(clock: Clock, count: () => number, answering: RequestAnswering) {
    this.#clock = clock;
    this.#count = count;
    this.#answering = answering;
  }

  /** An agent with such sockets. */
  agent(): PoolAgent {
    return new PoolAgent(this);
  }

  /** As a manager's: the pool of an origin. */
  connectionFromOrigin(origin: string): HTTPConnectionPool {
    const known = this.#pools.get(origin);
    if (known !== undefined) return known;
    const pool = new HTTPConnectionPool("mocked", 80, {
      clock: this.#clock,
      connect: () => this.#connect(origin),
    });
    this.#pools.set(origin, pool);
    return pool;
  }

  /** As a manager's: the options of a request say nothing to a mocked origin. */
  connectionFromHost(host: string, port?: number | null, scheme?: string | null): HTTPConnectionPool {
    const origin = new URL(`${scheme}://${host}`);
    origin.port = port ? String(port) : "";
    return this.connectionFromOrigin(origin.origin);
  }

  #connect(origin: string): Duplex {
    const [ours, theirs] = duplexPair();
    this.#wires.set(theirs, { ours, origin, connection: this.#count() });
    ours.on("close", () => theirs.destroy());
    this.#server.emit("connection", theirs);
    return asSocket(ours, this.#clock);
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { ours, origin, connection } = this.#wires.get(incoming.socket)!;
    try {
      const { method, url, rawHeaders } = incoming as { method: string; url: string; rawHeaders: string[] };
      const headers = new HTTPHeaderDict();
      for (let at = 0; at < rawHeaders.length; at += 2) headers.add(rawHeaders[at]!, rawHeaders[at + 1]!);
      const parts = await incoming.toArray();
      const target = new URL(url, origin).href;
      const answer = await this.#answering(
        new MockRequest(method, target, headers, Buffer.concat(parts), connection),
      );
      if (answer.delay !== undefined) await pass(this.#clock, answer.delay);
      send(answer, response, ours);
    } catch (error) {
      ours.destroy(error as Error);
    }
  }
}

function send(answer: MockAnswer, response: ServerResponse, ours: Duplex): void {
  const { status = 200, fault } = answer;
  if (fault === "stall") return;
  if (fault === "reset" || fault === "refuse") {
    ours.destroy(systemError(fault === "reset" ? "read ECONNRESET" : "connect ECONNREFUSED"));
    return;
  }
  const body = bodyOf(answer);
  const fields = fieldsOf(answer, body.length).flat();
  if (hasNoBody(response.req.method!, status)) response.writeHead(status, fields).end();
  else if (fault === "close-mid-body") {
    const after = answer.after ?? body.length >> 1;
    response.writeHead(status, fields).write(body.subarray(0, after), () => void ours.destroy());
  } else response.writeHead(status, fields).end(body);
}

/** As Node makes it; the code is the last word of the message. */
function systemError(message: string): Error {
  return Object.assign(new Error(message), { code: message.split(" ").at(-1) });
}

/** `stream` with the methods of sockets that node:http and its users call. */
function asSocket(stream: Duplex, clock: Clock): Duplex {
  const socket = stream as Socket;
  let timer: Timer | null = null;
  socket.setTimeout = (ms, callback) => {
    timer?.cancel();
    Object.assign(socket, { timeout: ms });
    if (callback !== undefined) socket.off("timeout", callback);
    if (callback !== undefined && ms > 0) socket.once("timeout", callback);
    timer = ms > 0 ? clock.setTimer(() => socket.emit("timeout"), ms, true) : null;
    return socket;
  };
  socket.on("close", () => timer?.cancel());
  for (const name of ["setNoDelay", "setKeepAlive", "ref", "unref"] as const) socket[name] = () => socket;
  return socket;
}
