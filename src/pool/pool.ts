/**
 * Who may use a connection now. No sockets in here, and no clock but the one given.
 *
 * The rules, each learned from somebody's bug:
 *  1. Assignment is reservation: a connection leaves the idle stack in the step that binds it to a ticket.
 *  2. Nothing is scanned: acquire, release and cancel are O(1), whatever the number of connections.
 *  3. A dial belongs to the pool: its ticket may take another connection meanwhile, the dial's result is kept.
 *  4. No barging: while tickets wait, a connection that comes back goes to the first of them.
 *  5. A used connection rests for one turn of the event loop before it is given again (turn.ts).
 *  6. Every lease ends exactly once: the connection reports idle or dead.
 *  7. A retired pool serves whoever has come and still comes, but keeps no connection.
 */

import type { Clock, Timer } from "../core/clock.ts";
import { EmptyPoolError } from "../core/errors.ts";
import { type CoarseTimers, TimerEntry } from "../core/timers.ts";
import type { BudgetMember, ConnectionBudget } from "./budget.ts";
import { Link, LinkedList } from "./linked-list.ts";
import { type DialHandle, Dialing, type DialRequest } from "./pending-dial.ts";
import type { Member, MemberState } from "./pooled-connection.ts";
import type { Turn } from "./turn.ts";
import type { Ticket } from "./waiter.ts";

export type { DialHandle, DialRequest } from "./pending-dial.ts";
export { Ticket } from "./waiter.ts";

/** Dials under way at once per pool: hung dials must not grow without bound. */
export const MAX_DIALS: number = 64;

/** What a pool is made of. */
export interface PoolSettings {
  maxsize: number;
  block: boolean;
  /** ms */
  keepAliveTimeout: number;
  /** ms */
  connectionMaxAge: number;
  clock: Clock;
  timers: CoarseTimers;
  turn: Turn;
  budget: ConnectionBudget;
  /** In a burst one dial begins at once, and after each such time as many as have begun before, in ms; 0: all at once. */
  dialPace: number;
  dial: (request: DialRequest) => DialHandle;
  /** Counts together with other pools. */
  totals: PoolCounters;
  /** Text for errors, such as `HTTPConnectionPool(host='h', port=80)`. */
  name: string;
}

/** Counters that only grow. */
export interface PoolCounters {
  /** Connections made. */
  created: number;
  /** Requests that got a connection which had served another. */
  reused: number;
  /** Connections closed because they were not to be kept. */
  discarded: number;
  /** Requests that waited for longer than their `poolTimeout`. */
  timedOut: number;
}

/** All zero. */
export function noCounters(): PoolCounters {
  return { created: 0, reused: 0, discarded: 0, timedOut: 0 };
}

/** Keeps the connections of one route and hands them out. */
export class Pool implements BudgetMember {
  readonly settings: PoolSettings;
  readonly counters: PoolCounters = noCounters();
  /** @internal */ readonly budgetLink: Link<BudgetMember> = new Link<BudgetMember>(this);
  readonly #idle = new LinkedList<Member>();
  readonly #waiting = new LinkedList<Ticket>();
  readonly #dials = new Set<Dialing>();
  #resting = 0;
  #active = 0;
  readonly #orphans = new Set<Dialing>();
  #retired = false;
  #pumping = false;
  /** Dials that may begin now, if they are paced, and those that have begun in this burst. */
  #mayBegin = 1;
  #begun = 0;
  #pacing: Timer | null = null;

  constructor(settings: PoolSettings) {
    this.settings = settings;
  }

  /** Connections and dials. */
  get size(): number {
    return this.#idle.size + this.#resting + this.#active + this.#dials.size;
  }

  get idle(): number {
    return this.#idle.size + this.#resting;
  }

  get busy(): number {
    return this.#active;
  }

  get queued(): number {
    return this.#waiting.size;
  }

  /** Gives `ticket` a connection, at once or later, in the order of asking. */
  acquire(ticket: Ticket): void {
    // While others wait nothing is idle, but for those that want no idle connection.
    const member = ticket.fresh ? null : this.#takeIdle();
    if (member !== null) {
      member.reserve(ticket);
      return;
    }
    this.#waiting.push(ticket);
    this.#startWait(ticket);
    this.pump();
  }

  /** The ticket is not wanted any more. Its dial goes on: the next one will be glad of it. */
  cancel(ticket: Ticket): void {
    ticket.reservation?.giveUp();
    if (!ticket.linked) return;
    this.#leaveLine(ticket);
    this.#orphan(ticket);
    if (this.#waiting.size === 0) this.#resetPace();
  }

  /** Closes idle connections and dials that nobody waits for; from now on no connection is kept. */
  retire(): void {
    this.#retired = true;
    for (const member of this.#idle) member.close();
    for (const dial of this.#orphans) dial.abort();
  }

  /** Connections are kept again. */
  revive(): void {
    this.#retired = false;
  }

  /** Finds or opens connections for the tickets that no dial and no resting connection will serve. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#undialled > this.#resting) {
      const [orphan] = this.#orphans;
      if (orphan !== undefined) this.#adopt(orphan);
      else if (!this.#inPace() || !this.#makeRoom() || !this.settings.budget.take(this)) break;
      else this.#dial();
    }
    this.#pumping = false;
    if (this.#waiting.size === 0) this.#resetPace();
  }

  /**
   * Whether another dial may begin now. TLS handshakes are computation: begun all at once they all end late. Begun one
   * after another, the first soon serves those who wait, and many a dial need not begin at all. So that a distant server
   * costs little more, the number that may begin doubles after each `dialPace`.
   */
  #inPace(): boolean {
    const { dialPace, clock } = this.settings;
    if (dialPace === 0 || this.#mayBegin > 0) return true;
    this.#pacing ??= clock.setTimer(
      () => {
        this.#pacing = null;
        this.#mayBegin = this.#begun;
        this.pump();
      },
      dialPace,
      true,
    );
    return false;
  }

  /** Nobody waits: the next burst begins anew. */
  #resetPace(): void {
    this.#mayBegin = 1;
    this.#begun = 0;
    this.#pacing?.cancel();
    this.#pacing = null;
  }

  /** Tickets without a dial of their own: every dial but the orphans belongs to a waiting ticket. */
  get #undialled(): number {
    return this.#waiting.size - (this.#dials.size - this.#orphans.size);
  }

  /** Whether another dial may begin. What is idle now is not wanted by those who wait: it makes room. */
  #makeRoom(): boolean {
    const { maxsize, block } = this.settings;
    if (this.#dials.size >= MAX_DIALS) return false;
    if (block && this.size >= maxsize) this.#idle.first?.close();
    return !block || this.size < maxsize;
  }

  /** Passes over at most as many tickets as there are dials. */
  #firstUndialled(): Ticket {
    for (const ticket of this.#waiting) if (ticket.dial === null) return ticket;
    throw new Error("unreachable: a dial for nobody");
  }

  #dial(): void {
    const ticket = this.#firstUndialled();
    this.#mayBegin--;
    this.#begun++;
    const dial = new Dialing(this, ticket);
    ticket.dial = dial;
    this.#dials.add(dial);
    dial.start();
  }

  #adopt(dial: Dialing): void {
    this.#orphans.delete(dial);
    const ticket = this.#firstUndialled();
    ticket.dial = dial;
    dial.adopt(ticket);
  }

  /** Nobody waits for the ticket's dial any more: it may finish, but it does not keep the process alive. */
  #orphan(ticket: Ticket): void {
    const dial = ticket.dial;
    if (dial === null) return;
    ticket.dial = null;
    if (this.#retired) dial.abort();
    else {
      dial.orphan();
      this.#orphans.add(dial);
    }
  }

  /** @internal A dial has ended with a connection: it goes to whoever waits first. */
  dialled(dial: Dialing, member: Member): void {
    // Nobody may have waited for it: then it did not keep the process alive.
    if (dial.ticket === null) member.connection.ref();
    this.#forget(dial);
    this.#count("created");
    const ticket = this.#nextTicket();
    if (ticket === null) {
      this.#store(member);
      return;
    }
    if (dial.ticket !== ticket) this.#swapDial(dial.ticket, ticket);
    ticket.dial = null;
    this.#grant(member, ticket);
    this.pump();
  }

  /** @internal A dial has failed: its own ticket hears of it, if it still waits. */
  dialFailed(dial: Dialing, error: Error): void {
    if (this.#freedDescriptor(dial, error)) return;
    this.#forget(dial);
    const ticket = dial.ticket;
    if (ticket !== null) {
      ticket.dial = null;
      this.#leaveLine(ticket);
    }
    this.settings.budget.give();
    // It will serve nobody: the next one need not wait for its turn.
    this.#mayBegin++;
    ticket?.refused(error);
    this.pump();
  }

  /** No file descriptor was left: whether an idle connection was closed for the dial, and it goes on. */
  #freedDescriptor(dial: Dialing, error: Error): boolean {
    const idle = this.settings.budget.idle.first;
    if (idle === null || dial.ticket === null || !isOutOfDescriptors(error) || !dial.mayGoOn) return false;
    idle.value.close();
    dial.goOn();
    return true;
  }

  #forget(dial: Dialing): void {
    this.#dials.delete(dial);
    this.#orphans.delete(dial);
  }

  /** The ticket whose dial served another one inherits that one's dial, if it had any. */
  #swapDial(loser: Ticket | null, winner: Ticket): void {
    const dial = winner.dial;
    if (loser === null) {
      this.#orphan(winner);
      return;
    }
    loser.dial = dial;
    if (dial !== null) dial.ticket = loser;
    else if (loser.expired) this.#expire(loser);
  }

  /** @internal An exchange has ended well. */
  released(member: Member): void {
    this.#active--;
    this.#store(member);
  }

  /** @internal A connection has died that was in `state`. */
  died(member: Member, state: MemberState): void {
    if (state === "idle") this.#idle.remove(member);
    else if (state === "resting") this.#resting--;
    else this.#active--;
    this.settings.budget.give();
    this.pump();
  }

  /** @internal A rested connection may be used again. */
  rested(member: Member): void {
    this.#resting--;
    const ticket = this.#nextTicket();
    if (ticket !== null) {
      this.#orphan(ticket);
      this.#count("reused");
      this.#grant(member, ticket);
      this.pump();
    } else if (this.#keeps(member)) {
      this.#idle.push(member);
      member.becomeIdle();
    } else this.#discard(member);
  }

  /** @internal The turn of a reserved connection has come. */
  grantReserved(member: Member, ticket: Ticket): void {
    this.#count("reused");
    ticket.granted(member.connection);
  }

  /** @internal A reserved connection is not wanted after all; it is still in the turn. */
  unreserved(): void {
    this.#active--;
    this.#resting++;
  }

  /** @internal A reserved connection has died before its ticket could use it: the ticket is first in line again. */
  reservationLost(ticket: Ticket): void {
    const member = this.#takeIdle();
    if (member !== null) {
      member.reserve(ticket);
      return;
    }
    this.#waiting.unshift(ticket);
    this.#startWait(ticket);
    this.pump();
  }

  #count(what: keyof PoolCounters): void {
    this.counters[what]++;
    this.settings.totals[what]++;
  }

  #grant(member: Member, ticket: Ticket): void {
    this.#active++;
    member.use();
    ticket.granted(member.connection);
  }

  #store(member: Member): void {
    if (!this.#keeps(member)) {
      this.#discard(member);
      return;
    }
    this.#resting++;
    member.rest();
  }

  #discard(member: Member): void {
    this.#active++;
    this.#count("discarded");
    member.use();
    member.close();
  }

  #keeps(member: Member): boolean {
    const { maxsize, budget, connectionMaxAge, clock } = this.settings;
    if (member.idleTime() <= 0) return false;
    const aged = connectionMaxAge !== Number.POSITIVE_INFINITY;
    if (aged && clock.now() - member.connection.bornAt >= connectionMaxAge) return false;
    if (this.#waiting.size > 0) return !budget.starving;
    return !this.#retired && this.idle < maxsize && !budget.contended;
  }

  #takeIdle(): Member | null {
    for (let member = this.#idle.last; member !== null; member = this.#idle.last) {
      if (!member.stale()) {
        this.#idle.remove(member);
        this.#active++;
        return member;
      }
      member.close();
    }
    return null;
  }

  #nextTicket(): Ticket | null {
    const ticket = this.#waiting.first;
    if (ticket !== null) this.#leaveLine(ticket);
    return ticket;
  }

  #leaveLine(ticket: Ticket): void {
    ticket.unlink();
    ticket.timer?.disarm();
  }

  #startWait(ticket: Ticket): void {
    if (ticket.poolTimeout === Number.POSITIVE_INFINITY) return;
    ticket.timer ??= new TimerEntry(() => this.#expire(ticket));
    this.settings.timers.arm(ticket.timer, ticket.poolTimeout);
  }

  /** The wait for a place is over; a ticket whose dial is under way has its place already. */
  #expire(ticket: Ticket): void {
    ticket.expired = true;
    if (ticket.dial !== null) return;
    this.#leaveLine(ticket);
    this.#count("timedOut");
    const wait = `no connection became free within ${ticket.poolTimeout} ms (poolTimeout)`;
    ticket.refused(new EmptyPoolError(`${this.settings.name}: Pool is empty and ${wait}`, { phase: "pool" }));
  }
}

/** The limit of this process, or of the machine. */
const OUT_OF_DESCRIPTORS = new Set(["EMFILE", "ENFILE"]);

function isOutOfDescriptors({ cause }: Error): boolean {
  return cause instanceof Error && OUT_OF_DESCRIPTORS.has((cause as NodeJS.ErrnoException).code ?? "");
}
