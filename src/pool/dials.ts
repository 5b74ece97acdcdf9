/**
 * The dials of one pool.
 *
 *  1. A dial belongs to the pool: whoever it was begun for may take another connection meanwhile, and its result is kept.
 *  2. It promises the exchanges that its connection is expected to take: one, or what the origin allowed last time. While
 *     the protocol is unknown it promises to serve everybody, for a second: so one dial begins, and the others wait for
 *     its answer.
 *  3. A dial that nobody waits for is an orphan: it may be adopted, it may be closed to make room, and it does not keep
 *     the process alive.
 *  4. TLS handshakes are computation: begun all at once they all end late. Begun one after another, the first soon serves
 *     those who wait, and many a dial need not begin at all. So that a distant server costs little more, the number that
 *     may begin doubles after each pace.
 */

import type { Connection } from "../connection/connection.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { CoarseTimers } from "../core/timers.ts";
import type { ConnectionBudget } from "./budget.ts";
import type { PendingDial } from "./pending-dial.ts";
import type { Waiter } from "./waiter.ts";

/** Dials under way at once per pool: hung dials must not grow without bound. */
export const MAX_DIALS: number = 64;

/** How long a dial whose protocol is unknown holds back all others, and then the pace of those, in ms. */
const UNKNOWN_PACE = 1000;

/** How long a dial goes on that nobody waits for, in ms. */
const ORPHAN_LIFE = 10_000;

/** What the dials need of their pool. */
export interface DialSettings {
  readonly clock: Clock;
  readonly timers: CoarseTimers;
  readonly budget: ConnectionBudget;
  /** In a burst one dial begins at once, and after each such time as many as have begun before, in ms; 0: all at once. */
  readonly dialPace: number;
}

/** Keeps count of dials, promises and pace. */
export class Dials {
  /** Exchanges that a new connection is expected to take; `null` while the protocol of the origin is unknown. */
  expected: number | null;
  readonly #settings: DialSettings;
  readonly #onPace: () => void;
  readonly #all = new Set<PendingDial>();
  readonly #orphans = new Set<PendingDial>();
  #promised = 0;
  /** Dials that may begin now, if they are paced, and those that have begun in this burst. */
  #mayBegin = 1;
  #begun = 0;
  #pacing: Timer | null = null;

  /** `onPace`: more dials may begin. */
  constructor(settings: DialSettings, expected: number | null, onPace: () => void) {
    this.#settings = settings;
    this.expected = expected;
    this.#onPace = onPace;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Exchanges that the dials under way will serve; orphans have promised nothing. */
  get promised(): number {
    return this.#promised;
  }

  /** A dial that tells what the others are doing too; `null` without any. */
  get any(): PendingDial | null {
    for (const dial of this.#all) return dial;
    return null;
  }

  /** A dial that nobody waits for. */
  get orphan(): PendingDial | null {
    for (const dial of this.#orphans) return dial;
    return null;
  }

  get orphans(): Iterable<PendingDial> {
    return this.#orphans;
  }

  toString(): string {
    const waiters = this.#all.size - this.#orphans.size;
    return this.#orphans.size === 0 ? String(waiters) : `${waiters}+${this.#orphans.size} unwanted`;
  }

  /** What a dial that begins now promises. */
  get promise(): number {
    return this.expected ?? (this.#begun === 0 ? Number.POSITIVE_INFINITY : 1);
  }

  /** Another dial begins. */
  add(dial: PendingDial): void {
    this.#all.add(dial);
    this.#mayBegin--;
    this.#begun++;
    this.#count();
    if (dial.promise === Number.POSITIVE_INFINITY) this.#startPace(UNKNOWN_PACE);
  }

  /** A dial has ended. `failed`: the next one need not wait for its pace. */
  remove(dial: PendingDial, failed: boolean): void {
    this.#leaveOrphans(dial);
    this.#all.delete(dial);
    if (failed) this.#mayBegin++;
    this.#count();
  }

  /** Nobody waits for `dial` any more. */
  disown(dial: PendingDial): void {
    dial.waiter = null;
    dial.unref();
    this.#orphans.add(dial);
    this.#settings.budget.idle.push(dial.budgetLink);
    this.#settings.timers.arm(dial.orphanTimer, ORPHAN_LIFE);
    this.#count();
  }

  /** `waiter` waits for `dial`, which was an orphan. */
  adopt(dial: PendingDial, waiter: Waiter): void {
    this.#leaveOrphans(dial);
    dial.waiter = waiter;
    dial.ref();
    this.#count();
  }

  isOrphan(dial: PendingDial): boolean {
    return this.#orphans.has(dial);
  }

  /** A connection stands, and takes `capacity` exchanges: the others will too. */
  learn(capacity: number): void {
    if (this.expected === capacity) return;
    const unknown = this.expected === null;
    this.expected = capacity;
    for (const dial of this.#all) dial.promise = capacity;
    this.#count();
    if (unknown) this.resetPace();
  }

  /** Whether another dial may begin now; if not, `onPace` is called when one may. */
  inPace(): boolean {
    if (this.#all.size >= MAX_DIALS) return false;
    const pace = this.expected === null ? UNKNOWN_PACE : this.#settings.dialPace;
    if (pace === 0 || this.#mayBegin > 0) return true;
    this.#startPace(pace);
    return false;
  }

  /** Nobody waits: the next burst begins anew. */
  resetPace(): void {
    if (this.#begun === 0) return;
    this.#mayBegin = 1;
    this.#begun = 0;
    this.#pacing?.cancel();
    this.#pacing = null;
  }

  #startPace(pace: number): void {
    this.#pacing ??= this.#settings.clock.setTimer(() => this.#paced(), pace, true);
  }

  #paced(): void {
    this.#pacing = null;
    this.#mayBegin = this.#begun;
    // The one dial takes long: it is no longer trusted to serve everybody.
    for (const dial of this.#all) if (dial.promise === Number.POSITIVE_INFINITY) dial.promise = 1;
    this.#count();
    this.#onPace();
  }

  #leaveOrphans(dial: PendingDial): void {
    if (!this.#orphans.delete(dial)) return;
    dial.budgetLink.unlink();
    dial.orphanTimer.disarm();
  }

  #count(): void {
    this.#promised = 0;
    if (this.#all.size === this.#orphans.size) return;
    for (const dial of this.#all) if (!this.#orphans.has(dial)) this.#promised += dial.promise;
  }
}

/**
 * Exchanges that a connection takes which has just been made. Over HTTP/2 the server's limit may not have come yet: what
 * an earlier connection has shown is better than the default.
 */
export function firstCapacity({ protocol, free }: Connection, expected: number | null): number {
  if (protocol !== "h2") return 1;
  const shown = expected !== null && expected > 1 ? expected : free;
  return Math.max(1, Math.min(free, shown));
}
