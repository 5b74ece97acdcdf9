/**
 * Flow control (RFC 9113 §5.2 and §6.9). A receive window has three parts whose sum is its size, always: what the peer
 * may still send, what was received and not consumed, and what was consumed and not yet given back.
 */

import * as limits from "./limits.ts";

/** What a stream keeps of its receive window, in bytes. */
export interface ReceiveWindow {
  windowSize: number;
  /** The peer may still send. */
  mayReceive: number;
  /** Received, not consumed. */
  unread: number;
  /** Consumed, not given back. */
  credit: number;
  /** When credit was given back last, in ms. */
  creditedAt: number;
}

/** Counts `length` octets of DATA; false if the peer had no right to send them. */
export function receive(window: ReceiveWindow, length: number): boolean {
  if (length > window.mayReceive) return false;
  window.mayReceive -= length;
  window.unread += length;
  return true;
}

/** Counts `length` octets as consumed. */
export function consume(window: ReceiveWindow, length: number): void {
  window.unread -= length;
  window.credit += length;
}

/**
 * The increment that is due: 0, or at least half the window.
 *
 * The window grows by its first size where the round trip limits it: three quarters of it were used in one. Half of it
 * is spent between two updates, so that is in less than two thirds of a round trip. The reader must have kept up.
 */
export function due(window: ReceiveWindow, now: number, roundTrip: number): number {
  if (window.credit < window.windowSize / 2) return 0;
  const fast = now - window.creditedAt < (roundTrip * 2) / 3;
  window.creditedAt = now;
  if (fast && window.unread < window.windowSize / 4) grow(window, limits.STREAM_WINDOW);
  return giveBack(window);
}

/** Makes the window so large that `length` octets can come without another word; returns the increment for that. */
export function prepay(window: ReceiveWindow, length: number): number {
  const more = length - window.mayReceive;
  if (more <= 0 || length > limits.LARGEST_PREPAID_BODY) return 0;
  window.windowSize += more;
  window.mayReceive += more;
  return more;
}

function grow(window: ReceiveWindow, more: number): void {
  if (window.windowSize + more > limits.LARGEST_STREAM_WINDOW) return;
  window.windowSize += more;
  window.credit += more;
}

function giveBack(window: ReceiveWindow): number {
  const increment = window.credit;
  window.mayReceive += increment;
  window.credit = 0;
  return increment;
}

/** The receive window of the connection: what comes is given back at once, so that no stream holds up another. */
export class ConnectionWindow {
  mayReceive: number = limits.CONNECTION_WINDOW;
  credit: number = 0;

  /** Counts `length` octets of DATA; false if the peer had no right to send them. */
  receive(length: number): boolean {
    if (length > this.mayReceive) return false;
    this.mayReceive -= length;
    this.credit += length;
    return true;
  }

  /** The increment that is due: 0, or half the window. */
  due(): number {
    if (this.credit < limits.CONNECTION_WINDOW / 2) return 0;
    const increment = this.credit;
    this.mayReceive += increment;
    this.credit = 0;
    return increment;
  }
}
