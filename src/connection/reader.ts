/**
 * The read side of a socket without stream machinery: `net.connect({ onread })` hands the bytes straight over, from one
 * buffer that all sockets of the process share, or from wherever the receiver wants them (a body of known length is
 * read by the kernel into its final place).
 *
 * Sockets that know no `onread` (a TLS socket over another one) are read through their 'data' events.
 */

import type { OnReadOpts, Socket } from "node:net";

/** Large enough that a fast sender fills it, small enough to stay in the cache. */
const SHARED_BUFFER_SIZE = 65_536;

let shared: Buffer | null = null;

/** Who takes the bytes. */
export interface ByteReceiver {
  /** `bytes[0, length)` is only valid during the call. `false` stops reading until the socket's `resume`. */
  onBytes(bytes: Buffer, length: number): boolean;
  /** Where the next bytes should go; `null` for the shared buffer. */
  readInto(): Buffer | null;
}

/**
 * Connects one socket to one receiver. Made before the socket is, for all sockets of a race; what comes before `receiver`
 * is set is kept.
 */
export class SocketReader {
  receiver: ByteReceiver | null = null;
  readonly onread: OnReadOpts;
  #current: Buffer | null = null;
  /** What came before there was a receiver. */
  #early: Buffer[] | null = null;

  constructor() {
    this.onread = {
      buffer: () => this.#nextBuffer() as Uint8Array,
      callback: (length, bytes) => this.#take(bytes as Buffer, length),
    };
  }

  /** Takes the bytes of a socket that was made without `onread`, and that may have been left paused. */
  readEvents(socket: Socket): void {
    socket
      .on("data", (bytes: Buffer) => {
        if (!this.#take(bytes, bytes.length)) socket.pause();
      })
      .resume();
  }

  /** Gives what came so far to `receiver`, and from now on everything: to one whose peer may speak first. */
  attach(receiver: ByteReceiver, socket: Socket): void {
    this.receiver = receiver;
    const early = this.#early;
    this.#early = null;
    if (early === null) return;
    for (const bytes of early) if (!receiver.onBytes(bytes, bytes.length)) return;
    socket.resume();
  }

  /** Whether the peer spoke before it was asked. */
  get hasEarlyBytes(): boolean {
    return this.#early !== null;
  }

  #take(bytes: Buffer, length: number): boolean {
    if (this.receiver !== null) return this.receiver.onBytes(bytes, length);
    this.#early ??= [];
    this.#early.push(Buffer.from(bytes.subarray(0, length)));
    return false;
  }

  /** Node keeps using the last buffer when it gets `null`: that saves a call into the engine per read. */
  #nextBuffer(): Buffer | null {
    shared ??= Buffer.allocUnsafeSlow(SHARED_BUFFER_SIZE);
    const wanted = this.receiver?.readInto() ?? shared;
    // Until one of them has won, every socket of a race asks for its first buffer.
    if (wanted === this.#current && this.receiver !== null) return null;
    this.#current = wanted;
    return wanted;
  }
}
