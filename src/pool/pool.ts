/**
 * Who may use a connection now. No sockets in here, and no clock but the one given.
 *
 * The rules, each learned from somebody's bug:
 *  1. Assignment is reservation: an exchange starts in the step in which its waiter gets the connection.
 *  2. Nothing is scanned: acquire, release and cancel are O(1), whatever the number of connections.
 *  3. A dial belongs to the pool, a time limit to a waiter: nobody inherits another's connect timeout (dials.ts).
 *  4. No barging: while others wait, capacity that becomes free goes to the first of them.
 *  5. Waiters are compared with promised capacity: what dials and resting connections will bring soon.
 *  6. Every lease ends exactly once: the connection reports its capacity, or that it is dead.
 *  7. A retired pool serves whoever has come and still comes, but keeps no connection.
 */

import type { Connection } from "../connection/connection.ts";
import type { Clock } from "../core/clock.ts";
import { ConnectTimeoutError, EmptyPoolError } from "../core/errors.ts";
import type { CoarseTimers } from "../core/timers.ts";
import { type BudgetMember, MAX_OVERTAKINGS } from "./budget.ts";
import { Dials, firstCapacity } from "./dials.ts";
import { Line, type LineOwner } from "./line.ts";
import { Link, LinkedList } from "./linked-list.ts";
import { type DialHandle, type DialOwner, type DialRequest, PendingDial } from "./pending-dial.ts";
import { type ConnectionPlace, type MemberState, PooledConnection } from "./pooled-connection.ts";
import { noCounters, type PoolCounters, type PoolSettings } from "./settings.ts";
import type { Waiter } from "./waiter.ts";

export type { DialHandle, DialRequest } from "./pending-dial.ts";
export { noCounters, type PoolCounters, type PoolSettings } from "./settings.ts";
export { Waiter } from "./waiter.ts";

/** Keeps the connections of one route and hands them out. */
export class Pool implements BudgetMember, ConnectionPlace, DialOwner, LineOwner {
  readonly settings: PoolSettings;
  readonly clock: Clock;
  readonly timers: CoarseTimers;
  readonly keepAliveTimeout: number;
  readonly connectionMaxAge: number;
  readonly counters: PoolCounters = noCounters();
  /** @internal */ readonly budgetLink: Link<BudgetMember> = new Link<BudgetMember>(this);
  /** @internal */ readonly connections: LinkedList<Link<PooledConnection>> = new LinkedList();
  /** With exchanges under way, and capacity for more. */
  readonly #shared = new LinkedList<PooledConnection>();
  readonly #idle = new LinkedList<PooledConnection>();
  readonly #waiting: Line;
  readonly #dials: Dials;
  #resting = 0;
  #busy = 0;
  #retired = false;
  #dismissed = false;
  #pumping = false;

  constructor(settings: PoolSettings) {
    this.settings = settings;
    this.clock = settings.clock;
    this.timers = settings.timers;
    this.keepAliveTimeout = settings.keepAliveTimeout;
    this.connectionMaxAge = settings.connectionMaxAge;
    this.#waiting = new Line(settings.timers, this);
    this.#dials = new Dials(settings, settings.expected, () => this.pump());
  }

  /** Connections and dials. */
  get size(): number {
    return this.connections.size + this.#dials.size;
  }

  /** Connections without exchanges. */
  get idle(): number {
    return this.#idle.size + this.#resting;
  }

  /** Exchanges under way. */
  get busy(): number {
    return this.#busy;
  }

  get queued(): number {
    return this.#waiting.size;
  }

  /** The line, the dials and the connections, in one text. */
  toString(): string {
    const connections = Array.from(this.connections, ({ value }) => String(value)).join("; ");
    const retired = this.#retired ? "retired " : "";
    return `${retired}waiting=${this.#waiting.size} dials=${this.#dials} connections=[${connections}]`;
  }

  /** Gives `waiter` a connection, at once or later, in the order of asking. */
  acquire(waiter: Waiter): void {
    const member = this.#takeFree(waiter);
    if (member !== null) {
      this.#grant(member, waiter);
      return;
    }
    this.#waiting.push(waiter);
    if (this.#waiting.size <= this.#dials.promised) this.#waiting.cover(waiter);
    this.pump();
  }

  /** The waiter is not wanted any more. Its dial goes on, for the next one. */
  cancel(waiter: Waiter): void {
    if (waiter.list === null) return;
    this.#waiting.leave(waiter);
    this.#disown(waiter);
    this.pump();
  }

  /** Closes what nobody uses or waits for; from now on no connection is kept. */
  retire(): void {
    this.#retired = true;
    for (const { value: member } of this.connections) if (member.state !== "busy") member.close();
    for (const dial of this.#dials.orphans) dial.close();
  }

  /** As `retire`, for good: once nobody waits, no connection outlives the answers that it brings. */
  dismiss(): void {
    this.#dismissed = true;
    this.retire();
    this.pump();
  }

  /** Connections are kept again. */
  revive(): void {
    this.#retired = false;
  }

  /** Closes every connection at once; exchanges under way end silently: their requests have been told already. */
  destroy(): void {
    this.retire();
    for (const { value: member } of this.connections) member.close();
  }

  #retireConnections(): void {
    for (const { value: member } of this.connections) this.#retireMember(member);
  }

  /** It takes no more exchanges, and closes after the last one. */
  #retireMember(member: PooledConnection): void {
    member.connection.retire();
    if (member.state !== "dead") this.#settle(member);
  }

  /** Finds or opens connections for the waiters that nothing promised will serve. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#waiting.size > this.#dials.promised + this.#resting) {
      const { orphan } = this.#dials;
      if (orphan !== null) this.#adopt(orphan);
      else if (!this.#dials.inPace() || !this.#makeRoom() || !this.settings.budget.take(this)) break;
      else this.#dial();
    }
    if (this.#waiting.size === 0) {
      this.#dials.resetPace();
      if (this.#dismissed) this.#retireConnections();
    }
    this.#pumping = false;
  }

  // Connections

  /** @internal `free` or `open` of a connection has changed. */
  changed(member: PooledConnection): void {
    const { connection } = member;
    this.#syncLeases(member);
    // Without anything free it may be full as well as on its way out.
    if (connection.protocol === "h2" && connection.free > 0) this.#learn(connection.open + connection.free);
    if (connection.open > 0) {
      if (member.aged) connection.retire();
      // It is dead by now if all that it carried was answers that are held.
      if (member.state !== "dead") this.#serve(member);
    } else if (!this.#keeps(member)) this.#discard(member);
    else if (connection.free > 0) this.#serve(member);
    else {
      // After each exchange of HTTP/1: it is free in a moment.
      this.#enter(member, "resting");
      this.pump();
    }
  }

  /** @internal */
  died(member: PooledConnection): void {
    this.#enter(member, "dead");
    this.#busy -= member.leases;
    member.leases = 0;
    member.poolLink.unlink();
    this.settings.budget.give();
    this.pump();
  }

  /** @internal Its exchange was not processed: the waiter is first in line again. */
  requeue(waiter: Waiter): void {
    const member = this.#takeFree(waiter);
    if (member !== null) {
      this.#grant(member, waiter);
      return;
    }
    this.#waiting.unshift(waiter);
    this.pump();
  }

  /** Gives what is free of `member` to those who wait. */
  #serve(member: PooledConnection): void {
    let waiter = this.#waiting.first;
    if (waiter === null || member.connection.free === 0) this.#settle(member);
    else {
      // A dial that is given up here must not end the connection that is handed out.
      const pumping = this.#pumping;
      this.#pumping = true;
      do {
        this.#waiting.leave(waiter);
        this.#disown(waiter);
        this.#grant(member, waiter);
        waiter = this.#waiting.first;
      } while (waiter !== null && member.state !== "dead" && member.connection.free > 0);
      this.#pumping = pumping;
    }
    this.pump();
  }

  #grant(member: PooledConnection, waiter: Waiter): void {
    const { connection } = member;
    this.#enter(member, "busy");
    if (connection.exchanges > 0) {
      // Not by `#count`, whose names cost more than the counting.
      this.counters.reused++;
      this.settings.totals.reused++;
    }
    if (this.settings.budget.starving) member.overtakings++;
    else member.overtakings = 0;
    waiter.granted(connection);
    if (member.state === "dead") return;
    this.#syncLeases(member);
    this.#settle(member);
  }

  /** The state that the connection's capacity says. */
  #settle(member: PooledConnection): void {
    const { open, free } = member.connection;
    this.#enter(member, open > 0 ? "busy" : free > 0 ? "idle" : "resting");
    if (member.state !== "busy") return;
    if (free === 0) member.unlink();
    else if (!member.linked) this.#shared.push(member);
  }

  #enter(member: PooledConnection, state: MemberState): void {
    const before = member.state;
    if (before === state) {
      if (state === "dead") member.unlink();
      return;
    }
    member.state = state;
    if (before === "resting") this.#resting--;
    else member.unlink();
    if (before === "idle") {
      member.budgetLink.unlink();
      if (state === "busy") member.wakeUp();
    }
    if (state === "resting") this.#resting++;
    else if (state === "idle") {
      this.#idle.push(member);
      this.settings.budget.idle.push(member.budgetLink);
      member.becomeIdle();
    }
  }

  #syncLeases(member: PooledConnection): void {
    const { open } = member.connection;
    this.#busy += open - member.leases;
    member.leases = open;
  }

  #discard(member: PooledConnection): void {
    this.#count("discarded");
    member.close();
  }

  /** Whether a connection without exchanges is of further use. */
  #keeps(member: PooledConnection): boolean {
    const { maxsize, budget } = this.settings;
    if (member.idleTime() <= 0 || member.aged) return false;
    if (this.#waiting.size > 0) return !budget.starving || member.overtakings < MAX_OVERTAKINGS;
    const others = this.idle - (member.state === "busy" ? 0 : 1);
    return !this.#retired && others < maxsize && !budget.contended;
  }

  /** A connection that can take an exchange now. A `fresh` waiter takes none that was idle. */
  #takeFree(waiter: Waiter): PooledConnection | null {
    for (let member = this.#shared.last; member !== null; member = this.#shared.last) {
      if (!member.aged) return member;
      this.#retireMember(member);
    }
    if (waiter.fresh) return null;
    for (let member = this.#idle.last; member !== null; member = this.#idle.last) {
      if (!member.stale()) return member;
      member.close();
    }
    return null;
  }

  // Dials

  #dial(): void {
    const waiter = this.#waiting.firstUndialled;
    const dial = new PendingDial(this, new PooledConnection(this), waiter, this.#dials.promise);
    waiter.dial = dial;
    this.#dials.add(dial);
    this.#waiting.cover(waiter);
    if (dial.promise > 1) this.#waiting.coverFirst(dial.promise);
    dial.start();
  }

  /** @internal */
  begin(request: DialRequest): DialHandle {
    return this.settings.dial(request);
  }

  /** @internal A dial has ended with a connection: it goes to whoever waits first. */
  dialled(dial: PendingDial, connection: Connection): void {
    const member = dial.owner as PooledConnection;
    member.connection = connection;
    this.connections.push(member.poolLink);
    // Nobody may have waited for it: then it did not keep the process alive.
    if (dial.waiter === null) connection.ref();
    this.#dials.remove(dial, false);
    this.#count("created");
    this.#learn(firstCapacity(connection, this.#dials.expected));
    const first = this.#waiting.first;
    if (first !== null && dial.waiter !== first) this.#swapDial(dial.waiter, first);
    else if (first !== null) first.dial = null;
    if (first === null && !this.#keeps(member)) this.#discard(member);
    else this.#serve(member);
  }

  #learn(capacity: number): void {
    if (this.#dials.expected === capacity) return;
    this.#dials.learn(capacity);
    this.settings.learned?.(capacity);
  }

  /** The waiter whose dial served another one inherits that one's dial, if it had any. */
  #swapDial(loser: Waiter | null, winner: Waiter): void {
    if (loser === null) return;
    const dial = winner.dial as PendingDial | null;
    winner.dial = null;
    loser.dial = dial;
    if (dial !== null) dial.waiter = loser;
    else if (loser.expired) this.placeExpired(loser);
  }

  /** @internal A dial has failed: its own waiter hears of it, if it still waits. */
  dialFailed(dial: PendingDial, error: Error): void {
    if (this.#freedDescriptor(dial, error)) return;
    const { waiter } = dial;
    this.#dials.remove(dial, true);
    if (waiter !== null) {
      waiter.dial = null;
      this.#waiting.leave(waiter);
    }
    this.settings.budget.give();
    waiter?.refused(error);
    this.pump();
  }

  /** @internal Nobody wants its result: it was given up. */
  abandoned(dial: PendingDial): void {
    this.#dials.remove(dial, true);
    this.settings.budget.give();
    this.pump();
  }

  /** No file descriptor was left: whether an idle connection was closed for the dial, and it goes on. */
  #freedDescriptor(dial: PendingDial, error: Error): boolean {
    const idle = this.settings.budget.idle.first;
    if (idle === null || dial.waiter === null || !dial.mayGoOn(error)) return false;
    idle.value.close();
    dial.goOn(error);
    return true;
  }

  #adopt(dial: PendingDial): void {
    const waiter = this.#waiting.firstUndialled;
    waiter.dial = dial;
    this.#dials.adopt(dial, waiter);
    this.#waiting.cover(waiter);
  }

  /** Nobody waits for the waiter's dial any more: it may finish, but it does not keep the process alive. */
  #disown(waiter: Waiter): void {
    const dial = waiter.dial as PendingDial | null;
    if (dial === null) return;
    waiter.dial = null;
    dial.waiter = null;
    this.#dials.disown(dial);
    if (this.#retired) dial.close();
  }

  /** Whether another dial may begin. An idle connection that no waiter takes is closed to make room. */
  #makeRoom(): boolean {
    const { maxsize, block } = this.settings;
    if (block && this.size >= maxsize) this.#idle.first?.close();
    return !block || this.size < maxsize;
  }

  // Time limits

  /** @internal Nobody else's limit counts: the dial goes on for the next waiter, if there is one. */
  connectExpired(waiter: Waiter, limit: number): void {
    const dial = waiter.dial as PendingDial | null;
    const error =
      (dial ?? this.#dials.any)?.timeoutError(limit) ??
      new ConnectTimeoutError(`No connection could be made in time. (connect timeout=${limit} ms)`);
    this.#waiting.leave(waiter);
    this.#disown(waiter);
    waiter.refused(error);
    this.pump();
    // It was too slow once: nobody should meet it later.
    if (dial !== null && this.#dials.isOrphan(dial)) dial.close(error);
  }

  /** @internal The wait for a place is over; a waiter that a dial will serve has its place already. */
  placeExpired(waiter: Waiter): void {
    if (waiter.dial !== null || this.#hasPlace(waiter)) {
      this.#waiting.lookAgain(waiter);
      return;
    }
    this.#waiting.leave(waiter);
    this.pump();
    this.#count("timedOut");
    const wait = `no connection became free within ${waiter.poolTimeout} ms (poolTimeout)`;
    const error = new EmptyPoolError(`${this.settings.name}: Pool is empty and ${wait}`, { phase: "pool" });
    waiter.refused(error);
  }

  /** Whether only the pace of dials keeps the waiter: it stands among those whom the next connections will serve. */
  #hasPlace(waiter: Waiter): boolean {
    const { maxsize, block } = this.settings;
    if (this.budgetLink.linked) return false;
    const room = block ? Math.max(0, maxsize - this.size) : Number.POSITIVE_INFINITY;
    const more = room === 0 ? 0 : room * (this.#dials.expected ?? Number.POSITIVE_INFINITY);
    return this.#waiting.isAmong(waiter, this.#dials.promised + this.#resting + more);
  }

  #count(what: keyof PoolCounters): void {
    this.counters[what]++;
    this.settings.totals[what]++;
  }
}
