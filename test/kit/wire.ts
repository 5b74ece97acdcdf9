/**
 * Two connected ends of a byte stream in memory, each with the part of `net.Socket`'s surface that a connection uses:
 * the same events in the same order, the same `onread`, the same backpressure. No descriptor, no real time.
 *
 * A write becomes a packet; packets keep their order, and each is delivered by a microtask of its own, or after the
 * latency on the clock that was given. The far end holds up to `window` bytes for a reader that is not reading; what
 * does not fit waits at the writer and counts as its `writableLength`.
 */

import { EventEmitter } from "node:events";
import type net from "node:net";
import type { Clock, Timer } from "../../src/core/clock.ts";
import type { Random } from "./seed.ts";

/** As `net.connect`'s `onread`: data is put into the buffer and 'data' is not emitted. */
export interface OnRead {
  /** One buffer for all, or a function asked for the next one, which gives `null` to keep the last. */
  buffer: Uint8Array | (() => Uint8Array | null);
  /** Gets the count of bytes and the buffer that has them; `false` pauses the wire. */
  callback(bytesRead: number, buffer: Uint8Array): boolean;
}

/** How one end behaves. */
export interface WireOptions {
  /** Cuts what this end sends into pieces of at most so many bytes. Default: one piece for each write. */
  chunkSize?: number;
  /** Cuts what this end sends at places this generator picks; `chunkSize` (default 64) is then the longest piece. */
  random?: Random;
  /** Time in ms on `clock` from a write to its delivery. Default 0. */
  latency?: number;
  /** `writableLength` from which `write` returns false. Default 65,536. */
  highWaterMark?: number;
  /** Bytes sent to this end that it holds while it does not read. Default 1 MiB. */
  window?: number;
  /** What this end writes is kept and never sent, as to a peer that has stopped reading, until `unstall()`. */
  neverDrains?: boolean;
  /** Ends only its own direction with `end()`; else it ends too when the other end does, as `net.Socket`. */
  allowHalfOpen?: boolean;
  /** Starts unconnected, until `completeConnect()` or `failConnect()`. */
  connecting?: boolean;
  onread?: OnRead;
}

/** Options of a pair: those given here hold for both ends, those below `client` and `server` for one. */
export interface WirePairOptions extends WireOptions {
  /** Needed for latency. */
  clock?: Clock;
  /** Runs a delivery later. Default `queueMicrotask`; a test may collect them and choose their order. */
  schedule?: (deliver: () => void) => void;
  client?: WireOptions;
  server?: WireOptions;
}

/** Makes two connected ends: the client's and the server's. */
export function wirePair(options: WirePairOptions = {}): [client: Wire, server: Wire] {
  const { clock, schedule = queueMicrotask, client, server, ...both } = options;
  const a = new Wire({ ...both, ...client }, schedule, clock);
  const b = new Wire({ allowHalfOpen: true, ...both, connecting: false, ...server }, schedule, clock);
  Wire.join(a, b);
  return [a, b];
}

/** The end as the type that connection code is written for. */
export function asSocket(wire: Wire): net.Socket {
  return wire as unknown as net.Socket;
}

type Callback = (error?: Error | null) => void;

interface Outgoing {
  bytes: Buffer;
  callback: Callback | undefined;
}

/** Bytes, or how the other end's direction ended. */
interface Packet {
  content: Buffer | "end" | "reset";
  due: number;
}

/** One end of a wire; made by {@link wirePair}. */
export class Wire extends EventEmitter {
  /** Bytes given to `write`, sent or not, as on a socket. */
  bytesWritten = 0;
  /** Bytes delivered to the reader. */
  bytesRead = 0;
  /** How many packets have left this end: a corked head and body count as one. */
  packetsSent = 0;
  connecting: boolean;
  destroyed = false;
  closed = false;
  errored: Error | null = null;
  /** The reader has seen the other end's FIN. */
  readableEnded = false;
  /** `end()` was called. */
  writableEnded = false;
  /** Everything including our FIN has been sent. */
  writableFinished = false;
  /** Whether this end keeps a program alive, by the last of `ref()` and `unref()`. */
  hasReference = true;
  readonly remoteAddress = "127.0.0.1";
  readonly remotePort = 80;
  readonly remoteFamily = "IPv4";
  readonly localAddress = "127.0.0.1";
  readonly localPort = 49_152;

  readonly #options: WireOptions;
  readonly #schedule: (deliver: () => void) => void;
  readonly #clock: Clock | undefined;
  readonly #highWaterMark: number;
  readonly #window: number;
  #peer!: Wire;
  #stalled: boolean;
  #outbox: Outgoing[] = [];
  #corked = 0;
  #needDrain = false;
  #finSent = false;
  #inbox: Packet[] = [];
  #inboxBytes = 0;
  /** null: nobody has asked for data yet, as with a stream that has no 'data' listener. */
  #reading: boolean | null;
  #delivering = false;
  #deliveryTimer: Timer | undefined;
  #readBuffer: Uint8Array | undefined;

  /** @internal */
  constructor(options: WireOptions, schedule: (deliver: () => void) => void, clock: Clock | undefined) {
    super();
    if ((options.latency ?? 0) > 0 && clock === undefined) throw new Error("a wire's latency needs a clock");
    this.#options = options;
    this.#schedule = schedule;
    this.#clock = clock;
    this.#highWaterMark = options.highWaterMark ?? 65_536;
    this.#window = options.window ?? 1_048_576;
    this.#stalled = options.neverDrains ?? false;
    this.connecting = options.connecting ?? false;
    this.#reading = options.onread === undefined ? null : true;
    if (options.onread !== undefined) this.#nextReadBuffer(options.onread);
    this.on("newListener", (name) => {
      if (name === "data" && this.#reading === null) this.resume();
    });
  }

  /** @internal */
  static join(a: Wire, b: Wire): void {
    a.#peer = b;
    b.#peer = a;
  }

  /** Bytes written that have not left this end. */
  get writableLength(): number {
    return this.#outbox.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  get writableNeedDrain(): boolean {
    return this.#needDrain;
  }

  get writable(): boolean {
    return !this.destroyed && !this.writableEnded;
  }

  get readable(): boolean {
    return !this.destroyed && !this.readableEnded;
  }

  /** Bytes that have arrived, or are under way, and were not delivered to the reader. */
  get readableLength(): number {
    return this.#inboxBytes;
  }

  // ---- writing

  write(data: string | Uint8Array, encoding?: BufferEncoding | Callback, callback?: Callback): boolean {
    const done = typeof encoding === "function" ? encoding : callback;
    if (this.writableEnded || this.destroyed) return this.#refuseWrite(done);
    const bytes =
      typeof data === "string"
        ? Buffer.from(data, encoding as BufferEncoding | undefined)
        : Buffer.from(data);
    this.bytesWritten += bytes.length;
    this.#outbox.push({ bytes, callback: done });
    const roomLeft = this.writableLength < this.#highWaterMark;
    if (!roomLeft) this.#needDrain = true;
    this.#flush();
    return roomLeft;
  }

  end(
    data?: string | Uint8Array | Callback,
    encoding?: BufferEncoding | Callback,
    callback?: Callback,
  ): this {
    const done = [data, encoding, callback].find((value) => typeof value === "function");
    if (done !== undefined) this.once("finish", done as () => void);
    if (data !== undefined && typeof data !== "function") {
      this.write(data, typeof encoding === "string" ? encoding : undefined);
    }
    this.writableEnded = true;
    this.#corked = 0;
    this.#flush();
    return this;
  }

  cork(): void {
    this.#corked += 1;
  }

  uncork(): void {
    if (this.#corked === 0) return;
    this.#corked -= 1;
    this.#flush();
  }

  /** Stops sending: writes pile up here from now on. */
  stall(): void {
    this.#stalled = true;
  }

  /** Sends what has piled up. */
  unstall(): void {
    this.#stalled = false;
    this.#flush();
  }

  // ---- reading

  pause(): this {
    this.#reading = false;
    return this;
  }

  resume(): this {
    this.#reading = true;
    this.#deliverSoon();
    return this;
  }

  isPaused(): boolean {
    return this.#reading === false;
  }

  // ---- ending

  /** Closes this end; the other gets a FIN after what was sent. */
  destroy(error?: Error): this {
    if (this.destroyed) return this;
    if (!this.#finSent) this.#peer.#receive("end", this.#delay());
    this.#teardown(error);
    return this;
  }

  /** Closes this end; the other gets ECONNRESET after what was sent. */
  resetAndDestroy(): this {
    if (this.destroyed) return this;
    this.#peer.#receive("reset", this.#delay());
    this.#teardown();
    return this;
  }

  destroySoon(): void {
    if (!this.writableEnded) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  /** Ends the state `connecting`: 'connect' and 'ready' are emitted, and waiting writes are sent. */
  completeConnect(): void {
    if (this.destroyed || !this.connecting) return;
    this.connecting = false;
    this.emit("connect");
    this.emit("ready");
    this.#flush();
    this.#deliverSoon();
  }

  /** Ends the state `connecting` as a refused or unreachable address does. */
  failConnect(code = "ECONNREFUSED"): void {
    this.destroy(systemError(code, "connect"));
  }

  // ---- what a socket also has

  ref(): this {
    this.hasReference = true;
    return this;
  }

  unref(): this {
    this.hasReference = false;
    return this;
  }

  setNoDelay(_noDelay?: boolean): this {
    return this;
  }

  setKeepAlive(_enable?: boolean, _initialDelay?: number): this {
    return this;
  }

  #refuseWrite(callback: Callback | undefined): boolean {
    const error: NodeJS.ErrnoException = new Error(
      this.destroyed ? "Cannot call write after a stream was destroyed" : "write after end",
    );
    error.code = this.destroyed ? "ERR_STREAM_DESTROYED" : "ERR_STREAM_WRITE_AFTER_END";
    queueMicrotask(() => callback?.(error));
    if (!this.destroyed) this.destroy(error);
    return false;
  }

  #delay(): number {
    return (this.#clock?.now() ?? 0) + (this.#options.latency ?? 0);
  }

  /** Moves what may go from our outbox to the other end's inbox. */
  #flush(): void {
    if (this.#stalled || this.connecting || this.#corked > 0 || this.destroyed) return;
    if (this.#outbox.length > 0 && this.#peer.#hasRoom()) this.#sendOutbox();
    if (this.#outbox.length > 0) return;
    if (this.#needDrain && !this.writableEnded) queueMicrotask(() => this.#drained());
    if (this.writableEnded && !this.#finSent) this.#sendFin();
  }

  #sendOutbox(): void {
    const sent = this.#outbox.splice(0);
    const bytes =
      sent.length === 1 ? (sent[0] as Outgoing).bytes : Buffer.concat(sent.map((one) => one.bytes));
    this.packetsSent += 1;
    const due = this.#delay();
    for (const piece of this.#cut(bytes)) this.#peer.#receive(piece, due);
    queueMicrotask(() => {
      for (const { callback } of sent) callback?.(null);
    });
  }

  *#cut(bytes: Buffer): Generator<Buffer> {
    const { random, chunkSize = random === undefined ? Number.POSITIVE_INFINITY : 64 } = this.#options;
    for (let at = 0; at < bytes.length; ) {
      const size = random === undefined ? chunkSize : random.integer(1, chunkSize);
      yield bytes.subarray(at, at + size);
      at += size;
    }
  }

  #drained(): void {
    if (!this.#needDrain || this.destroyed || this.#outbox.length > 0) return;
    this.#needDrain = false;
    this.emit("drain");
  }

  #sendFin(): void {
    this.#finSent = true;
    this.#peer.#receive("end", this.#delay());
    queueMicrotask(() => {
      if (this.destroyed) return;
      this.writableFinished = true;
      this.emit("finish");
      this.#closeWhenBothEnded();
    });
  }

  #hasRoom(): boolean {
    return this.#inboxBytes < this.#window;
  }

  #receive(content: Packet["content"], due: number): void {
    if (this.destroyed) {
      // Nobody is there: the kernel answers data with a reset.
      if (typeof content !== "string") this.#peer.#receive("reset", this.#delay());
      return;
    }
    this.#inbox.push({ content, due });
    if (typeof content !== "string") this.#inboxBytes += content.length;
    this.#deliverSoon();
  }

  #deliverSoon(): void {
    const next = this.#inbox[0];
    if (next === undefined || this.#delivering || !this.#mayDeliver()) return;
    this.#delivering = true;
    const deliver = (): void => {
      this.#delivering = false;
      this.#deliver();
    };
    const wait = next.due - (this.#clock?.now() ?? 0);
    if (wait > 0 && this.#clock !== undefined) this.#deliveryTimer = this.#clock.setTimer(deliver, wait);
    else this.#schedule(deliver);
  }

  #mayDeliver(): boolean {
    return this.#reading === true && !this.connecting && !this.destroyed;
  }

  #deliver(): void {
    if (!this.#mayDeliver()) return;
    const packet = this.#inbox.shift();
    if (packet === undefined) return;
    if (packet.content === "reset") this.destroy(systemError("ECONNRESET", "read"));
    else if (packet.content === "end") this.#deliverEnd();
    else this.#deliverBytes(packet.content, packet.due);
    this.#deliverSoon();
    this.#peer.#flush();
  }

  #deliverBytes(bytes: Buffer, due: number): void {
    const { onread } = this.#options;
    if (onread === undefined) {
      this.#inboxBytes -= bytes.length;
      this.bytesRead += bytes.length;
      this.emit("data", bytes);
      return;
    }
    const buffer = this.#readBuffer as Uint8Array;
    const count = Math.min(bytes.length, buffer.length);
    // What the buffer cannot take is read next, as from the kernel.
    if (count < bytes.length) this.#inbox.unshift({ content: bytes.subarray(count), due });
    this.#inboxBytes -= count;
    this.bytesRead += count;
    buffer.set(bytes.subarray(0, count));
    const goOn = onread.callback(count, buffer) !== false;
    this.#nextReadBuffer(onread);
    if (!goOn) this.pause();
  }

  #nextReadBuffer(onread: OnRead): void {
    const next = typeof onread.buffer === "function" ? onread.buffer() : onread.buffer;
    if (next !== null) this.#readBuffer = next;
  }

  #deliverEnd(): void {
    this.readableEnded = true;
    this.emit("end");
    if (this.destroyed) return;
    if (!this.#options.allowHalfOpen && !this.writableEnded) this.end();
    this.#closeWhenBothEnded();
  }

  #closeWhenBothEnded(): void {
    if (this.readableEnded && this.writableFinished) this.destroy();
  }

  #teardown(error?: Error): void {
    this.destroyed = true;
    this.connecting = false;
    this.errored = error ?? null;
    this.#inbox = [];
    this.#inboxBytes = 0;
    this.#deliveryTimer?.cancel();
    const unsent = this.#outbox.splice(0);
    queueMicrotask(() => {
      for (const { callback } of unsent) callback?.(error ?? systemError("ECONNRESET", "write"));
      if (error !== undefined) this.emit("error", error);
      this.closed = true;
      this.emit("close", error !== undefined);
    });
  }
}

function systemError(code: string, syscall: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
}
