/** The TLS handshake: begun with the socket, or over a socket that a proxy has connected. */

import type { NetConnectOpts, Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import type { Protocol } from "../../connection/connection.ts";
import { ReadTimeoutError } from "../../core/errors.ts";
import { ignore } from "../../core/ignore.ts";
import { type Connecting, HandshakeStep, timeoutText } from "../handshake-step.ts";
import { SessionCache, type TlsSettings, toSslError, verifyPeer, warnInsecure } from "./settings.ts";

/** TLS with one peer: its settings, and the sessions to be resumed with it. */
export class TlsPeer {
  readonly #settings: TlsSettings;
  readonly #sessions = new SessionCache();

  constructor(settings: TlsSettings) {
    this.#settings = settings;
  }

  /** The peer's name in messages. */
  get host(): string {
    return this.#settings.host;
  }

  /** A socket that dials, then begins the handshake by itself. `protocols` are offered by ALPN, the first one liked most. */
  dialling(options: NetConnectOpts, protocols: readonly Protocol[]): TLSSocket {
    return this.#connect(options, protocols);
  }

  /** A socket that begins the handshake over `socket`. */
  over(socket: Socket, protocols: readonly Protocol[]): TLSSocket {
    return this.#connect({ socket }, protocols);
  }

  /** Waits for what `dialling` or `over` has begun. */
  finish(socket: TLSSocket, done: (error: Error | null) => void): Connecting {
    const settings = this.#settings;
    const { host } = settings;
    const failed = (error: Error): Error => toSslError(error, host);
    const step = new HandshakeStep(socket, {
      failed,
      closed: () => failed(new Error("The peer closed the connection during the TLS handshake")),
      timedOut: (connectTimeout) => handshakeTimeout(host, connectTimeout),
      done,
    });
    socket.once("secureConnect", () => {
      if (step.over) return;
      const error = verifyPeer(socket, settings);
      // Node does not verify a resumed session again: only a peer that passed may leave one.
      if (error === null) this.#keepSessions(socket);
      step.end(error);
    });
    if (!settings.verified) warnInsecure(host);
    return step;
  }

  #connect(wire: NetConnectOpts | { socket: Socket }, protocols: readonly Protocol[]): TLSSocket {
    const session = this.#sessions.take();
    const resumed = session === undefined ? {} : { session };
    const socket = connect({
      ...wire,
      ...this.#settings.connect,
      ...resumed,
      ALPNProtocols: [...protocols],
    });
    // Node drops sessions of TLS 1.2 unless there is a listener during the handshake.
    return socket.on("session", ignore);
  }

  #keepSessions(socket: TLSSocket): void {
    socket.on("session", (ticket: Buffer) => this.#sessions.add(ticket));
    // Resuming a session of TLS 1.2 brings no new one, but the same one may be used again.
    const session = socket.getProtocol() === "TLSv1.2" && socket.isSessionReused() && socket.getSession();
    if (session) this.#sessions.add(session);
  }
}

function handshakeTimeout(host: string, connectTimeout: number): ReadTimeoutError {
  const text = `Read timed out during the TLS handshake with '${host}'. ${timeoutText(connectTimeout)}`;
  return new ReadTimeoutError(text, { phase: "tls" });
}
