/** A relay between a client and a server, which sees every piece that passes and can break the connection there. */

import { once } from "node:events";
import net from "node:net";

/** What becomes of a piece: it passes, or both sides are reset or closed in its place. */
export type Passage = "pass" | "reset" | "close";

/** A running relay. */
export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** Pieces seen so far, of both directions and all connections. */
  readonly pieces: number;
  /** Asked for each piece; the first has number 1. */
  onPiece: (number: number) => Passage;
}

/** Starts a relay to `port` on this machine. */
export async function startRelay(port: number): Promise<Relay> {
  const sockets = new Set<net.Socket>();
  let pieces = 0;
  const relay = { onPiece: (_number: number): Passage => "pass" };
  const carry = (from: net.Socket, to: net.Socket): void => {
    sockets.add(from);
    from.on("data", (piece: Buffer) => {
      const passage = relay.onPiece(++pieces);
      if (passage === "pass") to.write(piece);
      else for (const one of [from, to]) passage === "reset" ? one.resetAndDestroy() : one.destroy();
    });
    from.on("error", () => {});
    from.on("end", () => to.end());
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
  };
  const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const upstream = net.connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    carry(client, upstream);
    carry(upstream, client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(relay, {
    port: (server.address() as net.AddressInfo).port,
    get pieces() {
      return pieces;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  });
}
