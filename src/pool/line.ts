/** The requests that wait for a connection of one pool, first come first served, and their time limits. */

import { type CoarseTimers, TimerEntry } from "../core/timers.ts";
import { LinkedList } from "./linked-list.ts";
import type { Waiter } from "./waiter.ts";

/** How often a waiter whose time is over, but who has a place, is looked at again, in ms. */
const PLACE_CHECK = 50;

/** Who decides what the end of a time limit means. */
export interface LineOwner {
  /** Its wait for a place is over. */
  placeExpired(waiter: Waiter): void;
  /** Its wait of `limit` ms for a connection that is being made is over. */
  connectExpired(waiter: Waiter, limit: number): void;
}

/** The line. A waiter's limit for a place runs from the start, that for a connection from when one is made for it. */
export class Line {
  readonly #timers: CoarseTimers;
  readonly #owner: LineOwner;
  readonly #waiters = new LinkedList<Waiter>();

  constructor(timers: CoarseTimers, owner: LineOwner) {
    this.#timers = timers;
    this.#owner = owner;
  }

  get size(): number {
    return this.#waiters.size;
  }

  get first(): Waiter | null {
    return this.#waiters.first;
  }

  /** The first waiter without a dial of its own. Passes over at most as many as there are dials. */
  get firstUndialled(): Waiter {
    for (const waiter of this.#waiters) if (waiter.dial === null) return waiter;
    throw new Error("unreachable: a dial for nobody");
  }

  /** Stands last in line. */
  push(waiter: Waiter): void {
    this.#waiters.push(waiter);
    this.#startWait(waiter);
  }

  /** Stands first in line. */
  unshift(waiter: Waiter): void {
    this.#waiters.unshift(waiter);
    this.#startWait(waiter);
  }

  leave(waiter: Waiter): void {
    if (waiter.list !== null) this.#waiters.remove(waiter);
    waiter.covered = waiter.expired = false;
    waiter.placeTimer?.disarm();
    waiter.connectTimer?.disarm();
  }

  /** A connection that is to serve the waiter is being made: from now on its connect timeout runs. */
  cover(waiter: Waiter): void {
    if (waiter.covered) return;
    waiter.covered = true;
    const limit = waiter.connectTimeout;
    if (limit === Number.POSITIVE_INFINITY) return;
    waiter.connectTimer = new TimerEntry(() => this.#owner.connectExpired(waiter, limit));
    this.#timers.arm(waiter.connectTimer, limit);
  }

  /** Covers the first `most` waiters. */
  coverFirst(most: number): void {
    let left = most;
    for (const waiter of this.#waiters) {
      if (left-- <= 0) return;
      this.cover(waiter);
    }
  }

  /** Whether `waiter` is among the first `places`. */
  isAmong(waiter: Waiter, places: number): boolean {
    let left = places;
    for (const other of this.#waiters) {
      if (left-- <= 0) return false;
      if (other === waiter) return true;
    }
    return false;
  }

  /** The time of a waiter that has a place is over: it keeps waiting as long as it has that. */
  lookAgain(waiter: Waiter): void {
    waiter.expired = true;
    this.#timers.arm(waiter.placeTimer!, PLACE_CHECK);
  }

  #startWait(waiter: Waiter): void {
    const { poolTimeout } = waiter;
    if (poolTimeout === Number.POSITIVE_INFINITY) return;
    waiter.placeTimer ??= new TimerEntry(() => this.#owner.placeExpired(waiter));
    this.#timers.arm(waiter.placeTimer, poolTimeout);
  }
}
