/**
 * What an HTTP/1.1 connection is doing, and the rule of reuse.
 *
 * Two states say what it does; `toString` shows them.
 *
 *  read   idle      nobody is answered
 *         head      the answer's head is awaited, or comes
 *         body      the answer's body comes
 *         parked    the answer has come, and is to be read before the connection is free
 *  write  idle      nothing is to be written
 *         held      an exchange has begun and is written after one poll of the event loop
 *         awaiting  the head is written, the body waits for 100 (Continue)
 *         sending   the body is being sent
 *         grace     the answer came before the body was sent: 50 ms are left for that
 *         flushing  the answer has come: the connection rests for one poll, and until all that was sent has left
 */

import type { Socket } from "node:net";
import type { CoarseTimers } from "../../core/timers.ts";
import type { HeadReader } from "../../protocol/h1/head-reader.ts";
import type { ConnectionOwner, ConnectionSetup } from "../connection.ts";
import type { PollBarrier } from "../poll-barrier.ts";
import type { SendState } from "./request-sender.ts";

/** What a connection is made of. */
export interface Http1Settings {
  owner: ConnectionOwner;
  timers: CoarseTimers;
  /** `clock.now()` of its birth. */
  bornAt: number;
  /** bytes */
  maxHeaderSize: number;
  /** Reads the heads of all connections of a pool. Default: one of its own. */
  headReader?: HeadReader;
  route: string;
  setup: ConnectionSetup;
  /** The address at the other end; `null` where there is none. */
  address?: string | null;
  /** Whom TLS is spoken with, for messages. Default: `route`. */
  peer?: string;
  /** The socket below, where TLS runs over one that a proxy has connected; else the socket itself. */
  wire?: Socket;
  barrier?: PollBarrier;
}

/** What is read. */
export type ReadState = "idle" | "head" | "body" | "parked";
/** What is written. */
export type WriteState = SendState | "held" | "grace" | "flushing";

/** An answer that came before the upload ended: how long the rest of the upload may take, in ms. */
export const UPLOAD_GRACE: number = 50;

/** What becomes of a connection whose exchange has ended. */
export type Next = "close" | "wait" | "rest";

/** The rule of reuse: both sides keep it open, the answer was read to its end, the request was or soon is written. */
export function afterExchange(read: ReadState, write: WriteState, keepAlive: boolean): Next {
  if (!keepAlive) return "close";
  return read === "parked" || write === "sending" || write === "grace" ? "wait" : "rest";
}
