/** What a session knows of one stream. It is also the handle that the floor above holds: one object a request. */

import { STREAM_WINDOW } from "./limits.ts";
import type { ReceiveWindow } from "./window.ts";

// States of the peer's half (RFC 9113 §5.1 and §8.1).

/** Not begun. */
export const IDLE = 0;
/** Begun: the final head has not come. */
export const AWAITING_HEAD = 1;
/** The final head has come. */
export const IN_BODY = 2;
/** Over, whichever way. */
export const CLOSED = 3;

/** One stream. */
export class H2Stream implements ReceiveWindow {
  /** 0 until it begins. */
  id: number = 0;
  state: number = IDLE;
  /** The answer to HEAD has no body whatever its head says. */
  headRequest: boolean = false;
  /** Octets of the body that came. */
  received: number = 0;
  /** Octets that must come; -1 where that is unknown. */
  expected: number = -1;
  informationals: number = 0;
  informationalSize: number = 0;
  /** How often the session had read something when the stream began. */
  begunAtRead: number = 0;
  /** Whether the peer's settings were known when it began. */
  begunKnowing: boolean = false;

  windowSize: number = STREAM_WINDOW;
  mayReceive: number = STREAM_WINDOW;
  unread: number = 0;
  credit: number = 0;
  creditedAt: number = 0;

  /** Octets of the frames that hold the request's head. */
  headOctets: number = 0;
  /** Whether our half is open. */
  sending: boolean = false;
  /** The last part of the body is in the queue. */
  lastQueued: boolean = false;
  /** Parts of the body that wait for the windows, and how far the first one was sent. */
  parts: Buffer[] | null = null;
  partOffset: number = 0;
  /** Octets of them. */
  queued: number = 0;
  /** Increments received less octets sent: with the peer's INITIAL_WINDOW_SIZE it makes the send window. */
  sendDelta: number = 0;
  /** The line of streams that may send. */
  inLine: boolean = false;
  nextInLine: H2Stream | null = null;
}
