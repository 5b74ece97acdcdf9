/** A SOCKS server of our own (versions 4, 4a and 5) that tells what it was asked, and misbehaves on request. */

import { once } from "node:events";
import net from "node:net";
import { type Origin, type OriginConnection, type OriginOptions, startOrigin } from "./origin.ts";

/** What a client asked for. */
export interface SocksRequest {
  version: number;
  /** The name, or the address as text. */
  host: string;
  /** Whether a name was sent. */
  named: boolean;
  port: number;
  /** The user id of version 4. */
  user: string | null;
  password: string | null;
}

/** How to start. */
export interface SocksServerOptions extends OriginOptions {
  /** Who is let in. Default: everybody. Of SOCKS 4 only the user counts. */
  auth?: { user: string; password: string };
  /** Where connections go. Default: what the client asks for. */
  target?: { host?: string; port: number };
  /** Answers with this code instead of connecting: 1 to 8 of SOCKS 5, 91 to 93 of SOCKS 4; a function may let pass. */
  refuse?: number | ((request: SocksRequest) => number | null);
  /** Sends each byte of its own alone. */
  bytewise?: boolean;
  /** Closes after so many bytes of its own. */
  closeAfter?: number;
  /** Says nothing at all. */
  silent?: boolean;
}

/** A running SOCKS server. */
export interface SocksServer extends Origin {
  /** What clients asked for, so far. */
  readonly asked: SocksRequest[];
}

/** Starts a SOCKS server: `await using server = await startSocks()`. */
export async function startSocks(options: SocksServerOptions = {}): Promise<SocksServer> {
  const asked: SocksRequest[] = [];
  const targets = new Set<net.Socket>();
  const origin = await startOrigin(async (connection) => {
    if (options.silent === true) return;
    const session = new Session(connection, options);
    const request = await session.negotiate();
    if (request === null) return;
    asked.push(request);
    await session.pass(request, targets);
  }, options);
  const close = origin.close.bind(origin);
  return Object.assign(origin, {
    asked,
    close: async () => {
      for (const socket of targets) socket.destroy();
      await close();
    },
  });
}

class Session {
  readonly #connection: OriginConnection;
  readonly #options: SocksServerOptions;
  #left: number;

  constructor(connection: OriginConnection, options: SocksServerOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#left = options.closeAfter ?? Number.POSITIVE_INFINITY;
  }

  /** Reads up to the request; `null` if the client is not let in. */
  async negotiate(): Promise<SocksRequest | null> {
    const version = await this.#byte();
    return version === 4 ? await this.#negotiate4() : await this.#negotiate5();
  }

  async pass(request: SocksRequest, targets: Set<net.Socket>): Promise<void> {
    const { refuse: given } = this.#options;
    const refuse = typeof given === "function" ? given(request) : (given ?? null);
    if (refuse !== null) return await this.#deny(request.version, refuse);
    const target = net.connect({ host: request.host, port: request.port, ...this.#options.target });
    targets.add(target);
    target.on("close", () => targets.delete(target)).on("error", () => this.#connection.close());
    await once(target, "connect");
    await this.#say(reply(request.version, request.version === 4 ? 90 : 0));
    target.write(this.#connection.unread, "latin1");
    this.#connection.socket.on("data", (chunk) => target.write(chunk));
    this.#connection.socket.on("close", () => target.destroy());
    target.on("data", (chunk: Buffer) => void this.#connection.send(chunk));
    target.on("close", () => this.#connection.close());
    await this.#connection.closed;
  }

  /** SOCKS 4 and 4a. */
  async #negotiate4(): Promise<SocksRequest | null> {
    const [, high = 0, low = 0, ...address] = await this.#bytes(7);
    const user = await this.#text0();
    const named = address[0] === 0 && address[1] === 0 && address[2] === 0 && address[3] !== 0;
    const host = named ? await this.#text0() : address.join(".");
    const request = { version: 4, host, named, port: high * 256 + low, user, password: null };
    if (this.#options.auth === undefined || this.#options.auth.user === user) return request;
    await this.#deny(4, 93);
    return null;
  }

  /** RFC 1928 and RFC 1929. */
  async #negotiate5(): Promise<SocksRequest | null> {
    const { auth } = this.#options;
    const methods = await this.#bytes(await this.#byte());
    const method = auth === undefined ? 0 : 2;
    await this.#say([5, methods.includes(method) ? method : 255]);
    if (!methods.includes(method)) return this.#close();
    const login = auth === undefined ? null : await this.#login(auth);
    if (login === undefined) return null;
    const [, , , type] = await this.#bytes(4);
    const host = await this.#host(type!);
    const [high = 0, low = 0] = await this.#bytes(2);
    const { user = null, password = null } = login ?? {};
    return { version: 5, host, named: type === 3, port: high * 256 + low, user, password };
  }

  async #login(auth: { user: string; password: string }): Promise<typeof auth | undefined> {
    await this.#byte();
    const user = (await this.#bytes(await this.#byte())).toString();
    const password = (await this.#bytes(await this.#byte())).toString();
    const good = user === auth.user && password === auth.password;
    await this.#say([1, good ? 0 : 1]);
    if (good) return { user, password };
    this.#close();
    return undefined;
  }

  async #host(type: number): Promise<string> {
    if (type === 1) return [...(await this.#bytes(4))].join(".");
    if (type === 3) return (await this.#bytes(await this.#byte())).toString();
    const groups = await this.#bytes(16);
    return Array.from({ length: 8 }, (_, at) => groups.readUInt16BE(at * 2).toString(16)).join(":");
  }

  async #deny(version: number, code: number): Promise<void> {
    await this.#say(reply(version, code));
    this.#close();
  }

  #close(): null {
    this.#connection.halfClose();
    return null;
  }

  async #say(bytes: readonly number[]): Promise<void> {
    const now = Buffer.from(bytes).subarray(0, this.#left);
    this.#left -= now.length;
    await (this.#options.bytewise === true ? this.#connection.sendBytewise(now) : this.#connection.send(now));
    if (this.#left === 0) this.#connection.close();
  }

  #bytes(count: number): Promise<Buffer> {
    return this.#connection.readBody(count);
  }

  async #byte(): Promise<number> {
    return (await this.#bytes(1))[0]!;
  }

  async #text0(): Promise<string> {
    return (await this.#connection.readUntil("\0")).toString().slice(0, -1);
  }
}

function reply(version: number, code: number): number[] {
  return version === 4 ? [0, code, 0, 0, 0, 0, 0, 0] : [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
}
