/** A client written by hand: it says what it is told on one connection, and keeps what it hears. */

import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";

/** One connection. */
export class RawClient implements Disposable {
  readonly socket: net.Socket;
  heard = "";
  #ended = false;
  #changed: () => void = () => {};

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.heard += chunk.toString("latin1");
      this.#changed();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#ended = true;
      this.#changed();
    });
  }

  /** Sends, then waits until all of `marks` have been heard, in this order; gives what was heard up to there. */
  async say(data: string | Uint8Array, ...marks: readonly string[]): Promise<string> {
    this.socket.write(data);
    let end = 0;
    for (const mark of marks) end = await this.#hear(mark, end);
    const heard = this.heard.slice(0, end);
    this.heard = this.heard.slice(end);
    return heard;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  async #hear(mark: string, from: number): Promise<number> {
    for (;;) {
      const at = this.heard.indexOf(mark, from);
      if (at >= 0) return at + mark.length;
      if (this.#ended)
        throw new Error(`ended without ${JSON.stringify(mark)}: ${JSON.stringify(this.heard)}`);
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }
}

/** Connects to a port of 127.0.0.1; with `ca`, over TLS with `localhost`. */
export async function dialRaw(port: number, ca?: string): Promise<RawClient> {
  const socket =
    ca === undefined
      ? net.connect(port, "127.0.0.1")
      : tls.connect({ port, host: "127.0.0.1", servername: "localhost", ca });
  await once(socket, ca === undefined ? "connect" : "secureConnect");
  return new RawClient(socket);
}
