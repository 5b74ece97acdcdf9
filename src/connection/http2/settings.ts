/** What an HTTP/2 connection is made of. */

import type { Socket } from "node:net";
import type { Clock } from "../../core/clock.ts";
import type { CoarseTimers } from "../../core/timers.ts";
import type { ConnectionOwner, ConnectionSetup } from "../connection.ts";
import type { PollBarrier } from "../poll-barrier.ts";

/** Its owner, its clock, its limits and what is known of the way to the server. */
export interface Http2Settings {
  owner: ConnectionOwner;
  clock: Clock;
  timers: CoarseTimers;
  /** bytes */
  maxHeaderSize: number;
  /** Streams open at once, whatever the server allows. */
  maxStreams: number;
  /** Streams that may begin before the server's settings have come: what it allowed last time. Default and most: 100. */
  firstStreams?: number;
  /** PING after so much silence while streams are open, in ms; 0 for none. */
  pingInterval: number;
  route: string;
  setup: ConnectionSetup;
  /** The address at the other end; `null` where there is none. */
  address?: string | null;
  /** Whom TLS is spoken with, for messages. Default: `route`. */
  peer?: string;
  /** The socket below, where TLS runs over one that a proxy has connected; else the socket itself. */
  wire?: Socket;
  barrier?: PollBarrier;
  /** The server wants a request in HTTP/1.1: before the exchange starts again. */
  onHttp1Required?: () => void;
}
