/**
 * Bare sockets in a pool: connections on which somebody else speaks his own protocol, one request at a time. An idle one
 * is watched as an HTTP/1.1 connection is: any byte, or an end, is its death, and it rests for one poll after use.
 */

import type { Socket } from "node:net";
import type {
  Connection,
  ConnectionInfo,
  ConnectionOwner,
  ConnectionSetup,
  Stream,
} from "../connection/connection.ts";
import { type PollEntry, sharedBarrier } from "../connection/poll-barrier.ts";
import { ignore } from "../core/ignore.ts";
import type { Connecting, Connector, ConnectRequest, OpenedSocket } from "./connector.ts";

/** Opens a bare socket for a pool. */
export function openWire(connector: Connector, request: ConnectRequest): Connecting {
  return connector.openSocket({
    opened: (opened) =>
      request.connected(
        new WireConnection(opened, request.owner, connector.route.name, connector.clock.now()),
      ),
    failed: (error) => request.failed(error),
  });
}

/** A socket with its place in a pool. */
export class WireConnection implements Connection, PollEntry {
  readonly info: ConnectionInfo;
  readonly protocol = "http/1.1";
  readonly setup: ConnectionSetup;
  readonly bornAt: number;
  exchanges: number = 0;
  free: number = 1;
  open: number = 0;
  keepAliveHint: number | null = null;
  readonly socket: Socket;
  readonly #wire: Socket;
  readonly #owner: ConnectionOwner;
  #alive = true;
  #retired = false;

  constructor(
    { socket, wire, setup, address }: OpenedSocket,
    owner: ConnectionOwner,
    route: string,
    bornAt: number,
  ) {
    this.info = Object.freeze({ id: 0, protocol: this.protocol, route, address });
    this.setup = setup;
    this.bornAt = bornAt;
    this.socket = socket;
    this.#wire = wire;
    this.#owner = owner;
    // From birth to death: an error that nobody listens for would end the process.
    socket.on("error", ignore);
    socket.on("close", () => this.#end());
    // In flowing mode from now on: nobody resumes it for its next use.
    socket.on("data", this.#onUnasked).on("end", this.#onUnasked).resume();
  }

  /** Takes the socket for one use; `give` ends it. */
  take(): Socket {
    this.exchanges++;
    this.free = 0;
    this.open = 1;
    return this.socket;
  }

  /** The use has ended, and the socket may serve another one. `hint`: for how many ms the server keeps it. */
  give(hint: number | null): void {
    if (!this.#alive || this.open === 0) return;
    this.open = 0;
    this.keepAliveHint = hint;
    const { destroyed, writable, readableEnded, readableFlowing } = this.socket;
    if (this.#retired || destroyed || !writable || readableEnded) {
      this.close();
      return;
    }
    if (readableFlowing !== true) this.socket.resume();
    this.#owner.capacityChanged();
    if (this.#alive) sharedBarrier.add(this);
  }

  /** The socket is somebody's own from now on, and no place in the pool is counted for it. */
  detach(): void {
    this.#end();
  }

  onPoll(): void {
    if (!this.#alive || this.open > 0) return;
    this.free = 1;
    this.#owner.capacityChanged();
  }

  start(): Stream {
    throw new Error("a bare socket carries no exchange");
  }

  retire(): void {
    this.#retired = true;
    if (this.open === 0) this.close();
  }

  close(): void {
    this.socket.destroy();
    this.#wire.destroy();
    this.#end();
  }

  ref(): void {
    this.#wire.ref();
  }

  unref(): void {
    this.#wire.unref();
  }

  toString(): string {
    return `${this.info.route} wire ${this.open > 0 ? "taken" : "idle"}`;
  }

  /** While it is in use, data and end are its user's affair. */
  readonly #onUnasked = (): void => {
    if (this.open === 0) this.close();
  };

  #end(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.free = 0;
    this.open = 0;
    this.socket.off("data", this.#onUnasked).off("end", this.#onUnasked);
    this.#owner.dead();
  }
}
