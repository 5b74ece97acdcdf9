/** A resolver and sockets that do what the test says, when it says so. */

import { EventEmitter } from "node:events";
import type { LookupFunction, NetConnectOpts, Socket, TcpNetConnectOpts } from "node:net";

type LookupParameters = Parameters<LookupFunction>;

/** One question to the resolver. */
export interface LookupCall {
  readonly host: string;
  readonly options: LookupParameters[1];
  readonly callback: LookupParameters[2];
  answered: boolean;
}

/** A look-up function that keeps its questions until they are answered, each in turn. */
export class FakeResolver {
  readonly calls: LookupCall[] = [];

  readonly lookup: LookupFunction = (host, options, callback) => {
    this.calls.push({ host, options, callback, answered: false });
  };

  answer(host: string, addresses: readonly string[]): void {
    const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    this.#next(host).callback(null, found);
  }

  fail(host: string, error: NodeJS.ErrnoException): void {
    this.#next(host).callback(error, []);
  }

  #next(host: string): LookupCall {
    const call = this.calls.find((one) => one.host === host && !one.answered);
    if (call === undefined) throw new Error(`nobody has asked for ${host}`);
    call.answered = true;
    return call;
  }
}

/** A connection attempt. */
export class FakeSocket extends EventEmitter {
  readonly options: NetConnectOpts;
  destroyed = false;
  referenced = true;

  constructor(options: NetConnectOpts) {
    super();
    this.options = options;
  }

  /** What it connects to. */
  get name(): string {
    const { host, port, path } = this.options as Partial<TcpNetConnectOpts> & { path?: string };
    return path ?? `${host} ${port}`;
  }

  connect(): void {
    this.emit("connect");
  }

  fail(code: string): void {
    this.destroyed = true;
    this.emit("error", Object.assign(new Error(`connect ${code} ${this.name.replace(" ", ":")}`), { code }));
    this.emit("close");
  }

  destroy(): this {
    this.destroyed = true;
    return this;
  }

  ref(): this {
    this.referenced = true;
    return this;
  }

  unref(): this {
    this.referenced = false;
    return this;
  }

  /** Listeners of all events. */
  get listenerTotal(): number {
    return this.eventNames().reduce((sum, name) => sum + this.listenerCount(name), 0);
  }
}

/** Where fake sockets are made. */
export class FakeNet {
  readonly sockets: FakeSocket[] = [];
  /** Error that beginning an attempt throws, if any. */
  broken: Error | null = null;

  readonly createSocket = (options: NetConnectOpts): Socket => {
    if (this.broken !== null) throw this.broken;
    const socket = new FakeSocket(options);
    this.sockets.push(socket);
    return socket as unknown as Socket;
  };

  /** Attempts so far, in order. */
  get names(): string[] {
    return this.sockets.map(({ name }) => name);
  }

  get open(): FakeSocket[] {
    return this.sockets.filter(({ destroyed }) => !destroyed);
  }
}
