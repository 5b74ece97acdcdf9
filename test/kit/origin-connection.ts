/**
 * The server's end of one connection, as verbs a test can put in order. It works on a socket and on an in-memory wire,
 * and reads by hand, so that a test sees exactly what was sent and can answer with anything at all.
 */

/** What the verbs need of a `net.Socket` or a `Wire`. */
export interface OriginSocket {
  readonly destroyed: boolean;
  readonly writableEnded: boolean;
  readonly writableFinished: boolean;
  write(
    data: string | Uint8Array,
    encoding?: BufferEncoding,
    callback?: (error?: Error | null) => void,
  ): boolean;
  end(): unknown;
  destroy(error?: Error): unknown;
  resetAndDestroy(): unknown;
  pause(): unknown;
  resume(): unknown;
  on(event: "data", listener: (chunk: Buffer) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "end" | "close", listener: () => void): unknown;
}

/** The other side ended or broke the connection while more was expected of it. */
export class PeerGone extends Error {
  override readonly name = "PeerGone";
}

interface Reader {
  take: () => unknown;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** One accepted connection. */
export class OriginConnection {
  /** Place in the order of acceptance, from 0. */
  readonly index: number;
  /** The socket or wire itself, for what has no verb. */
  readonly socket: OriginSocket;
  /** Settles when the other side has ended its direction, or the connection is closed. */
  readonly ended: Promise<void>;
  /** Settles when the connection is closed, however that came about. */
  readonly closed: Promise<void>;
  /** Request heads of this connection, each as text with its empty line. */
  readonly requests: string[] = [];
  /** Bytes that have arrived. */
  bytesReceived = 0;
  /** The socket's error, if it had one. */
  error: Error | undefined;

  /** What has arrived and was not read yet; joined only when a read looks at it. */
  #chunks: Buffer[] = [];
  #unreadLength = 0;
  #peerEnded = false;
  #readers: Reader[] = [];
  readonly #onHead: (head: string) => void;

  /** `onHead` is told every request head as it is read. */
  constructor(socket: OriginSocket, index = 0, onHead: (head: string) => void = () => {}) {
    this.socket = socket;
    this.index = index;
    this.#onHead = onHead;
    this.ended = new Promise((resolve) => {
      socket.on("end", resolve);
      socket.on("close", resolve);
    });
    this.closed = new Promise((resolve) => {
      socket.on("close", () => resolve());
    });
    socket.on("error", (error: Error) => {
      this.error = error;
    });
    socket.on("end", () => this.#noMore());
    socket.on("close", () => this.#noMore());
    socket.on("data", (chunk: Buffer) => this.#received(chunk));
  }

  /** How many request heads have been read. */
  get requestCount(): number {
    return this.requests.length;
  }

  /** What has arrived and was not read yet, as latin1 text. */
  get unread(): string {
    return this.#joined().toString("latin1");
  }

  /** The next request head as latin1 text, its empty line included. Rejects with {@link PeerGone}, as all reads do. */
  async readHead(): Promise<string> {
    const head = (await this.readUntil("\r\n\r\n")).toString("latin1");
    this.requests.push(head);
    this.#onHead(head);
    return head;
  }

  /** Everything up to and including `mark`. */
  readUntil(mark: string): Promise<Buffer> {
    return this.#read(() => {
      const at = this.#joined().indexOf(mark, 0, "latin1");
      return at < 0 ? undefined : this.#take(at + mark.length);
    });
  }

  /** The next `length` bytes. */
  readBody(length: number): Promise<Buffer> {
    return this.#read(() => (this.#unreadLength < length ? undefined : this.#take(length)));
  }

  /** A chunked body (RFC 9112 section 7.1) with its trailer lines. */
  async readChunkedBody(): Promise<{ body: Buffer; trailers: string[] }> {
    const chunks: Buffer[] = [];
    const trailers = await this.#readChunks((chunk) => chunks.push(chunk));
    return { body: Buffer.concat(chunks), trailers };
  }

  /** Reads a chunked body to its end without keeping it, and gives its length. */
  async swallowChunkedBody(): Promise<number> {
    let length = 0;
    await this.#readChunks((chunk) => {
      length += chunk.length;
    });
    return length;
  }

  /** Gives each chunk of a body to `take`, and returns the trailer lines. */
  async #readChunks(take: (chunk: Buffer) => void): Promise<string[]> {
    for (;;) {
      const size = Number.parseInt((await this.#readLine()).split(";", 1)[0] as string, 16);
      if (Number.isNaN(size)) throw new Error("the request's chunk size is not a number");
      if (size === 0) break;
      take(await this.readBody(size));
      await this.#readLine();
    }
    const trailers: string[] = [];
    for (let line = await this.#readLine(); line !== ""; line = await this.#readLine()) trailers.push(line);
    return trailers;
  }

  /** Everything until the other side ends. */
  readAll(): Promise<Buffer> {
    return this.#read(() => (this.#peerEnded ? this.#take(this.#unreadLength) : undefined));
  }

  /** Sends text (as latin1) or bytes; the promise settles when they are written out or the connection is gone. */
  send(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.destroyed) resolve();
      else this.socket.write(data, "latin1", () => resolve());
    });
  }

  /** Sends each byte by a write of its own, in its own turn of the event loop. */
  async sendBytewise(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : data;
    for (let at = 0; at < bytes.length && !this.socket.destroyed; at += 1) {
      await this.send(bytes.subarray(at, at + 1));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Stops reading, so that the other side's writes pile up. */
  pause(): void {
    this.socket.pause();
  }

  /** Reads on. */
  resume(): void {
    this.socket.resume();
  }

  /** Ends our direction (FIN); reading goes on. */
  halfClose(): void {
    this.socket.end();
  }

  /** Breaks the connection with a reset (RST). */
  reset(): void {
    // Node cannot reset a socket whose FIN is on its way: it fails, and leaves the handle open for ever.
    if (this.socket.writableEnded && !this.socket.writableFinished) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  /** Closes both directions at once. */
  close(): void {
    this.socket.destroy();
  }

  async #readLine(): Promise<string> {
    return (await this.readUntil("\r\n")).toString("latin1").slice(0, -2);
  }

  #joined(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] as Buffer;
  }

  #take(length: number): Buffer {
    const all = this.#joined();
    this.#chunks = [all.subarray(length)];
    this.#unreadLength -= length;
    return all.subarray(0, length);
  }

  /** Waits until `take` gives something; reads are served in the order they were asked. */
  #read<T>(take: () => T | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#readers.push({ take, resolve: resolve as (value: unknown) => void, reject });
      this.#serve();
    });
  }

  #serve(): void {
    for (let reader = this.#readers[0]; reader !== undefined; reader = this.#readers[0]) {
      const value = reader.take();
      if (value !== undefined) reader.resolve(value);
      else if (this.#peerEnded)
        reader.reject(new PeerGone(`connection ${this.index} ended by the other side`));
      else return;
      this.#readers.shift();
    }
  }

  #received(chunk: Buffer): void {
    this.bytesReceived += chunk.length;
    this.#unreadLength += chunk.length;
    this.#chunks.push(chunk);
    this.#serve();
  }

  #noMore(): void {
    this.#peerEnded = true;
    this.#serve();
  }
}
