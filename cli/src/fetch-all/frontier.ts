/**
 * Which URL may be fetched now? A line for each host, with its own limit of requests at once, its own pace and its own
 * rests; a limit and a pace over all. No clock and no timer of its own: the time is handed in, in ms.
 */

import { TimeHeap } from "./time-heap.ts";

/** Successes after which a host that was slowed down is trusted with one more at once. */
const TRUST = 20;

/** ms by which starts that came late may follow each other faster than the pace. */
const CATCH_UP = 100;

/** What stands in the lines. */
export interface Waiting {
  /** Whose line it stands in. */
  readonly host: string;
}

/** Limits of a frontier. */
export interface FrontierOptions {
  /** Requests at once over all. */
  jobs: number;
  /** Requests at once to one host. */
  perHost: number;
  /** Least ms between the end of a request and the next one to its host; above 0, a host gets one at a time. */
  delay: number;
  /** Most starts a second over all; `Infinity` for no limit. */
  rate: number;
}

/** How a request went, as far as its host is concerned. */
export type Answered = "well" | "too-much" | "failed";

class Host<T extends Waiting> {
  readonly name: string;
  /** A queue: taken from `head`, added at the end. */
  line: T[] = [];
  head = 0;
  /** Those that may not start before a time. */
  readonly later = new TimeHeap<T>();
  active = 0;
  limit: number;
  delay: number;
  /** When the next may start. */
  nextAt = 0;
  /** When it was slowed down; what started before tells nothing new. */
  slowedAt = Number.NEGATIVE_INFINITY;
  successes = 0;
  /** Whether it stands among those that may start one. */
  ready = false;
  /** When it is looked at again. */
  wakeAt = Number.POSITIVE_INFINITY;

  constructor(name: string, limit: number, delay: number) {
    this.name = name;
    this.limit = limit;
    this.delay = delay;
  }

  get waiting(): number {
    return this.line.length - this.head + this.later.size;
  }

  get full(): boolean {
    // Two requests at once can arrive in any order, and with any time between them.
    return this.active >= (this.delay > 0 ? 1 : this.limit);
  }

  take(): T {
    const taken = this.line[this.head] as T;
    this.head += 1;
    if (this.head > 64 && this.head * 2 > this.line.length) {
      this.line = this.line.slice(this.head);
      this.head = 0;
    }
    return taken;
  }

  /** In front of the others. */
  putBack(item: T): void {
    if (this.head > 0) this.line[--this.head] = item;
    else this.line.unshift(item);
  }
}

/** The lines. */
export class Frontier<T extends Waiting> {
  readonly #options: FrontierOptions;
  readonly #hosts = new Map<string, Host<T>>();
  /** Hosts that may start one now, in the order of their turns. */
  #ready: Host<T>[] = [];
  #readyHead = 0;
  /** Hosts that may start one later. */
  readonly #timed = new TimeHeap<Host<T>>();
  #active = 0;
  #waiting = 0;
  #nextStart = 0;

  constructor(options: FrontierOptions) {
    this.#options = options;
  }

  /** In the lines. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Taken and not finished. */
  get active(): number {
    return this.#active;
  }

  /** Hosts known now. */
  get hosts(): number {
    return this.#hosts.size;
  }

  /** Hosts with URLs that rest, for a Retry-After or a Crawl-delay longer than a second. */
  resting(now: number): number {
    let count = 0;
    for (const host of this.#hosts.values()) if (host.waiting > 0 && host.nextAt > now + 1000) count += 1;
    return count;
  }

  /** To the end of its host's line; `notBefore`: not before that time, then in front. */
  push(item: T, now: number, notBefore = 0): void {
    const host = this.#host(item.host);
    if (notBefore > now) host.later.push(item, notBefore);
    else host.line.push(item);
    this.#waiting += 1;
    this.#settle(host, now);
  }

  /** The next that may start; `null` if none may now. Counts as running until {@link finished}. */
  take(now: number): T | null {
    this.#wake(now);
    if (this.#active >= this.#options.jobs || this.#nextStart > now) return null;
    const host = this.#nextReady(now);
    if (host === null) return null;
    const item = host.take();
    this.#active += 1;
    this.#waiting -= 1;
    host.active += 1;
    // What a late timer has missed is caught up with, what was not wanted is not.
    this.#nextStart = Math.max(this.#nextStart, now - CATCH_UP) + 1000 / this.#options.rate;
    this.#settle(host, now);
    return item;
  }

  /** A request that {@link take} gave at `startedAt` is over. */
  finished(item: T, how: Answered, startedAt: number, now: number): void {
    const host = this.#host(item.host);
    this.#active -= 1;
    host.active -= 1;
    host.nextAt = Math.max(host.nextAt, now + host.delay);
    if (how === "well") this.#trust(host);
    if (how === "too-much" && startedAt > host.slowedAt) this.#slow(host, now);
    this.#settle(host, now);
  }

  /** Nothing more to the host before that time. */
  rest(name: string, until: number, now: number): void {
    const host = this.#host(name);
    host.nextAt = Math.max(host.nextAt, until);
    this.#settle(host, now);
  }

  /** The host wants at least this many ms between two requests. */
  pace(name: string, delay: number): void {
    const host = this.#host(name);
    host.delay = Math.max(host.delay, delay);
  }

  /** When {@link take} may give one, if nothing else happens; `null` if it needs something to happen. */
  nextTime(now: number): number | null {
    if (this.#active >= this.#options.jobs) return null;
    const ready = this.#readyHead < this.#ready.length ? now : this.#timed.nextTime();
    return ready === null ? null : Math.max(ready, this.#nextStart);
  }

  #trust(host: Host<T>): void {
    if (host.limit >= this.#options.perHost) return;
    host.successes += 1;
    if (host.successes < TRUST) return;
    host.successes = 0;
    host.limit += 1;
  }

  #slow(host: Host<T>, now: number): void {
    host.limit = Math.max(1, Math.floor(host.limit / 2));
    host.successes = 0;
    host.slowedAt = now;
  }

  #host(name: string): Host<T> {
    let host = this.#hosts.get(name);
    if (host === undefined) {
      host = new Host(name, this.#options.perHost, this.#options.delay);
      this.#hosts.set(name, host);
    }
    return host;
  }

  /** Puts a host where it belongs now. */
  #settle(host: Host<T>, now: number): void {
    this.#promote(host, now);
    if (host.ready || host.full) return;
    const at = host.waiting === 0 ? 0 : this.#startOf(host);
    if (host.waiting === 0) this.#forget(host, now);
    else if (at > now) this.#wakeLater(host, at);
    else {
      this.#ready.push(host);
      host.ready = true;
    }
  }

  #wakeLater(host: Host<T>, at: number): void {
    if (host.wakeAt <= at) return;
    this.#timed.push(host, at);
    host.wakeAt = at;
  }

  /** Those whose time has come go in front of the line. */
  #promote(host: Host<T>, now: number): void {
    for (let at = host.later.nextTime(); at !== null && at <= now; at = host.later.nextTime()) {
      host.putBack(host.later.pop() as T);
    }
  }

  #startOf(host: Host<T>): number {
    const item = host.head < host.line.length ? 0 : (host.later.nextTime() as number);
    return Math.max(host.nextAt, item);
  }

  #wake(now: number): void {
    for (let at = this.#timed.nextTime(); at !== null && at <= now; at = this.#timed.nextTime()) {
      const host = this.#timed.pop() as Host<T>;
      if (host.wakeAt <= at) host.wakeAt = Number.POSITIVE_INFINITY;
      if (this.#hosts.get(host.name) === host) this.#settle(host, now);
    }
  }

  /** A host whose turn it is; those that have to wait after all go back. */
  #nextReady(now: number): Host<T> | null {
    while (this.#readyHead < this.#ready.length) {
      const host = this.#ready[this.#readyHead] as Host<T>;
      this.#readyHead += 1;
      host.ready = false;
      if (this.#readyHead > 64 && this.#readyHead * 2 > this.#ready.length) {
        this.#ready = this.#ready.slice(this.#readyHead);
        this.#readyHead = 0;
      }
      this.#promote(host, now);
      if (!host.full && host.head < host.line.length && host.nextAt <= now) return host;
      this.#settle(host, now);
    }
    return null;
  }

  /** A host about which there is nothing to remember, or not for long. */
  #forget(host: Host<T>, now: number): void {
    if (host.active > 0 || host.limit < this.#options.perHost || host.delay > this.#options.delay) return;
    if (host.nextAt > now) this.#wakeLater(host, host.nextAt);
    else this.#hosts.delete(host.name);
  }
}
